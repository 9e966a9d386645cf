//! `verdicts.json`: the decisions for machines. Version 1; adding keys does not raise it.

use amdahl_stats::{Budget, Interval, IoRow, ParallelismRow};
use serde_json::{Value, json};

use crate::render::format;
use crate::summary::{Summary, budget_parts};

/// Version of this file's shape.
const VERSION: u32 = 1;

/// The decisions of all runs; with more than one, each row names its run.
pub(super) fn json(chapters: &[Summary]) -> Result<String, serde_json::Error> {
    let several = chapters.len() > 1;
    let run_of = |s: &Summary| several.then(|| s.run.name.clone());
    let mut parallelism = Vec::new();
    let mut io_overlap = Vec::new();
    let mut absent = Vec::new();
    for s in chapters {
        let rows = s.judgement.parallelism.iter().map(|r| with_run(parallelism_row(r), run_of(s)));
        parallelism.extend(rows);
        io_overlap.extend(s.judgement.io_overlap.iter().map(|r| with_run(io_row(r), run_of(s))));
        absent.extend(absences(s).into_iter().map(|a| with_run(a, run_of(s))));
    }
    let document = json!({
        "schema": VERSION,
        "parallelism": parallelism,
        "io_overlap": io_overlap,
        "absent": absent,
        "runs": chapters.iter().map(run).collect::<Vec<_>>(),
    });
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

fn parallelism_row(r: &ParallelismRow) -> Value {
    json!({
        "model": r.model,
        "workload": r.workload,
        "workers": r.workers,
        "decisive": r.decisive,
        "verdict": format::verdict(r.verdict),
        "speedup": interval(r.speedup),
        "ceiling": interval(r.ceiling),
        "ceiling_share": interval(r.ceiling_share),
        "effective_cpus": interval(r.effective_cpus),
        "karp_flatt": interval(r.karp_flatt),
        "cpus_available": r.cpus_available,
        "blocks": r.blocks,
        "dropped": r.dropped,
        "limited_by": r.limited_by,
        "budget": r.budget.as_ref().map(budget),
        "reasons": r.reasons,
    })
}

fn io_row(r: &IoRow) -> Value {
    json!({
        "model": r.model,
        "workload": r.workload,
        "workers": r.workers,
        "verdict": format::io_verdict(r.verdict),
        "throughput_ratio": interval(r.throughput_ratio),
        "blocks": r.blocks,
        "reasons": r.reasons,
    })
}

/// Models without a measurement: not on the machine, or not reached by the budget.
fn absences(s: &Summary) -> Vec<Value> {
    use crate::summary::AnswerState;
    let of = |a: &crate::summary::Answer| match &a.state {
        AnswerState::Absent(why) => {
            Some(json!({"model": a.model, "reason": why.reason, "remedy": why.remedy}))
        }
        AnswerState::NotRun { why } => {
            Some(json!({"model": a.model, "reason": format!("not run: {why}"), "remedy": null}))
        }
        _ => None,
    };
    s.answers.iter().filter_map(of).collect()
}

fn run(s: &Summary) -> Value {
    let runtimes: Vec<Value> = s
        .run
        .runtimes
        .iter()
        .map(|r| json!({"id": r.id, "version": r.version, "gil": r.gil, "hash": r.hash}))
        .collect();
    json!({
        "name": s.run.name,
        "id": s.run.id,
        "started_utc": s.run.started_utc,
        "tool": s.run.tool,
        "profile": s.run.plan.profile,
        "seed": s.run.plan.seed,
        "host": s.run.host.name,
        "cpus_available": s.run.host.cpus_available,
        "torn": s.run.torn,
        "runtimes": runtimes,
    })
}

fn interval(i: Option<Interval>) -> Value {
    i.map_or(Value::Null, |i| {
        json!({"estimate": rounded(i.estimate), "ci95": [rounded(i.lo), rounded(i.hi)]})
    })
}

fn budget(b: &Budget) -> Value {
    budget_parts(b).iter().map(|(key, _, value)| ((*key).to_owned(), rounded(*value))).collect()
}

/// Six decimals: more would be noise of the last bit, which differs between mathematics libraries.
fn rounded(value: f64) -> Value {
    let text = format!("{value:.6}");
    let value: f64 = text.parse().unwrap_or(value);
    json!(if value == 0.0 { 0.0 } else { value })
}

fn with_run(mut row: Value, run: Option<String>) -> Value {
    if let (Some(map), Some(run)) = (row.as_object_mut(), run) {
        map.insert("run".to_owned(), Value::String(run));
    }
    row
}
