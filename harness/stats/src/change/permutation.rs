//! Two samples whose labels may be exchanged: Fisher's permutation test, its smallest p, and the interval that inverts it.

use crate::interval::Interval;
use crate::random::SplitMix;

/// So many relabellings at most; where there are more, as many are drawn.
pub const PERMUTATIONS: u64 = 20_000;

/// One-sided p that the mean of `b` lies more than `null` above that of `a`. Exact: the share of relabellings whose difference is at least as large;
/// drawn: (1 + as large) / (1 + drawn), which is a p of its own right (Phipson and Smyth 2010). 1 where a sample is empty or a value is not finite.
pub(super) fn p_above(a: &[f64], b: &[f64], null: f64, seed: u64) -> f64 {
    let all: Vec<f64> = a.iter().copied().chain(b.iter().map(|v| v - null)).collect();
    if a.is_empty() || b.is_empty() || all.iter().any(|v| !v.is_finite()) {
        return 1.0;
    }
    let observed: f64 = all[a.len()..].iter().sum();
    // Sums of the same values in another order differ in their last digits.
    let slack = 1e-12 * all.iter().map(|v| v.abs()).sum::<f64>();
    let ways = combinations(all.len(), b.len());
    if ways <= PERMUTATIONS {
        let as_large =
            subset_sums(&all, b.len()).into_iter().filter(|s| *s >= observed - slack).count();
        return as_large as f64 / ways as f64;
    }
    let mut rng = SplitMix::new(seed);
    let mut values = all;
    let as_large = (0..PERMUTATIONS)
        .filter(|_| {
            rng.shuffle(&mut values);
            values[a.len()..].iter().sum::<f64>() >= observed - slack
        })
        .count();
    (1 + as_large) as f64 / (1 + PERMUTATIONS) as f64
}

/// The smallest one-sided p of samples of these sizes.
pub(super) fn smallest_p(a: usize, b: usize) -> f64 {
    match combinations(a + b, b) {
        ways if a == 0 || b == 0 || ways == 0 => 1.0,
        ways if ways <= PERMUTATIONS => 1.0 / ways as f64,
        _ => 1.0 / (1 + PERMUTATIONS) as f64,
    }
}

/// Difference of the means of `b` and `a` with Student's interval after Welch: the permutation test's own, inverted, agrees with it but for
/// the smallest samples, and takes a search. `None` where a sample has fewer than two values.
pub(super) fn interval(a: &[f64], b: &[f64], level: f64) -> Option<Interval> {
    let exp = |v: &[f64]| -> Vec<f64> { v.iter().map(|x| x.exp()).collect() };
    let i = crate::interval::log_welch_interval(&exp(b), &exp(a), level)?;
    Some(Interval { estimate: i.estimate.ln(), lo: i.lo.ln(), hi: i.hi.ln(), n: i.n })
}

/// Mean of `b` less mean of `a`; `None` where a sample is empty or a value is not finite.
pub(super) fn difference(a: &[f64], b: &[f64]) -> Option<f64> {
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    Some(mean(b) - mean(a)).filter(|d| d.is_finite())
}

/// n over k, or `u64::MAX` where it exceeds that.
fn combinations(n: usize, k: usize) -> u64 {
    let k = k.min(n - k) as u64;
    (0..k)
        .try_fold(1_u64, |c, i| c.checked_mul(n as u64 - i).map(|c| c / (i + 1)))
        .unwrap_or(u64::MAX)
}

/// Sums of all subsets of `size` values.
fn subset_sums(values: &[f64], size: usize) -> Vec<f64> {
    let Some((first, rest)) = values.split_first() else {
        return if size == 0 { vec![0.0] } else { Vec::new() };
    };
    if size == 0 {
        return vec![0.0];
    }
    if size > values.len() {
        return Vec::new();
    }
    let mut sums: Vec<f64> = subset_sums(rest, size - 1).into_iter().map(|s| s + first).collect();
    sums.extend(subset_sums(rest, size));
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1 2 3 against 4 5 6: of the 20 ways one is as extreme; against 2.5 shifted by 3 nothing is left.
    #[test]
    fn p_by_hand() {
        let (a, b) = ([1.0, 2.0, 3.0], [4.0, 5.0, 6.0]);
        assert_eq!(p_above(&a, &b, 0.0, 1), 0.05);
        assert_eq!(p_above(&b, &a, 0.0, 1), 1.0);
        assert!(p_above(&a, &b, 3.0, 1) >= 0.5);
        assert_eq!(smallest_p(3, 3), 0.05);
        assert_eq!(smallest_p(0, 3), 1.0);
        assert_eq!(p_above(&[], &b, 0.0, 1), 1.0);
        assert_eq!(p_above(&[f64::NAN, 1.0], &b, 0.0, 1), 1.0);
        // Without any spread every relabelling is as large.
        assert_eq!(p_above(&[1.0; 4], &[1.0; 4], 0.0, 1), 1.0);
    }

    /// The drawn p is the exact one within three standard errors, and the same for the same seed.
    #[test]
    fn drawn_and_exact_agree() {
        let mut rng = SplitMix::new(5);
        let sample = |rng: &mut SplitMix, n: usize, mean: f64| -> Vec<f64> {
            (0..n).map(|_| mean + rng.normal()).collect()
        };
        let (a, b) = (sample(&mut rng, 9, 0.0), sample(&mut rng, 9, 0.8));
        assert!(combinations(18, 9) > PERMUTATIONS);
        let all: Vec<f64> = a.iter().chain(&b).copied().collect();
        let observed: f64 = b.iter().sum();
        let sums = subset_sums(&all, 9);
        let exact =
            sums.iter().filter(|s| **s >= observed - 1e-9).count() as f64 / sums.len() as f64;
        let drawn = p_above(&a, &b, 0.0, 3);
        assert!(
            (drawn - exact).abs() < 3.0 * (exact / PERMUTATIONS as f64).sqrt(),
            "{drawn} {exact}"
        );
        assert_eq!(drawn, p_above(&a, &b, 0.0, 3));
    }

    #[test]
    fn combinations_are_pascals() {
        assert_eq!(
            (combinations(6, 3), combinations(12, 0), combinations(60, 30) > PERMUTATIONS),
            (20, 1, true)
        );
        assert_eq!(combinations(400, 200), u64::MAX);
    }
}
