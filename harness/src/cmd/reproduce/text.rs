//! A comparison for people and for programs.

use amdahl_schema::{AbsentModel, Host, RunHeader, by_runtime};
use serde_json::{Value, json};

use crate::reproduce::{Comparison, Outcome, Row, Summary};

/// A line a verdict, then the sum.
pub(super) fn table(comparison: &Comparison, there: &Host, here: &Host) -> String {
    let mut text = format!("there: {}\nhere:  {}\n\n", machine(there), machine(here));
    let decided = || comparison.rows.iter().filter(|r| r.outcome != Outcome::UndecidedThere);
    let mut rows = vec![["model", "workload", "N", "there", "here", ""].map(str::to_owned)];
    rows.extend(decided().map(cells));
    let width = |c: usize| rows.iter().map(|r| r[c].chars().count()).max().unwrap_or(0);
    let widths: [usize; 6] = std::array::from_fn(width);
    for row in &rows {
        let cells = row.iter().zip(widths).map(|(cell, w)| format!("{cell:<w$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        text.push_str(&format!("{}\n", line.trim_end()));
    }
    for r in decided().filter(|r| r.outcome == Outcome::UndecidedHere) {
        let why = r.why.as_deref().unwrap_or("nothing of it was measured");
        text.push_str(&format!("  {} on {}, N = {}: {why}\n", r.model, r.workload, r.workers));
    }
    let s = comparison.summary();
    text.push_str(&format!("\n{}\n", sum(&s)));
    text
}

fn sum(s: &Summary) -> String {
    let verdicts = if s.decided() == 1 { "verdict" } else { "verdicts" };
    let mut text = format!("{} of {} {verdicts} reproduced", s.same, s.decided());
    for (n, what) in [
        (s.differs, "otherwise here"),
        (s.undecided_here, "undecided here"),
        (s.not_here, "of models that are not available here"),
    ] {
        if n > 0 {
            text.push_str(&format!(", {n} {what}"));
        }
    }
    if s.undecided_there > 0 {
        text.push_str(&format!("; {} were undecided there", s.undecided_there));
    }
    text
}

fn cells(row: &Row) -> [String; 6] {
    [
        row.model.clone(),
        row.workload.clone(),
        row.workers.to_string(),
        row.there.to_owned(),
        row.here.unwrap_or("-").to_owned(),
        match row.outcome {
            Outcome::Differs => "DIFFERS".to_owned(),
            other => other.name().to_owned(),
        },
    ]
}

fn machine(host: &Host) -> String {
    let cpu = host.cpu_model.as_deref().unwrap_or(&host.arch);
    let guest = host.hypervisor.as_ref().map(|h| format!(", {h} guest")).unwrap_or_default();
    let (available, all) = (host.cpus_available, host.cpus.len());
    format!("{cpu}{guest}, {available} of {all} CPUs available, Linux {}", host.kernel)
}

/// What this machine lacks, each reason once, and the worker counts that it can't judge.
pub(super) fn aside(missing: &[AbsentModel], beyond: &[u32], cpus: u32) -> String {
    let mut text = String::new();
    let mut reasons: Vec<(String, Vec<&str>)> = Vec::new();
    for m in missing {
        let remedy = m.why.remedy.as_ref().map(|r| format!(" ({r})")).unwrap_or_default();
        let why = format!("{}{remedy}", m.why.reason);
        match reasons.iter_mut().find(|(known, _)| *known == why) {
            Some((_, models)) => models.push(&m.model),
            None => reasons.push((why, vec![&m.model])),
        }
    }
    for (why, models) in reasons {
        text.push_str(&format!("not available here: {}: {why}\n", by_runtime(models).join(", ")));
    }
    if !beyond.is_empty() {
        let counts: Vec<String> = beyond.iter().map(u32::to_string).collect();
        text.push_str(&format!(
            "N = {}: above the {cpus} CPUs available here; work that waits is judged there, computing work is not\n",
            counts.join(", ")
        ));
    }
    text
}

/// The same for programs.
pub(super) fn json(comparison: &Comparison, there: &RunHeader, here: &RunHeader) -> Value {
    let row = |r: &Row| {
        json!({
            "model": r.model,
            "workload": r.workload,
            "workers": r.workers,
            "there": r.there,
            "here": r.here,
            "outcome": r.outcome.name(),
            "why": r.why,
        })
    };
    let side = |h: &RunHeader| {
        json!({
            "id": h.id,
            "started_utc": h.started_utc,
            "cpu_model": h.host.cpu_model,
            "hypervisor": h.host.hypervisor,
            "kernel": h.host.kernel,
            "cpus_available": h.host.cpus_available,
        })
    };
    let s = comparison.summary();
    json!({
        "schema": 1,
        "there": side(there),
        "here": side(here),
        "verdicts": comparison.rows.iter().map(row).collect::<Vec<_>>(),
        "summary": {
            "same": s.same,
            "differs": s.differs,
            "undecided_here": s.undecided_here,
            "undecided_there": s.undecided_there,
            "not_available_here": s.not_here,
        },
    })
}
