"""What carries the workers: threads, processes, interpreters of one process; tasks of one event loop are in tasks.py.

A cell is N workers of one workload. How its orders reach the lanes, who waits for the start and who releases whom
is all that differs between mechanisms. What never lives here: the work itself, and the harness's lines.
"""

import importlib
import itertools
import marshal
import os
import sys
import threading

from loops import Failure, Lane, await_start, settle

TIMED_MAX = 1 << 20  # latencies kept unfolded, all workers and slots of a cell together,
TIMED_MIN = 1 << 14  # but for each of them at least this many


def gil_on():
    """1: one thread at a time runs bytecode; 0: the lock exists and is off; None: no such lock."""
    if hasattr(sys, "_is_gil_enabled"):
        return int(sys._is_gil_enabled())
    return 1 if sys.implementation.name in ("cpython", "pypy") else None


class Cell:
    """N workers; `tell(carriers, order, …)` has some of the carriers obey an order, and gives their replies."""

    def __init__(self, n, job):
        self.n, self.carriers, self.ran = n, range(n), False
        self.workload, self.params = job
        self.locks = ()  # of `lock`, by slot: the slot, the begin of its window 0, what the workers share

    def prepare(self):
        """Opens and warms all workers; the values of `ready`."""
        tids = self.tell(self.carriers, "open")
        op_ns, self.timed_ns = map(min, zip(*(self.tell([0], "warm")[0] for _ in range(2))))
        if len(tids) > 1:  # the others after it, so that its cost is that of one alone
            self.tell(self.carriers[1:], "warm")
        settle()
        values = {"carriers": ",".join(map(str, tids)), "map": ",".join("%d:%d" % x for x in enumerate(tids))}
        values.update(op_ns=max(1, round(op_ns)), gil=gil_on())  # asked again: preparing imports modules too
        return values

    def arm(self, plan, slots, length_ns):
        capacity = int(length_ns / self.timed_ns * 1.5) + 64
        capacity = min(capacity, max(TIMED_MIN, TIMED_MAX // (self.n * max(1, len(slots)))))
        meetings = None
        if self.workload == "serial":
            from meeting import Meeting

            meetings = {slot: Meeting(self.n, gil_on()) for slot, _ in slots}
        if self.workload == "lock":
            from locks import Locks

            meetings = {slot: Locks(self.params, plan["timed"]) for slot, _ in slots}
            self.locks = [(slot, start + plan["ramp_ns"], meetings[slot]) for slot, start in slots]
        self.tell(self.carriers, "arm", plan, slots, capacity, meetings)
        self.ran = True

    def run(self, slot, start_ns, spin_ns):
        self.tell(self.carriers, "run", slot, start_ns, spin_ns, 0)

    def report(self, key, with_slot):
        common = [of.lines(dict(key, slot=k) if with_slot else key, begin_ns) for k, begin_ns, of in self.locks]
        return itertools.chain(*self.tell(self.carriers, "report", key, with_slot), *common)


# --- Threads ---------------------------------------------------------------------------------------


class Threads(Cell):
    """N threads, each parked on a lock of its own; where they share a GIL the opener alone spins."""

    started = False  # whether any was: then it is too late to fork

    def __init__(self, n, job, lane=Lane):
        super().__init__(n, job)
        Threads.started = True
        self.shared = gil_on() == 1
        self.order, self.left, self.replies = None, 0, [None] * n
        self.counting, self.parked, self.gates = threading.Lock(), threading.Lock(), []
        self.threads = []
        self.parked.acquire()
        try:
            for w in range(n):
                self.gates.append(threading.Lock())
                self.gates[w].acquire()
                self.threads.append(threading.Thread(target=self.body, args=(lane, w, job), daemon=True))
                self.threads[w].start()
        except BaseException:
            self.threads.pop()  # the one that did not start
            self.close()
            raise

    def body(self, lane, w, job):
        lane = lane(w, *job)
        while True:
            self.gates[w].acquire()
            if self.order is None:
                return lane.close()
            try:
                self.replies[w] = lane.obey(self.order)
            except BaseException as error:
                self.replies[w] = Failure.of(error)
            with self.counting:
                self.left -= 1
                last = self.left == 0
            if last:  # the opener wakes once, when all are done
                self.parked.release()

    def tell(self, carriers, *order):
        """Gives an order to some and waits, without a timer, until all have obeyed."""
        self.order, self.left = order, len(carriers)
        for w in carriers:
            self.gates[w].release()
        self.parked.acquire()
        replies = [self.replies[w] for w in carriers]
        for reply in replies:
            if isinstance(reply, Failure):
                raise reply
        return replies

    def run(self, slot, start_ns, spin_ns):
        when = (0, 0, await_start(start_ns, spin_ns)) if self.shared else (start_ns, spin_ns, 0)
        self.tell(self.carriers, "run", slot, *when)

    def close(self):
        self.order = None
        for gate, thread in zip(self.gates, self.threads):
            gate.release()
            thread.join()


# --- Interpreters of one process ------------------------------------------------------------------


class Subinterpreters(Threads):
    """N threads, each of which runs an interpreter of its own, from 3.12 on with a GIL of its own."""

    own_gil = sys.version_info >= (3, 12)

    def __init__(self, n, job):
        module = interpreters()
        super().__init__(n, job, lambda w, *job: Guest(module, w, job))
        self.shared = self.shared and not self.own_gil

    def prepare(self):
        return dict(super().prepare(), gil=int(self.shared))


def interpreters():
    """The module that makes interpreters: public from 3.14 on, private before."""
    for name in ("concurrent.interpreters", "_interpreters", "_xxsubinterpreters"):
        try:
            return importlib.import_module(name)
        except ImportError as error:
            reason = str(error)
    raise Failure("unsupported", "no module here makes interpreters: " + reason)


def nameless_file():
    if hasattr(os, "memfd_create"):  # depends on the libc of the build
        return os.memfd_create("replies")
    from tempfile import TemporaryFile

    with TemporaryFile() as file:
        return os.dup(file.fileno())


class Guest:
    """A lane in an interpreter of its own: orders go in as source, replies come out through a file without a name.

    No object leaves an interpreter, so the record is made and kept inside it. What allocates goes one at a time: CPython
    3.12.1 corrupts its heap now and then when two interpreters are made, import or end at once.
    """

    alone = threading.Lock()
    START = "import sys; sys.path.insert(0, %r); from loops import Lane, answer_in; lane = Lane(*%r)"

    def __init__(self, module, w, job):
        self.module, self.job, self.interpreter = module, (w,) + job, None

    def obey(self, order):
        if order[0] in ("warm", "run"):
            return self.ask(order)
        with self.alone:
            if self.interpreter is None:
                self.fd = nameless_file()
                self.interpreter = self.module.create()  # an object from 3.14 on, an identity before
                self.execute(self.START % (os.path.dirname(os.path.abspath(__file__)), self.job))
            return self.ask(order)

    def ask(self, order):
        self.execute("answer_in(%d, lane, %r)" % (self.fd, order))
        obeyed, reply = marshal.loads(os.pread(self.fd, os.fstat(self.fd).st_size, 0))
        if not obeyed:
            raise Failure(*reply)
        return reply

    def execute(self, source):
        if hasattr(self.interpreter, "exec"):
            return self.interpreter.exec(source)
        failed = self.module.run_string(self.interpreter, source)  # raises before 3.13
        if failed is not None:
            raise Failure("internal", failed.formatted)

    def close(self):
        if self.interpreter is not None:
            with self.alone:
                self.execute("lane.close()")
                end = getattr(self.interpreter, "close", lambda: self.module.destroy(self.interpreter))
                end()
            os.close(self.fd)


# --- Processes -------------------------------------------------------------------------------------


class Processes(Cell):
    """N child processes, each parked on a pipe of its own; it spins before the start by itself."""

    ours = []  # this process's ends of all pipes: a forked child must not hold them

    def __init__(self, n, job, method):
        from multiprocessing import get_context

        if method == "fork" and Threads.started:
            raise Failure("unsupported", "this process has had threads: prepare processes-fork before them")
        super().__init__(n, job)
        context = get_context(method)
        self.pipes, self.children = [], []
        settle()
        try:
            for w in range(n):
                ours, theirs = context.Pipe()
                self.pipes.append(ours)
                Processes.ours.append(ours)
                child = context.Process(target=child_main, args=(theirs, w, job), daemon=True)
                child.start()
                theirs.close()
                self.children.append(child)
        except BaseException:
            self.close()
            raise

    def tell(self, carriers, *order):
        import pickle

        replies, packed = [], pickle.dumps(order)
        for w in carriers:
            self.talk(w, lambda pipe: pipe.send_bytes(packed))
        for w in carriers:
            replies.append(self.talk(w, lambda pipe: pipe.recv()))
            if isinstance(replies[-1], Failure):
                raise replies[-1]
        return replies

    def talk(self, w, use):
        try:
            return use(self.pipes[w])
        except (EOFError, OSError):
            self.children[w].join(1)
            code = self.children[w].exitcode
            how = "by signal %d" % -code if code and code < 0 else "with status %s" % code
            raise Failure("internal", "the process of worker %d ended %s" % (w, how)) from None

    def close(self):
        for pipe in self.pipes:
            Processes.ours.remove(pipe)
            pipe.close()
        for child in self.children:
            child.join(0.2)  # the end of its pipe ends it, unless it is in its loop
            if child.is_alive():
                child.kill()
                child.join(1)


def child_main(pipe, w, job):
    """Body of a child process: obeys orders until its pipe closes."""
    for inherited in Processes.ours:
        inherited.close()
    lane = Lane(w, *job)
    try:
        while True:
            order = pipe.recv()
            try:
                reply = lane.obey(order)
            except Exception as error:
                reply = Failure.of(error)
            if order[0] == "warm":
                settle()
            pipe.send(reply)
    except (EOFError, OSError, KeyboardInterrupt):
        pass
