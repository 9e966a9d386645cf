//! Recorded runs to series: each run is one point of each of its cells.

use std::collections::{BTreeMap, BTreeSet};

use amdahl_schema::{Arm, Contest, Pass, Run, Stage, Status, Trial};
use amdahl_stats::{GateReading, gate_failure, median};

use super::{Better, Index, Series, host_label};

/// What a run says of one cell.
#[derive(Debug, Clone, PartialEq)]
pub struct RunPoint {
    /// The host it was measured on.
    pub host: String,
    /// UTC, RFC 3339: the order of runs.
    pub started: String,
    /// Name of the run.
    pub run: String,
    /// Model, workload, parameters and workers.
    pub cell: String,
    /// Version and hash of the model's runtime.
    pub runtime: String,
    /// Median rate of the trials whose blocks may be used; `None` if there is none.
    pub rate: Option<f64>,
}

/// The points of one run: cells of models, as measured in the throughput pass.
pub fn points_of(run: &Run) -> Vec<RunPoint> {
    let used = used_trials(run);
    let mut cells: BTreeMap<String, (&Trial, Vec<f64>)> = BTreeMap::new();
    for ((_, trial), used) in run.trials.iter().zip(used) {
        let judged = trial.arm == Arm::Model && trial.pass == Pass::Throughput;
        // What the budget left out was never asked of the machine: no point, and the parameters that name its cell are not known.
        let asked = trial.outcome.status != Status::NotRun;
        if !judged || !asked || trial.stage != Stage::Measure {
            continue;
        }
        let rates = &mut cells.entry(cell(trial)).or_insert((trial, Vec::new())).1;
        rates.extend(trial.rate().filter(|_| used));
    }
    let point = |(cell, (trial, rates)): (String, (&Trial, Vec<f64>))| RunPoint {
        host: host_label(&run.header.host),
        started: run.header.started_utc.clone(),
        run: run.header.neutral_name(),
        cell,
        runtime: runtime(run, &trial.model),
        rate: median(&rates),
    };
    cells.into_iter().map(point).collect()
}

/// Whether each trial's numbers may be used: it proved itself, was part of the plan, its workers worked at the same time, and nothing outside of the
/// model disturbed its block.
pub fn used_trials(run: &Run) -> Vec<bool> {
    type Block<'a> = (&'a str, &'a str, &'a BTreeMap<String, String>, u32);
    fn block(t: &Trial) -> Block<'_> {
        (&t.model, &t.workload, &t.params, t.block)
    }
    let mut blocks: BTreeMap<Block<'_>, (GateReading, Option<f64>)> = BTreeMap::new();
    let usable = |t: &Trial| t.usable() && t.stage == Stage::Measure;
    for (_, t) in run.trials.iter().filter(|(_, t)| usable(t) && t.pass == Pass::Throughput) {
        let reading = GateReading {
            capacity_ticks: t.gates.capacity_ticks(),
            foreign_ticks: t.gates.foreign_ticks(),
            steal_ticks: t.gates.steal_ticks.map(|s| s as f64),
        };
        let entry = blocks.entry(block(t)).or_insert_with(|| (std::iter::empty().sum(), None));
        entry.0 = entry.0 + reading;
        entry.1 = entry.1.into_iter().chain(t.foreign_delay_share()).reduce(f64::max);
    }
    let disturbed: BTreeSet<Block<'_>> = blocks
        .into_iter()
        .filter(|(_, (reading, delay))| gate_failure(reading, *delay).is_some())
        .map(|(block, _)| block)
        .collect();
    let holds = |t: &Trial| !matches!(t.contest(), Contest::Broken { .. });
    run.trials
        .iter()
        .map(|(_, t)| usable(t) && holds(t) && !disturbed.contains(&block(t)))
        .collect()
}

/// `rust/threads cpu N=2`, with parameters where there are any.
pub fn cell(t: &Trial) -> String {
    let params: String = t.params.iter().map(|(k, v)| format!(" {k}={v}")).collect();
    format!("{} {}{params} N={}", t.model, t.workload, t.workers)
}

