//! The numbers behind the figures: latency, loss budget, counters.

use super::Align::{Left, Right};
use super::Table;
use crate::render::format::{self, UNKNOWN};
use crate::summary::{PERCENTILES, Summary, budget_parts};

/// Percentiles of every workload; only those with enough operations beyond them.
pub(crate) fn percentiles(s: &Summary) -> Table {
    let names = PERCENTILES.map(|p| format!("p{p}"));
    let mut columns = vec![("workload", Left), ("model", Left), ("N", Right)];
    columns.extend(names.iter().map(|n| (n.as_str(), Right)));
    columns.extend([("max", Right), ("operations (trials)", Right)]);
    let mut table = Table::new(&columns);
    for f in &s.latencies {
        for c in f.curves.iter().filter(|c| f.panel_workers.contains(&c.workers)) {
            let mut row =
                vec![format!("`{}`", f.workload), format!("`{}`", c.model), c.workers.to_string()];
            row.extend(
                c.percentiles
                    .iter()
                    .map(|p| p.as_ref().map_or_else(|| UNKNOWN.to_owned(), format::time_estimate)),
            );
            row.push(format::time_ns(c.max_ns as f64));
            let disturbed = match c.disturbed {
                0 => String::new(),
                n => format!(", {n} disturbed"),
            };
            row.push(format!("{} ({}{disturbed})", c.operations, c.trials.len()));
            table.rows.push(row);
        }
    }
    table
}

/// Loss budget: inputs of the stacked bars.
pub(crate) fn budget(s: &Summary) -> Table {
    let labels = budget_parts(&amdahl_stats::Budget::default()).map(|p| p.1);
    let mut columns = vec![("workload", Left), ("model", Left), ("N", Right)];
    columns.extend(labels.iter().map(|l| (*l, Right)));
    columns.extend([("limited by", Left), ("blocks", Right)]);
    let mut table = Table::new(&columns);
    for f in &s.budgets {
        for r in &f.rows {
            let mut row =
                vec![format!("`{}`", f.workload), format!("`{}`", r.model), r.workers.to_string()];
            row.extend(budget_parts(&r.parts).map(|(_, _, v)| format::two_digits(v)));
            let cause = r.limited_by.replace('_', " ");
            let cause = r.loss.map_or(cause.clone(), |l| format!("{cause} {}", format::ratio(&l)));
            row.extend([cause, r.blocks.to_string()]);
            table.rows.push(row);
        }
    }
    table
}

/// Events a second, a column a metric.
pub(crate) fn counters(s: &Summary) -> Table {
    let metrics = &s.counters.metrics;
    let names: Vec<String> =
        metrics.iter().filter(|m| m.shown).map(|m| format!("{} ({})", m.id, m.source)).collect();
    let mut columns = vec![("workload", Left), ("model", Left), ("N", Right)];
    columns.extend(names.iter().map(|m| (m.as_str(), Right)));
    let mut table = Table::new(&columns);
    for r in s.counters.rows.iter().filter(|r| r.shown) {
        let mut row =
            vec![format!("`{}`", r.workload), format!("`{}`", r.model), r.workers.to_string()];
        let cells = metrics.iter().zip(&r.cells).filter(|(m, _)| m.shown);
        row.extend(cells.map(|(m, c)| match c {
            None => UNKNOWN.to_owned(),
            Some(c) => {
                let text = match m.is_time {
                    true => format::time_estimate(&c.per_second),
                    false => format::count_estimate(&c.per_second),
                };
                if c.multiplexed { text + " (scaled)" } else { text }
            }
        }));
        table.rows.push(row);
    }
    table
}

/// Metrics that could not be counted.
pub(crate) fn absences(s: &Summary) -> Table {
    let mut table =
        Table::new(&[("metrics", Left), ("source", Left), ("why absent", Left), ("remedy", Left)]);
    let row = |a: &crate::summary::CounterAbsence| {
        let ids: Vec<String> = a.ids.iter().map(|id| format!("`{id}`")).collect();
        let remedy = a.remedy.clone().unwrap_or_else(|| UNKNOWN.to_owned());
        vec![ids.join(", "), a.source.clone(), a.reason.clone(), remedy]
    };
    table.rows = s.counters.absences.iter().map(row).collect();
    table
}
