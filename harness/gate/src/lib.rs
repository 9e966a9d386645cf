//! A verdict on a change: what `amdahl ab` and `amdahl compare` say, and every form in which it is read.
//!
//! Both programs link this, so that a pull request looks the same whichever of them judged it. Decisions are made in `amdahl-stats`;
//! here they are given a direction (is more better?), reasons and a form. Only `publish` writes files.

mod annotations;
mod form;
mod json;
mod markdown;
mod others;
mod publish;
mod terminal;
mod words;

use amdahl_stats::{Change, Decision, Evidence, Interval};

pub use annotations::{ANNOTATIONS_MAX, annotations};
pub use form::{FORMS, form};
pub use json::report_json;
pub use markdown::{SUMMARY_BYTES_MAX, markdown};
pub use others::{action_benchmark, bencher};
pub use publish::{Wanted, check, publish};
pub use terminal::terminal;

/// Which direction of a metric is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Rates.
    Higher,
    /// Times.
    Lower,
}

/// What became of a cell, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Shown to be worse, by more than the margin.
    Regressed,
    /// Worse in data that can't show it: of one process, or of a tool that keeps no independent trials.
    Suspect,
    /// Nothing was shown; not "no change".
    Inconclusive,
    /// Shown to be as good, within the equivalence margin.
    Equivalent,
    /// Shown to be better, by more than the margin.
    Improved,
}

impl Verdict {
    /// As JSON and people have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Regressed => "regressed",
            Self::Suspect => "suspect",
            Self::Inconclusive => "inconclusive",
            Self::Equivalent => "equivalent",
            Self::Improved => "improved",
        }
    }

    /// A change of the metric, read as good or bad.
    pub fn of(change: Change, better: Better) -> Self {
        match (change, better) {
            (Change::Equivalent, _) => Self::Equivalent,
            (Change::Inconclusive, _) => Self::Inconclusive,
            (Change::Higher, Better::Higher) | (Change::Lower, Better::Lower) => Self::Improved,
            (Change::Higher, Better::Lower) | (Change::Lower, Better::Higher) => Self::Regressed,
        }
    }
}

/// What a cell measures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metric {
    /// `throughput`, `wall_ns`, ….
    pub name: String,
    /// Unit of its values, e.g. `ns`; empty for ratios.
    pub unit: String,
    /// Which direction is good.
    pub better: Better,
}

/// One judged cell.
#[derive(Debug, Clone)]
pub struct Cell {
    /// What was compared.
    pub name: String,
    /// In which figure.
    pub metric: Metric,
    /// What became of it.
    pub verdict: Verdict,
    /// Ratio of B to A with its 95 % interval.
    pub ratio: Option<Interval>,
    /// Adjusted p that nothing changed by more than the margin.
    pub p: f64,
    /// Regression margin, a share.
    pub margin: f64,
    /// Equivalence margin, a share.
    pub equivalence_margin: f64,
    /// Pairs, or the smaller number of trials, that it was judged by.
    pub pairs: usize,
    /// Pairs that were measured and not used.
    pub dropped_pairs: usize,
    /// The smallest ratio above 1 that could have been seen, of inconclusive cells.
    pub smallest_detectable: Option<f64>,
    /// Why it is inconclusive, and what else its reader must know.
    pub reasons: Vec<String>,
    /// Medians of A and of B.
    pub medians: Option<(f64, f64)>,
    /// The values it was judged by, of A and of B, in the order in which they were measured: whoever has them can judge again.
    pub samples: (Vec<f64>, Vec<f64>),
}

impl Cell {
    /// From a decision and what it was made from.
    pub fn new(name: &str, metric: Metric, evidence: &Evidence, decision: &Decision) -> Self {
        Self {
            name: name.to_owned(),
            verdict: Verdict::of(decision.change, metric.better),
            metric,
            ratio: evidence.ratio,
            p: decision.p,
            margin: evidence.margins.regression,
            equivalence_margin: evidence.margins.equivalence,
            pairs: evidence.n,
            dropped_pairs: 0,
            smallest_detectable: decision.smallest_detectable,
            reasons: decision.reason.iter().cloned().collect(),
            medians: None,
            samples: (Vec::new(), Vec::new()),
        }
    }
}

/// A byte copy of A, or A once more, measured as a third arm: can this machine judge now?
#[derive(Debug, Clone, PartialEq)]
pub struct Sentinel {
    /// Smallest adjusted p of its cells.
    pub p: f64,
    /// It was called changed: so no other cell's change can be believed.
    pub rejected: bool,
}

/// All of a comparison.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Its cells, as planned.
    pub cells: Vec<Cell>,
    /// Where there was one.
    pub sentinel: Option<Sentinel>,
}

impl Report {
    /// The worst of the cells; inconclusive where there are none.
    pub fn verdict(&self) -> Verdict {
        self.cells.iter().map(|c| c.verdict).min().unwrap_or(Verdict::Inconclusive)
    }

    /// Exit status: 1 for a regression; with `strict` 3 for what is not decided.
    pub fn exit_code(&self, strict: bool) -> u8 {
        match self.verdict() {
            Verdict::Regressed => 1,
            Verdict::Suspect | Verdict::Inconclusive if strict => 3,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_good_or_bad_by_its_metric() {
        for (change, better, verdict) in [
            (Change::Higher, Better::Higher, Verdict::Improved),
            (Change::Higher, Better::Lower, Verdict::Regressed),
            (Change::Lower, Better::Higher, Verdict::Regressed),
            (Change::Lower, Better::Lower, Verdict::Improved),
            (Change::Equivalent, Better::Lower, Verdict::Equivalent),
            (Change::Inconclusive, Better::Higher, Verdict::Inconclusive),
        ] {
            assert_eq!(Verdict::of(change, better), verdict);
        }
    }

    #[test]
    fn nothing_compared_is_nothing_shown() {
        assert_eq!(Report::default().verdict(), Verdict::Inconclusive);
        assert_eq!((Report::default().exit_code(false), Report::default().exit_code(true)), (0, 3));
    }
}
