//! A worker process under test, its answers, and what every release must satisfy.

use std::io::{BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use amdahl_worker::{Line, now_ns, read_line};

pub(crate) const M: u64 = 2_147_483_647;
pub(crate) const WINDOW_NS: u64 = 20_000_000;

/// A release of this many windows of [`WINDOW_NS`], ramp and tail as long as one window.
pub(crate) const WINDOWS: i64 = 3;

pub(crate) struct Worker {
    pub(crate) child: Child,
    pub(crate) input: Option<ChildStdin>,
    pub(crate) output: BufReader<ChildStdout>,
}

impl Worker {
    pub(crate) fn spawn() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_amdahl-worker"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, input, output }
    }

    pub(crate) fn send(&mut self, text: &str) {
        writeln!(self.input.as_mut().unwrap(), "{text}").unwrap();
    }

    pub(crate) fn receive(&mut self) -> Line {
        read_line(&mut self.output).unwrap().expect("the worker ended").unwrap()
    }

    pub(crate) fn ask(&mut self, text: &str) -> Line {
        self.send(text);
        self.receive()
    }

    /// Asks for something that must be answered with this verb.
    pub(crate) fn expect(&mut self, text: &str, verb: &str) -> Line {
        let line = self.ask(text);
        assert_eq!(line.verb(), verb, "{text} was answered by: {line}");
        line
    }

    /// Releases a prepared cell and returns the lines of its collection.
    pub(crate) fn go(&mut self, id: u64, more: &str) -> Release {
        let start_ns = now_ns() + 20_000_000;
        let go = format!(
            "go id={id} start_ns={start_ns} spin_ns=100000 ramp_ns={WINDOW_NS} window_ns={WINDOW_NS} \
             windows={WINDOWS} tail_ns={WINDOW_NS} {more}"
        );
        self.expect(&go, "stopped");
        self.send(&format!("collect id={id}"));
        Release { start_ns, lines: self.until_done() }
    }

    pub(crate) fn until_done(&mut self) -> Vec<Line> {
        let mut lines = Vec::new();
        loop {
            let line = self.receive();
            assert_ne!(line.verb(), "error", "{line}");
            if line.verb() == "done" {
                return lines;
            }
            lines.push(line);
        }
    }

    /// Closes stdin and waits.
    pub(crate) fn end(mut self) -> std::process::ExitStatus {
        drop(self.input.take());
        self.child.wait().unwrap()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What one release of a cell gave.
pub(crate) struct Release {
    pub(crate) start_ns: u64,
    pub(crate) lines: Vec<Line>,
}

pub(crate) fn int(line: &Line, key: &str) -> i64 {
    line.required(key).unwrap_or_else(|e| panic!("{e}: {line}"))
}

impl Release {
    pub(crate) fn of<'a>(&'a self, verb: &'a str) -> impl Iterator<Item = &'a Line> {
        self.lines.iter().filter(move |line| line.verb() == verb)
    }

    pub(crate) fn of_worker<'a>(&'a self, verb: &'a str, w: i64) -> impl Iterator<Item = &'a Line> {
        self.of(verb).filter(move |line| int(line, "w") == w)
    }

    pub(crate) fn total(&self, w: i64) -> &Line {
        let mut totals = self.of_worker("total", w);
        let total = totals.next().expect("a worker without its total");
        assert!(totals.next().is_none());
        total
    }

    /// Windows in order, checked: complete, contiguous, on their side of the nominal boundaries.
    pub(crate) fn windows(&self, w: i64) -> Vec<&Line> {
        let windows: Vec<&Line> = self.of_worker("window", w).collect();
        let total = self.total(w);
        assert_eq!(
            windows.iter().map(|x| int(x, "i")).collect::<Vec<_>>(),
            (-1..=WINDOWS).collect::<Vec<_>>()
        );
        assert_eq!(int(windows[0], "first_ns"), int(total, "entered_ns"));
        assert_eq!(int(windows.last().unwrap(), "last_ns"), int(total, "ended_ns"));
        assert!(int(total, "started_ns") >= self.start_ns as i64);
        assert!(int(total, "entered_ns") >= int(total, "started_ns"));
        for pair in windows.windows(2) {
            assert_eq!(
                int(pair[0], "last_ns"),
                int(pair[1], "first_ns"),
                "{} | {}",
                pair[0],
                pair[1]
            );
        }
        for x in &windows {
            let end = self.start_ns as i64 + (int(x, "i") + 2) * WINDOW_NS as i64;
            assert!(int(x, "last_ns") >= end, "crossed before the boundary {end}: {x}");
            assert_eq!(x.text("tail") == Some("1"), int(x, "i") == WINDOWS, "{x}");
            let span = int(x, "last_ns") - int(x, "first_ns");
            if self.of("carrier").next().is_none() {
                assert!(int(x, "cpu_ns") <= span + 2_000_000, "more CPU time than time: {x}");
                assert!(int(x, "delay_ns") >= 0 && int(x, "vcsw") >= 0 && int(x, "ivcsw") >= 0);
            }
            assert!((0..4096).contains(&int(x, "cpu")), "{x}");
        }
        let sum = |key: &str| windows.iter().map(|x| int(x, key)).sum::<i64>();
        assert_eq!(sum("ops"), int(total, "ops"));
        assert_eq!(sum("check") as u64 % M, int(total, "check") as u64);
        windows
    }

    /// Proves each window's check: operation `i` of the worker gives `result(i)`.
    pub(crate) fn prove(&self, w: i64, result: impl Fn(u64) -> u64) {
        let mut done = 0;
        for x in self.windows(w) {
            let ops = int(x, "ops") as u64;
            let check = (done..done + ops).map(&result).sum::<u64>() % M;
            assert_eq!(check, int(x, "check") as u64, "{x}");
            done += ops;
        }
    }
}

/// The results of `cpu` operations, by a second implementation: powers of the multiplier.
pub(crate) fn minstd(steps: u64) -> impl Fn(u64) -> u64 {
    let mut power = 1u64;
    for _ in 0..steps {
        power = power * 48_271 % M;
    }
    move |i| (1 + i % 64) * power % M
}
