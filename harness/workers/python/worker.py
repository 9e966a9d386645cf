#!/usr/bin/env python3
"""Worker of the harness in Python: threads and processes that do the same work as every language.

Speaks PROTOCOL.md version 1 on stdin and stdout with nothing but the standard library, on CPython
3.8 to 3.14, with and without a global interpreter lock (GIL). What lives here: the lines, the hot
loops, their record, and the ways to run N of them at once. What never will: pinning, counters,
statistics (all the harness's). README.md says how each choice touches fairness.
"""

import array
import gc
import itertools
import os
import resource
import sys
import threading
import time

VERSION = "1"
FEATURES = ("alternate", "spans")
M = 2147483647
LINE_MAX = 1 << 20
FLAGS = ("--enable-", "--disable-", "--with-", "--without-")  # of configure, for the receipt
LEAD_NS = 20000000
WARM_NS = 250000  # one interval of a warm-up run
SPANS_MAX = 1 << 16  # ends of operations that fit a line
TIMED_MAX = 1 << 20  # latencies kept unfolded, all workers and slots of a cell together,
TIMED_MIN = 1 << 14  # but for each of them at least this many
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


# --- The work --------------------------------------------------------------------------------------

# Per workload: parameters with their defaults (None: must be given), what the loop keeps in locals,
# the operation, how many operations that is, and what each adds to `check`. `steps` is a constant,
# never calibrated: trials are compared by operations a second, so an operation must be the same in all.
WORKLOADS = {
    "noop": ({"batch": 1000}, [], ["for _ in repeat(None, batch): pass"], "batch", "batch"),
    "cpu": (
        {"steps": 1000},
        [],
        ["x = 1 + (ops & 63)", "for _ in repeat(None, steps): x = x * 48271 % 2147483647"],
        "1",
        "x",
    ),
    "sleep": ({"sleep_ns": 1000000}, ["seconds = sleep_ns / 1e9"], ["sleep(seconds)"], "1", "1"),
    "pipe": (
        {"dir": None, "first": 0, "delay_ns": 0},
        ["question = [bytes([b]) for b in range(251)]"],
        ["write(request, question[ops % 251])", "r = read(response, 1)[0]"],
        "1",
        "r",
    ),
}

# Every loop of every workload and pass is made from this, so that they can't differ in anything but
# the lines put in. All names in it are locals.
LOOP = """
def loop(take, clock, repeat, sleep, read, write, {names}):
    {prologue}
    cross, took, size, ends, spans = take.cross, take.took, len(take.took), take.ends, len(take.ends)
    begin_ns, ops, check, at, filled = take.begin_ns, 0, 0, 0, 0
    edge = take.enter()
    while True:
        {operation}
        now = clock()
        ops += {count}
        check += {value}
        {record}
        if now >= edge:
            edge = cross(now, ops, check)
            if not edge:
                return filled
"""
TIMED = ["took[at] = now - began", "at += 1", "if at == size: at = take.fold(ops)"]
SPANS = ["if filled < spans and now >= begin_ns:", "    ends[filled] = now - begin_ns", "    filled += 1"]


def make_loop(workload, names, timed, spans):
    """The hot loop of one workload, with timing of each operation and record of ends if asked for."""
    _, prologue, operation, count, value = WORKLOADS[workload]
    if workload == "noop" and (timed or names["batch"] == 1):
        operation, count, value = ["pass"], "1", "1"
    record = (TIMED if timed else []) + (SPANS if spans else [])
    block = lambda lines, blanks: ("\n" + " " * blanks).join(lines or ["pass"])
    source = LOOP.format(
        names=", ".join(names),
        prologue=block(prologue, 4),
        operation=block((["began = clock()"] if timed else []) + operation, 8),
        count=count,
        value=value,
        record=block(record, 8) if record else "",
    )
    scope = {}
    exec(compile(source, "<%s loop>" % workload, "exec"), scope)
    return scope["loop"]


# --- The record of one worker ----------------------------------------------------------------------


