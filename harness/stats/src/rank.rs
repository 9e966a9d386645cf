//! Wilcoxon's signed-rank test, exact, and the Hodges-Lehmann estimate that inverts it.
//!
//! Ranks, because differences of times have tails: one stalled launch moves a mean and hardly a rank. Exact, because a dozen
//! pairs are far from any limit theorem.

use crate::interval::Interval;

/// Beyond so many values the null distribution is taken as normal: at 300 the two differ by less than 1e-4 where it matters,
/// and the exact one costs n^3 / 2 steps.
const EXACT_MAX: usize = 300;

/// One-sided p that the centre of `values` lies above `null`: P(W+ >= observed) if it lies at `null`, where W+ is the sum of the
/// ranks of |value - null| over the values above.
///
/// Equal distances share their mean rank, and the distribution is the one of those ranks. A value equal to `null` counts as below it,
/// which can only raise p. 1 for no values or for one that is not finite: nothing is shown then.
pub fn p_above(values: &[f64], null: f64) -> f64 {
    let shifted: Vec<f64> = values.iter().map(|v| v - null).collect();
    if shifted.is_empty() || shifted.iter().any(|v| !v.is_finite()) {
        return 1.0;
    }
    let ranks = doubled_ranks(&shifted);
    let above = shifted.iter().zip(&ranks).filter(|(v, _)| **v > 0.0);
    let observed = above.map(|(_, r)| *r).sum();
    if shifted.len() > EXACT_MAX {
        normal_tail(&ranks, observed)
    } else {
        exact_tail(&ranks, observed)
    }
}

/// One-sided p that the centre lies below `null`; see [`p_above`].
pub fn p_below(values: &[f64], null: f64) -> f64 {
    let mirrored: Vec<f64> = values.iter().map(|v| -v).collect();
    p_above(&mirrored, -null)
}

/// The smallest one-sided p that `n` values can give: all on one side, 2^-n.
pub(crate) fn smallest_p(n: usize) -> f64 {
    0.5_f64.powi(i32::try_from(n).unwrap_or(i32::MAX))
}

/// Centre of values that scatter symmetrically around it: the median of all means of two (Hodges and Lehmann 1963), with the interval of
/// all nulls that the two-sided signed-rank test does not reject at `level`.
///
/// `None` for a value that is not finite, and where so few values reject no null: below 6 at 95 %, below 5 at 90 %.
pub fn hodges_lehmann(values: &[f64], level: f64) -> Option<Interval> {
    let n = values.len();
    if n == 0 || !(level > 0.0 && level < 1.0) || values.iter().any(|v| !v.is_finite()) {
        return None;
    }
    let cut = critical(n, (1.0 - level) / 2.0)?;
    let walsh = walsh_averages(values);
    Some(Interval { estimate: middle(&walsh), lo: walsh[cut], hi: walsh[walsh.len() - 1 - cut], n })
}

/// The estimate of [`hodges_lehmann`] alone, which any number of values has; `None` for none or one that is not finite.
pub(crate) fn pseudomedian(values: &[f64]) -> Option<f64> {
    let usable = !values.is_empty() && values.iter().all(|v| v.is_finite());
    usable.then(|| middle(&walsh_averages(values)))
}

fn middle(sorted: &[f64]) -> f64 {
    f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2])
}

/// Means of all pairs of values, each with itself too, ascending.
fn walsh_averages(values: &[f64]) -> Vec<f64> {
    let mut means: Vec<f64> = (0..values.len())
        .flat_map(|i| (i..values.len()).map(move |j| (i, j)))
        .map(|(i, j)| f64::midpoint(values[i], values[j]))
        .collect();
    means.sort_by(f64::total_cmp);
    means
}

