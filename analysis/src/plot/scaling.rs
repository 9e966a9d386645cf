//! A measure of scaling against N, one small panel a model: every trial, the fitted law with its band, the ceiling,
//! shaded ground where the law is extrapolated, and the breaks of the machine.

use amdahl_stats::laws::{Ends, Law};

use crate::laws::LawCurve;
use crate::plot::axis::{
    Axis, Spacing, Tick, amount, amount_ticks, linear_ticks, ratio_ticks, worker_powers,
    worker_ticks,
};
use crate::plot::canvas::{Canvas, FAINT, GREY, Stroke};
use crate::plot::clip::clip;
use crate::plot::measure::Measure;
use crate::plot::multiples::{Multiples, draw_break, split};
use crate::plot::panel::Area;
use crate::plot::style::{Look, draw_marker, look};
use crate::plot::text::{SIZE_PT, width_pt};
use crate::plot::{Figure, file_part};
use crate::summary::LawRow;

/// More dots in a figure are a grey smear and a large file.
const TRIALS_MAX: usize = 600;
/// A curve further above the points than this is cut off, where the axis is linear.
const HEADROOM: f64 = 1.35;

/// The figures of one workload: more than one where there are many models.
pub fn draw(workload: &str, rows: &[&LawRow], measure: Measure, facts: &str) -> Vec<Figure> {
    let panels: Vec<Panel<'_>> = rows.iter().filter_map(|r| Panel::of(r)).collect();
    let range = (measure != Measure::Throughput).then(|| y_range(measure, &panels));
    let name = format!("law-{}-{}", measure.name(), file_part(workload));
    let what = measure.title();
    let title = format!("{what} and its law against the number of workers, workload {workload}");
    split(&name, &title, &panels, |part, title| figure(part, measure, range, title, facts))
}

/// The figure of one table, which is no model and has a look of its own; `None` without a law.
pub fn draw_table(row: &LawRow, look: Look, measure: Measure, facts: &str) -> Option<Figure> {
    let panels = [Panel { look, ..Panel::of(row)? }];
    let range = Some(y_range(measure, &panels));
    let title =
        format!("{} and its law against the number of workers, {}", measure.title(), row.model);
    let svg = figure(&panels, measure, range, &title, facts);
    Some(Figure { name: measure.name().to_owned(), svg, title })
}

/// More worker counts have no line each.
const COUNTS_MAX: usize = 24;

/// What one panel shows, in the unit of its axis.
struct Panel<'a> {
    row: &'a LawRow,
    look: Look,
    gamma: f64,
    curve: &'a LawCurve,
    label: String,
}

impl<'a> Panel<'a> {
    fn of(row: &'a LawRow) -> Option<Self> {
        let (fit, gamma) = row.shown()?;
        let p = fit.parameters;
        // A star: by default, because too few worker counts can be compared.
        let star = if row.raw.selected.is_none() { "*" } else { "" };
        let number = |x: Option<f64>| x.map_or_else(|| "?".to_owned(), two_digits);
        let label = match fit.law {
            Law::Linear => format!("linear{star}"),
            Law::Amdahl => format!("Amdahl{star} α {}", number(p.alpha)),
            Law::Usl => format!("USL{star} α {} β {}", number(p.alpha), number(p.beta)),
        };
        Some(Self { row, look: look(&row.model), gamma, curve: row.curve.as_ref()?, label })
    }

    fn n_max(&self) -> f64 {
        self.row.all.n_max()
    }

    fn fitted_to(&self) -> f64 {
        self.row.raw.points.n_max()
    }
}

/// Two significant digits.
fn two_digits(x: f64) -> String {
    amount(format!("{x:.1e}").parse().unwrap_or(x))
}

