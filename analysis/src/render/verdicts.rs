//! `verdicts.json`: the decisions for machines, in the one form that `amdahl_stats` gives them, with
//! the models that have none and where the runs come from.

use amdahl_stats::laws::analysis_json;
use amdahl_stats::{Judgement, judgement_json};
use serde_json::{Value, json};

use crate::render::{contention, trace};
use crate::summary::{Answer, AnswerState, LawRow, Summary};

/// The decisions of all runs; with more than one, each row names its run.
pub(super) fn json(chapters: &[Summary]) -> Result<String, serde_json::Error> {
    let mut document = judgement_json(&Judgement::default());
    document["absent"] = json!([]);
    for s in chapters {
        let mut part = judgement_json(&s.judgement);
        part["absent"] = Value::Array(absences(s));
        for key in ["parallelism", "io_overlap", "absent"] {
            for mut row in part[key].as_array_mut().map(std::mem::take).unwrap_or_default() {
                if chapters.len() > 1 {
                    row["run"] = json!(s.run.name);
                }
                document[key].as_array_mut().into_iter().for_each(|rows| rows.push(row.take()));
            }
        }
    }
    let laws: Vec<Value> = chapters.iter().flat_map(|s| laws(s, chapters.len() > 1)).collect();
    if !laws.is_empty() {
        document["laws"] = Value::Array(laws);
    }
    let many = chapters.len() > 1;
    let contention: Vec<Value> = chapters
        .iter()
        .flat_map(|s| [contention::json(s, many), trace::json(s, many)].concat())
        .collect();
    if !contention.is_empty() {
        document["contention"] = Value::Array(contention);
    }
    document["runs"] = chapters.iter().map(run).collect();
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

/// What was fitted of each cell, in the form of `fit --json`.
fn laws(s: &Summary, name_run: bool) -> Vec<Value> {
    let row = |r: &LawRow| {
        let mut value = json!({"model": r.model, "workload": r.workload});
        let breaks = r.breaks.iter().map(|b| json!({"after": b.after, "change": b.change.name()}));
        value["breaks"] = breaks.collect();
        if name_run {
            value["run"] = json!(s.run.name);
        }
        let mut numbers = analysis_json(&r.raw, r.corrected.as_ref());
        let mut relative = numbers["ceiling_corrected"].take();
        for key in ["selected", "not_comparable", "identifiable", "peak", "combination"] {
            value[key] = numbers[key].take();
        }
        value["laws"] = trimmed(&mut numbers["laws"]);
        value["karp_flatt"] = numbers["karp_flatt"].take();
        value["warnings"] = codes(&numbers["warnings"]);
        value["ceiling_corrected"] = match relative.is_null() {
            true => Value::Null,
            false => json!({
                "selected": relative["selected"].take(),
                "laws": trimmed(&mut relative["laws"]),
            }),
        };
        value
    };
    s.laws.iter().map(row).collect()
}

/// Parameters with intervals, and how well the law does; what a law lacks is left out, and warnings are codes, as their
/// words are in the report.
fn trimmed(laws: &mut Value) -> Value {
    let keys = [
        "law",
        "parameters",
        "ci95",
        "bootstrap95",
        "weight",
        "relative_rmse",
        "loo_error",
        "identified",
    ];
    let of = |law: &mut Value| {
        let mut kept = json!({});
        for key in keys {
            let mut part = law[key].take();
            part.as_object_mut().into_iter().for_each(|p| p.retain(|_, v| !v.is_null()));
            if !part.is_null() {
                kept[key] = part;
            }
        }
        kept["warnings"] = codes(&law["warnings"]);
        kept
    };
    laws.as_array_mut().map_or(Value::Null, |laws| laws.iter_mut().map(of).collect())
}

fn codes(warnings: &Value) -> Value {
    warnings.as_array().into_iter().flatten().map(|w| w["code"].clone()).collect()
}

/// Models without a measurement: not on the machine, or not reached by the budget.
fn absences(s: &Summary) -> Vec<Value> {
    let of = |a: &Answer| match &a.state {
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
