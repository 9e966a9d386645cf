//! One law fitted to points: parameters, intervals, how well it does, and what a reader must know.

use super::bootstrap::{Bootstrap, bootstrap};
use super::compare::aicc;
use super::estimate::{
    Core, Estimate, Law, Parameters, minus_2_log_likelihood, not_rounding, relative_errors,
    throughput,
};
use super::points::Points;
use super::profile::Ends;
use super::solve::{Data, Weights};
use super::space::Target;
use super::warning::{Unidentified, Warning};
use super::{Combination, Options, REACH};

/// A law that misses the points by more than this, root mean square, is labelled.
const INADEQUATE: f64 = 0.10;
/// Condition of the scaled Jacobian beyond which noise of 1 % makes a parameter ten times as large.
const CONDITION_MAX: f64 = 1e3;
/// Correlation of alpha and beta beyond which only their sum is known.
const CORRELATION_MAX: f64 = 0.999;

/// Throughput expected at a worker count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// Law it follows from.
    pub law: Law,
    /// Workers.
    pub n: f64,
    /// Expected throughput.
    pub throughput: f64,
    /// 95 % for a new mean at N under this law: profile interval and residual spread, in quadrature. Sampling error
    /// alone: whether the law holds there is not in it.
    pub ci95: Option<Ends>,
    /// Farther than [`REACH`] times the largest N measured: no prediction.
    pub scenario: bool,
}

/// A fitted law.
#[derive(Debug, Clone)]
pub struct Fit {
    /// Law.
    pub law: Law,
    /// Bounded (alpha, beta >= 0) unless asked otherwise; gamma `None` where nothing was fitted.
    pub parameters: Parameters<Option<f64>>,
    /// Standard errors; `None` for a parameter at its bound.
    pub se: Parameters<Option<f64>>,
    /// Profile intervals of the law without bounds.
    pub ci95: Parameters<Option<Ends>>,
    /// Percentile intervals.
    pub bootstrap: Option<Bootstrap>,
    /// Small-sample information criterion.
    pub aicc: Option<f64>,
    /// Akaike weight.
    pub weight: Option<f64>,
    /// Root mean square of X / fit - 1.
    pub relative_rmse: Option<f64>,
    /// Root mean square relative error of each mean under the fit without it.
    pub loo_error: Option<f64>,
    /// Residual standard error in units of throughput; without weights alone.
    pub rse: Option<f64>,
    /// The points determine its parameters.
    pub identified: bool,
    /// What a reader must know.
    pub warnings: Vec<Warning>,
    /// Without bounds.
    pub(super) core: Option<Core>,
    /// As reported.
    pub(super) reported: Option<Core>,
    bounded: bool,
    n_max: f64,
    /// Upper end of the law's own value at the largest N.
    upper_at_n_max: Option<f64>,
}

/// A fit is what it says; how it was found follows from the points.
impl PartialEq for Fit {
    fn eq(&self, other: &Self) -> bool {
        (self.law, self.parameters, self.se, self.ci95, self.bootstrap)
            == (other.law, other.parameters, other.se, other.ci95, other.bootstrap)
            && (self.aicc, self.weight, self.relative_rmse, self.loo_error, self.rse)
                == (other.aicc, other.weight, other.relative_rmse, other.loo_error, other.rse)
            && (self.identified, &self.warnings) == (other.identified, &other.warnings)
    }
}

impl Fit {
    pub(super) fn new(points: &Points, law: Law, options: &Options) -> Self {
        let mut fit = Self::empty(law, points.n_max());
        let (distinct, parameters) = (points.points.len(), law.parameters());
        if distinct <= parameters {
            let why = Unidentified::Counts { distinct, parameters };
            fit.warnings.push(Warning::NotIdentified { law, why });
            return fit;
        }
        let data = Data::new(points, options.weights);
        let unbounded = Estimate::of(&data, law, false);
        let reported = if options.unbounded { unbounded } else { Estimate::of(&data, law, true) };
        let (Some(unbounded), Some(reported)) = (unbounded, reported) else {
            fit.warnings.push(Warning::NotSolved { law });
            return fit;
        };
        fit.core = Core::new(&data, unbounded);
        fit.reported = Core::new(&data, reported);
        fit.describe(points, &data, &reported, options);
        fit.bounded = !options.unbounded;
        fit.add_intervals();
        fit.judge(points, reported);
        let exact = fit.core.as_ref().is_some_and(Core::exact);
        if options.bootstrap_draws > 0 && !exact {
            let draws = options.bootstrap_draws;
            match bootstrap(points, &data, &unbounded, law, draws) {
                Ok(found) => fit.bootstrap = Some(found),
                Err(failed) => fit.warnings.push(Warning::NoBootstrap { failed, draws }),
            }
        }
        fit
    }

