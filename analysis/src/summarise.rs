//! Frames to a summary: polars stops in `rows`, which selects, joins and aggregates integers.
//!
//! Intervals and decisions are `amdahl_stats` on the rows that it hands out. Passes never feed each other:
//! throughput goes to the judge alone, latency to distributions and timelines, counters to their table.

mod answer;
mod baseline;
mod breaks;
mod contention;
mod cost;
mod counters;
mod coverage;
mod figures;
mod latency;
mod laws;
mod limits;
mod memory;
mod price;
mod rows;
mod serial;
mod timeline;

use std::collections::{BTreeSet, HashSet};

use amdahl_schema::{Arm, Pass, PlannedTrial, RunHeader};
use amdahl_stats::{Interval, Judgement, Machine, Missing, Observation, judge};

use crate::load::RunFrames;
use crate::model::{ModelName, in_order, workload_id, workload_key};
use crate::select::Selection;
use crate::summary::{Estimate, RunFacts, Summary};
pub use baseline::baseline;
pub use rows::FrameResult;

/// Level of every interval.
pub(crate) const LEVEL: f64 = 0.95;

/// Summarises one run: judges the throughput pass and gathers what the figures show.
pub fn summarise(
    frames: &RunFrames,
    models: &Selection,
    workloads: &Selection,
) -> FrameResult<Summary> {
    let run = facts(frames, models, workloads);
    let recorded = rows::recorded(&frames.trials)?;
    let measured = rows::observations(&frames.trials)?;
    let judgement = judged(frames, &run, &recorded, &measured);
    let model_order = all_models(frames, &judgement)?;
    let groups = rows::outcome_groups(&frames.trials)?;
    let coverage = coverage::coverage(&frames.header.plan, &groups, &recorded);
    let cells = counters::decisive_cells(&judgement);
    let answers = answer::answers(&model_order, &judgement, &frames.header.absent, &coverage);
    let trials = rows::usable(&frames.trials)?;
    let serial = serial::figure(&judgement, &frames.params, &trials);
    let (cpu_bound, cpus) = (cpu_bound(&judgement), run.host.cpus_available);
    Ok(Summary {
        headline: answer::headline(&run, &answers),
        glances: figures::glances(&judgement),
        speedups: figures::speedups(&judgement, &run.host),
        overlaps: figures::overlaps(&judgement, &run.host),
        budgets: figures::budgets(&judgement),
        budget_curves: limits::curves(&judgement, cpus),
        baseline: None,
        limits: limits::groups(&judgement, &trials),
        latencies: latency::figures(&frames.latencies, &cpu_bound, cpus),
        trace: frames.trace.clone(),
        contention: contention::conditions(&frames.locks, &judgement, &trials, cpus),
        timelines: timeline::figures(&frames.spans, &cpu_bound, cpus),
        scaling: serial::scaling(&judgement, &frames.params, cpus, serial.is_some()),
        serial,
        laws: laws::rows(
            &judgement,
            &measured.0,
            &breaks::breaks(&frames.header.plan, &frames.header.host),
        ),
        memory: memory::rows(&judgement, &frames.params, &trials),
        price: price::figure(frames, &measured, &trials),
        start_up: cost::start_up(&trials),
        timers: cost::timers(&trials),
        cpu_speeds: cost::cpu_speeds(&trials),
        counters: counters::table(rows::counter_rows(&frames.counters)?, &cells),
        answers,
        judgement,
        coverage,
        run,
    })
}

/// Mean with interval, or the only value without one; `None` for no values.
pub(crate) fn mean_estimate(values: &[f64]) -> Option<Estimate> {
    estimate(values, amdahl_stats::t_interval(values, LEVEL))
}

/// Geometric mean with interval, or the only value without one; `None` for no values.
pub(crate) fn geometric_estimate(values: &[f64]) -> Option<Estimate> {
    estimate(values, amdahl_stats::log_t_interval(values, LEVEL))
}

