//! Frames to a summary: polars stops here.
//!
//! polars selects, joins and aggregates integers; intervals and decisions are `amdahl_stats` on the
//! rows it hands out. Passes never feed each other: throughput goes to the judge alone, latency to
//! distributions and timelines, counters to their table.

mod answer;
mod counters;
mod coverage;
mod figures;
mod latency;
mod timeline;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use amdahl_schema::{Arm, Pass, PlannedTrial, RunHeader};
use amdahl_stats::{
    Contest, GateReading, Interval, Judgement, Machine, Missing, Observation, Shares, judge,
};
use polars::prelude::*;

use crate::load::RunFrames;
use crate::model::{ModelName, in_order};
use crate::select::Selection;
use crate::summary::{Estimate, RunFacts, Summary};

/// Level of every interval.
pub(crate) const LEVEL: f64 = 0.95;

/// Summarises one run: judges the throughput pass and gathers what the figures show.
pub fn summarise(
    frames: &RunFrames,
    models: &Selection,
    workloads: &Selection,
) -> PolarsResult<Summary> {
    let run = facts(frames, models, workloads);
    let judgement = judged(frames, &run)?;
    let model_order = all_models(frames, &judgement)?;
    let recorded = recorded(frames)?;
    let groups = outcome_groups(&frames.trials)?;
    let coverage = coverage::coverage(&frames.header.plan, &groups, &recorded);
    let cells = counters::decisive_cells(&judgement);
    let answers = answer::answers(&model_order, &judgement, &frames.header.absent, &coverage);
    Ok(Summary {
        headline: answer::headline(&run, &answers),
        glances: figures::glances(&judgement),
        speedups: figures::speedups(&judgement, &run.host),
        overlaps: figures::overlaps(&judgement, &run.host),
        budgets: figures::budgets(&judgement),
        latencies: latency::figures(
            &frames.latencies,
            &cpu_bound(&judgement),
            run.host.cpus_available,
        ),
        timelines: timeline::figures(
            &frames.spans,
            &cpu_bound(&judgement),
            run.host.cpus_available,
        ),
        counters: counters::table(counter_rows(&frames.counters)?, &cells),
        answers,
        judgement,
        coverage,
        run,
    })
}

/// One row of the counters frame, as `counters` needs it.
pub(crate) struct CounterObservation {
    pub(crate) model: String,
    pub(crate) workload: String,
    pub(crate) workers: u32,
    pub(crate) id: String,
    pub(crate) source: String,
    pub(crate) scaled: Option<f64>,
    pub(crate) multiplexed: bool,
    pub(crate) loop_ns: Option<u64>,
    pub(crate) ops: u64,
    pub(crate) absent: Option<(String, Option<String>)>,
}

