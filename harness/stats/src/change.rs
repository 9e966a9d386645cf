//! Two things compared: what a sample of differences says of a change, before any rule for families or repeated looks.
//!
//! Everything is in logarithms inside and in ratios outside: a change of +2 % is the ratio 1.02.

mod permutation;

use statrs::distribution::{ContinuousCDF, Normal};

pub use self::permutation::PERMUTATIONS;
use crate::interval::Interval;
use crate::rank::{hodges_lehmann, p_above, p_below, pseudomedian, smallest_p};

/// Two-sided error that a verdict of changed may have.
pub const ALPHA: f64 = 0.05;

/// How far from no change is still no change, as shares (.01 is 1 %).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Margins {
    /// A change is shown only if it lies beyond this.
    pub regression: f64,
    /// Equivalent means: shown to lie within this.
    pub equivalence: f64,
}

impl Default for Margins {
    /// 1 % and 3 %: of throughput and medians. A change of 2 % must be provable, so it can't lie inside the null.
    fn default() -> Self {
        Self { regression: 0.01, equivalence: 0.03 }
    }
}

impl Margins {
    /// Whether a change of this logarithm lies near none.
    fn hold(&self, log: f64) -> bool {
        log.abs() <= (1.0 + self.regression.max(self.equivalence / 3.0)).ln()
    }
}

/// What `n` differences say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evidence {
    /// Ratio of B to A with its 95 % interval; `None` for fewer than 6 pairs.
    pub ratio: Option<Interval>,
    /// Whether the estimate itself lies where no change would be called: within the regression margin, or a third of the equivalence margin
    /// if that is wider.
    pub near: bool,
    /// p that B is not above A by more than the margin, one-sided.
    pub p_higher: f64,
    /// p that B is not below A by more than the margin, one-sided.
    pub p_lower: f64,
    /// p that the change is not within the equivalence margin: the larger of the two one-sided ones (Schuirmann 1987).
    pub p_equivalent: f64,
    /// The smallest two-sided p that so many differences can give.
    pub smallest_p: f64,
    /// The margins it was tested against.
    pub margins: Margins,
    /// Number of differences.
    pub n: usize,
}

impl Evidence {
    /// p that nothing changed by more than the margin, two-sided: twice the smaller one-sided p, so that the level holds however
    /// the spread compares with the margin.
    pub fn p_changed(&self) -> f64 {
        (2.0 * self.p_higher.min(self.p_lower)).min(1.0)
    }

    /// The smallest ratio above 1 that so many differences of this spread would show at `alpha` in four cases of five: the margin and
    /// (z(1 - alpha / 2) + z(.8)) standard errors, one of which is the interval's half width / z(.975). `None` without an interval.
    pub fn smallest_detectable(&self, alpha: f64) -> Option<f64> {
        let i = self.ratio?;
        let z = |p: f64| Normal::standard().inverse_cdf(p);
        let se = (i.hi / i.lo).ln() / 2.0 / z(0.975);
        Some((1.0 + self.margins.regression) * ((z(1.0 - alpha / 2.0) + z(0.8)) * se).exp())
    }
}

/// What pairs say: `logs` are ln(B) - ln(A), a value a pair.
pub fn paired(logs: &[f64], margins: Margins) -> Evidence {
    let (change, same) = ((1.0 + margins.regression).ln(), (1.0 + margins.equivalence).ln());
    Evidence {
        ratio: hodges_lehmann(logs, 0.95).map(exp),
        near: pseudomedian(logs).is_some_and(|centre| margins.hold(centre)),
        p_higher: p_above(logs, change),
        p_lower: p_below(logs, -change),
        p_equivalent: p_above(logs, -same).max(p_below(logs, same)),
        smallest_p: (2.0 * smallest_p(logs.len())).min(1.0),
        margins,
        n: logs.len(),
    }
}

/// The same where the machine itself may have changed between the two by anything from `drift.0` to `drift.1` (logarithms of ratios; 0 is always among them):
/// changed is what exceeds the margin whatever of it is true, equivalent what lies within the margins whatever of it is true. The ratio is that of the values as
/// they are.
pub fn unpaired_beyond(
    a: &[f64],
    b: &[f64],
    margins: Margins,
    seed: u64,
    drift: (f64, f64),
) -> Evidence {
    let (lo, hi) = (drift.0.min(0.0), drift.1.max(0.0));
    let less = |by: f64| -> Vec<f64> { b.iter().map(|v| v - by).collect() };
    let (fast, slow) =
        (unpaired(a, &less(hi), margins, seed), unpaired(a, &less(lo), margins, seed));
    Evidence {
        ratio: permutation::interval(a, b, 0.95).map(exp),
        near: fast.near && slow.near,
        p_higher: fast.p_higher,
        p_lower: slow.p_lower,
        p_equivalent: fast.p_equivalent.max(slow.p_equivalent),
        ..fast
    }
}

/// Trials a side with which one cell of a family that was not taken in pairs can be shown to have changed; `None` where the drawn relabellings are too few for any.
pub fn trials_for(family: usize) -> Option<usize> {
    let strictest = ALPHA / family.max(1) as f64;
    (2..=12).find(|n| 2.0 * permutation::smallest_p(*n, *n) <= strictest)
}

fn exp(i: Interval) -> Interval {
    Interval { estimate: i.estimate.exp(), lo: i.lo.exp(), hi: i.hi.exp(), n: i.n }
}