def open_figures():
    """A file to close, the names of the figures of the calling thread, and a function that reads them.

    By ctypes where it is: unlike os.pread, PyDLL keeps the GIL, so that a reading is no switch of threads.
    """
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

    def put(self, k, now, ops, check, figures):
        row = array.array("Q", (now, ops, check) + figures)
        self.rows[k * self.width : (k + 1) * self.width] = row

    def row(self, k):
        return self.rows[k * self.width : (k + 1) * self.width]

    def fold(self, ops):
        """Counts the latencies of the operations up to `ops`, by window; empties their array."""
        from collections import Counter

        for k in range(self.ramps, len(self.edges) - 1):
            low = self.row(k)[1] if k <= self.at else ops
            high = self.row(k + 1)[1] if k < self.at else ops
            low, high = max(low, self.base) - self.base, min(high, ops) - self.base
            if low < high:
                self.counts.setdefault(k - self.ramps, Counter()).update(self.took[low:high])
        self.base = ops
        return 0

    def lines(self, w, key, spans, timed):
        last = len(self.edges)
        for k in range(last):
            a, b = self.row(k), self.row(k + 1)
            values = dict(key, i=k - self.ramps, w=w)
            if k == last - 1:
                values["tail"] = 1
            values.update(ops=b[1] - a[1], check=(b[2] - a[2]) % M, first_ns=a[0], last_ns=b[0])
            for j, name in enumerate(self.names, 3):
                values[name] = b[j] if name == "cpu" else b[j] - a[j]
            yield line("window", **values)
        enter, end = self.row(0), self.row(last)
        stamps = {"started_ns": self.started_ns, "entered_ns": enter[0], "ended_ns": end[0]}
        yield line("total", **dict(key, w=w, ops=end[1], check=end[2] % M, **stamps))
        if spans:
            yield line("span", **dict(key, w=w, t=",".join(map(str, self.ends[: self.filled]))))
        if timed:
            self.fold(end[1])
            for i, counts in sorted(self.counts.items()):
                yield line("hist", **dict(key, i=i, w=w, name="op", unit="ns", **histogram(counts)))


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
    """One worker, whatever carries it: made, and ordered about, in the thread or process that runs it."""

    def __init__(self, w, workload, params):
        self.w, self.workload, self.params = w, workload, params
        self.fds, self.loops, self.takes = [], {}, {}

    def obey(self, order):
        return getattr(self, order[0])(*order[1:])

    def open(self):
        """Opens what the loop needs; the carrier's thread id."""
        fd, self.names, self.figures = open_figures()
        self.fds.append(fd)
        self.locals = dict(self.params)
        if self.workload == "pipe":
            path = "%s/w%d." % (self.params["dir"], self.w + self.params["first"])
            for name, end in (("request", "req"), ("response", "rsp")):
                self.locals[name] = os.open(path + end, os.O_RDWR)
                self.fds.append(self.locals[name])
        return threading.get_native_id()

    def close(self):
        for fd in self.fds:
            if fd >= 0:
                os.close(fd)

    def warm(self):
        """Runs both loops for a moment, crossings included; (ns an operation, ns a timed one)."""
        cost = []
        for timed in (False, True):
            plan = {"ramp_ns": WARM_NS, "window_ns": WARM_NS, "windows": 1, "tail_ns": 0}
            plan.update({"timed": timed, "spans": 0})
            self.arm(plan, [(0, clock())], 4096)
            take = self.takes[0]
            self.run(0, 0, 0, clock())
            (entered, *_), (ended, ops, check, *_) = take.row(0), take.row(len(take.edges))
            cost.append((ended - entered) / ops)
            if self.workload == "pipe" and check != sum((7 * (i % 251) + 3) & 255 for i in range(ops)):
                raise Failure("checksum", "the peer of worker %d does not answer 7 b + 3" % self.w)
            list(take.lines(self.w, {}, False, timed))
        self.takes = {}
        return cost

    def arm(self, plan, slots, capacity):
        """Allocates the record of every slot (slot, its start) of a go, before its start."""
        timed, spans = plan["timed"], plan["spans"] > 0
        if (timed, spans) not in self.loops:
            self.loops[timed, spans] = make_loop(self.workload, self.locals, timed, spans)
        self.plan, self.loop = plan, self.loops[timed, spans]
        size = capacity if timed else 0
        self.takes = {k: Take(self.names, self.figures, plan, start, size) for k, start in slots}

    def run(self, slot, start_ns, spin_ns, released_ns):
        take = self.takes[slot]
        take.started_ns = released_ns or await_start(start_ns, spin_ns)
        take.filled = self.loop(
            take, clock, itertools.repeat, time.sleep, os.read, os.write, **self.locals
        )

    def report(self, key, with_slot):
        lines = []
        for slot, take in self.takes.items():
            slot_key = dict(key, slot=slot) if with_slot else key
            lines += take.lines(self.w, slot_key, self.plan["spans"], self.plan["timed"])
        return lines


