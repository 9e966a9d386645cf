//! A law's estimate, bounded or not, and how well the points determine it.

use nalgebra::{Matrix3, SymmetricEigen};

use super::solve::{Data, Minimum, Weights};
use super::space::{Abc, Free, Subspace, Target, dot};
use crate::interval::t_quantile;

/// A scalability law of throughput X over N workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Law {
    /// gamma N.
    Linear,
    /// gamma N / (1 + alpha (N - 1)): Amdahl, AFIPS 1967.
    Amdahl,
    /// gamma N / (1 + alpha (N - 1) + beta N (N - 1)): the Universal Scalability Law, Gunther 1993.
    Usl,
}

impl Law {
    /// All, the simplest first.
    pub const ALL: [Self; 3] = [Self::Linear, Self::Amdahl, Self::Usl];

    /// Name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Amdahl => "amdahl",
            Self::Usl => "usl",
        }
    }

    /// Name in a sentence.
    pub fn title(self) -> &'static str {
        match self {
            Self::Linear => "linear scaling",
            Self::Amdahl => "Amdahl's law",
            Self::Usl => "USL",
        }
    }

    /// Parameters: gamma, and alpha, and beta.
    pub fn parameters(self) -> usize {
        self.free().iter().filter(|f| **f).count()
    }

    /// Distinct worker counts from which on AICc is defined, the variance counted as a parameter.
    pub fn comparable_from(self) -> usize {
        self.parameters() + 3
    }

    pub(super) fn free(self) -> Free {
        [true, self >= Self::Amdahl, self == Self::Usl]
    }
}

/// Values of a law's parameters, or of something about each; `None` where the law has none or it is
/// not known.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Parameters<T> {
    /// X(1).
    pub gamma: T,
    /// Contention: the serial share.
    pub alpha: T,
    /// Coherency: what each pair of workers costs.
    pub beta: T,
}

/// A minimum in the space of a law, or in the part of it that a bound leaves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Estimate {
    pub(super) free: Free,
    pub(super) best: Minimum,
}

impl Estimate {
    pub(super) fn unbounded(data: &Data, free: Free) -> Option<Self> {
        let best = data.minimise(&Subspace::of(free))?;
        (best.at[0] > NO_GAMMA).then_some(Self { free, best })
    }

    /// With alpha, beta >= 0: the best of the parts of the space where the bounds hold.
    pub(super) fn bounded(data: &Data, free: Free) -> Option<Self> {
        let inside = |e: &Self| e.best.at[1] >= 0.0 && e.best.at[2] >= 0.0;
        let whole = Self::unbounded(data, free);
        if let Some(e) = whole.filter(inside) {
            return Some(e);
        }
        let parts: [Free; 3] =
            [[true, free[1], false], [true, false, free[2]], [true, false, false]];
        let parts = parts.into_iter().filter(|p| *p != free);
        let found = parts.filter_map(|p| Self::unbounded(data, p)).filter(inside);
        found.min_by(|x, y| x.best.deviance.total_cmp(&y.best.deviance))
    }

    pub(super) fn of(data: &Data, law: Law, bounded: bool) -> Option<Self> {
        if bounded { Self::bounded(data, law.free()) } else { Self::unbounded(data, law.free()) }
    }

    /// Parameters that the law has; at a bound 0.
    pub(super) fn parameters(&self, data: &Data, law: Law) -> Parameters<Option<f64>> {
        let x = &self.best.at;
        let has = law.free();
        Parameters {
            gamma: Some(Target::Gamma.value(x) * data.scale),
            alpha: has[1].then(|| not_rounding(Target::Alpha.value(x))),
            beta: has[2].then(|| not_rounding(Target::Beta.value(x))),
        }
    }
}

/// What arithmetic leaves of a 0 is a 0.
pub(super) fn not_rounding(x: f64) -> f64 {
    if x.abs() < 1e-14 { 0.0 } else { x }
}

/// An estimate with its spread: at least one more worker count than parameters.
#[derive(Debug, Clone)]
pub(super) struct Core {
    pub(super) data: Data,
    pub(super) estimate: Estimate,
    /// Residual variance, deviance / (n - p).
    pub(super) variance: f64,
    /// Two-sided and one-sided 95 % quantiles of t(n - p).
    pub(super) t: f64,
    pub(super) t_one_sided: f64,
    covariance: Option<Matrix3<f64>>,
    /// Condition of the Jacobian with columns of length 1.
    pub(super) condition: f64,
}

impl Core {
    pub(super) fn new(data: &Data, estimate: Estimate) -> Option<Self> {
        let p = estimate.free.iter().filter(|f| **f).count();
        let df = data.len().checked_sub(p).filter(|df| *df > 0)? as f64;
        let variance = estimate.best.deviance / df;
        let (inverse, condition) = inverse_information(data, &estimate);
        Some(Self {
            data: data.clone(),
            estimate,
            variance,
            t: t_quantile(0.975, df),
            t_one_sided: t_quantile(0.95, df),
            covariance: inverse.map(|m| m * variance),
            condition,
        })
    }

