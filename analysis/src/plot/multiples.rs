//! Small multiples: one small panel a model under its id and a line of facts, four in a row on a page, two in a column.
//! Draws no data.

use amdahl_stats::laws::Break;

use crate::plot::axis::{Axis, Tick};
use crate::plot::canvas::{Anchor, Canvas, FAINT, GREY, INK, Stroke};
use crate::plot::panel::{Area, wrap};
use crate::plot::text::{LINE_PT, SIZE_PT, ends, width_pt};
use crate::plot::{COLUMN_PT, Figure, PAGE_PT};

/// Panels of one figure at most: more become another figure.
pub const PANELS_MAX: usize = 12;

/// Up to so many panels stand in one column of a paper.
const IN_COLUMN: usize = 6;
/// Room for the title of the vertical axis, once for all panels.
const SIDE: f64 = 11.0;
/// Room left of a plot area for tick labels.
const LEFT: f64 = 26.0;
/// Room right of it.
const RIGHT: f64 = 7.0;
/// Room above it for the id and the facts.
const TOP: f64 = 25.0;
/// Room below it for tick labels.
const BOTTOM: f64 = 15.0;
/// Room for the title of the horizontal axis, once below each column.
const FOOT: f64 = 12.0;
/// Height of a plot area, points.
const PLOT_H: f64 = 70.0;
/// The same where there is only one.
const PLOT_H_ALONE: f64 = 120.0;

/// Bold letters are as wide as plain ones of this size.
const BOLD_PT: f64 = 1.1 * SIZE_PT;

/// Where the panels go.
#[derive(Debug, Clone)]
pub struct Multiples {
    /// Width of the figure.
    pub width: f64,
    /// Height of the figure.
    pub height: f64,
    /// Plot areas in order.
    pub areas: Vec<Area>,
    columns: usize,
    key: Vec<String>,
}

impl Multiples {
    /// Lays out so many panels over a key that explains their marks.
    pub fn new(panels: usize, key: &str) -> Self {
        let columns = match panels {
            0 | 1 => 1,
            n if n <= IN_COLUMN => 2,
            _ => 4,
        };
        let width = if columns == 4 { PAGE_PT } else { COLUMN_PT };
        let cell = (width - SIDE) / columns as f64;
        let plot_h = if columns == 1 { PLOT_H_ALONE } else { PLOT_H };
        let row_h = TOP + plot_h + BOTTOM;
        // A column that ends above the last row has its axis title there, so every row leaves room for one.
        let ragged = panels > columns && !panels.is_multiple_of(columns);
        let step = row_h + if ragged { FOOT } else { 2.0 };
        let area = |k: usize| Area {
            x: SIDE + cell * (k % columns) as f64 + LEFT,
            y: step * (k / columns) as f64 + TOP,
            w: cell - LEFT - RIGHT,
            h: plot_h,
        };
        let rows = panels.div_ceil(columns).max(1);
        let key = wrap(key, width - 12.0);
        let foot = step * (rows - 1) as f64 + row_h + FOOT;
        let height = foot + key.len() as f64 * LINE_PT + 6.0;
        Self { width, height, areas: (0..panels).map(area).collect(), columns, key }
    }

    /// Id, facts, grid lines and ticks of a panel; labels that would touch are left out.
    pub fn draw_frame(
        &self,
        canvas: &mut Canvas,
        panel: usize,
        (title, facts): (&str, &str),
        x: (&Axis, &[Tick]),
        y: (&Axis, &[Tick]),
    ) {
        let area = &self.areas[panel];
        let (left, wide) = (area.x - LEFT + 3.0, area.w + LEFT + RIGHT - 5.0);
        canvas.bold(&ends(title, BOLD_PT, wide), (left, area.y - 17.5), Anchor::Left);
        canvas.text(&ends(facts, SIZE_PT, wide), (left, area.y - 7.5), Anchor::Left, GREY);
        let hair = Stroke::solid(FAINT, 0.5);
        let xs = x.0.thin(x.1.to_vec(), |l| width_pt(l, SIZE_PT) + 2.0);
        for tick in xs.iter().filter(|t| x.0.holds(t.value)) {
            let at = x.0.at(tick.value);
            canvas.line(&[(at, area.y), (at, area.bottom())], hair);
            // Half a label may stand out, but not into the next panel or off the page.
            let inside = at + width_pt(&tick.label, SIZE_PT) / 2.0 < area.right() + RIGHT;
            if !tick.label.is_empty() && inside {
                canvas.text(&tick.label, (at, area.bottom() + 7.0), Anchor::Middle, INK);
            }
        }
        let ys = y.0.thin(y.1.to_vec(), |_| LINE_PT);
        for tick in ys.iter().filter(|t| y.0.holds(t.value)) {
            let at = y.0.at(tick.value);
            canvas.line(&[(area.x, at), (area.right(), at)], hair);
            if !tick.label.is_empty() {
                canvas.text(&tick.label, (area.x - 3.0, at), Anchor::Right, INK);
            }
        }
        let corner = [(area.x, area.y), (area.x, area.bottom()), (area.right(), area.bottom())];
        canvas.line(&corner, Stroke::solid(INK, 0.6));
    }

