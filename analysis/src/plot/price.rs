//! What one thread pays for having no global lock: a line a kernel, a marker a pair of like builds.

use crate::model::Likeness;
use crate::plot::axis::{Axis, Spacing, linear_ticks};
use crate::plot::canvas::{Anchor, Canvas, FAINT, GREY, INK, Stroke};
use crate::plot::style::{draw_marker, look};
use crate::plot::text::{LINE_PT, SIZE_PT, width_pt};
use crate::plot::thin::apart;
use crate::plot::{Figure, PAGE_PT};
use crate::summary::{PriceFigure, PricePair, PriceRow};

/// Height of a pair's line, points.
const ROW_H: f64 = 11.0;
/// Room between two kernels.
const GAP: f64 = 4.0;
/// Room above the first line.
const TOP: f64 = 14.0;
/// Room for the axis below the last line.
const AXIS_H: f64 = 28.0;

/// Draws the figure; `facts` (machine and date) end its description.
pub fn draw(figure: &PriceFigure, facts: &str) -> Figure {
    let pairs: Vec<&PricePair> = figure.pairs.iter().filter(|p| p.told().count() > 0).collect();
    let kinds = kinds(&pairs);
    let group = ROW_H * pairs.len() as f64 + GAP;
    let bottom = TOP + group * kinds.len() as f64;
    let height = bottom + AXIS_H + LINE_PT * (pairs.len() as f64 + 1.0) + 6.0;
    let mut canvas = Canvas::new(PAGE_PT, height);
    let left = kinds.iter().map(|k| width_pt(k, SIZE_PT)).fold(60.0, f64::max) + 14.0;
    let rows = || pairs.iter().flat_map(|p| p.told());
    let right = rows().map(|r| width_pt(&number(r), SIZE_PT)).fold(40.0, f64::max);
    let (lo, hi) = range(rows());
    let x = Axis { lo, hi, spacing: Spacing::Log, from: left, to: PAGE_PT - right - 16.0 };
    draw_axis(&mut canvas, &x, bottom);
    for (k, kind) in kinds.iter().enumerate() {
        let top = TOP + group * k as f64;
        let middle = top + (group - GAP) / 2.0;
        canvas.text(kind, (left - 8.0, middle), Anchor::Right, INK);
        canvas.line(&[(6.0, top - GAP / 2.0), (x.to, top - GAP / 2.0)], Stroke::solid(FAINT, 0.4));
        for (j, pair) in pairs.iter().enumerate() {
            let y = top + (j as f64 + 0.5) * ROW_H;
            if let Some(row) = pair.told().find(|r| r.kind == *kind) {
                draw_row(&mut canvas, pair, row, &x, y);
            }
        }
    }
    draw_key(&mut canvas, &pairs, bottom + AXIS_H + 4.0);
    let title = "What one thread pays for having no global lock".to_owned();
    let said = pairs.iter().filter_map(|p| {
        let mean = p.mean.centre()?;
        Some(format!("{} over {}: {mean:.2} over all kernels.", p.pair.free, p.pair.locked))
    });
    let description = format!("{} {facts}", said.collect::<Vec<_>>().join(" "));
    let svg = canvas.finish(&title, &description);
    Figure { name: "price-no-gil".to_owned(), title, svg }
}

/// Every kernel of every pair, what sums them up last.
fn kinds<'a>(pairs: &[&'a PricePair]) -> Vec<&'a str> {
    let mut kinds: Vec<&str> = Vec::new();
    let rows = pairs.iter().flat_map(|p| &p.rows);
    let sums = pairs.iter().flat_map(|p| [&p.mean, &p.memory]);
    for row in rows.chain(sums).filter(|r| r.centre().is_some()) {
        if !kinds.contains(&row.kind.as_str()) {
            kinds.push(&row.kind);
        }
    }
    kinds
}

