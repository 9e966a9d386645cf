//! A traced program's waits for locks as words, tables, points and JSON.

mod locks;

use amdahl_schema::{CallSite, IdleClass, TimeSummary, Trace, WakeEdge};
use serde::Serialize;
use serde_json::{Value, json};

use super::contention::TIMES;
use super::csv::{Named, Sheet, text};
use super::tables::{Align::Left, Align::Right, Table};
use super::{Illustration, Section, format};
use crate::plot::blocked;
use crate::summary::Summary;

/// Rows of a list that has no end at most.
const ROWS_MAX: usize = 24;

/// What the template shows of a trace.
#[derive(Debug, Serialize)]
pub(super) struct TraceView {
    command: String,
    words: Vec<String>,
    locks: Table,
    acquired: Table,
    times: Table,
    sites: Table,
    threads: Table,
    wakers: Table,
    idle: Table,
    blind: Table,
}

pub(super) fn view(s: &Summary) -> Option<TraceView> {
    let t = s.trace.as_ref()?;
    let words = &s.run.command;
    let program =
        words.iter().position(|w| w == "--").map_or(words.as_slice(), |k| &words[k + 1..]);
    Some(TraceView {
        command: format::shell(program),
        words: locks::told(t),
        locks: locks::waits(t),
        acquired: locks::acquisitions(t),
        times: times(t),
        sites: sites(t),
        threads: threads(t),
        wakers: wakers(t),
        idle: idle(t),
        blind: blind(t),
    })
}

pub(super) fn illustrations(s: &Summary, facts: &str) -> Vec<Illustration> {
    let Some(t) = &s.trace else { return Vec::new() };
    let Some(figure) = blocked::draw(t, facts) else { return Vec::new() };
    let caption = format!(
        "Time that threads waited for locks, by lock and by call site, the longest first. A wait is from call to return. Per cent: of all such time, in parentheses added up from the top. {facts}"
    );
    vec![Illustration { section: Section::Contention, figure, caption, data: points(t) }]
}

fn points(t: &Trace) -> Named {
    let mut sheet = Sheet::new(&["by", "name", "waits", "wait_ns"]);
    for (by, list) in [("lock", blocked::by_lock(t)), ("callsite", blocked::by_site(t))] {
        for b in list {
            sheet.row([by, &b.name, &text(b.waits), &text(b.wait_ns)]);
        }
    }
    vec![("lock-blocked".to_owned(), sheet.0)]
}

fn ns(value: u64) -> String {
    format::time_ns(value as f64)
}

fn maybe(value: Option<u64>) -> String {
    value.map_or_else(|| format::UNKNOWN.to_owned(), text)
}

fn times(t: &Trace) -> Table {
    let mut table = Table::new(&[&[("lock", Left), ("time", Left)], &TIMES[..]].concat());
    for l in t.locks.iter().take(ROWS_MAX) {
        let all = [("wait", Some(l.wait_ns)), ("hold", l.hold_ns), ("hand-off", l.handoff_ns)];
        for (name, s) in
            all.iter().filter_map(|(name, s)| Some((name, (*s)?))).filter(|s| s.1.n > 0)
        {
            table.rows.push(vec![
                format!("`{}`", l.id),
                (*name).to_owned(),
                ns(s.p50),
                ns(s.p90),
                ns(s.p99),
                ns(s.p999),
                ns(s.max),
                text(s.n),
            ]);
        }
    }
    table
}

fn frames(site: &CallSite) -> String {
    let named: Vec<String> = site.frames.iter().map(|f| format!("`{f}`")).collect();
    if named.is_empty() { format::UNKNOWN.to_owned() } else { named.join(" ← ") }
}

fn sites(t: &Trace) -> Table {
    let mut table = Table::new(&[
        ("lock", Left),
        ("waits", Right),
        ("time waited", Right),
        ("called from, innermost first", Left),
    ]);
    let mut all: Vec<_> =
        t.locks.iter().flat_map(|l| l.callsites.iter().map(move |c| (l, c))).collect();
    all.sort_by_key(|(_, c)| std::cmp::Reverse(c.wait_ns_sum));
    for (l, c) in all.into_iter().take(ROWS_MAX) {
        table.rows.push(vec![format!("`{}`", l.id), text(c.waits), ns(c.wait_ns_sum), frames(c)]);
    }
    table
}

