//! Scalability laws of a table: the file read, what is fitted, and what its figure shows. The numbers are
//! `amdahl_stats::laws`; nothing here draws or lays out text.

mod table;

use amdahl_stats::laws::{Analysis, Ends, Law, Options, Points, REACH};

pub use table::{Table, TableError, read};

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
    Ok(Study { name, raw, corrected, all })
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
}

/// A law's curve.
#[derive(Debug, Clone)]
pub struct LawCurve {
    /// Law.
    pub law: Law,
    /// Whether predictions are made from it; its band is drawn.
    pub predicts: bool,
    /// N, throughput, 95 % band for a new mean.
    pub points: Vec<(f64, f64, Option<Ends>)>,
}

impl LawFigure {
    /// From a study of at least two worker counts.
    pub fn of(study: &Study) -> Self {
        let raw = &study.raw;
        let fitted_to = raw.points.n_max();
        let lo = study.all.points.first().map_or(1.0, |p| p.n);
        let hi = (REACH * fitted_to).max(study.all.n_max());
        let predicting = raw.predicting().map(|f| f.law);
        let at = |k: usize| lo * (hi / lo).powf(k as f64 / (STEPS - 1) as f64);
        let curve = |law: Law, predicts: bool| {
            let fit = raw.fit(law)?;
            let point = |n: f64| {
                let p = if predicts { fit.predict(n)? } else { fit.expect(n)? };
                Some((n, p.throughput, p.ci95))
            };
            let points: Vec<_> = (0..STEPS).map(at).filter_map(point).collect();
            (!points.is_empty()).then_some(LawCurve { law, predicts, points })
        };
        let curves = Law::ALL.iter().filter_map(|l| curve(*l, predicting == Some(*l))).collect();
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
        }
    }
}
