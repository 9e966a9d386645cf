//! Where the level of a series changed: a rank statistic over all places and over stretches, its null distribution, segmentation, a family of series.
//!
//! Ranks, because a series of measurements has spikes; over all places at once, because a test at the place that looks worst
//! finds a change in half of all series that have none. Over stretches too, because a level that was left and came back (a regression, and its
//! repair) hides from every single place.

mod null;
mod search;

use crate::family::benjamini_hochberg;
use crate::interval::median;

pub use null::{critical_z, p_of_largest};
use search::{PLACES_SHARE, search, split};

/// Points that a level needs at least.
pub const POINTS_MIN: usize = 5;

/// Share of false ones among the series that are called changed, at most, on average.
pub const BREAKS_Q: f64 = 0.05;

/// However few series there are, p of a change lies at or below this. Far below .05, because points of a history are seldom independent of
/// one another, and p is told as if they were: where neighbours correlate by .3, several per cent of change-free series get here (`cargo bench -p
/// amdahl-stats --bench history`).
pub const BREAK_P_MAX: f64 = 1.25e-3;

/// A change of level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Break {
    /// The first point of the new level.
    pub index: usize,
    /// Median from the change before it (or the beginning) to this one.
    pub before: f64,
    /// Median from this one to the next (or the end).
    pub after: f64,
    /// Of the largest of all rank sums between the changes on either side, if nothing changes there.
    pub p: f64,
}

impl Break {
    /// after / before; `None` where a level is not above 0.
    pub fn ratio(&self) -> Option<f64> {
        (self.before > 0.0 && self.after > 0.0).then(|| self.after / self.before)
    }

    /// |after - before| in units of |before|.
    fn size(&self) -> f64 {
        (self.after - self.before).abs() / self.before.abs()
    }
}

/// What became of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Levels {
    /// Changes in order; empty if the family does not bear one out.
    pub changes: Vec<Break>,
    /// Of its clearest change, as found alone; 1 where it is too short to have one.
    pub p: f64,
    /// The same, adjusted for the family.
    pub p_adjusted: f64,
}

/// Change points of a family of series, each of finite values in order. `margin` is the smallest change worth telling, relative to the level before.
pub fn breaks(family: &[&[f64]], margin: f64) -> Vec<Levels> {
    let alone: Vec<(Vec<Break>, f64)> = family.iter().map(|v| segment(v, margin)).collect();
    let adjusted = benjamini_hochberg(&alone.iter().map(|(_, p)| *p).collect::<Vec<_>>());
    let judged = alone.into_iter().zip(adjusted);
    judged
        .map(|((changes, p), p_adjusted)| Levels {
            changes: if p_adjusted <= BREAKS_Q { changes } else { Vec::new() },
            p,
            p_adjusted,
        })
        .collect()
}

/// Changes of one series, and the smallest p of its splits.
fn segment(values: &[f64], margin: f64) -> (Vec<Break>, f64) {
    let mut places = Vec::new();
    let mut open = vec![(0, values.len())];
    let mut least = 1.0_f64;
    while let Some((from, to)) = open.pop() {
        let Some((found, p)) = search(&values[from..to]) else { continue };
        // The whole series alone speaks in the family: its pieces were chosen by what was found.
        if from == 0 && to == values.len() {
            least = p;
        }
        if p <= BREAK_P_MAX {
            let ends: Vec<usize> =
                [from].into_iter().chain(found.iter().map(|at| from + at)).chain([to]).collect();
            places.extend_from_slice(&ends[1..ends.len() - 1]);
            open.extend(ends.windows(2).map(|w| (w[0], w[1])));
        }
    }
    places.sort_unstable();
    (settle(values, places, margin), least)
}

/// Each change is looked at again between its neighbours, where it may lie a little elsewhere, or be none; the weakest of those goes first.
fn settle(values: &[f64], mut places: Vec<usize>, margin: f64) -> Vec<Break> {
    loop {
        let ends = |k: usize, places: &[usize]| {
            let from = if k == 0 { 0 } else { places[k - 1] };
            (from, places.get(k + 1).copied().unwrap_or(values.len()))
        };
        for k in 0..places.len() {
            let (from, to) = ends(k, &places);
            let piece = &values[from..to];
            if let Some((at, _)) = split(piece) {
                places[k] = from + first_of_level(piece, at);
            }
        }
        let describe = |k: usize| {
            let (from, to) = ends(k, &places);
            let level = |v: &[f64]| median(v).unwrap_or(f64::NAN);
            Break {
                index: places[k],
                before: level(&values[from..places[k]]),
                after: level(&values[places[k]..to]),
                p: split(&values[from..to]).map_or(1.0, |s| s.1),
            }
        };
        let found: Vec<Break> = (0..places.len()).map(describe).collect();
        let weak = |b: &Break| b.p > BREAK_P_MAX || b.size() < margin || b.size().is_nan();
        let weakest = (0..found.len())
            .filter(|k| weak(&found[*k]))
            .max_by(|a, b| found[*a].p.total_cmp(&found[*b].p).then(b.cmp(a)));
        match weakest {
            Some(k) => drop(places.remove(k)),
            None => return found,
        }
    }
}