    /// Residuals are rounding errors: they say nothing about errors of the parameters.
    pub(super) fn exact(&self) -> bool {
        self.variance.sqrt() < EXACT
    }

    pub(super) fn at(&self) -> &Abc {
        &self.estimate.best.at
    }

    /// Standard error by the delta method.
    pub(super) fn standard_error(&self, target: Target) -> Option<f64> {
        let g = target.gradient(self.at());
        let g = [0, 1, 2].map(|k| if self.estimate.free[k] { g[k] } else { 0.0 });
        let c = self.covariance?;
        let variance: f64 = (0..3)
            .flat_map(|i| (0..3).map(move |j| (i, j)))
            .map(|(i, j)| g[i] * c[(i, j)] * g[j])
            .sum();
        Some(variance.sqrt()).filter(|s| s.is_finite())
    }

    /// Correlation of alpha and beta.
    pub(super) fn correlation(&self) -> Option<f64> {
        let (a, b) = (self.standard_error(Target::Alpha)?, self.standard_error(Target::Beta)?);
        // Var(alpha + 2 beta) = Var(alpha) + 4 Cov + 4 Var(beta).
        let sum = self.standard_error(Target::AlphaPlus2Beta)?;
        Some((sum * sum - a * a - 4.0 * b * b) / (4.0 * a * b)).filter(|r| r.is_finite())
    }

    /// Unit in which a target's value is in the points' own.
    pub(super) fn unit(&self, target: Target) -> f64 {
        match target {
            Target::Gamma => self.data.scale,
            Target::Eta(_) => 1.0 / self.data.scale,
            _ => 1.0,
        }
    }
}

/// A smaller a is X(1) above a billion times what a worker does at the N measured: the points have no law.
const NO_GAMMA: f64 = 1e-9;

/// Below this relative size residuals are rounding errors of the input.
pub(super) const EXACT: f64 = 1e-9;

/// Inverse of Σ g gᵀ over the free coordinates (0 elsewhere), and the condition.
fn inverse_information(data: &Data, estimate: &Estimate) -> (Option<Matrix3<f64>>, f64) {
    let x = &estimate.best.at;
    let row = |k: usize| {
        let s = data.sensitivity(k, x);
        [0, 1, 2].map(|i| if estimate.free[i] { s * data.terms[k][i] } else { 0.0 })
    };
    let mut squares = [0.0_f64; 3];
    for g in (0..data.len()).map(row) {
        (0..3).for_each(|i| squares[i] += g[i] * g[i]);
    }
    let lengths = squares.map(|s| if s > 0.0 { s.sqrt() } else { 1.0 });
    let mut gram = Matrix3::zeros();
    for g in (0..data.len()).map(row) {
        let g = nalgebra::Vector3::from_fn(|i, _| g[i] / lengths[i]);
        gram += g * g.transpose();
    }
    // Coordinates that are not free: a 1 in the diagonal changes neither the inverse of the rest nor,
    // being the mean of its eigenvalues, the condition.
    (0..3).filter(|i| !estimate.free[*i]).for_each(|i| gram[(i, i)] = 1.0);
    let eigen = SymmetricEigen::new(gram).eigenvalues;
    let condition = (eigen.max() / eigen.min().max(0.0)).sqrt();
    let inverse = gram.cholesky().map(|c| {
        let m = c.inverse();
        Matrix3::from_fn(|i, j| {
            let free = estimate.free[i] && estimate.free[j];
            if free { m[(i, j)] / (lengths[i] * lengths[j]) } else { 0.0 }
        })
    });
    (inverse, condition)
}

/// Relative error of each point: X / fit - 1.
pub(super) fn relative_errors(data: &Data, x: &Abc) -> Vec<f64> {
    (0..data.len()).map(|k| data.relative_error(k, x)).collect()
}

/// -2 log likelihood at the best variance: Gauss, or with relative weights the extended quasi-likelihood
/// of variance φ X² (Nelder and Pregibon 1987), which has the same constant for every law.
pub(super) fn minus_2_log_likelihood(data: &Data, rates: &[f64], deviance: f64) -> f64 {
    let n = data.len() as f64;
    // What is exact to rounding is equally good: the penalty decides.
    let phi = (deviance / n).max(EXACT * EXACT);
    let gauss = n * (2.0 * std::f64::consts::PI * phi).ln() + n;
    match data.weights {
        Weights::Relative => gauss + 2.0 * rates.iter().map(|x| x.ln()).sum::<f64>(),
        Weights::None => gauss + 2.0 * n * data.unit.ln(),
    }
}

/// η at a worker count, in the points' own unit of X / N inverted.
pub(super) fn throughput(data: &Data, x: &Abc, n: f64) -> f64 {
    n / dot(x, &super::space::terms(n)) * data.scale
}
