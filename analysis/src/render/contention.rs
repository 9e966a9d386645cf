//! Contention for locks as tables, words, points and JSON.

use amdahl_stats::{Bracket, BracketPlace};
use serde_json::{Value, json};

use super::csv::{Named, Sheet, cells, real, share, text};
use super::tables::{Align, Align::Left, Align::Right, Table};
use super::{Illustration, Section, format};
use crate::plot::contention::{VIEWS, View, draw, name};
use crate::plot::decision;
use crate::summary::{Estimate, LOCK_PERCENTILES, LockCell, LockCondition, LockTimes, Summary};

type Kind = (&'static str, fn(&LockCell) -> Option<&LockTimes>);

const KINDS: [Kind; 5] = [
    ("wait", |c| c.wait.as_ref()),
    ("hold", |c| c.hold.as_ref()),
    ("hand-off", |c| c.handoff.as_ref()),
    ("wait to read", |c| c.read_wait.as_ref()),
    ("hold to read", |c| c.read_hold.as_ref()),
];

/// All figures of all conditions.
pub(super) fn illustrations(s: &Summary, facts: &str) -> Vec<Illustration> {
    let mut list = Vec::new();
    for c in &s.contention {
        let section = Section::Contention;
        if let Some(figure) = decision::draw(c, facts) {
            let caption = format!(
                "Locks in the order of their throughput{}. Marker: geometric mean over blocks (throughput pass) or trials (latency pass); \
                 bar: its 95 % interval. *p99 of waits*: 1 of 100 acquisitions waits longer. *LWSS(100)*: distinct owners in 100 successive \
                 acquisitions. Locks that share a letter can't be told apart: Welch's interval of the ratio contains 1, the error of 5 % shared by all \
                 comparisons. {facts}",
                at(c, false)
            );
            list.push(Illustration { section, figure, caption, data: vec![decisions(c)] });
        }
        for view in VIEWS {
            let c = &view.seen(c);
            for figure in draw(c, view, facts) {
                let caption =
                    format!("{}{}. {facts}", caption(view), at(c, view == View::Throughput));
                list.push(Illustration { section, figure, caption, data: points(c, view) });
            }
        }
    }
    list
}

/// What all panels have in common: of a figure over N not the N.
fn at(c: &LockCondition, over_n: bool) -> String {
    let condition =
        if c.condition.is_empty() { String::new() } else { format!(", `{}`", c.condition) };
    let p = c.p.map_or_else(String::new, |p| format!(", p = {p}"));
    let n = if over_n { String::new() } else { format!(", N = {}", c.workers) };
    format!("{n}{p}{condition}")
}

fn caption(view: View) -> &'static str {
    match view {
        View::Times => {
            "Share of acquisitions that waited (solid) and were held (dashed) longer than a time, both axes logarithmic; geometric mean over trials, to where 20 of every trial lie beyond"
        }
        View::Handoff => {
            "Share of contended acquisitions of which the hand-off, from the release by the owner before to the acquisition, took longer; both axes logarithmic, geometric mean over trials"
        }
        View::Throughput => {
            "Speed-up against the number of workers by lock. Marker: geometric mean over blocks of rate(N) / rate(1); bar: its 95 % interval; grey ground: from N/(1 + p(N - 1)), where workers always collide, to min(N, 1/p), where they fall into step; in both N is at most the number of CPUs"
        }
        View::Fairness => {
            "Distinct owners in so many successive acquisitions, the median of a trial's sample; mean over trials. Dashed: all workers. The earlier a lock reaches it, the fairer it is in the short run"
        }
        View::Owners => {
            "The first turns of a sample, a line a worker. Thick: has the lock; thin: waits for it"
        }
    }
}

fn decisions(c: &LockCondition) -> (String, String) {
    let mut sheet = Sheet::new(&[
        "lock",
        "model",
        "workers",
        "group",
        "rate",
        "rate_ci95_lo",
        "rate_ci95_hi",
        "wait_p99_ns",
        "wait_p99_ci95_lo",
        "wait_p99_ci95_hi",
        "lwss_100",
        "lwss_100_ci95_lo",
        "lwss_100_ci95_hi",
    ]);
    for row in decision::ranked(c) {
        let Some(cell) = c.shown(row) else { continue };
        let (rate, rate_lo, rate_hi) = cells(cell.rate.as_ref());
        let p99 = cell.wait.as_ref().and_then(|w| w.percentiles[2]);
        let (wait, wait_lo, wait_hi) = cells(p99.as_ref());
        let (lwss, lwss_lo, lwss_hi) = cells(cell.lwss_100.as_ref());
        let n = text(cell.workers);
        sheet.row([
            &row.lock, &row.model, &n, &row.group, &rate, &rate_lo, &rate_hi, &wait, &wait_lo,
            &wait_hi, &lwss, &lwss_lo, &lwss_hi,
        ]);
    }
    (name(c, "lock-decision"), sheet.0)
}