fn threads(t: &Trace) -> Table {
    let mut table = Table::new(&[
        ("thread", Right),
        ("name", Left),
        ("on a CPU", Right),
        ("runnable", Right),
        ("blocked", Right),
        ("waits for locks", Right),
        ("time waited", Right),
        ("idle waits", Right),
    ]);
    let mut all: Vec<_> = t.threads.iter().collect();
    all.sort_by_key(|x| (std::cmp::Reverse(x.lock_wait_ns), x.tid));
    let time = |v: Option<u64>| v.map_or_else(|| format::UNKNOWN.to_owned(), ns);
    for x in all.into_iter().take(ROWS_MAX) {
        let name =
            if x.name.is_empty() { format::UNKNOWN.to_owned() } else { format!("`{}`", x.name) };
        table.rows.push(vec![
            text(x.tid),
            name,
            time(x.on_cpu_ns),
            time(x.runnable_ns),
            time(x.blocked_ns),
            text(x.lock_waits),
            ns(x.lock_wait_ns),
            ns(x.idle_wait_ns),
        ]);
    }
    table
}

fn wakers(t: &Trace) -> Table {
    let mut table = Table::new(&[
        ("lock", Left),
        ("woken by", Right),
        ("waiter", Right),
        ("wake-ups", Right),
        ("time waited", Right),
    ]);
    let mut all: Vec<_> =
        t.locks.iter().flat_map(|l| l.wakers.iter().map(move |e| (l, e))).collect();
    all.sort_by_key(|(_, e): &(_, &WakeEdge)| std::cmp::Reverse(e.wait_ns_sum));
    for (l, e) in all.into_iter().take(ROWS_MAX) {
        table.rows.push(vec![
            format!("`{}`", l.id),
            text(e.waker),
            text(e.waiter),
            text(e.wakes),
            ns(e.wait_ns_sum),
        ]);
    }
    table
}

fn idle(t: &Trace) -> Table {
    let mut table = Table::new(&[
        ("wait", Left),
        ("class", Left),
        ("rule", Left),
        ("waits", Right),
        ("timeouts", Right),
        ("time waited", Right),
        ("p50", Right),
        ("max", Right),
        ("called from", Left),
    ]);
    for i in t.idle.iter().take(ROWS_MAX) {
        let class = match i.class {
            IdleClass::Join => "join",
            IdleClass::Condition => "condition",
            IdleClass::Pool => "pool",
            IdleClass::Timer => "timer",
        };
        table.rows.push(vec![
            format!("`{}`", i.id),
            class.to_owned(),
            i.rule.clone(),
            text(i.waits),
            text(i.timeouts),
            ns(i.wait_ns.sum),
            ns(i.wait_ns.p50),
            ns(i.wait_ns.max),
            i.callsites.first().map_or_else(|| format::UNKNOWN.to_owned(), frames),
        ]);
    }
    table
}

fn blind(t: &Trace) -> Table {
    let mut table = Table::new(&[
        ("not visible", Left),
        ("why", Left),
        ("hides at most", Right),
        ("remedy", Left),
    ]);
    for b in &t.blind_spots {
        table.rows.push(vec![
            b.what.clone(),
            b.why.clone(),
            b.hidden_ns_max.map_or_else(|| "unknown".to_owned(), ns),
            b.remedy.clone().unwrap_or_else(|| format::UNKNOWN.to_owned()),
        ]);
    }
    table
}

/// Entries of key `contention`: one a traced lock.
pub(super) fn json(s: &Summary, name_run: bool) -> Vec<Value> {
    let summary = |t: TimeSummary| json!({"count": t.n, "sum": t.sum, "p50": t.p50, "p90": t.p90, "p99": t.p99, "p999": t.p999, "max": t.max});
    let locks = s.trace.iter().flat_map(|t| &t.locks);
    let of = |l: &amdahl_schema::TracedLock| {
        let mut row = json!({
            "traced": l.id,
            "kind": l.kind,
            "pid": l.pid,
            "address": l.address,
            "waits": l.waits,
            "timeouts": l.timeouts,
            "wait_ns": summary(l.wait_ns),
            "hold_ns": l.hold_ns.map(summary),
            "handoff_ns": l.handoff_ns.map(summary),
            "acquisitions": l.acquisitions,
            "contended": l.contended,
        });
        if name_run {
            row["run"] = json!(s.run.name);
        }
        row
    };
    locks.map(of).collect()
}
