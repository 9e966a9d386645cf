//! A trace on the terminal: the locks that cost most, what is idle, what was not seen.

use std::fmt::Write as _;

use amdahl_schema::{IdleClass, IdleWait, LockKind, Trace, TracedLock};

use super::acquisitions;

const LOCKS_SHOWN: usize = 10;
const IDLE_SHOWN: usize = 5;

/// The whole of it.
pub(super) fn text(trace: &Trace) -> String {
    let waited: u64 = trace.locks.iter().map(|l| l.wait_ns.sum).sum();
    let threads = trace.threads.len();
    let locks_n = trace.locks.iter().filter(|l| l.waits > 0).count();
    let s = if locks_n == 1 { "" } else { "s" };
    let mut text = format!(
        "{} of waiting for {locks_n} lock{s} in {}, {threads} threads; {} records, {} lost\n",
        time(waited),
        time(trace.duration_ns),
        trace.events,
        trace.lost_events
    );
    match (trace.exit_status, trace.exit_signal) {
        (Some(status), _) => _ = writeln!(text, "the program ended with status {status}"),
        (_, Some(signal)) => _ = writeln!(text, "the program was ended by signal {signal}"),
        _ => {}
    }
    locks(&mut text, &trace.locks);
    rest(&mut text, trace.locks.len(), LOCKS_SHOWN, "locks");
    if !trace.idle.is_empty() {
        text.push_str("\nno contention:\n");
    }
    trace.idle.iter().take(IDLE_SHOWN).for_each(|i| idle(&mut text, i));
    rest(&mut text, trace.idle.len(), IDLE_SHOWN, "idle words");
    text.push_str("\nnot seen:\n");
    for spot in &trace.blind_spots {
        let bound =
            spot.hidden_ns_max.map_or(String::new(), |ns| format!(", at most {}", time(ns)));
        _ = writeln!(text, "  {}{bound}: {}", spot.what, spot.why);
    }
    text
}

fn locks(text: &mut String, all: &[TracedLock]) {
    let hold = all.iter().any(|l| l.hold_ns.is_some());
    match all.first().map(|l| l.kind) {
        None => {}
        Some(LockKind::Futex) => {
            _ = writeln!(
                text,
                "\n  {:<10} {:>9} {:>9} {:>9} {:>9} {:>9} {:>8}  where",
                "lock", "waits", "time", "p50", "p99", "max", "waiters"
            );
        }
        Some(LockKind::Preload) => acquisitions::head(text, hold),
    }
    for l in all.iter().take(LOCKS_SHOWN) {
        match l.kind {
            LockKind::Futex => lock(text, l),
            LockKind::Preload => acquisitions::row(text, l, hold),
        }
    }
}

fn lock(text: &mut String, l: &TracedLock) {
    let w = &l.wait_ns;
    let waiters = l.waiters.map_or(String::new(), |n| n.to_string());
    _ = writeln!(
        text,
        "  {:<10} {:>9} {:>9} {:>9} {:>9} {:>9} {waiters:>8}  {}",
        l.id,
        l.waits,
        time(w.sum),
        time(w.p50),
        time(w.p99),
        time(w.max),
        l.callsites.first().map_or(l.address.clone(), |s| place(&s.frames, &l.address)),
    );
}

fn idle(text: &mut String, i: &IdleWait) {
    let class = match i.class {
        IdleClass::Join => "join",
        IdleClass::Condition => "condition",
        IdleClass::Pool => "pool",
        IdleClass::Timer => "timer",
    };
    let at = i.callsites.first().map_or(i.address.clone(), |s| place(&s.frames, &i.address));
    _ = writeln!(
        text,
        "  {:<10} {:>9} {:>9}  {class}: {}; {at}",
        i.id,
        i.waits,
        time(i.wait_ns.sum),
        i.rule
    );
}

/// The innermost named frames, without what every wait ends in.
pub(super) fn place(frames: &[String], address: &str) -> String {
    let telling = |f: &&String| !f.contains("syscall") && !f.contains("futex");
    let shown: Vec<&str> = frames.iter().filter(telling).take(3).map(String::as_str).collect();
    if shown.is_empty() { address.to_owned() } else { shown.join(" < ") }
}

fn rest(text: &mut String, n: usize, shown: usize, what: &str) {
    if n > shown {
        _ = writeln!(
            text,
            "  and {} more {what}: --json-out FILE, or trace.json of the run",
            n - shown
        );
    }
}

/// Three digits and a unit.
pub(super) fn time(ns: u64) -> String {
    let (value, unit) = match ns {
        0..1_000 => return format!("{ns} ns"),
        1_000..1_000_000 => (ns as f64 / 1e3, "us"),
        1_000_000..1_000_000_000 => (ns as f64 / 1e6, "ms"),
        _ => (ns as f64 / 1e9, "s"),
    };
    let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.digits$} {unit}")
}