fn points(c: &LockCondition, view: View) -> Named {
    let cells_of = || c.locks.iter().flat_map(|r| r.cells.iter().map(move |x| (r, x)));
    let (what, sheet) = match view {
        View::Times | View::Handoff => {
            let mut sheet =
                Sheet::new(&["lock", "model", "workers", "kind", "time_ns", "share_above"]);
            for (row, cell) in cells_of() {
                for (kind, of) in
                    KINDS.iter().filter(|k| (k.0 == "hand-off") == (view == View::Handoff))
                {
                    for p in of(cell).into_iter().flat_map(|t| &t.curve) {
                        let (ns, share) = (format!("{:.1}", p.latency_ns), share(p.share));
                        sheet.row([&row.lock, &row.model, &text(cell.workers), kind, &ns, &share]);
                    }
                }
            }
            (if view == View::Times { "lock-times" } else { "lock-handoff" }, sheet)
        }
        View::Throughput => {
            let mut sheet = Sheet::new(&[
                "lock",
                "model",
                "workers",
                "rate",
                "rate_ci95_lo",
                "rate_ci95_hi",
                "speedup",
                "ci95_lo",
                "ci95_hi",
                "bracket_lo",
                "bracket_hi",
            ]);
            for (row, cell) in cells_of() {
                let (rate, rate_lo, rate_hi) = cells(cell.rate.as_ref());
                let (s, lo, hi) = cells(cell.speedup.as_ref());
                let edge =
                    |of: fn(Bracket) -> f64| cell.bracket.map_or_else(String::new, |b| real(of(b)));
                let n = text(cell.workers);
                sheet.row([
                    &row.lock,
                    &row.model,
                    &n,
                    &rate,
                    &rate_lo,
                    &rate_hi,
                    &s,
                    &lo,
                    &hi,
                    &edge(|b| b.lo),
                    &edge(|b| b.hi),
                ]);
            }
            ("lock-throughput", sheet)
        }
        View::Fairness => {
            let mut sheet = Sheet::new(&["lock", "model", "workers", "interval", "lwss"]);
            for (row, cell) in cells_of() {
                for (interval, size) in &cell.lwss {
                    let (n, i) = (text(cell.workers), text(interval));
                    sheet.row([&row.lock, &row.model, &n, &i, &real(*size)]);
                }
            }
            ("lock-fairness", sheet)
        }
        View::Owners => {
            let mut sheet = Sheet::new(&[
                "lock",
                "model",
                "worker",
                "requested_ns",
                "acquired_ns",
                "released_ns",
            ]);
            for (row, cell) in cells_of().filter(|(_, x)| x.workers == c.workers) {
                for t in &cell.owners {
                    let ns = |v: f64| format!("{v:.0}");
                    let (a, b, e) = (ns(t.requested_ns), ns(t.acquired_ns), ns(t.released_ns));
                    sheet.row([&row.lock, &row.model, &text(t.worker), &a, &b, &e]);
                }
            }
            ("lock-owners", sheet)
        }
    };
    vec![(name(c, what), sheet.0)]
}

/// Every lock at every N: throughput, load and fairness.
pub(super) fn table(s: &Summary) -> Table {
    let mut table = Table::new(&[
        ("lock", Left),
        ("N", Right),
        ("group", Left),
        ("operations a second", Right),
        ("contended", Right),
        ("utilisation", Right),
        ("mean waiters", Right),
        ("blocked share", Right),
        ("owner changes", Right),
        ("Jain", Right),
        ("LWSS(100)", Right),
        ("MTTR", Right),
        ("convoys", Right),
    ]);
    for (label, cell, group) in all(s) {
        let number = |e: Option<Estimate>| e.map_or_else(unknown, |e| format::two_digits(e.value));
        let percent =
            |e: Option<Estimate>| e.map_or_else(unknown, |e| format!("{:.1} %", 100.0 * e.value));
        table.rows.push(vec![
            label,
            text(cell.workers),
            group,
            cell.rate.as_ref().map_or_else(unknown, format::count_estimate),
            percent(cell.contended),
            percent(cell.utilisation),
            number(cell.mean_waiters),
            percent(cell.blocked_share),
            percent(cell.owner_changes),
            number(cell.jain),
            number(cell.lwss_100),
            number(cell.mttr),
            cell.convoys.map_or_else(unknown, |k| format!("{k} in {}", cell.sampled)),
        ]);
    }
    table
}

/// Columns of a time's distribution.
pub(super) const TIMES: [(&str, Align); 6] = [
    ("p50", Right),
    ("p90", Right),
    ("p99", Right),
    ("p99.9", Right),
    ("max", Right),
    ("count", Right),
];

