#!/usr/bin/env python3
"""Worker of the harness in Python: threads, processes, tasks and interpreters that do the same work as every language.

Speaks PROTOCOL.md version 1 on stdin and stdout with nothing but the standard library, on CPython
3.8 to 3.14, with and without a global interpreter lock (GIL). What lives here: the lines, the hot
loops, their record, and the ways to run N of them at once. What never will: pinning, counters,
statistics (all the harness's). README.md says how each choice touches fairness.
"""

import array
import gc
import importlib
import itertools
import marshal
import os
import resource
import sys
import threading
import time
from _thread import get_native_id
from collections import Counter, deque
from contextlib import nullcontext

M = 2147483647
WARM_NS = 250000  # one interval of a warm-up run
WARM = {"ramp_ns": WARM_NS, "window_ns": WARM_NS, "windows": 1, "tail_ns": 0, "spans": 0}
clock = time.monotonic_ns


class Failure(Exception):
    """What an `error` line says: its kind and a message that names the next step."""

    def __init__(self, kind, message):
        super().__init__(kind, message)  # both, so that it survives pickling
        self.kind, self.message = kind, message

    @classmethod
    def of(cls, error):
        if isinstance(error, Failure):
            return error
        text = "%s: %s" % (type(error).__name__, error)
        if isinstance(error, MemoryError) or "start new thread" in text:
            return cls("oom", text + "; fewer workers, or a higher limit of memory or threads (ulimit -u)")
        return cls("internal", text + ("; raise `ulimit -n`" if "Too many open files" in text else ""))


def settle():
    """Nothing of the set-up is left for the collector, nor (after a fork) for copy on write."""
    gc.collect()
    gc.freeze()


# --- The work --------------------------------------------------------------------------------------


class Workload:
    """What the loop of a workload is made of: lines of source, in which every name is a local."""

    def __init__(self, params, operation, count="1", value="1", prologue=(), meet=(), leave=(), tasks=None):
        self.params = params  # with their defaults; None: must be given
        self.prologue, self.operation = prologue, operation
        self.tasks = tasks or operation  # the operation of a task, which awaits where a thread would block
        self.count, self.value = count, value  # how many operations that is, and what they add to `check`
        self.meet, self.leave = meet, leave  # before each operation; after the last


# `steps` is a constant, never calibrated: trials are compared by operations a second, so an operation
# must be the same in all.
WORKLOADS = {
    "noop": Workload({"batch": 1000}, ["for _ in repeat(None, batch): pass"], "batch", "batch"),
    "cpu": Workload(
        {"steps": 1000},
        ["x = 1 + (ops & 63)", "for _ in repeat(None, steps): x = x * 48271 % 2147483647"],
        value="x",
    ),
    "sleep": Workload(
        {"sleep_ns": 1000000},
        ["sleep(seconds)"],
        prologue=["seconds = sleep_ns / 1e9"],
        tasks=["await sleep(seconds)"],
    ),
    "pipe": Workload(
        {"dir": None, "first": 0, "delay_ns": 0},
        ["write(request, question[ops % 251])", "r = read(response, 1)[0]"],
        value="r",
        prologue=["question = [bytes([b]) for b in range(251)]"],
        tasks=["write(request, question[ops % 251])", "r = await answer()"],
    ),
    "serial": Workload(  # see Meeting
        {"steps": 25000, "permille": 100},
        [
            "x = 1 + (ops & 63)",
            "for _ in repeat(None, alone): x = x * 48271 % 2147483647",
            "ticket = tickets.popleft()",
            "while serving[0] != ticket: pause()",
            "for _ in repeat(None, held): x = x * 48271 % 2147483647",
            "tickets.append(ticket)",
            "serving[0] = (ticket + 1) % workers",
        ],
        value="x",
        prologue=["held = steps * permille // 1000", "alone, past = steps - held, 126"],
        meet=[
            "here = 2 * (ops & 63)",
            "arrived[me] = here",
            "for k in others:",
            "    while arrived[k] == past: pause()",
            "    if arrived[k] == here + 1:",
            "        take.leave(now, ops, check)",
            "        return filled",
            "past = here",
        ],
        leave=["arrived[me] = 2 * (ops & 63) + 1"],
    ),
}

