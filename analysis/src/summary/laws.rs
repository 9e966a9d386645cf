//! What tables and figures of scalability laws show.

use amdahl_stats::laws::{Analysis, Break, Fit, Points, Profile};

use crate::laws::LawCurve;

/// What can be said of one model and workload over its worker counts.
#[derive(Debug, Clone, PartialEq)]
pub struct LawRow {
    /// Model id.
    pub model: String,
    /// Workload with its parameters.
    pub workload: String,
    /// Throughput as measured, up to the first break of the machine.
    pub raw: Analysis,
    /// Relative to the ceiling, where there is one.
    pub corrected: Option<Analysis>,
    /// Everything measured, also behind a break.
    pub all: Points,
    /// Mean throughput of the ceiling, by N.
    pub ceilings: Vec<(f64, f64)>,
    /// Breaks of the machine within what was measured, ascending; the first one ends the fit.
    pub breaks: Vec<Break>,
    /// The law that predicts.
    pub curve: Option<LawCurve>,
    /// Profiles of USL's alpha and beta, where it was fitted.
    pub profiles: Vec<Profile>,
}

impl LawRow {
    /// The fit that the figures show, and its X(1), which speed-ups are relative to.
    pub fn shown(&self) -> Option<(&Fit, f64)> {
        let fit = self.raw.predicting()?;
        Some((fit, fit.parameters.gamma.filter(|g| *g > 0.0)?))
    }
}
