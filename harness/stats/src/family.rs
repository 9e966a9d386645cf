//! Evidence to decisions: one cell, a family of cells judged together, one cell looked at several times.
//!
//! Red means red: of the cells that a family calls changed, on average at most one of twenty is not, however many cells it has
//! (Benjamini and Hochberg 1995), and none is called before a second, independent sample has said the same.

use crate::change::{ALPHA, Evidence};

/// What became of a metric, B against A.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Shown to be above, by more than the margin.
    Higher,
    /// Shown to be below, by more than the margin.
    Lower,
    /// Shown to lie within the equivalence margin, and estimated within the regression margin: a change of 2 %, well measured, lies within 3 % and is
    /// still no equivalence, nor a reason to look no further.
    Equivalent,
    /// Neither; never to be read as "no change".
    Inconclusive,
}

/// A cell's decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// What became of it.
    pub change: Change,
    /// p that nothing changed, adjusted for the family; of the confirmation, if that is the larger.
    pub p: f64,
    /// The smallest ratio above 1 that could have been seen; of inconclusive cells.
    pub smallest_detectable: Option<f64>,
    /// Why it is inconclusive.
    pub reason: Option<String>,
}

/// How many differences a look has, and the two-sided p that ends it. Calibrated for this test by simulation (`cargo bench -p amdahl-stats
/// --bench level`): over the three looks together nothing that did not change is called changed more often than in 5 %.
pub const LOOKS: [(usize, f64); 3] = [(12, 0.0125), (24, 0.0165), (48, 0.028)];

/// One cell with a fixed number of differences.
pub fn decide(evidence: &Evidence) -> Decision {
    settle(evidence, evidence.p_changed(), ALPHA, ALPHA)
}

/// One cell at look `k` of [`LOOKS`]: inconclusive means go on, at the last look it is the verdict. Both errors, calling changed and
/// calling equivalent, are spent over the looks.
pub fn decide_look(evidence: &Evidence, k: usize) -> Decision {
    let alpha = LOOKS[k].1;
    settle(evidence, evidence.p_changed(), alpha, alpha)
}

/// A family: which cells of it changed, before confirmation. Those that did need a second sample: [`confirm`].
pub fn decide_family(family: &[Evidence]) -> Vec<Decision> {
    let adjusted = benjamini_hochberg(&family.iter().map(Evidence::p_changed).collect::<Vec<_>>());
    let strictest = ALPHA / family.len().max(1) as f64;
    let decide = |(e, p): (&Evidence, f64)| {
        let mut decision = settle(e, p, ALPHA, strictest);
        if decision.change == Change::Inconclusive && e.smallest_p > strictest {
            let need = pairs_for(family.len());
            decision.reason = Some(format!(
                "in a family of {} cells needs at least {need} trials each",
                family.len()
            ));
        }
        decision
    };
    family.iter().zip(adjusted).map(decide).collect()
}

/// The second, independent samples of the cells that [`decide_family`] called changed (`None` for all others): changed is what both call changed in the
/// same direction; what the second does not confirm is inconclusive.
pub fn confirm(first: &[Decision], second: &[Option<Evidence>]) -> Vec<Decision> {
    let flagged: Vec<Evidence> = second.iter().flatten().copied().collect();
    let mut confirmations = decide_family(&flagged).into_iter();
    let confirm = |(first, second): (&Decision, &Option<Evidence>)| {
        let changed = matches!(first.change, Change::Higher | Change::Lower);
        let again = second.as_ref().and_then(|_| confirmations.next());
        match again {
            _ if !changed => first.clone(),
            Some(again) if again.change == first.change => {
                Decision { p: first.p.max(again.p), ..first.clone() }
            }
            Some(again) => Decision {
                change: Change::Inconclusive,
                reason: Some("changed in the first sample, not confirmed by the second".to_owned()),
                p: first.p.max(again.p),
                smallest_detectable: again.smallest_detectable,
            },
            None => Decision {
                change: Change::Inconclusive,
                reason: Some(
                    "changed in the first sample; there was no second to confirm it".to_owned(),
                ),
                ..first.clone()
            },
        }
    };
    first.iter().zip(second).map(confirm).collect()
}

/// `p` is already adjusted. `alpha` is for it and for equivalence; `seen_at` the level at which the smallest detectable change is told.
fn settle(evidence: &Evidence, p: f64, alpha: f64, seen_at: f64) -> Decision {
    let change = if p <= alpha {
        if evidence.p_higher < evidence.p_lower { Change::Higher } else { Change::Lower }
    } else if evidence.p_equivalent <= alpha && evidence.near {
        Change::Equivalent
    } else {
        Change::Inconclusive
    };
    let open = change == Change::Inconclusive;
    let few = open && evidence.smallest_p > alpha;
    Decision {
        change,
        p,
        smallest_detectable: if open { evidence.smallest_detectable(seen_at) } else { None },
        reason: few.then(|| {
            format!("{} trials each are too few: no difference could be shown", evidence.n)
        }),
    }
}

