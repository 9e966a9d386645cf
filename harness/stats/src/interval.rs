//! Means, quantiles and Student intervals of small samples.
//!
//! The samples here are figures of blocks (3 to some dozens), so intervals use Student's t; nothing
//! in this file knows what the numbers mean, and none reads a file.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// An estimate with its two-sided interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Point estimate.
    pub estimate: f64,
    /// Lower bound.
    pub lo: f64,
    /// Upper bound.
    pub hi: f64,
    /// Number of independent values.
    pub n: usize,
}

/// The `p` quantile of Student's t with `df` degrees of freedom; NaN unless 0 < p < 1 and df > 0.
pub fn t_quantile(p: f64, df: f64) -> f64 {
    if !(p > 0.0 && p < 1.0 && df > 0.0) {
        return f64::NAN;
    }
    StudentsT::new(0.0, 1.0, df).map_or(f64::NAN, |t| t.inverse_cdf(p))
}

/// Arithmetic mean with its two-sided interval at `level` (0.95):
/// mean ± t((1 + level) / 2, n - 1) · s / √n.
///
/// `None` for fewer than two values, for a value that is not finite, and for a level outside (0, 1):
/// one value has no spread, so it has no interval.
pub fn t_interval(values: &[f64], level: f64) -> Option<Interval> {
    let n = values.len();
    if n < 2 || !(level > 0.0 && level < 1.0) || values.iter().any(|v| !v.is_finite()) {
        return None;
    }
    let mean = values.iter().sum::<f64>() / n as f64;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1) as f64;
    let half = t_quantile(f64::midpoint(1.0, level), (n - 1) as f64) * (variance / n as f64).sqrt();
    finite(Interval { estimate: mean, lo: mean - half, hi: mean + half, n })
}

/// Geometric mean of positive ratios with its interval: e to the bounds of [`t_interval`] of their
/// logarithms, so that 2 and 1/2 lie equally far from 1 and no bound is negative.
///
/// `None` where [`t_interval`] has none, for a ratio that is not positive, and where a bound exceeds
/// what a double can hold.
pub fn log_t_interval(ratios: &[f64], level: f64) -> Option<Interval> {
    if ratios.iter().any(|r| *r <= 0.0) {
        return None;
    }
    let logs: Vec<f64> = ratios.iter().map(|r| r.ln()).collect();
    let i = t_interval(&logs, level)?;
    finite(Interval { estimate: i.estimate.exp(), lo: i.lo.exp(), hi: i.hi.exp(), n: i.n })
}

/// Ratio of the geometric means of two samples that are not paired, with its interval: Student's t on the difference of
/// the mean logarithms, degrees of freedom by Welch's approximation (1947), since their spreads may differ.
///
/// `None` where a sample has fewer than two values or one that is not positive, or a bound exceeds a double.
pub fn log_welch_interval(over: &[f64], under: &[f64], level: f64) -> Option<Interval> {
    let (a, b) = (log_mean(over)?, log_mean(under)?);
    let (va, vb) = (a.variance / a.n, b.variance / b.n);
    let df = (va + vb).powi(2) / (va * va / (a.n - 1.0) + vb * vb / (b.n - 1.0));
    let t = t_quantile(f64::midpoint(1.0, level), df);
    let half = if va + vb > 0.0 { t * (va + vb).sqrt() } else { 0.0 };
    let centre = a.mean - b.mean;
    finite(Interval {
        estimate: centre.exp(),
        lo: (centre - half).exp(),
        hi: (centre + half).exp(),
        n: over.len().min(under.len()),
    })
}

struct LogMean {
    mean: f64,
    variance: f64,
    n: f64,
}

fn log_mean(values: &[f64]) -> Option<LogMean> {
    let n = values.len() as f64;
    if n < 2.0 || values.iter().any(|v| *v <= 0.0 || !v.is_finite()) {
        return None;
    }
    let mean = values.iter().map(|v| v.ln()).sum::<f64>() / n;
    let variance = values.iter().map(|v| (v.ln() - mean).powi(2)).sum::<f64>() / (n - 1.0);
    Some(LogMean { mean, variance, n })
}

/// The `q` quantile (0 ..= 1) of values in ascending order, linearly interpolated at position
/// (n - 1) · q from the smallest: type 7 of Hyndman and Fan (1996), the default of R and numpy.
///
/// `None` for no values and for a `q` outside 0 ..= 1. The caller sorts.
pub fn quantile_sorted(sorted: &[f64], q: f64) -> Option<f64> {
    if sorted.is_empty() || !(0.0..=1.0).contains(&q) {
        return None;
    }
    let position = (sorted.len() - 1) as f64 * q;
    let below = position.floor() as usize;
    let part = position - position.floor();
    let above = sorted.get(below + 1).unwrap_or(&sorted[below]);
    if part == 0.0 {
        return Some(sorted[below]);
    }
    Some(sorted[below] * (1.0 - part) + above * part)
}