    /// Titles of both axes (of the horizontal one by panel) and the key.
    pub fn draw_rest(
        &self,
        canvas: &mut Canvas,
        x_title: impl Fn(usize) -> &'static str,
        y_title: &str,
    ) {
        let last = self.areas.len().saturating_sub(self.columns);
        for (k, area) in self.areas.iter().enumerate().skip(last) {
            let at = (area.x + area.w / 2.0, area.bottom() + 17.5);
            canvas.text(x_title(k), at, Anchor::Middle, INK);
        }
        if let (Some(first), Some(last)) = (self.areas.first(), self.areas.last()) {
            canvas.upward(y_title, (7.0, f64::midpoint(first.y, last.bottom())));
        }
        let top = self.height - 4.0 - self.key.len() as f64 * LINE_PT;
        for (k, line) in self.key.iter().enumerate() {
            canvas.text(line, (6.0, top + (k as f64 + 0.5) * LINE_PT), Anchor::Left, GREY);
        }
    }
}

/// A thin line between the last worker count before the change and the next, and its name where marks are farthest.
pub fn draw_break(canvas: &mut Canvas, area: &Area, x: &Axis, b: &Break, marks: &[(f64, f64)]) {
    let at = x.at((b.after * (b.after + 1.0)).sqrt());
    if !(area.x..=area.right()).contains(&at) {
        return;
    }
    canvas.line(&[(at, area.y), (at, area.bottom())], Stroke::solid(GREY, 0.7));
    let side = if at + 9.0 < area.right() { at + 5.0 } else { at - 5.0 };
    let half = width_pt(b.change.label(), SIZE_PT) / 2.0 + 1.0;
    let middle = f64::midpoint(area.y, area.bottom());
    let clearance = |y: f64| {
        let near = marks.iter().filter(|m| (m.0 - side).abs() < 8.0);
        near.map(|m| (m.1 - y).abs()).fold(f64::INFINITY, f64::min)
    };
    let places = [area.bottom() - half, middle, area.y + half];
    let y = places.into_iter().reduce(|a, b| if clearance(b) > clearance(a) { b } else { a });
    canvas.upward(b.change.label(), (side, y.unwrap_or(middle)));
}

/// The figures of some rows, [`PANELS_MAX`] panels at most in each; name and title say which of several one is. `svg` draws these rows
/// under this title.
pub fn split<T>(
    name: &str,
    title: &str,
    rows: &[T],
    svg: impl Fn(&[T], &str) -> String,
) -> Vec<Figure> {
    let drawn = parts(rows).into_iter().filter(|(_, _, part)| !part.is_empty());
    drawn
        .map(|(suffix, which, part)| {
            let title = format!("{title}{which}");
            Figure { name: format!("{name}{suffix}"), svg: svg(part, &title), title }
        })
        .collect()
}

fn parts<T>(rows: &[T]) -> Vec<(String, String, &[T])> {
    let count = rows.len().div_ceil(PANELS_MAX).max(1);
    let each = rows.len().div_ceil(count).max(1);
    // Full rows of four, where the parts stay small enough.
    let each = if count > 1 { each.next_multiple_of(4).min(PANELS_MAX) } else { each };
    let named = |(k, part)| match count {
        1 => (String::new(), String::new(), part),
        _ => (format!("-{}", k + 1), format!(" ({}/{count})", k + 1), part),
    };
    rows.chunks(each).enumerate().map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_keep_to_their_page_and_apart() {
        for n in 1..=PANELS_MAX {
            let m = Multiples::new(n, "what the marks are");
            assert_eq!(m.areas.len(), n);
            let inside = |a: &Area| a.right() < m.width && a.bottom() + BOTTOM + FOOT < m.height;
            assert!(m.areas.iter().all(inside) && m.height < crate::plot::PAGE_H_PT, "{n}");
            for pair in m.areas.windows(2) {
                let (a, b) = (&pair[0], &pair[1]);
                let below = b.y - TOP >= a.bottom() + BOTTOM;
                assert!(below || b.x - LEFT >= a.right(), "{n}: {a:?} {b:?}");
            }
        }
    }

    #[test]
    fn parts_hold_every_row_once() {
        for n in [1, 12, 13, 31, 33, 60] {
            let rows: Vec<usize> = (0..n).collect();
            let parts = parts(&rows);
            assert!(parts.iter().all(|p| p.2.len() <= PANELS_MAX && !p.2.is_empty()));
            assert_eq!(parts.iter().flat_map(|p| p.2).count(), n);
            assert_eq!(parts.len(), n.div_ceil(PANELS_MAX), "{n}");
        }
    }
}
