//! Speed-up against N: mean with interval, every block, ceiling and ideal.

use std::collections::BTreeMap;

use crate::plot::axis::{Axis, Spacing, ratio_ticks, worker_ticks};
use crate::plot::canvas::{Anchor, Canvas, FAINT, GREY, Stroke};
use crate::plot::clip::clip;
use crate::plot::panel::{
    Area, Grid, draw_frame, draw_interval, draw_legend, series_stroke, split_panels,
};
use crate::plot::style::{draw_marker, look};
use crate::plot::text::{SIZE_PT, width_pt};
use crate::plot::thin::apart;
use crate::plot::{Figure, SERIES_MAX};
use crate::summary::{SpeedupFigure, SpeedupSeries};

/// Height of a plot area, points.
const PLOT_H: f64 = 138.0;

/// Markers nearer than this vertically would cover each other, points.
const MARKER_APART: f64 = 5.0;

/// What the ratio is and what is drawn beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Speed-up of CPU-bound work, with ceiling.
    Speedup,
    /// Throughput ratio of I/O-bound work.
    Overlap,
}

impl Kind {
    /// What the figure's files begin with.
    pub fn id(self) -> &'static str {
        match self {
            Self::Speedup => "speedup",
            Self::Overlap => "overlap",
        }
    }
}

/// Draws the figure; `facts` (machine and date) end its description.
pub fn draw(figure: &SpeedupFigure, kind: Kind, facts: &str) -> Figure {
    let panels = split_panels(&figure.series, |s| &s.model);
    let legends: Vec<usize> = panels.iter().map(|(_, s)| s.len()).collect();
    let key = match kind {
        Kind::Speedup => {
            "Marker and bar: mean over blocks and 95 % interval. Small dots: blocks. Short grey bars: ceiling \
             (N pinned one-worker processes). Dashed grey: ideal. Equal markers stand side by side."
        }
        Kind::Overlap => {
            "Marker and bar: mean over blocks and 95 % interval, side by side where they are equal. Small dots: blocks. \
             Dashed grey: N times the throughput of one."
        }
    };
    let ids = figure.series.iter().map(|s| s.model.as_str());
    let grid = Grid::fitted(&legends, ids, PLOT_H, key);
    let mut canvas = Canvas::new(grid.width, grid.height);
    let range = range(figure);
    for (k, (title, series)) in panels.iter().enumerate() {
        let y_title = match kind {
            _ if !grid.leads_row(k) => "",
            Kind::Speedup => "speed-up over one worker",
            Kind::Overlap => "throughput over one worker",
        };
        let alone = format!("Workload {}", figure.workload);
        let title = if title.is_empty() { &alone } else { title };
        panel(&mut canvas, &grid.areas[k], (title, y_title), series, figure, range, kind);
        let names: Vec<&str> = series.iter().map(|s| s.model.as_str()).collect();
        draw_legend(&mut canvas, &grid.areas[k], &names);
    }
    grid.draw_key(&mut canvas);
    let what = match kind {
        Kind::Speedup => "Speed-up against the number of workers",
        Kind::Overlap => "Throughput against the number of workers",
    };
    let title = format!("{what}, workload {}", figure.workload);
    let description = format!("{} {facts}", describe(figure));
    Figure {
        name: format!("{}-{}", kind.id(), crate::plot::file_part(&figure.workload)),
        svg: canvas.finish(&title, &description),
        title,
    }
}

pub(super) type Range = ((f64, f64), (f64, f64));

