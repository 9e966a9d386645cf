//! Frames to plain rows: polars stops here. It selects and counts; what a row means is decided elsewhere.

use std::collections::HashSet;

use amdahl_stats::{Contest, GateReading, Missing, Observation, Shares};
use polars::prelude::*;

/// What goes wrong when a frame lacks a column: a defect of this program.
pub type FrameResult<T> = PolarsResult<T>;

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

/// One usable trial, as the tables beside the judgement need it.
pub(crate) struct TrialRow {
    pub(crate) model: String,
    pub(crate) workload: String,
    pub(crate) block: u32,
    pub(crate) workers: u32,
    pub(crate) ceiling: bool,
    pub(crate) latency: bool,
    pub(crate) throughput: bool,
    pub(crate) gil: Option<bool>,
    pub(crate) rate: Option<f64>,
    pub(crate) spawn_ns: Option<u64>,
    pub(crate) setup_ns: Option<u64>,
    pub(crate) timer: Option<String>,
    pub(crate) timer_cost_ps: Option<u64>,
    pub(crate) bytes: Option<u64>,
    pub(crate) steps: Option<u64>,
    pub(crate) chunk: Option<u64>,
    pub(crate) speed_cpus: u32,
    pub(crate) cpu_slowdown: Option<f64>,
    pub(crate) settle_ns: Option<u64>,
    pub(crate) peak_rss: Option<u64>,
    pub(crate) pss: Option<u64>,
}

/// The usable trials of the plan, in the order of the record.
pub(super) fn usable(trials: &DataFrame) -> FrameResult<Vec<TrialRow>> {
    let wanted = col("status").eq(lit("ok")).and(col("stage").eq(lit("measure")));
    let rows = trials.clone().lazy().filter(wanted).collect()?;
    let t = Table(&rows);
    let row = |i| {
        let pass = t.text("pass", i)?;
        Ok(TrialRow {
            model: t.text("model", i)?,
            workload: t.text("workload", i)?,
            block: t.u32("block", i)?,
            workers: t.u32("workers", i)?,
            ceiling: t.text("arm", i)? == "ceiling",
            latency: pass == "latency",
            throughput: pass == "throughput",
            gil: t.maybe_bool("gil", i)?,
            rate: t.maybe_f64("rate", i)?,
            spawn_ns: t.maybe_u64("spawn_ns", i)?,
            setup_ns: t.maybe_u64("setup_ns", i)?,
            timer: t.maybe_text("timer", i)?,
            timer_cost_ps: t.maybe_u64("timer_cost_ps", i)?,
            bytes: t.maybe_u64("bytes", i)?,
            steps: t.maybe_u64("steps", i)?,
            chunk: t.maybe_u64("chunk", i)?,
            speed_cpus: t.u32("speed_cpus", i)?,
            cpu_slowdown: t.maybe_f64("cpu_slowdown", i)?,
            settle_ns: t.maybe_u64("settle_ns", i)?,
            peak_rss: t.maybe_u64("peak_rss", i)?,
            pss: t.maybe_u64("pss", i)?,
        })
    };
    (0..rows.height()).map(row).collect()
}

/// Groups of trials by how they ended, counted; ordered by their first line.
pub(super) fn outcome_groups(trials: &DataFrame) -> FrameResult<Vec<OutcomeGroup>> {
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

/// Trials of the throughput pass as the judge takes them: numbers, or why there are none.
pub(super) fn observations(trials: &DataFrame) -> FrameResult<(Vec<Observation>, Vec<Missing>)> {
    let wanted = col("pass").eq(lit("throughput")).and(col("stage").eq(lit("measure")));
    let rows = trials.clone().lazy().filter(wanted).collect()?;
    let t = Table(&rows);
    let (mut observations, mut missing) = (Vec::new(), Vec::new());
    for i in 0..rows.height() {
        match observation(&t, i)? {
            Ok(o) => observations.push(o),
            Err(m) => missing.push(m),
        }
    }
    Ok((observations, missing))
}

fn observation(t: &Table<'_>, i: usize) -> FrameResult<Result<Observation, Missing>> {
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

fn shares(t: &Table<'_>, i: usize) -> FrameResult<Option<Shares>> {
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
pub(super) fn recorded(trials: &DataFrame) -> FrameResult<HashSet<u64>> {
    Ok(trials.column("seq")?.u64()?.iter().flatten().collect())
}

/// Models of the trials that left a record.
pub(super) fn models(trials: &DataFrame) -> FrameResult<Vec<String>> {
    Ok(trials.column("model")?.str()?.iter().flatten().map(str::to_owned).collect())
}

pub(super) fn counter_rows(counters: &DataFrame) -> FrameResult<Vec<CounterObservation>> {
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

/// Cells of a frame by column name and row.
struct Table<'a>(&'a DataFrame);

impl Table<'_> {
    fn maybe_text(&self, name: &str, i: usize) -> FrameResult<Option<String>> {
        Ok(self.0.column(name)?.str()?.get(i).map(str::to_owned))
    }

    fn text(&self, name: &str, i: usize) -> FrameResult<String> {
        Ok(self.maybe_text(name, i)?.unwrap_or_default())
    }

    fn u32(&self, name: &str, i: usize) -> FrameResult<u32> {
        Ok(self.0.column(name)?.u32()?.get(i).unwrap_or(0))
    }

    fn maybe_u64(&self, name: &str, i: usize) -> FrameResult<Option<u64>> {
        Ok(self.0.column(name)?.u64()?.get(i))
    }

    fn maybe_f64(&self, name: &str, i: usize) -> FrameResult<Option<f64>> {
        Ok(self.0.column(name)?.f64()?.get(i))
    }

    fn maybe_bool(&self, name: &str, i: usize) -> FrameResult<Option<bool>> {
        Ok(self.0.column(name)?.bool()?.get(i))
    }
}
