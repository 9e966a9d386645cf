//! A worker inside the test: it never works, and says what a script makes it say, in virtual time.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use amdahl::gates::Reading;
use amdahl::procfs::{Memory, ProcSample};
use amdahl::speed::Settled;
use amdahl::trial::{CounterSession, Outside};
use amdahl::worker::golden::{Golden, M};
use amdahl::worker::link::{Exit, Launcher, Link, LinkError, WorkerSpec};
use amdahl::worker::wire::Line;
use amdahl_schema::{CpuSpeed, Gates};

/// How the workers of a fake spend a window, and what they get done in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Worker {
    /// Operations a second, with CPU time and run delay as shares of the time.
    pub rate: f64,
    pub cpu: f64,
    pub delay: f64,
    /// Share of the time it waits for the others at the end of a shared job.
    pub idle: f64,
    /// Share of the windows after which it leaves its loop; 1 is all of them.
    pub until: f64,
    /// Entered the loop so late after the start.
    pub late_ns: u64,
    /// The rate grows by this share over the windows.
    pub drift: f64,
    /// Adds this to one window's checksum.
    pub lie: u64,
}

/// A worker that does everything right, alone on its CPU.
pub(crate) const HONEST: Worker = Worker {
    rate: 10_000.0,
    cpu: 1.0,
    delay: 0.0,
    idle: 0.0,
    until: 1.0,
    late_ns: 0,
    drift: 0.0,
    lie: 0,
};

/// Virtual time and a quiet machine.
#[derive(Debug, Clone, Default)]
pub(crate) struct Quiet {
    now: Rc<Cell<u64>>,
    clock: bool,
}

impl Quiet {
    /// With the clock of real workers instead of its own.
    pub(crate) fn by_the_clock() -> Self {
        Self { clock: true, ..Self::default() }
    }
}

impl Outside for Quiet {
    fn now_ns(&self) -> u64 {
        if self.clock {
            return amdahl_worker::now_ns();
        }
        self.now.set(self.now.get() + 1000);
        self.now.get()
    }
    fn confine(&self, _tid: u32, _cpus: &[u32]) -> Result<(), String> {
        Ok(())
    }
    fn sample(&self, _tid: u32) -> ProcSample {
        ProcSample::default()
    }
    fn gate(&self, _roots: &[u32]) -> Reading {
        Reading::default()
    }
    fn gates_since(&self, _before: &Reading, _roots: &[u32], _cpus: &[u32]) -> Gates {
        Gates {
            wall_ns: 400_000_000,
            cpus: 2,
            busy_ticks: Some(0),
            steal_ticks: Some(0),
            own_ns: Some(0),
            ..Gates::default()
        }
    }
    fn memory(&self, _: &[u32]) -> Vec<Memory> {
        Vec::new()
    }

    fn settle(&self, _cpus: &[u32]) -> Settled {
        Settled::default()
    }
    fn speed_after(&self, before: Settled) -> Vec<CpuSpeed> {
        before.speed
    }
    fn counters(&self, _set: u32, _tids: &[u32]) -> Box<dyn CounterSession + '_> {
        Box::new(())
    }
}

/// Makes fakes; `behave` says how worker `w` of `n` behaves, `ceiling` how a lone process does.
pub(crate) struct Fakes<F: Fn(u32, u32, bool) -> Worker + Clone + 'static> {
    pub quiet: Quiet,
    pub behave: F,
}

struct FakeLink<F> {
    quiet: Quiet,
    behave: F,
    lines: VecDeque<Line>,
    cells: BTreeMap<usize, Prepared>,
}

#[derive(Clone, Copy)]
struct Prepared {
    workers: u32,
    lone: bool,
    steps: u32,
}

/// Steps of an operation at the rate that a fake is told; of twice the steps it does half the operations.
const STEPS: u32 = 100;

impl<F: Fn(u32, u32, bool) -> Worker + Clone + 'static> Launcher for Fakes<F> {
    fn launch(&self, _spec: &WorkerSpec) -> Result<Box<dyn Link>, LinkError> {
        let (quiet, behave) = (self.quiet.clone(), self.behave.clone());
        Ok(Box::new(FakeLink { quiet, behave, lines: VecDeque::new(), cells: BTreeMap::new() }))
    }
}