fn estimate(values: &[f64], interval: Option<Interval>) -> Option<Estimate> {
    match (interval, values) {
        (Some(i), _) => Some(i.into()),
        (None, [value]) => Some(Estimate { value: *value, ci95: None, n: 1 }),
        (None, _) => None,
    }
}

/// What the throughput pass says, decided by the same crate that the measuring program asks.
fn judged(
    frames: &RunFrames,
    run: &RunFacts,
    recorded: &HashSet<u64>,
    (observations, missing): &(Vec<Observation>, Vec<Missing>),
) -> Judgement {
    let machine = Machine { cpus_available: run.host.cpus_available, note: run.cpus_note.clone() };
    let missing = [missing.as_slice(), &never_recorded(frames, recorded)].concat();
    let mut judgement = judge(observations, &missing, &machine);
    judgement
        .parallelism
        .sort_by_cached_key(|r| (workload_key(&r.workload), ModelName::parse(&r.model), r.workers));
    judgement
        .io_overlap
        .sort_by_cached_key(|r| (workload_key(&r.workload), ModelName::parse(&r.model), r.workers));
    judgement
}

/// Planned throughput trials that left no record at all: the run was interrupted.
fn never_recorded(frames: &RunFrames, recorded: &HashSet<u64>) -> Vec<Missing> {
    let mut missing = Vec::new();
    for block in &frames.header.plan.blocks {
        let absent = |t: &&PlannedTrial| t.pass == Pass::Throughput && !recorded.contains(&t.seq);
        missing.extend(block.trials.iter().filter(absent).map(|t| Missing {
            model: block.model.clone(),
            workload: block.workload.clone(),
            block: block.block,
            workers: t.workers,
            ceiling: t.arm == Arm::Ceiling,
            reason: "interrupted: the run ended before it".to_owned(),
        }));
    }
    missing
}

fn facts(frames: &RunFrames, models: &Selection, workloads: &Selection) -> RunFacts {
    let h = &frames.header;
    let part = |what: &str, s: &Selection| {
        (!s.patterns().is_empty()).then(|| format!("{what} {}", s.patterns().join(", ")))
    };
    let parts: Vec<String> =
        [part("models", models), part("workloads", workloads)].into_iter().flatten().collect();
    RunFacts {
        name: frames.name.clone(),
        id: h.id.clone(),
        started_utc: h.started_utc.clone(),
        tool: format!("{} {}", h.tool.name, h.tool.version),
        command: h.command.clone(),
        plan: h.plan.clone(),
        cpus_note: h.host.cpus_note.clone(),
        host: h.host.clone(),
        state: h.state.clone(),
        runtimes: h.runtimes.clone(),
        anonymous: h.anonymous,
        torn: frames.torn.clone(),
        selection: (!parts.is_empty()).then(|| parts.join("; ")),
    }
}

fn all_models(frames: &RunFrames, judgement: &Judgement) -> FrameResult<Vec<String>> {
    let RunHeader { plan, absent, .. } = &frames.header;
    let tried = rows::models(&frames.trials)?;
    let judged = judgement.parallelism.iter().map(|r| r.model.clone());
    let planned = plan.blocks.iter().map(|b| b.model.clone());
    let absent = absent.iter().map(|a| a.model.clone());
    let unique: BTreeSet<String> =
        tried.into_iter().chain(judged).chain(planned).chain(absent).collect();
    Ok(in_order(unique))
}

fn cpu_bound(judgement: &Judgement) -> BTreeSet<String> {
    judgement.parallelism.iter().map(|r| r.workload.clone()).collect()
}

/// Whether a workload is part of the figures that every workload has. `serial` is measured at many shares, to
/// calibrate, and `lock` with many locks; they have figures and tables of their own.
fn in_every_figure(workload: &str) -> bool {
    ![serial::SERIAL, contention::LOCK].contains(&workload_id(workload))
}
