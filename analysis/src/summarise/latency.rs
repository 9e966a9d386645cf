//! Latency distributions: every trial its own curve, means and intervals over trials.
//!
//! Histograms of different trials are never merged: a percentile is taken within a trial, and its
//! interval is over trials.

use std::collections::{BTreeMap, BTreeSet};

use amdahl_stats::FOREIGN_MAX;
use hdrhistogram::Histogram;

use crate::load::LatencyTrial;
use crate::model::ModelName;
use crate::summarise::{geometric_estimate, in_every_figure};
use crate::summary::{
    BEYOND_MIN, CcdfPoint, Estimate, LatencyCurve, LatencyFigure, PERCENTILES, TrialCurve,
};

/// Levels of a curve in each decade of the share.
const LEVELS_PER_DECADE: i32 = 16;
/// Decades below 1 that a curve may reach.
const DECADES: i32 = 7;

/// One figure a workload; those in `cpu_bound` are shown at an N that the CPUs serve.
pub(super) fn figures(
    trials: &[LatencyTrial],
    cpu_bound: &BTreeSet<String>,
    cpus_available: u32,
) -> Vec<LatencyFigure> {
    let mut groups: BTreeMap<(&str, u32, ModelName), Vec<&LatencyTrial>> = BTreeMap::new();
    for t in trials.iter().filter(|t| in_every_figure(&t.workload)) {
        let key = (t.workload.as_str(), t.workers, ModelName::parse(&t.model));
        groups.entry(key).or_default().push(t);
    }
    let mut figures: BTreeMap<&str, Vec<LatencyCurve>> = BTreeMap::new();
    for ((workload, workers, model), mut group) in groups {
        group.sort_by_key(|t| (t.block, t.seq));
        figures.entry(workload).or_default().push(curve(&model.id, workers, &group));
    }
    figures
        .into_iter()
        .map(|(workload, curves)| LatencyFigure {
            workload: workload.to_owned(),
            panel_workers: match cpu_bound.contains(workload) {
                true => panel_workers(&curves, cpus_available),
                false => panel_workers(&curves, u32::MAX),
            },
            curves,
        })
        .collect()
}

/// N = 1 as the reference and the largest N that the CPUs serve; without one, the largest.
fn panel_workers(curves: &[LatencyCurve], cpus_available: u32) -> Vec<u32> {
    let counts: BTreeSet<u32> = curves.iter().map(|c| c.workers).collect();
    let served = counts.iter().copied().filter(|n| *n > 1 && *n <= cpus_available).max();
    let largest = served.or_else(|| counts.iter().copied().max());
    let mut chosen: BTreeSet<u32> = largest.into_iter().collect();
    chosen.extend(counts.contains(&1).then_some(1));
    chosen.into_iter().collect()
}

fn curve(model: &str, workers: u32, trials: &[&LatencyTrial]) -> LatencyCurve {
    let percentile_shares: Vec<f64> = PERCENTILES.iter().map(|p| 1.0 - p / 100.0).collect();
    let levels: Vec<f64> = levels().collect();
    let percentiles = over_trials(trials, &percentile_shares);
    let of_trials: Vec<Vec<f64>> =
        trials.iter().map(|t| at_shares(&t.histogram, &levels)).collect();
    let mean = levels.iter().enumerate().filter(|(_, share)| enough(trials, **share));
    let mean = mean
        .filter_map(|(k, share)| {
            let values: Vec<f64> = of_trials.iter().map(|v| v[k]).collect();
            Some(CcdfPoint { latency_ns: geometric_estimate(&values)?.value, share: *share })
        })
        .collect();
    LatencyCurve {
        model: model.to_owned(),
        workers,
        trials: trials.iter().zip(&of_trials).map(|(t, v)| trial_curve(t, &levels, v)).collect(),
        mean,
        percentiles,
        max_ns: trials.iter().map(|t| t.max_ns).max().unwrap_or(0),
        disturbed: trials.iter().filter(|t| t.foreign.is_some_and(|f| f > FOREIGN_MAX)).count(),
        operations: trials.iter().map(|t| t.histogram.len()).sum(),
        timer_cost_ps: trials.iter().filter_map(|t| t.timer_cost_ps).max(),
    }
}

