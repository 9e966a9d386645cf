//! Who ran when: stretches in which a worker's operations followed one another at their usual pace,
//! and operations in which it must have waited.

use std::collections::{BTreeMap, BTreeSet};

use amdahl_stats::FOREIGN_MAX;

use crate::load::SpanTrial;
use crate::model::ModelName;
use crate::summarise::in_every_figure;
use crate::summary::{Lane, TimelineFigure, TimelinePanel};

/// An operation this many times the usual contains a wait.
const WAIT_FACTOR: u64 = 3;
/// Most time shown, ns.
const SHOWN_NS_MAX: u64 = 60_000_000;

/// One figure a CPU-bound workload, one panel a model: its least disturbed trial at the largest N
/// that the CPUs serve, or at the smallest N beyond.
pub(super) fn figures(
    trials: &[SpanTrial],
    workloads: &BTreeSet<String>,
    cpus_available: u32,
) -> Vec<TimelineFigure> {
    let mut chosen: BTreeMap<(&str, ModelName), &SpanTrial> = BTreeMap::new();
    let shown = |t: &&SpanTrial| {
        workloads.contains(&t.workload) && in_every_figure(&t.workload) && usual_ns(t).is_some()
    };
    for t in trials.iter().filter(shown) {
        let best = chosen.entry((&t.workload, ModelName::parse(&t.model))).or_insert(t);
        if rank(t, cpus_available) < rank(best, cpus_available) {
            *best = t;
        }
    }
    let mut figures: BTreeMap<&str, Vec<&SpanTrial>> = BTreeMap::new();
    for ((workload, _), trial) in chosen {
        figures.entry(workload).or_default().push(trial);
    }
    figures.into_iter().map(|(workload, trials)| figure(workload, &trials)).collect()
}

/// Smaller is better to show: N first, then quiet in steps of 5 %, then the earlier block.
fn rank(t: &SpanTrial, cpus_available: u32) -> (bool, bool, u32, u64, u32, u64) {
    let served = t.workers <= cpus_available;
    let n = if served { u32::MAX - t.workers } else { t.workers };
    let noise = t.foreign.map_or(0, |f| (f / FOREIGN_MAX) as u64);
    (t.workers < 2, !served, n, noise, t.block, t.seq)
}

fn figure(workload: &str, trials: &[&SpanTrial]) -> TimelineFigure {
    let span_ns = trials.iter().map(|t| covered_ns(t)).min().unwrap_or(0).min(SHOWN_NS_MAX);
    let panels = trials
        .iter()
        .filter_map(|t| {
            let usual_ns = usual_ns(t)?;
            let lanes = t.lanes.iter().map(|(w, ends)| lane(*w, ends, usual_ns, span_ns)).collect();
            let (model, workers, block) = (t.model.clone(), t.workers, t.block);
            let disturbed = t.foreign.filter(|f| *f > FOREIGN_MAX);
            Some(TimelinePanel { model, workers, block, disturbed, usual_ns, lanes })
        })
        .collect();
    TimelineFigure { workload: workload.to_owned(), span_ns, panels }
}

/// The time for which every worker's operations were recorded: it ends with the first worker whose
/// record is full. A worker with no operation in it does not shorten it.
fn covered_ns(trial: &SpanTrial) -> u64 {
    let most = trial.lanes.iter().map(|(_, ends)| ends.len()).max().unwrap_or(0);
    trial
        .lanes
        .iter()
        .filter(|(_, ends)| ends.len() == most)
        .filter_map(|(_, ends)| ends.last().copied())
        .min()
        .unwrap_or(0)
}

/// Median time between the ends of two operations, over all workers.
fn usual_ns(trial: &SpanTrial) -> Option<u64> {
    let mut gaps: Vec<u64> = trial
        .lanes
        .iter()
        .flat_map(|(_, ends)| ends.windows(2).map(|w| w[1].saturating_sub(w[0])))
        .collect();
    gaps.sort_unstable();
    gaps.get(gaps.len() / 2).copied().filter(|ns| *ns > 0)
}

fn lane(worker: u32, ends: &[u64], usual_ns: u64, span_ns: u64) -> Lane {
    let mut lane = Lane { worker, running: Vec::new(), waiting: Vec::new() };
    let mut from = 0;
    for end in ends {
        let gap = end.saturating_sub(from);
        let list = if gap > WAIT_FACTOR * usual_ns { &mut lane.waiting } else { &mut lane.running };
        let to = (*end).min(span_ns);
        match list.last_mut() {
            Some(last) if last.1 == from && gap <= WAIT_FACTOR * usual_ns => last.1 = to,
            _ if from < to => list.push((from, to)),
            _ => {}
        }
        from = *end;
        if from >= span_ns {
            break;
        }
    }
    if from < span_ns {
        lane.waiting.push((from, span_ns));
    }
    lane
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_operations_run_together_and_a_long_one_is_a_wait() {
        let l = lane(0, &[10, 20, 30, 130, 140], 10, 140);
        assert_eq!(l.running, [(0, 30), (130, 140)]);
        assert_eq!(l.waiting, [(30, 130)]);
    }

    #[test]
    fn stretches_end_with_the_time_shown() {
        let l = lane(0, &[10, 20, 100], 10, 50);
        assert_eq!((l.running, l.waiting), (vec![(0, 20)], vec![(20, 50)]));
        assert_eq!(lane(1, &[], 10, 50).waiting, [(0, 50)]);
    }
}