/// How many means of two the interval leaves out on each side: the largest w with P(W+ <= w) <= `tail`, since a null with so few
/// means below it is rejected. `None` if even W+ = 0 is likelier.
fn critical(n: usize, tail: f64) -> Option<usize> {
    if n > EXACT_MAX {
        let (mean, sd) = moments(&(1..=n as u64).map(|r| 2 * r).collect::<Vec<_>>());
        // Doubled ranks; half a rank of continuity.
        return Some(
            ((mean - normal_quantile(1.0 - tail) * sd) / 2.0 - 0.5).floor().max(0.0) as usize
        );
    }
    let ranks: Vec<u64> = (1..=n as u64).map(|r| 2 * r).collect();
    let mass = null_distribution(&ranks);
    let mut below = 0.0;
    let rejected = mass.iter().step_by(2).take_while(|m| {
        below += **m;
        below <= tail
    });
    rejected.count().checked_sub(1)
}

/// Twice the rank of each |value|, so that the mean rank of equal ones is a whole number.
fn doubled_ranks(values: &[f64]) -> Vec<u64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].abs().total_cmp(&values[*b].abs()));
    let mut ranks = vec![0; values.len()];
    let mut from = 0;
    while from < order.len() {
        let size = values[order[from]].abs();
        let to = from + order[from..].iter().take_while(|i| values[**i].abs() == size).count();
        // Ranks from + 1 ..= to: their mean, twice.
        order[from..to].iter().for_each(|i| ranks[*i] = (from + 1 + to) as u64);
        from = to;
    }
    ranks
}

/// P(sum >= observed), each rank in it or not with probability one half.
fn exact_tail(ranks: &[u64], observed: u64) -> f64 {
    null_distribution(ranks).iter().skip(observed as usize).sum::<f64>().min(1.0)
}

/// Probability of every sum of a random subset of `ranks`.
fn null_distribution(ranks: &[u64]) -> Vec<f64> {
    let total: u64 = ranks.iter().sum();
    let mut mass = vec![0.0; total as usize + 1];
    mass[0] = 1.0;
    let mut reached = 0;
    for &rank in ranks {
        let rank = rank as usize;
        reached += rank;
        for sum in (0..=reached).rev() {
            let with = if sum >= rank { mass[sum - rank] } else { 0.0 };
            mass[sum] = f64::midpoint(mass[sum], with);
        }
    }
    mass
}

fn normal_tail(ranks: &[u64], observed: u64) -> f64 {
    use statrs::distribution::{ContinuousCDF, Normal};
    let (mean, sd) = moments(ranks);
    // Half a rank of continuity, doubled.
    let z = (observed as f64 - 1.0 - mean) / sd;
    if !z.is_finite() { 1.0 } else { Normal::standard().sf(z) }
}

/// Mean and standard deviation of the sum of a random subset.
fn moments(ranks: &[u64]) -> (f64, f64) {
    let mean = ranks.iter().map(|r| *r as f64).sum::<f64>() / 2.0;
    let variance = ranks.iter().map(|r| (*r as f64).powi(2)).sum::<f64>() / 4.0;
    (mean, variance.sqrt())
}

