//! Throughput against workers with fitted laws: points, curves, the band of the law that predicts, and beyond the
//! points a shaded ground.

use amdahl_stats::laws::Law;

use crate::laws::{LawCurve, LawFigure};
use crate::plot::Figure;
use crate::plot::axis::{Axis, Spacing, amount_ticks, worker_powers};
use crate::plot::canvas::{Anchor, Canvas, FAINT, GREY, INK, PAPER, Stroke};
use crate::plot::clip::clip;
use crate::plot::multiples::draw_break;
use crate::plot::panel::{Area, Grid, draw_frame};
use crate::plot::style::law_stroke;
use crate::plot::text::{LINE_PT, SIZE_PT, ending, width_pt};

/// Height of the plot area, points.
const PLOT_H: f64 = 150.0;
/// A curve or band further above the points than this is cut off.
const HEADROOM: f64 = 1.35;

/// Draws the figure; `facts` ends its description, `legend` says a line about each curve.
pub fn draw(figure: &LawFigure, legend: &[(Law, String)], facts: &str) -> Figure {
    let key = key(figure);
    let lines = legend.len() + usize::from(figure.peak.is_some());
    let grid = Grid::new(&[lines], 1, PLOT_H, &key);
    let mut canvas = Canvas::new(grid.width, grid.height);
    let area = &grid.areas[0];
    let (x, y) = axes(figure, area);
    if !figure.curves.is_empty() {
        shade(&mut canvas, area, &x, figure.fitted_to);
    }
    let x_ticks = x.thin(worker_powers(&x), |l| width_pt(l, SIZE_PT) + 4.0);
    let y_ticks = amount_ticks(0.0, y.hi, 5);
    draw_frame(
        &mut canvas,
        area,
        &ending(&figure.name, area.w),
        (&x, &x_ticks, "workers N"),
        (&y, &y_ticks, "throughput"),
    );
    for curve in figure.curves.iter().filter(|c| c.predicts) {
        draw_band(&mut canvas, area, (&x, &y), curve);
    }
    for curve in &figure.curves {
        let path: Vec<(f64, f64)> =
            curve.points.iter().map(|(n, v, _)| (x.at(*n), y.at(*v))).collect();
        for piece in clip(&path, area) {
            canvas.line(&piece, law_stroke(curve.law.name(), curve.predicts));
        }
    }
    draw_peak(&mut canvas, area, (&x, &y), figure.peak);
    if let Some(b) = figure.ended {
        let marks: Vec<(f64, f64)> = figure.means.iter().map(|m| (x.at(m.0), y.at(m.1))).collect();
        draw_break(&mut canvas, area, &x, &b, &marks);
    }
    draw_points(&mut canvas, (&x, &y), figure);
    draw_lines(&mut canvas, area, figure, legend);
    grid.draw_key(&mut canvas);
    let title = format!("Throughput against the number of workers, {}", figure.name);
    let said: Vec<&str> = legend.iter().map(|(_, l)| l.as_str()).collect();
    let svg = canvas.finish(&title, &format!("{} {facts}", said.join(". ")));
    Figure { name: "fit".to_owned(), title, svg }
}

/// Says only what is there.
fn key(figure: &LawFigure) -> String {
    let mut key = "Discs: means over trials".to_owned();
    if draws_trials(figure) {
        key.push_str(", small dots: trials");
    }
    if figure.means.iter().any(|m| !m.2) {
        key.push_str(", hollow: not fitted");
    }
    key.push('.');
    if figure.curves.iter().any(|c| c.predicts) {
        key.push_str(" Strong line: the law that predicts; band: 95 % for a new mean under it, sampling error alone.");
    }
    if !figure.curves.is_empty() {
        key.push_str(" Grey ground: extrapolated.");
    }
    key
}

fn draws_trials(figure: &LawFigure) -> bool {
    figure.trials.len() > figure.means.len() && figure.trials.len() <= TRIALS_MAX
}

