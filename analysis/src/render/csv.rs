//! The points behind each figure, as CSV with a header line; units in the column names.

mod baseline;
mod experiments;
mod laws;
mod price;

use amdahl_stats::{io_verdict_name, verdict_name};

use crate::plot::file_part;
use crate::summary::{
    BudgetCurves, BudgetFigure, BudgetRow, Estimate, GlanceFigure, LatencyFigure, SpeedupFigure,
    Summary, TimelineFigure, budget_parts,
};

pub(super) use baseline::baseline;
pub(super) use experiments::{memory, resident, scaling, serial, start_up, timers};
pub(super) use laws::{karp_flatt, law_figures, laws, profiles};
pub(super) use price::{micro, price};

pub(super) type Named = Vec<(String, String)>;

pub(super) fn glance(f: &GlanceFigure) -> Named {
    let mut sheet = Sheet::new(&[
        "model", "workers", "verdict", "speedup", "ci95_lo", "ci95_hi", "blocks", "ceiling",
    ]);
    for r in &f.rows {
        let (value, lo, hi) = cells(r.point.speedup.as_ref());
        let ceiling = r.point.ceiling.map_or_else(String::new, |c| real(c.value));
        let (n, blocks) = (text(r.point.workers), text(r.point.blocks.len()));
        let verdict = verdict_name(r.verdict);
        sheet.row([&r.model, &n, verdict, &value, &lo, &hi, &blocks, &ceiling]);
    }
    vec![(format!("answer-{}", file_part(&f.workload)), sheet.0)]
}

pub(super) fn speedup(f: &SpeedupFigure, kind: &str) -> Named {
    let ratio = if kind == "speedup" { "speedup" } else { "throughput_ratio" };
    let mut blocks = Sheet::new(&["model", "workers", "block", ratio, "ceiling"]);
    let mut means =
        Sheet::new(&["model", "workers", ratio, "ci95_lo", "ci95_hi", "blocks", "ceiling"]);
    for s in &f.series {
        for p in &s.points {
            for (block, value, ceiling) in &p.blocks {
                let ceiling = ceiling.map_or_else(String::new, real);
                blocks.row([&s.model, &text(p.workers), &text(block), &real(*value), &ceiling]);
            }
            let (value, lo, hi) = cells(p.speedup.as_ref());
            let n = text(p.speedup.map_or(p.blocks.len(), |e| e.n));
            let ceiling = p.ceiling.map_or_else(String::new, |c| real(c.value));
            means.row([&s.model, &text(p.workers), &value, &lo, &hi, &n, &ceiling]);
        }
    }
    let name = format!("{kind}-{}", file_part(&f.workload));
    let mut sheets = vec![(format!("{name}-mean"), means.0)];
    if f.series.iter().flat_map(|s| &s.points).any(|p| !p.blocks.is_empty()) {
        sheets.insert(0, (name, blocks.0));
    }
    sheets
}

pub(super) fn latency(f: &LatencyFigure) -> Named {
    let mut trials = Sheet::new(&["model", "workers", "block", "latency_ns", "share_above"]);
    let mut means = Sheet::new(&["model", "workers", "latency_ns", "share_above"]);
    for c in &f.curves {
        for t in &c.trials {
            for p in &t.points {
                let (ns, share) = (format!("{:.0}", p.latency_ns), share(p.share));
                trials.row([&c.model, &text(c.workers), &text(t.block), &ns, &share]);
            }
        }
        for p in &c.mean {
            let (ns, share) = (format!("{:.1}", p.latency_ns), share(p.share));
            means.row([&c.model, &text(c.workers), &ns, &share]);
        }
    }
    let name = format!("latency-{}", file_part(&f.workload));
    vec![(name.clone(), trials.0), (format!("{name}-mean"), means.0)]
}

pub(super) fn timeline(f: &TimelineFigure) -> Named {
    let mut sheet =
        Sheet::new(&["model", "workers", "block", "worker", "state", "from_ns", "to_ns"]);
    for p in &f.panels {
        for lane in &p.lanes {
            let states = [("running", &lane.running), ("waiting", &lane.waiting)];
            for (state, stretches) in states {
                for (from, to) in stretches {
                    let (n, b, w) = (text(p.workers), text(p.block), text(lane.worker));
                    sheet.row([&p.model, &n, &b, &w, state, &text(from), &text(to)]);
                }
            }
        }
    }
    vec![(format!("timeline-{}", file_part(&f.workload)), sheet.0)]
}

pub(super) fn budget(f: &BudgetFigure) -> Named {
    budget_rows(&format!("budget-{}", file_part(&f.workload)), f.rows.iter())
}

