//! Latency: the share of operations that took longer, on two logarithmic axes.

use crate::model::in_order;
use crate::plot::axis::{Axis, Spacing, share_ticks, time_range, time_ticks, whole_decades};
use crate::plot::canvas::{Canvas, Stroke};
use crate::plot::clip::clip;
use crate::plot::panel::{
    Area, Grid, draw_frame, draw_legend_at, fitting_height, series_stroke, short_title,
    split_panels,
};
use crate::plot::style::{draw_marker, look};
use crate::plot::text::{SIZE_PT, width_pt};
use crate::plot::thin::few;
use crate::plot::{Figure, file_part};
use crate::summary::{CcdfPoint, LatencyCurve, LatencyFigure};

/// Height of a plot area, points.
const PLOT_H: f64 = 120.0;
/// Thin lines in one figure at most; more are one smear, and too much to load.
const THIN_MAX: usize = 240;
/// Markers on one curve.
const MARKERS: usize = 4;

/// Draws the figure; `facts` (machine and date) end its description.
pub fn draw(figure: &LatencyFigure, facts: &str) -> Figure {
    let rows = rows(figure);
    let shown = trials_shown(figure);
    let thin = thin_lines(figure);
    let key = format!(
        "Thick: geometric mean over trials of the latency at each share, to where 20 operations of every \
         trial lie beyond. Thin: {thin}, to its last operation."
    );
    let label = figure.curves.iter().map(|c| width_pt(&c.model, SIZE_PT)).fold(40.0, f64::max);
    let columns = figure.panel_workers.len().max(1);
    let plot_h = fitting_height(rows.len(), 0, PLOT_H);
    let grid = Grid::with_side_legends(rows.len(), columns, label, plot_h, &key);
    let mut canvas = Canvas::new(grid.width, grid.height);
    let points = || {
        let shown = |c: &&LatencyCurve| figure.panel_workers.contains(&c.workers);
        figure.curves.iter().filter(shown).flat_map(|c| &c.trials).flat_map(|t| &t.points)
    };
    let x_range = time_range(points().map(|p| p.latency_ns)).unwrap_or((1.0, 10.0));
    let y_range = whole_decades(points().map(|p| p.share).chain([0.1, 1.0])).unwrap_or((0.1, 1.0));
    for (r, (title, models)) in rows.iter().enumerate() {
        for (k, n) in figure.panel_workers.iter().enumerate() {
            let here = |c: &&LatencyCurve| c.workers == *n && models.contains(&c.model.as_str());
            let curves: Vec<&LatencyCurve> = figure.curves.iter().filter(here).collect();
            let y_title = if k == 0 { "share that takes longer" } else { "" };
            let title =
                if title.is_empty() { format!("N = {n}") } else { format!("{title}, N = {n}") };
            let area = &grid.areas[r * columns + k];
            panel(&mut canvas, area, (&title, y_title), (&curves, shown), x_range, y_range);
        }
        draw_legend_at(&mut canvas, grid.side_legend(r), models);
    }
    grid.draw_key(&mut canvas);
    let title = format!("Latency of operations, workload {}", figure.workload);
    let description = format!(
        "Complementary distribution of the latency of one operation, by model and number of workers. {facts}"
    );
    Figure {
        name: format!("latency-{}", file_part(&figure.workload)),
        svg: canvas.finish(&title, &description),
        title,
    }
}

/// What the thin lines are, in words.
pub fn thin_lines(figure: &LatencyFigure) -> String {
    let shown = trials_shown(figure);
    match figure.curves.iter().any(|c| c.trials.len() > shown) {
        true => format!("{shown} trials of each, evenly chosen"),
        false => "every trial".to_owned(),
    }
}

/// How many trials of each curve are drawn.
fn trials_shown(figure: &LatencyFigure) -> usize {
    let shown = |c: &&LatencyCurve| figure.panel_workers.contains(&c.workers);
    (THIN_MAX / figure.curves.iter().filter(shown).count().max(1)).max(2)
}

/// Models that share a row of panels, with its title.
fn rows(figure: &LatencyFigure) -> Vec<(String, Vec<&str>)> {
    let shown = |c: &&LatencyCurve| figure.panel_workers.contains(&c.workers);
    let models = in_order(figure.curves.iter().filter(shown).map(|c| c.model.clone()));
    let named = |id: &String| {
        figure.curves.iter().map(|c| c.model.as_str()).find(|m| m == id).unwrap_or_default()
    };
    split_panels(&models, |m| m.as_str())
        .into_iter()
        .map(|(title, members)| (short_title(&title), members.into_iter().map(named).collect()))
        .collect()
}

fn panel(
    canvas: &mut Canvas,
    area: &Area,
    (title, y_title): (&str, &str),
    (curves, trials): (&[&LatencyCurve], usize),
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
    draw_frame(
        canvas,
        area,
        title,
        (&x, &x_ticks, "latency of one operation"),
        (&y, &y_ticks, y_title),
    );
    let place = |points: &[CcdfPoint]| -> Vec<(f64, f64)> {
        points.iter().map(|p| (x.at(p.latency_ns), y.at(p.share))).collect()
    };
    for curve in curves {
        let style = look(&curve.model);
        for trial in few(&curve.trials, trials) {
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
}
