//! What stops each model: the loss budget at every N, and what can be said of the largest loss.

use super::{BudgetRow, Estimate};

/// The loss budget against N for one workload.
#[derive(Debug, Clone, PartialEq)]
pub struct BudgetCurves {
    /// Workload id.
    pub workload: String,
    /// CPUs available.
    pub cpus_available: u32,
    /// One a model, each with its N ascending.
    pub models: Vec<Vec<BudgetRow>>,
}

/// Models of one workload that the same loss stops, equally sure.
#[derive(Debug, Clone, PartialEq)]
pub struct LimitGroup {
    /// Workload id.
    pub workload: String,
    /// Largest loss at the decisive N, `nothing`, or `unknown`.
    pub cause: String,
    /// How sure that is.
    pub sure: Sure,
    /// Whether they run one at a time, by their verdict on `cpu`, or by what the runtime says of a lock.
    pub one_at_a_time: bool,
    /// In the order of the table.
    pub models: Vec<Limited>,
}

/// How sure it is that a loss is the largest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sure {
    /// Larger than every other loss, by the 95 % interval of the difference within blocks.
    Yes,
    /// Another may be as large.
    NotFrom(&'static str),
    /// One block: no interval.
    OneBlock,
    /// There is no loss to be sure of.
    NoLoss,
}

/// One model of a [`LimitGroup`].
#[derive(Debug, Clone, PartialEq)]
pub struct Limited {
    /// Model id.
    pub model: String,
    /// N.
    pub workers: u32,
    /// The loss, in workers' worth of throughput.
    pub loss: Option<Estimate>,
    /// Blocks in which it is the largest, of how many.
    pub largest_in: (u32, u32),
    /// Largest loss at every N with a known budget, ascending.
    pub over_n: Vec<(u32, String)>,
}
