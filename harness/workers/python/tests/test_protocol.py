"""What is said: hello, errors, escapes."""

import os
import subprocess
import sys
import sysconfig
import tempfile
import time
import types
import unittest

from bench import Base, HERE, MECHANISMS, WORKER
import carriers
import session as program

STALE = """
#include <Python.h>
static struct PyModuleDef_Slot slots[] = {{0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "stale", NULL, 0, NULL, slots};
PyMODINIT_FUNC PyInit_stale(void) { return PyModuleDef_Init(&module); }
"""


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