/// Wait, hold and hand-off of every lock at every N.
pub(super) fn times(s: &Summary) -> Table {
    let mut table =
        Table::new(&[&[("lock", Left), ("N", Right), ("time", Left)], &TIMES[..]].concat());
    for (label, cell, _) in all(s) {
        for (kind, of) in KINDS {
            let Some(t) = of(cell) else { continue };
            let mut row = vec![label.clone(), text(cell.workers), kind.to_owned()];
            let percentile = |e: &Option<Estimate>| {
                e.as_ref().map_or_else(unknown, |e| format::time_ns(e.value.min(t.max_ns as f64)))
            };
            row.extend(t.percentiles.iter().map(percentile));
            row.push(format::time_ns(t.max_ns as f64));
            row.push(text(t.n));
            table.rows.push(row);
        }
    }
    table
}

/// Letters with three or more in a row as a range: `a-d,g`.
fn ranges(letters: &str) -> String {
    let all: Vec<&str> = letters.split(',').collect();
    let next = |a: &str, b: &str| match (a.as_bytes(), b.as_bytes()) {
        ([a], [b]) => a + 1 == *b,
        _ => false,
    };
    let run = |run: &[&str]| match run {
        [first, _, .., last] => format!("{first}-{last}"),
        few => few.join(","),
    };
    all.chunk_by(|a, b| next(a, b)).map(run).collect::<Vec<_>>().join(",")
}

fn unknown() -> String {
    format::UNKNOWN.to_owned()
}

fn all(s: &Summary) -> impl Iterator<Item = (String, &LockCell, String)> {
    s.contention.iter().flat_map(|c| {
        c.locks.iter().flat_map(move |r| {
            r.cells.iter().map(move |cell| {
                let condition = if c.condition.is_empty() {
                    String::new()
                } else {
                    format!(", `{}`", c.condition)
                };
                let group =
                    if cell.workers == c.workers { ranges(&r.group) } else { String::new() };
                (format!("`{}`{condition}", r.label), cell, group)
            })
        })
    })
}

/// Key `contention` of `verdicts.json`: one entry a lock and N.
pub(super) fn json(s: &Summary, name_run: bool) -> Vec<Value> {
    let mut rows = Vec::new();
    for c in &s.contention {
        for r in &c.locks {
            for cell in &r.cells {
                let mut row = cell_json(cell);
                row["lock"] = json!(r.lock);
                row["label"] = json!(r.label);
                row["model"] = json!(r.model);
                row["condition"] = json!(c.condition);
                row["p"] = json!(c.p);
                if cell.workers == c.workers {
                    row["groups"] = r.group.split(',').map(|g| json!(g)).collect();
                }
                if name_run {
                    row["run"] = json!(s.run.name);
                }
                rows.push(row);
            }
        }
    }
    rows
}

fn cell_json(cell: &LockCell) -> Value {
    let estimate =
        |e: Option<Estimate>| e.map(|e| json!({"estimate": e.value, "ci95": e.ci95, "n": e.n}));
    let place = cell.place.map(|p| match p {
        BracketPlace::Below { handoff_ns } => json!({"place": "below", "handoff_ns": handoff_ns}),
        BracketPlace::Inside { share } => json!({"place": "inside", "share": share}),
        BracketPlace::Above => json!({"place": "above"}),
    });
    let mut row = json!({
        "workers": cell.workers,
        "rate": estimate(cell.rate),
        "speedup": estimate(cell.speedup),
        "bracket": cell.bracket.map(|b| [b.lo, b.hi]),
        "in_bracket": place,
        "contended": estimate(cell.contended),
        "utilisation": estimate(cell.utilisation),
        "mean_waiters": estimate(cell.mean_waiters),
        "blocked_share": estimate(cell.blocked_share),
        "owner_changes": estimate(cell.owner_changes),
        "jain": estimate(cell.jain),
        "lwss_100": estimate(cell.lwss_100),
        "mttr": estimate(cell.mttr),
        "convoys": cell.convoys,
        "sampled": cell.sampled,
    });
    for (key, (_, of)) in
        ["wait_ns", "hold_ns", "handoff_ns", "read_wait_ns", "read_hold_ns"].into_iter().zip(KINDS)
    {
        row[key] = of(cell).map_or(Value::Null, |t| {
            let mut times = json!({"count": t.n, "max": t.max_ns});
            for (p, e) in LOCK_PERCENTILES.iter().zip(&t.percentiles) {
                times[format!("p{}", p.to_string().replace('.', ""))] = json!(e.map(|e| e.value));
            }
            times
        });
    }
    row
}

#[cfg(test)]
mod tests {
    use super::ranges;

    #[test]
    fn letters_in_a_row_are_a_range() {
        for (letters, shown) in [
            ("a", "a"),
            ("a,b", "a,b"),
            ("a,b,c,e,f,h", "a-c,e,f,h"),
            ("y,z,aa,ab", "y,z,aa,ab"),
            ("", ""),
        ] {
            assert_eq!(ranges(letters), shown);
        }
    }
}
