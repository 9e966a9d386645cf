//! What one thread pays for having no global lock: like builds against each other.

use super::Estimate;
use crate::model::{LikePair, Likeness};

/// The kernels of `micro`, by pair of like builds and by model.
#[derive(Debug, Clone, PartialEq)]
pub struct PriceFigure {
    /// Like builds that were measured.
    pub pairs: Vec<PricePair>,
    /// Every model and kernel, by model.
    pub steps: Vec<StepRow>,
}

/// A build without its lock against a like one with it.
#[derive(Debug, Clone, PartialEq)]
pub struct PricePair {
    /// The two.
    pub pair: LikePair,
    /// What else is not the same in the two, each in words.
    pub differences: Vec<String>,
    /// One a kernel.
    pub rows: Vec<PriceRow>,
    /// Geometric mean over the kernels, over the blocks that have them all.
    pub mean: PriceRow,
    /// Peak resident memory, in the same way.
    pub memory: PriceRow,
    /// First reasons why blocks were dropped.
    pub reasons: Vec<String>,
}

/// One kernel, or what sums them up.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PriceRow {
    /// Kernel.
    pub kind: String,
    /// Without the lock / with it.
    pub ratio: Option<Estimate>,
    /// Of each block.
    pub blocks: Vec<(u32, f64)>,
    /// Blocks dropped, by the rules of the verdict.
    pub dropped: u32,
    /// ns a step, or bytes, without the lock.
    pub free: Option<Estimate>,
    /// With it.
    pub locked: Option<Estimate>,
}

/// One model's time a step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepRow {
    /// Model id.
    pub model: String,
    /// Kernel.
    pub kind: String,
    /// ns a step, over usable trials.
    pub step_ns: Estimate,
    /// Peak resident memory, bytes.
    pub peak_rss: Option<Estimate>,
}

impl PriceRow {
    /// The estimate, or the only block's value.
    pub fn centre(&self) -> Option<f64> {
        self.ratio.map(|r| r.value).or_else(|| self.blocks.first().map(|b| b.1))
    }
}

impl PricePair {
    /// Every row that has a ratio, what sums them up last.
    pub fn told(&self) -> impl Iterator<Item = &PriceRow> {
        let all = self.rows.iter().chain([&self.mean, &self.memory]);
        all.filter(|r| r.centre().is_some())
    }

    /// In words what is compared.
    pub fn likeness(&self) -> &'static str {
        match self.pair.likeness {
            Likeness::Build => "the same build, its lock off and on",
            Likeness::Version => "the same version, built without and with the lock",
        }
    }
}
