//! One trial: fresh worker processes through hello, prepare, pin, go, stopped, collect; its record.
//!
//! Knows the protocol and the order of things. What touches the machine (pinning, counters, /proc,
//! the clock) is behind [`Outside`], and processes behind [`Launcher`], so every path can be tested
//! with fakes in milliseconds.

mod alternate;
mod cast;
mod collect;
mod outside;
mod prove;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use amdahl_schema::{
    Arm, Carrier, Outcome, Pass, PlannedBlock, PlannedTrial, ProcDelta, Status, Trial,
};

pub use alternate::alternates;
pub use outside::{CounterSession, Machine, Outside};

use cast::{Cast, introduce, shares_lock};

use crate::counters::{memory_counters, proc_counters};
use crate::plan::window_needed_ns;
use crate::procfs::ProcSample;
use crate::worker::discover::Found;
use crate::worker::hello::Hello;
use crate::worker::link::{HELLO_LIMIT, Launcher, Link, LinkError, WorkerSpec};
use crate::worker::peer;
use crate::worker::wire::Line;

/// Time to prepare a cell.
pub const PREPARE_LIMIT: Duration = Duration::from_secs(30);
/// Time beyond the nominal end of a `go`.
pub const GO_GRACE: Duration = Duration::from_secs(5);
/// Time to hand over the figures.
pub const COLLECT_LIMIT: Duration = Duration::from_secs(20);

/// Spinning before the start, where every carrier has a CPU of its own.
const SPIN_NS: u64 = 2_000_000;

/// The least time that workers go on after the last window.
const TAIL_NS: u64 = 20_000_000;

/// Operations whose ends are kept for timelines.
const SPANS: u32 = 2048;

/// The longest window: a worker's own account of its operations must not hold up the run.
const WINDOW_NS_MAX: u64 = 60_000_000_000;

/// Limits, shortened by tests.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For `hello`.
    pub hello: Duration,
    /// For `prepare`.
    pub prepare: Duration,
    /// Beyond the nominal end.
    pub go: Duration,
    /// For `collect`.
    pub collect: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { hello: HELLO_LIMIT, prepare: PREPARE_LIMIT, go: GO_GRACE, collect: COLLECT_LIMIT }
    }
}

/// Why a trial has no usable numbers.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The worker did not play its part.
    Link(LinkError),
    /// It did, but what it said can't be right.
    Invalid { kind: &'static str, reason: String },
    /// We could not set the scene.
    Setup(String),
}

impl From<LinkError> for Failure {
    fn from(e: LinkError) -> Self {
        Self::Link(e)
    }
}

impl Failure {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Link(e @ LinkError::TimedOut { .. }) => {
                Outcome::not_ok(Status::TimedOut, e.kind(), e.to_string())
            }
            Self::Link(e) => Outcome::not_ok(Status::Failed, e.kind(), e.to_string()),
            Self::Invalid { kind, reason } => Outcome::not_ok(Status::Invalid, kind, reason),
            Self::Setup(reason) => Outcome::not_ok(Status::Failed, "setup", reason),
        }
    }
}

/// Executes trials.
pub struct Stage<'a> {
    /// Starts processes.
    pub launcher: &'a dyn Launcher,
    /// The machine.
    pub outside: &'a dyn Outside,
    /// This program, for the `pipe` workload's peer.
    pub amdahl: std::path::PathBuf,
    /// Deadlines.
    pub limits: Limits,
}

