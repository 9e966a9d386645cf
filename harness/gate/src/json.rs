//! The verdict for programs: `--json` and `--json-out`. Keys may be added without raising `schema`.

use amdahl_stats::number_json;
use serde_json::{Value, json};

use crate::{Better, Cell, Report};

/// `{"schema":1,"cells":[…],"sentinel":{…}|null,"verdict":"worst of the cells"}`; effects and margins are shares: .02 is 2 %.
pub fn report_json(report: &Report) -> Value {
    json!({
        "schema": 1,
        "cells": report.cells.iter().map(cell).collect::<Vec<_>>(),
        "sentinel": report.sentinel.as_ref().map(|s| json!({"p": number_json(s.p), "rejected": s.rejected})),
        "verdict": report.verdict().name(),
    })
}

fn cell(c: &Cell) -> Value {
    let share = |ratio: f64| number_json(ratio - 1.0);
    json!({
        "name": c.name,
        "metric": c.metric.name,
        "unit": c.metric.unit,
        "better": match c.metric.better { Better::Higher => "higher", Better::Lower => "lower" },
        "verdict": c.verdict.name(),
        "effect": c.ratio.map(|r| json!({"estimate": share(r.estimate), "ci95": [share(r.lo), share(r.hi)]})),
        "p": number_json(c.p),
        "margin": number_json(c.margin),
        "equivalence_margin": number_json(c.equivalence_margin),
        "pairs": c.pairs,
        "dropped_pairs": c.dropped_pairs,
        "smallest_detectable": c.smallest_detectable.map(share),
        "median_a": c.medians.map(|(a, _)| number_json(a)),
        "median_b": c.medians.map(|(_, b)| number_json(b)),
        "reasons": c.reasons,
        "samples_a": c.samples.0,
        "samples_b": c.samples.1,
    })
}