# --- N workers at once -----------------------------------------------------------------------------


class Threads:
    """N threads, each parked on a lock of its own; under a GIL the opener alone spins."""

    started = False  # whether any was: then it is too late to fork

    def __init__(self, n, job):
        Threads.started = True
        self.gil = gil_on() == 1
        self.order, self.left, self.replies = None, 0, [None] * n
        self.counting, self.parked, self.gates = threading.Lock(), threading.Lock(), []
        self.threads = []
        self.parked.acquire()
        try:
            for w in range(n):
                self.gates.append(threading.Lock())
                self.gates[w].acquire()
                self.threads.append(threading.Thread(target=self.body, args=(w, job), daemon=True))
                self.threads[w].start()
        except BaseException:
            self.threads.pop()  # the one that did not start
            self.close()
            raise

    def body(self, w, job):
        lane = Lane(w, *job)
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

    def tell(self, workers, *order):
        """Gives an order to some workers and waits, without a timer, until all have obeyed."""
        self.order, self.left = order, len(workers)
        for w in workers:
            self.gates[w].release()
        self.parked.acquire()
        replies = [self.replies[w] for w in workers]
        for reply in replies:
            if isinstance(reply, Failure):
                raise reply
        return replies

    def run(self, workers, slot, start_ns, spin_ns):
        if self.gil:
            return self.tell(workers, "run", slot, 0, 0, await_start(start_ns, spin_ns))
        return self.tell(workers, "run", slot, start_ns, spin_ns, 0)

    def close(self):
        self.order = None
        for gate, thread in zip(self.gates, self.threads):
            gate.release()
            thread.join()


class Processes:
    """N child processes, each parked on a pipe of its own; it spins before the start by itself."""

    ours = []  # this process's ends of all pipes: a forked child must not hold them

    def __init__(self, n, job, method):
        from multiprocessing import get_context

        if method == "fork" and Threads.started:
            message = "this process has had threads: prepare processes-fork before threads"
            raise Failure("unsupported", message)
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

    def tell(self, workers, *order):
        import pickle

        replies, packed = [], pickle.dumps(order)
        for w in workers:
            self.talk(w, lambda pipe: pipe.send_bytes(packed))
        for w in workers:
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

    def run(self, workers, slot, start_ns, spin_ns):
        return self.tell(workers, "run", slot, start_ns, spin_ns, 0)

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


MECHANISMS = {
    "threads": Threads,
    "processes-fork": lambda n, job: Processes(n, job, "fork"),
    "processes-spawn": lambda n, job: Processes(n, job, "spawn"),
    "processes-forkserver": lambda n, job: Processes(n, job, "forkserver"),
}


def settle():
    """Nothing of the set-up is left for the collector, nor (after a fork) for copy on write."""
    gc.collect()
    gc.freeze()


# --- What this runtime is --------------------------------------------------------------------------


def gil_on():
    """1: one thread at a time runs bytecode; 0: the lock exists and is off; None: no such lock."""
    if hasattr(sys, "_is_gil_enabled"):
        return int(sys._is_gil_enabled())
    return 1 if sys.implementation.name in ("cpython", "pypy") else None