    /// Whether there is a spread to predict with.
    pub fn can_predict(&self) -> bool {
        self.reported.is_some()
    }

    /// Throughput expected at `n`, without an interval; `None` where the law was not fitted or has no value.
    pub fn expect(&self, n: f64) -> Option<Prediction> {
        let core = self.reported.as_ref()?;
        let throughput = throughput(&core.data, core.at(), n);
        let scenario = n > REACH * self.n_max;
        let possible = n > 0.0 && throughput > 0.0 && throughput.is_finite();
        possible.then_some(Prediction { law: self.law, n, throughput, ci95: None, scenario })
    }

    /// The same with its interval, which is that of the law without bounds, because a bound that holds by chance
    /// makes it too narrow; but if the bounds were not lifted, no wider than they allow: beyond the points at most in
    /// proportion to N.
    pub fn predict(&self, n: f64) -> Option<Prediction> {
        let core = self.core.as_ref()?;
        let expectation = self.expect(n)?;
        let expected = expectation.throughput;
        let spread = core.t * core.variance.sqrt();
        let spread = match core.data.weights {
            Weights::Relative => spread * expected,
            Weights::None => spread * core.data.unit,
        };
        let mut mean = mean_interval(core, n);
        if let Some(m) = mean.as_mut().filter(|_| self.bounded && n > self.n_max) {
            let proportional = self.upper_at_n_max.map(|x| x * n / self.n_max);
            m.hi = m.hi.into_iter().chain(proportional).reduce(f64::min);
        }
        let ci95 = mean.map(|e| Ends {
            // Throughput is positive, and what lies below 0 is the law's way of saying "anything".
            lo: e.lo.map(|lo| (expected - (expected - lo).max(0.0).hypot(spread)).max(0.0)),
            hi: e.hi.map(|hi| expected + (hi - expected).max(0.0).hypot(spread)),
        });
        Some(Prediction { ci95, ..expectation })
    }

    pub(super) fn alpha_plus_2beta(&self) -> Option<Combination> {
        let core = self.core.as_ref()?;
        let estimate = not_rounding(Target::AlphaPlus2Beta.value(core.at()));
        Some(Combination { estimate, ci95: core.interval(Target::AlphaPlus2Beta) })
    }

    fn empty(law: Law, n_max: f64) -> Self {
        Self {
            law,
            parameters: Parameters::default(),
            se: Parameters::default(),
            ci95: Parameters::default(),
            bootstrap: None,
            aicc: None,
            weight: None,
            relative_rmse: None,
            loo_error: None,
            rse: None,
            identified: false,
            warnings: Vec::new(),
            core: None,
            reported: None,
            bounded: true,
            n_max,
            upper_at_n_max: None,
        }
    }

    fn describe(&mut self, points: &Points, data: &Data, reported: &Estimate, options: &Options) {
        let n = data.len();
        self.parameters = reported.parameters(data, self.law);
        let rates: Vec<f64> = points.points.iter().map(|p| p.throughput).collect();
        let likelihood = minus_2_log_likelihood(data, &rates, reported.best.deviance);
        self.aicc = aicc(likelihood, self.law.parameters(), n);
        self.relative_rmse = Some(root_mean_square(&relative_errors(data, &reported.best.at)));
        let free = self.law.parameters() as f64;
        let rse = (reported.best.deviance / (n as f64 - free)).sqrt() * data.unit;
        self.rse = (data.weights == Weights::None).then_some(rse);
        self.loo_error = leave_one_out(points, data, self.law, !options.unbounded);
        if let Some(core) = &self.reported {
            let [_, alpha, beta] = core.estimate.free;
            let of = |target| core.standard_error(target).map(|s| s * core.unit(target));
            self.se = Parameters {
                gamma: of(Target::Gamma),
                alpha: of(Target::Alpha).filter(|_| alpha),
                beta: of(Target::Beta).filter(|_| beta),
            };
            if core.exact() {
                self.se = Parameters::default();
                self.warnings.push(Warning::Exact);
            }
        }
    }

