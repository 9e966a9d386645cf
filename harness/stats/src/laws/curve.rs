//! The profile of a parameter as a curve: what its interval is cut from.

use super::estimate::Core;
use super::fit::Fit;
use super::profile::Ends;
use super::space::Target;

/// A parameter whose profile is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Parameter {
    /// Contention.
    Alpha,
    /// Coherency.
    Beta,
}

impl Parameter {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Alpha, Self::Beta];

    /// Name in JSON and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Alpha => "alpha",
            Self::Beta => "beta",
        }
    }

    fn target(self) -> Target {
        match self {
            Self::Alpha => Target::Alpha,
            Self::Beta => Target::Beta,
        }
    }
}

/// How much worse the law without bounds becomes where a parameter is held, everything else fitted anew.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Of which parameter.
    pub parameter: Parameter,
    /// Its value at the minimum, without bounds.
    pub estimate: f64,
    /// Where the curve crosses the threshold: the 95 % interval.
    pub ends: Ends,
    /// t²(n - p): values below it are in the interval.
    pub threshold: f64,
    /// Value and rise of the deviance in residual variances, values ascending. Each closed end is among them.
    pub points: Vec<(f64, f64)>,
}

/// Points on either side of the estimate.
const STEPS: usize = 20;
/// How far the curve goes beyond a closed end, in units of that end's distance.
const BEYOND: f64 = 1.25;
/// How far it goes towards an open end, in units of the other end's distance.
const OPEN: f64 = 4.0;

impl Fit {
    /// The profile of a parameter; `None` where the law does not have it, or there is no noise to measure it by.
    pub fn profile(&self, parameter: Parameter) -> Option<Profile> {
        let (core, target) = (self.core.as_ref()?, parameter.target());
        let ends = core.interval(target)?;
        let estimate = target.value(core.at());
        let far = |end: Option<f64>, other: Option<f64>| match (end, other) {
            (Some(end), _) => Some(BEYOND * (end - estimate)),
            (None, Some(other)) => Some(OPEN * (estimate - other)),
            (None, None) => None,
        };
        let open = OPEN * core.t * core.standard_error(target)?;
        let below = far(ends.lo, ends.hi).unwrap_or(-open);
        let above = far(ends.hi, ends.lo).unwrap_or(open);
        // Towards an open end the curve bends near the estimate and is flat far away.
        let side = |far: f64, closed: bool| {
            let bend = if closed { 1 } else { 3 };
            (1..=STEPS).map(move |k| estimate + far * (k as f64 / STEPS as f64).powi(bend))
        };
        let sides = side(below, ends.lo.is_some()).chain(side(above, ends.hi.is_some()));
        let mut values: Vec<f64> = sides.collect();
        values.push(estimate);
        values.extend([ends.lo, ends.hi].into_iter().flatten());
        values.sort_by(f64::total_cmp);
        values.dedup();
        let points = values.into_iter().filter_map(|v| Some((v, rise(core, target, v)?)));
        let threshold = core.t * core.t;
        Some(Profile { parameter, estimate, ends, threshold, points: points.collect() })
    }
}

/// `None` where the law is impossible.
fn rise(core: &Core, target: Target, value: f64) -> Option<f64> {
    let tau = core.tau(target, value);
    tau.is_finite().then_some(tau * tau)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::laws::{Analysis, Law, Options, Points, Sample};

    fn analysis(counts: &[f64], alpha: f64, beta: f64, noise: f64) -> Analysis {
        let row = |(k, n): (usize, &f64)| {
            let noise = 1.0 + noise * (1.7 * k as f64 + 0.3).sin();
            let throughput = 50.0 * n / (1.0 + alpha * (n - 1.0) + beta * n * (n - 1.0)) * noise;
            Sample { n: *n, throughput, trial: None, ceiling: None }
        };
        let rows: Vec<Sample> = counts.iter().enumerate().map(row).collect();
        let options = Options { bootstrap_draws: 0, ..Options::default() };
        Analysis::new(&Points::new(&rows).unwrap(), &options)
    }

    #[test]
    fn the_curve_is_lowest_at_the_estimate_and_at_its_threshold_where_the_interval_ends() {
        let a = analysis(&[1.0, 2.0, 4.0, 8.0, 16.0, 32.0], 0.05, 0.002, 0.01);
        let fit = a.fit(Law::Usl).unwrap();
        for parameter in Parameter::ALL {
            let p = fit.profile(parameter).unwrap();
            let ci95 = if parameter == Parameter::Alpha { fit.ci95.alpha } else { fit.ci95.beta };
            assert_eq!(Some(p.ends), ci95);
            let least = p.points.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
            assert!(least.0 == p.estimate && least.1 < 1e-9, "{least:?}");
            for end in [p.ends.lo.unwrap(), p.ends.hi.unwrap()] {
                let at = p.points.iter().find(|q| q.0 == end).unwrap().1;
                assert!((at / p.threshold - 1.0).abs() < 1e-3, "{at} {}", p.threshold);
            }
            let (first, last) = (p.points[0], p.points[p.points.len() - 1]);
            assert!(first.1 > p.threshold && last.1 > p.threshold);
            let falls = p.points.iter().take_while(|q| q.0 < p.estimate).collect::<Vec<_>>();
            assert!(falls.windows(2).all(|w| w[0].1 >= w[1].1), "one valley");
        }
    }

    #[test]
    fn an_open_end_stays_below_the_threshold() {
        let a = analysis(&[2.0, 3.0, 4.0, 5.0], 0.05, 0.002, 0.05);
        let fit = a.fit(Law::Usl).unwrap();
        let open = |p: &Profile| p.ends.lo.is_none() || p.ends.hi.is_none();
        let found: Vec<Profile> =
            Parameter::ALL.iter().filter_map(|p| fit.profile(*p)).filter(open).collect();
        assert!(!found.is_empty(), "four worker counts without N = 1 leave an end open");
        for p in found {
            let (first, last) = (p.points[0].1, p.points[p.points.len() - 1].1);
            assert!(p.ends.lo.is_some() || first < p.threshold, "{p:?}");
            assert!(p.ends.hi.is_some() || last < p.threshold, "{p:?}");
        }
    }

    #[test]
    fn a_law_has_no_profile_of_what_it_lacks() {
        let a = analysis(&[1.0, 2.0, 4.0, 8.0, 16.0], 0.05, 0.0, 0.01);
        assert!(a.fit(Law::Linear).unwrap().profile(Parameter::Alpha).is_none());
        let amdahl = a.fit(Law::Amdahl).unwrap();
        assert!(amdahl.profile(Parameter::Alpha).is_some());
        assert!(amdahl.profile(Parameter::Beta).is_none());
    }
}