impl Stage<'_> {
    /// Runs one trial to its record, whatever happens in it.
    pub fn execute(&self, found: &Found, block: &PlannedBlock, planned: &PlannedTrial) -> Trial {
        let begin = self.outside.now_ns();
        let mut trial = blank(block, planned);
        let mut cast = Cast::default();
        let result = self.play(found, &mut cast, &mut trial);
        if let Err(failure) = &result {
            trial.outcome = failure.outcome();
            name_the_lock(&mut trial);
        }
        trial.flags.extend(cast.dismiss(result.is_err()));
        trial.trial_wall_ns = self.outside.now_ns() - begin;
        trial
    }

    fn play(&self, found: &Found, cast: &mut Cast, trial: &mut Trial) -> Result<(), Failure> {
        self.greet(found, cast, trial)?;
        let (carriers, _) = self.prepare(found, cast, trial, 1)?;
        let tids: Vec<u32> = carriers.iter().map(|(_, c)| c.tid).collect();
        self.pin(trial, carriers);
        let mut counters =
            (trial.pass == Pass::Counters).then(|| self.outside.counters(trial.counter_set, &tids));
        let roots: Vec<u32> = cast.all().filter_map(|l| l.root_pid()).collect();
        let sample = |tids: &[u32]| -> Vec<ProcSample> {
            tids.iter().map(|tid| self.outside.sample(*tid)).collect()
        };
        // What waits more than it computes does not feel how fast a CPU is.
        let cpus: &[u32] =
            if crate::plan::io_bound(&trial.workload) { &[] } else { &trial.placement.cpus };
        let settled = self.outside.settle(cpus);
        let before = sample(&tids);
        let gate = self.outside.gate(&roots);
        if let Some(session) = &mut counters {
            session.start();
        }
        let started = self.go(cast, trial);
        let stopped = started.and_then(|deadline| self.stopped(cast, deadline));
        if let Some(session) = &mut counters {
            trial.counters = session.stop();
        }
        trial.gates = self.outside.gates_since(&gate, &roots, &trial.placement.cpus);
        trial.gates.settle_ns = settled.waited.map(|w| w.as_nanos() as u64);
        trial.gates.speed = self.outside.speed_after(settled);
        for ((carrier, before), after) in trial.carriers.iter_mut().zip(before).zip(sample(&tids)) {
            carrier.proc = after.since(&before);
        }
        if trial.pass == Pass::Counters {
            let procs: Vec<ProcDelta> = trial.carriers.iter().map(|c| c.proc.clone()).collect();
            trial.counters.extend(proc_counters(&procs, trial.counter_set));
        }
        let until = stopped.map(|()| self.outside.now_ns())?;
        // All are parked and nothing was collected yet, so what it takes to hand over the figures does not count.
        let guards: Vec<u32> = cast.links.iter().filter_map(|l| l.root_pid()).collect();
        trial.counters.extend(memory_counters(&self.outside.memory(&guards)));
        self.collect(cast, trial)?;
        prove::prove(trial, until)
    }

    /// Starts the processes and says hello to all.
    fn greet(&self, found: &Found, cast: &mut Cast, trial: &mut Trial) -> Result<(), Failure> {
        let begin = self.outside.now_ns();
        let processes = if trial.arm == Arm::Ceiling { trial.workers } else { 1 };
        let spec = WorkerSpec { env_pad_bytes: trial.env_pad_bytes, ..found.spec.clone() };
        for _ in 0..processes {
            cast.links.push(self.launcher.launch(&spec)?);
        }
        for link in &mut cast.links {
            // The receipt of its runtime was taken when it was found.
            link.send(&Line::new("hello").with("v", 1).with("receipt", 0));
        }
        for link in &mut cast.links {
            let line = link.expect("hello", "at hello", self.limits.hello)?;
            let hello = Hello::parse(&line)
                .map_err(|source| LinkError::Garbage { when: "at hello".to_owned(), source })?;
            cast.hellos.push(hello);
        }
        trial.spawn_ns = Some(self.outside.now_ns() - begin);
        introduce(found, &cast.hellos[0], trial);
        Ok(())
    }

    /// Prepares the cell in every process, as its cell `id`: its carriers in the order of the workers, and the least time in which each of
    /// the workers can be expected to complete an operation.
    fn prepare(
        &self,
        found: &Found,
        cast: &mut Cast,
        trial: &mut Trial,
        id: usize,
    ) -> Result<(Vec<(usize, Carrier)>, u64), Failure> {
        let begin = self.outside.now_ns();
        let own = found.mechanism(&trial.model).unwrap_or("?");
        // One worker a process shares nothing however it is made; threads start fastest, where there are any.
        let has_threads = found.hello.mechanisms.iter().any(|m| m == "threads");
        let mechanism = if trial.arm == Arm::Ceiling && has_threads { "threads" } else { own };
        if trial.workload == "pipe" {
            let (peer, dir) = self.start_peer(trial)?;
            trial.params.remove("dir");
            cast.peer = Some((peer, dir));
        }
        let dir = cast.peer.as_ref().map(|(_, dir)| dir.path().display().to_string());
        let workers = if trial.arm == Arm::Ceiling { 1 } else { trial.workers };
        if trial.params.get("scaling").is_some_and(|s| s == "strong") {
            let whole = self.whole_job(cast, trial, mechanism)?;
            let share = (whole / u64::from(trial.workers)).max(1);
            trial.params.insert("steps".to_owned(), share.to_string());
        }
        for (k, link) in cast.links.iter_mut().enumerate() {
            let mut line = Line::new("prepare").with("id", id).with("workload", &trial.workload);
            line = line.with("mechanism", mechanism).with("workers", workers);
            line = line.with("seed", trial.seed);
            if let Some(dir) = &dir {
                line = line.with("dir", dir).with("first", k);
            }
            for (key, value) in &trial.params {
                line = line.with(key, value);
            }
            link.send(&line);
        }
        let mut carriers = Vec::new();
        let mut op_ns = 0;
        let mut turn_ns = None;
        for (k, link) in cast.links.iter_mut().enumerate() {
            let line = link.expect("ready", "at prepare", self.limits.prepare)?;
            let ready = collect::ready(&line, k as u32)?;
            carriers.extend(ready.carriers.into_iter().map(|c| (k, c)));
            op_ns = op_ns.max(ready.op_ns);
            turn_ns = turn_ns.max(ready.switch_ns);
            // Some mechanisms of a runtime share its lock and some do not.
            trial.gil = ready.gil.map(|on| on && shares_lock(found, trial)).or(trial.gil);
            trial.turns = trial.turns.max(ready.turns);
            // What the plan asked for stands: a worker may only choose what was left to it.
            for (key, value) in ready.chosen {
                trial.params.entry(key).or_insert(value);
            }
        }
        trial.setup_ns = Some(self.outside.now_ns() - begin);
        let hello = &cast.hellos[0];
        // The same length for every arm of a block, so the lock counts even where it is not shared.
        let switch = hello.switch_ns.filter(|_| hello.gil == Some(true));
        let switch = turn_ns.or(switch);
        let in_turn = trial.takes_turns() && !crate::plan::io_bound(&trial.workload);
        let turns = if in_turn { trial.workers } else { 1 };
        trial.window_ns = window_needed_ns(trial.window_ns, switch, op_ns, turns);
        if trial.window_ns > WINDOW_NS_MAX {
            let s = trial.window_ns / 1_000_000_000;
            let reason = format!("an operation takes so long that a window would last {s} s");
            return Err(Failure::Invalid { kind: "window", reason });
        }
        trial.ramp_ns = trial.window_ns;
        // After the windows everybody must still be at work, and complete one operation more; who asks for long windows has a
        // machine on which that may take its time.
        let least = TAIL_NS.max(trial.window_ns / 10);
        let each_ns = 2 * u64::from(turns) * op_ns.max(switch.unwrap_or(0));
        trial.tail_ns = trial.window_ns.min(least.max(each_ns));
        Ok((carriers, each_ns))
    }

    /// Steps of one worker's operation where the plan does not say: asked of the worker, whose choice it is.
    fn whole_job(&self, cast: &mut Cast, trial: &Trial, mechanism: &str) -> Result<u64, Failure> {
        if let Some(steps) = trial.params.get("steps").and_then(|s| s.parse().ok()) {
            return Ok(steps);
        }
        let mut line = Line::new("prepare").with("id", 0).with("workload", &trial.workload);
        line = line.with("mechanism", mechanism).with("workers", 1).with("seed", trial.seed);
        for (key, value) in &trial.params {
            line = line.with(key, value);
        }
        let link = &mut cast.links[0];
        link.send(&line);
        let ready = link.expect("ready", "at prepare", self.limits.prepare)?;
        ready.num("steps").map_err(|source| {
            Failure::Link(LinkError::Garbage { when: "at prepare".to_owned(), source })
        })
    }

    fn start_peer(&self, trial: &Trial) -> Result<(Box<dyn Link>, tempfile::TempDir), Failure> {
        let setup = |e: std::io::Error| Failure::Setup(format!("FIFOs for `pipe`: {e}"));
        let dir = tempfile::Builder::new().prefix("amdahl-").tempdir().map_err(setup)?;
        peer::make_fifos(dir.path(), trial.workers).map_err(setup)?;
        let delay = trial.params.get("delay_ns").map_or("1000000", String::as_str);
        let mut argv: Vec<std::ffi::OsString> = vec![self.amdahl.clone().into(), "peer".into()];
        argv.extend(["--dir".into(), dir.path().into()]);
        argv.extend(["--workers".into(), trial.workers.to_string().into()]);
        argv.extend(["--delay-ns".into(), delay.into()]);
        let spec = WorkerSpec { argv, env: Vec::new(), env_pad_bytes: 0 };
        let mut peer = self.launcher.launch(&spec)?;
        peer.expect("hello", "starting the pipe's peer", self.limits.hello)?;
        Ok((peer, dir))
    }

    /// Pins each carrier; where that is refused the trial says so and counts as not placed.
    fn pin(&self, trial: &mut Trial, mut carriers: Vec<(usize, Carrier)>) {
        let cpus = trial.placement.cpus.clone();
        let one_each = carriers.len() == cpus.len() && carriers.iter().all(|(_, c)| c.w.is_some());
        let lone = trial.arm == Arm::Ceiling && cpus.len() == trial.workers as usize;
        for (k, (process, carrier)) in carriers.iter_mut().enumerate() {
            // More carriers than workers (an M:N runtime): each may use all the CPUs of the cell, and in a ceiling
            // the one of its process.
            let own = if one_each { cpus.get(k) } else { cpus.get(*process).filter(|_| lone) };
            let done = match own {
                Some(cpu) => self.outside.pin(carrier.tid, *cpu).map(|()| Some(*cpu)),
                None if cpus.is_empty() => Ok(None),
                None => self.outside.confine(carrier.tid, &cpus).map(|()| None),
            };
            match done {
                Ok(pinned) => carrier.pinned = pinned,
                Err(why) => {
                    trial.placement.exclusive = false;
                    trial.flags.push(format!("not pinned: {why}"));
                }
            }
        }
        trial.placement.exclusive &= one_each || lone;
        trial.carriers = carriers.into_iter().map(|(_, carrier)| carrier).collect();
    }

    /// Releases all processes on one absolute start; the time by which they must have stopped.
    fn go(&self, cast: &mut Cast, trial: &mut Trial) -> Result<u64, Failure> {
        let lead = cast.hellos.iter().map(|h| h.lead_ns).max().unwrap_or(0);
        let start = self.outside.now_ns() + lead + 200_000 * cast.links.len() as u64;
        trial.start_ns = Some(start);
        let spin = if trial.placement.exclusive || trial.workers == 1 { SPIN_NS } else { 0 };
        let mut line = release(Line::new("go").with("id", 1), trial, start, spin);
        if trial.pass == Pass::Latency {
            line = line.with("spans", SPANS);
        }
        for link in &mut cast.links {
            link.send(&line);
        }
        Ok(start + length_ns(trial) + self.limits.go.as_nanos() as u64)
    }

    fn stopped(&self, cast: &mut Cast, deadline: u64) -> Result<(), Failure> {
        for link in &mut cast.links {
            let left = deadline.saturating_sub(self.outside.now_ns());
            link.expect("stopped", "after go", Duration::from_nanos(left))?;
        }
        Ok(())
    }

    fn collect(&self, cast: &mut Cast, trial: &mut Trial) -> Result<(), Failure> {
        for link in &mut cast.links {
            link.send(&Line::new("collect").with("id", 1));
        }
        for (k, link) in cast.links.iter_mut().enumerate() {
            collect::figures(link.as_mut(), trial, k as u32, self.limits.collect)?;
        }
        Ok(())
    }
}

