//! What a report says, as plain values: the shape between deciding and drawing.
//!
//! Filled by `summarise`, read by `plot` and `render`, which only lay it out. No frames, no files,
//! no text that depends on a format.

use amdahl_schema::{Absence, Host, MachineState, Plan, Runtime};
use amdahl_stats::{Budget, IoVerdict, Judgement, Verdict};

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
    /// Counters at the decisive N.
    pub counters: CounterTable,
    /// What became of the planned trials.
    pub coverage: Coverage,
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

/// Speed-up (or throughput ratio) against N for one workload.
#[derive(Debug, Clone, PartialEq)]
pub struct SpeedupFigure {
    /// Workload id.
    pub workload: String,
    /// CPUs available.
    pub cpus_available: u32,
    /// One a model.
    pub series: Vec<SpeedupSeries>,
}

/// A model's speed-ups.
#[derive(Debug, Clone, PartialEq)]
pub struct SpeedupSeries {
    /// Model id.
    pub model: String,
    /// By N, ascending, from the smallest N >= 2.
    pub points: Vec<SpeedupPoint>,
}

/// One model at one N.
#[derive(Debug, Clone, PartialEq)]
pub struct SpeedupPoint {
    /// N.
    pub workers: u32,
    /// Over blocks; absent with fewer than two.
    pub speedup: Option<Estimate>,
    /// Ceiling at N / model at 1.
    pub ceiling: Option<Estimate>,
    /// One a used block: block, speed-up, ceiling.
    pub blocks: Vec<(u32, f64, Option<f64>)>,
}

/// Latency of one workload.
#[derive(Debug, Clone, PartialEq)]
pub struct LatencyFigure {
    /// Workload id.
    pub workload: String,
    /// By N, then model.
    pub curves: Vec<LatencyCurve>,
    /// The worker counts that get a panel.
    pub panel_workers: Vec<u32>,
}

/// A model's latency at one N.
#[derive(Debug, Clone, PartialEq)]
pub struct LatencyCurve {
    /// Model id.
    pub model: String,
    /// N.
    pub workers: u32,
    /// One a trial: never merged.
    pub trials: Vec<TrialCurve>,
    /// Geometric mean over trials of the latency at each level, where each trial has 20 operations
    /// beyond it.
    pub mean: Vec<CcdfPoint>,
    /// Percentiles, in the order of [`PERCENTILES`]; absent where fewer than 20 operations of some
    /// trial lie beyond.
    pub percentiles: Vec<Option<Estimate>>,
    /// Largest value of any trial, ns.
    pub max_ns: u64,
    /// Operations of all trials.
    pub operations: u64,
    /// Trials during which other programs held the CPUs for more than the limit for blocks.
    pub disturbed: usize,
    /// Measured cost of timing one operation, thousandths of a nanosecond; the largest of the trials.
    pub timer_cost_ps: Option<u64>,
}

/// Percentiles that tables print where they may.
pub const PERCENTILES: [f64; 5] = [50.0, 90.0, 99.0, 99.9, 99.99];

/// Operations that must lie beyond a percentile before it is printed.
pub const BEYOND_MIN: f64 = 20.0;

/// One trial's complementary distribution.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialCurve {
    /// Block.
    pub block: u32,
    /// Descending share.
    pub points: Vec<CcdfPoint>,
}

/// A point of a complementary distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CcdfPoint {
    /// Latency.
    pub latency_ns: f64,
    /// Share of operations that took longer.
    pub share: f64,
}

/// Who ran when, for one workload.
#[derive(Debug, Clone, PartialEq)]
pub struct TimelineFigure {
    /// Workload id.
    pub workload: String,
    /// Time shown from the begin of the first window, ns.
    pub span_ns: u64,
    /// One a model.
    pub panels: Vec<TimelinePanel>,
}

/// One trial of one model.
#[derive(Debug, Clone, PartialEq)]
pub struct TimelinePanel {
    /// Model id.
    pub model: String,
    /// N.
    pub workers: u32,
    /// Block it is from.
    pub block: u32,
    /// Share of the time that other programs held its CPUs, where that is above the limit for blocks.
    pub disturbed: Option<f64>,
    /// Usual time between the ends of two operations of one worker, ns (median).
    pub usual_ns: u64,
    /// By worker: stretches, from and to in ns.
    pub lanes: Vec<Lane>,
}