# Every loop of every workload, pass and kind is made from this, so that they can't differ in anything but
# the lines put in.
LOOP = """
{define} loop(take, clock, repeat, sleep, read, write, {names}):
    {prologue}
    cross, took, size, ends, spans = take.cross, take.took, len(take.took), take.ends, len(take.ends)
    begin_ns, ops, check, at, filled = take.begin_ns, 0, 0, 0, 0
    edge = take.enter()
    while True:
        {meet}
        {operation}
        now = clock()
        ops += {count}
        check += {value}
        {record}
        if now >= edge:
            edge = cross(now, ops, check)
            if not edge:
                {leave}
                return filled
        {turn}
"""
TIMED = ["took[at] = now - began", "at += 1", "if at == size: at = take.fold(ops)"]
SPANS = ["if filled < spans and now >= begin_ns:", "    ends[filled] = now - begin_ns", "    filled += 1"]


def make_loop(workload, names, timed, spans, task=False):
    """The hot loop of one workload, with timing of each operation and record of ends if asked for."""
    work = WORKLOADS[workload]
    operation, count, value = work.tasks if task else work.operation, work.count, work.value
    if workload == "noop" and (timed or names["batch"] == 1):
        operation, count, value = [], "1", "1"
    blocks = {
        "prologue": work.prologue,
        "meet": work.meet,
        "operation": (["began = clock()"] if timed else []) + operation,
        "record": (TIMED if timed else []) + (SPANS if spans else []),
        "leave": work.leave,
        "turn": ["await sleep(0)"] if task else [],
    }
    source = []
    for text in LOOP.splitlines():
        name = text.strip()[1:-1]
        indent = " " * (len(text) - len(text.lstrip()))
        source += [indent + x for x in blocks[name]] if name in blocks else [text]
    define = "async def" if task else "def"
    text = "\n".join(source).format(define=define, names=", ".join(names), count=count, value=value)
    scope = {}
    exec(compile(text, "<%s loop>" % workload, "exec"), scope)
    return scope["loop"]


class Meeting:
    """Where the workers of `serial` meet: a barrier and a lock that serves in order of arrival, both spinning.

    Python has no atomic addition, so nothing here adds. At the barrier each worker writes a place of its own:
    twice the round modulo 64, one more if it leaves. Nobody can be more than a round ahead, so a place holds the
    past value, this one or the next. Tickets go around in a deque, whose `popleft` and `append` are
    atomic with and without a GIL: who holds one puts it back in order. All values are small integers, which are immortal.
    """

    def __init__(self, n, gil):
        self.arrived, self.tickets, self.serving = [126] * n, deque(range(n)), [0]
        self.gil = gil

    def names(self, me):
        n = len(self.arrived)
        return {
            "arrived": self.arrived,
            "me": me,
            "others": [k for k in range(n) if k != me],
            "tickets": self.tickets,
            "serving": self.serving,
            "workers": n,
            "pause": give_way if self.gil else spinner(),
        }


def give_way():
    """A turn of spinning under a GIL, which must be released for what is awaited to happen."""
    time.sleep(0)


def spinner():
    """A turn of spinning where threads run at the same time: every 2000th yields the CPU."""
    turns = itertools.cycle([False] * 1999 + [True])

    def pause():
        if next(turns):
            os.sched_yield()

    return pause


# --- The record of one worker ----------------------------------------------------------------------


def open_figures():
    """A file to close, the names of the figures of the calling thread, and a function that reads them.

    By ctypes where it is: unlike os.pread, PyDLL keeps the GIL, so that a reading is no switch of threads.
    """
    import resource

    fd, cpu, delay = -1, None, None
    try:
        fd = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        delay = lambda: int(os.pread(fd, 95, 0).split()[1])
        delay()
    except (OSError, IndexError):
        delay = None  # stays absent
    try:
        import ctypes

        libc, buffer = ctypes.PyDLL(None), ctypes.create_string_buffer(96)
        libc.pread.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int64)
        if delay and libc.pread(fd, buffer, 95, 0) > 0:
            delay = lambda: (libc.pread(fd, buffer, 95, 0), int(buffer.value.split()[1]))[1]
        cpu = libc.sched_getcpu if libc.sched_getcpu() >= 0 else None
    except (ImportError, OSError, AttributeError):
        pass
    own = [part for part in (("delay_ns", delay), ("cpu", cpu)) if part[1]]
    names, parts = ["cpu_ns", "vcsw", "ivcsw"] + [name for name, _ in own], [part for _, part in own]
    cpu_time, usage, who = time.thread_time_ns, resource.getrusage, resource.RUSAGE_THREAD

    def read():
        of = usage(who)
        return (cpu_time(), of.ru_nvcsw, of.ru_nivcsw) + tuple([part() for part in parts])

    return fd, names, read