/// Workers on log2 with room beside the outermost marker, throughput from 0.
fn axes(figure: &LawFigure, area: &Area) -> (Axis, Axis) {
    let counts = figure.means.iter().map(|m| m.0);
    let lo = counts.clone().fold(f64::INFINITY, f64::min);
    let ends = figure.curves.iter().filter_map(|c| c.points.last()).map(|p| p.0);
    let hi = counts.chain(ends).fold(lo, f64::max).max(lo * 2.0);
    let x = Axis { lo, hi, spacing: Spacing::Log, from: area.x + 6.0, to: area.right() - 6.0 };
    let measured = figure.trials.iter().chain(&figure.means).map(|t| t.1).fold(0.0, f64::max);
    let shown = figure.curves.iter().filter(|c| c.predicts).flat_map(|c| &c.points);
    let wanted = shown.map(|(_, v, ends)| ends.and_then(|e| e.hi).unwrap_or(*v).max(*v));
    let top = wanted.fold(measured, f64::max).min(measured * HEADROOM);
    let y =
        Axis { lo: 0.0, hi: top * 1.06, spacing: Spacing::Linear, from: area.bottom(), to: area.y };
    (x, y)
}

fn shade(canvas: &mut Canvas, area: &Area, x: &Axis, fitted_to: f64) {
    if fitted_to >= x.hi {
        return;
    }
    let from = x.at(fitted_to);
    canvas.rect((from, area.y), (area.right(), area.bottom()), FAINT, 0.55);
    let label = "extrapolated";
    if width_pt(label, SIZE_PT) < area.right() - from {
        let at = (f64::midpoint(from, area.right()), area.bottom() - 6.0);
        canvas.text(label, at, Anchor::Middle, GREY);
    }
}

fn draw_band(canvas: &mut Canvas, area: &Area, (x, y): (&Axis, &Axis), curve: &LawCurve) {
    // An open end reaches to the edge of the panel.
    let side = |upper: bool| {
        curve.points.iter().filter_map(move |(n, _, ends)| {
            let e = (*ends)?;
            let end = if upper { e.hi.unwrap_or(f64::INFINITY) } else { e.lo.unwrap_or(0.0) };
            Some((x.at(*n), y.at(end.min(y.hi)).clamp(area.y, area.bottom())))
        })
    };
    let mut outline: Vec<(f64, f64)> = side(true).collect();
    let mut lower: Vec<(f64, f64)> = side(false).collect();
    lower.reverse();
    outline.append(&mut lower);
    if outline.len() > 3 {
        canvas.polygon(&outline, law_stroke(curve.law.name(), true).color, 0.18);
    }
}

fn draw_peak(canvas: &mut Canvas, area: &Area, (x, y): (&Axis, &Axis), peak: Option<(f64, f64)>) {
    let Some((n, v)) = peak.filter(|p| x.holds(p.0) && y.holds(p.1)) else { return };
    let stroke = Stroke::solid(GREY, 0.7).dashed(&[2.0, 2.0]);
    canvas.line(&[(x.at(n), y.at(v)), (x.at(n), area.bottom())], stroke);
}

fn draw_points(canvas: &mut Canvas, (x, y): (&Axis, &Axis), figure: &LawFigure) {
    if draws_trials(figure) {
        for (n, v, _) in figure.trials.iter().filter(|t| y.holds(t.1)) {
            canvas.disc((x.at(*n) + 2.6, y.at(*v)), 0.8, GREY, 0.8);
        }
    }
    let radius = if figure.means.len() > 60 { 1.0 } else { 1.9 };
    for (n, v, fitted) in &figure.means {
        canvas.disc((x.at(*n), y.at(*v)), radius, INK, 1.0);
        if !fitted {
            canvas.disc((x.at(*n), y.at(*v)), radius * 0.55, PAPER, 1.0);
        }
    }
}

/// More dots than this are a grey smear and a large file.
const TRIALS_MAX: usize = 1000;

/// The legend: a piece of each curve, what it is, and where the peak lies.
fn draw_lines(canvas: &mut Canvas, area: &Area, figure: &LawFigure, legend: &[(Law, String)]) {
    let (left, top) = (area.x - 32.0, area.bottom() + 27.0);
    let mut line = 0.0;
    let mut next = || {
        line += 1.0;
        top + (line - 0.5) * LINE_PT
    };
    for (law, text) in legend {
        let at = next();
        let predicts = figure.curves.iter().any(|c| c.law == *law && c.predicts);
        canvas.line(&[(left, at), (left + 20.0, at)], law_stroke(law.name(), predicts));
        canvas.text(text, (left + 24.0, at), Anchor::Left, INK);
    }
    if let Some((n, _)) = figure.peak {
        let at = next();
        let stroke = Stroke::solid(GREY, 0.7).dashed(&[2.0, 2.0]);
        canvas.line(&[(left, at), (left + 20.0, at)], stroke);
        let text = format!("peak of USL at N = {}", amdahl_stats::laws::digits(n));
        canvas.text(&text, (left + 24.0, at), Anchor::Left, INK);
    }
}
