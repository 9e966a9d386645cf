//! Which lock to take: throughput, the longest usual wait and fairness of each, one line a lock, those that can't be told apart in one band.

use crate::plot::axis::{
    Axis, Spacing, Tick, amount, linear_ticks, time_range, time_ticks, whole_decades,
};
use crate::plot::canvas::{Anchor, Canvas, FAINT, GREY, INK, Rgb, Stroke};
use crate::plot::contention::name;
use crate::plot::panel::wrap;
use crate::plot::text::{LINE_PT, SIZE_PT, width_pt};
use crate::plot::{COLUMN_PT, Figure, PAGE_PT};
use crate::summary::{Estimate, LockCondition, LockRow};

const ROW_H: f64 = 13.0;
const TOP: f64 = 16.0;
const AXIS_H: f64 = 28.0;
const BAND: Rgb = Rgb(0xf4, 0xf4, 0xf4);
const MARK: Rgb = Rgb(0x00, 0x72, 0xb2);
const KEY: &str = "Marker and bar: mean and 95 % interval. Locks that share a letter can't be told apart in throughput or wait; \
                   ground by first letter.";

/// The figure; `None` below two locks with a rate.
pub fn draw(c: &LockCondition, facts: &str) -> Option<Figure> {
    let rows = ranked(c);
    if rows.len() < 2 {
        return None;
    }
    let label = |r: &LockRow| format!("{} ({})", r.label, r.group);
    let left = rows.iter().map(|r| width_pt(&label(r), SIZE_PT)).fold(40.0, f64::max) + 10.0;
    let width = if left > 110.0 { PAGE_PT } else { COLUMN_PT };
    let key = wrap(KEY, width - 12.0);
    let bottom = TOP + ROW_H * rows.len() as f64;
    let height = bottom + AXIS_H + key.len() as f64 * LINE_PT + 4.0;
    let mut canvas = Canvas::new(width, height);
    ground(&mut canvas, &rows, width);
    for (k, row) in rows.iter().enumerate() {
        let y = TOP + (k as f64 + 0.5) * ROW_H;
        canvas.text(&label(row), (left - 6.0, y), Anchor::Right, INK);
    }
    let each = (width - left - 4.0) / 3.0;
    for (k, column) in columns(c, &rows).iter().enumerate() {
        let from = left + each * k as f64 + 8.0;
        draw_column(&mut canvas, column, (from, from + each - 24.0), bottom);
    }
    for (k, line) in key.iter().enumerate() {
        let y = height - 4.0 - (key.len() as f64 - k as f64 - 0.5) * LINE_PT;
        canvas.text(line, (6.0, y), Anchor::Left, GREY);
    }
    let title = match c.condition.as_str() {
        "" => "Locks by throughput, wait and fairness".to_owned(),
        condition => format!("Locks by throughput, wait and fairness, {condition}"),
    };
    let said: Vec<String> = rows.iter().map(|r| label(r)).collect();
    let svg = canvas.finish(&title, &format!("N = {}: {}. {facts}", c.workers, said.join(", ")));
    Some(Figure { name: name(c, "lock-decision"), title, svg })
}

/// The fastest first.
pub fn ranked(c: &LockCondition) -> Vec<&LockRow> {
    let rate = |r: &&LockRow| c.shown(r).and_then(|x| x.rate).map_or(0.0, |e| e.value);
    let mut rows: Vec<&LockRow> = c.locks.iter().filter(|r| rate(r) > 0.0).collect();
    rows.sort_by(|a, b| rate(b).total_cmp(&rate(a)));
    rows
}

fn ground(canvas: &mut Canvas, rows: &[&LockRow], width: f64) {
    let first = |r: &&LockRow| r.group.split(',').next().unwrap_or_default().to_owned();
    let mut from = 0;
    for (k, band) in rows.chunk_by(|a, b| first(a) == first(b)).enumerate() {
        let to = from + band.len();
        if k % 2 == 0 {
            let y = |row: usize| TOP + ROW_H * row as f64;
            canvas.rect((2.0, y(from)), (width - 2.0, y(to)), BAND, 1.0);
        }
        from = to;
    }
}

struct Column {
    title: &'static str,
    spacing: Spacing,
    range: (f64, f64),
    ticks: Vec<Tick>,
    values: Vec<Option<Estimate>>,
}

fn columns(c: &LockCondition, rows: &[&LockRow]) -> [Column; 3] {
    let cells = || rows.iter().map(|r| c.shown(r));
    let rates: Vec<_> = cells().map(|x| x?.rate).collect();
    let waits: Vec<_> = cells().map(|x| x?.wait.as_ref()?.percentiles[2]).collect();
    let sizes: Vec<_> = cells().map(|x| x?.lwss_100).collect();
    let ends = |values: &[Option<Estimate>]| {
        let told = values.iter().flatten();
        told.flat_map(|e| e.ci95.map_or([e.value; 2], |(lo, hi)| [lo, hi])).collect::<Vec<_>>()
    };
    let decades = whole_decades(ends(&rates).into_iter()).unwrap_or((1.0, 10.0));
    let times = time_range(ends(&waits).into_iter()).unwrap_or((1.0, 10.0));
    let n = f64::from(c.workers);
    let powers = (-3..=12).map(|k| 10f64.powi(k)).filter(|v| (decades.0..=decades.1).contains(v));
    let mut whole = linear_ticks(n * 1.05, 4);
    whole.retain(|t| t.value.fract() == 0.0);
    [
        Column {
            title: "operations a second",
            spacing: Spacing::Log,
            range: decades,
            ticks: powers.map(|value| Tick { value, label: amount(value) }).collect(),
            values: rates,
        },
        Column {
            title: "p99 of waits",
            spacing: Spacing::Log,
            range: times,
            ticks: time_ticks(times.0, times.1),
            values: waits,
        },
        Column {
            title: "LWSS(100)",
            spacing: Spacing::Linear,
            range: (0.0, n * 1.05),
            ticks: whole,
            values: sizes,
        },
    ]
}

fn draw_column(canvas: &mut Canvas, column: &Column, (from, to): (f64, f64), bottom: f64) {
    let axis = Axis { lo: column.range.0, hi: column.range.1, spacing: column.spacing, from, to };
    let wide = |l: &str| width_pt(l, SIZE_PT) + 3.0;
    for tick in axis.thin(column.ticks.clone(), wide).iter().filter(|t| axis.holds(t.value)) {
        let at = axis.at(tick.value);
        canvas.line(&[(at, TOP), (at, bottom)], Stroke::solid(FAINT, 0.5));
        if !tick.label.is_empty() {
            canvas.text(&tick.label, (at, bottom + 7.0), Anchor::Middle, INK);
        }
    }
    canvas.line(&[(from, bottom), (to, bottom)], Stroke::solid(INK, 0.6));
    let fits = width_pt(column.title, SIZE_PT) <= to - from + 20.0;
    let title = if fits { column.title } else { "op/s" };
    canvas.text(title, (f64::midpoint(from, to), bottom + 18.5), Anchor::Middle, INK);
    for (k, value) in column.values.iter().enumerate() {
        let Some(e) = value else { continue };
        let y = TOP + (k as f64 + 0.5) * ROW_H;
        if let Some((lo, hi)) = e.ci95 {
            let (l, r) = (axis.at(axis.clamp(lo)), axis.at(axis.clamp(hi)));
            canvas.line(&[(l, y), (r, y)], Stroke::solid(INK, 0.8));
        }
        canvas.disc((axis.at(axis.clamp(e.value)), y), 2.0, MARK, 1.0);
    }
}
