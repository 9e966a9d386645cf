"""Worker of the harness in Python: threads, processes, tasks and interpreters that do the same work as every language.

Speaks PROTOCOL.md version 1 on stdin and stdout with nothing but the standard library, on CPython
3.8 to 3.14, with and without a global interpreter lock (GIL). What lives here: the lines, the session, and what
this runtime says it is. The hot loops and their record are in loops.py, what carries them in carriers.py. What never
will: pinning, counters, statistics (all the harness's). README.md says how each choice touches fairness.
"""

import gc
import os
import resource
import sys
import time

from carriers import Processes, Subinterpreters, Threads, gil_on, interpreters
from loops import WORKLOADS, Failure, Lane, clock

VERSION = "1"
FEATURES = ("alternate", "spans")
LINE_MAX = 1 << 20
FLAGS = ("--enable-", "--disable-", "--with-", "--without-")  # of configure, for the receipt
NEEDED = "array,asyncio,collections,ctypes,gc,marshal,multiprocessing.connection,pickle,resource,sysconfig,threading"
TEXTS = ("dir", "kind", "lock", "layout")  # parameters that are no numbers
UNSAID = ("dir", "lock", "readers", "locks", "layout")  # parameters that `ready` need not repeat: given, or as usual
LOCK_NAMES = "lock,rlock"  # those of locks.py, which is imported by who needs it
LEAD_NS = 20000000
TIMER_NS = 100000  # a run's interval, where the cost of timing is measured
SPANS_MAX = 1 << 16  # ends of operations that fit a line


def tasks(n, job):
    from tasks import Asyncio  # it takes a while to import

    return Asyncio(n, job)


MECHANISMS = {
    "threads": Threads,
    "processes-fork": lambda n, job: Processes(n, job, "fork"),
    "processes-spawn": lambda n, job: Processes(n, job, "spawn"),
    "processes-forkserver": lambda n, job: Processes(n, job, "forkserver"),
    "asyncio": tasks,
    "subinterpreters": Subinterpreters,
}
THREADS_ONLY = ("serial", "lock")
EXCEPT = [name + ":" + x for x in THREADS_ONLY for name in MECHANISMS if name != "threads"]  # they share no memory, or must not block


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
    lane.names, lane.figures = [], tuple  # none: opening them imports what hello can do without
    pairs = [lane.warm(TIMER_NS) for _ in range(3)]
    return max(0, round(1000 * (min(timed for _, timed in pairs) - min(bare for bare, _ in pairs))))


def mechanisms():
    """The names of those this runtime has, and what the receipt says of its interpreters."""
    try:
        return list(MECHANISMS), {"subinterpreters_api": interpreters().__name__}
    except Failure as failure:
        return [x for x in MECHANISMS if x != "subinterpreters"], {"absent.subinterpreters": failure.message}


def version():
    info = sys.version_info
    stage = {"alpha": "a", "beta": "b", "candidate": "rc"}.get(info.releaselevel)
    return "%d.%d.%d" % info[:3] + ("%s%d" % (stage, info.serial) if stage else "")


def receipt(gil):
    """How this runtime was built and set up: asked once, not at every start, since it takes a while to know."""
    import sysconfig

    settings, jit = sysconfig.get_config_vars(), getattr(sys, "_jit", None)
    flags = (settings.get("CONFIG_ARGS") or "").replace("'", "").split()
    cflags = (settings.get("PY_CFLAGS") or "").split()
    free = bool(settings.get("Py_GIL_DISABLED"))
    asked_for = os.environ.get("PYTHON_GIL") == "1" or sys._xoptions.get("gil") == "1"
    return {
        "implementation": sys.implementation.name,
        "compiler": sys.version.rpartition("[")[2].rstrip("]"),
        "optimise": ",".join(x for x in cflags if x.startswith("-O")),
        "configure": ",".join(x for x in flags if x.startswith(FLAGS) and "/" not in x),
        "free_threaded_build": int(free),
        "jit": jit and int(jit.is_enabled()),
        "gc": ",".join(map(str, gc.get_threshold())) if gc.isenabled() else "off",
        "gil_reenabled_by": gil_turned_on_by() if free and gil and not asked_for else None,
    }


def identity(whole):
    """The values of `hello`: what the worker is and can do; `whole`: with the runtime's receipt."""
    cost_ps, (offered, more) = timer_cost_ps(), mechanisms()
    gil = gil_on()  # after the imports
    values = {
        "v": VERSION,
        "lang": "python",
        "runtime": version() + ("t" if "t" in sys.abiflags else ""),
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
        "locks": LOCK_NAMES,
        "features": ",".join(FEATURES),
    }
    values.update(more, **(receipt(gil) if whole else {}))
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
        return [line("hello", **identity(keys.get("receipt") != "0"))]

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
            least = int(name in ("batch", "locks") or name == "steps" and workload != "lock")
            params[name] = keys.get(name, default) if name in TEXTS else number(keys, name, default, least)
        if workload == "micro":
            from micro import KINDS

            if params["kind"] not in KINDS:
                raise Failure("unsupported", "kind=%s is not one of %s" % (params["kind"], ",".join(KINDS)))
        if workload == "lock":
            self.check_lock(params)
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
        values = dict(values, setup_ns=clock() - begin, **{k: v for k, v in params.items() if k not in UNSAID})
        return [line("ready", **{k: v for k, v in dict(values, id=ident).items() if v is not None})]

    def check_lock(self, params):
        from locks import LOCKS

        for name, known in (("lock", LOCKS), ("layout", ("padded", "packed"))):
            if params[name] not in known:
                raise Failure("unsupported", "%s=%s is not one of %s" % (name, params[name], ",".join(known)))
        for name, most in (("readers", 1000), ("locks", 1 << 16)):
            if params[name] > most:
                raise Failure("unsupported", "%s=%d is above %d" % (name, params[name], most))

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
