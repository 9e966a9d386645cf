//! The loss budget: a stacked bar a model; the parts add up to N.

use crate::plot::axis::{Axis, Spacing, linear_ticks};
use crate::plot::canvas::{Anchor, Canvas, FAINT, GREY, INK, Stroke};
use crate::plot::text::{LINE_PT, SIZE_PT, width_pt};
use crate::plot::{Figure, PAGE_PT, file_part, parts};
use crate::summary::{BudgetFigure, BudgetRow, budget_parts};

/// Height of one bar with the room around it, points.
const ROW_H: f64 = 15.0;
/// Room above the first bar.
const TOP: f64 = 8.0;
/// Room for the axis below the last bar.
const AXIS_H: f64 = 28.0;

/// Draws the figure; `facts` (machine and date) end its description.
pub fn draw(figure: &BudgetFigure, facts: &str) -> Figure {
    let names: Vec<String> =
        figure.rows.iter().map(|r| format!("{}, N = {}", r.model, r.workers)).collect();
    let left = names.iter().map(|n| width_pt(n, SIZE_PT)).fold(60.0, f64::max).min(210.0) + 8.0;
    let bars_h = ROW_H * figure.rows.len() as f64;
    let height = TOP + bars_h + AXIS_H + parts::legend_height(PAGE_PT) + LINE_PT + 4.0;
    let mut canvas = Canvas::new(PAGE_PT, height);
    let (lo, hi) = range(&figure.rows);
    let x = Axis { lo, hi, spacing: Spacing::Linear, from: left, to: PAGE_PT - 14.0 };
    draw_axis(&mut canvas, &x, TOP, TOP + bars_h);
    for (k, (row, name)) in figure.rows.iter().zip(&names).enumerate() {
        let y = TOP + (k as f64 + 0.5) * ROW_H;
        canvas.text(name, (left - 4.0, y), Anchor::Right, INK);
        draw_bar(&mut canvas, row, &x, y);
    }
    draw_foot(&mut canvas, TOP + bars_h + AXIS_H);
    let title = format!("Loss budget, workload {}", figure.workload);
    let description = format!(
        "For each model one bar whose parts add up to its number of workers: what was achieved, and \
         where the rest went. {} {facts}",
        describe(&figure.rows)
    );
    Figure {
        name: format!("budget-{}", file_part(&figure.workload)),
        svg: canvas.finish(&title, &description),
        title,
    }
}

/// From the most negative sum of parts to the largest sum of positive ones.
fn range(rows: &[BudgetRow]) -> (f64, f64) {
    let sum = |row: &BudgetRow, positive: bool| {
        let parts = budget_parts(&row.parts).map(|p| p.2);
        parts.iter().filter(|v| (**v > 0.0) == positive).sum::<f64>()
    };
    let lo = rows.iter().map(|r| sum(r, false)).fold(0.0, f64::min);
    let hi = rows.iter().map(|r| sum(r, true).max(f64::from(r.workers))).fold(1.0, f64::max);
    (lo * 1.02, hi * 1.02)
}

fn draw_axis(canvas: &mut Canvas, x: &Axis, top: f64, bottom: f64) {
    for tick in linear_ticks(x.hi, 6) {
        let at = x.at(tick.value);
        canvas.line(&[(at, top), (at, bottom)], Stroke::solid(FAINT, 0.5));
        canvas.text(&tick.label, (at, bottom + 8.0), Anchor::Middle, INK);
    }
    let zero = x.at(0.0);
    canvas.line(&[(zero, top), (zero, bottom)], Stroke::solid(INK, 0.6));
    let middle = (x.from + x.to) / 2.0;
    let title = "workers' worth of throughput; the parts of a bar add up to N";
    canvas.text(title, (middle, bottom + 19.0), Anchor::Middle, INK);
}

fn draw_bar(canvas: &mut Canvas, row: &BudgetRow, x: &Axis, y: f64) {
    let (mut right, mut left) = (0.0, 0.0);
    let half = ROW_H * 0.36;
    for (key, _, value) in budget_parts(&row.parts) {
        let (from, to) = if value >= 0.0 {
            right += value;
            (right - value, right)
        } else {
            left += value;
            (left, left - value)
        };
        let (a, b) = (x.at(from), x.at(to));
        parts::segment(canvas, key, (a, y - half), (b, y + half), Some(&format!("{value:.2}")));
    }
    let n = x.at(f64::from(row.workers));
    canvas.line(&[(n, y - half - 1.5), (n, y + half + 1.5)], Stroke::solid(INK, 1.0));
}

fn draw_foot(canvas: &mut Canvas, top: f64) {
    parts::draw_legend(canvas, PAGE_PT, top);
    let y = top + parts::legend_height(PAGE_PT) + 0.5 * LINE_PT;
    let text = "Means over blocks. Tick at the end: N. Left of 0: by how much the parts right of it exceed N.";
    canvas.text(text, (6.0, y), Anchor::Left, GREY);
}

fn describe(rows: &[BudgetRow]) -> String {
    let of = |r: &BudgetRow| format!("{}: limited by {}.", r.model, r.limited_by.replace('_', " "));
    rows.iter().map(of).collect::<Vec<_>>().join(" ")
}
