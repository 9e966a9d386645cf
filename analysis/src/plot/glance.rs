//! The answer at a glance: one line a model, its speed-up at the N that decides, and the verdict.

use amdahl_stats::{Verdict, verdict_name};

use crate::model::ModelName;
use crate::plot::axis::{Axis, Spacing, linear_ticks};
use crate::plot::canvas::{Anchor, Canvas, FAINT, GREY, INK, Stroke};
use crate::plot::style::{draw_marker, look};
use crate::plot::text::{LINE_PT, SIZE_PT, width_pt};
use crate::plot::thin::apart;
use crate::plot::{Figure, PAGE_PT, file_part};
use crate::summary::{Estimate, GlanceFigure, GlanceRow};

/// Height of a model's line, points.
const ROW_H: f64 = 14.0;
/// Room above the first line for the names of the reference lines.
const TOP: f64 = 14.0;
/// Room for the axis below the last line.
const AXIS_H: f64 = 28.0;
/// Room for the verdict at the right.
const VERDICT: f64 = 54.0;

/// Draws the figure; `facts` (machine and date) end its description.
pub fn draw(figure: &GlanceFigure, facts: &str) -> Figure {
    let lines = lines(&figure.rows);
    let bottom = TOP + ROW_H * lines.len() as f64;
    let height = bottom + AXIS_H + 2.0 * LINE_PT + 4.0;
    let mut canvas = Canvas::new(PAGE_PT, height);
    let n = common_n(&figure.rows);
    let label = |r: &GlanceRow| match n {
        Some(_) => r.model.clone(),
        None => format!("{}, N = {}", r.model, r.point.workers),
    };
    let left = figure.rows.iter().map(|r| width_pt(&label(r), SIZE_PT)).fold(90.0, f64::max) + 10.0;
    let left = left.min(PAGE_PT * 0.45);
    let right = figure.rows.iter().map(|r| width_pt(&number(r), SIZE_PT)).fold(40.0, f64::max);
    let x = Axis {
        lo: 0.0,
        hi: largest(&figure.rows) * 1.06,
        spacing: Spacing::Linear,
        from: left,
        to: PAGE_PT - VERDICT - right,
    };
    draw_axis(&mut canvas, &x, n, bottom);
    for (k, line) in lines.iter().enumerate() {
        let y = TOP + (k as f64 + 0.5) * ROW_H;
        match line {
            Line::Title(title) => canvas.bold(title, (6.0, y), Anchor::Left),
            Line::Model(row) => {
                canvas.text(&label(row), (left - 6.0, y), Anchor::Right, INK);
                draw_row(&mut canvas, row, &x, y);
            }
        }
    }
    draw_key(&mut canvas, height);
    let title =
        format!("Speed-up of every model at the N that decides, workload {}", figure.workload);
    let said = figure.rows.iter().filter_map(|r| {
        let v = r.point.centre()?;
        Some(format!(
            "{}: {v:.2} at N = {}, {}.",
            r.model,
            r.point.workers,
            verdict_name(r.verdict)
        ))
    });
    let description = format!("{} {facts}", said.collect::<Vec<_>>().join(" "));
    let svg = canvas.finish(&title, &description);
    Figure { name: format!("answer-{}", file_part(&figure.workload)), title, svg }
}

enum Line<'a> {
    Title(&'static str),
    Model(&'a GlanceRow),
}

/// Models under the title of their kind of sharing, where there is more than one kind.
fn lines(rows: &[GlanceRow]) -> Vec<Line<'_>> {
    let kind = |r: &GlanceRow| ModelName::parse(&r.model).sharing();
    let groups: Vec<&[GlanceRow]> = rows.chunk_by(|a, b| kind(a) == kind(b)).collect();
    let mut lines = Vec::new();
    for group in &groups {
        if groups.len() > 1 {
            lines.push(Line::Title(kind(&group[0]).title()));
        }
        lines.extend(group.iter().map(Line::Model));
    }
    lines
}

fn common_n(rows: &[GlanceRow]) -> Option<u32> {
    let first = rows.first()?.point.workers;
    rows.iter().all(|r| r.point.workers == first).then_some(first)
}

