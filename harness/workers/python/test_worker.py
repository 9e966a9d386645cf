#!/usr/bin/env python3
"""Tests of worker.py: a subprocess of this same Python, spoken to by PROTOCOL.md.

They check what must hold on a busy machine too: proofs, stamps, counts and ends, never speed.
Run: python3 test_worker.py
"""

import gc
import itertools
import os
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
import types
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
WORKER = os.path.join(HERE, "worker.py")
M = 2147483647
MS = 1000000
PROCESSES = ("processes-fork", "processes-spawn", "processes-forkserver")
MECHANISMS = ("threads",) + PROCESSES + ("asyncio", "subinterpreters")
sys.dont_write_bytecode = True  # it imports the worker's files from their folder
sys.path.insert(0, HERE)
import carriers, locks, loops, micro, session as program  # noqa: E402, E401


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


STALE = """
#include <Python.h>
static struct PyModuleDef_Slot slots[] = {{0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "stale", NULL, 0, NULL, slots};
PyMODINIT_FUNC PyInit_stale(void) { return PyModuleDef_Init(&module); }
"""


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


class TestWork(Base):
    def test_every_operation_is_proven_by_every_mechanism(self):
        for mechanism, n in itertools.product(MECHANISMS, (1, 3)):
            with self.subTest(mechanism=mechanism, n=n):
                worker = self.worker()
                ready = worker.prepare(mechanism=mechanism, workers=n)
                carriers = ready["carriers"].split(",")
                own = ",".join("%d:%s" % pair for pair in enumerate(carriers))
                self.assertEqual(ready.get("map"), None if mechanism == "asyncio" else own)
                self.assertEqual(len(set(carriers)), 1 if mechanism == "asyncio" else n)
                self.assertEqual(ready.get("turns"), "1" if mechanism == "asyncio" and n > 1 else None)
                result = golden("cpu", int(ready["steps"]))
                for _ in range(2):  # a cell may be released again
                    start_ns = worker.go()
                    lines = worker.collect()
                    self.check_windows(lines, n, self.edges(start_ns), result)
                    self.assertEqual(min(int(x["i"]) for x in self.of(lines, "window")), -2)

    def test_parameters_are_taken_and_echoed(self):
        worker = self.worker()
        self.assertEqual(worker.prepare(more="steps=77 colour=blue")["steps"], "77")
        lines = [worker.go(), worker.collect()][1]
        (total,) = self.of(lines, "total")
        result = golden("cpu", 77)
        self.assertEqual(int(total["check"]), sum(map(result, range(int(total["ops"])))) % M)
        ready = worker.prepare(ident=8, workload="noop", more="batch=500")
        self.assertEqual(ready["batch"], "500")
        worker.go("id=8")
        for window in self.of(worker.collect("id=8"), "window"):
            self.assertEqual(int(window["ops"]) % 500, 0)

    def test_every_kind_of_micro_is_proven(self):
        for steps, kind in itertools.product((1000, 77, 0), micro.KINDS):
            result = golden("micro", steps, kind)
            for i in (0, 5, 63):
                self.assertEqual(micro.KINDS[kind](1 + i, steps), result(i), kind)
        cells = [("threads", 2, kind) for kind in micro.KINDS]
        cells += [(mechanism, 2, "object") for mechanism in MECHANISMS[1:]]
        for mechanism, n, kind in cells:
            with self.subTest(mechanism=mechanism, kind=kind):
                worker = self.worker()
                ready = worker.prepare(workload="micro", mechanism=mechanism, workers=n, more="kind=" + kind)
                self.assertEqual((ready["kind"], ready["steps"]), (kind, "1000"))
                start_ns = worker.go()
                self.check_windows(worker.collect(), n, self.edges(start_ns), golden("micro", 1000, kind))

    def test_threads_take_part_in_the_contest(self):
        worker = self.worker()
        gil = worker.expect("hello", "hello v=1").get("gil")
        worker.prepare(workers=4)
        worker.go(windows=5, window_ns=60 * MS)
        totals = self.of(worker.collect(), "total")
        self.assertTrue(all(int(x["ops"]) > 0 for x in totals))
        self.assertLess(max(int(x["entered_ns"]) for x in totals), min(int(x["ended_ns"]) for x in totals))
        if gil == "1":  # one opener released them all
            self.assertEqual(len({x["started_ns"] for x in totals}), 1)

    def test_without_a_gil_every_thread_starts_itself(self):
        real, carriers.gil_on = carriers.gil_on, lambda: 0
        self.addCleanup(setattr, carriers, "gil_on", real)
        plan = {"ramp_ns": 45 * MS, "window_ns": 20 * MS, "windows": 3, "tail_ns": 10 * MS, "spans": 0}
        cell = carriers.Threads(3, ("sleep", {"sleep_ns": MS}))
        self.addCleanup(cell.close)
        cell.prepare()
        start_ns = time.monotonic_ns() + 30 * MS
        cell.arm(dict(plan, timed=False), [(0, start_ns)], 105 * MS)
        cell.run(0, start_ns, MS)
        lines = [(verb, texts(values)) for verb, values in cell.report({}, False)]
        self.check_windows(lines, 3, self.edges(start_ns), golden("sleep", 0))
        started = {int(x["started_ns"]) for x in self.of(lines, "total")}
        self.assertEqual(len(started), 3)
        self.assertGreaterEqual(min(started), start_ns)

    def test_sleeps_overlap(self):
        for mechanism in ("threads", "processes-fork"):
            with self.subTest(mechanism=mechanism):
                worker = self.worker()
                worker.prepare(workload="sleep", mechanism=mechanism, workers=16, more="sleep_ns=5000000")
                start_ns = worker.go(windows=5, window_ns=40 * MS)
                lines = worker.collect()
                edges = self.edges(start_ns, windows=5, window_ns=40 * MS)
                self.check_windows(lines, 16, edges, golden("sleep", 0))
                totals = self.of(lines, "total")
                for x in totals:
                    self.assertLessEqual(int(x["ops"]) * 5 * MS, int(x["ended_ns"]) - int(x["entered_ns"]))
                alone = (edges[-1] - start_ns) / (5 * MS)
                self.assertGreater(sum(int(x["ops"]) for x in totals), 3 * alone)

    def test_pipe_asks_its_peer(self):
        for mechanism in MECHANISMS:
            with self.subTest(mechanism=mechanism), tempfile.TemporaryDirectory(prefix="a b%") as folder:
                peer = Peer(folder, (2, 3))
                self.addCleanup(peer.close)
                worker = self.worker()
                path = folder.replace("%", "%25").replace(" ", "%20")
                worker.prepare(workload="pipe", mechanism=mechanism, workers=2, more="first=2 dir=" + path)
                start_ns = worker.go(more="pass=latency")
                lines = worker.collect()
                self.check_windows(lines, 2, self.edges(start_ns), golden("pipe", 0))

    def test_lying_peer_fails_the_preparation(self):
        with tempfile.TemporaryDirectory() as folder:
            self.addCleanup(Peer(folder, (0,), lie=1).close)
            worker = self.worker()
            verb, values = worker.ask("prepare id=1 workload=pipe mechanism=threads workers=1 dir=" + folder)
            self.assertEqual((verb, values["phase"], values["kind"]), ("error", "prepare", "checksum"))


    def test_locks_exclude_and_say_what_was_waited_for(self):
        names = self.worker().expect("hello", "hello v=1")["locks"].split(",")
        self.assertEqual(names, list(locks.LOCKS))
        for lock, n, readers, several in (("lock", 1, 0, 1), ("lock", 3, 0, 1), ("rlock", 2, 500, 3)):
            with self.subTest(lock=lock, n=n):
                worker = self.worker()
                more = "lock=%s steps=300 readers=%d locks=%d" % (lock, readers, several)
                self.assertEqual(worker.prepare(workload="lock", workers=n, more=more)["steps"], "300")
                for timed in ("throughput", "latency", "throughput"):
                    worker.go(more="pass=" + timed)
                    lines, writes, recorded = worker.collect(), 0, 0
                    for w, total in enumerate(self.of(lines, "total")):
                        writes += sum(i * 617 % 1000 >= readers for i in range(int(total["ops"])))
                        count = {name: 0 for name in ("op", "wait", "hold", "read_wait", "read_hold", "handoff")}
                        for x in self.of(lines, "hist", w=w):
                            count[x["name"]] += int(x["n"])
                        self.assertEqual(count["op"], count["wait"] + count["read_wait"])
                        self.assertEqual(count["op"], count["hold"] + count["read_hold"])
                        self.assertLessEqual(count["handoff"], count["wait"])
                        recorded += count["op"]
                    self.assertEqual(recorded > 0, timed == "latency")
                    (guard,) = self.of(lines, "guard")
                    self.assertEqual(int(guard["count"]), writes)
                    owners = self.of(lines, "owners")
                    self.assertLessEqual(len(owners), timed == "latency")
                    for x in owners:
                        w, gap, wait, hold = (list(map(int, x[k].split(","))) for k in ("w", "gap", "wait", "hold"))
                        self.assertEqual(len({len(w), len(gap), len(wait), len(hold)}), 1)
                        self.assertTrue(all(later >= held for later, held in zip(gap[1:], hold)))

    def test_serial_meets_in_rounds(self):
        gil = self.worker().expect("hello", "hello v=1")["gil"]
        for n, permille, tail_ns in ((1, 250, 10), (2, 0, 0), (2, 250, 10), (3, 1000, 1), (5, 100, 30)):
            with self.subTest(n=n, permille=permille):
                worker = self.worker()
                more = "steps=3001 permille=%d" % permille
                ready = worker.prepare(workload="serial", workers=n, more=more)
                self.assertEqual((ready["steps"], ready["permille"], ready["gil"]), ("3001", str(permille), gil))
                for timed in ("throughput", "latency", "throughput"):
                    start_ns = worker.go(tail_ns=tail_ns * MS, more="pass=" + timed)
                    lines = worker.collect()
                    totals = self.of(lines, "total")
                    self.assertEqual(len({x["ops"] for x in totals}), 1)  # all are in all rounds
                    result, reached = golden("serial", 3001), []
                    for w, total in enumerate(totals):
                        mine, done = self.of(lines, "window", w=w), 0
                        for window in mine:
                            ops = range(done, done + int(window["ops"]))
                            self.assertEqual(int(window["check"]), sum(map(result, ops)) % M)
                            done = ops.stop
                        self.assertEqual(str(done), total["ops"])
                        self.assertTrue(all("last_ns" in x for x in mine[:-1]))
                        end = mine[-1].get("last_ns", total["ended_ns"])
                        self.assertEqual(end, total["ended_ns"])
                        reached.append(int(end) >= self.edges(start_ns, tail_ns=tail_ns * MS)[-1])
                        self.assertTrue("tail" in mine[-1] or not reached[-1])
                    self.assertIn(True, reached)

    def test_one_who_leaves_before_the_end_says_so(self):
        plan = {"ramp_ns": 10, "window_ns": 10, "windows": 2, "tail_ns": 10}
        for ends, last in (((103, 112, 115), 1), ((103, 131, 135), 2)):
            take = loops.Take(["cpu_ns"], lambda: (7,), dict(plan, spans=0), 100, 0)
            take.enter()
            edge = take.edges[0]
            for ops, now in enumerate(ends, 1):
                edge = take.cross(now, ops, ops) if now >= edge else edge
            take.leave(ends[-1] + 1, 4, 4)
            lines = [values for verb, values in take.lines(0, {}, False, False) if verb == "window"]
            self.assertEqual(sum(x["ops"] for x in lines), 4)
            self.assertEqual(["last_ns" in x for x in lines[:-1]], [True] * (len(lines) - 1))
            self.assertEqual(("last_ns" in lines[-1], "cpu_ns" in lines[-1]), (last == 2,) * 2)
            self.assertEqual(lines[-1]["i"], last - 1 if last == 1 else 2)

    def test_tasks_share_the_figures_of_their_thread(self):
        for workload in ("cpu", "sleep"):
            with self.subTest(workload=workload):
                worker = self.worker()
                ready = worker.prepare(workload=workload, mechanism="asyncio", workers=3)
                worker.go()
                lines = worker.collect()
                windows, carrier = self.of(lines, "window"), self.of(lines, "carrier")
                self.assertFalse(any("cpu_ns" in x for x in windows))
                self.assertEqual([int(x["i"]) for x in carrier], list(range(-2, 4)))
                self.assertEqual({x["tid"] for x in carrier}, {ready["carriers"]})
                for x in carrier:
                    inside = [y for y in windows if y["i"] == x["i"]]
                    wall_ns = max(int(y["last_ns"]) for y in inside) - min(int(y["first_ns"]) for y in inside)
                    self.assertLessEqual(0, int(x["cpu_ns"]))
                    self.assertLessEqual(int(x["cpu_ns"]), wall_ns + MS)
                totals = self.of(lines, "total")
                self.assertEqual(len({x["started_ns"] for x in totals}), 1)  # one opener released them all
                if workload == "cpu":  # turns of one operation each
                    ops = [int(x["ops"]) for x in totals]
                    self.assertLessEqual(max(ops) - min(ops), 1)
                    self.assertGreater(sum(int(x["cpu_ns"]) for x in carrier), 0)

    def test_tasks_never_spin(self):
        worker = self.worker()
        worker.prepare(mechanism="asyncio", workers=2)
        used = lambda: ticks_of(worker.process.pid)
        before, start_ns = used(), time.monotonic_ns() + 400 * MS
        more = "pass=throughput start_ns=%d spin_ns=%d" % (start_ns, 400 * MS)
        worker.expect("stopped", "go id=7 ramp_ns=1 window_ns=1 windows=1 tail_ns=1 " + more)
        self.assertLess(used() - before, 10)  # hundredths of a second

    def test_interpreters_have_the_lock_they_say(self):
        """One long C call in one of them: does a thread of the main interpreter run meanwhile?"""
        ready = self.worker().prepare(mechanism="subinterpreters", workers=2)
        ran = any(self.another_runs() for _ in range(5))  # on a busy machine it may miss its chance
        self.assertEqual(ready["gil"], str(int(not ran)))

    def another_runs(self):
        source, sink = os.pipe()
        text = "import os, time; from itertools import repeat; a = time.monotonic_ns(); sum(repeat(0, 20000000)); "
        text += "os.write(%d, b'%%d %%d' %% (a, time.monotonic_ns()))" % sink

        def body():
            guest = carriers.Guest(carriers.interpreters(), 0, ("noop", {"batch": 1}))
            guest.obey(("open",))
            guest.execute(text)
            guest.close()

        thread, stamps = threading.Thread(target=body), []
        thread.start()
        while thread.is_alive():
            stamps.append(time.monotonic_ns())
            time.sleep(0.002)
        begin_ns, end_ns = map(int, os.read(source, 99).split())
        os.close(source)
        os.close(sink)
        self.assertGreater(end_ns - begin_ns, 20 * MS)
        inside = [begin_ns] + [x for x in stamps if begin_ns < x < end_ns] + [end_ns]
        return max(b - a for a, b in zip(inside, inside[1:])) < (end_ns - begin_ns) // 2


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