/// Where the new level begins, if ranks say that it changes about `at`: the place that leaves the least absolute distance to the medians of both sides.
/// Ranks alone can't say: where the two sides don't overlap, the lowest point of the upper one may stand on either side, and the more balanced
/// split wins, which blames the run before or after.
fn first_of_level(values: &[f64], at: usize) -> usize {
    let level = |v: &[f64]| median(v).unwrap_or(0.0);
    let (before, after) = (level(&values[..at]), level(&values[at..]));
    // What the distance grows by if point i counts to the left instead of the right.
    let moved = |i: usize| (values[i] - before).abs() - (values[i] - after).abs();
    let later = (at..values.len() - POINTS_MIN).scan(0.0, |sum, i| {
        *sum += moved(i);
        Some((*sum, i + 1))
    });
    let earlier = (POINTS_MIN..at).rev().scan(0.0, |sum, i| {
        *sum -= moved(i);
        Some((*sum, i))
    });
    let nearer = later.chain(earlier).filter(|(sum, _)| *sum < 0.0);
    nearer.min_by(|a, b| a.0.total_cmp(&b.0)).map_or(at, |(_, place)| place)
}

/// The smallest p that a series of `n` points can have: all of one half above all of the other.
pub fn smallest_break_p(n: usize) -> f64 {
    (null::smallest_p(n) / PLACES_SHARE).min(1.0)
}

