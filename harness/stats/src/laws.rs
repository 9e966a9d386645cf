//! Scalability laws of a table of worker counts and throughput, with what can and can't be known of them.
//!
//! `points` (rows to one mean an N), `space` (laws as linear spaces), `solve` (the minimum), `estimate`
//! (bounds, errors), `profile`, `curve` and `bootstrap` (intervals), `fit` (one law with its warnings), `few` (what needs
//! no fit), `change` (breaks of the machine), `compare` (AICc weights), `warning` (a closed list), `json`. Reads no file
//! and draws nothing.

mod bootstrap;
mod change;
mod compare;
mod curve;
mod estimate;
mod few;
mod fit;
mod json;
mod points;
mod profile;
mod solve;
mod space;
#[cfg(test)]
mod tests;
mod warning;

pub use bootstrap::{Bootstrap, Resampled};
pub use change::{Break, Change};
pub use curve::{Parameter, Profile};
pub use estimate::{Law, Parameters};
pub use few::KarpFlatt;
pub use fit::{Fit, Prediction};
pub use json::analysis_json;
pub use points::{Point, Points, PointsError, Sample};
pub use profile::Ends;
pub use solve::Weights;
pub use warning::{Unidentified, Warning, digits};

use space::Target;

/// Predictions reach this many times the largest N measured; beyond it is a scenario.
pub const REACH: f64 = 2.0;

/// How to fit.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Weights of the residuals.
    pub weights: Weights,
    /// Without the bounds alpha, beta >= 0.
    pub unbounded: bool,
    /// Worker counts to predict.
    pub predict: Vec<f64>,
    /// The machine changes behind this N and the placement crosses it: what lies behind is not fitted.
    pub end: Option<Break>,
    /// What is already so for the second worker: one alone shares nothing, so this ends no fit, but it is part of what
    /// the laws find.
    pub from_two: Option<Change>,
    /// Bootstrap draws; 0 for none.
    pub bootstrap_draws: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            weights: Weights::Relative,
            unbounded: false,
            predict: Vec::new(),
            end: None,
            from_two: None,
            bootstrap_draws: bootstrap::DRAWS,
        }
    }
}

/// The worker count at which throughput is largest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Peak {
    /// √((1 - alpha) / beta).
    pub n: f64,
    /// Throughput there.
    pub throughput: f64,
    /// 95 % profile interval of `n`; `None` where the points are exact.
    pub ci95: Option<Ends>,
    /// Farther than [`REACH`] times the largest N measured.
    pub scenario: bool,
}

/// What can be said of one table.
#[derive(Debug, Clone, PartialEq)]
pub struct Analysis {
    /// What was fitted: means up to the break, if there is one.
    pub points: Points,
    /// Weights of the residuals.
    pub weights: Weights,
    /// Laws, the simplest first; empty below three worker counts.
    pub fits: Vec<Fit>,
    /// Lowest AICc.
    pub selected: Option<Law>,
    /// Too few worker counts for AICc of every law.
    pub not_comparable: bool,
    /// Only where USL is identified and the interval of beta lies above 0.
    pub peak: Option<Peak>,
    /// USL's parameters are determined by the points.
    pub identifiable: bool,
    /// What is known where alpha and beta can't be told apart.
    pub alpha_plus_2beta: Option<Combination>,
    /// e(N).
    pub karp_flatt: Vec<KarpFlatt>,
    /// As asked for, by [`Analysis::predicting`].
    pub predictions: Vec<Prediction>,
    /// About all fits.
    pub warnings: Vec<Warning>,
}

/// alpha + 2 beta with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Combination {
    /// Estimate.
    pub estimate: f64,
    /// 95 %: t over trials with fewer than four worker counts, else the profile's.
    pub ci95: Option<Ends>,
}

impl Analysis {
    /// Fits every law to the points.
    pub fn new(all: &Points, options: &Options) -> Self {
        let (points, left_out) = all.up_to(options.end.map(|b| b.after));
        let distinct = points.points.len();
        let mut warnings = warnings_of(&points);
        if let Some(Break { after, change }) = options.end.filter(|_| left_out > 0) {
            warnings.push(Warning::BehindBreak { after, change, left_out });
        }
        warnings.extend(options.from_two.map(|change| Warning::FromTwo { change }));
        let mut fits = Vec::new();
        if distinct >= 3 {
            fits = Law::ALL.iter().map(|law| Fit::new(&points, *law, options)).collect();
        } else {
            warnings.push(Warning::TooFewForCurve { distinct });
        }
        let (selected, not_comparable) = compare::compare(&mut fits);
        warnings.extend(doubts(&fits, selected));
        let karp_flatt = few::karp_flatt_of(&points);
        let usl = fits.iter_mut().find(|f| f.law == Law::Usl);
        let identifiable = usl.as_ref().is_some_and(|f| f.identified);
        let alpha_plus_2beta = combination(usl.as_deref(), &karp_flatt);
        let peak = usl.and_then(|f| find_peak(f, points.n_max()));
        let mut analysis = Self {
            points,
            weights: options.weights,
            fits,
            selected,
            not_comparable,
            peak,
            identifiable,
            alpha_plus_2beta,
            karp_flatt,
            predictions: Vec::new(),
            warnings,
        };
        let predicting = analysis.predicting();
        analysis.predictions = predicting.map_or_else(Vec::new, |fit| {
            options.predict.iter().filter_map(|n| fit.predict(*n)).collect()
        });
        analysis
    }

