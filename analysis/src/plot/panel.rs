//! A grid of panels with their frames, axes, legends and a key below. Draws no data.

use crate::plot::axis::{Axis, Tick};
use crate::plot::canvas::{Anchor, Canvas, FAINT, GREY, INK, Stroke};
use crate::plot::style::{Look, draw_marker, look};
use crate::plot::text::{LINE_PT, SIZE_PT, width_pt};
use crate::plot::{COLUMN_PT, PAGE_PT, SERIES_MAX};

/// Room left of a plot area for tick labels and the axis title.
const LEFT: f64 = 42.0;
/// Room right of it.
const RIGHT: f64 = 8.0;
/// Room above it for the panel's title.
const TOP: f64 = 17.0;
/// Room below it for tick labels and the axis title.
const BOTTOM: f64 = 27.0;
/// Room between rows of panels.
const GAP: f64 = 8.0;

/// A rectangle on the canvas, points; `y` grows downwards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    /// Left edge.
    pub x: f64,
    /// Upper edge.
    pub y: f64,
    /// Width.
    pub w: f64,
    /// Height.
    pub h: f64,
}

impl Area {
    /// Right edge.
    pub fn right(&self) -> f64 {
        self.x + self.w
    }

    /// Lower edge.
    pub fn bottom(&self) -> f64 {
        self.y + self.h
    }
}

/// Where everything of a figure goes.
#[derive(Debug, Clone)]
pub struct Grid {
    /// Width of the figure.
    pub width: f64,
    /// Height of the figure.
    pub height: f64,
    /// Plot areas in order.
    pub areas: Vec<Area>,
    /// Panels in a row.
    pub columns: usize,
    key: Vec<String>,
}

impl Grid {
    /// Lays out panels of `plot_h` points, each with a legend of as many lines as given, over a key
    /// that explains the marks.
    pub fn new(legends: &[usize], columns: usize, plot_h: f64, key: &str) -> Self {
        let columns = columns.min(legends.len()).max(1);
        let width = if columns == 1 { COLUMN_PT } else { PAGE_PT };
        let cell = width / columns as f64;
        let (mut areas, mut y) = (Vec::new(), 0.0);
        for row in legends.chunks(columns) {
            for k in 0..row.len() {
                let x = cell * k as f64 + LEFT;
                areas.push(Area { x, y: y + TOP, w: cell - LEFT - RIGHT, h: plot_h });
            }
            let lines = row.iter().copied().max().unwrap_or(0) as f64;
            y += TOP + plot_h + BOTTOM + lines * LINE_PT + GAP;
        }
        let key = wrap(key, width - 12.0);
        let height = y + key.len() as f64 * LINE_PT + 4.0;
        Self { width, height, areas, columns, key }
    }

    /// Draws the key at the foot of the figure.
    pub fn draw_key(&self, canvas: &mut Canvas) {
        let top = self.height - 4.0 - self.key.len() as f64 * LINE_PT;
        for (k, line) in self.key.iter().enumerate() {
            let y = top + (k as f64 + 0.5) * LINE_PT;
            canvas.text(line, (6.0, y), Anchor::Left, GREY);
        }
    }

    /// Whether a panel stands first in its row, where the vertical axis has its title.
    pub fn leads_row(&self, panel: usize) -> bool {
        panel.is_multiple_of(self.columns)
    }
}

/// Columns that suit a number of panels.
pub fn columns_for(panels: usize) -> usize {
    match panels {
        0 | 1 => 1,
        2 | 4 => 2,
        _ => 3,
    }
}

/// Title, grid lines, ticks and axis titles of one panel.
pub fn draw_frame(
    canvas: &mut Canvas,
    area: &Area,
    title: &str,
    x: (&Axis, &[Tick], &str),
    y: (&Axis, &[Tick], &str),
) {
    canvas.bold(title, (area.x, area.y - 8.0), Anchor::Left);
    let hair = Stroke::solid(FAINT, 0.5);
    for tick in x.1.iter().filter(|t| x.0.holds(t.value)) {
        let at = x.0.at(tick.value);
        canvas.line(&[(at, area.y), (at, area.bottom())], hair);
        canvas.text(&tick.label, (at, area.bottom() + 7.0), Anchor::Middle, INK);
    }
    for tick in y.1.iter().filter(|t| y.0.holds(t.value)) {
        let at = y.0.at(tick.value);
        canvas.line(&[(area.x, at), (area.right(), at)], hair);
        canvas.text(&tick.label, (area.x - 3.0, at), Anchor::Right, INK);
    }
    let edge = Stroke::solid(INK, 0.6);
    canvas.line(&[(area.x, area.y), (area.x, area.bottom()), (area.right(), area.bottom())], edge);
    canvas.text(x.2, (area.x + area.w / 2.0, area.bottom() + 18.0), Anchor::Middle, INK);
    if !y.2.is_empty() {
        canvas.upward(y.2, (area.x - LEFT + 8.0, area.y + area.h / 2.0));
    }
}

