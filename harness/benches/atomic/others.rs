//! What other programs took of the machine while a round ran: the kernel's busy time less that of our children.

use std::time::Instant;

/// As the harness has it for blocks: more of the machine's time than this spoils a round, for all programs alike.
pub(crate) const ALLOWED: f64 = 0.05;

pub(crate) struct Before {
    busy: u64,
    own: u64,
    at: Instant,
}

pub(crate) fn before() -> Option<Before> {
    Some(Before { busy: busy()?, own: own()?, at: Instant::now() })
}

/// The share of all CPUs' time; `None` where it can't be known.
pub(crate) fn share_since(before: Option<&Before>) -> Option<f64> {
    let before = before?;
    let others = (busy()? - before.busy).saturating_sub(own()? - before.own);
    let cpus = std::thread::available_parallelism().ok()?.get() as f64;
    // Ticks of 10 ms, as everywhere in /proc.
    Some(others as f64 * 0.01 / (before.at.elapsed().as_secs_f64() * cpus))
}

/// Of all CPUs, ticks: user, nice, system, irq, softirq, steal.
fn busy() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/stat").ok()?;
    let all: Vec<u64> =
        text.lines().next()?.split_whitespace().skip(1).filter_map(|n| n.parse().ok()).collect();
    Some([0, 1, 2, 5, 6, 7].iter().filter_map(|k| all.get(*k)).sum())
}

/// Of this program and all below it that have ended, ticks.
fn own() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = text.rsplit(") ").next()?.split(' ').collect();
    // utime, stime, cutime, cstime: 14 to 17 of the line, whose third comes first behind the name.
    fields.get(11..15)?.iter().map(|n| n.parse::<u64>().ok()).sum()
}