/// Everything in one plot area but its legend.
pub(super) fn panel(
    canvas: &mut Canvas,
    area: &Area,
    (title, y_title): (&str, &str),
    series: &[&SpeedupSeries],
    figure: &SpeedupFigure,
    ((x_lo, x_hi), (y_lo, y_hi)): Range,
    kind: Kind,
) {
    let pad = 12.0 + 1.5 * series.len() as f64;
    let x = Axis {
        lo: x_lo,
        hi: x_hi,
        spacing: Spacing::Log,
        from: area.x + pad,
        to: area.right() - pad,
    };
    let y = Axis { lo: y_lo, hi: y_hi, spacing: Spacing::Log, from: area.bottom(), to: area.y };
    if kind == Kind::Speedup {
        mark_cpus(canvas, area, &x, figure.cpus_available);
    }
    let counts = worker_counts(figure);
    let x_ticks = worker_ticks(&x, &counts, |l| width_pt(l, SIZE_PT));
    let y_ticks = ratio_ticks(y_lo, y_hi);
    draw_frame(canvas, area, title, (&x, &x_ticks, "workers N"), (&y, &y_ticks, y_title));
    let ideal: Vec<(f64, f64)> = [x_lo, x_hi].iter().map(|n| (x.at(*n), y.at(*n))).collect();
    for piece in clip(&ideal, area) {
        canvas.line(&piece, Stroke::solid(GREY, 0.8).dashed(&[3.0, 2.5]));
    }
    let slot = slot_width(&x, &counts, series.len());
    let shifts = shifts(series, &y, slot);
    let place = |model: &str, n: u32, v: f64| {
        let shift = shifts.get(&(n, model)).copied().unwrap_or(0.0);
        (x.at(f64::from(n)) + shift, y.at(v))
    };
    for s in series {
        draw_ceiling(canvas, &y, s, &|n, v| place(&s.model, n, v), slot);
    }
    for s in series {
        let line = |n: u32, v: f64| (x.at(f64::from(n)), y.at(v));
        draw_line(canvas, area, s, &line);
    }
    for s in series {
        draw_points(canvas, &y, s, &|n, v| place(&s.model, n, v), slot);
    }
}

/// Beyond the CPUs available the ground is grey: workers share CPUs there.
pub(super) fn mark_cpus(canvas: &mut Canvas, area: &Area, x: &Axis, cpus: u32) {
    let (n, hi) = (f64::from(cpus), x.hi);
    if n < hi {
        let from = x.at((n * 2f64.sqrt()).min(hi)).max(area.x);
        let from = if n < x.lo { area.x } else { from };
        canvas.rect((from, area.y), (area.right(), area.bottom()), FAINT, 0.45);
        let label = "N > CPUs";
        if width_pt(label, SIZE_PT) < area.right() - from {
            let at = ((from + area.right()) / 2.0, area.bottom() - 6.0);
            canvas.text(label, at, Anchor::Middle, GREY);
        }
    }
}

type Place<'a> = dyn Fn(u32, f64) -> (f64, f64) + 'a;

/// Below all series, so that no model's ceiling covers another one's marker.
fn draw_ceiling(canvas: &mut Canvas, y: &Axis, series: &SpeedupSeries, at: &Place<'_>, slot: f64) {
    let half = (slot * 0.5).clamp(1.5, 4.0);
    for p in &series.points {
        if let Some(c) = p.ceiling.filter(|c| y.holds(c.value)) {
            let (cx, cy) = at(p.workers, c.value);
            canvas.line(&[(cx - half, cy), (cx + half, cy)], Stroke::solid(GREY, 1.6));
        }
    }
}

/// Through where the means are, even where their markers stand aside: a slope that differs is a result.
fn draw_line(canvas: &mut Canvas, area: &Area, series: &SpeedupSeries, at: &Place<'_>) {
    let mut path = vec![at(1, 1.0)];
    path.extend(series.points.iter().filter_map(|p| Some(at(p.workers, p.centre()?))));
    for piece in clip(&path, area) {
        canvas.line(&piece, series_stroke(&look(&series.model)).alpha(0.75));
    }
}

fn draw_points(canvas: &mut Canvas, y: &Axis, series: &SpeedupSeries, at: &Place<'_>, slot: f64) {
    let style = look(&series.model);
    let one = at(1, 1.0); // By definition, for every model.
    for p in &series.points {
        let held = p.blocks.iter().filter(|b| y.holds(b.1));
        let dots: Vec<(f64, f64)> = held.map(|b| at(p.workers, b.1)).collect();
        for by in apart(dots.iter().map(|d| d.1)) {
            canvas.disc((dots[0].0 + slot * 0.5, by), 0.9, style.color, 0.6);
        }
        if let Some((lo, hi)) = p.speedup.and_then(|s| s.ci95) {
            let (cx, top) = at(p.workers, y.clamp(hi));
            let bottom = y.at(y.clamp(lo));
            draw_interval(canvas, cx, (top, bottom), (slot * 0.3).clamp(0.8, 1.8));
        }
    }
    let size = (slot * 0.8).clamp(2.8, 4.2);
    draw_marker(canvas, &style, one, size * 0.7);
    for (n, v) in series.points.iter().filter_map(|p| Some((p.workers, p.centre()?))) {
        if y.holds(v) {
            draw_marker(canvas, &style, at(n, v), size);
        }
    }
}