class Take:
    """One worker's record of one run: a row at every boundary crossed, latencies, ends of operations."""

    def __init__(self, names, figures, plan, start_ns, capacity):
        ramp, window, windows = plan["ramp_ns"], plan["window_ns"], plan["windows"]
        self.begin_ns = begin = start_ns + ramp
        self.ramps = max(1, ramp // window)
        self.edges = [begin + i * window for i in range(1 - self.ramps, windows + 1)]
        self.edges.append(self.edges[-1] + plan["tail_ns"])
        self.names, self.figures, self.width = names, figures, 3 + len(names)
        self.rows = array.array("Q", bytes(8 * self.width * (len(self.edges) + 1)))
        self.at = 0  # boundaries crossed
        self.left = False  # whether it left before the end
        self.took = array.array("Q", bytes(8 * capacity))
        self.base = 0  # operations already folded into the counts
        self.counts = {}
        self.ends = array.array("Q", bytes(8 * plan["spans"]))
        self.filled = 0
        self.started_ns = 0

    def enter(self):
        figures = self.figures()
        self.put(0, clock(), 0, 0, figures)
        return self.edges[0]

    def cross(self, now, ops, check):
        """Called by the first operation that ends at or after an edge; the next edge, or 0 to stop."""
        figures, edges = self.figures(), self.edges
        while True:
            self.at += 1
            self.put(self.at, now, ops, check, figures)
            if self.at == len(edges):
                return 0
            if now < edges[self.at]:
                return edges[self.at]

    def leave(self, now, ops, check):
        """Called by a worker that has no more to do: it leaves the interval it is in."""
        self.at, self.left = self.at + 1, True
        self.put(self.at, now, ops, check, self.figures())

    def put(self, k, now, ops, check, figures):
        row = array.array("Q", (now, ops, check) + figures)
        self.rows[k * self.width : (k + 1) * self.width] = row

    def row(self, k):
        return self.rows[k * self.width : (k + 1) * self.width]

    def fold(self, ops):
        """Counts the latencies of the operations up to `ops`, by window; empties their array."""
        for k in range(self.ramps, len(self.edges) - 1):
            low = self.row(k)[1] if k <= self.at else ops
            high = self.row(k + 1)[1] if k < self.at else ops
            low, high = max(low, self.base) - self.base, min(high, ops) - self.base
            if low < high:
                self.counts.setdefault(k - self.ramps, Counter()).update(self.took[low:high])
        self.base = ops
        return 0

    def lines(self, w, key, spans, timed):
        """What the record says, each line as its verb and its values."""
        tail = len(self.edges) - 1
        for k in range(self.at):
            a, b = self.row(k), self.row(k + 1)
            values = dict(key, i=k - self.ramps, w=w)
            if k == tail:
                values["tail"] = 1
            values.update(ops=b[1] - a[1], check=(b[2] - a[2]) % M, first_ns=a[0])
            if k == tail or not self.left or k < self.at - 1:  # else it never crossed out of it
                values["last_ns"] = b[0]
                for j, name in enumerate(self.names, 3):
                    values[name] = b[j] if name == "cpu" else b[j] - a[j]
            yield "window", values
        enter, end = self.row(0), self.row(self.at)
        stamps = {"started_ns": self.started_ns, "entered_ns": enter[0], "ended_ns": end[0]}
        yield "total", dict(key, w=w, ops=end[1], check=end[2] % M, **stamps)
        if spans:
            yield "span", dict(key, w=w, t=",".join(map(str, self.ends[: self.filled])))
        if timed:
            self.fold(end[1])
            for i, counts in sorted(self.counts.items()):
                yield "hist", dict(key, i=i, w=w, name="op", unit="ns", **histogram(counts))


def histogram(counts):
    """The values of a `hist` line from {value: count}; HdrHistogram's buckets at three digits."""
    buckets = {}
    for value, count in counts.items():
        k = max(0, value.bit_length() - 11)
        index = (k << 10) + (value >> k)
        buckets[index] = buckets.get(index, 0) + count
    return {
        "n": sum(counts.values()),
        "min": min(counts),
        "max": max(counts),
        "sum": sum(value * count for value, count in counts.items()),
        "b": ",".join("%d:%d" % pair for pair in sorted(buckets.items())),
    }


# --- One worker ------------------------------------------------------------------------------------


def await_start(start_ns, spin_ns):
    """Sleeps until `start_ns - spin_ns`, spins the rest; the moment it saw the start."""
    left = start_ns - spin_ns - clock()
    while left > 0:
        time.sleep(left / 1e9)
        left = start_ns - spin_ns - clock()
    now = clock()
    while now < start_ns:
        now = clock()
    return now


class Lane:
    """One worker: made, and ordered about, in the thread, process, interpreter or event loop that runs it."""

    task = False

    def __init__(self, w, workload, params):
        self.w, self.workload, self.params = w, workload, params
        self.fds, self.loops, self.takes, self.meetings = [], {}, {}, {}
        self.locals = dict(params)
        if workload == "serial":
            self.locals.update(Meeting(1, True).names(0))  # of its warm-up

    def obey(self, order):
        return getattr(self, order[0])(*order[1:])

    def open(self):
        """Opens what the loop needs; the carrier's thread id."""
        fd, self.names, self.figures = open_figures()
        self.fds.append(fd)
        if self.workload == "pipe":
            self.locals["request"] = self.open_fifo("req")
            self.locals["response"] = self.open_fifo("rsp")
        return get_native_id()

    def open_fifo(self, end, flags=0):
        path = "%s/w%d.%s" % (self.params["dir"], self.w + self.params["first"], end)
        self.fds.append(os.open(path, os.O_RDWR | flags))
        return self.fds[-1]

    def close(self):
        for fd in self.fds:
            if fd >= 0:
                os.close(fd)

    def warm(self):
        """Runs both loops for a moment, crossings included; (ns an operation, ns a timed one)."""
        cost = []
        for timed in (False, True):
            self.arm(dict(WARM, timed=timed), [(0, clock())], 4096)
            self.run(0, 0, 0, clock())
            cost.append(self.warmed())
        return cost

    def warmed(self):
        """What an operation of the warm-up run cost; its record goes."""
        take = self.takes.pop(0)
        (entered, *_), (ended, ops, check, *_) = take.row(0), take.row(take.at)
        if self.workload == "pipe" and check != sum((7 * (i % 251) + 3) & 255 for i in range(ops)):
            raise Failure("checksum", "the peer of worker %d does not answer 7 b + 3" % self.w)
        list(take.lines(self.w, {}, False, self.plan["timed"]))
        return (ended - entered) / ops

    def arm(self, plan, slots, capacity, meetings=None):
        """Allocates the record of every slot (slot, its start) of a go, before its start."""
        timed, spans = plan["timed"], plan["spans"] > 0
        if (timed, spans) not in self.loops:
            self.loops[timed, spans] = make_loop(self.workload, self.locals, timed, spans, self.task)
        self.plan, self.loop, self.meetings = plan, self.loops[timed, spans], meetings
        size = capacity if timed else 0
        self.takes = {k: self.make_take(k, plan, start, size) for k, start in slots}

    def make_take(self, slot, *rest):
        return Take(self.names, self.figures, *rest)

    def run(self, slot, start_ns, spin_ns, released_ns):
        take, names = self.takes[slot], self.locals
        if self.meetings:
            names = dict(names, **self.meetings[slot].names(self.w))
        take.started_ns = released_ns or await_start(start_ns, spin_ns)
        take.filled = self.loop(take, clock, itertools.repeat, time.sleep, os.read, os.write, **names)

    def report(self, key, with_slot):
        lines = []
        for slot, take in self.takes.items():
            slot_key = dict(key, slot=slot) if with_slot else key
            lines += take.lines(self.w, slot_key, self.plan["spans"], self.plan["timed"])
        return lines


def answer_in(fd, lane, order):
    """Obeys inside an interpreter of its own: no object leaves it, so what is answered goes into a file."""
    try:
        reply = True, lane.obey(order)
        if order[0] == "warm":
            settle()
    except BaseException as error:
        failure = Failure.of(error)
        reply = False, (failure.kind, failure.message)
    os.ftruncate(fd, 0)
    os.pwrite(fd, marshal.dumps(reply), 0)


# --- N workers at once -----------------------------------------------------------------------------


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
        self.n, self.workload, self.carriers, self.ran = n, job[0], range(n), False

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
        meetings = {slot: Meeting(self.n, gil_on()) for slot, _ in slots} if self.workload == "serial" else None
        self.tell(self.carriers, "arm", plan, slots, capacity, meetings)
        self.ran = True

    def run(self, slot, start_ns, spin_ns):
        self.tell(self.carriers, "run", slot, start_ns, spin_ns, 0)

    def report(self, key, with_slot):
        return itertools.chain(*self.tell(self.carriers, "report", key, with_slot))


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
    START = "import sys; sys.path.insert(0, %r); from worker import Lane, answer_in; lane = Lane(*%r)"

    def __init__(self, module, w, job):
        self.module, self.job, self.interpreter = module, (w,) + job, None

    def obey(self, order):
        with nullcontext() if order[0] in ("warm", "run") else self.alone:
            if self.interpreter is None:
                self.fd = nameless_file()
                self.interpreter = self.module.create()  # an object from 3.14 on, an identity before
                self.execute(self.START % (os.path.dirname(os.path.abspath(__file__)), self.job))
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


# --- Tasks of one event loop -----------------------------------------------------------------------


class Asyncio(Threads):
    """N tasks on the event loop of one thread."""

    def __init__(self, n, job):
        super().__init__(1, job, lambda _, *job: Tasks(n, job))
        self.n, self.shared = n, False  # nobody spins: one thread has nobody to wait for

    def prepare(self):
        values = dict(super().prepare(), turns=1 if self.n > 1 else None)
        del values["map"]
        return values


class Tasks:
    """The event loop and its tasks, ordered about as one lane; the figures are the thread's, so those of all."""

    def __init__(self, n, job):
        self.lanes = [TaskLane(self, w, *job) for w in range(n)]
        self.carriers, self.cold, self.events = {}, True, None

    obey = Lane.obey

    def open(self):
        import asyncio

        self.asyncio, self.events = asyncio, asyncio.new_event_loop()
        fd, names, read = open_figures()
        self.lanes[0].fds.append(fd)
        wanted = [k for k, name in enumerate(names) if name in ("cpu_ns", "delay_ns")]
        pick = lambda row: [row[k] for k in wanted]
        self.names, self.figures = pick(names), lambda: pick(read())
        for lane in self.lanes:
            lane.open()
        self.tid = threading.get_native_id()
        return self.tid

    def warm(self):
        cost, others = self.lanes[0].warm(), self.lanes[1:] if self.cold else []
        for self.cold in (True, False):
            for lane in others:
                lane.arm(dict(WARM, timed=not self.cold), [(0, clock())], 4096)
            self.together(others, 0, 0)
            for lane in others:
                lane.warmed()
        return cost

    def arm(self, plan, slots, *rest):
        self.ramps = max(1, plan["ramp_ns"] // plan["window_ns"])
        size = len(self.names) * (self.ramps + plan["windows"] + 2)
        self.carriers = {slot: Carrier(self.figures, len(self.names), size) for slot, _ in slots}
        for lane in self.lanes:
            lane.arm(plan, slots, *rest)

    def run(self, slot, start_ns, *_):
        self.together(self.lanes, slot, start_ns)

    def together(self, lanes, slot, start_ns):
        """Starts tasks, releases all at once at the start, and waits for them."""

        async def opener():
            gate = self.events.create_future()
            tasks = [self.events.create_task(lane.perform(slot, gate)) for lane in lanes]
            left = start_ns - clock()
            while left > 0:
                await self.asyncio.sleep(left / 1e9)
                left = start_ns - clock()
            if slot in self.carriers:
                self.carriers[slot].reach(0)
            gate.set_result(clock())
            try:
                await self.asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()

        self.events.run_until_complete(opener())

    def report(self, key, with_slot):
        lines = [x for lane in self.lanes for x in lane.report(key, with_slot)]
        for slot, carrier in self.carriers.items():
            slot_key = dict(key, slot=slot) if with_slot else key
            for k in range(carrier.at):
                figures = dict(zip(self.names, carrier.between(k)))
                lines.append(("carrier", dict(slot_key, i=k - self.ramps, tid=self.tid, **figures)))
        return lines

    def close(self):
        if self.events:
            self.events.close()
        for lane in self.lanes:
            lane.close()


class Carrier:
    """The carrier's figures at every boundary, as the first task that crosses it finds them."""

    def __init__(self, figures, width, size):
        self.figures, self.width, self.at = figures, width, -1
        self.rows = array.array("Q", bytes(8 * size))

    def reach(self, boundary):
        if boundary > self.at:
            row, width = array.array("Q", self.figures()), self.width
            while self.at < boundary:
                self.at += 1
                self.rows[self.at * width : (self.at + 1) * width] = row

    def between(self, k):
        a, b, c = (j * self.width for j in (k, k + 1, k + 2))
        return [y - x for x, y in zip(self.rows[a:b], self.rows[b:c])]


class TaskTake(Take):
    """The record of a task, which has no figures of its own."""

    def __init__(self, carrier, *rest):
        super().__init__([], tuple, *rest)
        self.carrier = carrier

    def cross(self, now, ops, check):
        edge = super().cross(now, ops, check)
        if self.carrier:
            self.carrier.reach(self.at)
        return edge


class TaskLane(Lane):
    """One task: gives way after every operation, and awaits where a thread would block."""

    task = True

    def __init__(self, tasks, *rest):
        super().__init__(*rest)
        self.tasks = tasks

    def open(self):
        if self.workload == "pipe":
            self.locals["request"] = self.open_fifo("req", os.O_NONBLOCK)
            self.locals["answer"] = self.listen(self.open_fifo("rsp", os.O_NONBLOCK))

    def listen(self, fd):
        """Has the event loop watch the FIFO; a function whose result is awaited for the next byte."""
        events, awaited = self.tasks.events, []
        events.add_reader(fd, lambda: awaited.pop().set_result(os.read(fd, 1)[0]))

        def answer():
            awaited.append(events.create_future())
            return awaited[0]

        return answer

    def make_take(self, slot, *rest):
        return TaskTake(self.tasks.carriers.get(slot), *rest)

    def run(self, slot, start_ns, *_):
        self.tasks.together([self], slot, start_ns)

    async def perform(self, slot, gate):
        take = self.takes[slot]
        take.started_ns = await gate
        sleep = self.tasks.asyncio.sleep
        take.filled = await self.loop(take, clock, itertools.repeat, sleep, os.read, os.write, **self.locals)


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


# --- The harness's side ----------------------------------------------------------------------------

VERSION = "1"
FEATURES = ("alternate", "spans")
LINE_MAX = 1 << 20
FLAGS = ("--enable-", "--disable-", "--with-", "--without-")  # of configure, for the receipt
NEEDED = "array,asyncio,collections,ctypes,gc,marshal,multiprocessing.connection,pickle,resource,sysconfig,threading"
LEAD_NS = 20000000
SPANS_MAX = 1 << 16  # ends of operations that fit a line
MECHANISMS = {
    "threads": Threads,
    "processes-fork": lambda n, job: Processes(n, job, "fork"),
    "processes-spawn": lambda n, job: Processes(n, job, "spawn"),
    "processes-forkserver": lambda n, job: Processes(n, job, "forkserver"),
    "asyncio": Asyncio,
    "subinterpreters": Subinterpreters,
}
EXCEPT = [name + ":serial" for name in MECHANISMS if name != "threads"]  # they share no memory, or must not block


# --- Lines -----------------------------------------------------------------------------------------


def escape(text):
    keep = lambda c: c.isprintable() and c not in " %"
    encode = lambda c: "".join("%%%02X" % b for b in c.encode("utf-8", "surrogateescape"))
    return "".join(c if keep(c) else encode(c) for c in text)


def unescape(text):
    head, *rest = text.encode("utf-8", "surrogateescape").split(b"%")
    raw = head + b"".join(bytes([int(part[:2], 16)]) + part[2:] for part in rest)
    return raw.decode("utf-8", "surrogateescape")


def line(verb, **values):
    return " ".join([verb] + ["%s=%s" % (k, escape(str(v))) for k, v in values.items()])


def parse(text):
    verb, *pairs = text.split()
    try:
        return verb, {k: unescape(v) for k, _, v in (pair.partition("=") for pair in pairs)}
    except ValueError:
        raise Failure("unsupported", "a % is not followed by two hex digits") from None


def number(keys, name, default=None, least=0):
    value = keys.get(name, default)
    if value is None:
        raise Failure("unsupported", "%s= is missing" % name)
    try:
        value = int(value)
    except ValueError:
        raise Failure("unsupported", "%s=%s is not a whole number" % (name, value)) from None
    if value < least:
        raise Failure("unsupported", "%s=%d is below %d" % (name, value, least))
    return value


# --- What this runtime is --------------------------------------------------------------------------


def gil_turned_on_by():
    """The module that turned the GIL on, where it could be off: asked of a fresh interpreter, which names it in a warning.

    It does so for what is imported at start-up too (a .pth file, sitecustomize), before this program could look.
    """
    import re
    import subprocess

    command = [sys.executable, "-B", "-W", "always", "-c", "import " + NEEDED]
    try:
        said = subprocess.run(command, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=10).stderr
    except (OSError, subprocess.SubprocessError):
        return None  # stays absent
    found = re.search(r"enabled to load module '([^']*)'", said.decode("utf-8", "replace"))
    return found and found.group(1)


def timer_cost_ps():
    """What timing one operation adds: the latency loop around nothing less the bare loop, least of three."""
    lane = Lane(0, "noop", {"batch": 1})
    lane.open()
    pairs = [lane.warm() for _ in range(3)]
    lane.close()
    return max(0, round(1000 * (min(timed for _, timed in pairs) - min(bare for bare, _ in pairs))))


def mechanisms():
    """The names of those this runtime has, and what the receipt says of its interpreters."""
    try:
        return list(MECHANISMS), {"subinterpreters_api": interpreters().__name__}
    except Failure as failure:
        return [x for x in MECHANISMS if x != "subinterpreters"], {"subinterpreters_absent": failure.message}


def identity():
    """The values of `hello`: what the worker is and can do, with the runtime's receipt."""
    import sysconfig

    settings, cost_ps, (offered, receipt) = sysconfig.get_config_vars(), timer_cost_ps(), mechanisms()
    free = bool(settings.get("Py_GIL_DISABLED"))
    info = sys.version_info
    stage = {"alpha": "a", "beta": "b", "candidate": "rc"}.get(info.releaselevel)
    version = "%d.%d.%d" % info[:3] + ("%s%d" % (stage, info.serial) if stage else "")
    flags = (settings.get("CONFIG_ARGS") or "").replace("'", "").split()
    cflags = (settings.get("PY_CFLAGS") or "").split()
    gil, jit = gil_on(), getattr(sys, "_jit", None)  # after the imports
    asked_for = os.environ.get("PYTHON_GIL") == "1" or sys._xoptions.get("gil") == "1"
    if free and gil and not asked_for:
        receipt["gil_reenabled_by"] = gil_turned_on_by()
    values = {
        "v": VERSION,
        "lang": "python",
        "runtime": version + ("t" if free else ""),
        "pid": os.getpid(),
        "gil": gil,
        "clock": "CLOCK_MONOTONIC",
        "res_ns": round(time.get_clock_info("monotonic").resolution * 1e9),
        "timer": "monotonic_ns",
        "timer_cost_ps": cost_ps,
        "switch_ns": None if gil is None else round(sys.getswitchinterval() * 1e9),
        "lead_ns": LEAD_NS,
        "workloads": ",".join(WORKLOADS),
        "mechanisms": ",".join(offered),
        "except": ",".join(x for x in EXCEPT if x.partition(":")[0] in offered),
        "features": ",".join(FEATURES),
        "implementation": sys.implementation.name,
        "compiler": sys.version.rpartition("[")[2].rstrip("]"),
        "optimise": ",".join(x for x in cflags if x.startswith("-O")),
        "configure": ",".join(x for x in flags if x.startswith(FLAGS) and "/" not in x),
        "free_threaded_build": int(free),
        "jit": jit and int(jit.is_enabled()),
        "gc": ",".join(map(str, gc.get_threshold())) if gc.isenabled() else "off",
    }
    return {k: v for k, v in dict(values, **receipt).items() if v is not None}


# --- The session -----------------------------------------------------------------------------------


class Session:
    """Answers the harness, line by line; the prepared cells by id."""

    def __init__(self):
        self.cells = {}

    def answer(self, text):
        verb, keys = text.split()[0], {}
        try:
            verb, keys = parse(text)
            unknown = [f for f in keys.get("require", "").split(",") if f and f not in FEATURES]
            if unknown:
                raise Failure("unsupported", "require=%s is not known here" % ",".join(unknown))
            handler = getattr(self, "do_" + verb, None)
            if handler is None:
                raise Failure("unsupported", "verb %s is not known here" % verb)
            return handler(keys)
        except Exception as error:
            failure = Failure.of(error)
            about = {k: keys[k] for k in ("id", "ids") if k in keys}
            if verb in ("prepare", "go", "collect"):
                about["phase"] = verb
            return [line("error", **dict(about, kind=failure.kind, msg=failure.message))]

    def do_hello(self, keys):
        if keys.get("v") != VERSION:
            raise Failure("unsupported", "this worker speaks version %s" % VERSION)
        return [line("hello", **identity())]

    def do_ping(self, keys):
        return [line("pong", n=keys.get("n", ""), now_ns=clock())]

    def do_prepare(self, keys):
        begin = clock()
        ident, workload, mechanism = keys.get("id"), keys.get("workload"), keys.get("mechanism")
        n = number(keys, "workers", least=1)
        if not ident or ident in self.cells:
            raise Failure("unsupported", "id= is missing or already prepared")
        for what, name, known in (("workload", workload, WORKLOADS), ("mechanism", mechanism, MECHANISMS)):
            if name not in known:
                raise Failure("unsupported", "%s %s is not one of %s" % (what, name, ",".join(known)))
        if "%s:%s" % (mechanism, workload) in EXCEPT:
            raise Failure("unsupported", "%s is not offered for %s" % (workload, mechanism))
        params = {}
        for name, default in WORKLOADS[workload].params.items():
            least = 1 if name in ("steps", "batch") else 0
            params[name] = keys.get(name) if name == "dir" else number(keys, name, default, least)
        if workload == "pipe" and not params["dir"]:
            raise Failure("unsupported", "dir= is missing")
        if params.get("permille", 0) > 1000:
            raise Failure("unsupported", "permille=%d is above 1000" % params["permille"])
        cell = MECHANISMS[mechanism](n, (workload, params))
        try:
            values = cell.prepare()
        except BaseException:
            cell.close()
            raise
        self.cells[ident] = cell
        values = dict(values, setup_ns=clock() - begin, **{k: v for k, v in params.items() if k != "dir"})
        return [line("ready", **{k: v for k, v in dict(values, id=ident).items() if v is not None})]

    def chosen(self, keys):
        """The ids of a go or collect with their cells, and the key that echoes them."""
        name = "ids" if "ids" in keys else "id"
        ids = keys.get(name, "").split(",")
        for ident in ids:
            if ident not in self.cells:
                raise Failure("unsupported", "cell %s is not prepared" % (ident or "without id"))
            if ids.count(ident) > 1:
                raise Failure("unsupported", "cell %s twice: prepare two to compare it with itself" % ident)
        return ids, {name: keys[name]}

    def do_go(self, keys):
        ids, echo = self.chosen(keys)
        passes = ("throughput", "latency", "counters")
        if keys.get("pass") not in passes:
            raise Failure("unsupported", "pass=%s is not one of %s" % (keys.get("pass"), ",".join(passes)))
        plan = {k: number(keys, k) for k in ("ramp_ns", "windows", "tail_ns")}
        plan["window_ns"] = number(keys, "window_ns", least=1)
        plan["timed"] = keys["pass"] == "latency"
        plan["spans"] = min(SPANS_MAX, number(keys, "spans", 0))
        order = ["0123456789".find(c) for c in keys.get("order", "0")]
        if not order or min(order) < 0 or max(order) >= len(ids):
            raise Failure("unsupported", "order=%s names a cell that ids= does not" % keys.get("order"))
        length = plan["ramp_ns"] + plan["windows"] * plan["window_ns"] + plan["tail_ns"]
        start, spin, gap = number(keys, "start_ns"), number(keys, "spin_ns", 0), number(keys, "gap_ns", 0)
        slots = [(k, start + k * (length + gap)) for k in range(len(order))]
        try:
            for c, ident in enumerate(ids):
                mine = [slot for slot, of in zip(slots, order) if of == c]
                self.cells[ident].arm(plan, mine, length)
            for (slot, start_ns), of in zip(slots, order):
                self.cells[ids[of]].run(slot, start_ns, spin)
        except BaseException:
            for ident in ids:
                self.cells.pop(ident).close()
            raise
        return [line("stopped", **echo)]

    def do_collect(self, keys):
        ids, echo = self.chosen(keys)
        lines = []
        for ident in ids:
            cell = self.cells[ident]
            if not cell.ran:
                raise Failure("unsupported", "cell %s has not run: go comes first" % ident)
            said = cell.report({"id": ident}, "ids" in keys)
            lines += [line(verb, **values) for verb, values in said]
        return lines + [line("done", **echo)]

    def close(self):
        for cell in self.cells.values():
            cell.close()
        for name in ("forkserver", "resource_tracker"):  # they would outlive this process by a moment
            helper = getattr(sys.modules.get("multiprocessing." + name), "_" + name, None)
            try:
                helper and helper._stop()
            except (AttributeError, OSError):
                pass  # private, so it may go: then they end by themselves


def read_line(source):
    """The next line, stripped; None at the end or at a torn line; a verb nobody knows for one too long."""
    raw = source.readline(LINE_MAX)
    if not raw.endswith(b"\n") and len(raw) == LINE_MAX:
        while raw and not raw.endswith(b"\n"):
            raw = source.readline(LINE_MAX)
        return "line-over-1-MiB"
    return raw.decode("utf-8", "surrogateescape").strip() if raw.endswith(b"\n") else None


def main():
    session = Session()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # N workers with FIFOs need 3 N
    try:
        text = read_line(sys.stdin.buffer)
        while text is not None and text.split(" ")[0] != "quit":
            lines = session.answer(text) if text else []
            sys.stdout.buffer.write("".join(x + "\n" for x in lines).encode("utf-8", "surrogateescape"))
            sys.stdout.buffer.flush()
            text = read_line(sys.stdin.buffer)
    finally:
        session.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
