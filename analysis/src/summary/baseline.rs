//! Every model's rate over that of one of them.

use super::Estimate;

/// What `--baseline` adds.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    /// The model that the others are divided by.
    pub model: String,
    /// By workload, then model; without the baseline itself.
    pub rows: Vec<BaselineRow>,
}

/// One model on one workload.
#[derive(Debug, Clone, PartialEq)]
pub struct BaselineRow {
    /// Workload id.
    pub workload: String,
    /// Model id.
    pub model: String,
    /// N that decides the model's verdict.
    pub workers: u32,
    /// Its work a second over the baseline's, one worker each.
    pub one: Option<Estimate>,
    /// The same with N workers each.
    pub many: Option<Estimate>,
    /// Why they can't be compared, where they can't.
    pub why: Option<String>,
}
