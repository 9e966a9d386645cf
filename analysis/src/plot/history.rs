//! A series over its runs: every point, the median of each level, and a line where the level changes.

use crate::history::{Better, Judged};
use crate::plot::Figure;
use crate::plot::axis::{Axis, Spacing, amount, amount_ticks};
use crate::plot::canvas::{Anchor, Canvas, GREY, INK, Stroke};
use crate::plot::panel::{Area, Grid, draw_frame};
use crate::plot::text::{SIZE_PT, ending, width_pt};

/// Height of the plot area, points.
const PLOT_H: f64 = 120.0;
/// More dots than this are a grey smear: then every so many is drawn.
const DOTS_MAX: usize = 1000;
/// Share of the values, at each end, that may lie outside of the panel.
const OUTSIDE: f64 = 0.01;

/// Draws a changed series; `name` is that of its files, `facts` ends its description.
pub fn draw(name: String, judged: &Judged, facts: &str) -> Figure {
    let values = &judged.series.values;
    let (lo, hi) = range(judged);
    let outside = values.iter().filter(|v| !(lo..=hi).contains(*v)).count();
    let grid = Grid::new(&[0], 1, PLOT_H, &key(judged.series.better, outside));
    let mut canvas = Canvas::new(grid.width, grid.height);
    let area = &grid.areas[0];
    let last = (values.len().max(2) - 1) as f64;
    let x = Axis {
        lo: 0.0,
        hi: last,
        spacing: Spacing::Linear,
        from: area.x + 3.0,
        to: area.right() - 3.0,
    };
    let y = Axis { lo, hi, spacing: Spacing::Linear, from: area.bottom(), to: area.y };
    let mut x_ticks = amount_ticks(0.0, last, 5);
    x_ticks.retain(|t| t.value.fract() == 0.0);
    let y_ticks = amount_ticks(lo, hi, 4);
    let title = ending(&judged.series.name, area.w);
    draw_frame(&mut canvas, area, &title, (&x, &x_ticks, "point"), (&y, &y_ticks, "value"));
    let radius = if values.len() > 200 { 0.8 } else { 1.4 };
    for i in (0..values.len()).step_by(values.len().div_ceil(DOTS_MAX).max(1)) {
        if y.holds(values[i]) {
            canvas.disc((x.at(i as f64), y.at(values[i])), radius, GREY, 0.9);
        }
    }
    draw_levels(&mut canvas, area, (&x, &y), judged);
    grid.draw_key(&mut canvas);
    let title = format!("{} over {} points", judged.series.name, values.len());
    let said: Vec<String> = judged
        .levels
        .changes
        .iter()
        .map(|c| format!("From {} to {} at point {}.", amount(c.before), amount(c.after), c.index))
        .collect();
    let svg = canvas.finish(&title, &format!("{} {facts}", said.join(" ")));
    Figure { name, title, svg }
}

fn key(better: Option<Better>, outside: usize) -> String {
    let worse = match better {
        Some(_) => ", solid where for the worse",
        None => "",
    };
    let outside = match outside {
        0 => String::new(),
        1 => " 1 point lies outside.".to_owned(),
        n => format!(" {n} points lie outside."),
    };
    format!(
        "Dots: points in order. Strong line: median of each level. Upright: a change{worse}, and by how much.{outside}"
    )
}

fn draw_levels(canvas: &mut Canvas, area: &Area, (x, y): (&Axis, &Axis), judged: &Judged) {
    let changes = &judged.levels.changes;
    // Where the last label on each side ends: one that would touch it is left to the table.
    let mut taken = [f64::NEG_INFINITY; 2];
    let last = (judged.series.values.len().max(2) - 1) as f64;
    for (k, change) in changes.iter().enumerate() {
        let at = |index: usize| (index as f64 - 0.5).max(0.0);
        let from = if k == 0 { 0.0 } else { at(changes[k - 1].index) };
        let level = Stroke::solid(INK, 1.3);
        let y_of = |v: f64| y.at(y.clamp(v));
        canvas.line(
            &[(x.at(from), y_of(change.before)), (x.at(at(change.index)), y_of(change.before))],
            level,
        );
        if k + 1 == changes.len() {
            let (a, b) = (x.at(at(change.index)), x.at(last));
            canvas.line(&[(a, y_of(change.after)), (b, y_of(change.after))], level);
        }
        let mark = Stroke::solid(GREY, 0.8);
        let worse = judged.worse(change) == Some(true);
        let mark = if worse { mark } else { mark.dashed(&[2.0, 2.0]) };
        let place = x.at(at(change.index));
        canvas.line(&[(place, area.y), (place, area.bottom())], mark);
        if let Some(ratio) = change.ratio() {
            let below = stands_below(judged.series.better, ratio);
            label(canvas, area, place, &percent(ratio), below, &mut taken[usize::from(below)]);
        }
    }
}

/// Labels of changes for the worse stand below, others above, so that neighbours seldom meet.
fn stands_below(better: Option<Better>, ratio: f64) -> bool {
    match better {
        Some(Better::Higher) | None => ratio < 1.0,
        Some(Better::Lower) => ratio > 1.0,
    }
}

fn label(canvas: &mut Canvas, area: &Area, at: f64, text: &str, below: bool, taken: &mut f64) {
    let width = width_pt(text, SIZE_PT) + 3.0;
    let y = if below { area.bottom() - 6.0 } else { area.y + 6.0 };
    let left = if at + width < area.right() { at + 3.0 } else { at - width };
    if left > *taken {
        canvas.text(text, (left, y), Anchor::Left, INK);
        *taken = left + width;
    }
}

/// `+12.3 %`.
fn percent(ratio: f64) -> String {
    format!("{:+.1} %", 100.0 * (ratio - 1.0))
}

/// All values but the outermost hundredth of each end, and every level, with room around them.
fn range(judged: &Judged) -> (f64, f64) {
    let mut sorted = judged.series.values.clone();
    sorted.sort_by(f64::total_cmp);
    let quantile = |q: f64| amdahl_stats::quantile_sorted(&sorted, q);
    let levels = judged.levels.changes.iter().flat_map(|c| [c.before, c.after]);
    let shown: Vec<f64> =
        [quantile(OUTSIDE), quantile(1.0 - OUTSIDE)].into_iter().flatten().chain(levels).collect();
    let lo = shown.iter().copied().fold(f64::INFINITY, f64::min);
    let hi = shown.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    // Room for the labels above and below.
    let pad = 0.14 * (hi - lo).max(hi.abs() * 1e-3).max(f64::MIN_POSITIVE);
    (lo - pad, hi + pad)
}
