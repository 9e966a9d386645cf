//! What a decision is made from: one plain record a trial, whoever read it from disk.

use crate::gates::GateReading;

/// Did the workers of a trial really work at the same time?
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contest {
    /// Every worker completed operations before, in and after the windows.
    Held,
    /// A worker was starved where the runtime allows one at a time: a fairness result.
    Starved,
    /// They did not overlap: the trial proves nothing; why.
    Broken(String),
}

/// How the workers of a trial spent the windows: sums over workers, so the parts add up to N.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Shares {
    /// On a CPU.
    pub cpu: f64,
    /// Runnable, waiting for a CPU.
    pub run_queue: f64,
    /// Blocked.
    pub blocked: f64,
    /// Waiting for the others at the end of a shared job.
    pub idle: f64,
    /// Outside the loop: started late or ended early.
    pub outside: f64,
}

/// One trial of the throughput pass whose numbers may be used.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// Model id.
    pub model: String,
    /// Workload id.
    pub workload: String,
    /// Repetition of the block: ratios are taken between observations of one block.
    pub block: u32,
    /// Workers N (processes for a ceiling).
    pub workers: u32,
    /// Whether it is the ceiling: N one-worker processes of the same program.
    pub ceiling: bool,
    /// Operations a second.
    pub rate: f64,
    /// CPU seconds a second of its carriers.
    pub effective_cpus: Option<f64>,
    /// How the workers spent their time.
    pub shares: Option<Shares>,
    /// Share of the time that pinned carriers, alone on their CPU, waited for it: somebody else
    /// ran there.
    pub foreign_delay: Option<f64>,
    /// By how much its slowest CPU fell short of its usual speed just before or after (0.25: a quarter
    /// more time); `None` where that was not measured.
    pub cpu_slowdown: Option<f64>,
    /// External causes while it ran.
    pub gates: GateReading,
    /// Overlap of the workers.
    pub contest: Contest,
    /// Relative change of the rate over the windows, if significant; 0 if not.
    pub drift: Option<f64>,
    /// Whether the runtime said that it has a lock that lets one thread run at a time, and it is on.
    pub gil: Option<bool>,
}

/// A planned trial of the throughput pass without usable numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Model id.
    pub model: String,
    /// Workload id.
    pub workload: String,
    /// Block.
    pub block: u32,
    /// Workers.
    pub workers: u32,
    /// Ceiling or model.
    pub ceiling: bool,
    /// Kind and reason (`budget`, `checksum: …`). One that begins with `budget`, `interrupt`, `not run`
    /// or `absent` says that the trial was never started; any other that it failed, which counts
    /// against its block.
    pub reason: String,
}

/// What the machine offers, as far as decisions depend on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// min(physical cores in the affinity mask, floor of the quota).
    pub cpus_available: u32,
    /// Why it is what it is, where that is less than the machine has (`affinity mask 0`).
    pub note: Option<String>,
}
