//! What a report says, as plain values: the shape between deciding and drawing.
//!
//! Filled by `summarise`, read by `plot` and `render`, which only lay it out. No frames, no files,
//! no text that depends on a format.

mod baseline;
mod contention;
mod experiments;
mod figures;
mod laws;
mod limits;
mod price;
mod tables;

use amdahl_schema::{Absence, Host, MachineState, Plan, Runtime};
use amdahl_stats::{IoVerdict, Judgement, Verdict};

use crate::model::workload_id;
pub use baseline::*;
pub use contention::*;
pub use experiments::*;
pub use figures::*;
pub use laws::*;
pub use limits::*;
pub use price::*;
pub use tables::*;

/// A number with its 95 % interval over trials, or without one because there was a single trial.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Mean, or the only value.
    pub value: f64,
    /// Interval; absent with a single value.
    pub ci95: Option<(f64, f64)>,
    /// Number of trials.
    pub n: usize,
}

impl From<amdahl_stats::Interval> for Estimate {
    fn from(i: amdahl_stats::Interval) -> Self {
        Self { value: i.estimate, ci95: Some((i.lo, i.hi)), n: i.n }
    }
}

/// Everything a report says about one run.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Where and how it was measured.
    pub run: RunFacts,
    /// The answer in one sentence.
    pub headline: String,
    /// One row a model, absent ones too.
    pub answers: Vec<Answer>,
    /// All decisions, with the points behind them.
    pub judgement: Judgement,
    /// The speed-up of every model at its decisive N, by workload.
    pub glances: Vec<GlanceFigure>,
    /// Speed-up by workload.
    pub speedups: Vec<SpeedupFigure>,
    /// Throughput ratio of I/O-bound workloads, in the same shape.
    pub overlaps: Vec<SpeedupFigure>,
    /// Latency by workload.
    pub latencies: Vec<LatencyFigure>,
    /// Who ran when, by workload.
    pub timelines: Vec<TimelineFigure>,
    /// Where the ideal N went, by workload.
    pub budgets: Vec<BudgetFigure>,
    /// The same at every N, where there are several.
    pub budget_curves: Vec<BudgetCurves>,
    /// What stops each model, and how sure that is.
    pub limits: Vec<LimitGroup>,
    /// Every model against one of them, where that was asked for.
    pub baseline: Option<Baseline>,
    /// What a traced program waited for.
    pub trace: Option<amdahl_schema::Trace>,
    /// Contention for locks, by what was the same for all of them.
    pub contention: Vec<LockCondition>,
    /// e(N) against a known serial share.
    pub serial: Option<SerialFigure>,
    /// Scalability laws of CPU-bound cells; empty where no cell has three worker counts.
    pub laws: Vec<LawRow>,
    /// Strong and weak scaling.
    pub scaling: Option<ScalingFigure>,
    /// Memory-bound work.
    pub memory: Vec<MemoryRow>,
    /// Like builds without and with a global lock.
    pub price: Option<PriceFigure>,
    /// Spawn to ready, by model.
    pub start_up: Vec<StartRow>,
    /// Cost of timing an operation, by runtime.
    pub timers: Vec<TimerRow>,
    /// How fast the CPUs ran around the trials.
    pub cpu_speeds: CpuSpeeds,
    /// Counters at the decisive N.
    pub counters: CounterTable,
    /// What became of the planned trials.
    pub coverage: Coverage,
}

impl Summary {
    /// Whether the rows of a workload are told in a section of their own, not among the decisions.
    pub fn has_own_table(&self, workload: &str) -> bool {
        match workload_id(workload) {
            "serial" => self.serial.is_some() || self.scaling.is_some(),
            "lock" => !self.contention.is_empty(),
            _ => false,
        }
    }
}

/// Where and how a run was measured.
#[derive(Debug, Clone)]
pub struct RunFacts {
    /// Name of the run directory.
    pub name: String,
    /// Id of the run.
    pub id: String,
    /// UTC, RFC 3339.
    pub started_utc: String,
    /// Program and version that wrote it.
    pub tool: String,
    /// Command line.
    pub command: Vec<String>,
    /// The plan.
    pub plan: Plan,
    /// The machine.
    pub host: Host,
    /// Why `host.cpus_available` is less than the machine has, where it is.
    pub cpus_note: Option<String>,
    /// Its state.
    pub state: MachineState,
    /// Receipts.
    pub runtimes: Vec<Runtime>,
    /// Whether names and paths of the machine were taken out.
    pub anonymous: bool,
    /// `trials.jsonl:LINE` of a torn last line.
    pub torn: Option<String>,
    /// What the report was restricted to, in words.
    pub selection: Option<String>,
}

/// A model's row in the answer table.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Model id.
    pub model: String,
    /// Whether anything of it was measured or planned.
    pub state: AnswerState,
    /// Verdict on I/O-bound workloads, at the largest N.
    pub io: Vec<IoAnswer>,
}

/// What is known of a model on CPU-bound work.
#[derive(Debug, Clone, PartialEq)]
pub enum AnswerState {
    /// Decided, or undecided with reasons.
    Judged {
        /// Decision.
        verdict: Verdict,
        /// N.
        workers: u32,
        /// Speed-up at N.
        speedup: Option<Estimate>,
        /// Share of the ceiling.
        ceiling_share: Option<Estimate>,
        /// CPU seconds a second.
        effective_cpus: Option<Estimate>,
        /// Largest loss.
        limited_by: String,
        /// First reason of an unknown verdict.
        why: Option<String>,
    },
    /// The run had no CPU-bound workload for it.
    NotAsked,
    /// Planned, but the budget or an interruption came first.
    NotRun {
        /// `budget`, or what else.
        why: String,
    },
    /// Not available on the machine.
    Absent(Absence),
}

/// Does a model's I/O-bound work overlap?
#[derive(Debug, Clone, PartialEq)]
pub struct IoAnswer {
    /// Workload id.
    pub workload: String,
    /// N.
    pub workers: u32,
    /// Decision.
    pub verdict: IoVerdict,
    /// Throughput at N / throughput at 1.
    pub ratio: Option<Estimate>,
    /// First reason of an unknown verdict.
    pub why: Option<String>,
    /// Why no block was run, where none was.
    pub not_run: Option<String>,
}