/// The latency that each share of operations exceeds, over trials; `None` where a trial has too few
/// operations beyond it.
fn over_trials(trials: &[&LatencyTrial], shares: &[f64]) -> Vec<Option<Estimate>> {
    let of_trials: Vec<Vec<f64>> = trials.iter().map(|t| at_shares(&t.histogram, shares)).collect();
    let one = |(k, share): (usize, &f64)| {
        let values: Vec<f64> = of_trials.iter().map(|v| v[k]).collect();
        enough(trials, *share).then(|| geometric_estimate(&values)).flatten()
    };
    shares.iter().enumerate().map(one).collect()
}

/// Whether [`BEYOND_MIN`] operations of every trial lie beyond a share.
fn enough(trials: &[&LatencyTrial], share: f64) -> bool {
    trials.iter().all(|t| t.histogram.len() as f64 * share >= BEYOND_MIN - 1e-6)
}

fn trial_curve(trial: &LatencyTrial, levels: &[f64], latencies: &[f64]) -> TrialCurve {
    let h = &trial.histogram;
    let smallest = 1.0 / h.len() as f64;
    let first = CcdfPoint { latency_ns: h.min().max(1) as f64, share: 1.0 };
    let rest = levels.iter().zip(latencies).take_while(|(share, _)| **share >= smallest);
    let rest = rest.map(|(share, ns)| CcdfPoint { latency_ns: *ns, share: *share });
    TrialCurve { block: trial.block, points: std::iter::once(first).chain(rest).collect() }
}

/// Shares below 1 in equal ratios: .87, .75 … 10⁻⁷.
pub(super) fn levels() -> impl Iterator<Item = f64> {
    (1..=DECADES * LEVELS_PER_DECADE)
        .map(|k| 10f64.powf(-f64::from(k) / f64::from(LEVELS_PER_DECADE)))
}

/// The latency that each share of operations exceeds, the shares descending: one pass over the
/// buckets for all of them.
pub(super) fn at_shares(histogram: &Histogram<u64>, shares: &[f64]) -> Vec<f64> {
    let n = histogram.len() as f64;
    let mut latencies = Vec::with_capacity(shares.len());
    let mut below = 0;
    for bucket in histogram.iter_recorded() {
        below += bucket.count_at_value();
        while let Some(share) = shares.get(latencies.len())
            && below as f64 >= ((1.0 - share) * n).ceil().max(1.0)
        {
            latencies.push(bucket.value_iterated_to().max(1) as f64);
        }
    }
    latencies.resize(shares.len(), histogram.max().max(1) as f64);
    latencies
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(block: u32, n: u64) -> LatencyTrial {
        let mut histogram = Histogram::<u64>::new(3).unwrap();
        (1..=n).for_each(|v| histogram.record(v * 100).unwrap());
        LatencyTrial {
            seq: u64::from(block),
            block,
            model: "rust/threads".to_owned(),
            workload: "cpu".to_owned(),
            workers: 2,
            foreign: None,
            timer_cost_ps: None,
            max_ns: n * 100,
            histogram,
        }
    }

    #[test]
    fn a_percentile_needs_twenty_operations_beyond_it_in_every_trial() {
        let (full, short) = (trial(0, 2000), trial(1, 1999));
        assert!(over_trials(&[&full], &[0.01])[0].is_some());
        let both = over_trials(&[&full, &short], &[0.1, 0.01]);
        assert!(both[0].is_some() && both[1].is_none());
    }

    #[test]
    fn an_interval_needs_two_trials() {
        let one = over_trials(&[&trial(0, 1000)], &[0.5])[0].unwrap();
        assert_eq!((one.ci95, one.n), (None, 1));
        let (a, b) = (trial(0, 1000), trial(1, 1200));
        assert!(over_trials(&[&a, &b], &[0.5])[0].unwrap().ci95.is_some());
    }

    #[test]
    fn one_pass_finds_what_the_histogram_says_level_by_level() {
        let t = trial(0, 777);
        let levels: Vec<f64> = levels().collect();
        for (share, ns) in levels.iter().zip(at_shares(&t.histogram, &levels)) {
            let expected = t.histogram.value_at_quantile(1.0 - share) as f64;
            assert!((ns / expected - 1.0).abs() < 2e-3, "{share}: {ns} not {expected}");
        }
    }

    #[test]
    fn curves_fall_and_end_where_the_operations_do() {
        let t = trial(0, 1000);
        let levels: Vec<f64> = levels().collect();
        let points = trial_curve(&t, &levels, &at_shares(&t.histogram, &levels)).points;
        assert!(points.windows(2).all(|w| w[1].share < w[0].share));
        assert!(points.windows(2).all(|w| w[1].latency_ns >= w[0].latency_ns));
        assert!(points.last().unwrap().share >= 1e-3);
    }
}
