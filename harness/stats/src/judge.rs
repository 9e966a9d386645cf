//! The verdict rule: which rows there are, and the one function both programs call.
//!
//! Blocks are chosen in `blocks`, CPU-bound rows made in `parallelism` and decided in `rule`, I/O-bound
//! ones both in `io_overlap`. No figure is measured here, and no text is laid out for a screen or a page.

mod across;
mod blocks;
mod io_overlap;
mod parallelism;
mod rule;

use std::collections::BTreeMap;

use crate::budget::{Budget, Limit};
use crate::interval::Interval;
use crate::observation::{Machine, Missing, Observation};
pub use across::{Comparison, compare};
use blocks::Series;

/// A gain that counts: speed-up or throughput ratio above 1.15; at or below, N do no more than one.
pub(crate) const GAIN_MIN: f64 = 1.15;
/// Share of the ceiling, of N (effective CPUs) and, for the ceiling itself, of N, that counts as all.
pub(crate) const SHARE_MIN: f64 = 0.8;
/// Share of a row's blocks that may be dropped before nothing is decided.
pub(crate) const DROPPED_MAX: f64 = 0.3;
/// Largest relative change of the rate over a trial's windows that still counts as steady.
pub(crate) const DRIFT_MAX: f64 = 0.1;
/// Extra time that a CPU needs, just before or after a trial, from which on a reader is told.
pub(crate) const SLOW_CPU: f64 = 0.1;
/// Level of every interval.
pub(crate) const LEVEL: f64 = 0.95;

/// Workloads whose operations wait instead of compute.
const IO_BOUND: [&str; 2] = ["sleep", "pipe"];
/// Workloads that wait for memory.
pub(crate) const MEMORY_BOUND: [&str; 1] = ["mem"];
/// Workloads from which no decision about a model follows: the harness's own cost, and what is compared between models.
const UNJUDGED: [&str; 2] = ["noop", "micro"];

/// Do several workers of this model run in parallel?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Yes.
    Parallel,
    /// More than one at a time, less than the machine allows.
    Partly,
    /// One at a time.
    Serial,
    /// It could not be decided; the reasons say why.
    Unknown,
}

/// One block's figures at one N, for the points of the figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BlockPoint {
    /// Block.
    pub block: u32,
    /// Rate at N / rate at 1.
    pub speedup: f64,
    /// Rate of the ceiling at N / rate of the model at 1.
    pub ceiling: Option<f64>,
    /// CPU seconds a second.
    pub effective_cpus: Option<f64>,
}

/// A decision on a CPU-bound workload at one worker count, with its evidence.
#[derive(Debug, Clone, PartialEq)]
pub struct ParallelismRow {
    /// Model id.
    pub model: String,
    /// Workload id.
    pub workload: String,
    /// N; 1 only in the one row of a model of which nothing else was planned.
    pub workers: u32,
    /// The model's verdict is the one at the largest N that the CPUs available can serve.
    pub decisive: bool,
    /// Decision.
    pub verdict: Verdict,
    /// Rate at N / rate at 1, over blocks.
    pub speedup: Option<Interval>,
    /// Ceiling's rate at N / model's rate at 1.
    pub ceiling: Option<Interval>,
    /// Speed-up / ceiling.
    pub ceiling_share: Option<Interval>,
    /// CPU seconds a second at N.
    pub effective_cpus: Option<Interval>,
    /// CPUs that were available.
    pub cpus_available: u32,
    /// Blocks used.
    pub blocks: u32,
    /// Blocks dropped: by a gate, a broken contest, drift, or a trial that failed. The reasons name
    /// each. Blocks that were not run are neither used nor dropped.
    pub dropped: u32,
    /// Largest loss (`blocked`, `hardware` …), `nothing` if no loss exceeds 5 % of N, or `unknown`.
    pub limited_by: String,
    /// Mean over blocks.
    pub budget: Option<Budget>,
    /// How sure the largest loss is; `None` where none exceeds 5 % of N, or nothing is known.
    pub limit: Option<Limit>,
    /// Karp-Flatt serial share e(N) over blocks.
    pub karp_flatt: Option<Interval>,
    /// Why unknown, which blocks were dropped, what else a reader must know.
    pub reasons: Vec<String>,
    /// Used blocks.
    pub points: Vec<BlockPoint>,
}

