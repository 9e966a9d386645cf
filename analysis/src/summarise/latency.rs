//! Latency distributions: every trial its own curve, means and intervals over trials.
//!
//! Histograms of different trials are never merged: a percentile is taken within a trial, and its
//! interval is over trials.

use std::collections::{BTreeMap, BTreeSet};

use amdahl_stats::FOREIGN_MAX;
use hdrhistogram::Histogram;

use crate::load::LatencyTrial;
use crate::model::ModelName;
use crate::summarise::geometric_estimate;
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
    for t in trials {
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
    let percentiles = PERCENTILES.iter().map(|p| percentile(trials, 1.0 - p / 100.0)).collect();
    let mean = levels()
        .filter_map(|share| Some(CcdfPoint { latency_ns: percentile(trials, share)?.value, share }))
        .collect();
    LatencyCurve {
        model: model.to_owned(),
        workers,
        trials: trials
            .iter()
            .map(|t| TrialCurve { block: t.block, points: points(&t.histogram) })
            .collect(),
        mean,
        percentiles,
        max_ns: trials.iter().map(|t| t.max_ns).max().unwrap_or(0),
        disturbed: trials.iter().filter(|t| t.foreign.is_some_and(|f| f > FOREIGN_MAX)).count(),
        operations: trials.iter().map(|t| t.histogram.len()).sum(),
        timer_cost_ps: trials.iter().filter_map(|t| t.timer_cost_ps).max(),
    }
}

/// The latency that a share of operations exceeds, over trials; `None` where fewer than
/// [`BEYOND_MIN`] operations of some trial lie beyond it.
fn percentile(trials: &[&LatencyTrial], share: f64) -> Option<Estimate> {
    let enough = |t: &&&LatencyTrial| t.histogram.len() as f64 * share >= BEYOND_MIN - 1e-6;
    if trials.iter().filter(enough).count() < trials.len() {
        return None;
    }
    let values: Vec<f64> = trials.iter().map(|t| at_share(&t.histogram, share)).collect();
    geometric_estimate(&values)
}

fn points(histogram: &Histogram<u64>) -> Vec<CcdfPoint> {
    let smallest = 1.0 / histogram.len() as f64;
    let mut points: Vec<CcdfPoint> = levels()
        .take_while(|share| *share >= smallest)
        .map(|share| CcdfPoint { latency_ns: at_share(histogram, share), share })
        .collect();
    points.insert(0, CcdfPoint { latency_ns: histogram.min().max(1) as f64, share: 1.0 });
    points
}

/// Shares below 1 in equal ratios: .87, .75 … 10⁻⁷.
fn levels() -> impl Iterator<Item = f64> {
    (1..=DECADES * LEVELS_PER_DECADE)
        .map(|k| 10f64.powf(-f64::from(k) / f64::from(LEVELS_PER_DECADE)))
}

fn at_share(histogram: &Histogram<u64>, share: f64) -> f64 {
    histogram.value_at_quantile(1.0 - share).max(1) as f64
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
        assert!(percentile(&[&full], 0.01).is_some());
        assert!(percentile(&[&full, &short], 0.01).is_none());
        assert!(percentile(&[&full, &short], 0.1).is_some());
    }

    #[test]
    fn an_interval_needs_two_trials() {
        let one = percentile(&[&trial(0, 1000)], 0.5).unwrap();
        assert_eq!((one.ci95, one.n), (None, 1));
        let (a, b) = (trial(0, 1000), trial(1, 1200));
        assert!(percentile(&[&a, &b], 0.5).unwrap().ci95.is_some());
    }

    #[test]
    fn curves_fall_and_end_where_the_operations_do() {
        let points = points(&trial(0, 1000).histogram);
        assert!(points.windows(2).all(|w| w[1].share < w[0].share));
        assert!(points.windows(2).all(|w| w[1].latency_ns >= w[0].latency_ns));
        assert!(points.last().unwrap().share >= 1e-3);
    }
}