fn normal_quantile(p: f64) -> f64 {
    use statrs::distribution::{ContinuousCDF, Normal};
    Normal::standard().inverse_cdf(p)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::random::SplitMix;

    fn near(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-9, "{a} is not {b}");
    }

    /// All subsets of the ranks, counted one by one.
    fn by_enumeration(values: &[f64]) -> f64 {
        let ranks = doubled_ranks(values);
        let observed: u64 =
            values.iter().zip(&ranks).filter(|(v, _)| **v > 0.0).map(|(_, r)| *r).sum();
        let subsets = 1_u32 << values.len();
        let sum = |s: u32| -> u64 {
            ranks.iter().enumerate().filter(|(i, _)| s >> i & 1 == 1).map(|(_, r)| *r).sum()
        };
        (0..subsets).filter(|s| sum(*s) >= observed).count() as f64 / f64::from(subsets)
    }

    /// Table of critical values (Wilcoxon 1945): n = 12, W- <= 13 has p = .0212 one-sided; n = 5, all positive: 1/32.
    #[test]
    fn p_is_the_printed_one() {
        near(p_above(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.0), 1.0 / 32.0);
        let mut twelve: Vec<f64> = (1..=12).map(f64::from).collect();
        twelve[0] = -1.0;
        twelve[11] = -12.0;
        assert!((p_above(&twelve, 0.0) - 0.0212).abs() < 5e-5, "{}", p_above(&twelve, 0.0));
        near(p_below(&[-1.0, -2.0, -3.0], 0.0), 0.125);
        near(smallest_p(12), 1.0 / 4096.0);
    }

    /// Ties share a rank; what equals the null speaks for neither side.
    #[test]
    fn ties_and_zeros_are_no_evidence() {
        near(p_above(&[1.0, 1.0, 1.0, 1.0], 0.0), 1.0 / 16.0);
        near(p_above(&[0.0, 0.0, 0.0], 0.0), 1.0);
        near(p_above(&[0.0, 1.0, 2.0], 0.0), 0.25);
        near(p_above(&[], 0.0), 1.0);
        near(p_above(&[f64::NAN, 1.0], 0.0), 1.0);
    }

    /// Seven values: P(W+ <= 2) is 3/128, so the third smallest and the third largest mean of two are the bounds:
    /// (-0.7 + 1.1) / 2 and 4.4; the 14th and 15th of the 28 means are 2.2.
    #[test]
    fn an_interval_by_hand() {
        let i = hodges_lehmann(&[1.1, 2.2, 0.3, 4.4, 5.1, -0.7, 3.3], 0.95).unwrap();
        near(i.estimate, 2.2);
        near(i.lo, 0.2);
        near(i.hi, 4.4);
        assert!(
            hodges_lehmann(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.95).is_none(),
            "five values reject nothing at 5 %"
        );
        assert!(hodges_lehmann(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.90).is_some());
        assert!(
            hodges_lehmann(&[], 0.95).is_none() && hodges_lehmann(&[f64::NAN; 9], 0.95).is_none()
        );
    }

    #[test]
    fn many_values_agree_with_few() {
        let mut rng = SplitMix::new(11);
        let values: Vec<f64> = (0..EXACT_MAX).map(|_| rng.normal() + 0.1).collect();
        let exact = p_above(&values, 0.0);
        let ranks = doubled_ranks(&values);
        let observed = values.iter().zip(&ranks).filter(|(v, _)| **v > 0.0).map(|(_, r)| *r).sum();
        assert!((exact - normal_tail(&ranks, observed)).abs() < 1e-3);
        let mut more = values.clone();
        more.push(0.1);
        let (few, many) =
            (hodges_lehmann(&values, 0.95).unwrap(), hodges_lehmann(&more, 0.95).unwrap());
        assert!(
            (few.lo - many.lo).abs() < 0.01 && (few.hi - many.hi).abs() < 0.01,
            "{few:?} {many:?}"
        );
    }

    proptest! {
        #[test]
        fn the_distribution_is_that_of_all_subsets(values in prop::collection::vec(-3..=3i32, 1..11)) {
            let values: Vec<f64> = values.into_iter().map(f64::from).collect();
            prop_assert!((p_above(&values, 0.0) - by_enumeration(&values)).abs() < 1e-12);
        }

        /// The interval and the test are one: what lies outside is rejected, what lies inside is not.
        #[test]
        fn the_interval_holds_what_is_not_rejected(
            values in prop::collection::vec(-10.0..10.0f64, 6..20), null in -10.0..10.0f64,
        ) {
            let i = hodges_lehmann(&values, 0.95).unwrap();
            let rejected = p_above(&values, null) <= 0.025 || p_below(&values, null) <= 0.025;
            prop_assert_eq!(rejected, null < i.lo || null > i.hi, "{:?}", i);
        }
    }
}
