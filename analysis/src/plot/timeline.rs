//! Who ran when: one panel a model, one line a worker.

use crate::plot::axis::{Axis, Spacing, Tick, linear_ticks};
use crate::plot::canvas::{Anchor, Canvas, FAINT, GREY, INK, Stroke};
use crate::plot::style::look;
use crate::plot::text::{LINE_PT, SIZE_PT, width_pt};
use crate::plot::{Figure, PAGE_H_PT, PAGE_PT, file_part};
use crate::summary::{TimelineFigure, TimelinePanel};

/// Height of a worker's line, points, where there are few; with many they share [`LANES_H_MAX`].
const LANE_H: f64 = 9.0;
/// Most height of one panel's lines, where there are so few panels that a page holds them.
const LANES_H_MAX: f64 = 96.0;
/// Least height of one panel's lines.
const LANES_H_MIN: f64 = 16.0;
/// Room above a panel for its title.
const TITLE_H: f64 = 15.0;
/// Room between rows of panels.
const GAP: f64 = 6.0;
/// Room left for worker numbers.
const LEFT: f64 = 22.0;
/// Room between columns and at the right.
const RIGHT: f64 = 12.0;

/// Bold text is wider by about this.
const BOLD: f64 = 1.1;

/// Draws the figure; `facts` (machine and date) end its description.
pub fn draw(figure: &TimelineFigure, facts: &str) -> Figure {
    let columns = if figure.panels.len() > 1 { 2 } else { 1 };
    let rows: Vec<&[TimelinePanel]> = figure.panels.chunks(columns).collect();
    let row_h: Vec<f64> = rows
        .iter()
        .map(|row| TITLE_H + row.iter().map(|p| lanes_h(figure, p)).fold(0.0, f64::max) + GAP)
        .collect();
    let height = row_h.iter().sum::<f64>() + 27.0 + key(figure).len() as f64 * LINE_PT + 4.0;
    let mut canvas = Canvas::new(PAGE_PT, height);
    let cell = PAGE_PT / columns as f64;
    let common = figure.panels.windows(2).all(|p| p[0].workers == p[1].workers);
    let mut top = 2.0;
    let mut foot = vec![0.0; columns];
    for (row, h) in rows.iter().zip(&row_h) {
        for (k, panel) in row.iter().enumerate() {
            let x = time_axis(figure, cell * k as f64, cell);
            let h = lanes_h(figure, panel);
            draw_panel(&mut canvas, panel, common, &x, (top + TITLE_H, h));
            foot[k] = top + TITLE_H + h;
        }
        top += h;
    }
    for (k, y) in foot.iter().enumerate() {
        draw_time(&mut canvas, &time_axis(figure, cell * k as f64, cell), *y);
    }
    draw_key(&mut canvas, key(figure), height);
    let title = format!("Who ran when, workload {}", figure.workload);
    let description = format!(
        "Each line is a worker from the begin of the first window; a bar where its operations \
         followed one another at their usual pace, a hairline where one operation took more than \
         three times as long. {facts}"
    );
    Figure {
        name: format!("timeline-{}", file_part(&figure.workload)),
        svg: canvas.finish(&title, &description),
        title,
    }
}

fn lanes_h(figure: &TimelineFigure, panel: &TimelinePanel) -> f64 {
    let each = PAGE_H_PT / figure.panels.len().div_ceil(2).max(1) as f64;
    let most = (each - TITLE_H - GAP).clamp(LANES_H_MIN, LANES_H_MAX);
    (panel.lanes.len() as f64 * LANE_H).min(most)
}

fn time_axis(figure: &TimelineFigure, left: f64, cell: f64) -> Axis {
    Axis {
        lo: 0.0,
        hi: figure.span_ns.max(1) as f64 / 1e6,
        spacing: Spacing::Linear,
        from: left + LEFT,
        to: left + cell - RIGHT,
    }
}

fn draw_panel(
    canvas: &mut Canvas,
    panel: &TimelinePanel,
    common: bool,
    x: &Axis,
    (top, h): (f64, f64),
) {
    let style = look(&panel.model);
    let each = h / panel.lanes.len().max(1) as f64;
    let title = match common {
        true => panel.model.clone(),
        false => format!("{}, N = {}", panel.model, panel.workers),
    };
    canvas.bold(&title, (x.from, top - 7.0), Anchor::Left);
    if let Some(share) = panel.disturbed {
        let percent = format!("{:.0} %", share * 100.0);
        let long = format!("others {percent}");
        let room = x.to - x.from - width_pt(&title, SIZE_PT) * BOLD - 6.0;
        let text = if width_pt(&long, SIZE_PT) < room { &long } else { &percent };
        canvas.text(text, (x.to, top - 7.0), Anchor::Right, GREY);
    }
    canvas.rect((x.from, top), (x.to, top + h), FAINT, 0.35);
    for (k, lane) in panel.lanes.iter().enumerate() {
        let y = top + (k as f64 + 0.5) * each;
        let at = |ns: u64| x.at(ns as f64 / 1e6);
        for (from, to) in &lane.waiting {
            canvas.line(&[(at(*from), y), (at(*to), y)], Stroke::solid(GREY, 0.4));
        }
        let half = each * if each < 3.0 { 0.5 } else { 0.36 };
        for (from, to) in &lane.running {
            let right = at(*to).max(at(*from) + 0.2);
            canvas.rect((at(*from), y - half), (right, y + half), style.color, 0.9);
        }
        if each >= LANE_H - 0.01 || k == 0 || k + 1 == panel.lanes.len() {
            canvas.text(&lane.worker.to_string(), (x.from - 3.0, y), Anchor::Right, INK);
        }
    }
}

fn draw_time(canvas: &mut Canvas, x: &Axis, y: f64) {
    if y == 0.0 {
        return;
    }
    let edge = Stroke::solid(INK, 0.6);
    canvas.line(&[(x.from, y + 1.0), (x.to, y + 1.0)], edge);
    for Tick { value, label } in linear_ticks(x.hi, 5) {
        let at = x.at(value);
        canvas.line(&[(at, y + 1.0), (at, y + 3.5)], edge);
        canvas.text(&label, (at, y + 9.0), Anchor::Middle, INK);
    }
    let middle = (x.from + x.to) / 2.0;
    canvas.text("ms since the begin of the first window", (middle, y + 19.0), Anchor::Middle, INK);
}

/// What the marks are; the last line only where a panel says it.
const KEY: [&str; 3] = [
    "Bar: operations of that worker followed one another at their usual pace. Hairline: one operation took more",
    "than three times the usual, so the worker waited in it. Bars at the same time: in parallel; in turn: one at a time.",
    "Others: other programs held its CPUs for that share of the trial, so gaps are theirs too.",
];

fn key(figure: &TimelineFigure) -> &'static [&'static str] {
    let disturbed = figure.panels.iter().any(|p| p.disturbed.is_some());
    if disturbed { &KEY } else { &KEY[..2] }
}

fn draw_key(canvas: &mut Canvas, lines: &[&str], height: f64) {
    for (k, line) in lines.iter().enumerate() {
        let y = height - 4.0 - (lines.len() as f64 - 0.5 - k as f64) * LINE_PT;
        canvas.text(line, (6.0, y), Anchor::Left, GREY);
    }
}
