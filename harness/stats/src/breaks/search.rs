//! The search for one change in a series: the place, or the stretch, whose rank sum stands out most, and p of having searched.

use super::POINTS_MIN;
use super::null::{p_of_largest, p_of_stretch};

/// Share of p that is spent on single places; the rest is for stretches.
pub(super) const PLACES_SHARE: f64 = 0.8;

/// One place or the two ends of a stretch, whichever is less likely where nothing changes, and p of both searches together.
pub(super) fn search(values: &[f64]) -> Option<(Vec<usize>, f64)> {
    let (n, ranks) = (values.len(), doubled_midranks(values));
    let (at, z) = largest(&ranks)?;
    let place = (vec![at], p_of_largest(n, z) / PLACES_SHARE);
    let stretch = largest_stretch(&ranks, &stretches(n))
        .map(|((from, to), z)| (vec![from, to], p_of_stretch(n, z) / (1.0 - PLACES_SHARE)));
    let (places, p) = match stretch {
        Some(stretch) if stretch.1 < place.1 => stretch,
        _ => place,
    };
    Some((places, p.min(1.0)))
}

/// A stretch has at least so many points, and so has what lies before it and after it together.
const STRETCH_MIN: usize = 2 * POINTS_MIN;

/// Begin and end of the stretches that are looked at: lengths grow by a third, begins by a fifth of the length. Its exact ends are found
/// later, when each is a single place between neighbours.
pub(super) fn stretches(n: usize) -> Vec<(usize, usize)> {
    let mut list = Vec::new();
    let mut length = STRETCH_MIN;
    while length + STRETCH_MIN <= n {
        let begins = (POINTS_MIN..=n - length - POINTS_MIN).step_by(length / 5);
        list.extend(begins.map(|b| (b, b + length)));
        length = length * 4 / 3;
    }
    list
}

/// The stretch whose rank sum differs most from that of all the rest, and its |z|.
pub(super) fn largest_stretch(
    ranks: &[u32],
    list: &[(usize, usize)],
) -> Option<((usize, usize), f64)> {
    let n = ranks.len();
    let (mean, variance) = moments(ranks);
    if variance == 0.0 {
        return None;
    }
    let mut sums = vec![0.0; n + 1];
    for (k, rank) in ranks.iter().enumerate() {
        sums[k + 1] = sums[k] + f64::from(*rank) - mean;
    }
    let mut best = None;
    let mut most = -1.0;
    for (from, to) in list {
        let (sum, m) = (sums[*to] - sums[*from], to - from);
        let square = sum * sum / (m * (n - m)) as f64;
        if square > most {
            (best, most) = (Some((*from, *to)), square);
        }
    }
    Some((best?, (most * n as f64 / variance).sqrt()))
}

/// Where the two sides of a split differ most, and p of that over all splits; `None` for too few points or where all are equal.
pub(super) fn split(values: &[f64]) -> Option<(usize, f64)> {
    let (at, z) = largest(&doubled_midranks(values))?;
    Some((at, p_of_largest(values.len(), z)))
}

/// The split with the largest standardised rank sum, and that |z|: Mann and Whitney's statistic with the variance that these very ranks have.
/// A tie goes to the more balanced split.
pub(super) fn largest(ranks: &[u32]) -> Option<(usize, f64)> {
    let n = ranks.len();
    if n < 2 * POINTS_MIN {
        return None;
    }
    let (mean, variance) = moments(ranks);
    if variance == 0.0 {
        return None;
    }
    let mut best = (0, -1.0_f64);
    let mut sum = 0.0;
    for (k, rank) in (1..=n - POINTS_MIN).zip(ranks) {
        sum += f64::from(*rank) - mean;
        if k < POINTS_MIN {
            continue;
        }
        // Squared, without the constant: one root in the end.
        let square = sum * sum / (k as f64 * (n - k) as f64);
        if square > best.1 || (square == best.1 && k.min(n - k) > best.0.min(n - best.0)) {
            best = (k, square);
        }
    }
    Some((best.0, (best.1 * n as f64 / variance).sqrt()))
}

/// Twice the rank from 1; equal values share the mean of theirs.
pub(super) fn doubled_midranks(values: &[f64]) -> Vec<u32> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0; values.len()];
    let mut from = 0;
    for group in order.chunk_by(|a, b| values[*a] == values[*b]) {
        let shared = 2 * from + group.len() + 1;
        group.iter().for_each(|i| ranks[*i] = shared as u32);
        from += group.len();
    }
    ranks
}

/// Mean and variance of doubled ranks.
fn moments(ranks: &[u32]) -> (f64, f64) {
    let n = ranks.len();
    let mean = (n + 1) as f64;
    let squares = ranks.iter().map(|r| (f64::from(*r) - mean).powi(2)).sum::<f64>();
    (mean, squares / (n.max(2) - 1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: 10 values in order, split in the middle: ranks 1..5, |sum - 27.5| = 12.5, variance 5 · 5 · 11 / 12.
    #[test]
    fn the_statistic_is_mann_and_whitney_s() {
        let values: Vec<f64> = (0..10).map(f64::from).collect();
        let (at, z) = largest(&doubled_midranks(&values)).unwrap();
        assert_eq!(at, 5);
        assert!((z - 12.5 / (275.0_f64 / 12.0).sqrt()).abs() < 1e-12, "{z}");
        assert_eq!(doubled_midranks(&[3.0, 1.0, 3.0, 0.0]), [7, 4, 7, 2]);
    }

    #[test]
    fn stretches_leave_room_around_them() {
        let longest = stretches(60).iter().map(|(from, to)| to - from).max();
        assert!(longest.is_some_and(|l| (38..=50).contains(&l)) && stretches(19).is_empty());
        let all = stretches(200);
        assert!(all.iter().all(|(from, to)| *from >= POINTS_MIN && to + POINTS_MIN <= 200));
        assert!(all.iter().all(|(from, to)| to - from >= STRETCH_MIN));
    }

    /// By hand: ranks 11 to 20 of 20 lie in the middle; their sum is 50 above its mean, variance 10 · 10 · 21 / 12.
    #[test]
    fn a_stretch_stands_out_against_all_the_rest() {
        let values: Vec<f64> = (0..20)
            .map(|i| if (5..15).contains(&i) { 100.0 } else { 0.0 } + f64::from(i))
            .collect();
        let ((from, to), z) = largest_stretch(&doubled_midranks(&values), &stretches(20)).unwrap();
        assert_eq!((from, to), (5, 15));
        assert!((z - 50.0 / (175.0_f64).sqrt()).abs() < 1e-12, "{z}");
    }
}
