//! Two runs cell by cell: by how much each changed, its interval, and what counts as no change.

use amdahl_gate::{Cell, Report, Verdict};

use crate::plot::axis::{Axis, Spacing, Tick};
use crate::plot::canvas::{Anchor, Canvas, FAINT, GREY, INK, Rgb, Stroke};
use crate::plot::panel::wrap;
use crate::plot::text::{LINE_PT, SIZE_PT, ending, width_pt};
use crate::plot::{Figure, PAGE_PT};

/// Rows that a page holds; more cells make more figures.
const ROWS_MAX: usize = 40;
const ROW_H: f64 = 13.0;
const TOP: f64 = 10.0;
const AXIS_H: f64 = 30.0;
/// The widest label of a cell.
const LABEL_MAX: f64 = 210.0;
const WITHIN: Rgb = Rgb(0xf0, 0xf0, 0xf0);
const NO_CHANGE: Rgb = Rgb(0xdd, 0xdd, 0xdd);
const WORSE: Rgb = Rgb(0xd5, 0x5e, 0x00);
const BETTER: Rgb = Rgb(0x00, 0x72, 0xb2);
/// The axis shows no more than this, as a ratio in either direction: one cell that halved would make all others a line.
const REACH: f64 = 1.6;

/// Figures of all cells that have an interval, the worst first, a page each.
pub fn draw(report: &Report, facts: &str) -> Vec<Figure> {
    let mut cells: Vec<&Cell> = report.cells.iter().filter(|c| c.ratio.is_some()).collect();
    cells.sort_by_key(|c| c.verdict);
    let pages = cells.chunks(ROWS_MAX).count();
    let x = axis_of(&cells);
    let page = |(k, cells): (usize, &[&Cell])| {
        let (name, of) = match pages {
            1 => ("compare-effects".to_owned(), String::new()),
            _ => (format!("compare-effects-{}", k + 1), format!(", {} of {pages}", k + 1)),
        };
        let title = format!("Change of NEW against BASE{of}");
        let svg = draw_page(cells, &x, &title, facts);
        Figure { name, title, svg }
    };
    cells.chunks(ROWS_MAX).enumerate().map(page).collect()
}

/// Range of ln(ratio) and its ticks: all intervals as far as the axis reaches.
struct Range {
    lo: f64,
    hi: f64,
    ticks: Vec<Tick>,
}

fn axis_of(cells: &[&Cell]) -> Range {
    let ends = || cells.iter().filter_map(|c| c.ratio).flat_map(|r| [r.lo.ln(), r.hi.ln()]);
    let within = cells.iter().map(|c| c.equivalence_margin.ln_1p()).fold(0.01, f64::max);
    let hi = ends().fold(within, f64::max).min(REACH.ln()) * 1.08;
    let lo = ends().fold(-within, f64::min).max(-REACH.ln()) * 1.08;
    let percents = [-30, -20, -10, -5, 0, 5, 10, 20, 30, 50];
    let tick = |p: &i32| Tick {
        value: (f64::from(*p) / 100.0).ln_1p(),
        label: if *p == 0 { "0".to_owned() } else { format!("{p:+} %") },
    };
    Range { lo, hi, ticks: percents.iter().map(tick).collect() }
}

fn draw_page(cells: &[&Cell], range: &Range, title: &str, facts: &str) -> String {
    let label = |c: &Cell| ending(&c.name, LABEL_MAX);
    let left = cells.iter().map(|c| width_pt(&label(c), SIZE_PT)).fold(40.0, f64::max) + 12.0;
    let right = width_pt("inconclusive", SIZE_PT) + 10.0;
    let margins = cells.first().map_or((0.0, 0.0), |c| (c.margin, c.equivalence_margin));
    let key = format!(
        "Disc and bar: change of the mean rate and 95 % interval, each cell by itself. Dark ground: within {:.0} %, which is no change; light: within {:.0} %. \
         Arrows: the interval goes on.",
        100.0 * margins.0,
        100.0 * margins.1
    );
    let key = wrap(&key, PAGE_PT - 12.0);
    let bottom = TOP + ROW_H * cells.len() as f64;
    let height = bottom + AXIS_H + key.len() as f64 * LINE_PT + 4.0;
    let mut canvas = Canvas::new(PAGE_PT, height);
    let (from, to) = (left, PAGE_PT - right);
    let x = Axis { lo: range.lo, hi: range.hi, spacing: Spacing::Linear, from, to };
    for (margin, color) in [(margins.1, WITHIN), (margins.0, NO_CHANGE)] {
        let (a, b) = (x.at(x.clamp(-margin.ln_1p())), x.at(x.clamp(margin.ln_1p())));
        canvas.rect((a, TOP), (b, bottom), color, 1.0);
    }
    let held = range.ticks.iter().filter(|t| x.holds(t.value)).cloned().collect();
    for tick in x.thin(held, |label| width_pt(label, SIZE_PT) + 6.0) {
        let at = x.at(tick.value);
        canvas.line(&[(at, TOP), (at, bottom)], Stroke::solid(FAINT, 0.5));
        canvas.text(&tick.label, (at, bottom + 8.0), Anchor::Middle, INK);
    }
    canvas.line(&[(from, bottom), (to, bottom)], Stroke::solid(INK, 0.6));
    canvas.text("change of throughput", ((from + to) / 2.0, bottom + 19.0), Anchor::Middle, INK);
    for (k, cell) in cells.iter().enumerate() {
        let y = TOP + (k as f64 + 0.5) * ROW_H;
        canvas.text(&label(cell), (left - 6.0, y), Anchor::Right, INK);
        draw_cell(&mut canvas, &x, cell, y);
        canvas.text(cell.verdict.name(), (to + 6.0, y), Anchor::Left, color_of(cell));
    }
    for (k, line) in key.iter().enumerate() {
        let y = height - 4.0 - (key.len() as f64 - k as f64 - 0.5) * LINE_PT;
        canvas.text(line, (6.0, y), Anchor::Left, GREY);
    }
    let changed: Vec<String> = cells
        .iter()
        .filter(|c| color_of(c) != GREY)
        .map(|c| format!("{}: {}.", c.name, c.verdict.name()))
        .collect();
    canvas.finish(title, format!("{} {facts}", changed.join(" ")).trim_start())
}

fn color_of(cell: &Cell) -> Rgb {
    match cell.verdict {
        Verdict::Regressed | Verdict::Suspect => WORSE,
        Verdict::Improved => BETTER,
        _ => GREY,
    }
}

/// The interval, as far as the axis goes, and the estimate if it is on it.
fn draw_cell(canvas: &mut Canvas, x: &Axis, cell: &Cell, y: f64) {
    let Some(r) = cell.ratio else { return };
    let color = color_of(cell);
    let (lo, at, hi) = (r.lo.ln(), r.estimate.ln(), r.hi.ln());
    let bar = Stroke::solid(color, 1.1);
    canvas.line(&[(x.at(x.clamp(lo)), y), (x.at(x.clamp(hi)), y)], bar);
    for (goes_on, tip, way) in [(lo < x.lo, x.from, 1.0), (hi > x.hi, x.to, -1.0)] {
        if goes_on {
            canvas.line(&[(tip + 3.5 * way, y - 2.5), (tip, y), (tip + 3.5 * way, y + 2.5)], bar);
        }
    }
    if x.holds(at) {
        canvas.disc((x.at(at), y), 2.2, color, 1.0);
    }
}
