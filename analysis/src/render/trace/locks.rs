//! A traced program's locks, as sentences and tables.

use amdahl_schema::{LockKind, Trace, TracedLock};

use super::{ROWS_MAX, maybe, ns};
use crate::render::csv::text;
use crate::render::format;
use crate::render::tables::{Align::Left, Align::Right, Table};

/// What was traced, in sentences.
pub(super) fn told(t: &Trace) -> Vec<String> {
    let waits: u64 = t.locks.iter().map(|l| l.waits).sum();
    let waited_for = t.locks.iter().filter(|l| l.waits > 0).count();
    let wait: u64 = t.locks.iter().map(|l| l.wait_ns.sum).sum();
    let idle: u64 = t.idle.iter().map(|i| i.wait_ns.sum).sum();
    let ended = match (t.exit_status, t.exit_signal) {
        (Some(status), _) => format!("It ended with status {status}."),
        (None, Some(signal)) => format!("It was ended by signal {signal}."),
        (None, None) => "It was not seen to end.".to_owned(),
    };
    let lost = match t.lost_events {
        0 => "No record was lost.".to_owned(),
        n => format!("{n} records were lost; each may hide a wait."),
    };
    let shown = match t.locks.len() {
        n if n > ROWS_MAX => {
            format!(
                " The tables show the {ROWS_MAX} that were waited for longest; `trace.json` has all."
            )
        }
        _ => String::new(),
    };
    vec![
        format!(
            "Traced for {}: {} threads waited {waits} times for {waited_for} locks{}, {} in sum. {ended}{shown}",
            ns(t.duration_ns),
            t.threads.len(),
            taken(t),
            ns(wait)
        ),
        format!(
            "Waits that are no contention (joins, conditions, pools, timers) took {} in sum and are told apart by the rule in their row.",
            ns(idle)
        ),
        format!("{} records were read. {lost}", t.events),
    ]
}

/// Of a trace that saw every acquisition: how many there were, and of how many locks.
fn taken(t: &Trace) -> String {
    let acquisitions: u64 = t.locks.iter().filter_map(|l| l.acquisitions).sum();
    match acquisitions {
        0 => String::new(),
        n => format!(", of {} that were taken {n} times", t.locks.len()),
    }
}

/// Locks that a library in the program saw: every acquisition.
pub(super) fn acquisitions(t: &Trace) -> Table {
    let mut table = Table::new(&[
        ("lock", Left),
        ("type", Left),
        ("process", Right),
        ("address", Left),
        ("acquisitions", Right),
        ("contended", Right),
        ("owners", Right),
        ("waiters", Right),
        ("timeouts", Right),
        ("time waited", Right),
        ("time held", Right),
    ]);
    for l in of(t, LockKind::Preload) {
        let share = l.contended.zip(l.acquisitions).filter(|(_, all)| *all > 0);
        let share = share.map_or_else(
            || format::UNKNOWN.to_owned(),
            |(c, all)| format!("{:.2} %", 100.0 * c as f64 / all as f64),
        );
        table.rows.push(vec![
            format!("`{}`", l.id),
            l.lock_type.clone().unwrap_or_else(|| format::UNKNOWN.to_owned()),
            text(l.pid),
            format!("`{}`", l.address),
            maybe(l.acquisitions),
            share,
            maybe(l.owners),
            maybe(l.waiters),
            text(l.timeouts),
            ns(l.wait_ns.sum),
            l.hold_ns.map_or_else(|| format::UNKNOWN.to_owned(), |h| ns(h.sum)),
        ]);
    }
    table
}

/// Locks that the kernel saw: waits only.
pub(super) fn waits(t: &Trace) -> Table {
    let mut table = Table::new(&[
        ("lock", Left),
        ("process", Right),
        ("address", Left),
        ("waits", Right),
        ("timeouts", Right),
        ("EAGAIN", Right),
        ("time waited", Right),
        ("waiters", Right),
        ("why a lock", Left),
    ]);
    for l in of(t, LockKind::Futex) {
        table.rows.push(vec![
            format!("`{}`", l.id),
            text(l.pid),
            format!("`{}`", l.address),
            text(l.waits),
            text(l.timeouts),
            maybe(l.eagain),
            ns(l.wait_ns.sum),
            maybe(l.waiters),
            l.rule.clone().unwrap_or_else(|| "a lock call of pthread".to_owned()),
        ]);
    }
    table
}

fn of(t: &Trace, kind: LockKind) -> impl Iterator<Item = &TracedLock> {
    t.locks.iter().filter(move |l| l.kind == kind).take(ROWS_MAX)
}
