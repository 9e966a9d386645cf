//! Profile likelihood of a parameter, one small panel each: how much worse the law becomes as the parameter is held
//! away from its best value, the threshold, and the interval that it cuts. An end that is open is seen to stay below.

use amdahl_stats::laws::{Ends, Parameter, Profile};

use crate::plot::Figure;
use crate::plot::axis::{Axis, Spacing, amount, amount_ticks};
use crate::plot::canvas::{Anchor, Canvas, GREY, INK, Rgb, Stroke};
use crate::plot::clip::clip;
use crate::plot::multiples::{Multiples, split};
use crate::plot::panel::Area;
use crate::plot::text::{SIZE_PT, width_pt};

/// The vertical axis ends at so many thresholds.
const TOP: f64 = 1.7;

/// What one panel shows.
pub struct Panel<'a> {
    /// Id.
    pub title: &'a str,
    /// Colour of the curve.
    pub color: Rgb,
    /// The curve.
    pub profile: &'a Profile,
}

/// Draws the figures; `name` and `title` are those of the first where there are several.
pub fn draw(name: &str, title: &str, panels: &[Panel<'_>], facts: &str) -> Vec<Figure> {
    split(name, title, panels, |part, title| figure(part, title, facts))
}

fn figure(panels: &[Panel<'_>], title: &str, facts: &str) -> String {
    let open = panels.iter().any(|p| p.profile.ends.lo.is_none() || p.profile.ends.hi.is_none());
    let mut key = "Curve: rise of the deviance in residual variances, everything else fitted anew. Level line: threshold t²(n−p). \
                   Discs: ends of the 95 % interval. Upright line: 0."
        .to_owned();
    if open {
        key.push_str(" Open: the curve stays below the threshold on that side.");
    }
    let grid = Multiples::new(panels.len(), &key);
    let mut canvas = Canvas::new(grid.width, grid.height);
    for (k, panel) in panels.iter().enumerate() {
        draw_panel(&mut canvas, &grid, k, panel);
    }
    grid.draw_rest(&mut canvas, |k| symbol(panels[k].profile.parameter), "rise of the deviance");
    let said: Vec<String> =
        panels.iter().map(|p| format!("{}: {}.", p.title, interval(p.profile))).collect();
    canvas.finish(title, &format!("{} {facts}", said.join(" ")))
}

fn symbol(parameter: Parameter) -> &'static str {
    match parameter {
        Parameter::Alpha => "α",
        Parameter::Beta => "β",
    }
}

/// `β [2.1e-4, ..]`.
fn interval(p: &Profile) -> String {
    let end = |e: Option<f64>| e.map_or_else(|| "..".to_owned(), amount);
    format!("{} [{}, {}]", symbol(p.parameter), end(p.ends.lo), end(p.ends.hi))
}

fn draw_panel(canvas: &mut Canvas, grid: &Multiples, k: usize, panel: &Panel<'_>) {
    let (area, p) = (&grid.areas[k], panel.profile);
    let (Some(first), Some(last)) = (p.points.first(), p.points.last()) else { return };
    let (lo, hi) =
        if first.0 < last.0 { (first.0, last.0) } else { (first.0 - 1.0, first.0 + 1.0) };
    let x = Axis { lo, hi, spacing: Spacing::Linear, from: area.x, to: area.right() };
    let top = TOP * p.threshold;
    let y = Axis { lo: 0.0, hi: top, spacing: Spacing::Linear, from: area.bottom(), to: area.y };
    let (x_ticks, y_ticks) =
        (amount_ticks(lo, hi, (area.w / 28.0) as usize), amount_ticks(0.0, top, 4));
    grid.draw_frame(canvas, k, (panel.title, &interval(p)), (&x, &x_ticks), (&y, &y_ticks));
    if x.holds(0.0) {
        let at = x.at(0.0);
        canvas.line(&[(at, area.y), (at, area.bottom())], Stroke::solid(GREY, 0.8));
    }
    let level = y.at(p.threshold);
    canvas.line(&[(area.x, level), (area.right(), level)], Stroke::solid(INK, 0.6));
    let path: Vec<(f64, f64)> = p.points.iter().map(|(v, d)| (x.at(*v), y.at(*d))).collect();
    clip(&path, area).iter().for_each(|piece| canvas.line(piece, Stroke::solid(panel.color, 1.2)));
    draw_ends(canvas, area, &x, level, p.ends);
}

/// A disc where the curve crosses the threshold, a thin line down to the value; a word where it does not cross.
fn draw_ends(canvas: &mut Canvas, area: &Area, x: &Axis, level: f64, ends: Ends) {
    for (end, anchor, at) in
        [(ends.lo, Anchor::Left, area.x + 2.0), (ends.hi, Anchor::Right, area.right() - 2.0)]
    {
        match end {
            Some(value) => {
                let at = x.at(value);
                canvas.line(&[(at, level), (at, area.bottom())], Stroke::solid(INK, 0.6));
                canvas.disc((at, level), 1.7, INK, 1.0);
            }
            None if width_pt("open", SIZE_PT) < area.w => {
                canvas.text("open", (at, level - 6.0), anchor, INK);
            }
            None => {}
        }
    }
}