/// Room for one marker beside another at one N.
fn slot_width(x: &Axis, counts: &[u32], series: usize) -> f64 {
    let gaps = counts.windows(2).map(|w| x.at(f64::from(w[1])) - x.at(f64::from(w[0])));
    let nearest = gaps.fold(f64::INFINITY, f64::min);
    (nearest * 0.72 / series.max(1) as f64).min(5.4)
}

/// How far each marker moves aside: only where it would cover another one at its N.
fn shifts<'a>(series: &[&'a SpeedupSeries], y: &Axis, slot: f64) -> BTreeMap<(u32, &'a str), f64> {
    let mut columns: BTreeMap<u32, Vec<(f64, usize)>> = BTreeMap::new();
    for (k, s) in series.iter().enumerate() {
        for p in &s.points {
            let Some(v) = p.centre() else { continue };
            columns.entry(p.workers).or_default().push((y.at(v), k));
        }
    }
    let mut shifts = BTreeMap::new();
    for (n, mut column) in columns {
        column.sort_by(|a, b| a.0.total_cmp(&b.0));
        for cluster in column.chunk_by(|a, b| b.0 - a.0 < MARKER_APART) {
            let mut members: Vec<usize> = cluster.iter().map(|(_, k)| *k).collect();
            members.sort_unstable();
            let middle = (members.len() as f64 - 1.0) / 2.0;
            for (place, k) in members.into_iter().enumerate() {
                shifts.insert((n, series[k].model.as_str()), slot * (place as f64 - middle));
            }
        }
    }
    shifts
}

fn worker_counts(figure: &SpeedupFigure) -> Vec<u32> {
    let mut counts: Vec<u32> =
        figure.series.iter().flat_map(|s| s.points.iter().map(|p| p.workers)).collect();
    counts.push(1);
    counts.sort_unstable();
    counts.dedup();
    counts
}

/// Worker counts, and every value that is drawn with some room; the ideal may leave the top.
pub(super) fn range(figure: &SpeedupFigure) -> Range {
    let n_max = worker_counts(figure).last().copied().unwrap_or(2).max(2);
    let (mut lo, mut hi) = (1.0_f64, 1.0_f64);
    for p in figure.series.iter().flat_map(|s| &s.points) {
        let interval = p.speedup.and_then(|s| s.ci95).map_or(vec![], |(a, b)| vec![a, b]);
        let blocks = p.blocks.iter().map(|b| b.1);
        for v in
            p.ceiling.map(|c| c.value).into_iter().chain(interval).chain(blocks).chain(p.centre())
        {
            (lo, hi) = (lo.min(v), hi.max(v));
        }
    }
    let served = f64::from(figure.cpus_available.min(n_max));
    let hi = hi.max(served).min(f64::from(n_max) * 4.0);
    let lo = lo.max(hi / 4096.0);
    ((1.0, f64::from(n_max)), ((lo / 1.12).min(0.85), hi * 1.12))
}

/// What a screen reader says: every model's figure at its largest N.
fn describe(figure: &SpeedupFigure) -> String {
    let mut parts: Vec<String> = figure.series.iter().take(SERIES_MAX * 4).filter_map(of).collect();
    parts.insert(0, format!("CPUs available: {}.", figure.cpus_available));
    return parts.join(" ");

    fn of(s: &SpeedupSeries) -> Option<String> {
        let p = s.points.last()?;
        Some(format!("{}: {:.2} at N = {}.", s.model, p.centre()?, p.workers))
    }
}