/// p of every test such that calling changed what lies at or below q keeps the expected share of false calls below q.
pub fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*b].total_cmp(&p[*a]));
    let mut adjusted = vec![1.0; p.len()];
    let mut least = 1.0_f64;
    for (larger, i) in order.into_iter().enumerate() {
        let rank = p.len() - larger;
        least = least.min(p[i] * (p.len() as f64 / rank as f64));
        adjusted[i] = least;
    }
    adjusted
}

/// The largest family in which a single cell that changed can be found with so many pairs each: 2 · 2^-n <= .05 / m.
pub fn largest_family(pairs: usize) -> usize {
    (ALPHA / (2.0 * crate::rank::smallest_p(pairs))) as usize
}

/// Pairs that each cell of a family needs at least.
pub fn pairs_for(family: usize) -> usize {
    (1..).find(|n| largest_family(*n) >= family.max(1)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::change::{Margins, paired};
    use crate::random::SplitMix;

    fn cell(pairs: usize, ratio: f64, rng: &mut SplitMix) -> Evidence {
        let logs: Vec<f64> = (0..pairs).map(|_| ratio.ln() + 0.004 * rng.normal()).collect();
        paired(&logs, Margins::default())
    }

    /// By hand: p .01 .02 .03 .5 adjusted .04 .04 .04 .5.
    #[test]
    fn adjusted_p_is_benjamini_s_and_hochberg_s() {
        let near = |a: Vec<f64>, b: &[f64]| {
            assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12), "{a:?}")
        };
        near(benjamini_hochberg(&[0.02, 0.5, 0.01, 0.03]), &[0.04, 0.5, 0.04, 0.04]);
        near(benjamini_hochberg(&[0.6, 0.9]), &[0.9, 0.9]);
        assert!(benjamini_hochberg(&[]).is_empty());
    }

    /// 12 pairs have 2^-11 as their smallest p: enough for 102 cells; 6 pairs for one.
    #[test]
    fn the_largest_family_is_told_and_needed_pairs_are_its_inverse() {
        assert_eq!((largest_family(12), largest_family(6), largest_family(5)), (102, 1, 0));
        assert_eq!((pairs_for(1), pairs_for(60), pairs_for(102), pairs_for(103)), (6, 12, 12, 13));
    }

    #[test]
    fn a_change_needs_both_samples_in_the_same_direction() {
        let mut rng = SplitMix::new(1);
        let mut draw = |ratios: &[f64]| -> Vec<Evidence> {
            ratios.iter().map(|r| cell(12, *r, &mut rng)).collect()
        };
        let first = decide_family(&draw(&[1.05, 1.05, 1.0, 0.95, 1.05]));
        let changes: Vec<Change> = first.iter().map(|d| d.change).collect();
        use Change::{Equivalent, Higher, Inconclusive, Lower};
        assert_eq!(changes, [Higher, Higher, Equivalent, Lower, Higher]);
        let again = draw(&[1.05, 1.0, 0.95, 0.95]);
        let second = [Some(again[0]), Some(again[1]), None, Some(again[2]), None];
        let both = confirm(&first, &second);
        let changes: Vec<Change> = both.iter().map(|d| d.change).collect();
        assert_eq!(changes, [Higher, Inconclusive, Equivalent, Lower, Inconclusive]);
        assert!(both[1].reason.as_ref().unwrap().contains("not confirmed"));
        assert!(both[4].reason.as_ref().unwrap().contains("no second"));
    }

    #[test]
    fn too_few_pairs_say_how_many_are_needed() {
        let mut rng = SplitMix::new(2);
        let noisy: Vec<Evidence> = (0..60)
            .map(|_| {
                paired(&(0..6).map(|_| 0.1 * rng.normal()).collect::<Vec<_>>(), Margins::default())
            })
            .collect();
        let decisions = decide_family(&noisy);
        assert!(decisions.iter().all(|d| d.change == Change::Inconclusive));
        assert!(
            decisions[0].reason.as_ref().unwrap().contains("at least 12 trials"),
            "{:?}",
            decisions[0]
        );
        let one = decide(&paired(&[0.3, 0.3], Margins::default()));
        assert!(one.reason.unwrap().contains("too few"));
    }

    #[test]
    fn what_is_undecided_says_what_could_have_been_seen() {
        let mut rng = SplitMix::new(3);
        let noisy =
            paired(&(0..12).map(|_| 0.05 * rng.normal()).collect::<Vec<_>>(), Margins::default());
        let seen = |alpha: f64| noisy.smallest_detectable(alpha).unwrap();
        assert_eq!(decide(&noisy).smallest_detectable, Some(seen(ALPHA)));
        assert!(seen(0.001) > seen(ALPHA) && seen(ALPHA) > 1.03);
        let sure = decide(&cell(12, 1.0, &mut rng));
        assert_eq!((sure.change, sure.smallest_detectable), (Change::Equivalent, None));
    }

    proptest! {
        #[test]
        fn adjusting_keeps_the_order_and_never_lowers(p in prop::collection::vec(0.0..=1.0f64, 1..40)) {
            let adjusted = benjamini_hochberg(&p);
            for (i, (raw, a)) in p.iter().zip(&adjusted).enumerate() {
                prop_assert!(a >= raw && *a <= 1.0);
                prop_assert!(p.iter().zip(&adjusted).skip(i).all(|(r, b)| (raw <= r) == (a <= b) || a == b));
            }
        }
    }
}
