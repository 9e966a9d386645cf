//! Counters, and what became of the trials.

use super::Estimate;

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
