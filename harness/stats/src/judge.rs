//! The verdict rule.

use crate::budget::Budget;
use crate::interval::Interval;

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
    /// N.
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
    /// Blocks dropped by a gate.
    pub dropped: u32,
    /// Largest loss (`blocked`, `hardware` …), `nothing` if no loss exceeds 5 % of N, or `unknown`.
    pub limited_by: String,
    /// Mean over blocks.
    pub budget: Option<Budget>,
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
    /// Why.
    pub reasons: Vec<String>,
}

/// All decisions of a run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Judgement {
    /// CPU-bound, by model in order of first appearance, then workload, then N.
    pub parallelism: Vec<ParallelismRow>,
    /// I/O-bound (`sleep`, `pipe`), the same order.
    pub io_overlap: Vec<IoRow>,
}
