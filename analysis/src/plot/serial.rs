//! Karp and Flatt's e(N) against the serial share that the workload was told to have.

use crate::plot::axis::{Axis, Spacing, linear_ticks};
use crate::plot::canvas::{Canvas, GREY, Stroke};
use crate::plot::clip::clip;
use crate::plot::panel::{Area, Grid, draw_frame, draw_interval, draw_legend};
use crate::plot::style::{draw_marker, look};
use crate::plot::thin::apart;
use crate::plot::{Figure, SERIES_MAX};
use crate::summary::{Expected, SerialFigure, SerialRow};

/// Height of a plot area, points.
const PLOT_H: f64 = 138.0;
/// Most room between the markers of two models at one share, points.
const APART: f64 = 3.0;
/// Half the width of the tick at what is expected of a marker.
const TICK: f64 = 2.2;
/// Room beyond the shares 0 and 1, so that markers there stay inside.
const PAD: f64 = 0.07;

/// Draws the figure; `facts` (machine and date) end its description.
pub fn draw(figure: &SerialFigure, facts: &str) -> Figure {
    let panels = panels(figure);
    let legends: Vec<usize> = panels.iter().map(|p| p.models.len()).collect();
    let key = "Marker and bar: mean over blocks and 95 % interval, models side by side at each share. Small dots: blocks. \
               Dashed line and grey ticks: what is expected, e = p or, one at a time, e = 1.";
    let ids = figure.rows.iter().map(|r| r.model.as_str());
    let grid = Grid::fitted(&legends, ids, PLOT_H, key);
    let mut canvas = Canvas::new(grid.width, grid.height);
    let range = range(figure);
    for (k, panel) in panels.iter().enumerate() {
        let y_title = if grid.leads_row(k) { "e(N), found" } else { "" };
        draw_panel(&mut canvas, &grid.areas[k], panel, y_title, range);
        draw_legend(&mut canvas, &grid.areas[k], &panel.models);
    }
    grid.draw_key(&mut canvas);
    let title = "Serial share found by Karp and Flatt's e(N) against the share injected".to_owned();
    let said = figure.rows.iter().filter_map(|r| {
        Some(format!("{}: {:.2} found, {:.2} injected.", r.model, r.e?.value, r.share))
    });
    let description = format!("{} {facts}", said.collect::<Vec<_>>().join(" "));
    let svg = canvas.finish(&title, &description);
    Figure { name: "serial-share".to_owned(), title, svg }
}

/// Models of one expectation.
struct Panel<'a> {
    title: String,
    expected: Expected,
    models: Vec<&'a str>,
    rows: Vec<&'a SerialRow>,
}

/// Those that should give the share back, then those that run one at a time, six models a panel at most.
fn panels(figure: &SerialFigure) -> Vec<Panel<'_>> {
    let mut panels = Vec::new();
    for (expected, title) in
        [(Expected::Share, "Expected: e = p"), (Expected::One, "One at a time: e = 1")]
    {
        let rows = || figure.rows.iter().filter(move |r| r.expected == expected);
        let mut models: Vec<&str> = rows().map(|r| r.model.as_str()).collect();
        models.dedup();
        let parts = models.len().div_ceil(SERIES_MAX).max(1);
        for (k, models) in models.chunks(models.len().div_ceil(parts).max(1)).enumerate() {
            let part = if parts > 1 { format!(" ({}/{parts})", k + 1) } else { String::new() };
            panels.push(Panel {
                title: format!("{title}{part}"),
                expected,
                models: models.to_vec(),
                rows: rows().filter(|r| models.contains(&r.model.as_str())).collect(),
            });
        }
    }
    panels
}

fn draw_panel(
    canvas: &mut Canvas,
    area: &Area,
    panel: &Panel<'_>,
    y_title: &str,
    (lo, hi): (f64, f64),
) {
    let x =
        Axis { lo: -PAD, hi: 1.0 + PAD, spacing: Spacing::Linear, from: area.x, to: area.right() };
    let y = Axis { lo, hi, spacing: Spacing::Linear, from: area.bottom(), to: area.y };
    let (x_ticks, y_ticks) = (linear_ticks(1.0, 4), linear_ticks(hi, 5));
    draw_frame(
        canvas,
        area,
        &panel.title,
        (&x, &x_ticks, "serial share p, injected"),
        (&y, &y_ticks, y_title),
    );
    let expected = match panel.expected {
        Expected::Share => [(0.0, 0.0), (1.0, 1.0)],
        Expected::One => [(0.0, 1.0), (1.0, 1.0)],
    };
    let line: Vec<(f64, f64)> = expected.iter().map(|(p, e)| (x.at(*p), y.at(*e))).collect();
    for piece in clip(&line, area) {
        canvas.line(&piece, Stroke::solid(GREY, 0.8).dashed(&[3.0, 2.5]));
    }
    let shares = shares(&panel.rows);
    for r in &panel.rows {
        let Some(k) = panel.models.iter().position(|m| *m == r.model) else { continue };
        let middle = (panel.models.len() as f64 - 1.0) / 2.0;
        let shift = slot(r.share, &shares, &x, panel.models.len()) * (k as f64 - middle);
        draw_row(canvas, r, x.at(r.share) + shift, &y);
    }
}

/// One model at one share, its marker at `at`.
fn draw_row(canvas: &mut Canvas, r: &SerialRow, at: f64, y: &Axis) {
    let style = look(&r.model);
    let to = y.at(r.expectation());
    canvas.line(&[(at - TICK, to), (at + TICK, to)], Stroke::solid(GREY, 0.9));
    for dot in apart(r.blocks.iter().filter(|e| y.holds(**e)).map(|e| y.at(*e))) {
        canvas.disc((at + 1.6, dot), 0.7, style.color, 0.6);
    }
    if let Some((lo, hi)) = r.e.and_then(|e| e.ci95) {
        let (bottom, top) = (y.at(y.clamp(lo)), y.at(y.clamp(hi)));
        draw_interval(canvas, at, (top, bottom), 1.2);
    }
    let centre = r.e.map(|e| e.value).or_else(|| r.blocks.first().copied());
    if let Some(e) = centre.filter(|e| y.holds(*e)) {
        draw_marker(canvas, &style, (at, y.at(e)), 3.4);
    }
}

fn shares(rows: &[&SerialRow]) -> Vec<f64> {
    let mut shares: Vec<f64> = rows.iter().map(|r| r.share).collect();
    shares.sort_by(f64::total_cmp);
    shares.dedup();
    shares
}

/// Room for one of `models` at a share: its neighbours' markers must not mix with it.
fn slot(share: f64, shares: &[f64], x: &Axis, models: usize) -> f64 {
    let others = shares.iter().filter(|s| **s != share);
    let nearest = others.map(|s| (x.at(*s) - x.at(share)).abs()).fold(f64::INFINITY, f64::min);
    (nearest * 0.8 / models.max(1) as f64).min(APART)
}

/// 0 to 1 and all that is drawn, but an interval that knows nothing does not flatten the rest.
fn range(figure: &SerialFigure) -> (f64, f64) {
    let (mut lo, mut hi) = (0.0_f64, 1.0_f64);
    for r in &figure.rows {
        let interval = r.e.and_then(|e| e.ci95).map_or(vec![], |(a, b)| vec![a, b]);
        for v in interval.into_iter().chain(r.blocks.iter().copied()).filter(|v| v.is_finite()) {
            (lo, hi) = (lo.min(v.max(-0.5)), hi.max(v.min(2.0)));
        }
    }
    (lo - 0.05, hi + 0.08)
}
