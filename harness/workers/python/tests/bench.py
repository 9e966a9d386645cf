"""What the tests of the worker share: the harness's side of the pipe, golden results, and what Linux says of a thread."""

import os
import subprocess
import sys
import threading
import time
import unittest

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WORKER = os.path.join(HERE, "worker.py")
M = 2147483647
MS = 1000000
PROCESSES = ("processes-fork", "processes-spawn", "processes-forkserver")
MECHANISMS = ("threads",) + PROCESSES + ("asyncio", "subinterpreters")
sys.dont_write_bytecode = True  # the tests import the worker's files from their folder
sys.path.insert(0, HERE)


class Worker:
    """The harness's side of the pipe."""

    def __init__(self):
        pipe = subprocess.PIPE
        command = [sys.executable, "-B", WORKER]
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, universal_newlines=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.kill()
        self.process.wait()

    def send(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def receive(self):
        raw = self.process.stdout.readline()
        if not raw.endswith("\n"):
            raise AssertionError("the worker ended")
        verb, *pairs = raw.split()
        return verb, dict(pair.split("=", 1) for pair in pairs)

    def ask(self, text):
        self.send(text)
        return self.receive()

    def expect(self, verb, text):
        got, values = self.ask(text)
        if got != verb:
            raise AssertionError("%s -> %s %s" % (text, got, values))
        return values

    def prepare(self, ident=7, workload="cpu", mechanism="threads", workers=1, more=""):
        text = "prepare id=%s workload=%s mechanism=%s workers=%d seed=1 %s"
        return self.expect("ready", text % (ident, workload, mechanism, workers, more))

    def go(self, which="id=7", windows=3, window_ns=20 * MS, ramp_ns=45 * MS, tail_ns=10 * MS, more="pass=throughput"):
        start_ns = time.monotonic_ns() + 30 * MS
        text = "go %s start_ns=%d spin_ns=1000000 ramp_ns=%d window_ns=%d windows=%d tail_ns=%d %s"
        self.expect("stopped", text % (which, start_ns, ramp_ns, window_ns, windows, tail_ns, more))
        return start_ns

    def collect(self, which="id=7"):
        self.send("collect " + which)
        lines = []
        while True:
            verb, values = self.receive()
            if verb == "error":
                raise AssertionError(values)
            if verb == "done":
                return lines
            lines.append((verb, values))


def golden(workload, steps, kind=None):
    """result(i) of operation i."""
    if workload == "micro" and kind != "integer":
        words = [str(k) for k in range(steps)]
        results = {
            "list": lambda x: 2 * steps * x + steps * (steps - 1),
            "dict": lambda x: steps * x + steps * (steps - 1) // 2,
            "string": lambda x: len(",".join("%d:%s" % (x, k) for k in words)),
        }
        results = list(map(results.get(kind, lambda x: x + steps), range(1, 65)))
        return lambda i: results[i % 64]
    if workload in ("cpu", "serial", "micro"):
        results = []
        for x in range(1, 65):
            for _ in range(steps):
                x = x * 48271 % M
            results.append(x)
        return lambda i: results[i % 64]
    if workload == "pipe":
        return lambda i: (7 * (i % 251) + 3) % 256
    return lambda i: 1


def texts(values):
    return {k: str(v) for k, v in values.items()}


class Base(unittest.TestCase):
    def worker(self):
        worker = Worker()
        self.addCleanup(worker.__exit__)
        return worker

    def of(self, lines, verb, **like):
        wanted = {k: str(v) for k, v in like.items()}
        return [v for name, v in lines if name == verb and all(v.get(k) == x for k, x in wanted.items())]

    def check_windows(self, lines, workers, edges, result, **like):
        """Every worker's windows are contiguous, cross the edges, and prove every operation."""
        for w in range(workers):
            mine = self.of(lines, "window", w=w, **like)
            (total,) = self.of(lines, "total", w=w, **like)
            self.assertEqual([int(x["i"]) for x in mine], list(range(int(mine[0]["i"]), len(edges) - 1)))
            self.assertEqual([x.get("tail") for x in mine][-2:], [None, "1"])
            done, last = 0, int(total["entered_ns"])
            self.assertLessEqual(int(total["started_ns"]), last)
            for window in mine:
                ops = int(window["ops"])
                self.assertEqual(int(window["first_ns"]), last)
                last = int(window["last_ns"])
                self.assertEqual(int(window["check"]), sum(map(result, range(done, done + ops))) % M)
                done += ops
                if int(window["i"]) >= -1:
                    self.assertGreaterEqual(last, edges[int(window["i"]) + 1])
                self.assertGreaterEqual(int(window.get("cpu_ns", 0)), 0)
            self.assertEqual(int(total["ops"]), done)
            self.assertEqual(int(total["check"]), sum(map(result, range(done))) % M)
            self.assertEqual(int(total["ended_ns"]), last)

    def edges(self, start_ns, windows=3, window_ns=20 * MS, ramp_ns=45 * MS, tail_ns=10 * MS):
        begin = start_ns + ramp_ns
        edges = [begin + i * window_ns for i in range(windows + 1)]
        return edges + [edges[-1] + tail_ns]


class Peer:
    """Answers 7 b + 3 on the FIFOs of some workers."""

    def __init__(self, folder, workers, lie=0):
        self.fds = []
        for k in workers:
            ends = []
            for name in ("w%d.req" % k, "w%d.rsp" % k):
                os.mkfifo(os.path.join(folder, name))
                ends.append(os.open(os.path.join(folder, name), os.O_RDWR))
            self.fds += ends
            threading.Thread(target=self.serve, args=(lie, *ends), daemon=True).start()

    def serve(self, lie, request, response):
        while True:
            b = os.read(request, 1)[0]
            if b == 255:
                return
            os.write(response, bytes([(7 * b + 3 + lie) % 256]))

    def close(self):
        for request in self.fds[::2]:
            os.write(request, b"\xff")


def status_of(tid):
    try:
        with open("/proc/%s/status" % tid) as file:
            return file.read()
    except OSError:
        return ""


def alive(tid):
    text = status_of(tid)
    return bool(text) and "State:\tZ" not in text


def ticks_of(pid):
    """CPU time, in hundredths of a second."""
    with open("/proc/%d/stat" % pid) as file:
        return sum(map(int, file.read().rpartition(")")[2].split()[11:13]))


def switches_of(tid):
    return [x for x in status_of(tid).splitlines() if "ctxt_switches" in x]