/// The largest of N and everything drawn, but not beyond twice N.
fn largest(rows: &[GlanceRow]) -> f64 {
    let of = |r: &GlanceRow| {
        let p = &r.point;
        let n = f64::from(p.workers);
        let drawn =
            [p.ceiling.map(|c| c.value), p.centre(), p.speedup.and_then(|s| s.ci95).map(|c| c.1)];
        drawn.into_iter().flatten().fold(n, f64::max).min(2.0 * n)
    };
    rows.iter().map(of).fold(1.0, f64::max)
}

fn draw_axis(canvas: &mut Canvas, x: &Axis, n: Option<u32>, bottom: f64) {
    for tick in linear_ticks(x.hi, 5) {
        let at = x.at(tick.value);
        canvas.line(&[(at, TOP), (at, bottom)], Stroke::solid(FAINT, 0.5));
        canvas.text(&tick.label, (at, bottom + 8.0), Anchor::Middle, INK);
    }
    let mut reference = |value: f64, label: &str| {
        let at = x.at(value);
        canvas.line(&[(at, TOP), (at, bottom)], Stroke::solid(GREY, 0.8).dashed(&[3.0, 2.5]));
        canvas.text(label, (at, TOP - 7.0), Anchor::Middle, GREY);
    };
    if let Some(n) = n {
        reference(f64::from(n), &format!("N = {n}"));
    }
    if n.is_none_or(|n| x.at(f64::from(n)) - x.at(1.0) > 80.0) {
        reference(1.0, "one at a time");
    }
    canvas.line(&[(x.from, bottom), (x.to, bottom)], Stroke::solid(INK, 0.6));
    let middle = f64::midpoint(x.from, x.to);
    canvas.text("speed-up over one worker", (middle, bottom + 19.0), Anchor::Middle, INK);
}

fn draw_row(canvas: &mut Canvas, row: &GlanceRow, x: &Axis, y: f64) {
    let (p, style) = (&row.point, look(&row.model));
    canvas.line(&[(x.from, y), (x.to, y)], Stroke::solid(FAINT, 0.4));
    if let Some(c) = p.ceiling.filter(|c| x.holds(c.value)) {
        let at = x.at(c.value);
        canvas.line(&[(at, y - 5.0), (at, y + 5.0)], Stroke::solid(GREY, 1.6));
    }
    for at in apart(p.blocks.iter().filter(|b| x.holds(b.1)).map(|b| x.at(b.1))) {
        canvas.disc((at, y + 4.2), 0.9, style.color, 0.7);
    }
    if let Some((lo, hi)) = p.speedup.and_then(|s| s.ci95) {
        let (a, b) = (x.at(x.clamp(lo)), x.at(x.clamp(hi)));
        let stroke = Stroke::solid(INK, 0.7);
        canvas.line(&[(a, y), (b, y)], stroke);
        canvas.line(&[(a, y - 2.0), (a, y + 2.0)], stroke);
        canvas.line(&[(b, y - 2.0), (b, y + 2.0)], stroke);
    }
    if let Some(v) = p.centre().filter(|v| x.holds(*v)) {
        draw_marker(canvas, &style, (x.at(v), y), 4.2);
    }
    canvas.text(&number(row), (x.to + 8.0, y), Anchor::Left, INK);
    let verdict = verdict_name(row.verdict);
    match row.verdict {
        Verdict::Unknown => canvas.text(verdict, (PAGE_PT - 6.0, y), Anchor::Right, GREY),
        _ => canvas.bold(verdict, (PAGE_PT - 6.0, y), Anchor::Right),
    }
}

/// The speed-up as it stands at the end of its line.
fn number(row: &GlanceRow) -> String {
    match (row.point.speedup, row.point.centre()) {
        (Some(Estimate { value, ci95: Some((lo, hi)), .. }), _) => {
            format!("{value:.2} [{lo:.2}, {hi:.2}]")
        }
        (_, Some(v)) => format!("{v:.2}, one block"),
        (_, None) => String::new(),
    }
}

fn draw_key(canvas: &mut Canvas, height: f64) {
    let lines = [
        "Marker and bar: mean over blocks and 95 % interval, in numbers at the right. Small dots: blocks.",
        "Grey bar: ceiling (N pinned one-worker processes of the same program).",
    ];
    for (k, line) in lines.iter().enumerate() {
        let y = height - 4.0 - (1.5 - k as f64) * LINE_PT;
        canvas.text(line, (6.0, y), Anchor::Left, GREY);
    }
}