/// Lines of a legend below a panel: a piece of the line, its marker, the model's id.
pub fn draw_legend(canvas: &mut Canvas, area: &Area, models: &[&str]) {
    for (k, model) in models.iter().enumerate() {
        let y = area.bottom() + BOTTOM + (k as f64 + 0.5) * LINE_PT;
        let x = area.x - LEFT + 14.0;
        let style = look(model);
        canvas.line(&[(x, y), (x + 20.0, y)], series_stroke(&style));
        draw_marker(canvas, &style, (x + 10.0, y), 4.6);
        canvas.text(model, (x + 25.0, y), Anchor::Left, INK);
    }
}

/// The line of a series.
pub fn series_stroke(style: &Look) -> Stroke {
    Stroke::solid(style.color, 1.1).dashed(style.dash)
}

/// Splits models into panels of six at most, models of one kind of sharing together, and names the
/// panels. The models come in the order of [`crate::model::in_order`].
pub fn split_panels<'a, T>(
    models: &'a [T],
    id: impl Fn(&T) -> &str,
) -> Vec<(String, Vec<&'a T>)> {
    let kind = |m: &T| crate::model::ModelName::parse(id(m)).sharing();
    if models.len() <= SERIES_MAX {
        return vec![(String::new(), models.iter().collect())];
    }
    let mut panels = Vec::new();
    for group in models.chunk_by(|a, b| kind(a) == kind(b)) {
        let parts = group.len().div_ceil(SERIES_MAX);
        let each = group.len().div_ceil(parts);
        for (k, part) in group.chunks(each).enumerate() {
            let title = kind(&part[0]).title();
            let title =
                if parts > 1 { format!("{title} ({}/{parts})", k + 1) } else { title.to_owned() };
            panels.push((title, part.iter().collect()));
        }
    }
    panels
}

/// The pieces of a polyline inside an area.
pub fn clip(points: &[(f64, f64)], area: &Area) -> Vec<Vec<(f64, f64)>> {
    let mut pieces: Vec<Vec<(f64, f64)>> = Vec::new();
    for pair in points.windows(2) {
        let Some((a, b)) = clip_segment(pair[0], pair[1], area) else { continue };
        match pieces.last_mut() {
            Some(piece) if piece.last() == Some(&a) => piece.push(b),
            _ => pieces.push(vec![a, b]),
        }
    }
    pieces
}

type Point = (f64, f64);

/// Liang-Barsky.
fn clip_segment(a: Point, b: Point, area: &Area) -> Option<(Point, Point)> {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let (mut t0, mut t1) = (0.0_f64, 1.0_f64);
    let edges = [
        (-dx, a.0 - area.x),
        (dx, area.right() - a.0),
        (-dy, a.1 - area.y),
        (dy, area.bottom() - a.1),
    ];
    for (p, q) in edges {
        if p == 0.0 {
            if q < 0.0 {
                return None;
            }
        } else if p < 0.0 {
            t0 = t0.max(q / p);
        } else {
            t1 = t1.min(q / p);
        }
    }
    let at = |t: f64| {
        if t == 0.0 {
            a
        } else if t == 1.0 {
            b
        } else {
            (a.0 + t * dx, a.1 + t * dy)
        }
    };
    (t0 < t1).then(|| (at(t0), at(t1)))
}

/// Breaks text into lines at blanks.
fn wrap(text: &str, width: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width_pt(&format!("{line} {word}"), SIZE_PT) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const AREA: Area = Area { x: 0.0, y: 0.0, w: 10.0, h: 10.0 };

    #[test]
    fn lines_end_at_the_edge() {
        let pieces = clip(&[(-5.0, 5.0), (5.0, 5.0), (5.0, 20.0)], &AREA);
        assert_eq!(pieces, [vec![(0.0, 5.0), (5.0, 5.0), (5.0, 10.0)]]);
        assert!(clip(&[(-5.0, -5.0), (-1.0, 20.0)], &AREA).is_empty());
    }

    #[test]
    fn twenty_five_models_are_split_by_kind_six_a_panel() {
        let mut ids: Vec<String> = (8..21).map(|v| format!("python3.{v}/threads")).collect();
        ids.extend((8..20).map(|v| format!("python3.{v}/processes-fork")));
        let panels = split_panels(&ids, |s| s.as_str());
        assert_eq!(panels.len(), 5);
        assert!(panels.iter().all(|(_, m)| m.len() <= SERIES_MAX));
        assert_eq!(panels[0].0, "Threads of one process (1/3)");
        assert_eq!(panels[3].0, "Processes (1/2)");
    }

    #[test]
    fn text_is_broken_at_blanks() {
        assert!(wrap("one two three four five six", 60.0).len() > 1);
    }
}
