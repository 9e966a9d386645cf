//! Latency: the share of operations that took longer, on two logarithmic axes.

use crate::plot::axis::{Axis, Spacing, share_ticks, time_ticks, whole_decades};
use crate::plot::canvas::{Canvas, Stroke};
use crate::plot::panel::{
    Area, Grid, clip, columns_for, draw_frame, draw_legend, series_stroke, split_panels,
};
use crate::plot::style::{draw_marker, look};
use crate::plot::text::{SIZE_PT, width_pt};
use crate::plot::{Figure, file_part};
use crate::summary::{CcdfPoint, LatencyCurve, LatencyFigure};

/// Height of a plot area, points.
const PLOT_H: f64 = 120.0;
/// Markers on one curve.
const MARKERS: usize = 4;

/// Draws the figure; `facts` (machine and date) end its description.
pub fn draw(figure: &LatencyFigure, facts: &str) -> Figure {
    let panels = panels(figure);
    let legends: Vec<usize> = panels.iter().map(|(_, c)| c.len()).collect();
    let key = "Thick: mean over trials (geometric, of the latency at each share), to where 20 operations of every \
               trial lie beyond. Thin: every trial, to its last operation.";
    let grid = Grid::new(&legends, columns_for(panels.len()), PLOT_H, key);
    let mut canvas = Canvas::new(grid.width, grid.height);
    let points = || {
        let shown = |c: &&LatencyCurve| figure.panel_workers.contains(&c.workers);
        figure.curves.iter().filter(shown).flat_map(|c| &c.trials).flat_map(|t| &t.points)
    };
    let x_range = whole_decades(points().map(|p| p.latency_ns)).unwrap_or((1.0, 10.0));
    let y_range = whole_decades(points().map(|p| p.share).chain([0.1, 1.0])).unwrap_or((0.1, 1.0));
    for (k, (title, curves)) in panels.iter().enumerate() {
        let y_title = if grid.leads_row(k) { "share of operations above" } else { "" };
        panel(&mut canvas, &grid.areas[k], (title, y_title), curves, x_range, y_range);
    }
    grid.draw_key(&mut canvas);
    let title = format!("Latency of operations, workload {}", figure.workload);
    let description = format!(
        "Complementary distribution of the latency of one operation, by model and number of workers. {facts}"
    );
    Figure {
        name: format!("latency-{}", file_part(&figure.workload)),
        svg: canvas.finish(&title, &description),
    }
}

fn panels(figure: &LatencyFigure) -> Vec<(String, Vec<&LatencyCurve>)> {
    let mut all = Vec::new();
    for n in &figure.panel_workers {
        let curves: Vec<&LatencyCurve> = figure.curves.iter().filter(|c| c.workers == *n).collect();
        for (title, members) in split_panels(&curves, |c| &c.model) {
            let title =
                if title.is_empty() { format!("N = {n}") } else { format!("{title}, N = {n}") };
            all.push((short(&title), members.into_iter().copied().collect()));
        }
    }
    all
}

/// A panel is narrow; its title says only what differs.
fn short(title: &str) -> String {
    title.replace("Threads of one process", "Threads").replace("Other models in one process", "Other models")
}

fn panel(
    canvas: &mut Canvas,
    area: &Area,
    (title, y_title): (&str, &str),
    curves: &[&LatencyCurve],
    x_range: (f64, f64),
    y_range: (f64, f64),
) {
    let x = Axis {
        lo: x_range.0,
        hi: x_range.1,
        spacing: Spacing::Log,
        from: area.x,
        to: area.right(),
    };
    let y = Axis {
        lo: y_range.0,
        hi: y_range.1,
        spacing: Spacing::Log,
        from: area.bottom(),
        to: area.y,
    };
    let x_ticks = x.thin(time_ticks(x.lo, x.hi), |l| width_pt(l, SIZE_PT) + 4.0);
    let y_ticks = share_ticks(y.lo, y.hi);
    draw_frame(canvas, area, title, (&x, &x_ticks, "latency of one operation"), (&y, &y_ticks, y_title));
    let place = |points: &[CcdfPoint]| -> Vec<(f64, f64)> {
        points.iter().map(|p| (x.at(p.latency_ns), y.at(p.share))).collect()
    };
    for curve in curves {
        let style = look(&curve.model);
        for trial in &curve.trials {
            for piece in clip(&place(&trial.points), area) {
                canvas.line(&piece, Stroke::solid(style.color, 0.4).alpha(0.45));
            }
        }
    }
    for (k, curve) in curves.iter().enumerate() {
        let style = look(&curve.model);
        let path = place(&curve.mean);
        for piece in clip(&path, area) {
            let stroke = series_stroke(&style);
            canvas.line(&piece, Stroke { width: 1.4, ..stroke });
        }
        let step = (path.len() / MARKERS).max(1);
        let first = (k * step / curves.len().max(1)).min(path.len().saturating_sub(1));
        for at in path.iter().skip(first).step_by(step) {
            draw_marker(canvas, &style, *at, 3.8);
        }
    }
    let names: Vec<&str> = curves.iter().map(|c| c.model.as_str()).collect();
    draw_legend(canvas, area, &names);
}