/// The keys of `go` that say how the clock is cut.
fn release(go: Line, trial: &Trial, start_ns: u64, spin_ns: u64) -> Line {
    let pass = match trial.pass {
        Pass::Throughput => "throughput",
        Pass::Latency => "latency",
        Pass::Counters => "counters",
    };
    go.with("pass", pass)
        .with("start_ns", start_ns)
        .with("spin_ns", spin_ns)
        .with("ramp_ns", trial.ramp_ns)
        .with("window_ns", trial.window_ns)
        .with("windows", trial.windows_n)
        .with("tail_ns", trial.tail_ns)
}

/// From the start to the end of the tail.
fn length_ns(trial: &Trial) -> u64 {
    trial.ramp_ns + trial.window_ns * u64::from(trial.windows_n) + trial.tail_ns
}

/// Under workload `lock` the lock is what differs from trials that went well: say which it was.
fn name_the_lock(trial: &mut Trial) {
    let Some(lock) = trial.params.get("lock").filter(|_| trial.workload == "lock") else { return };
    let why = match trial.outcome.kind.as_deref() {
        Some("hang") => "lock `LOCK` was never released, or whoever waited for it was not woken",
        Some("crash") => "it was measuring lock `LOCK`",
        _ => return,
    };
    if let Some(reason) = &mut trial.outcome.reason {
        reason.push_str(&format!("; {}", why.replace("LOCK", lock)));
    }
}