/// Does I/O-bound work overlap?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IoVerdict {
    /// Yes.
    Overlaps,
    /// No.
    DoesNot,
    /// It could not be decided.
    Unknown,
}

/// A decision on an I/O-bound workload.
#[derive(Debug, Clone, PartialEq)]
pub struct IoRow {
    /// Model id.
    pub model: String,
    /// Workload id.
    pub workload: String,
    /// N.
    pub workers: u32,
    /// Decision.
    pub verdict: IoVerdict,
    /// Throughput at N / throughput at 1.
    pub throughput_ratio: Option<Interval>,
    /// Blocks used.
    pub blocks: u32,
    /// Blocks dropped, as in [`ParallelismRow::dropped`].
    pub dropped: u32,
    /// Why.
    pub reasons: Vec<String>,
    /// Used blocks; `speedup` is the throughput ratio, and there is no ceiling.
    pub points: Vec<BlockPoint>,
}

/// All decisions of a run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Judgement {
    /// CPU-bound, by model in order of first appearance, then workload, then N.
    pub parallelism: Vec<ParallelismRow>,
    /// I/O-bound (`sleep`, `pipe`), the same order.
    pub io_overlap: Vec<IoRow>,
}

/// Decides every model and workload at every N >= 2 that was measured or planned.
///
/// Blocks are told apart by their number alone: whoever judges several runs together numbers their
/// blocks apart. The order of the observations changes nothing but the order of the models.
pub fn judge(observations: &[Observation], missing: &[Missing], machine: &Machine) -> Judgement {
    let mut judgement = Judgement::default();
    for series in by_model_and_workload(observations, missing) {
        if UNJUDGED.contains(&first_word(series.workload)) {
            continue;
        }
        if IO_BOUND.contains(&first_word(series.workload)) {
            judgement.io_overlap.extend(io_overlap::rows(&series));
        } else {
            judgement.parallelism.extend(parallelism::rows(&series, machine));
        }
    }
    judgement
}

/// Karp and Flatt's experimentally determined serial share at N workers,
/// e(N) = (N / S - 1) / (N - 1), S the speed-up; NaN where it is not defined (N <= 1, S <= 0).
///
/// Karp and Flatt, "Measuring parallel processor performance", CACM 33(5), 1990.
pub fn karp_flatt(speedup: f64, n: impl Into<f64>) -> f64 {
    let n = n.into();
    if n.is_nan() || n <= 1.0 || speedup.is_nan() || speedup <= 0.0 {
        return f64::NAN;
    }
    (n / speedup - 1.0) / (n - 1.0)
}

/// Gustafson's serial share of a scaled speed-up, S = N - s (N - 1) solved for s; NaN for N <= 1. For weak scaling
/// alone, where each worker brings its own job.
///
/// Gustafson, "Reevaluating Amdahl's law", CACM 31(5), 1988.
pub fn gustafson(scaled_speedup: f64, n: impl Into<f64>) -> f64 {
    let n = n.into();
    if n.is_nan() || n <= 1.0 {
        return f64::NAN;
    }
    (n - scaled_speedup) / (n - 1.0)
}

/// A workload may be followed by its parameters: `sleep sleep_ns=50000`.
fn first_word(workload: &str) -> &str {
    workload.split(' ').next().unwrap_or(workload)
}

/// Groups by model in order of first appearance (observations first), then workload by name.
fn by_model_and_workload<'a>(
    observations: &'a [Observation],
    missing: &'a [Missing],
) -> Vec<Series<'a>> {
    let mut rank: BTreeMap<&str, usize> = BTreeMap::new();
    let mut groups: BTreeMap<(usize, &str), Series<'a>> = BTreeMap::new();
    let mut place = |model: &'a str| {
        let next = rank.len();
        *rank.entry(model).or_insert(next)
    };
    for o in observations {
        let key = (place(&o.model), o.workload.as_str());
        groups.entry(key).or_insert_with(|| Series::new(&o.model, &o.workload)).observe(o);
    }
    for m in missing {
        let key = (place(&m.model), m.workload.as_str());
        groups.entry(key).or_insert_with(|| Series::new(&m.model, &m.workload)).miss(m);
    }
    groups.into_values().collect()
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
