//! What it costs to start a model's workers, to time an operation, and to wait for a machine whose CPUs run
//! slower than usual: outside every window, and outside every decision.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{ModelName, workload_id, workload_key};
use crate::summarise::answer::DECIDING;
use crate::summarise::rows::TrialRow;
use crate::summarise::{geometric_estimate, mean_estimate};
use crate::summary::{CpuSpeeds, NoopCost, Setup, Spread, StartRow, TimerRow};

/// The workload that is the harness's own cost.
const NOOP: &str = "noop";
/// A CPU that needs so much longer than usual is slow; what `amdahl_stats` calls slow too.
const SLOW: f64 = 0.1;

/// One row a model that ran; ceilings, which start N processes at once, are left out.
pub(super) fn start_up(trials: &[TrialRow]) -> Vec<StartRow> {
    let mut models: BTreeMap<ModelName, Vec<&TrialRow>> = BTreeMap::new();
    for t in trials.iter().filter(|t| !t.ceiling) {
        models.entry(ModelName::parse(&t.model)).or_default().push(t);
    }
    models
        .into_iter()
        .map(|(model, trials)| StartRow {
            model: model.id,
            spawn: spread(trials.iter().filter_map(|t| t.spawn_ns)),
            setups: setups(&trials),
        })
        .filter(|r| r.spawn.is_some() || !r.setups.is_empty())
        .collect()
}

/// Shown is the workload of the answer or, without it, the first: at N = 1 and the largest N.
fn setups(trials: &[&TrialRow]) -> Vec<Setup> {
    let mut cells: BTreeMap<(Vec<_>, u32), (String, Vec<&TrialRow>)> = BTreeMap::new();
    for t in trials.iter().filter(|t| t.setup_ns.is_some()) {
        let cell = cells.entry((workload_key(&t.workload), t.workers));
        cell.or_insert_with(|| (t.workload.clone(), Vec::new())).1.push(t);
    }
    let names = || cells.values().map(|(name, _)| name);
    let shown = names().find(|w| workload_id(w) == DECIDING).or_else(|| names().next()).cloned();
    let counts = cells.iter().filter(|(_, (w, _))| Some(w) == shown.as_ref()).map(|((_, n), _)| *n);
    let ends: BTreeSet<u32> = counts.clone().min().into_iter().chain(counts.max()).collect();
    let setup = |((_, workers), (workload, trials)): ((_, u32), (String, Vec<&TrialRow>))| {
        let shown = shown.as_ref() == Some(&workload) && ends.contains(&workers);
        // Of the throughput pass alone: another records more, in memory of its own.
        let of = |f: fn(&TrialRow) -> Option<u64>| {
            spread(trials.iter().filter(|t| t.throughput).filter_map(|t| f(t)))
        };
        let all = spread(trials.iter().filter_map(|t| t.setup_ns))?;
        Some(Setup {
            shown,
            workload,
            workers,
            all,
            peak_rss: of(|t| t.peak_rss),
            pss: of(|t| t.pss),
        })
    };
    cells.clone().into_iter().filter_map(setup).collect()
}

/// One row a runtime that named its clock or its cost.
pub(super) fn timers(trials: &[TrialRow]) -> Vec<TimerRow> {
    // The first model of a runtime stands for its place among the others.
    let mut runtimes: BTreeMap<String, (ModelName, Vec<&TrialRow>)> = BTreeMap::new();
    for t in trials {
        let model = ModelName::parse(&t.model);
        let entry = runtimes.entry(model.runtime()).or_insert_with(|| (model.clone(), Vec::new()));
        entry.0 = entry.0.clone().min(model);
        entry.1.push(t);
    }
    let mut runtimes: Vec<_> = runtimes.into_iter().collect();
    runtimes.sort_by(|a, b| a.1.0.cmp(&b.1.0));
    runtimes
        .into_iter()
        .map(|(runtime, (_, trials))| TimerRow {
            timers: trials
                .iter()
                .filter_map(|t| t.timer.clone())
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect(),
            cost: spread(trials.iter().filter_map(|t| t.timer_cost_ps)).map(|s| s.scaled(1e-3)),
            noop: noop(&trials),
            runtime,
        })
        .filter(|r| r.cost.is_some() || !r.timers.is_empty())
        .collect()
}

/// Of the runtime's first model with both passes at N = 1.
fn noop(trials: &[&TrialRow]) -> Option<NoopCost> {
    let mut models: BTreeMap<ModelName, BTreeMap<u32, [Option<f64>; 2]>> = BTreeMap::new();
    let alone = |t: &&&TrialRow| t.workers == 1 && !t.ceiling && workload_id(&t.workload) == NOOP;
    for t in trials.iter().filter(alone).filter(|t| t.latency || t.throughput) {
        let blocks = models.entry(ModelName::parse(&t.model)).or_default();
        blocks.entry(t.block).or_default()[usize::from(t.latency)] = t.rate.map(|r| 1e9 / r);
    }
    models.into_iter().find_map(|(model, blocks)| {
        let both = |[bare, timed]: [Option<f64>; 2]| Some((bare?, timed?));
        let both: Vec<(f64, f64)> = blocks.into_values().filter_map(both).collect();
        let column = |f: fn(&(f64, f64)) -> f64| both.iter().map(f).collect::<Vec<f64>>();
        Some(NoopCost {
            model: model.id,
            bare: geometric_estimate(&column(|b| b.0))?,
            timed: geometric_estimate(&column(|b| b.1))?,
            added: mean_estimate(&column(|b| b.1 - b.0))?,
        })
    })
}

/// How fast the CPUs ran around the trials.
pub(super) fn cpu_speeds(trials: &[TrialRow]) -> CpuSpeeds {
    let count = |f: &dyn Fn(&TrialRow) -> bool| trials.iter().filter(|t| f(t)).count();
    CpuSpeeds {
        trials: trials.len(),
        timed: count(&|t| t.speed_cpus > 0),
        compared: count(&|t| t.cpu_slowdown.is_some()),
        slow: count(&|t| t.cpu_slowdown.is_some_and(|s| s > SLOW)),
        settle_ns: trials.iter().filter_map(|t| t.settle_ns).sum(),
    }
}

fn spread(values: impl Iterator<Item = u64>) -> Option<Spread> {
    let mut values: Vec<f64> = values.map(|v| v as f64).collect();
    values.sort_by(f64::total_cmp);
    let (lo, hi) = (*values.first()?, *values.last()?);
    Some(Spread { median: amdahl_stats::median(&values)?, lo, hi, n: values.len() })
}
