//! Where a traced program waited for locks: a bar a lock and a bar a call site, the longest first, with what they add up to.

use amdahl_schema::Trace;

use crate::plot::canvas::{Anchor, Canvas, GREY, INK, Rgb, Stroke};
use crate::plot::panel::wrap;
use crate::plot::text::{LINE_PT, SIZE_PT, ends, width_pt};
use crate::plot::{COLUMN_PT, Figure};

/// Bars of one kind at most; the rest is one more.
const BARS_MAX: usize = 10;
const ROW_H: f64 = 21.0;
const TITLE_H: f64 = 18.0;
const BAR: Rgb = Rgb(0xd5, 0x5e, 0x00);
const REST: Rgb = Rgb(0x99, 0x99, 0x99);
const KEY: &str = "Bar: time waited, all threads together. Per cent: of all waits for locks; in parentheses, added up from the top.";

/// Waiting time under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocked {
    /// Lock or call site.
    pub name: String,
    /// Waits.
    pub waits: u64,
    /// Their time.
    pub wait_ns: u64,
}

/// By lock, the longest first.
pub fn by_lock(trace: &Trace) -> Vec<Blocked> {
    let of = |l: &amdahl_schema::TracedLock| Blocked {
        name: l.id.clone(),
        waits: l.waits,
        wait_ns: l.wait_ns.sum,
    };
    sorted(trace.locks.iter().map(of).collect())
}

/// By lock and call site, named by its innermost frame, the longest first.
pub fn by_site(trace: &Trace) -> Vec<Blocked> {
    let all = trace.locks.iter().flat_map(|l| l.callsites.iter().map(move |c| (l, c)));
    let of = |(l, c): (&amdahl_schema::TracedLock, &amdahl_schema::CallSite)| Blocked {
        name: format!("{}: {}", l.id, c.frames.first().map_or("no frames", String::as_str)),
        waits: c.waits,
        wait_ns: c.wait_ns_sum,
    };
    sorted(all.map(of).collect())
}

fn sorted(mut list: Vec<Blocked>) -> Vec<Blocked> {
    list.retain(|b| b.wait_ns > 0);
    list.sort_by(|a, b| b.wait_ns.cmp(&a.wait_ns).then_with(|| a.name.cmp(&b.name)));
    list
}

/// The figure; `None` where nobody waited for a lock.
pub fn draw(trace: &Trace, facts: &str) -> Option<Figure> {
    let total: u64 = trace.locks.iter().map(|l| l.wait_ns.sum).sum();
    let parts = [("By lock", by_lock(trace)), ("By call site", by_site(trace))];
    let parts: Vec<_> = parts.into_iter().filter(|(_, list)| !list.is_empty()).collect();
    if total == 0 || parts.is_empty() {
        return None;
    }
    let parts: Vec<(&str, Vec<Blocked>)> =
        parts.into_iter().map(|(title, list)| (title, few(list))).collect();
    let rows: usize = parts.iter().map(|(_, list)| list.len()).sum();
    let key = wrap(KEY, COLUMN_PT - 12.0);
    let height =
        TITLE_H * parts.len() as f64 + ROW_H * rows as f64 + key.len() as f64 * LINE_PT + 10.0;
    let mut canvas = Canvas::new(COLUMN_PT, height);
    let mut y = 0.0;
    for (title, list) in &parts {
        canvas.bold(title, (6.0, y + 10.0), Anchor::Left);
        y += TITLE_H;
        bars(&mut canvas, list, total, y);
        y += ROW_H * list.len() as f64;
    }
    for (k, line) in key.iter().enumerate() {
        let at = y + 4.0 + (k as f64 + 0.5) * LINE_PT;
        canvas.text(line, (6.0, at), Anchor::Left, GREY);
    }
    let title = "Time waited for locks, by lock and call site".to_owned();
    let svg = canvas.finish(&title, facts);
    Some(Figure { name: "lock-blocked".to_owned(), title, svg })
}

fn few(mut list: Vec<Blocked>) -> Vec<Blocked> {
    if list.len() > BARS_MAX {
        let rest = list.split_off(BARS_MAX - 1);
        list.push(Blocked {
            name: format!("{} others", rest.len()),
            waits: rest.iter().map(|b| b.waits).sum(),
            wait_ns: rest.iter().map(|b| b.wait_ns).sum(),
        });
    }
    list
}

fn bars(canvas: &mut Canvas, list: &[Blocked], total: u64, top: f64) {
    let most = list.iter().map(|b| b.wait_ns).max().unwrap_or(1) as f64;
    let (from, to) = (6.0, COLUMN_PT - 82.0);
    let mut sum = 0;
    for (k, b) in list.iter().enumerate() {
        let y = top + ROW_H * k as f64;
        canvas.text(
            &ends(&b.name, SIZE_PT, COLUMN_PT - 14.0),
            (from + 3.0, y + 4.5),
            Anchor::Left,
            INK,
        );
        let end = from + (to - from) * b.wait_ns as f64 / most;
        let color = if b.name.ends_with(" others") { REST } else { BAR };
        canvas.rect((from, y + 10.0), (end.max(from + 0.5), y + 16.0), color, 1.0);
        sum += b.wait_ns;
        let share = |ns: u64| 100.0 * ns as f64 / total as f64;
        let said = format!("{:.1} % ({:.1} %)", share(b.wait_ns), share(sum));
        debug_assert!(width_pt(&said, SIZE_PT) < 80.0);
        canvas.text(&said, (end + 4.0, y + 13.0), Anchor::Left, INK);
    }
    let bottom = top + ROW_H * list.len() as f64 - 3.0;
    canvas.line(&[(from, top + 9.0), (from, bottom)], Stroke::solid(INK, 0.6));
}
