//! Latency on two logarithmic axes: the share of operations that took longer, and the same points as a curve of
//! percentiles, as readers of HdrHistogram know it.

use crate::model::in_order;
use crate::plot::axis::{
    Axis, Spacing, Tick, percentile_ticks, share_ticks, time_range, time_ticks, whole_decades,
};
use crate::plot::canvas::{Canvas, Stroke};
use crate::plot::clip::clip;
use crate::plot::panel::{
    Area, Grid, draw_frame, draw_legend_at, fitting_height, series_stroke, short_title,
    split_panels,
};
use crate::plot::style::{draw_marker, look};
use crate::plot::text::{LINE_PT, SIZE_PT, width_pt};
use crate::plot::thin::few;
use crate::plot::{Figure, file_part};
use crate::summary::{CcdfPoint, LatencyCurve, LatencyFigure};

/// Height of a plot area, points.
const PLOT_H: f64 = 120.0;
/// Thin lines in one figure at most; more are one smear, and too much to load.
const THIN_MAX: usize = 240;
/// Markers on one curve.
const MARKERS: usize = 4;

/// Which way the points are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Share that takes longer against latency.
    Ccdf,
    /// Latency against percentile.
    Percentiles,
}

/// Draws the figure; `facts` (machine and date) end its description.
pub fn draw(figure: &LatencyFigure, view: View, facts: &str) -> Figure {
    let rows = rows(figure);
    let (trials, thin) = (trials_shown(figure), thin_lines(figure));
    let at = match view {
        View::Ccdf => "share",
        View::Percentiles => "percentile",
    };
    let key = format!(
        "Thick: geometric mean over trials of the latency at each {at}, to where 20 operations of every trial lie beyond. \
         Thin: {thin}, to its last operation."
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
    let times = time_range(points().map(|p| p.latency_ns)).unwrap_or((1.0, 10.0));
    let shares = whole_decades(points().map(|p| p.share).chain([0.1, 1.0])).unwrap_or((0.1, 1.0));
    for (r, (title, models)) in rows.iter().enumerate() {
        for (k, n) in figure.panel_workers.iter().enumerate() {
            let here = |c: &&LatencyCurve| c.workers == *n && models.contains(&c.model.as_str());
            let curves: Vec<&LatencyCurve> = figure.curves.iter().filter(here).collect();
            let title =
                if title.is_empty() { format!("N = {n}") } else { format!("{title}, N = {n}") };
            let area = &grid.areas[r * columns + k];
            let scales = Scales::new(view, area, times, shares);
            panel(&mut canvas, area, (&title, k == 0), (&curves, trials), &scales);
        }
        draw_legend_at(&mut canvas, grid.side_legend(r), models);
    }
    grid.draw_key(&mut canvas);
    let (name, what, how) = match view {
        View::Ccdf => ("latency", "Latency of operations", "Complementary distribution"),
        View::Percentiles => ("percentiles", "Latency by percentile", "Percentiles"),
    };
    let title = format!("{what}, workload {}", figure.workload);
    let description =
        format!("{how} of the latency of one operation, by model and number of workers. {facts}");
    Figure {
        name: format!("{name}-{}", file_part(&figure.workload)),
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

/// Both axes of a panel, and which is which.
struct Scales {
    view: View,
    time: Axis,
    share: Axis,
}

impl Scales {
    fn new(view: View, area: &Area, times: (f64, f64), shares: (f64, f64)) -> Self {
        let axis = |(lo, hi), from, to| Axis { lo, hi, spacing: Spacing::Log, from, to };
        let (across, up) = ((area.x, area.right()), (area.bottom(), area.y));
        match view {
            View::Ccdf => Self {
                view,
                time: axis(times, across.0, across.1),
                share: axis(shares, up.0, up.1),
            },
            // The rarest on the right: each percentile nearer to 100 has as much room as the one before.
            View::Percentiles => Self {
                view,
                time: axis(times, up.0, up.1),
                share: axis(shares, across.1, across.0),
            },
        }
    }

    fn place(&self, points: &[CcdfPoint]) -> Vec<(f64, f64)> {
        let at = |p: &CcdfPoint| (self.time.at(p.latency_ns), self.share.at(p.share));
        let swapped = self.view == View::Percentiles;
        points.iter().map(at).map(|(t, s)| if swapped { (s, t) } else { (t, s) }).collect()
    }

    fn draw_frame(&self, canvas: &mut Canvas, area: &Area, title: &str, leads: bool) {
        let (time, share) = (&self.time, &self.share);
        let shown = |title: &'static str| if leads { title } else { "" };
        let wide = |l: &str| width_pt(l, SIZE_PT) + 4.0;
        match self.view {
            View::Ccdf => {
                let times = time.thin(time_ticks(time.lo, time.hi), wide);
                let shares = share_ticks(share.lo, share.hi);
                let y_title = shown("share that takes longer");
                let x = (time, times.as_slice(), "latency of one operation");
                draw_frame(canvas, area, title, x, (share, &shares, y_title));
            }
            View::Percentiles => {
                let ticks: Vec<Tick> = share.thin(percentile_ticks(share.lo, share.hi), wide);
                let times = time.thin(time_ticks(time.lo, time.hi), |_| LINE_PT);
                let x = (share, ticks.as_slice(), "percentile");
                let y_title = shown("latency of one operation");
                draw_frame(canvas, area, title, x, (time, &times, y_title));
            }
        }
    }
}

fn panel(
    canvas: &mut Canvas,
    area: &Area,
    (title, leads): (&str, bool),
    (curves, trials): (&[&LatencyCurve], usize),
    scales: &Scales,
) {
    scales.draw_frame(canvas, area, title, leads);
    let place = |points: &[CcdfPoint]| scales.place(points);
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
