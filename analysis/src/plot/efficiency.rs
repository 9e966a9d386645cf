//! Strong and weak scaling: efficiency against N, side by side.

use crate::plot::axis::{Axis, Spacing, linear_ticks, worker_ticks};
use crate::plot::canvas::{Canvas, GREY, Stroke};
use crate::plot::clip::clip;
use crate::plot::panel::{
    Area, Grid, draw_frame, draw_interval, draw_legend_at, fitting_height, series_stroke,
    short_title, split_panels,
};
use crate::plot::speedup::mark_cpus;
use crate::plot::style::{draw_marker, look};
use crate::plot::text::{SIZE_PT, width_pt};
use crate::plot::{Figure, PAGE_PT};
use crate::summary::{Estimate, ScalingFigure, ScalingRow};

/// Height of a plot area, points.
const PLOT_H: f64 = 120.0;
/// Room between the markers of two models at one N, points, where there is so much.
const APART: f64 = 3.6;

type Of = fn(&ScalingRow) -> Option<Estimate>;

/// Left and right panel.
const KINDS: [(&str, Of); 2] = [("Strong", |r| r.strong), ("Weak", |r| r.weak)];

/// Draws the figure; `facts` (machine and date) end its description.
pub fn draw(figure: &ScalingFigure, facts: &str) -> Figure {
    let mut models: Vec<&str> = figure.rows.iter().map(|r| r.model.as_str()).collect();
    models.dedup();
    let rows = split_panels(&models, |m| m);
    let label = models.iter().map(|m| width_pt(m, SIZE_PT)).fold(40.0, f64::max);
    let key = "Marker and bar: mean over blocks and 95 % interval. Strong: one job split into N parts. Weak: a job for each \
               worker. All meet at a barrier after each job. Dashed grey: ideal.";
    let label = label.min(PAGE_PT * 0.4);
    let plot_h = fitting_height(rows.len(), 0, PLOT_H);
    let grid = Grid::with_side_legends(rows.len(), KINDS.len(), label, plot_h, key);
    let mut canvas = Canvas::new(grid.width, grid.height);
    for (r, (group, members)) in rows.iter().enumerate() {
        let members: Vec<&str> = members.iter().map(|m| **m).collect();
        for (k, (kind, of)) in KINDS.iter().enumerate() {
            let title = match group.as_str() {
                "" => (*kind).to_owned(),
                group => format!("{kind}: {}", short_title(group).to_lowercase()),
            };
            let y_title = if k == 0 { "efficiency" } else { "" };
            let area = &grid.areas[r * KINDS.len() + k];
            panel(&mut canvas, area, (&title, y_title), figure, &members, *of);
        }
        draw_legend_at(&mut canvas, grid.side_legend(r), &members);
    }
    grid.draw_key(&mut canvas);
    let title = "Strong and weak scaling: efficiency against the number of workers".to_owned();
    let said = figure.rows.iter().map(describe).collect::<Vec<_>>().join(" ");
    let svg = canvas.finish(&title, &format!("{said} {facts}"));
    Figure { name: "scaling".to_owned(), title, svg }
}

fn panel(
    canvas: &mut Canvas,
    area: &Area,
    (title, y_title): (&str, &str),
    figure: &ScalingFigure,
    models: &[&str],
    of: Of,
) {
    let mut counts: Vec<u32> = figure.rows.iter().map(|r| r.workers).chain([1]).collect();
    counts.sort_unstable();
    counts.dedup();
    let n_max = f64::from(counts.last().copied().unwrap_or(2).max(2));
    let pad = 10.0 + 1.3 * models.len() as f64;
    let x = Axis {
        lo: 1.0,
        hi: n_max,
        spacing: Spacing::Log,
        from: area.x + pad,
        to: area.right() - pad,
    };
    let hi = figure.rows.iter().flat_map(bounds).fold(1.0_f64, |hi, v| hi.max(v.min(1.6)));
    let hi = hi * 1.08;
    let y = Axis { lo: 0.0, hi, spacing: Spacing::Linear, from: area.bottom(), to: area.y };
    mark_cpus(canvas, area, &x, figure.cpus_available);
    let x_ticks = worker_ticks(&x, &counts, |l| width_pt(l, SIZE_PT));
    draw_frame(
        canvas,
        area,
        title,
        (&x, &x_ticks, "workers N"),
        (&y, &linear_ticks(hi, 5), y_title),
    );
    let ideal = [(area.x, y.at(1.0)), (area.right(), y.at(1.0))];
    canvas.line(&ideal, Stroke::solid(GREY, 0.8).dashed(&[3.0, 2.5]));
    let middle = (models.len() as f64 - 1.0) / 2.0;
    let gaps = counts.windows(2).map(|w| x.at(f64::from(w[1])) - x.at(f64::from(w[0])));
    let apart = gaps.fold(f64::INFINITY, f64::min) * 0.75 / models.len() as f64;
    let apart = apart.min(APART).min(2.0 * (pad - 3.0) / models.len() as f64);
    for (k, model) in models.iter().enumerate() {
        let shift = apart * (k as f64 - middle);
        let rows = figure.rows.iter().filter(|r| r.model == *model);
        let points: Vec<(u32, Estimate)> = rows.filter_map(|r| Some((r.workers, of(r)?))).collect();
        series(canvas, area, (&x, &y), model, &points, shift);
    }
}

fn series(
    canvas: &mut Canvas,
    area: &Area,
    (x, y): (&Axis, &Axis),
    model: &str,
    points: &[(u32, Estimate)],
    shift: f64,
) {
    if points.is_empty() {
        return;
    }
    let style = look(model);
    let place = |n: u32, v: f64| (x.at(f64::from(n)) + if n > 1 { shift } else { 0.0 }, y.at(v));
    let mut path = vec![place(1, 1.0)]; // By definition, for every model.
    path.extend(points.iter().map(|(n, e)| place(*n, e.value)));
    for piece in clip(&path, area) {
        canvas.line(&piece, series_stroke(&style).alpha(0.75));
    }
    for (n, e) in points {
        if let Some((lo, hi)) = e.ci95 {
            let (cx, top) = place(*n, y.clamp(hi));
            let bottom = y.at(y.clamp(lo));
            draw_interval(canvas, cx, (top, bottom), 1.2);
        }
    }
    for at in path.iter().filter(|p| (area.y..=area.bottom()).contains(&p.1)) {
        draw_marker(canvas, &style, *at, 3.8);
    }
}

fn bounds(r: &ScalingRow) -> Vec<f64> {
    let upper = |e: Estimate| e.ci95.map_or(e.value, |c| c.1);
    [r.strong, r.weak].into_iter().flatten().map(upper).collect()
}

fn describe(r: &ScalingRow) -> String {
    let of =
        |e: Option<Estimate>| e.map_or_else(|| "unknown".to_owned(), |e| format!("{:.2}", e.value));
    format!("{} at N = {}: strong {}, weak {}.", r.model, r.workers, of(r.strong), of(r.weak))
}
