//! What needs no fit: Karp and Flatt's e(N), and alpha + 2 beta from N = 1 and 2.

use super::points::{Point, Points};
use crate::interval::{Interval, log_t_interval, log_welch_interval};
use crate::judge::karp_flatt;

/// e(N) of one worker count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KarpFlatt {
    /// Workers.
    pub n: f64,
    /// (N / S - 1) / (N - 1), S the speed-up; under USL alpha + beta N.
    pub e: f64,
    /// 95 % over trials; `None` without repetitions.
    pub ci95: Option<(f64, f64)>,
}

/// e(N) for every N above 1; empty where N = 1 was not measured.
pub(super) fn karp_flatt_of(points: &Points) -> Vec<KarpFlatt> {
    let Some(one) = points.at(1.0) else { return Vec::new() };
    let above = points.points.iter().filter(|p| p.n > 1.0);
    above
        .map(|p| {
            let e = |speedup: f64| karp_flatt(speedup, p.n);
            let speedup = p.throughput / one.throughput;
            // e falls where the speed-up rises.
            let ci95 = ratio_interval(p, one).map(|i| (e(i.hi), e(i.lo)));
            KarpFlatt { n: p.n, e: e(speedup), ci95 }
        })
        .collect()
}

/// The ratio of two points' throughput with its t interval on the logarithm: over the trials that both
/// have (blocks), else with Welch's approximation (1947).
fn ratio_interval(over: &Point, under: &Point) -> Option<Interval> {
    let pairs = paired(over, under);
    if pairs.len() > 1 {
        return log_t_interval(&pairs, 0.95);
    }
    let rates = |p: &Point| p.trials.iter().map(|t| t.1).collect::<Vec<f64>>();
    log_welch_interval(&rates(over), &rates(under), 0.95)
}

/// Ratios of trials with the same label.
fn paired(over: &Point, under: &Point) -> Vec<f64> {
    let of = |label: u64| under.trials.iter().find(|t| t.0 == Some(label));
    over.trials.iter().filter_map(|(label, x)| Some(x / of((*label)?)?.1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::laws::points::Sample;

    fn points(rows: &[(f64, f64, Option<u64>)]) -> Points {
        let sample = |&(n, throughput, trial)| Sample { n, throughput, trial, ceiling: None };
        Points::new(&rows.iter().map(sample).collect::<Vec<_>>()).unwrap()
    }

    /// Speed-ups 1.6 in both blocks, though the blocks differ by a factor of ten: pairs know.
    #[test]
    fn trials_of_one_block_are_paired() {
        let rows = [
            (1.0, 10.0, Some(1)),
            (1.0, 100.0, Some(2)),
            (2.0, 16.0, Some(1)),
            (2.0, 160.0, Some(2)),
        ];
        let e = karp_flatt_of(&points(&rows))[0];
        assert!((e.e - 0.25).abs() < 1e-12);
        let (lo, hi) = e.ci95.unwrap();
        assert!((lo - 0.25).abs() < 1e-9 && (hi - 0.25).abs() < 1e-9);
    }

    /// Two and two without labels: standard errors .01 of each logarithm, 2 degrees of freedom.
    #[test]
    fn unlabelled_rows_are_two_samples() {
        let rows = [(1.0, 0.99, None), (1.0, 1.01, None), (2.0, 1.98, None), (2.0, 2.02, None)];
        let (lo, hi) = karp_flatt_of(&points(&rows))[0].ci95.unwrap();
        let half = 4.302_65 * 2f64.sqrt() * 0.01;
        assert!((hi - (half.exp() - 1.0)).abs() < 1e-4, "{hi}");
        assert!((lo - ((-half).exp() - 1.0)).abs() < 1e-4, "{lo}");
        assert!(karp_flatt_of(&points(&rows[2..])).is_empty());
    }
}