/// What two samples say that were not taken in pairs: `a` and `b` are ln of the values. By permutation of the labels of all values, the
/// difference of the means being the statistic: all of them where there are at most [`PERMUTATIONS`], else so many drawn with `seed`.
pub fn unpaired(a: &[f64], b: &[f64], margins: Margins, seed: u64) -> Evidence {
    let (change, same) = ((1.0 + margins.regression).ln(), (1.0 + margins.equivalence).ln());
    let above = |null: f64| permutation::p_above(a, b, null, seed);
    let below = |null: f64| permutation::p_above(b, a, -null, seed);
    Evidence {
        ratio: permutation::interval(a, b, 0.95).map(exp),
        near: permutation::difference(a, b).is_some_and(|d| margins.hold(d)),
        p_higher: above(change),
        p_lower: below(-change),
        p_equivalent: above(-same).max(below(same)),
        smallest_p: (2.0 * permutation::smallest_p(a.len(), b.len())).min(1.0),
        margins,
        n: a.len().min(b.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SplitMix;

    fn noise(n: usize, centre: f64, spread: f64, seed: u64) -> Vec<f64> {
        let mut rng = SplitMix::new(seed);
        (0..n).map(|_| centre + spread * rng.normal()).collect()
    }

    #[test]
    fn two_percent_are_shown_and_nothing_is_equivalent() {
        let two = paired(&noise(12, 1.02_f64.ln(), 0.003, 1), Margins::default());
        assert!(two.p_changed() < 0.01 && two.p_higher < two.p_lower, "{two:?}");
        let ratio = two.ratio.unwrap();
        assert!(ratio.lo > 1.01 && ratio.hi < 1.03, "{ratio:?}");
        let none = paired(&noise(12, 0.0, 0.003, 2), Margins::default());
        assert!(none.p_changed() > 0.9 && none.p_equivalent < 0.01, "{none:?}");
    }

    /// Half a percent lies inside the margin: however sure, it is no change.
    #[test]
    fn what_lies_within_the_margin_is_no_change_however_sure() {
        let small = paired(&noise(48, 1.005_f64.ln(), 0.0005, 3), Margins::default());
        assert!(small.p_changed() > 0.9 && small.ratio.unwrap().lo > 1.0, "{small:?}");
    }

    /// Figures that never vary: every pair is on the same side of every margin.
    #[test]
    fn without_any_spread_few_pairs_suffice() {
        let same = paired(&[0.0; 5], Margins::default());
        assert_eq!((same.p_equivalent, same.p_changed(), same.ratio), (1.0 / 32.0, 1.0, None));
        let ten = paired(&[1.1_f64.ln(); 7], Margins::default());
        assert_eq!(ten.p_changed(), 2.0 / 128.0);
    }

    #[test]
    fn few_or_no_values_show_nothing() {
        for logs in [&[][..], &[0.5], &[f64::NAN; 12]] {
            let e = paired(logs, Margins::default());
            assert_eq!((e.p_changed(), e.ratio.is_none()), (1.0, true), "{logs:?}");
        }
        assert_eq!(unpaired(&[1.0], &[2.0], Margins::default(), 1).ratio, None);
    }

    /// At the effect that is called detectable four of five samples show it.
    #[test]
    fn what_is_called_detectable_is_detected_in_four_of_five() {
        let told = paired(&noise(24, 0.0, 0.02, 4), Margins::default());
        // The spread of one sample is a draw: the true one's effect, by the same rule, of many.
        let spread = |e: &Evidence| e.smallest_detectable(ALPHA).unwrap().ln();
        let typical: f64 = (0..200)
            .map(|s| spread(&paired(&noise(24, 0.0, 0.02, 1000 + s), Margins::default())))
            .sum::<f64>()
            / 200.0;
        assert!((spread(&told) / typical - 1.0).abs() < 0.5);
        let shown = (0..1000)
            .filter(|s| {
                paired(&noise(24, typical, 0.02, 5000 + s), Margins::default()).p_changed() <= ALPHA
            })
            .count();
        assert!((730..880).contains(&shown), "{shown} of 1000 at {typical}");
    }

    /// Trials that were not paired: 8 a side, 5 % apart at 1 % spread.
    #[test]
    fn unpaired_samples_are_judged_by_relabelling() {
        let (a, b) = (noise(8, 0.0, 0.01, 7), noise(8, 1.05_f64.ln(), 0.01, 8));
        let e = unpaired(&a, &b, Margins::default(), 1);
        assert!(
            e.p_changed() < 0.01 && e.p_higher < e.p_lower && e.ratio.unwrap().lo > 1.02,
            "{e:?}"
        );
        assert_eq!(
            e,
            unpaired(&a, &b, Margins::default(), 1),
            "same data, same seed, same evidence"
        );
        assert!(unpaired(&a, &a, Margins::default(), 1).p_equivalent < 0.01);
    }

    /// 5 % more on a machine that may have gained 3 to 5 % is no change that was shown, nor is it equivalent; of one that gained 1 % it is one.
    #[test]
    fn what_the_machine_may_have_done_is_no_change() {
        let (a, b) = (noise(8, 0.0, 0.002, 11), noise(8, 1.05_f64.ln(), 0.002, 12));
        let judged =
            |lo: f64, hi: f64| unpaired_beyond(&a, &b, Margins::default(), 1, (lo.ln(), hi.ln()));
        let explained = judged(1.03, 1.05);
        assert!(explained.p_changed() > 0.9 && !explained.near, "{explained:?}");
        assert!(judged(0.99, 1.01).p_changed() < 0.01);
        assert_eq!(judged(1.0, 1.0), unpaired(&a, &b, Margins::default(), 1));
        // A slower machine explains no gain.
        assert!(judged(0.90, 0.95).p_changed() < 0.01);
    }

    #[test]
    fn trials_that_a_family_needs() {
        // 20 ways give p .1, 70 give 2 / 70, 924 give 2 / 924.
        assert_eq!((trials_for(1), trials_for(12), trials_for(60)), (Some(4), Some(6), Some(7)));
        assert_eq!(trials_for(10_000), None);
    }
}
