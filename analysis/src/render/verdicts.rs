//! `verdicts.json`: the decisions for machines, in the one form that `amdahl_stats` gives them, with
//! the models that have none and where the runs come from.

use amdahl_stats::{Judgement, judgement_json};
use serde_json::{Value, json};

use crate::summary::{Answer, AnswerState, Summary};

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
    document["runs"] = chapters.iter().map(run).collect();
    Ok(serde_json::to_string_pretty(&document)? + "\n")
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