class TestPasses(Base):
    def test_histograms_hold_the_operations_of_the_windows(self):
        mechanisms = ("threads", "processes-fork", "asyncio", "subinterpreters")
        for workload, mechanism in itertools.product(("cpu", "noop"), mechanisms):
            with self.subTest(workload=workload, mechanism=mechanism):
                worker = self.worker()
                worker.prepare(workload=workload, mechanism=mechanism, workers=2)
                worker.go(more="pass=latency")
                lines = worker.collect()
                hists = self.of(lines, "hist")
                self.assertTrue(hists)
                for hist in hists:
                    (window,) = self.of(lines, "window", w=hist["w"], i=hist["i"])
                    self.assertEqual(hist["n"], window["ops"])
                    self.check_buckets(hist)
                measured = {(x["w"], x["i"]) for x in hists}
                for window in self.of(lines, "window"):
                    inside = 0 <= int(window["i"]) < 3 and window["ops"] != "0"
                    self.assertEqual((window["w"], window["i"]) in measured, inside)

    def check_buckets(self, hist):
        low = high = count = 0
        for index, n in (map(int, pair.split(":")) for pair in hist["b"].split(",")):
            k = max(0, (index >> 10) - 1)
            lowest = index if k == 0 else ((index & 1023) + 1024) << k
            low, high, count = low + n * lowest, high + n * (lowest + (1 << k) - 1), count + n
        self.assertEqual(count, int(hist["n"]))
        self.assertTrue(low <= int(hist["sum"]) <= high)
        self.assertTrue(int(hist["min"]) * count <= int(hist["sum"]) <= int(hist["max"]) * count)

    def test_latencies_beyond_the_record_are_folded_in(self):
        plan = {"ramp_ns": 10 * MS, "window_ns": 10 * MS, "windows": 3, "tail_ns": 0, "spans": 0, "timed": True}
        lane = loops.Lane(0, "noop", {"batch": 1})
        lane.open()
        lane.arm(plan, [(0, time.monotonic_ns())], 7)
        lane.run(0, 0, 0, time.monotonic_ns())
        lines = [(verb, texts(values)) for verb, values in lane.report({}, False)]
        lane.close()
        for window in self.of(lines, "window"):
            if 0 <= int(window["i"]) < 3 and window["ops"] != "0":
                self.assertEqual(self.of(lines, "hist", i=window["i"])[0]["n"], window["ops"])
        self.assertGreater(int(self.of(lines, "total")[0]["ops"]), 7)

    def test_spans_are_the_first_ends_from_the_first_window_on(self):
        for more in ("pass=throughput spans=9 require=spans", "pass=latency spans=100000"):
            with self.subTest(more=more):
                worker = self.worker()
                worker.prepare(workers=2)
                start_ns = worker.go(more=more)
                lines = worker.collect()
                begin_ns = start_ns + 45 * MS
                for w in range(2):
                    ends = [int(t) for t in self.of(lines, "span", w=w)[0]["t"].split(",")]
                    self.assertEqual(ends, sorted(ends))
                    first = self.of(lines, "window", w=w, i=0)[0]["first_ns"]
                    self.assertEqual(ends[0], int(first) - begin_ns)
                    inside = sum(int(x["ops"]) for x in self.of(lines, "window", w=w) if int(x["i"]) >= 0)
                    self.assertEqual(len(ends), 9 if "=9" in more else inside + 1)

    def test_two_cells_alternate(self):
        for mechanism in ("threads", "processes-fork", "asyncio", "subinterpreters"):
            with self.subTest(mechanism=mechanism):
                worker = self.worker()
                steps = {7: 300, 8: 900}
                for ident in steps:
                    worker.prepare(ident, mechanism=mechanism, workers=2, more="steps=%d" % steps[ident])
                more = "require=alternate order=0110 gap_ns=5000000 pass=throughput"
                start_ns = worker.go("ids=7,8", more=more)
                lines = worker.collect("ids=7,8")
                for slot, ident in enumerate((7, 8, 8, 7)):
                    self.assertEqual({x["id"] for _, x in lines if x["slot"] == str(slot)}, {str(ident)})
                    begin_ns = start_ns + slot * (45 + 60 + 10 + 5) * MS
                    result = golden("cpu", steps[ident])
                    self.check_windows(lines, 2, self.edges(begin_ns), result, slot=slot, id=ident)
                    for total in self.of(lines, "total", slot=slot):
                        self.assertGreaterEqual(int(total["started_ns"]), begin_ns)

    def test_loops_leave_nothing_to_the_collector(self):
        plan = {"ramp_ns": 20 * MS, "window_ns": 20 * MS, "windows": 3, "tail_ns": 0, "spans": 5}
        cells = [(workload, {}) for workload in ("noop", "cpu", "sleep", "serial")]
        cells += [("micro", {"kind": kind}) for kind in micro.KINDS]
        for (workload, params), timed in itertools.product(cells, (False, True)):
            lane = loops.Lane(0, workload, dict(loops.WORKLOADS[workload].params, **params))
            lane.open()
            lane.arm(dict(plan, timed=timed), [(0, time.monotonic_ns())], 10 ** 6)
            gc.collect()
            before = [x["collections"] for x in gc.get_stats()]
            lane.run(0, 0, 0, time.monotonic_ns())
            self.assertEqual([x["collections"] for x in gc.get_stats()], before, (workload, params))
            lane.close()