/// Trials of one group that ended in one way, as `coverage` needs it.
pub(crate) struct OutcomeGroup {
    pub(crate) model: String,
    pub(crate) workload: String,
    pub(crate) workers: u32,
    pub(crate) arm: String,
    pub(crate) pass: String,
    pub(crate) status: String,
    pub(crate) kind: String,
    pub(crate) reason: String,
    pub(crate) flags: String,
    pub(crate) count: u64,
    pub(crate) line: u64,
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

/// Groups of trials by how they ended, counted; ordered by their first line.
fn outcome_groups(trials: &DataFrame) -> PolarsResult<Vec<OutcomeGroup>> {
    let keys = ["model", "workload", "workers", "arm", "pass", "status", "kind", "reason", "flags"];
    let groups = trials
        .clone()
        .lazy()
        .group_by_stable(keys.map(col))
        .agg([len().cast(DataType::UInt64).alias("count"), col("line").min().alias("first_line")])
        .collect()?;
    let t = Table(&groups);
    (0..groups.height())
        .map(|i| {
            Ok(OutcomeGroup {
                model: t.text("model", i)?,
                workload: t.text("workload", i)?,
                workers: t.u32("workers", i)?,
                arm: t.text("arm", i)?,
                pass: t.text("pass", i)?,
                status: t.text("status", i)?,
                kind: t.text("kind", i)?,
                reason: t.text("reason", i)?,
                flags: t.text("flags", i)?,
                count: t.maybe_u64("count", i)?.unwrap_or(0),
                line: t.maybe_u64("first_line", i)?.unwrap_or(0),
            })
        })
        .collect()
}

/// What the throughput pass says, decided by the same crate that the measuring program asks.
fn judged(frames: &RunFrames, run: &RunFacts) -> PolarsResult<Judgement> {
    let machine = Machine { cpus_available: run.host.cpus_available, note: run.cpus_note.clone() };
    let throughput = frames
        .trials
        .clone()
        .lazy()
        .filter(col("pass").eq(lit("throughput")).and(col("stage").eq(lit("measure"))))
        .collect()?;
    let mut sets: BTreeMap<String, (Vec<Observation>, Vec<Missing>)> = BTreeMap::new();
    let t = Table(&throughput);
    for i in 0..throughput.height() {
        let (observations, missing) = sets.entry(t.text("params", i)?).or_default();
        match observation(&t, i)? {
            Ok(o) => observations.push(o),
            Err(m) => missing.push(m),
        }
    }
    for (label, m) in never_recorded(frames)? {
        sets.entry(label).or_default().1.push(m);
    }
    let mut judgement = Judgement::default();
    for (params, (observations, missing)) in sets {
        let mut part = judge(&observations, &missing, &machine);
        let label = |w: &mut String| {
            if !params.is_empty() {
                *w = format!("{w} {params}");
            }
        };
        part.parallelism.iter_mut().for_each(|r| label(&mut r.workload));
        part.io_overlap.iter_mut().for_each(|r| label(&mut r.workload));
        judgement.parallelism.extend(part.parallelism);
        judgement.io_overlap.extend(part.io_overlap);
    }
    judgement
        .parallelism
        .sort_by_cached_key(|r| (r.workload.clone(), ModelName::parse(&r.model), r.workers));
    judgement
        .io_overlap
        .sort_by_cached_key(|r| (r.workload.clone(), ModelName::parse(&r.model), r.workers));
    Ok(judgement)
}

fn observation(t: &Table<'_>, i: usize) -> PolarsResult<Result<Observation, Missing>> {
    let (model, workload) = (t.text("model", i)?, t.text("workload", i)?);
    let (block, workers) = (t.u32("block", i)?, t.u32("workers", i)?);
    let ceiling = t.text("arm", i)? == "ceiling";
    let Some(rate) = t.maybe_f64("rate", i)? else {
        let reason = lack(&t.text("status", i)?, &t.text("kind", i)?, &t.text("reason", i)?);
        return Ok(Err(Missing { model, workload, block, workers, ceiling, reason }));
    };
    let contest = match t.text("contest", i)?.as_str() {
        "held" => Contest::Held,
        "starved" => Contest::Starved,
        other => Contest::Broken(other.trim_start_matches("broken: ").to_owned()),
    };
    Ok(Ok(Observation {
        model,
        workload,
        block,
        workers,
        ceiling,
        rate,
        effective_cpus: t.maybe_f64("effective_cpus", i)?,
        shares: shares(t, i)?,
        foreign_delay: t.maybe_f64("foreign_delay", i)?,
        cpu_slowdown: t.maybe_f64("cpu_slowdown", i)?,
        gates: GateReading {
            capacity_ticks: t.maybe_f64("capacity_ticks", i)?.unwrap_or(0.0),
            foreign_ticks: t.maybe_f64("foreign_ticks", i)?,
            steal_ticks: t.maybe_u64("steal_ticks", i)?.map(|ticks| ticks as f64),
        },
        contest,
        drift: t.maybe_f64("drift", i)?,
        gil: t.maybe_bool("gil", i)?,
    }))
}

/// Why a trial has no rate, in the words of the answer table on the terminal.
fn lack(status: &str, kind: &str, reason: &str) -> String {
    let kind = if kind.is_empty() { "no rate" } else { kind };
    match (status, reason) {
        ("not_run", _) => format!("not run: {kind}"),
        (_, "") => format!("{kind}: no operation completed"),
        _ => format!("{kind}: {reason}"),
    }
}

fn shares(t: &Table<'_>, i: usize) -> PolarsResult<Option<Shares>> {
    let Some(cpu) = t.maybe_f64("share_cpu", i)? else { return Ok(None) };
    let part = |name| t.maybe_f64(name, i).map(|v| v.unwrap_or(0.0));
    Ok(Some(Shares {
        cpu,
        run_queue: part("share_run_queue")?,
        blocked: part("share_blocked")?,
        idle: part("share_idle")?,
        outside: part("share_outside")?,
    }))
}

/// Numbers of the trials that left a record.
fn recorded(frames: &RunFrames) -> PolarsResult<HashSet<u64>> {
    Ok(frames.trials.column("seq")?.u64()?.iter().flatten().collect())
}

/// Planned throughput trials that left no record at all, with the label of their parameters: the run
/// was interrupted.
fn never_recorded(frames: &RunFrames) -> PolarsResult<Vec<(String, Missing)>> {
    let seqs = recorded(frames)?;
    let mut missing = Vec::new();
    for block in &frames.header.plan.blocks {
        let absent = |t: &&PlannedTrial| t.pass == Pass::Throughput && !seqs.contains(&t.seq);
        missing.extend(block.trials.iter().filter(absent).map(|t| {
            let lack = Missing {
                model: block.model.clone(),
                workload: block.workload.clone(),
                block: block.block,
                workers: t.workers,
                ceiling: t.arm == Arm::Ceiling,
                reason: "interrupted: the run ended before it".to_owned(),
            };
            (frames.labels.get(&t.seq).cloned().unwrap_or_default(), lack)
        }));
    }
    Ok(missing)
}

fn counter_rows(counters: &DataFrame) -> PolarsResult<Vec<CounterObservation>> {
    let rows = counters.clone().lazy().filter(col("arm").eq(lit("model"))).collect()?;
    let t = Table(&rows);
    (0..rows.height())
        .map(|i| {
            let absent = t.maybe_text("absent_reason", i)?;
            Ok(CounterObservation {
                model: t.text("model", i)?,
                workload: t.text("workload", i)?,
                workers: t.u32("workers", i)?,
                id: t.text("id", i)?,
                source: t.text("source", i)?,
                scaled: t.maybe_f64("scaled", i)?,
                multiplexed: t.maybe_bool("multiplexed", i)?.unwrap_or(false),
                loop_ns: t.maybe_u64("loop_ns", i)?,
                ops: t.maybe_u64("ops", i)?.unwrap_or(0),
                absent: match absent {
                    Some(reason) => Some((reason, t.maybe_text("absent_remedy", i)?)),
                    None => None,
                },
            })
        })
        .collect()
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
        torn: frames.torn.clone(),
        selection: (!parts.is_empty()).then(|| parts.join("; ")),
    }
}