/// The receipt of a model's runtime: what changed where a series does, perhaps.
pub fn runtime(run: &Run, model: &str) -> String {
    let id = model.split('/').next().unwrap_or(model);
    let found = run.header.runtimes.iter().find(|r| r.id == id);
    found.map_or_else(String::new, |r| {
        let hash = r.hash.as_deref().map(|h| h.chars().take(19).collect::<String>());
        format!("{} {} {}", r.id, r.version, hash.unwrap_or_default()).trim_end().to_owned()
    })
}

/// Points of many runs to series, by host and cell, runs in the order in which they began. A run that is there twice counts once. The host is
/// part of a series' name where there are several.
pub fn series_of(mut points: Vec<RunPoint>) -> Vec<Series> {
    points.sort_by(|a, b| {
        let key = |p: &RunPoint| (p.host.clone(), p.cell.clone(), p.started.clone(), p.run.clone());
        key(a).cmp(&key(b))
    });
    points.dedup_by(|a, b| a.run == b.run && a.cell == b.cell && a.host == b.host);
    let hosts: BTreeSet<&str> = points.iter().map(|p| p.host.as_str()).collect();
    let several = hosts.len() > 1;
    let groups = points.chunk_by(|a, b| a.host == b.host && a.cell == b.cell);
    groups
        .map(|group| {
            let RunPoint { cell, host, .. } = &group[0];
            let name = if several { format!("{cell} on {host}") } else { cell.clone() };
            let there = || group.iter().filter_map(|p| Some((p, p.rate?)));
            let index =
                |p: &RunPoint| Index::Run { name: p.run.clone(), runtime: p.runtime.clone() };
            Series {
                name,
                indices: there().map(|(p, _)| index(p)).collect(),
                values: there().map(|(_, rate)| rate).collect(),
                missing: group.iter().filter(|p| p.rate.is_none()).count(),
                better: Some(Better::Higher),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synth::{self, Model, Spec};

    fn run() -> Run {
        let spec = Spec { models: vec![Model::parallel("rust/threads")], ..Spec::default() };
        let (header, trials) = synth::run(&spec);
        let trials = trials.into_iter().enumerate().map(|(i, t)| (i + 1, t)).collect();
        Run { dir: "r".into(), header, trials, torn_line: None, trace: None }
    }

    #[test]
    fn a_run_is_one_point_of_each_cell() {
        let run = run();
        let points = points_of(&run);
        let cells: Vec<&str> = points.iter().map(|p| p.cell.as_str()).collect();
        assert!(cells.iter().any(|c| c.starts_with("rust/threads cpu") && c.ends_with("N=2")));
        assert_eq!(cells.len(), cells.iter().collect::<BTreeSet<_>>().len());
        assert!(points.iter().all(|p| p.rate.is_some_and(|r| r > 0.0)), "{points:?}");
        let twice: Vec<RunPoint> = points.iter().chain(&points).cloned().collect();
        assert_eq!(series_of(twice), series_of(points));
    }

    #[test]
    fn a_disturbed_block_and_a_failed_trial_give_no_value() {
        let mut run = run();
        for (_, t) in &mut run.trials {
            t.gates.steal_ticks = Some(t.gates.capacity_ticks() as u64 + 20);
        }
        assert!(points_of(&run).iter().all(|p| p.rate.is_none()));
        let series = series_of(points_of(&run));
        assert!(series.iter().all(|s| s.missing == 1 && s.values.is_empty()));
    }

    #[test]
    fn what_the_budget_left_out_is_no_point() {
        let mut run = run();
        let all = points_of(&run).len();
        let left_out = run.trials[0].1.workers;
        for (_, t) in run.trials.iter_mut().filter(|(_, t)| t.workers == left_out) {
            t.outcome.status = Status::NotRun;
            t.params.clear();
        }
        let points = points_of(&run);
        assert!(points.len() < all && points.iter().all(|p| p.rate.is_some()), "{points:?}");
    }

    #[test]
    fn hosts_are_told_apart_where_there_are_several() {
        let here = points_of(&run());
        let there: Vec<RunPoint> =
            here.iter().map(|p| RunPoint { host: "other-1".into(), ..p.clone() }).collect();
        let both = series_of(here.iter().cloned().chain(there).collect());
        assert_eq!(both.len(), 2 * here.len());
        assert!(both.iter().any(|s| s.name.ends_with(" on other-1")));
    }
}