def timer_cost_ps():
    """What timing one operation adds: the latency loop around nothing less the bare loop, least of three."""
    lane = Lane(0, "noop", {"batch": 1})
    lane.open()
    pairs = [lane.warm() for _ in range(3)]
    lane.close()
    return max(0, round(1000 * (min(timed for _, timed in pairs) - min(bare for bare, _ in pairs))))


def identity():
    """The values of `hello`: what the worker is and can do, with the runtime's receipt."""
    import sysconfig

    settings = sysconfig.get_config_vars()
    free = bool(settings.get("Py_GIL_DISABLED"))
    info = sys.version_info
    stage = {"alpha": "a", "beta": "b", "candidate": "rc"}.get(info.releaselevel)
    version = "%d.%d.%d" % info[:3] + ("%s%d" % (stage, info.serial) if stage else "")
    flags = (settings.get("CONFIG_ARGS") or "").replace("'", "").split()
    cflags = (settings.get("PY_CFLAGS") or "").split()
    gil, jit = gil_on(), getattr(sys, "_jit", None)
    values = {
        "v": VERSION,
        "lang": "python",
        "runtime": version + ("t" if free else ""),
        "pid": os.getpid(),
        "gil": gil,
        "clock": "CLOCK_MONOTONIC",
        "res_ns": round(time.get_clock_info("monotonic").resolution * 1e9),
        "timer": "monotonic_ns",
        "timer_cost_ps": timer_cost_ps(),
        "switch_ns": None if gil is None else round(sys.getswitchinterval() * 1e9),
        "lead_ns": LEAD_NS,
        "workloads": ",".join(WORKLOADS),
        "mechanisms": ",".join(MECHANISMS),
        "features": ",".join(FEATURES),
        "implementation": sys.implementation.name,
        "compiler": sys.version.rpartition("[")[2].rstrip("]"),
        "optimise": ",".join(x for x in cflags if x.startswith("-O")),
        "configure": ",".join(x for x in flags if x.startswith(FLAGS) and "/" not in x),
        "free_threaded_build": int(free),
        "jit": jit and int(jit.is_enabled()),
        "gc": ",".join(map(str, gc.get_threshold())) if gc.isenabled() else "off",
    }
    return {k: v for k, v in values.items() if v is not None}


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
        params = {}
        for name, default in WORKLOADS[workload][0].items():
            least = 1 if name in ("steps", "batch") else 0
            params[name] = keys.get(name) if name == "dir" else number(keys, name, default, least)
        if workload == "pipe" and not params["dir"]:
            raise Failure("unsupported", "dir= is missing")
        cell = MECHANISMS[mechanism](n, (workload, params))
        try:
            carriers = cell.tell(range(n), "open")
            op_ns, cell.timed_ns = map(min, zip(*(cell.tell([0], "warm")[0] for _ in range(2))))
            if n > 1:  # the others after it, so that its cost is that of one alone
                cell.tell(range(1, n), "warm")
        except BaseException:
            cell.close()
            raise
        if mechanism == "threads":
            settle()
        cell.n, cell.ran, self.cells[ident] = n, False, cell
        values = {"id": ident, "carriers": ",".join(map(str, carriers))}
        values["map"] = ",".join("%d:%d" % pair for pair in enumerate(carriers))
        values.update(setup_ns=clock() - begin, op_ns=max(1, round(op_ns)))
        if gil_on() is not None:
            values["gil"] = gil_on()  # asked again: the preparation imports modules too
        return [line("ready", **dict(values, **{k: v for k, v in params.items() if k != "dir"}))]

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
                cell, mine = self.cells[ident], [slot for slot, of in zip(slots, order) if of == c]
                capacity = int(length / cell.timed_ns * 1.5) + 64
                share = max(TIMED_MIN, TIMED_MAX // (cell.n * len(slots)))
                cell.tell(range(cell.n), "arm", plan, mine, min(capacity, share))
                cell.ran = True
            for (slot, start_ns), of in zip(slots, order):
                cell = self.cells[ids[of]]
                cell.run(range(cell.n), slot, start_ns, spin)
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
            for reply in cell.tell(range(cell.n), "report", {"id": ident}, "ids" in keys):
                lines += reply
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
