"""What is recorded: histograms, spans, alternating cells."""

import gc
import itertools
import time

from bench import Base, MS, golden, texts
import loops, micro


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