/// All that is drawn and 1, with a little room; an interval that knows nothing does not flatten the rest.
fn range<'a>(rows: impl Iterator<Item = &'a PriceRow>) -> (f64, f64) {
    let values = rows.flat_map(|r| {
        let ends = r.ratio.and_then(|e| e.ci95).map_or(vec![], |(lo, hi)| vec![lo, hi]);
        ends.into_iter().chain(r.blocks.iter().map(|b| b.1)).collect::<Vec<_>>()
    });
    let fold = |(lo, hi): (f64, f64), v: f64| (lo.min(v.max(0.25)), hi.max(v.min(8.0)));
    let (lo, hi) = values.filter(|v| v.is_finite()).fold((0.95, 1.05), fold);
    (lo / 1.04, hi * 1.04)
}

fn draw_axis(canvas: &mut Canvas, x: &Axis, bottom: f64) {
    for tick in linear_ticks(x.hi, 8).into_iter().filter(|t| x.holds(t.value)) {
        let at = x.at(tick.value);
        canvas.line(&[(at, TOP - 4.0), (at, bottom)], Stroke::solid(FAINT, 0.5));
        canvas.text(&tick.label, (at, bottom + 8.0), Anchor::Middle, INK);
    }
    let one = x.at(1.0);
    canvas.line(&[(one, TOP - 4.0), (one, bottom)], Stroke::solid(GREY, 0.8).dashed(&[3.0, 2.5]));
    canvas.line(&[(x.from, bottom), (x.to, bottom)], Stroke::solid(INK, 0.6));
    let middle = f64::midpoint(x.from, x.to);
    let title = "without the lock / with it (right of 1: slower, or more memory, without)";
    canvas.text(title, (middle, bottom + 19.0), Anchor::Middle, INK);
}

fn draw_row(canvas: &mut Canvas, pair: &PricePair, row: &PriceRow, x: &Axis, y: f64) {
    let style = look(&pair.pair.locked);
    for at in apart(row.blocks.iter().filter(|b| x.holds(b.1)).map(|b| x.at(b.1))) {
        canvas.disc((at, y + 3.6), 0.8, style.color, 0.6);
    }
    if let Some((lo, hi)) = row.ratio.and_then(|e| e.ci95) {
        let (a, b) = (x.at(x.clamp(lo)), x.at(x.clamp(hi)));
        let stroke = Stroke::solid(INK, 0.7);
        canvas.line(&[(a, y), (b, y)], stroke);
        canvas.line(&[(a, y - 1.8), (a, y + 1.8)], stroke);
        canvas.line(&[(b, y - 1.8), (b, y + 1.8)], stroke);
    }
    if let Some(v) = row.centre().filter(|v| x.holds(*v)) {
        draw_marker(canvas, &style, (x.at(v), y), 4.0);
    }
    canvas.text(&number(row), (x.to + 8.0, y), Anchor::Left, INK);
}

/// The ratio as it stands at the end of its line.
fn number(row: &PriceRow) -> String {
    match (row.ratio.and_then(|r| Some((r.value, r.ci95?))), row.centre()) {
        (Some((value, (lo, hi))), _) => format!("{value:.2} [{lo:.2}, {hi:.2}]"),
        (None, Some(value)) => format!("{value:.2}, one block"),
        (None, None) => String::new(),
    }
}

/// A marker belongs to the build with the lock: the one without is the same in all.
fn draw_key(canvas: &mut Canvas, pairs: &[&PricePair], top: f64) {
    for (k, p) in pairs.iter().enumerate() {
        let y = top + (k as f64 + 0.5) * LINE_PT;
        draw_marker(canvas, &look(&p.pair.locked), (12.0, y), 4.0);
        let what = match p.pair.likeness {
            Likeness::Build => "one build",
            Likeness::Version => "one version",
        };
        let text = format!("{} / {} ({what})", p.pair.free, p.pair.locked);
        canvas.text(&text, (20.0, y), Anchor::Left, INK);
    }
    let y = top + (pairs.len() as f64 + 0.5) * LINE_PT;
    let key = "Marker and bar: geometric mean over blocks and 95 % interval, in numbers at the right. Small dots: blocks.";
    canvas.text(key, (6.0, y), Anchor::Left, GREY);
}