fn figure(
    panels: &[Panel<'_>],
    measure: Measure,
    range: Option<(f64, f64)>,
    title: &str,
    facts: &str,
) -> String {
    let trials: usize = panels.iter().map(|p| p.row.all.rows).sum();
    let with_trials = trials <= TRIALS_MAX;
    let grid = Multiples::new(panels.len(), &key(panels, measure, with_trials));
    let mut canvas = Canvas::new(grid.width, grid.height);
    for (k, panel) in panels.iter().enumerate() {
        let (lo, hi) = range.unwrap_or_else(|| y_range(measure, std::slice::from_ref(panel)));
        draw_panel(&mut canvas, &grid, k, panel, measure, (lo, hi), with_trials);
    }
    grid.draw_rest(&mut canvas, |_| "workers N", measure.axis());
    let said = panels.iter().map(|p| format!("{}: {}.", p.row.model, p.label));
    canvas.finish(title, &format!("{} {facts}", said.collect::<Vec<_>>().join(" ")))
}

/// Says only what is there.
fn key(panels: &[Panel<'_>], measure: Measure, with_trials: bool) -> String {
    let any = |of: fn(&LawRow) -> bool| panels.iter().any(|p| of(p.row));
    let mut key = "Marker: mean. ".to_owned();
    if with_trials && any(|r| r.all.points.iter().any(|p| p.trials.len() > 1)) {
        key.push_str("Dots: trials. ");
    }
    key.push_str("Line, band: the law, 95 % for a new mean. ");
    if any(|r| !r.ceilings.is_empty()) {
        key.push_str("Short bars: ceiling. ");
    }
    key.push_str(match measure {
        Measure::Speedup => "Thin diagonal: ideal. ",
        Measure::Efficiency => "Thin level line: ideal. ",
        Measure::Throughput if panels.len() > 1 => "Each panel has its own scale. ",
        Measure::Throughput => "",
    });
    key.push_str("Grey ground: extrapolated.");
    if any(|r| !r.breaks.is_empty()) {
        key.push_str(" Upright line: the machine changes; behind the first nothing is fitted.");
    }
    if any(|r| r.raw.selected.is_none()) {
        key.push_str(" *: too few N to choose a law.");
    }
    key
}

fn draw_panel(
    canvas: &mut Canvas,
    grid: &Multiples,
    k: usize,
    panel: &Panel<'_>,
    measure: Measure,
    (lo, hi): (f64, f64),
    with_trials: bool,
) {
    let area = &grid.areas[k];
    let (x, counts) = workers_axis(panel, area);
    let log = measure == Measure::Speedup;
    let spacing = if log { Spacing::Log } else { Spacing::Linear };
    let y = Axis { lo, hi, spacing, from: area.bottom(), to: area.y };
    shade(canvas, area, &x, panel);
    let whole = panel.row.all.points.iter().all(|p| p.n.fract() == 0.0);
    let x_ticks = match whole && counts.len() <= COUNTS_MAX {
        true => worker_ticks(&x, &counts, |l| width_pt(l, SIZE_PT)),
        false => worker_powers(&x),
    };
    let y_ticks: Vec<Tick> = match measure {
        Measure::Speedup => ratio_ticks(lo, hi),
        Measure::Efficiency => linear_ticks(hi, 4),
        Measure::Throughput => amount_ticks(0.0, hi, 4),
    };
    grid.draw_frame(canvas, k, (&panel.row.model, &panel.label), (&x, &x_ticks), (&y, &y_ticks));
    let value = |n: f64, v: f64| measure.of(n, v, panel.gamma);
    let at = |n: f64, v: f64| (x.at(n), y.at(value(n, v).max(lo * 0.5)));
    let ideal = [(x.lo, at(x.lo, panel.gamma * x.lo).1), (x.hi, at(x.hi, panel.gamma * x.hi).1)];
    let ideal: Vec<(f64, f64)> = ideal.iter().map(|(n, v)| (x.at(*n), *v)).collect();
    if measure != Measure::Throughput {
        clip(&ideal, area).iter().for_each(|p| canvas.line(p, Stroke::solid(GREY, 0.5)));
    }
    for (n, c) in panel.row.ceilings.iter().filter(|c| x.holds(c.0) && y.holds(value(c.0, c.1))) {
        let (cx, cy) = at(*n, *c);
        canvas.line(&[(cx - 3.6, cy), (cx + 3.6, cy)], Stroke::solid(GREY, 1.6));
    }
    let style = panel.look;
    draw_band(canvas, area, panel.curve, &style, &at);
    let path: Vec<(f64, f64)> = panel.curve.points.iter().map(|(n, v, _)| at(*n, *v)).collect();
    clip(&path, area).iter().for_each(|p| canvas.line(p, Stroke::solid(style.color, 1.1)));
    let measured = panel.row.all.points.iter().map(|p| at(p.n, p.throughput));
    let marks = path.iter().copied().chain(measured);
    let marks = marks.chain(panel.row.breaks.iter().map(|b| at(b.after, panel.gamma * b.after)));
    let marks = marks.chain(panel.row.ceilings.iter().map(|(n, c)| at(*n, *c))).collect::<Vec<_>>();
    for b in &panel.row.breaks {
        draw_break(canvas, area, &x, b, &marks);
    }
    draw_points(canvas, panel, &style, &|n, v| y.holds(value(n, v)).then(|| at(n, v)), with_trials);
}

/// Workers on log2 up to where the law is drawn, and the counts that were measured.
fn workers_axis(panel: &Panel<'_>, area: &Area) -> (Axis, Vec<u32>) {
    let lo = panel.row.all.points.first().map_or(1.0, |p| p.n);
    let end = panel.curve.points.last().map_or(lo, |p| p.0);
    let hi = panel.n_max().max(end).max(2.0 * lo);
    let x = Axis { lo, hi, spacing: Spacing::Log, from: area.x + 5.0, to: area.right() - 5.0 };
    let measured = panel.row.all.points.iter().map(|p| p.n as u32);
    let mut counts: Vec<u32> = measured.chain([end as u32]).collect();
    counts.sort_unstable();
    counts.dedup();
    (x, counts)
}

/// Every value that is drawn, with some room.
fn y_range(measure: Measure, panels: &[Panel<'_>]) -> (f64, f64) {
    let (mut lo, mut hi) = (f64::INFINITY, 0.0_f64);
    for p in panels {
        let all = &p.row.all.points;
        let trials = all.iter().flat_map(|q| q.trials.iter().map(move |t| (q.n, t.1)));
        for (n, x) in trials.chain(p.row.ceilings.iter().copied()) {
            let v = measure.of(n, x, p.gamma);
            (lo, hi) = (lo.min(v), hi.max(v));
        }
    }
    let drawn = panels.iter().flat_map(|p| p.curve.points.iter().map(move |(n, x, _)| (p, n, x)));
    let curves: Vec<f64> = drawn.map(|(p, n, x)| measure.of(*n, *x, p.gamma)).collect();
    let top = curves.iter().copied().fold(hi, f64::max);
    match measure {
        Measure::Speedup => {
            let lo = curves.into_iter().fold(lo, f64::min).max(top / 4096.0);
            ((lo / 1.15).min(0.8), top.max(2.0) * 1.15)
        }
        Measure::Efficiency => (0.0, top.clamp(1.0, 1.6) * 1.08),
        Measure::Throughput => (0.0, top.min(hi * HEADROOM) * 1.06),
    }
}

/// Where the law is drawn and was not fitted.
fn shade(canvas: &mut Canvas, area: &Area, x: &Axis, panel: &Panel<'_>) {
    let end = panel.curve.points.last().map_or(0.0, |p| p.0);
    if panel.fitted_to() < end {
        let to = if end < x.hi { x.at(end) } else { area.right() };
        canvas.rect((x.at(panel.fitted_to()), area.y), (to, area.bottom()), FAINT, 0.55);
    }
}

type At<'a> = dyn Fn(f64, f64) -> (f64, f64) + 'a;

fn draw_band(canvas: &mut Canvas, area: &Area, curve: &LawCurve, style: &Look, at: &At<'_>) {
    let side = |of: fn(&Ends) -> f64| {
        curve.points.iter().filter_map(move |(n, _, ends)| {
            let (x, y) = at(*n, of(&(*ends)?));
            Some((x, y.clamp(area.y, area.bottom())))
        })
    };
    // An open end reaches to the edge of the panel.
    let mut outline: Vec<(f64, f64)> = side(|e| e.hi.unwrap_or(f64::MAX)).collect();
    let mut lower: Vec<(f64, f64)> = side(|e| e.lo.unwrap_or(0.0)).collect();
    lower.reverse();
    outline.append(&mut lower);
    if outline.len() > 3 {
        canvas.polygon(&outline, style.color, 0.18);
    }
}

fn draw_points(
    canvas: &mut Canvas,
    panel: &Panel<'_>,
    style: &Look,
    at: &dyn Fn(f64, f64) -> Option<(f64, f64)>,
    with_trials: bool,
) {
    for p in &panel.row.all.points {
        let fitted = p.n <= panel.fitted_to();
        let style = Look { color: if fitted { style.color } else { GREY }, ..*style };
        for (x, y) in p
            .trials
            .iter()
            .filter(|_| with_trials && p.trials.len() > 1)
            .filter_map(|t| at(p.n, t.1))
        {
            canvas.disc((x + 3.2, y), 0.7, style.color, 0.6);
        }
        if let Some(place) = at(p.n, p.throughput) {
            draw_marker(canvas, &style, place, 3.8);
        }
    }
}
