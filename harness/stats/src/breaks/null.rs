//! How large the largest of all standardised rank sums becomes where nothing changes: by simulation that repeats the search.
//!
//! Ranks of independent values are a random permutation whatever the values' distribution, so one table serves every series of a length.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use statrs::distribution::{ContinuousCDF, Normal};

use super::POINTS_MIN;
use super::search::{largest, largest_stretch, stretches};
use crate::random::SplitMix;

/// Permutations of a table, fewer where they are long.
const PERMUTATIONS: usize = 40_000;
/// Ranks drawn for a table, at most.
const RANKS_MAX: usize = 30_000_000;
/// Below this p the simulated quantiles are too few to be read; from here on the tail is a formula.
const TAIL_FROM: f64 = 0.002;
const SEED: u64 = 0x6272_6561_6b73;

/// p that the largest |z| over all splits of `n` points is at least `z` if nothing changes.
///
/// Down to .002 as simulated; from there as the tail of a Gaussian process falls, z exp(-z²/2). Rank sums are bounded, so their tail falls
/// faster, and p is rather too large (the bench checks it where ten million permutations reach).
pub fn p_of_largest(n: usize, z: f64) -> f64 {
    if n < 2 * POINTS_MIN {
        return 1.0;
    }
    tail_of(&table(n, Search::Places), z)
}

/// The same of the largest |z| over the stretches of `n` points.
pub(super) fn p_of_stretch(n: usize, z: f64) -> f64 {
    tail_of(&table(n, Search::Stretches), z)
}

fn tail_of(table: &[f64], z: f64) -> f64 {
    let at_least = table.len() - table.partition_point(|x| *x < z - 1e-9);
    let p = (at_least + 1) as f64 / (table.len() + 1) as f64;
    let start = table[start(table)];
    if z <= start { p } else { TAIL_FROM * (tail(z) / tail(start)) }
}

/// The smallest p that `n` points can have at any place: all of one half above all of the other.
pub(super) fn smallest_p(n: usize) -> f64 {
    let (left, all) = ((n / 2) as f64, n as f64);
    let z = (3.0 * left * (all - left) / (all + 1.0)).sqrt();
    p_of_largest(n, z)
}

/// The |z| at which p is `p`, below .002; `None` where `n` points can't have so small a p.
pub fn critical_z(n: usize, p: f64) -> Option<f64> {
    if smallest_p(n) > p {
        return None;
    }
    let (mut lo, mut hi) = (0.0, 40.0);
    for _ in 0..60 {
        let middle = f64::midpoint(lo, hi);
        if p_of_largest(n, middle) > p { lo = middle } else { hi = middle }
    }
    Some(hi)
}

/// Of two normal variables of which one is shifted by `sigma`: the chance that it is the larger, and the two parts of the variance of
/// that count over pairs (a pair with itself, two pairs that share a value).
pub(super) fn shifted(sigma: f64) -> (f64, (f64, f64)) {
    let Ok(normal) = Normal::new(0.0, 1.0) else { return (0.5, (0.25, 0.0)) };
    let above = normal.cdf(sigma / std::f64::consts::SQRT_2);
    // E Φ(x + sigma)² over x by the midpoint rule.
    let steps = 400;
    let width = 16.0 / f64::from(steps);
    let both: f64 = (0..steps)
        .map(|i| -8.0 + (f64::from(i) + 0.5) * width)
        .map(|x| (-x * x / 2.0).exp() * normal.cdf(x + sigma).powi(2))
        .sum::<f64>()
        * width
        / std::f64::consts::TAU.sqrt();
    (above, (above * (1.0 - above), both - above * above))
}

fn tail(z: f64) -> f64 {
    z * (-z * z / 2.0).exp()
}

/// Where in a table the tail begins.
fn start(table: &[f64]) -> usize {
    table.len() - 1 - (table.len() as f64 * TAIL_FROM) as usize
}

type Table = Arc<Vec<f64>>;

/// Over what the largest is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Search {
    Places,
    Stretches,
}

/// Sorted largest |z| of series without a change, made once a process for each length that is asked for.
fn table(n: usize, search: Search) -> Table {
    static TABLES: OnceLock<Mutex<HashMap<(usize, Search), Table>>> = OnceLock::new();
    let key = (tabulated(n), search);
    let tables = TABLES.get_or_init(Mutex::default);
    let lock = || tables.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(table) = lock().get(&key) {
        return Arc::clone(table);
    }
    let table = Arc::new(simulate(key.0, search));
    Arc::clone(lock().entry(key).or_insert(table))
}

/// The length whose table serves `n`: the largest |z| grows with the number of splits, so the next longer one is never too lenient.
fn tabulated(n: usize) -> usize {
    let mut at = 2 * POINTS_MIN;
    while at < n {
        at += (at / 16).max(1);
    }
    at
}

fn simulate(n: usize, search: Search) -> Vec<f64> {
    let list = stretches(n);
    let mut rng = SplitMix::new(SEED ^ n as u64);
    let mut ranks: Vec<u32> = (1..=n as u32).map(|r| 2 * r).collect();
    let mut found: Vec<f64> = (0..PERMUTATIONS.min(RANKS_MAX / n).max(5000))
        .map(|_| {
            rng.shuffle(&mut ranks);
            match search {
                Search::Places => largest(&ranks).map_or(0.0, |l| l.1),
                Search::Stretches => largest_stretch(&ranks, &list).map_or(0.0, |l| l.1),
            }
        })
        .collect();
    found.sort_by(f64::total_cmp);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_falls_with_z_without_a_step_where_the_tail_begins() {
        let mut last = 1.0;
        for z in (0..600).map(|i| f64::from(i) / 100.0) {
            let p = p_of_largest(40, z);
            assert!(p <= last + 1e-3 && p > 0.0, "{z} {p} {last}");
            last = p;
        }
        assert!(p_of_largest(9, 3.0) == 1.0 && last < 1e-5);
    }

    /// As often as p says: the share of fresh permutations at or beyond the critical z.
    #[test]
    fn fresh_permutations_pass_a_critical_z_as_often_as_it_says() {
        let mut rng = SplitMix::new(99);
        let mut ranks: Vec<u32> = (1..=60).map(|r| 2 * r).collect();
        let at = critical_z(60, 0.0019).unwrap();
        let hits = (0..60_000)
            .filter(|_| {
                rng.shuffle(&mut ranks);
                largest(&ranks).unwrap().1 >= at
            })
            .count();
        assert!((60..175).contains(&hits), "{hits} of 60000, expected 114");
    }

    #[test]
    fn short_series_say_that_no_change_can_be_shown() {
        assert!(smallest_p(10) > 5e-3 && smallest_p(100) < 1e-12);
        assert_eq!(critical_z(10, 5e-4), None);
        assert!((40..=48).contains(&tabulated(40)) && tabulated(10) == 10);
    }

    /// By hand: without a shift one is the larger in half the pairs, and the variance of Mann and Whitney's count is mn(m+n+1)/12.
    #[test]
    fn without_a_shift_the_variance_is_the_known_one() {
        let (above, (alone, shared)) = shifted(0.0);
        assert!((above - 0.5).abs() < 1e-9 && (alone - 0.25).abs() < 1e-9);
        assert!((shared - 1.0 / 12.0).abs() < 1e-6);
    }
}