/// One worker's line in a timeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Lane {
    /// Worker.
    pub worker: u32,
    /// Operations followed one another at their usual pace.
    pub running: Vec<(u64, u64)>,
    /// One operation took more than three times the usual: the worker waited in it.
    pub waiting: Vec<(u64, u64)>,
}

/// Where the ideal N of each model went.
#[derive(Debug, Clone, PartialEq)]
pub struct BudgetFigure {
    /// Workload id.
    pub workload: String,
    /// One a model, at its decisive N.
    pub rows: Vec<BudgetRow>,
}

/// One model's loss budget.
#[derive(Debug, Clone, PartialEq)]
pub struct BudgetRow {
    /// Model id.
    pub model: String,
    /// N.
    pub workers: u32,
    /// Parts; absent where a trial lacks what they need.
    pub parts: Budget,
    /// Blocks they are means of.
    pub blocks: u32,
    /// Largest loss.
    pub limited_by: String,
}

/// Parts of a budget with key and label, in the order of figures and tables.
pub fn budget_parts(b: &Budget) -> [(&'static str, &'static str, f64); 8] {
    [
        ("achieved", "achieved", b.achieved),
        ("hardware", "hardware", b.hardware),
        ("blocked", "blocked", b.blocked),
        ("run_queue", "run queue", b.run_queue),
        ("steal_foreign", "steal and foreign", b.steal_foreign),
        ("imbalance", "imbalance", b.imbalance),
        ("no_progress", "no progress", b.no_progress),
        ("unexplained", "unexplained", b.unexplained),
    ]
}

/// Counters of the counters pass.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CounterTable {
    /// Metrics that some model has a value of, in order of the record.
    pub metrics: Vec<Metric>,
    /// One a model × workload × N.
    pub rows: Vec<CounterRow>,
    /// Metrics without a value, with the reason.
    pub absences: Vec<CounterAbsence>,
}

/// A metric with its source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Metric {
    /// Id.
    pub id: String,
    /// `perf` or `proc`.
    pub source: String,
    /// Whether it counts nanoseconds.
    pub is_time: bool,
    /// Whether the text shows it; the data file has every metric.
    pub shown: bool,
}

/// Counters of one model at one N.
#[derive(Debug, Clone, PartialEq)]
pub struct CounterRow {
    /// Model id.
    pub model: String,
    /// Workload id.
    pub workload: String,
    /// N.
    pub workers: u32,
    /// Whether the text shows it; the data file has every row.
    pub shown: bool,
    /// In the order of [`CounterTable::metrics`].
    pub cells: Vec<Option<CounterCell>>,
}

/// One metric of one model at one N.
#[derive(Debug, Clone, PartialEq)]
pub struct CounterCell {
    /// Events a second of wall time, all workers together.
    pub per_second: Estimate,
    /// Events an operation.
    pub per_operation: Option<Estimate>,
    /// Whether some count was scaled because the kernel multiplexed.
    pub multiplexed: bool,
}

/// A metric that could not be counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CounterAbsence {
    /// `perf` or `proc`.
    pub source: String,
    /// Metric ids.
    pub ids: Vec<String>,
    /// Why.
    pub reason: String,
    /// What would help.
    pub remedy: Option<String>,
}

/// What became of the planned trials.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Coverage {
    /// Trials of the plan.
    pub planned: u64,
    /// Trials with usable numbers.
    pub usable: u64,
    /// Trials that ended otherwise, grouped.
    pub failures: Vec<Failure>,
    /// Trials that were not run, grouped.
    pub not_run: Vec<NotRun>,
    /// Usable trials with a flag, grouped by flag.
    pub flags: Vec<Flagged>,
}

/// Trials of one cell that failed in the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Model id.
    pub model: String,
    /// Workload id.
    pub workload: String,
    /// N.
    pub workers: u32,
    /// `model` or `ceiling`.
    pub arm: String,
    /// Pass.
    pub pass: String,
    /// Status.
    pub status: String,
    /// Kind.
    pub kind: String,
    /// Reason of the first of them.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// Line of the first in `trials.jsonl`.
    pub line: u64,
}

/// Trials of one model × workload that the budget, or an interruption, kept from running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotRun {
    /// Model id.
    pub model: String,
    /// Workload id.
    pub workload: String,
    /// How many.
    pub count: u64,
    /// Why.
    pub why: String,
}

/// Usable trials that carry a flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flagged {
    /// `not_steady`, `late` ….
    pub flag: String,
    /// Model id.
    pub model: String,
    /// Workload id.
    pub workload: String,
    /// Pass.
    pub pass: String,
    /// How many trials.
    pub count: u64,
}