    /// The fit that predicts: the selected one; where none is, the most general one that the points can judge,
    /// because its bands are the widest.
    pub fn predicting(&self) -> Option<&Fit> {
        match self.selected {
            Some(law) => self.fit(law),
            None => self.fits.iter().rev().find(|f| f.can_predict()),
        }
    }

    /// The break that kept points from the fit, if one did.
    pub fn ended(&self) -> Option<Break> {
        self.warnings.iter().find_map(|w| match *w {
            Warning::BehindBreak { after, change, .. } => Some(Break { after, change }),
            _ => None,
        })
    }

    /// The fit of a law.
    pub fn fit(&self, law: Law) -> Option<&Fit> {
        self.fits.iter().find(|f| f.law == law)
    }
}

fn warnings_of(points: &Points) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if let Some(distinct) = points.grouped_from {
        warnings.push(Warning::Grouped { distinct, groups: points.points.len() });
    }
    if points.at(1.0).is_none() {
        let smallest = points.points.first().map_or(f64::NAN, |p| p.n);
        warnings.push(Warning::NoFirstPoint { smallest });
    }
    if !points.replicated() {
        warnings.push(Warning::NoTrials);
    }
    warnings
}

/// What speaks against the choice.
fn doubts(fits: &[Fit], selected: Option<Law>) -> Vec<Warning> {
    let Some(law) = selected else { return Vec::new() };
    let mut doubts = Vec::new();
    let above_zero = |e: Option<Ends>| e.is_some_and(|e| e.lo.is_some_and(|lo| lo > 0.0));
    let more = fits.iter().filter(|f| f.law > law && f.identified);
    for (parameter, ends) in more
        .flat_map(|f| {
            let of =
                |least: Law, name, ends| (f.law >= least && law < least).then_some((name, ends));
            [of(Law::Amdahl, "alpha", f.ci95.alpha), of(Law::Usl, "beta", f.ci95.beta)]
        })
        .flatten()
    {
        let doubt = Warning::Contradicted { law, parameter };
        if above_zero(ends) && !doubts.contains(&doubt) {
            doubts.push(doubt);
        }
    }
    let weight = fits.iter().find(|f| f.law == law).and_then(|f| f.weight);
    doubts
        .extend(weight.filter(|w| *w < compare::CLEAR).map(|weight| Warning::Undecided { weight }));
    doubts
}

/// The profile's where USL has one, else e(2), which is the same.
fn combination(usl: Option<&Fit>, karp_flatt: &[KarpFlatt]) -> Option<Combination> {
    if let Some(found) = usl.and_then(Fit::alpha_plus_2beta) {
        return Some(found);
    }
    let two = karp_flatt.iter().find(|k| k.n == 2.0)?;
    let ends = |(lo, hi)| Ends { lo: Some(lo), hi: Some(hi) };
    Some(Combination { estimate: two.e, ci95: two.ci95.map(ends) })
}

/// The peak, where it is real: under the reported fit, and with an interval of beta above 0. Otherwise USL's fit is
/// told why there is none.
fn find_peak(usl: &mut Fit, largest: f64) -> Option<Peak> {
    let core = usl.reported.as_ref()?;
    let [a, b, c] = *core.at();
    let n = Target::Peak.value(core.at());
    let turns = n.is_finite() && n > 1.0;
    let exact = core.exact() && turns && c * largest * largest > 1e-6 * a && b < a;
    let proven = usl.ci95.beta.is_some_and(|e| e.lo.is_some_and(|lo| lo > 0.0));
    if !(usl.identified && turns && proven || exact) {
        let at = Some(n).filter(|_| turns && c > 1e-9 * a);
        usl.warnings.push(Warning::NoPeak { at });
        return None;
    }
    let scenario = n > REACH * largest;
    let throughput = estimate::throughput(&core.data, core.at(), n);
    let ci95 = core.interval(Target::Peak);
    if scenario {
        usl.warnings.push(Warning::PeakBeyond { at: n, largest });
    }
    Some(Peak { n, throughput, ci95, scenario })
}