/// A trial before anything happened.
pub fn blank(block: &PlannedBlock, planned: &PlannedTrial) -> Trial {
    let order = block.trials.iter().position(|t| t.seq == planned.seq).unwrap_or(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Trial {
        seq: planned.seq,
        block: block.block,
        order: order as u32,
        model: block.model.clone(),
        workload: block.workload.clone(),
        workers: planned.workers,
        arm: planned.arm,
        pass: planned.pass,
        stage: amdahl_schema::Stage::Measure,
        params: block.params.clone(),
        seed: planned.seed,
        env_pad_bytes: planned.env_pad_bytes,
        placement: planned.placement.clone(),
        outcome: Outcome::ok(),
        started_unix_ms: now.as_millis() as u64,
        trial_wall_ns: 0,
        spawn_ns: None,
        setup_ns: None,
        start_ns: None,
        window_ns: planned.window_ns,
        ramp_ns: planned.window_ns,
        tail_ns: planned.window_ns,
        windows_n: planned.windows_n,
        gil: None,
        turns: None,
        timer: None,
        timer_cost_ps: None,
        windows: Vec::new(),
        totals: Vec::new(),
        carriers: Vec::new(),
        counters: Vec::new(),
        counter_set: planned.counter_set,
        histograms: Vec::new(),
        spans: Vec::new(),
        guarded: None,
        owners: None,
        gates: amdahl_schema::Gates::default(),
        flags: Vec::new(),
    }
}