/// The smallest shift, in standard deviations of normal noise, that is found with probability .95 with so many points after it at the end of a series of `n`; `None` where no shift is.
pub fn detectable_sigma(n: usize, after: usize) -> Option<f64> {
    let (m, k) = (n.checked_sub(after)? as f64, after as f64);
    if after < POINTS_MIN || m < POINTS_MIN as f64 {
        return None;
    }
    let need = critical_z(n, PLACES_SHARE * BREAK_P_MAX)?;
    let spread = (k * m * (n as f64 + 1.0) / 12.0).sqrt();
    let surely = |sigma: f64| {
        let (mean, variance) = null::shifted(sigma);
        let sd = (k * m * (variance.0 + (m - 1.0) * variance.1 + (k - 1.0) * variance.1)).sqrt();
        ((mean - 0.5) * k * m - 1.645 * sd) / spread >= need
    };
    (1..=60).map(|s| f64::from(s) / 10.0).find(|s| surely(*s))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::random::SplitMix;

    fn noise(n: usize, rng: &mut SplitMix) -> Vec<f64> {
        (0..n).map(|_| 100.0 + rng.normal()).collect()
    }

    fn shifted(n: usize, at: usize, by: f64, rng: &mut SplitMix) -> Vec<f64> {
        noise(n, rng)
            .into_iter()
            .enumerate()
            .map(|(i, v)| if i < at { v } else { v + by })
            .collect()
    }

    #[test]
    fn a_step_is_found_where_it_is_with_its_levels() {
        let mut rng = SplitMix::new(1);
        let values = shifted(100, 85, 4.0, &mut rng);
        let found = &breaks(&[&values], 0.01)[0];
        assert_eq!(found.changes.len(), 1, "{found:?}");
        let change = found.changes[0];
        assert!(change.index.abs_diff(85) <= 1 && change.p < BREAK_P_MAX);
        assert!((change.before - 100.0).abs() < 0.5 && (change.after - 104.0).abs() < 0.8);
        assert!(breaks(&[&values], 0.06)[0].changes.is_empty(), "below the margin");
    }

    #[test]
    fn two_steps_are_two_changes_also_back_to_the_first_level() {
        let mut rng = SplitMix::new(2);
        let up_down: Vec<f64> = noise(150, &mut rng)
            .into_iter()
            .enumerate()
            .map(|(i, v)| v + if (50..100).contains(&i) { 5.0 } else { 0.0 })
            .collect();
        let found = &breaks(&[&up_down], 0.01)[0];
        let at: Vec<usize> = found.changes.iter().map(|c| c.index).collect();
        assert!(at.len() == 2 && at[0].abs_diff(50) <= 2 && at[1].abs_diff(100) <= 2, "{at:?}");
    }

    /// As ranks it moves no place far: 25 of 60 lower in the middle.
    #[test]
    fn a_level_that_came_back_is_found() {
        let mut rng = SplitMix::new(6);
        let dip: Vec<f64> = noise(60, &mut rng)
            .into_iter()
            .enumerate()
            .map(|(i, v)| v - if (20..45).contains(&i) { 10.0 } else { 0.0 })
            .collect();
        let found = &breaks(&[&dip], 0.01)[0];
        let at: Vec<usize> = found.changes.iter().map(|c| c.index).collect();
        assert_eq!(at, [20, 45]);
    }

    #[test]
    fn spikes_short_series_and_constants_change_nothing() {
        let mut rng = SplitMix::new(3);
        let spikes: Vec<f64> =
            (0..100).map(|i| if i % 17 == 0 { 1e6 } else { 100.0 + rng.normal() }).collect();
        let short: Vec<f64> = (0..9).map(f64::from).collect();
        let family: [&[f64]; 4] = [&spikes, &short, &[7.0; 50], &[]];
        let found = breaks(&family, 0.0);
        assert!(found.iter().all(|l| l.changes.is_empty()), "{found:?}");
        assert_eq!([found[1].p, found[2].p, found[3].p], [1.0; 3]);
    }

    /// What a family of one bears out, one of a thousand quiet ones need not.
    #[test]
    fn the_family_raises_the_bar() {
        let mut rng = SplitMix::new(4);
        let quiet: Vec<Vec<f64>> = (0..400).map(|_| noise(60, &mut rng)).collect();
        let weak = (5..40)
            .map(|seed| shifted(60, 40, 1.5, &mut SplitMix::new(seed)))
            .find(|v| (3e-4..8e-4).contains(&breaks(&[v], 0.0)[0].p))
            .expect("a weak one");
        let mut family: Vec<&[f64]> = quiet.iter().map(Vec::as_slice).collect();
        assert_eq!(breaks(&[&weak], 0.0)[0].changes.len(), 1);
        family.push(&weak);
        let all = breaks(&family, 0.0);
        assert!(all[400].changes.is_empty() && all[400].p_adjusted > BREAKS_Q);
    }

    #[test]
    fn what_can_be_seen_shrinks_with_the_points_after() {
        let of = |after| detectable_sigma(100, after);
        assert_eq!((of(3), detectable_sigma(12, 6)), (None, None));
        let (few, many) = (of(15).unwrap(), of(50).unwrap());
        assert!(many < few && (1.5..=2.1).contains(&few), "{few} {many}");
    }

    proptest! {
        #[test]
        fn a_monotone_scale_changes_no_p(seed in 0_u64..500) {
            let values = shifted(60, 30, 3.0, &mut SplitMix::new(seed));
            let scaled: Vec<f64> = values.iter().map(|v| (v / 10.0).exp()).collect();
            prop_assert_eq!(breaks(&[&values], 0.0)[0].p, breaks(&[&scaled], 0.0)[0].p);
        }

        /// Not the run before and not the one after is to blame.
        #[test]
        fn a_clear_step_is_placed_exactly(seed in 0_u64..500, at in 12_usize..48) {
            let values = shifted(60, at, 20.0, &mut SplitMix::new(seed));
            let found = &breaks(&[&values], 0.01)[0];
            prop_assert_eq!(found.changes.iter().map(|c| c.index).collect::<Vec<_>>(), [at]);
        }

        #[test]
        fn the_order_of_series_changes_nothing(seed in 0_u64..100) {
            let mut rng = SplitMix::new(seed);
            let series: Vec<Vec<f64>> = (0..8).map(|i| shifted(40, 20, f64::from(i), &mut rng)).collect();
            let forward: Vec<&[f64]> = series.iter().map(Vec::as_slice).collect();
            let backward: Vec<&[f64]> = series.iter().rev().map(Vec::as_slice).collect();
            let mut again = breaks(&backward, 0.01);
            again.reverse();
            prop_assert_eq!(breaks(&forward, 0.01), again);
        }
    }
}