/// The middle value, or the mean of the two middle ones; `None` for no values or a NaN among them.
pub fn median(values: &[f64]) -> Option<f64> {
    if values.iter().any(|v| v.is_nan()) {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    quantile_sorted(&sorted, 0.5)
}

fn finite(i: Interval) -> Option<Interval> {
    (i.estimate.is_finite() && i.lo.is_finite() && i.hi.is_finite()).then_some(i)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn near(a: f64, b: f64, tolerance: f64) {
        assert!((a - b).abs() <= tolerance, "{a} is not {b}");
    }

    /// Standard errors of both mean logarithms are .01 and .02: df = (1e-4 + 4e-4)^2 / (1e-8 / 1 + 16e-8 / 1) = 25/17.
    #[test]
    fn unpaired_ratios_have_the_degrees_of_freedom_of_welch() {
        let (a, b) = ([2f64.ln() - 0.01, 2f64.ln() + 0.01], [-0.02, 0.02]);
        let e = |v: [f64; 2]| v.map(f64::exp);
        let i = log_welch_interval(&e(a), &e(b), 0.95).unwrap();
        near(i.estimate, 2.0, 1e-12);
        let half = t_quantile(0.975, 25.0 / 17.0) * 5e-4_f64.sqrt();
        near((i.hi / i.estimate).ln(), half, 1e-9);
        assert!(log_welch_interval(&[1.0], &[1.0, 2.0], 0.95).is_none());
        assert!(log_welch_interval(&[1.0, 0.0], &[1.0, 2.0], 0.95).is_none());
    }

    /// Printed tables of Student's t, two-sided 95 % and 90 %.
    #[test]
    fn quantiles_match_the_printed_tables() {
        for (p, df, t) in [
            (0.975, 1.0, 12.7062),
            (0.975, 2.0, 4.302_65),
            (0.975, 4.0, 2.776_45),
            (0.95, 2.0, 2.919_99),
            (0.975, 11.0, 2.200_99),
            (0.975, 1000.0, 1.962_34),
            (0.5, 3.0, 0.0),
            (0.025, 2.0, -4.302_65),
        ] {
            near(t_quantile(p, df), t, 1e-4);
        }
        assert!(t_quantile(1.0, 2.0).is_nan());
        assert!(t_quantile(0.9, 0.0).is_nan());
        assert!(t_quantile(f64::NAN, 2.0).is_nan());
    }

    /// 1, 2, 3: mean 2, s 1, half width 4.30265 / √3 = 2.48414.
    #[test]
    fn an_interval_by_hand() {
        let i = t_interval(&[1.0, 2.0, 3.0], 0.95).unwrap();
        near(i.estimate, 2.0, 1e-12);
        near(i.lo, 2.0 - 2.484_14, 1e-4);
        near(i.hi, 2.0 + 2.484_14, 1e-4);
        assert_eq!(i.n, 3);
    }

    /// ½ and 2: the logs are ∓0.693147, so the estimate is 1 and the half width 12.7062 · ln 2.
    #[test]
    fn a_ratio_and_its_inverse_balance() {
        let i = log_t_interval(&[0.5, 2.0], 0.95).unwrap();
        near(i.estimate, 1.0, 1e-12);
        near(i.hi.ln(), 12.7062 * std::f64::consts::LN_2, 1e-3);
        near(i.lo * i.hi, 1.0, 1e-9);
    }

    #[test]
    fn without_spread_or_sense_there_is_no_interval() {
        assert_eq!(t_interval(&[1.0], 0.95), None);
        assert_eq!(t_interval(&[], 0.95), None);
        assert_eq!(t_interval(&[1.0, f64::NAN], 0.95), None);
        assert_eq!(t_interval(&[1.0, f64::INFINITY], 0.95), None);
        assert_eq!(t_interval(&[1.0, 2.0], 1.0), None);
        assert_eq!(log_t_interval(&[1.0, 0.0], 0.95), None);
        assert_eq!(log_t_interval(&[1.0, -2.0], 0.95), None);
        let same = t_interval(&[2.0, 2.0, 2.0], 0.95).unwrap();
        assert_eq!((same.lo, same.hi), (2.0, 2.0));
    }

    /// R: quantile(c(1, 2, 4, 8), .4) is 2.4; median(c(4, 1, 8, 2)) is 3.
    #[test]
    fn quantiles_are_type_7() {
        near(quantile_sorted(&[1.0, 2.0, 4.0, 8.0], 0.4).unwrap(), 2.4, 1e-12);
        assert_eq!(quantile_sorted(&[1.0, 2.0], 0.0), Some(1.0));
        assert_eq!(quantile_sorted(&[1.0, 2.0], 1.0), Some(2.0));
        assert_eq!(quantile_sorted(&[], 0.5), None);
        assert_eq!(quantile_sorted(&[1.0], 1.5), None);
        assert_eq!(quantile_sorted(&[1.0], f64::NAN), None);
        assert_eq!(median(&[4.0, 1.0, 8.0, 2.0]), Some(3.0));
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[1.0, f64::NAN]), None);
        assert_eq!(median(&[]), None);
    }

    proptest! {
        #[test]
        fn intervals_contain_their_estimate_and_grow_with_the_level(
            v in prop::collection::vec(1e-6..1e6f64, 2..20),
        ) {
            for f in [t_interval, log_t_interval] {
                let (narrow, wide) = (f(&v, 0.8).unwrap(), f(&v, 0.95));
                prop_assert!(narrow.lo <= narrow.estimate && narrow.estimate <= narrow.hi);
                // Two ratios far apart can have a bound beyond a double; then there is none.
                if let Some(wide) = wide {
                    prop_assert!(wide.lo <= narrow.lo && narrow.hi <= wide.hi);
                }
            }
        }

        #[test]
        fn a_quantile_lies_between_its_neighbours(
            mut v in prop::collection::vec(-1e6..1e6f64, 1..30), q in 0.0..=1.0f64,
        ) {
            v.sort_by(f64::total_cmp);
            let x = quantile_sorted(&v, q).unwrap();
            prop_assert!(v[0] - 1e-6 <= x && x <= v[v.len() - 1] + 1e-6);
        }
    }
}
