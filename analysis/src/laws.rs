//! Scalability laws of a table: the file read, what is fitted, and what its figure shows. The numbers are
//! `amdahl_stats::laws`; nothing here draws or lays out text.

mod table;

use amdahl_stats::laws::{Analysis, Break, Ends, Law, Options, Points, REACH, Sample};

pub use crate::table::TableError;
pub use table::{Table, read};

/// Points of a curve in the figure.
const STEPS: usize = 96;

/// What can be said of a table.
#[derive(Debug, Clone)]
pub struct Study {
    /// Where it came from, as a name.
    pub name: String,
    /// As measured.
    pub raw: Analysis,
    /// Relative to the ceiling, where the table has one.
    pub corrected: Option<Analysis>,
    /// Everything measured, also what a break kept from the fit.
    pub all: Points,
    /// Mean of the table's column `ceiling`, by N; empty without one.
    pub ceilings: Vec<(f64, f64)>,
}

/// Fits every law to a table.
pub fn study(name: String, table: &Table, options: &Options) -> Result<Study, TableError> {
    let all = Points::new(&table.samples).map_err(|e| table.locate(e))?;
    let raw = Analysis::new(&all, options);
    let corrected = Points::corrected(&table.samples).map(|points| {
        // Predictions are wanted in the table's own unit.
        let options = Options { predict: Vec::new(), ..options.clone() };
        Analysis::new(&points, &options)
    });
    Ok(Study { name, raw, corrected, all, ceilings: ceilings(&table.samples) })
}

fn ceilings(samples: &[Sample]) -> Vec<(f64, f64)> {
    let of = |s: &Sample| Some(Sample { throughput: s.ceiling?, trial: None, ..*s });
    let found: Vec<Sample> = samples.iter().filter_map(of).collect();
    let means = Points::new(&found).map_or_else(|_| Vec::new(), |p| p.points);
    means.into_iter().map(|p| (p.n, p.throughput)).collect()
}

/// What the figure shows.
#[derive(Debug, Clone)]
pub struct LawFigure {
    /// Name of the table.
    pub name: String,
    /// Every trial: N, throughput, fitted (not behind a break).
    pub trials: Vec<(f64, f64, bool)>,
    /// Means over trials, likewise.
    pub means: Vec<(f64, f64, bool)>,
    /// One a law.
    pub curves: Vec<LawCurve>,
    /// Largest N that was fitted; what lies beyond is extrapolated.
    pub fitted_to: f64,
    /// The peak, where there is one.
    pub peak: Option<(f64, f64)>,
    /// Where a break of the machine ended the fit.
    pub ended: Option<Break>,
}

/// A law's curve.
#[derive(Debug, Clone, PartialEq)]
pub struct LawCurve {
    /// Law.
    pub law: Law,
    /// Whether predictions are made from it; its band is drawn.
    pub predicts: bool,
    /// N, throughput, 95 % band for a new mean.
    pub points: Vec<(f64, f64, Option<Ends>)>,
}

/// Points of a curve in a small panel.
const STEPS_SMALL: usize = 32;

impl LawCurve {
    /// The law that predicts, with its band, for a small panel; `None` where there is none.
    pub fn of(raw: &Analysis, all: &Points) -> Option<Self> {
        let law = raw.predicting()?.law;
        Self::new(raw, law, true, (all.points.first()?.n, STEPS_SMALL))
    }

    /// From the smallest N to [`REACH`] times the largest that was fitted: what lies beyond is a scenario.
    fn new(raw: &Analysis, law: Law, predicts: bool, (lo, steps): (f64, usize)) -> Option<Self> {
        let (fit, hi) = (raw.fit(law)?, REACH * raw.points.n_max());
        let at = |k: usize| lo * (hi / lo).powf(k as f64 / (steps - 1) as f64);
        let point = |n: f64| {
            let p = if predicts { fit.predict(n)? } else { fit.expect(n)? };
            Some((n, p.throughput, p.ci95))
        };
        let points: Vec<_> = (0..steps).map(at).filter_map(point).collect();
        (!points.is_empty()).then_some(Self { law, predicts, points })
    }
}

impl LawFigure {
    /// From a study of at least two worker counts.
    pub fn of(study: &Study) -> Self {
        let raw = &study.raw;
        let fitted_to = raw.points.n_max();
        let lo = study.all.points.first().map_or(1.0, |p| p.n);
        let predicting = raw.predicting().map(|f| f.law);
        let curve = |law: Law| LawCurve::new(raw, law, predicting == Some(law), (lo, STEPS));
        let curves = Law::ALL.iter().filter_map(|l| curve(*l)).collect();
        let trials = study
            .all
            .points
            .iter()
            .flat_map(|p| p.trials.iter().map(move |(_, x)| (p.n, *x, p.n <= fitted_to)));
        let means = study.all.points.iter().map(|p| (p.n, p.throughput, p.n <= fitted_to));
        Self {
            name: study.name.clone(),
            trials: trials.collect(),
            means: means.collect(),
            curves,
            fitted_to,
            peak: raw.peak.map(|p| (p.n, p.throughput)),
            ended: raw.ended(),
        }
    }
}
