//! The figures of B in the formats of services that keep histories: Bencher, github-action-benchmark.

use amdahl_stats::number_json;
use serde_json::{Map, Value, json};

use crate::words::effect;
use crate::{Better, Cell, Report};

/// Bencher's Metric Format: benchmark, measure, value with bounds. The bounds are those of the effect, at the level of B's median.
pub fn bencher(report: &Report) -> Value {
    let mut benchmarks = Map::new();
    for cell in &report.cells {
        let Some((_, b)) = cell.medians else { continue };
        let mut metric = json!({"value": number_json(b)});
        if let Some(r) = cell.ratio {
            metric["lower_value"] = number_json(b * r.lo / r.estimate);
            metric["upper_value"] = number_json(b * r.hi / r.estimate);
        }
        let measures = benchmarks.entry(clipped(&cell.name, 1024)).or_insert_with(|| json!({}));
        measures[clipped(&cell.metric.name, 64)] = metric;
    }
    Value::Object(benchmarks)
}

/// What github-action-benchmark reads as `customSmallerIsBetter` or `customBiggerIsBetter`: the cells whose figure has that direction.
pub fn action_benchmark(report: &Report, better: Better) -> Value {
    let cells = report.cells.iter().filter(|c| c.metric.better == better);
    cells.filter_map(entry).collect()
}

fn entry(cell: &Cell) -> Option<Value> {
    let (_, b) = cell.medians?;
    let unit = if cell.metric.unit.is_empty() { &cell.metric.name } else { &cell.metric.unit };
    let mut entry = json!({"name": format!("{} {}", cell.name, cell.metric.name), "unit": unit, "value": number_json(b)});
    if let Some(r) = cell.ratio {
        entry["range"] = json!(format!(
            "[{}, {}]",
            number_json(b * r.lo / r.estimate),
            number_json(b * r.hi / r.estimate)
        ));
    }
    entry["extra"] =
        json!(format!("{} against A: {}, {} pairs", cell.verdict.name(), effect(cell), cell.pairs));
    Some(entry)
}

/// What the service takes of a name.
fn clipped(name: &str, chars: usize) -> String {
    name.chars().take(chars).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verdict;
    use crate::markdown::tests::{cell, report};

    #[test]
    fn figures_of_b_with_their_bounds() {
        let mut fast = cell("fast", Verdict::Improved, vec![]);
        fast.metric.better = Better::Higher;
        let unmeasured = Cell { medians: None, ..cell("none", Verdict::Inconclusive, vec![]) };
        let report = report(vec![cell("slow", Verdict::Regressed, vec![]), fast, unmeasured]);
        let bmf = bencher(&report);
        assert_eq!(
            bmf["slow"]["wall_ns"],
            json!({"value": 105.0, "lower_value": 103.0, "upper_value": 107.0})
        );
        assert!(bmf.get("none").is_none(), "unknown is absent");
        let small = action_benchmark(&report, Better::Lower);
        let expected = json!([{
            "name": "slow wall_ns", "unit": "ns", "value": 105.0, "range": "[103.0, 107.0]",
            "extra": "regressed against A: +5.00 % [+3.00, +7.00], 12 pairs",
        }]);
        assert_eq!(small, expected);
        assert_eq!(action_benchmark(&report, Better::Higher)[0]["name"], "fast wall_ns");
    }
}