class TestProtocol(Base):
    def test_hello_says_what_it_is(self):
        values = self.worker().expect("hello", "hello v=1 colour=blue")
        self.assertEqual((values["v"], values["lang"], values["clock"]), ("1", "python", "CLOCK_MONOTONIC"))
        self.assertTrue(values["runtime"].startswith("%d.%d." % sys.version_info[:2]))
        gil = int(sys._is_gil_enabled()) if hasattr(sys, "_is_gil_enabled") else 1
        self.assertEqual(values["gil"], str(gil))
        self.assertEqual(values["switch_ns"], "5000000")
        self.assertGreater(int(values["timer_cost_ps"]), 0)
        self.assertEqual(values["mechanisms"].split(","), list(MECHANISMS))
        self.assertEqual(values["except"], ",".join(x + ":" + y for y in ("serial", "lock") for x in MECHANISMS[1:]))
        name = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
        name = "concurrent.interpreters" if sys.version_info >= (3, 14) else name
        self.assertEqual(values["subinterpreters_api"], name)
        self.assertNotIn("gil_reenabled_by", values)

    def test_hello_without_the_receipt_is_the_same_but_for_the_receipt(self):
        worker = self.worker()
        whole, short = worker.expect("hello", "hello v=1"), worker.expect("hello", "hello v=1 receipt=0")
        self.assertLess(set(short), set(whole))
        self.assertNotIn("configure", short)
        same = set(short) - {"timer_cost_ps"}
        self.assertEqual({k: short[k] for k in same}, {k: whole[k] for k in same})

    def test_hello_imports_nothing_that_some_cells_do_without(self):
        """Every trial is a fresh process, so each import is paid hundreds of times a run."""
        code = "import sys; sys.path.insert(0, %r); import session; session.identity(False); " % HERE
        code += "print(*sorted(sys.modules))"
        done = subprocess.run([sys.executable, "-B", "-S", "-c", code], stdout=subprocess.PIPE, check=True)
        heavy = "asyncio ctypes multiprocessing sysconfig subprocess re contextlib pickle micro meeting tasks"
        self.assertEqual(set(heavy.split()) & set(done.stdout.decode().split()), set())

    def test_what_is_not_there_is_not_offered(self):
        def missing(name):
            raise ImportError("no " + name)

        real, carriers.importlib = carriers.importlib, types.SimpleNamespace(import_module=missing)
        self.addCleanup(setattr, carriers, "importlib", real)
        values = program.identity(True)
        self.assertNotIn("subinterpreters", values["mechanisms"] + values["except"])
        self.assertIn("no _xxsubinterpreters", values["absent.subinterpreters"])
        self.assertNotIn("subinterpreters_api", values)

    @unittest.skipUnless(sysconfig.get_config_var("Py_GIL_DISABLED"), "this build always has a GIL")
    def test_who_turned_the_gil_on_is_named(self):
        """An extension that does not say it can do without, imported at start-up as a .pth file would."""
        with tempfile.TemporaryDirectory() as folder:
            source = os.path.join(folder, "stale.c")
            with open(source, "w") as file:
                file.write(STALE)
            with open(os.path.join(folder, "sitecustomize.py"), "w") as file:
                file.write("import stale")
            target = os.path.join(folder, "stale" + sysconfig.get_config_var("EXT_SUFFIX"))
            include = "-I" + sysconfig.get_path("include")
            subprocess.run(["cc", "-shared", "-fPIC", include, source, "-o", target], check=True)
            for gil, on, name in ((None, "1", "stale"), ("1", "1", None), ("0", "0", None)):
                env = {k: v for k, v in os.environ.items() if k != "PYTHON_GIL"}
                env.update({"PYTHONPATH": folder}, **({"PYTHON_GIL": gil} if gil else {}))
                command = [sys.executable, "-B", WORKER]
                done = subprocess.run(command, input=b"hello v=1\n", stdout=subprocess.PIPE, env=env)
                values = dict(x.split("=", 1) for x in done.stdout.decode().split()[1:])
                self.assertEqual((values["gil"], values.get("gil_reenabled_by")), (on, name))

    def test_ping_reads_the_shared_clock(self):
        worker = self.worker()
        before = time.monotonic_ns()
        values = worker.expect("pong", "ping n=5")
        self.assertTrue(before <= int(values["now_ns"]) <= time.monotonic_ns())
        self.assertEqual(values["n"], "5")

    def test_errors_leave_the_worker_usable(self):
        worker = self.worker()
        ready = "id=1 workload=cpu mechanism=threads workers=1"
        for text, kind, phase in (
            ("dance id=1", "unsupported", None),
            ("hello v=2", "unsupported", None),
            ("prepare require=telepathy " + ready, "unsupported", "prepare"),
            ("prepare id=1 workload=chess mechanism=threads workers=1", "unsupported", "prepare"),
            ("prepare id=1 workload=cpu mechanism=magic workers=1", "unsupported", "prepare"),
            ("prepare id=1 workload=micro mechanism=threads workers=1", "unsupported", "prepare"),
            ("prepare id=1 workload=micro kind=hope mechanism=threads workers=1", "unsupported", "prepare"),
            ("prepare id=1 workload=serial mechanism=asyncio workers=1", "unsupported", "prepare"),
            ("prepare id=1 workload=serial mechanism=threads workers=1 permille=1001", "unsupported", "prepare"),
            ("prepare id=1 workload=cpu mechanism=threads workers=0", "unsupported", "prepare"),
            ("prepare id=1 workload=cpu mechanism=threads", "unsupported", "prepare"),
            ("prepare id=1 workload=pipe mechanism=threads workers=1", "unsupported", "prepare"),
            ("prepare id=1 workload=pipe mechanism=processes-spawn workers=1 dir=/nowhere", "internal", "prepare"),
            ("prepare id=1 workload=pipe mechanism=threads workers=2 dir=%zz", "unsupported", "prepare"),
            ("go id=1 pass=throughput", "unsupported", "go"),
            ("collect id=1", "unsupported", "collect"),
            ("ping " + "x" * (1 << 20), "unsupported", None),
        ):
            with self.subTest(text=text[:80]):
                verb, values = worker.ask(text)
                self.assertEqual((verb, values["kind"], values.get("phase")), ("error", kind, phase))
                self.assertTrue(values["msg"])
        worker.expect("ready", "prepare " + ready)
        self.assertEqual(worker.ask("collect id=1")[1]["kind"], "unsupported")
        for more in ("ids=1,1 order=01", "id=1 order=1", "id=1 order=x"):
            values = worker.expect("error", "go %s pass=latency start_ns=1 ramp_ns=1 window_ns=1 windows=1 tail_ns=1" % more)
            self.assertEqual(values["kind"], "unsupported")
        worker.go("id=1")
        self.assertTrue(worker.collect("id=1"))

    def test_escapes_are_undone_and_made(self):
        for text in ("a b", "100%", "tab\tend", "Zoë", "\u2028", "a=b", ""):
            escaped = program.escape(text)
            self.assertEqual(len(escaped.split()), 1 if text else 0)
            self.assertEqual(program.unescape(escaped), text)


