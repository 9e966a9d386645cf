//! One fresh worker process (or N for a ceiling) executing one cell, and its record.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::counter::Counter;
use crate::hist::Histogram;

/// Which of the block's comparisons a trial belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arm {
    /// The model under test: one worker process, N workers in it.
    Model,
    /// What the machine allows: N pinned one-worker processes of the same worker program.
    Ceiling,
}

/// What is recorded; passes never feed each other's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pass {
    /// Operations counted, nothing recorded per operation.
    Throughput,
    /// Every operation timed into histograms.
    Latency,
    /// Throughput again, with counters open on the carriers.
    Counters,
}

/// Why the trial was run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Part of the plan.
    Measure,
    /// An independent repetition of something that was flagged.
    Confirm,
}

/// How a trial ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Ran, and its operations proved themselves.
    Ok,
    /// The worker could not do it: it said so, crashed, or broke the protocol.
    Failed,
    /// A deadline passed.
    TimedOut,
    /// It ran but its numbers may not be used (checksum, contest).
    Invalid,
    /// The budget, or an interruption, came first.
    NotRun,
}

/// The end of a trial with its reason; `kind` is absent exactly when the status is [`Status::Ok`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// Closed vocabulary for machines (`crash`, `hang`, `checksum`, `budget` …): SCHEMA.md, Outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// What happened, for the person who must act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Outcome {
    /// The trial ran and its operations proved themselves.
    pub fn ok() -> Self {
        Self { status: Status::Ok, kind: None, reason: None }
    }

    /// Anything else, with its kind and reason.
    pub fn not_ok(status: Status, kind: &str, reason: impl Into<String>) -> Self {
        Self { status, kind: Some(kind.to_owned()), reason: Some(reason.into()) }
    }
}

/// Where the carriers were put.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// `cores`, `spread`, `smt` or `none`.
    pub policy: String,
    /// The CPU of each carrier in order; empty for `none`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cpus: Vec<u32>,
    /// Whether every carrier was pinned to a CPU of its own.
    pub exclusive: bool,
}

/// One interval of the clock, as one worker saw it.
///
/// The stamps are ends of operations: `first_ns` is the end of the first operation that ended at or
/// after the window's nominal begin, `last_ns` the same for its nominal end, so `ops` operations
/// ended in (`first_ns`, `last_ns`] and the rate carries no rounding error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Index: below 0 the ramp (-1 is the last before the first window), 0.. the windows; the one
    /// after the last is the tail, `tail` true.
    pub i: i32,
    /// Worker.
    pub w: u32,
    /// Whether this is the ramp-down after the last window.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tail: bool,
    /// Operations that ended in it.
    pub ops: u64,
    /// Sum of the operations' results modulo 2^31 - 1.
    pub check: u64,
    /// CLOCK_MONOTONIC of the crossing into it, ns; absent if no operation ended after its begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_ns: Option<u64>,
    /// CLOCK_MONOTONIC of the crossing out of it, ns; absent if the worker ended before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_ns: Option<u64>,
    /// CPU time of the worker's carrier between the two stamps; absent where it keeps no carrier or
    /// the language has no thread clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_ns: Option<u64>,
    /// Time its carrier was runnable but waited for a CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ns: Option<u64>,
    /// Voluntary context switches of its carrier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vcsw: Option<u64>,
    /// Involuntary context switches of its carrier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ivcsw: Option<u64>,
    /// Time the worker waited for the others at the end of a shared job (barrier), if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_ns: Option<u64>,
    /// The CPU its carrier ran on at the crossing out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<u32>,
}

/// A worker from its loop's start to its end: ramp, windows and tail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerTotal {
    /// Worker.
    pub w: u32,
    /// All its operations.
    pub ops: u64,
    /// Sum of their results modulo 2^31 - 1.
    pub check: u64,
    /// CLOCK_MONOTONIC when it entered its loop (under a GIL: when the opener released it), ns.
    pub started_ns: u64,
    /// CLOCK_MONOTONIC when it left its loop, ns.
    pub ended_ns: u64,
    /// CLOCK_MONOTONIC when its first operation began; differs from `started_ns` under a GIL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entered_ns: Option<u64>,
}

/// One OS thread that ran workers, from just before the start to after the stop; read from /proc by
/// the harness (so it includes parking and the ramp).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carrier {
    /// Thread id.
    pub tid: u32,
    /// The worker it carries, where a worker keeps its carrier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub w: Option<u32>,
    /// The CPU it was pinned to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<u32>,
    /// What /proc said of it.
    #[serde(default)]
    pub proc: ProcDelta,
    /// Window by window, where workers move between carriers and the worker program says so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<CarrierWindow>,
}

/// One carrier in one window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarrierWindow {
    /// Window.
    pub i: i32,
    /// CPU time in it.
    pub cpu_ns: u64,
    /// Run delay in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ns: Option<u64>,
}

/// Differences of /proc figures over a trial; each absent where the kernel does not give it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcDelta {
    /// Time on a CPU (schedstat).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_ns: Option<u64>,
    /// Time runnable without a CPU (schedstat).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ns: Option<u64>,
    /// Voluntary switches (status).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vcsw: Option<u64>,
    /// Involuntary switches (status).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ivcsw: Option<u64>,
    /// Minor faults (stat).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minflt: Option<u64>,
    /// Major faults (stat).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub majflt: Option<u64>,
}

