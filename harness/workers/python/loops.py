"""The loops of the Python worker and the record of each: what runs between `go` and `stopped`.

One `Lane` is one worker, whatever carries it: a thread, a process, a task, an interpreter of its own, which import
this file, and what its workload needs (meeting.py, micro.py). Nothing here knows how many workers there are, speaks to the harness, or starts anything.
"""

import array
import gc
import itertools
import marshal
import os
import time
from _thread import get_native_id
from collections import Counter

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
    "serial": Workload(  # see meeting.py
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
    "lock": Workload(  # see locks.py
        {"lock": None, "steps": 200, "permille": 250, "readers": 0, "locks": 1, "layout": "padded"}, [], value="x"
    ),
    "micro": Workload({"kind": None, "steps": 1000}, ["x = kernel(1 + (ops & 63), steps)"], value="x"),
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
    prologue = work.prologue
    if workload == "lock":
        from locks import lines

        prologue, operation = lines(timed)
    if workload == "noop" and (timed or names["batch"] == 1):
        operation, count, value = [], "1", "1"
    blocks = {
        "prologue": prologue,
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
        self.counts, self.parts = {}, None  # `parts`: what the operations of `lock` time themselves
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
                if self.parts:
                    self.parts.fold(low, high, self.base)
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
            for name, counts in sorted(self.parts.counts.items() if self.parts else ()):
                if counts:
                    yield "hist", dict(key, w=w, name=name, unit="ns", **histogram(counts))


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
            from meeting import Meeting

            self.locals.update(Meeting(1, True).names(0))  # of its warm-up
        if workload == "lock":
            from locks import Locks

            self.locals.update(Locks(params, True).names(w))  # of its warm-up
        if workload == "micro":
            from micro import KINDS

            self.locals["kernel"] = KINDS[params["kind"]]

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

    def warm(self, interval_ns=WARM_NS):
        """Runs both loops for a moment, crossings included; (ns an operation, ns a timed one)."""
        cost, moment = [], dict(WARM, ramp_ns=interval_ns, window_ns=interval_ns)
        for timed in (False, True):
            self.arm(dict(moment, timed=timed), [(0, clock())], 4096)
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
        take = Take(self.names, self.figures, *rest)
        if self.workload == "lock":
            from locks import Parts

            take.parts = Parts(len(take.took), self.params["readers"])
        return take

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
