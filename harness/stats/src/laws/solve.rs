//! The minimum of the deviance in a subspace, by the Levenberg-Marquardt method of MINPACK.
//!
//! Relative weights: noise of constant relative size, weights 1 / fit² of the very fit that is looked for.
//! Their fixed point is the minimum of the gamma deviance 2 Σ (z - 1 - ln z) with z = X / fit (Wedderburn 1974;
//! McCullagh and Nelder 1989, chapter 8), so one minimisation does what reweighting iterates towards, and the
//! deviance is the likelihood that profiles need. Without weights it is the sum of squares.

use levenberg_marquardt::{LeastSquaresProblem, LevenbergMarquardt};
use nalgebra::storage::Owned;
use nalgebra::{Const, Dyn, Matrix3, OMatrix, OVector, SVector, Vector3};

use super::points::Points;
use super::space::{Abc, Subspace, dot, terms};

/// How residuals are weighted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Weights {
    /// By 1 / fit²: noise of constant relative size.
    #[default]
    Relative,
    /// All alike.
    None,
}

/// A residual where the law has no value: larger than any real one, and its square still finite.
const OUTSIDE: f64 = 1e100;

/// What is fitted, scaled so that a is near 1.
#[derive(Debug, Clone)]
pub(super) struct Data {
    pub(super) terms: Vec<Abc>,
    /// X / N in units of `scale`.
    rate: Vec<f64>,
    /// What an error of the rate weighs, without weights.
    size: Vec<f64>,
    /// Unit of X / N.
    pub(super) scale: f64,
    /// Unit of X, for sums of squares.
    pub(super) unit: f64,
    pub(super) weights: Weights,
}

/// A minimum.
#[derive(Debug, Clone, Copy)]
pub(super) struct Minimum {
    pub(super) at: Abc,
    pub(super) deviance: f64,
}

impl Data {
    pub(super) fn new(points: &Points, weights: Weights) -> Self {
        let points = &points.points;
        let count = points.len() as f64;
        let scale = (points.iter().map(|p| (p.throughput / p.n).ln()).sum::<f64>() / count).exp();
        let unit = points.iter().map(|p| p.throughput / count).sum::<f64>();
        let size = points.iter().map(|p| p.n * (scale / unit)).collect();
        let terms = points.iter().map(|p| terms(p.n)).collect();
        let mut data = Self { terms, rate: Vec::new(), size, scale, unit, weights };
        data.set(points.iter().map(|p| p.throughput / p.n));
        data
    }

    /// Other rates X / N at the same worker counts, in the same units.
    pub(super) fn set(&mut self, rates: impl Iterator<Item = f64>) {
        self.rate.clear();
        self.rate.extend(rates.map(|r| r / self.scale));
    }

    /// Without one of the points.
    pub(super) fn without(&self, k: usize) -> Self {
        let mut less = self.clone();
        less.terms.remove(k);
        less.rate.remove(k);
        less.size.remove(k);
        less
    }

    /// Whether the deviance of these rates is finite: without weights they may even be negative.
    pub(super) fn possible(&self) -> bool {
        let least = if self.weights == Weights::None { f64::NEG_INFINITY } else { 0.0 };
        self.rate.iter().all(|r| *r > least && r.is_finite())
    }

    pub(super) fn len(&self) -> usize {
        self.rate.len()
    }

    /// Residual at a point; its square is a term of the deviance.
    fn residual(&self, k: usize, eta: f64) -> f64 {
        if eta.is_nan() || eta <= 0.0 || !eta.is_finite() {
            return OUTSIDE;
        }
        match self.weights {
            Weights::Relative => {
                let e = self.rate[k] * eta - 1.0;
                (e * root(e)).clamp(-OUTSIDE, OUTSIDE)
            }
            Weights::None => (self.size[k] * (self.rate[k] - 1.0 / eta)).clamp(-OUTSIDE, OUTSIDE),
        }
    }

    /// Its derivative by η.
    fn slope(&self, k: usize, eta: f64) -> f64 {
        match self.weights {
            Weights::Relative => {
                let z = self.rate[k] * eta;
                self.rate[k] / (z * root(z - 1.0))
            }
            Weights::None => self.size[k] / (eta * eta),
        }
    }

    /// Derivative of the (relative) fit by η, for the information matrix.
    pub(super) fn sensitivity(&self, k: usize, x: &Abc) -> f64 {
        let eta = dot(x, &self.terms[k]);
        match self.weights {
            Weights::Relative => 1.0 / eta,
            Weights::None => self.size[k] / (eta * eta),
        }
    }

    pub(super) fn deviance(&self, x: &Abc) -> f64 {
        (0..self.len()).map(|k| self.residual(k, dot(x, &self.terms[k])).powi(2)).sum()
    }

    /// Throughput is positive and finite at every N measured, and at N = 1.
    fn feasible(&self, x: &Abc) -> bool {
        x[0] > 0.0 && self.terms.iter().all(|h| dot(x, h) > 0.0)
    }

    /// X / fit - 1.
    pub(super) fn relative_error(&self, k: usize, x: &Abc) -> f64 {
        self.rate[k] * dot(x, &self.terms[k]) - 1.0
    }

    /// The minimum in a subspace; `None` where no point of it is possible, or none was found.
    pub(super) fn minimise(&self, space: &Subspace) -> Option<Minimum> {
        match space.basis.len() {
            0 => {
                let at = space.origin;
                self.feasible(&at).then(|| Minimum { at, deviance: self.deviance(&at) })
            }
            1 => self.solve::<1>(space),
            2 => self.solve::<2>(space),
            _ => self.solve::<3>(space),
        }
    }

