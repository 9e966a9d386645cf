//! Karp and Flatt's e(N) against N, one small panel a model, with the line that the fitted law says: level under Amdahl's
//! law, rising with N where coherency costs.

use amdahl_stats::laws::{Fit, KarpFlatt};

use crate::plot::Figure;
use crate::plot::axis::{Axis, Spacing, amount_ticks};
use crate::plot::canvas::{Canvas, GREY, Stroke};
use crate::plot::clip::clip;
use crate::plot::multiples::{Multiples, split};
use crate::plot::panel::draw_interval;
use crate::plot::style::{Look, draw_marker};

/// Differences smaller than this are not blown up to the height of a panel.
const SPAN_MIN: f64 = 0.02;
/// More markers than this overlap, and their intervals too.
const POINTS_MAX: usize = 64;

/// What one panel shows.
pub struct Panel<'a> {
    /// Id.
    pub title: &'a str,
    /// Marker and colour.
    pub look: Look,
    /// e(N), ascending.
    pub points: &'a [KarpFlatt],
    /// The law that predicts.
    pub fit: Option<&'a Fit>,
}

impl Panel<'_> {
    /// alpha and beta of e(N) = alpha + beta N; 0 where the law has none.
    fn line(&self) -> Option<(f64, f64)> {
        let p = self.fit?.parameters;
        p.gamma?;
        Some((p.alpha.unwrap_or(0.0), p.beta.unwrap_or(0.0)))
    }

    fn facts(&self) -> String {
        self.fit.map_or_else(|| "no law".to_owned(), |f| f.law.title().to_owned())
    }
}

/// Draws the figures; `name` and `title` are those of the first where there are several.
pub fn draw(name: &str, title: &str, panels: &[Panel<'_>], facts: &str) -> Vec<Figure> {
    split(name, title, panels, |part, title| figure(part, title, facts))
}

fn figure(panels: &[Panel<'_>], title: &str, facts: &str) -> String {
    let grid = Multiples::new(panels.len(), &key(panels));
    let mut canvas = Canvas::new(grid.width, grid.height);
    for (k, panel) in panels.iter().enumerate() {
        draw_panel(&mut canvas, &grid, k, panel);
    }
    grid.draw_rest(&mut canvas, |_| "workers N", "e(N)");
    let last = |p: &Panel<'_>| {
        let e = p.points.last()?;
        Some(format!("{}: e({}) = {:.4}.", p.title, e.n, e.e))
    };
    let said: Vec<String> = panels.iter().filter_map(last).collect();
    canvas.finish(title, &format!("{} {facts}", said.join(" ")))
}

/// Says only what is there.
fn key(panels: &[Panel<'_>]) -> String {
    let intervals = panels.iter().flat_map(|p| p.points).any(|p| p.ci95.is_some());
    let mut key =
        if intervals { "Marker and bar: e(N) and 95 % interval." } else { "Marker: e(N)." }
            .to_owned();
    if panels.iter().any(|p| p.line().is_some()) {
        key.push_str(
            " Line: α + β N of the law named above. Level: a serial share; rising: coherency.",
        );
    }
    if panels.len() > 1 {
        key.push_str(" Each panel has its own scale.");
    }
    key
}

fn draw_panel(canvas: &mut Canvas, grid: &Multiples, k: usize, panel: &Panel<'_>) {
    let area = &grid.areas[k];
    let n_max = panel.points.last().map_or(2.0, |p| p.n).max(2.0);
    // Linear, so that a slope is a slope.
    let x = Axis {
        lo: 0.0,
        hi: n_max,
        spacing: Spacing::Linear,
        from: area.x + 2.0,
        to: area.right() - 5.0,
    };
    let (lo, hi) = range(panel);
    let y = Axis { lo, hi, spacing: Spacing::Linear, from: area.bottom(), to: area.y };
    let mut x_ticks = amount_ticks(0.0, n_max, 4);
    x_ticks.retain(|t| t.value.fract() == 0.0);
    let y_ticks = amount_ticks(lo, hi, 3);
    grid.draw_frame(canvas, k, (panel.title, &panel.facts()), (&x, &x_ticks), (&y, &y_ticks));
    if lo < 0.0 {
        canvas.line(&[(area.x, y.at(0.0)), (area.right(), y.at(0.0))], Stroke::solid(GREY, 0.6));
    }
    if let Some((alpha, beta)) = panel.line() {
        let from = panel.points.first().map_or(1.0, |p| p.n.min(2.0));
        let at = |n: f64| (x.at(n), y.at(alpha + beta * n));
        let stroke = Stroke::solid(panel.look.color, 1.1);
        clip(&[at(from), at(n_max)], area).iter().for_each(|p| canvas.line(p, stroke));
    }
    let few = panel.points.len() <= POINTS_MAX;
    for p in panel.points {
        let at = x.at(p.n);
        if let Some((low, high)) = p.ci95.filter(|c| few && c.0 <= hi && c.1 >= lo) {
            draw_interval(canvas, at, (y.at(y.clamp(high)), y.at(y.clamp(low))), 1.2);
        }
        if y.holds(p.e) {
            draw_marker(canvas, &panel.look, (at, y.at(p.e)), if few { 3.6 } else { 2.0 });
        }
    }
}

/// 0, every point and the line; intervals too, but one that knows nothing does not flatten the rest.
fn range(panel: &Panel<'_>) -> (f64, f64) {
    let ends = panel.points.first().into_iter().chain(panel.points.last()).map(|p| p.n);
    let line = panel.line();
    let on_line = ends.filter_map(|n| line.map(|(alpha, beta)| alpha + beta * n));
    let finite = panel.points.iter().map(|p| p.e).chain(on_line).filter(|v| v.is_finite());
    let wider = |(lo, hi): (f64, f64), v: f64| (lo.min(v), hi.max(v));
    let (lo, hi) = finite.fold((0.0, 0.0), wider);
    let room = (hi - lo).max(SPAN_MIN) * 0.6;
    let (mut least, mut most) = (lo, hi.max(lo + SPAN_MIN));
    for (a, b) in panel.points.iter().filter_map(|p| p.ci95) {
        (least, most) = (least.min(a.max(lo - room)), most.max(b.min(hi + room)));
    }
    let pad = 0.06 * (most - least);
    (if least < 0.0 { least - pad } else { 0.0 }, most + pad)
}
