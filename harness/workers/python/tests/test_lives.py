"""How workers, children and threads begin, wait and end."""

import os
import signal
import time

from bench import Base, MECHANISMS, MS, PROCESSES, alive, golden, switches_of


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
