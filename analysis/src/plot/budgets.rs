//! The loss budget against N: a small panel a model, a stacked bar for each worker count, as shares of N.

use crate::plot::axis::{Axis, Spacing, Tick};
use crate::plot::canvas::{Canvas, GREY, INK, Stroke};
use crate::plot::multiples::{Multiples, split};
use crate::plot::panel::Area;
use crate::plot::{Figure, file_part, parts};
use crate::summary::{BudgetCurves, BudgetRow, budget_parts};

/// Share of its place that a bar fills.
const FILLED: f64 = 0.78;

/// The figures of one workload: more than one where there are many models.
pub fn draw(figure: &BudgetCurves, facts: &str) -> Vec<Figure> {
    let name = format!("budget-over-n-{}", file_part(&figure.workload));
    let title = format!("Loss budget against the number of workers, workload {}", figure.workload);
    split(&name, &title, &figure.models, |models, title| one(figure, models, title, facts))
}

fn one(figure: &BudgetCurves, models: &[Vec<BudgetRow>], title: &str, facts: &str) -> String {
    let key = "Bars: means over blocks, as shares of N; their parts add up to 1, the line. Right of an upright line: more \
               workers than CPUs. Below 0: by how much the parts above exceed N.";
    let grid = Multiples::new(models.len(), key);
    let height = grid.height + parts::legend_height(grid.width) + 2.0;
    let mut canvas = Canvas::new(grid.width, height);
    let mut counts: Vec<u32> = models.iter().flatten().map(|b| b.workers).collect();
    counts.sort_unstable();
    counts.dedup();
    let range = range(models);
    for (k, bars) in models.iter().enumerate() {
        panel(&mut canvas, &grid, k, bars, (&counts, figure.cpus_available), range);
    }
    grid.draw_rest(&mut canvas, |_| "workers N", "share of N");
    parts::draw_legend(&mut canvas, grid.width, grid.height);
    let said: Vec<String> = models.iter().map(|bars| describe(bars)).collect();
    canvas.finish(title, &format!("{} {facts}", said.join(" ")))
}

fn panel(
    canvas: &mut Canvas,
    grid: &Multiples,
    k: usize,
    bars: &[BudgetRow],
    (counts, cpus): (&[u32], u32),
    (lo, hi): (f64, f64),
) {
    let area = grid.areas[k];
    let last = counts.len() as f64 - 0.5;
    let x = Axis { lo: -0.5, hi: last, spacing: Spacing::Linear, from: area.x, to: area.right() };
    let y = Axis { lo, hi, spacing: Spacing::Linear, from: area.bottom(), to: area.y };
    let ticks = counts.iter().enumerate();
    let ticks: Vec<Tick> =
        ticks.map(|(k, n)| Tick { value: k as f64, label: n.to_string() }).collect();
    let shares = [0.0, 0.5, 1.0];
    let shares = shares
        .map(|v| Tick { value: v, label: if v == 0.5 { "0.5".to_owned() } else { v.to_string() } });
    let facts = bars.last().map_or_else(String::new, |b| {
        format!("N = {}: {}", b.workers, b.limited_by.replace('_', " "))
    });
    let title = bars.first().map_or("", |b| b.model.as_str());
    grid.draw_frame(canvas, k, (title, &facts), (&x, &ticks), (&y, &shares));
    for bar in bars {
        let Some(place) = counts.iter().position(|n| *n == bar.workers) else { continue };
        stack(
            canvas,
            &y,
            bar,
            (x.at(place as f64 - FILLED / 2.0), x.at(place as f64 + FILLED / 2.0)),
        );
    }
    lines(canvas, &area, &y, counts.iter().position(|n| *n > cpus).map(|k| x.at(k as f64 - 0.5)));
}

/// N itself, and where the CPUs end.
fn lines(canvas: &mut Canvas, area: &Area, y: &Axis, cpus_end: Option<f64>) {
    let one = y.at(1.0);
    canvas.line(&[(area.x, one), (area.right(), one)], Stroke::solid(INK, 0.7));
    if y.lo < 0.0 {
        let zero = y.at(0.0);
        canvas.line(&[(area.x, zero), (area.right(), zero)], Stroke::solid(INK, 0.5));
    }
    if let Some(at) = cpus_end.filter(|at| *at > area.x) {
        canvas.line(&[(at, area.y), (at, area.bottom())], Stroke::solid(GREY, 0.9));
    }
}

fn stack(canvas: &mut Canvas, y: &Axis, bar: &BudgetRow, (left, right): (f64, f64)) {
    let n = f64::from(bar.workers);
    let (mut above, mut below) = (0.0, 0.0);
    for (key, _, value) in budget_parts(&bar.parts) {
        let share = value / n;
        let (top, bottom) = if share >= 0.0 {
            above += share;
            (above, above - share)
        } else {
            below += share;
            (below - share, below)
        };
        parts::segment(canvas, key, (left, y.at(top)), (right, y.at(bottom)), None);
    }
}

/// From the most negative sum of shares to the largest sum of positive ones.
fn range(models: &[Vec<BudgetRow>]) -> (f64, f64) {
    let sum = |b: &BudgetRow, positive: bool| {
        let parts = budget_parts(&b.parts).map(|p| p.2 / f64::from(b.workers));
        parts.into_iter().filter(|v| (*v > 0.0) == positive).sum::<f64>()
    };
    let all = || models.iter().flatten();
    let lo = all().map(|b| sum(b, false)).fold(0.0, f64::min);
    let hi = all().map(|b| sum(b, true)).fold(1.0, f64::max);
    (lo * 1.05, hi * 1.04)
}

fn describe(bars: &[BudgetRow]) -> String {
    let of = |b: &BudgetRow| format!("N = {} {}", b.workers, b.limited_by.replace('_', " "));
    let model = bars.first().map_or("", |b| b.model.as_str());
    format!("{model}, limited by: {}.", bars.iter().map(of).collect::<Vec<_>>().join(", "))
}
