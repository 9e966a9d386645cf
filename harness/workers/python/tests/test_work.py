"""What operations do: proofs, contests, parameters, locks, rounds, tasks, interpreters."""

import itertools
import os
import tempfile
import threading
import time

from bench import Base, M, MECHANISMS, MS, Peer, golden, texts, ticks_of
import carriers, locks, loops, micro


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