    fn solve<const P: usize>(&self, space: &Subspace) -> Option<Minimum> {
        let theta = SVector::<f64, P>::from_row_slice(&self.start(space)?[..P]);
        let problem = Problem { data: self, space, theta };
        let (problem, report) = LevenbergMarquardt::new()
            .with_ftol(1e-14)
            .with_xtol(1e-12)
            .with_gtol(1e-12)
            .with_patience(60)
            .minimize(problem);
        let at = space.at(problem.theta.as_slice());
        let deviance = 2.0 * report.objective_function;
        (deviance.is_finite() && self.feasible(&at)).then_some(Minimum { at, deviance })
    }

    /// Where to begin: the minimum of Σ (z - 1)², which is linear; else the first possible point on a ladder.
    fn start(&self, space: &Subspace) -> Option<[f64; 3]> {
        let columns: Vec<Abc> = self.terms.iter().map(|h| coordinates(space, h)).collect();
        let mut sizes = [0.0_f64; 3];
        // Rates below 0, which residuals can draw, have no part in it.
        let rates = || self.rate.iter().map(|r| r.max(0.0));
        for (column, rate) in columns.iter().zip(rates()) {
            (0..3).for_each(|i| sizes[i] = sizes[i].max((column[i] * rate).abs()));
        }
        let sizes = sizes.map(|s| if s > 0.0 { s } else { 1.0 });
        let (mut gram, mut right) = (Matrix3::zeros(), Vector3::zeros());
        for ((column, rate), h) in columns.iter().zip(rates()).zip(&self.terms) {
            let x = Vector3::from_fn(|i, _| column[i] * rate / sizes[i]);
            gram += x * x.transpose();
            right += x * (1.0 - rate * dot(&space.origin, h));
        }
        (space.basis.len()..3).for_each(|i| gram[(i, i)] = 1.0);
        let scaled = |t: Vector3<f64>| [t[0] / sizes[0], t[1] / sizes[1], t[2] / sizes[2]];
        let least = gram.cholesky().map(|c| scaled(c.solve(&right)));
        let ladder = (-24..=24).flat_map(|k| {
            let step = 4f64.powi(k);
            [[1.0, step, step], [1.0, step, 0.0], [step, 1.0, 0.0], [1.0, 0.0, step]]
                .map(|t| scaled(Vector3::from(t)))
        });
        let possible = |t: &[f64; 3]| self.feasible(&space.at(&t[..space.basis.len()]));
        least.filter(possible).or_else(|| ladder.into_iter().find(possible))
    }
}

/// √(2 (e - ln(1 + e))) / e, positive: 1 at e = 0, by its series where the difference would cancel.
fn root(e: f64) -> f64 {
    if e.abs() < 1e-2 {
        let series = (2..=10).rev().fold(0.0, |sum, k| {
            let term = if k % 2 == 0 { 1.0 } else { -1.0 } / f64::from(k);
            sum * e + term
        });
        return (2.0 * series).sqrt();
    }
    (2.0 * (e - e.ln_1p())).sqrt() / e.abs()
}

/// η's coordinates along the basis, at one worker count.
fn coordinates(space: &Subspace, h: &Abc) -> Abc {
    let mut c = [0.0; 3];
    for (c, v) in c.iter_mut().zip(&space.basis) {
        *c = dot(v, h);
    }
    c
}

struct Problem<'a, const P: usize> {
    data: &'a Data,
    space: &'a Subspace,
    theta: SVector<f64, P>,
}

impl<const P: usize> LeastSquaresProblem<f64, Dyn, Const<P>> for Problem<'_, P> {
    type ParameterStorage = Owned<f64, Const<P>>;
    type ResidualStorage = Owned<f64, Dyn>;
    type JacobianStorage = Owned<f64, Dyn, Const<P>>;

    fn set_params(&mut self, theta: &SVector<f64, P>) {
        self.theta.copy_from(theta);
    }

    fn params(&self) -> SVector<f64, P> {
        self.theta
    }

    fn residuals(&self) -> Option<OVector<f64, Dyn>> {
        let x = self.space.at(self.theta.as_slice());
        let of = |k: usize, _| {
            let eta = if x[0] > 0.0 { dot(&x, &self.data.terms[k]) } else { f64::NAN };
            self.data.residual(k, eta)
        };
        Some(OVector::<f64, Dyn>::from_fn_generic(Dyn(self.data.len()), Const::<1>, of))
    }

    fn jacobian(&self) -> Option<OMatrix<f64, Dyn, Const<P>>> {
        let x = self.space.at(self.theta.as_slice());
        let of = |k: usize, i: usize| {
            let h = &self.data.terms[k];
            self.data.slope(k, dot(&x, h)) * dot(&self.space.basis[i], h)
        };
        Some(OMatrix::from_fn_generic(Dyn(self.data.len()), Const::<P>, of))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_series_meets_the_formula() {
        for e in [-0.0101, 0.0101, -0.00999, 0.00999] {
            let by_formula = (2.0 * (e - f64::ln_1p(e))).sqrt() / f64::abs(e);
            assert!((root(e) - by_formula).abs() < 1e-11, "{e}");
        }
        assert_eq!(root(0.0), 1.0);
        assert!(root(-1.0).is_infinite() && root(-0.5) > 1.0 && root(3.0) < 1.0);
    }
}