    fn add_intervals(&mut self) {
        let Some(core) = &self.core else { return };
        let [_, alpha, beta] = self.law.free();
        self.ci95 = Parameters {
            gamma: core.interval(Target::Gamma),
            alpha: core.interval(Target::Alpha).filter(|_| alpha),
            beta: core.interval(Target::Beta).filter(|_| beta),
        };
        let named =
            [("gamma", self.ci95.gamma), ("alpha", self.ci95.alpha), ("beta", self.ci95.beta)];
        for (parameter, ends) in named {
            let Some(ends) = ends else { continue };
            for (end, upper) in [(ends.lo, false), (ends.hi, true)] {
                if end.is_none() {
                    self.warnings.push(Warning::OpenInterval { parameter, upper });
                }
            }
        }
    }

    fn judge(&mut self, points: &Points, reported: Estimate) {
        let law = self.law;
        let Some(core) = &self.core else { return };
        let has = law.free();
        for (k, parameter, target, ends) in [
            (1, "alpha", Target::Alpha, self.ci95.alpha),
            (2, "beta", Target::Beta, self.ci95.beta),
        ] {
            if has[k] && !reported.free[k] && !core.exact() {
                let below = core.end(target, 1.0, core.t_one_sided).flatten();
                self.warnings.push(Warning::AtBound { parameter, below });
            }
            if ends.is_some_and(|e| e.hi.is_some_and(|hi| hi < 0.0)) {
                self.warnings.push(Warning::BetterThanLinear { parameter });
            }
        }
        if let Some(relative_rmse) = self.relative_rmse.filter(|r| *r > INADEQUATE) {
            self.warnings.push(Warning::Inadequate { relative_rmse });
        }
        let distinct = points.points.len();
        if self.aicc.is_none() {
            self.warnings.push(Warning::NotComparable { law, distinct });
        }
        match self.unidentified() {
            Some(why) => self.warnings.push(Warning::NotIdentified { law, why }),
            None => self.identified = true,
        }
    }

    fn unidentified(&self) -> Option<Unidentified> {
        let core = self.core.as_ref()?;
        if core.condition.is_nan() || core.condition > CONDITION_MAX {
            return Some(Unidentified::Condition(core.condition));
        }
        let correlation = if self.law == Law::Usl { core.correlation() } else { None };
        if let Some(r) = correlation.filter(|r| r.abs() > CORRELATION_MAX && !core.exact()) {
            return Some(Unidentified::Correlation(r));
        }
        let open = |e: Option<Ends>| e.is_some_and(|e| e.lo.is_none() || e.hi.is_none());
        let named = [("alpha", self.ci95.alpha), ("beta", self.ci95.beta)];
        named.into_iter().find(|(_, e)| open(*e)).map(|(name, _)| Unidentified::Open(name))
    }
}

/// Each mean predicted by the law fitted to the others; `None` where one of these fits is not possible.
fn leave_one_out(points: &Points, data: &Data, law: Law, bounded: bool) -> Option<f64> {
    let count = points.points.len();
    if count <= law.parameters() {
        return None;
    }
    let error = |k: usize| {
        let found = Estimate::of(&data.without(k), law, bounded)?;
        let p = &points.points[k];
        let error = throughput(data, &found.best.at, p.n) / p.throughput - 1.0;
        error.is_finite().then_some(error)
    };
    let errors: Option<Vec<f64>> = (0..count).map(error).collect();
    errors.map(|e| root_mean_square(&e))
}

/// Of the law's own value at a worker count; an end is open where its slowness could vanish.
fn mean_interval(core: &Core, n: f64) -> Option<Ends> {
    let eta = core.interval(Target::Eta(n))?;
    Some(Ends {
        lo: Some(eta.hi.map_or(0.0, |e| n / e)),
        hi: eta.lo.filter(|e| *e > 0.0).map(|e| n / e),
    })
}

fn root_mean_square(errors: &[f64]) -> f64 {
    (errors.iter().map(|e| e * e).sum::<f64>() / errors.len() as f64).sqrt()
}
