//! Judged rows as figures: speed-up at a glance and against N, overlap of I/O, the loss budget.

use std::collections::BTreeMap;

use amdahl_schema::Host;
use amdahl_stats::{BlockPoint, Judgement, ParallelismRow};

use crate::summarise::in_every_figure;
use crate::summary::{
    BudgetFigure, BudgetRow, Estimate, GlanceFigure, GlanceRow, SpeedupFigure, SpeedupPoint,
    SpeedupSeries,
};

pub(super) fn glances(judgement: &Judgement) -> Vec<GlanceFigure> {
    let mut figures: BTreeMap<&str, GlanceFigure> = BTreeMap::new();
    for row in judgement.parallelism.iter().filter(|r| r.decisive && in_every_figure(&r.workload)) {
        let figure = figures.entry(&row.workload).or_insert_with(|| GlanceFigure {
            workload: row.workload.clone(),
            rows: Vec::new(),
            left_out: 0,
        });
        if row.points.is_empty() {
            figure.left_out += 1;
        } else {
            let (model, verdict) = (row.model.clone(), row.verdict);
            figure.rows.push(GlanceRow { model, verdict, point: speedup_point(row) });
        }
    }
    figures.into_values().filter(|f| !f.rows.is_empty()).collect()
}

pub(super) fn speedups(judgement: &Judgement, host: &Host) -> Vec<SpeedupFigure> {
    let mut figures: BTreeMap<&str, Vec<SpeedupSeries>> = BTreeMap::new();
    let shown =
        |r: &&ParallelismRow| r.workers > 1 && !r.points.is_empty() && in_every_figure(&r.workload);
    for row in judgement.parallelism.iter().filter(shown) {
        push_point(figures.entry(&row.workload).or_default(), &row.model, speedup_point(row));
    }
    into_figures(figures, host)
}

fn speedup_point(row: &ParallelismRow) -> SpeedupPoint {
    SpeedupPoint {
        workers: row.workers,
        speedup: row.speedup.map(Estimate::from),
        ceiling: row.ceiling.map(Estimate::from),
        blocks: block_points(&row.points),
    }
}

pub(super) fn overlaps(judgement: &Judgement, host: &Host) -> Vec<SpeedupFigure> {
    let mut figures: BTreeMap<&str, Vec<SpeedupSeries>> = BTreeMap::new();
    for row in judgement.io_overlap.iter().filter(|r| r.throughput_ratio.is_some()) {
        let point = SpeedupPoint {
            workers: row.workers,
            speedup: row.throughput_ratio.map(Estimate::from),
            ceiling: None,
            blocks: block_points(&row.points),
        };
        push_point(figures.entry(&row.workload).or_default(), &row.model, point);
    }
    into_figures(figures, host)
}

fn push_point(series: &mut Vec<SpeedupSeries>, model: &str, point: SpeedupPoint) {
    match series.iter_mut().find(|s| s.model == model) {
        Some(s) => s.points.push(point),
        None => series.push(SpeedupSeries { model: model.to_owned(), points: vec![point] }),
    }
}

fn into_figures(figures: BTreeMap<&str, Vec<SpeedupSeries>>, host: &Host) -> Vec<SpeedupFigure> {
    figures
        .into_iter()
        .map(|(workload, series)| SpeedupFigure {
            workload: workload.to_owned(),
            cpus_available: host.cpus_available,
            series,
        })
        .collect()
}

fn block_points(points: &[BlockPoint]) -> Vec<(u32, f64, Option<f64>)> {
    points.iter().map(|p| (p.block, p.speedup, p.ceiling)).collect()
}

pub(super) fn budgets(judgement: &Judgement) -> Vec<BudgetFigure> {
    let mut figures: BTreeMap<&str, Vec<BudgetRow>> = BTreeMap::new();
    for row in judgement.parallelism.iter().filter(|r| r.decisive && in_every_figure(&r.workload)) {
        if let Some(bar) = budget_row(row) {
            figures.entry(&row.workload).or_default().push(bar);
        }
    }
    let figure = |(workload, rows): (&str, _)| BudgetFigure { workload: workload.to_owned(), rows };
    figures.into_iter().map(figure).collect()
}

/// Where the ideal N of a row went, where that is known.
pub(super) fn budget_row(row: &ParallelismRow) -> Option<BudgetRow> {
    let parts = row.budget?;
    Some(BudgetRow {
        model: row.model.clone(),
        workers: row.workers,
        parts,
        blocks: row.blocks,
        limited_by: row.limited_by.clone(),
        loss: row.limit.and_then(|l| l.loss).map(Estimate::from),
    })
}