fn all_models(frames: &RunFrames, judgement: &Judgement) -> PolarsResult<Vec<String>> {
    let RunHeader { plan, absent, .. } = &frames.header;
    let tried = frames.trials.column("model")?.str()?.iter().flatten().map(str::to_owned);
    let judged = judgement.parallelism.iter().map(|r| r.model.clone());
    let planned = plan.blocks.iter().map(|b| b.model.clone());
    let unique: BTreeSet<String> =
        tried.chain(judged).chain(planned).chain(absent.iter().map(|a| a.model.clone())).collect();
    Ok(in_order(unique))
}

fn cpu_bound(judgement: &Judgement) -> BTreeSet<String> {
    judgement.parallelism.iter().map(|r| r.workload.clone()).collect()
}

/// Cells of a frame by column name and row.
struct Table<'a>(&'a DataFrame);

impl Table<'_> {
    fn maybe_text(&self, name: &str, i: usize) -> PolarsResult<Option<String>> {
        Ok(self.0.column(name)?.str()?.get(i).map(str::to_owned))
    }

    fn text(&self, name: &str, i: usize) -> PolarsResult<String> {
        Ok(self.maybe_text(name, i)?.unwrap_or_default())
    }

    fn u32(&self, name: &str, i: usize) -> PolarsResult<u32> {
        Ok(self.0.column(name)?.u32()?.get(i).unwrap_or(0))
    }

    fn maybe_u64(&self, name: &str, i: usize) -> PolarsResult<Option<u64>> {
        Ok(self.0.column(name)?.u64()?.get(i))
    }

    fn maybe_f64(&self, name: &str, i: usize) -> PolarsResult<Option<f64>> {
        Ok(self.0.column(name)?.f64()?.get(i))
    }

    fn maybe_bool(&self, name: &str, i: usize) -> PolarsResult<Option<bool>> {
        Ok(self.0.column(name)?.bool()?.get(i))
    }
}