pub(super) fn budget_curves(f: &BudgetCurves) -> Named {
    let name = format!("budget-over-n-{}", file_part(&f.workload));
    budget_rows(&name, f.models.iter().flatten())
}

fn budget_rows<'a>(name: &str, rows: impl Iterator<Item = &'a BudgetRow>) -> Named {
    let mut sheet = Sheet::new(&["model", "workers", "part", "value", "blocks", "limited_by"]);
    for r in rows {
        for (part, _, value) in budget_parts(&r.parts) {
            let (n, b) = (text(r.workers), text(r.blocks));
            sheet.row([&r.model, &n, part, &real(value), &b, &r.limited_by]);
        }
    }
    vec![(name.to_owned(), sheet.0)]
}

/// Every decision with its numbers.
pub(super) fn decisions(s: &Summary) -> String {
    let mut sheet = Sheet::new(&[
        "workload",
        "model",
        "workers",
        "decisive",
        "verdict",
        "ratio",
        "ci95_lo",
        "ci95_hi",
        "ceiling_share",
        "effective_cpus",
        "blocks",
        "dropped",
        "limited_by",
    ]);
    for r in &s.judgement.parallelism {
        let (ratio, lo, hi) = cells(r.speedup.map(Estimate::from).as_ref());
        let share = r.ceiling_share.map_or_else(String::new, |e| real(e.estimate));
        let cpus = r.effective_cpus.map_or_else(String::new, |e| real(e.estimate));
        let (decisive, verdict) = (text(r.decisive), verdict_name(r.verdict));
        let (n, used, dropped) = (text(r.workers), text(r.blocks), text(r.dropped));
        sheet.row([
            &r.workload,
            &r.model,
            &n,
            &decisive,
            verdict,
            &ratio,
            &lo,
            &hi,
            &share,
            &cpus,
            &used,
            &dropped,
            &r.limited_by,
        ]);
    }
    for r in &s.judgement.io_overlap {
        let (ratio, lo, hi) = cells(r.throughput_ratio.map(Estimate::from).as_ref());
        let (n, used) = (text(r.workers), text(r.blocks));
        let verdict = io_verdict_name(r.verdict);
        sheet.row([
            &r.workload,
            &r.model,
            &n,
            "",
            verdict,
            &ratio,
            &lo,
            &hi,
            "",
            "",
            &used,
            "",
            "",
        ]);
    }
    sheet.0
}

pub(super) fn counters(s: &Summary) -> String {
    let mut sheet = Sheet::new(&[
        "workload",
        "model",
        "workers",
        "metric",
        "per_second",
        "ci95_lo",
        "ci95_hi",
        "per_operation",
        "trials",
        "multiplexed",
    ]);
    for r in &s.counters.rows {
        for (metric, cell) in s.counters.metrics.iter().zip(&r.cells) {
            let Some(c) = cell else { continue };
            let metric = format!("{} ({})", metric.id, metric.source);
            let (value, lo, hi) = cells(Some(&c.per_second));
            let per_operation = c.per_operation.map_or_else(String::new, |e| share(e.value));
            let (n, trials) = (text(r.workers), text(c.per_second.n));
            sheet.row([
                &r.workload,
                &r.model,
                &n,
                &metric,
                &value,
                &lo,
                &hi,
                &per_operation,
                &trials,
                &text(c.multiplexed),
            ]);
        }
    }
    sheet.0
}

/// CSV under construction.
pub(super) struct Sheet(pub(super) String);

impl Sheet {
    pub(super) fn new(columns: &[&str]) -> Self {
        Self(columns.join(",") + "\n")
    }

    pub(super) fn row<const N: usize>(&mut self, cells: [&str; N]) {
        let quoted: Vec<String> = cells.iter().map(|c| quote(c)).collect();
        self.0.push_str(&quoted.join(","));
        self.0.push('\n');
    }
}

fn quote(cell: &str) -> String {
    if cell.contains([',', '"', '\n']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

pub(super) fn cells(e: Option<&Estimate>) -> (String, String, String) {
    let Some(e) = e else { return Default::default() };
    let (lo, hi) = e.ci95.map_or_else(Default::default, |(lo, hi)| (real(lo), real(hi)));
    (real(e.value), lo, hi)
}

pub(super) fn text(value: impl ToString) -> String {
    value.to_string()
}

pub(super) fn real(value: f64) -> String {
    format!("{value:.6}")
}

pub(super) fn share(value: f64) -> String {
    format!("{value:.9}")
}
