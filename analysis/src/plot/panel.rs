//! A grid of panels with their frames, axes, legends and a key below. Draws no data.

use crate::plot::axis::{Axis, Tick};
use crate::plot::canvas::{Anchor, Canvas, FAINT, GREY, INK, Stroke};
use crate::plot::style::{Look, draw_marker, look};
use crate::plot::text::{LINE_PT, SIZE_PT, width_pt};
use crate::plot::{COLUMN_PT, PAGE_H_PT, PAGE_PT, SERIES_MAX};

/// Room left of a plot area for tick labels and the axis title.
const LEFT: f64 = 42.0;
/// Room right of it.
const RIGHT: f64 = 14.0;
/// Room above it for the panel's title.
const TOP: f64 = 17.0;
/// Room below it for tick labels and the axis title.
const BOTTOM: f64 = 27.0;
/// Where a legend's text begins, from the left edge of its cell.
const LABEL_AT: f64 = 34.0;
/// Room between rows of panels.
const GAP: f64 = 8.0;
/// A lower plot area shows nothing.
const PLOT_H_MIN: f64 = 56.0;

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

    /// Lays out panels that each have a legend below, as many a row as its ids leave room for, and as high as a page
    /// holds them: `most` points.
    pub fn fitted<'a>(
        legends: &[usize],
        ids: impl Iterator<Item = &'a str>,
        most: f64,
        key: &str,
    ) -> Self {
        let columns = columns_for(legends.len(), ids);
        let lines = legends.iter().copied().max().unwrap_or(0);
        let plot_h = fitting_height(legends.len().div_ceil(columns), lines, most);
        Self::new(legends, columns, plot_h, key)
    }

    /// Lays out rows of panels of `plot_h` points with one legend at the right of each row; `label` is
    /// the width of its longest text.
    pub fn with_side_legends(
        rows: usize,
        columns: usize,
        label: f64,
        plot_h: f64,
        key: &str,
    ) -> Self {
        let legend = LABEL_AT + label;
        let cell = ((PAGE_PT - legend) / columns as f64).min(COLUMN_PT);
        let row_h = TOP + plot_h + BOTTOM + GAP;
        let area = |k: usize| Area {
            x: cell * (k % columns) as f64 + LEFT,
            y: row_h * (k / columns) as f64 + TOP,
            w: cell - LEFT - RIGHT,
            h: plot_h,
        };
        let width = if columns == 1 { cell + legend } else { PAGE_PT };
        let key = wrap(key, width - 12.0);
        let height = row_h * rows as f64 + key.len() as f64 * LINE_PT + 4.0;
        Self { width, height, areas: (0..rows * columns).map(area).collect(), columns, key }
    }

    /// Where the legend of a row begins.
    pub fn side_legend(&self, row: usize) -> (f64, f64) {
        let last = &self.areas[row * self.columns + self.columns - 1];
        (last.right() + RIGHT, last.y)
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

/// Columns that suit a number of panels whose legends hold these ids.
fn columns_for<'a>(panels: usize, ids: impl Iterator<Item = &'a str>) -> usize {
    let label = ids.map(|id| width_pt(id, SIZE_PT)).fold(0.0, f64::max) + LABEL_AT + 4.0;
    let fitting = ((PAGE_PT / label) as usize).clamp(1, 3);
    match panels {
        0 | 1 => 1,
        2 | 4 => 2.min(fitting),
        _ => fitting,
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
        draw_upright_title(canvas, area, y.2);
    }
}

/// The vertical axis' title; one much longer than its axis takes two lines, so that it does not run into the panels above and
/// below.
fn draw_upright_title(canvas: &mut Canvas, area: &Area, title: &str) {
    let lines = wrap(title, area.h + 22.0);
    for (k, line) in lines.iter().enumerate() {
        let aside = (k as f64 - (lines.len() as f64 - 1.0) / 2.0) * 8.5;
        let middle = (area.y + area.h / 2.0).max(width_pt(line, SIZE_PT) / 2.0 + 2.0);
        canvas.upward(line, (area.x - LEFT + 8.0 + aside, middle));
    }
}

/// A legend below a panel.
pub fn draw_legend(canvas: &mut Canvas, area: &Area, models: &[&str]) {
    let at = (area.x - LEFT + 10.0, area.bottom() + BOTTOM);
    draw_legend_at(canvas, at, models);
}

/// Lines of a legend from a top left corner on: a piece of the line, its marker, the model's id.
pub fn draw_legend_at(canvas: &mut Canvas, (x, top): (f64, f64), models: &[&str]) {
    for (k, model) in models.iter().enumerate() {
        let y = top + (k as f64 + 0.5) * LINE_PT;
        let style = look(model);
        canvas.line(&[(x, y), (x + 20.0, y)], series_stroke(&style));
        draw_marker(canvas, &style, (x + 10.0, y), 4.6);
        canvas.text(model, (x + LABEL_AT - 10.0, y), Anchor::Left, INK);
    }
}

/// The line of a series.
pub fn series_stroke(style: &Look) -> Stroke {
    Stroke::solid(style.color, 1.1).dashed(style.dash)
}

/// An interval as an upright bar with caps that reach `cap` to either side.
pub fn draw_interval(canvas: &mut Canvas, x: f64, (top, bottom): (f64, f64), cap: f64) {
    let (l, r) = (x - cap, x + cap);
    let one_line = [(l, top), (r, top), (x, top), (x, bottom), (l, bottom), (r, bottom)];
    canvas.line(&one_line, Stroke::solid(INK, 0.7));
}

/// Splits models into panels of six at most, models of one kind of sharing together, and names the
/// panels. The models come in the order of [`crate::model::in_order`].
pub fn split_panels<T>(models: &[T], id: impl Fn(&T) -> &str) -> Vec<(String, Vec<&T>)> {
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

/// A title of [`split_panels`] for a narrow panel.
pub fn short_title(title: &str) -> String {
    title.replace(" of one process", "").replace(" in one process", "")
}

/// Height of a plot area in a figure of `rows` rows, each over `legend` lines, that a page can hold: `most`
/// where there is room for it.
pub fn fitting_height(rows: usize, legend: usize, most: f64) -> f64 {
    let each = PAGE_H_PT / rows.max(1) as f64;
    (each - TOP - BOTTOM - GAP - legend as f64 * LINE_PT).clamp(PLOT_H_MIN.min(most), most)
}

/// Breaks text into lines at blanks.
pub(super) fn wrap(text: &str, width: f64) -> Vec<String> {
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
