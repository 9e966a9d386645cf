//! Decisions as JSON: the one form that `--json` prints and `verdicts.json` holds.

use serde_json::{Map, Value, json};

use crate::budget::Limit;
use crate::interval::Interval;
use crate::judge::{IoRow, IoVerdict, Judgement, ParallelismRow, Verdict};

/// Significant digits of every figure: beyond what any interval resolves, and stable to read.
const DIGITS: i32 = 6;

/// `{"schema":1,"parallelism":[…],"io_overlap":[…]}`; keys may be added without raising `schema`.
pub fn judgement_json(judgement: &Judgement) -> Value {
    json!({
        "schema": 1,
        "parallelism": judgement.parallelism.iter().map(parallelism_row).collect::<Vec<_>>(),
        "io_overlap": judgement.io_overlap.iter().map(io_row).collect::<Vec<_>>(),
    })
}

fn parallelism_row(r: &ParallelismRow) -> Value {
    let mut row = json!({
        "model": r.model,
        "workload": r.workload,
        "workers": r.workers,
        "decisive": r.decisive,
        "verdict": verdict_name(r.verdict),
        "speedup": interval_json(r.speedup),
        "ceiling": interval_json(r.ceiling),
        "ceiling_share": interval_json(r.ceiling_share),
        "effective_cpus": interval_json(r.effective_cpus),
        "karp_flatt": interval_json(r.karp_flatt),
        "cpus_available": r.cpus_available,
        "blocks": r.blocks,
        "dropped_blocks": r.dropped,
        "limited_by": r.limited_by,
        "limit": r.limit.as_ref().map_or(Value::Null, limit_json),
        "budget": Value::Null,
        "reasons": r.reasons,
    });
    if let Some(b) = &r.budget {
        let parts = [
            ("achieved", b.achieved),
            ("hardware", b.hardware),
            ("blocked", b.blocked),
            ("run_queue", b.run_queue),
            ("steal_foreign", b.steal_foreign),
            ("imbalance", b.imbalance),
            ("no_progress", b.no_progress),
            ("unexplained", b.unexplained),
        ];
        let parts: Map<_, _> =
            parts.into_iter().map(|(name, x)| (name.to_owned(), number(x))).collect();
        row["budget"] = Value::Object(parts);
    }
    row
}

/// How sure `limited_by` is.
fn limit_json(l: &Limit) -> Value {
    json!({
        "cause": l.cause,
        "loss": interval_json(l.loss),
        "largest_in_blocks": l.largest_in,
        "blocks": l.blocks,
        "not_told_apart_from": l.rival,
    })
}

fn io_row(r: &IoRow) -> Value {
    json!({
        "model": r.model,
        "workload": r.workload,
        "workers": r.workers,
        "verdict": io_verdict_name(r.verdict),
        "throughput_ratio": interval_json(r.throughput_ratio),
        "blocks": r.blocks,
        "dropped_blocks": r.dropped,
        "reasons": r.reasons,
    })
}

/// `{"estimate","ci95":[lo,hi],"n"}`, or null where there is none.
pub fn interval_json(interval: Option<Interval>) -> Value {
    interval.map_or(
        Value::Null,
        |i| json!({"estimate": number(i.estimate), "ci95": [number(i.lo), number(i.hi)], "n": i.n}),
    )
}

/// Name in JSON and on the terminal.
pub fn verdict_name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Parallel => "parallel",
        Verdict::Partly => "partly",
        Verdict::Serial => "serial",
        Verdict::Unknown => "unknown",
    }
}

/// Name in JSON.
pub fn io_verdict_name(verdict: IoVerdict) -> &'static str {
    match verdict {
        IoVerdict::Overlaps => "overlaps",
        IoVerdict::DoesNot => "does not",
        IoVerdict::Unknown => "unknown",
    }
}

/// Rounded to six significant digits; null if not finite.
pub fn number(x: f64) -> Value {
    if !x.is_finite() {
        return Value::Null;
    }
    if x == 0.0 {
        return json!(0.0);
    }
    let digits = (DIGITS - 1 - x.abs().log10().floor() as i32).clamp(0, 12);
    let scale = 10f64.powi(digits);
    // Adding 0 turns a rounded -0 into 0.
    json!((x * scale).round() / scale + 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_and_the_unknown_is_null() {
        assert_eq!(number(1.234_567_89), json!(1.23457));
        assert_eq!(number(-1e-15), json!(0.0));
        assert_eq!(number(f64::NAN), Value::Null);
        assert_eq!(interval_json(None), Value::Null);
    }

    #[test]
    fn an_empty_judgement_has_its_keys() {
        let json = judgement_json(&Judgement::default());
        assert_eq!(json, json!({"schema": 1, "parallelism": [], "io_overlap": []}));
    }
}
