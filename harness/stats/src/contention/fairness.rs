//! How evenly a lock goes round, from the stream of its owners: short-term (who follows whom) and long-term (who got how much).

use std::collections::{BTreeMap, BTreeSet};

/// Fairness of a stream of owners.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fairness {
    /// Share of acquisitions by another worker than the one before; absent below two acquisitions.
    pub owner_changes: Option<f64>,
    /// Jain's index of the acquisitions by worker.
    pub jain: f64,
    /// Median lock working set size of 100 acquisitions; absent below 100.
    pub lwss_100: Option<f64>,
    /// Median acquisitions by others before a worker has the lock again; absent if none ever had it again.
    pub mttr: Option<f64>,
    /// Acquisitions of the stream.
    pub acquisitions: usize,
}

/// All of it; `None` for no acquisitions or no workers.
pub fn fairness(owners: &[u32], workers: u32) -> Option<Fairness> {
    let mut counts = vec![0_u64; workers as usize];
    for w in owners {
        *counts.get_mut(*w as usize)? += 1;
    }
    Some(Fairness {
        owner_changes: owner_change_rate(owners),
        jain: jain(&counts)?,
        lwss_100: lwss(owners, 100),
        mttr: mttr(owners),
        acquisitions: owners.len(),
    })
}

/// Changes of owner / successions; `None` below two acquisitions.
pub fn owner_change_rate(owners: &[u32]) -> Option<f64> {
    let successions = owners.len().checked_sub(1).filter(|n| *n > 0)?;
    let changes = owners.windows(2).filter(|p| p[0] != p[1]).count();
    Some(changes as f64 / successions as f64)
}

/// (sum x)² / (n sum x²) (Jain, Chiu, Hawe 1984): 1 if all have the same, 1/n if one has all. A worker that got nothing counts
/// with 0. `None` if nobody got anything.
pub fn jain(counts: &[u64]) -> Option<f64> {
    let sum: f64 = counts.iter().map(|x| *x as f64).sum();
    let squares: f64 = counts.iter().map(|x| (*x as f64).powi(2)).sum();
    (squares > 0.0).then(|| sum * sum / (counts.len() as f64 * squares))
}

/// Lock working set size (Dice, "Malthusian Locks", 2017): distinct owners in `interval` successive acquisitions,
/// the median over intervals that lie end to end. `None` if not even one is whole.
pub fn lwss(owners: &[u32], interval: usize) -> Option<f64> {
    if interval == 0 {
        return None;
    }
    let distinct = |part: &[u32]| part.iter().collect::<BTreeSet<_>>().len() as f64;
    let sizes: Vec<f64> = owners.chunks_exact(interval).map(distinct).collect();
    crate::interval::median(&sizes)
}

/// Median time to reacquire (Dice 2017), in acquisitions by others between two of the same worker.
pub fn mttr(owners: &[u32]) -> Option<f64> {
    let mut last = BTreeMap::new();
    let mut between = Vec::new();
    for (k, w) in owners.iter().enumerate() {
        if let Some(before) = last.insert(*w, k) {
            between.push((k - before - 1) as f64);
        }
    }
    crate::interval::median(&between)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn round_robin_is_as_fair_as_can_be() {
        let owners: Vec<u32> = (0..4000).map(|k| k % 4).collect();
        let f = fairness(&owners, 4).unwrap();
        let all = (f.owner_changes, f.jain, f.lwss_100, f.mttr, f.acquisitions);
        assert_eq!(all, (Some(1.0), 1.0, Some(4.0), Some(3.0), 4000));
    }

    #[test]
    fn one_who_keeps_the_lock_is_as_unfair_as_can_be() {
        let f = fairness(&[2; 500], 4).unwrap();
        assert_eq!(
            (f.owner_changes, f.jain, f.lwss_100, f.mttr),
            (Some(0.0), 0.25, Some(1.0), Some(0.0))
        );
    }

    /// Runs of 50: two owners in every hundred, all four in two hundred, and most have the lock again at once.
    #[test]
    fn turns_in_bursts_are_fair_only_in_the_long_run() {
        let owners: Vec<u32> = (0..4000).map(|k| (k / 50) % 4).collect();
        let f = fairness(&owners, 4).unwrap();
        assert_eq!((f.jain, f.lwss_100, f.mttr), (1.0, Some(2.0), Some(0.0)));
        assert_eq!(f.owner_changes, Some(79.0 / 3999.0));
        assert_eq!(lwss(&owners, 200), Some(4.0));
    }

    #[test]
    fn what_a_stream_is_too_short_for_is_absent() {
        assert_eq!(fairness(&[], 4), None);
        assert_eq!(fairness(&[0], 0), None);
        assert_eq!(fairness(&[7], 4), None, "a worker that is not there");
        let f = fairness(&[1], 4).unwrap();
        assert_eq!((f.owner_changes, f.lwss_100, f.mttr), (None, None, None));
        assert_eq!((lwss(&[1, 2], 0), lwss(&[1, 2], 3)), (None, None));
    }

    proptest! {
        #[test]
        fn measures_stay_in_their_ranges_and_ignore_names(
            owners in prop::collection::vec(0..6u32, 1..600), shift in 1..6u32,
        ) {
            let f = fairness(&owners, 6).unwrap();
            prop_assert!(1.0 / 6.0 - 1e-12 <= f.jain && f.jain <= 1.0 + 1e-12);
            prop_assert!(f.owner_changes.is_none_or(|x| (0.0..=1.0).contains(&x)));
            prop_assert!(f.lwss_100.is_none_or(|x| (1.0..=6.0).contains(&x)));
            prop_assert!(f.mttr.is_none_or(|x| x >= 0.0 && x < owners.len() as f64));
            let renamed: Vec<u32> = owners.iter().map(|w| (w + shift) % 6).collect();
            let same = fairness(&renamed, 6).unwrap();
            prop_assert_eq!((same.owner_changes, same.lwss_100, same.mttr), (f.owner_changes, f.lwss_100, f.mttr));
        }

        #[test]
        fn a_longer_interval_has_no_smaller_working_set(owners in prop::collection::vec(0..6u32, 64)) {
            prop_assert!(lwss(&owners, 32).unwrap() <= lwss(&owners, 64).unwrap());
        }
    }
}