/// Ends of a worker's first operations since the first window's begin, for timelines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Worker.
    pub w: u32,
    /// Nanoseconds since the nominal begin of window 0, ascending.
    pub t_ns: Vec<u64>,
}

/// Successive owners of a lock (workload `lock`, latency pass), in four lists of one length: entry k of each is of
/// acquisition k. [`Owners::acquisitions`] puts them together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owners {
    /// The worker that acquired it.
    pub w: Vec<u32>,
    /// Acquired, since the acquisition before; of the first since the nominal begin of window 0.
    pub gap_ns: Vec<u64>,
    /// Requested to acquired.
    pub wait_ns: Vec<u64>,
    /// Acquired to the begin of its release.
    pub hold_ns: Vec<u64>,
}

/// What happened on the machine while the trial ran, from causes outside the model.
///
/// Ticks are `USER_HZ` (10 ms). A share is judged only by those who have enough ticks: see
/// METHODOLOGY, gates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gates {
    /// From the reading before to the reading after.
    pub wall_ns: u64,
    /// CPUs the readings cover (online).
    pub cpus: u32,
    /// Busy ticks of the whole machine (user, nice, system, irq, softirq).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub busy_ticks: Option<u64>,
    /// Stolen ticks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steal_ticks: Option<u64>,
    /// CPU time of the harness and everything it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_ns: Option<u64>,
    /// Time the cgroup's quota held us back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttled_ns: Option<u64>,
    /// Mean frequency of the CPUs used after the trial, kHz.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freq_khz: Option<u64>,
    /// Speed of the CPUs used just before and after, where a hypervisor may share them out unseen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub speed: Vec<CpuSpeed>,
    /// Time spent on waiting until they ran as fast as usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settle_ns: Option<u64>,
}

/// How long a CPU needs for one round of a fixed piece of work that fills the core.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuSpeed {
    /// The CPU.
    pub cpu: u32,
    /// What it usually needed in this run up to here, ps; absent until enough was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usual_ps: Option<u32>,
    /// Just before the trial, ps.
    pub before_ps: u32,
    /// Just after it, ps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_ps: Option<u32>,
}

/// One trial and its record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// Position in the run, from 0.
    pub seq: u64,
    /// Repetition of the block, from 0: ratios are taken between trials of one `block` of one
    /// model × workload × params.
    pub block: u32,
    /// Position within the block, from 0 (random order).
    pub order: u32,
    /// Model id, `runtime[+variant]/mechanism[-option][@label]`.
    pub model: String,
    /// Workload id.
    pub workload: String,
    /// Logical workers.
    pub workers: u32,
    /// Model or ceiling.
    pub arm: Arm,
    /// What was recorded.
    pub pass: Pass,
    /// Why it was run.
    pub stage: Stage,
    /// Parameters of the workload as sent to the worker.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
    /// Seed sent to the worker.
    pub seed: u64,
    /// Bytes of padding in the worker's environment (layout is noise to be sampled).
    pub env_pad_bytes: u32,
    /// Where the carriers were put.
    pub placement: Placement,
    /// How it ended.
    pub outcome: Outcome,
    /// UTC at the begin of the trial, ms since the epoch.
    pub started_unix_ms: u64,
    /// The whole trial, spawn to reaped.
    pub trial_wall_ns: u64,
    /// Spawn to `hello`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spawn_ns: Option<u64>,
    /// `prepare` to `ready` (the slowest process of a ceiling).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setup_ns: Option<u64>,
    /// Nominal start, CLOCK_MONOTONIC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_ns: Option<u64>,
    /// Nominal length of a window.
    pub window_ns: u64,
    /// Nominal length of the ramp.
    pub ramp_ns: u64,
    /// Nominal length of the ramp-down.
    pub tail_ns: u64,
    /// Number of windows.
    pub windows_n: u32,
    /// Whether the workers can only run one at a time by the runtime's own account (a GIL).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gil: Option<bool>,
    /// Whether the workers take turns on fewer carriers by the runtime's choice: tasks on one thread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turns: Option<bool>,
    /// Measured cost of timing one operation, ns x 1000 (latency pass).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timer_cost_ps: Option<u64>,
    /// The worker's clock for operations (`tsc`, `clock_gettime`, `perf_counter_ns` …).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timer: Option<String>,
    /// Per worker and window.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
    /// Per worker.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub totals: Vec<WorkerTotal>,
    /// Per carrier.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub carriers: Vec<Carrier>,
    /// Which set of counters was open (counters pass).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub counter_set: u32,
    /// Counters summed over the carriers (counters pass), and the memory of the worker's processes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counters: Vec<Counter>,
    /// Histograms, one per worker and window, or merged within the trial.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub histograms: Vec<Histogram>,
    /// For timelines (latency pass).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<Span>,
    /// What the counters under the locks grew by, from the release to the stop (workload `lock`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guarded: Option<u64>,
    /// Successive owners of the cell's first lock (workload `lock`, latency pass).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owners: Option<Owners>,
    /// External causes.
    #[serde(default)]
    pub gates: Gates,
    /// Closed vocabulary (`not_steady`, `late`, `leftover` …: SCHEMA.md, Trial), each with a `: detail`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}