impl<F: Fn(u32, u32, bool) -> Worker> Link for FakeLink<F> {
    fn send(&mut self, line: &Line) {
        match line.verb.as_str() {
            "hello" => self.say(
                "hello v=1 lang=fake runtime=1 lead_ns=1000 workloads=cpu mechanisms=threads,all",
            ),
            "prepare" => {
                let workers = line.num("workers").unwrap();
                let lone = line.req("mechanism").unwrap() == "threads" && workers == 1;
                let steps = line.opt_num("steps").unwrap().unwrap_or(STEPS);
                let id = line.num("id").unwrap();
                self.cells.insert(id, Prepared { workers, lone, steps });
                let tids: Vec<String> = (0..workers).map(|w| (900 + w).to_string()).collect();
                let map: Vec<String> = (0..workers).map(|w| format!("{w}:{}", 900 + w)).collect();
                self.say(&format!(
                    "ready id={id} carriers={} map={} setup_ns=5 op_ns=100000 steps={steps}",
                    tids.join(","),
                    map.join(",")
                ));
            }
            "go" => self.go(line),
            _ => {}
        }
    }

    fn recv(&mut self, when: &str, _timeout: Duration) -> Result<Line, LinkError> {
        let ended = LinkError::Ended { when: when.to_owned(), exit: None, stderr: String::new() };
        self.lines.pop_front().ok_or(ended)
    }

    fn close_input(&mut self) {}

    fn root_pid(&self) -> Option<u32> {
        None
    }

    fn finish(&mut self, _kill: bool) -> Exit {
        Exit { code: Some(0), signal: None, leftover: 0 }
    }
}

impl<F: Fn(u32, u32, bool) -> Worker> FakeLink<F> {
    fn say(&mut self, text: &str) {
        self.lines.push_back(Line::parse(text).unwrap());
    }

    fn go(&mut self, go: &Line) {
        let number = |key| go.num::<u64>(key).unwrap();
        let start = number("start_ns");
        let Ok(ids) = go.req("ids").map(str::to_owned) else {
            let figures = self.figures(go, 1, start, &[("id", 1)]);
            self.say("stopped id=1");
            self.lines.extend(figures);
            return self.say("done id=1");
        };
        let length =
            number("ramp_ns") + number("window_ns") * number("windows") + number("tail_ns");
        self.say(&format!("stopped ids={ids}"));
        for (k, digit) in go.req("order").unwrap().bytes().enumerate() {
            let id = usize::from(digit - b'0') + 1;
            let start = start + k as u64 * (length + number("gap_ns"));
            let figures = self.figures(go, id, start, &[("id", id), ("slot", k)]);
            self.lines.extend(figures);
        }
        self.say(&format!("done ids={ids}"));
    }

    /// What the workers would have handed in, had they behaved as told, to the nanosecond.
    fn figures(&mut self, go: &Line, id: usize, start: u64, of: &[(&str, usize)]) -> Vec<Line> {
        let number = |key| go.num::<u64>(key).unwrap();
        let (ramp, window, windows) = (number("ramp_ns"), number("window_ns"), number("windows"));
        let named = |verb| of.iter().fold(Line::new(verb), |line, (key, x)| line.with(key, x));
        let cell = self.cells[&id];
        let steps = ("steps".to_owned(), cell.steps.to_string());
        let golden = Golden::of("cpu", &[steps].into()).unwrap();
        let end = start + ramp + window * windows + number("tail_ns");
        self.quiet.now.set(end + 1_000_000);
        let mut lines = Vec::new();
        for w in 0..cell.workers {
            let b = (self.behave)(w, cell.workers, cell.lone);
            let rate = b.rate * f64::from(STEPS) / f64::from(cell.steps);
            let leaves = start + ramp + (window as f64 * windows as f64 * b.until) as u64;
            let ended = if b.until < 1.0 { leaves } else { end };
            let (mut from, mut sum) = (0, 0);
            for i in -1..=windows as i64 {
                let begin = (start + ramp).wrapping_add_signed(window as i64 * i);
                let begin = if i == -1 { start + b.late_ns } else { begin };
                if begin >= ended {
                    break;
                }
                let nominal = (start + ramp).wrapping_add_signed(window as i64 * (i + 1));
                let last = nominal.min(ended);
                let grown = 1.0 + b.drift * i.max(0) as f64 / windows as f64;
                let span = last - begin;
                let ops = (span as f64 / 1e9 * rate * grown) as u64;
                let check = (golden.check(from, ops) + if i == 1 { b.lie } else { 0 }) % M;
                let mut line = named("window").with("i", i).with("w", w);
                if i == windows as i64 {
                    line = line.with("tail", 1);
                }
                line = line.with("ops", ops).with("check", check).with("first_ns", begin);
                if last == nominal || i == windows as i64 {
                    line = line.with("last_ns", last);
                }
                line = line.with("cpu_ns", (span as f64 * b.cpu) as u64);
                line = line.with("idle_ns", (span as f64 * b.idle) as u64);
                lines.push(line.with("delay_ns", (span as f64 * b.delay) as u64));
                from += ops;
                sum = (sum + check) % M;
            }
            let total = named("total").with("w", w).with("ops", from);
            let total = total.with("check", sum).with("started_ns", start + b.late_ns);
            lines.push(total.with("ended_ns", ended));
        }
        lines
    }
}