class TestLives(Base):
    def test_ends_with_its_input(self):
        for end in ("quit\n", "", "ping n"):  # the last is a torn line
            for mechanism in MECHANISMS:
                with self.subTest(end=end, mechanism=mechanism):
                    worker = self.worker()
                    carriers = worker.prepare(mechanism=mechanism, workers=2)["carriers"].split(",")
                    worker.process.stdin.write(end)
                    worker.process.stdin.close()
                    self.assertEqual(worker.process.stdout.read(), "")
                    self.assertEqual(worker.process.wait(10), 0)
                    self.assertEqual([tid for tid in carriers if alive(tid)], [])

    def test_many_workers(self):
        for mechanism in MECHANISMS:
            with self.subTest(mechanism=mechanism):
                worker = self.worker()
                ready = worker.prepare(mechanism=mechanism, workers=33)
                start_ns = worker.go()
                result = golden("cpu", int(ready["steps"]))
                self.check_windows(worker.collect(), 33, self.edges(start_ns), result)

    def test_parked_workers_use_no_cpu(self):
        for mechanism in MECHANISMS:
            with self.subTest(mechanism=mechanism):
                worker = self.worker()
                tids = worker.prepare(mechanism=mechanism, workers=2)["carriers"].split(",")
                tids.append(str(worker.process.pid))
                for _ in range(20):  # `ready` may be read before the last one is parked
                    before = [switches_of(tid) for tid in tids]
                    time.sleep(0.15)
                    if [switches_of(tid) for tid in tids] == before:
                        break
                else:
                    self.fail("somebody polls: %s" % before)

    def test_fork_after_threads_is_refused(self):
        worker = self.worker()
        worker.prepare()
        text = "prepare id=%s workload=cpu mechanism=processes-fork workers=1"
        verb, values = worker.ask(text % 8)
        self.assertEqual((verb, values["kind"]), ("error", "unsupported"))
        worker.prepare(9, mechanism="processes-spawn")

    def test_a_dead_child_is_reported_and_survived(self):
        for mechanism in PROCESSES:
            with self.subTest(mechanism=mechanism):
                worker = self.worker()
                pids = worker.prepare(mechanism=mechanism, workers=3)["carriers"].split(",")
                os.kill(int(pids[1]), signal.SIGKILL)
                start_ns = time.monotonic_ns() + 30 * MS
                text = "go id=7 pass=throughput start_ns=%d ramp_ns=9 window_ns=9 windows=1 tail_ns=9"
                verb, values = worker.ask(text % start_ns)
                self.assertEqual((verb, values["phase"], values["kind"]), ("error", "go", "internal"))
                self.assertIn("worker%201", values["msg"])
                self.assertEqual([pid for pid in pids if alive(pid)], [])
                worker.prepare(mechanism=mechanism, workers=2)
                worker.go()
                self.assertTrue(worker.collect())

    def test_children_end_with_their_killed_parent(self):
        for mechanism in PROCESSES:
            with self.subTest(mechanism=mechanism):
                worker = self.worker()
                pids = worker.prepare(mechanism=mechanism, workers=3)["carriers"].split(",")
                worker.process.kill()
                worker.process.wait()
                patience = time.monotonic() + 10
                while any(map(alive, pids)) and time.monotonic() < patience:
                    time.sleep(0.01)
                self.assertEqual([pid for pid in pids if alive(pid)], [])


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


if __name__ == "__main__":
    unittest.main()
