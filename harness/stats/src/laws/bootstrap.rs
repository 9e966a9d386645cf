//! Percentile bootstrap intervals, shown beside the profile's: 2,000 draws, refitted without bounds.
//!
//! Over trials where each worker count has two at least, else over residuals. Percentile intervals of few
//! trials are too narrow (METHODOLOGY prints the measured coverage), so they carry no claim.

use super::estimate::{Estimate, Law, Parameters, relative_errors, throughput};
use super::points::{Point, Points};
use super::profile::Ends;
use super::solve::{Data, Weights};
use super::space::Target;
use crate::interval::quantile_sorted;
use crate::random::SplitMix;

/// Draws.
pub(super) const DRAWS: usize = 2000;
/// Share of draws that may have no fit.
const FAILED_MAX: f64 = 0.05;

/// What is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resampled {
    /// Trials within each worker count.
    Trials,
    /// Residuals of the fit, relative to it unless the weights are none.
    Residuals,
}

/// Percentile intervals of a law's parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bootstrap {
    /// What was drawn.
    pub over: Resampled,
    /// Draws that had a fit.
    pub draws: usize,
    /// Intervals; `None` for parameters that the law does not have.
    pub ci95: Parameters<Option<Ends>>,
}

/// `Err` with the number of draws that failed if they were too many.
pub(super) fn bootstrap(
    points: &Points,
    data: &Data,
    estimate: &Estimate,
    law: Law,
    draws: usize,
) -> Result<Bootstrap, usize> {
    let mut rng = SplitMix::new(SEED);
    let over = if points.replicated() { Resampled::Trials } else { Resampled::Residuals };
    let residuals = Residuals::of(points, data, estimate);
    let means: Vec<Mean<'_>> = points.points.iter().map(Mean::of).collect();
    let mut drawn = data.clone();
    let mut values: [Vec<f64>; 3] = Default::default();
    let mut rates = Vec::with_capacity(data.len());
    for _ in 0..draws {
        rates.clear();
        match over {
            Resampled::Trials => rates.extend(means.iter().map(|m| m.draw(&mut rng))),
            Resampled::Residuals => residuals.draw(&mut rng, &mut rates),
        }
        drawn.set(rates.iter().copied());
        let found =
            if drawn.possible() { Estimate::unbounded(&drawn, estimate.free) } else { None };
        if let Some(e) = found {
            let of = [Target::Gamma, Target::Alpha, Target::Beta].map(|t| t.value(&e.best.at));
            values.iter_mut().zip(of).for_each(|(v, x)| v.push(x));
        }
    }
    let failed = draws - values[0].len();
    if failed as f64 > FAILED_MAX * draws as f64 {
        return Err(failed);
    }
    let mut ends = values.into_iter().map(percentiles);
    let (mut gamma, alpha, beta) =
        (ends.next().flatten(), ends.next().flatten(), ends.next().flatten());
    if let Some(g) = &mut gamma {
        (g.lo, g.hi) = (g.lo.map(|x| x * data.scale), g.hi.map(|x| x * data.scale));
    }
    let [_, has_alpha, has_beta] = law.free();
    let ci95 =
        Parameters { gamma, alpha: alpha.filter(|_| has_alpha), beta: beta.filter(|_| has_beta) };
    Ok(Bootstrap { over, draws: draws - failed, ci95 })
}

/// The same data, the same intervals.
const SEED: u64 = 0x616d_6461_686c;

fn percentiles(mut values: Vec<f64>) -> Option<Ends> {
    values.sort_by(f64::total_cmp);
    Some(Ends { lo: quantile_sorted(&values, 0.025), hi: quantile_sorted(&values, 0.975) })
}

/// From so many trials on the resampled mean is drawn from its normal limit: a million rows are not drawn 2,000 times.
const MANY: usize = 200;

/// The trials of one worker count.
struct Mean<'a> {
    point: &'a Point,
    error: f64,
}

impl<'a> Mean<'a> {
    fn of(point: &'a Point) -> Self {
        let k = point.trials.len() as f64;
        let squares = point.trials.iter().map(|t| (t.1 - point.throughput).powi(2));
        Self { point, error: (squares.sum::<f64>() / (k * k)).sqrt() }
    }

    /// A resampled rate X / N.
    fn draw(&self, rng: &mut SplitMix) -> f64 {
        let trials = &self.point.trials;
        let k = trials.len();
        let mean = if k >= MANY {
            self.point.throughput + self.error * rng.normal()
        } else {
            (0..k).map(|_| trials[rng.below(k as u64) as usize].1 / k as f64).sum()
        };
        mean / self.point.n
    }
}

/// Centred residuals, blown up by √(n / (n - p)) for the freedom that the fit took.
struct Residuals {
    fits: Vec<(f64, f64)>,
    errors: Vec<f64>,
    relative: bool,
}

impl Residuals {
    fn of(points: &Points, data: &Data, estimate: &Estimate) -> Self {
        let x = &estimate.best.at;
        let fits: Vec<(f64, f64)> =
            points.points.iter().map(|p| (p.n, throughput(data, x, p.n))).collect();
        let relative = data.weights == Weights::Relative;
        let mut errors = relative_errors(data, x);
        if !relative {
            errors.iter_mut().zip(&fits).for_each(|(e, (_, fit))| *e *= fit);
        }
        let n = errors.len() as f64;
        let p = estimate.free.iter().filter(|f| **f).count() as f64;
        let mean = errors.iter().sum::<f64>() / n;
        let grow = (n / (n - p).max(1.0)).sqrt();
        errors.iter_mut().for_each(|e| *e = (*e - mean) * grow);
        Self { fits, errors, relative }
    }

    fn draw(&self, rng: &mut SplitMix, rates: &mut Vec<f64>) {
        let count = self.errors.len() as u64;
        rates.extend(self.fits.iter().map(|(n, fit)| {
            let e = self.errors[rng.below(count) as usize];
            (fit + if self.relative { e * fit } else { e }) / n
        }));
    }
}
