//! Tables of a program's processes as the contract's [`Trace`]: named, sorted, with what was not seen. Pure but for the namer it is given.

use std::collections::BTreeMap;

use amdahl_schema::{
    CallSite, IdleClass, IdleWait, LockKind, SCHEMA_VERSION, Trace, TracedLock, TracedThread,
};

use super::blind;
use super::elf::Program;
use super::session::Left;
use super::table::{Details, Kind, Lock, Table};
use crate::trace::event::Mapping;
use crate::trace::program::code;
use crate::trace::result::{histogram, summary};
use crate::trace::times::Times;

/// Names a return address in code.
pub type Namer<'a> = dyn FnMut(&[Mapping], u64) -> Vec<String> + 'a;

/// What is known besides the tables.
#[derive(Debug, Clone, Default)]
pub struct Sight {
    /// From start to end, CLOCK_MONOTONIC.
    pub span_ns: (u64, u64),
    /// Process that was started.
    pub pid: u32,
    /// What it is.
    pub program: Program,
    /// Hold times were asked for.
    pub hold: bool,
    /// Processes that run on.
    pub living: Vec<u32>,
}

/// Locks that stand in the result; the others, the least waited for and least taken, are summed up.
pub(super) const LISTED_MAX: usize = 4096;

/// The result; how the program ended is for the caller to add.
pub fn trace(left: &Left, sight: &Sight, namer: &mut Namer<'_>) -> Trace {
    let (mut locks, mut idle, mut threads) = (Vec::new(), Vec::new(), Vec::new());
    for table in &left.tables {
        let code = code(&table.maps);
        for lock in &table.locks {
            let sites = callsites(lock, &code, namer);
            match lock.kind {
                Kind::Cond => idle.extend(condition(table, lock, sites)),
                _ => locks.push(traced(table, lock, sites)),
            }
        }
        threads.extend(table.threads.iter().map(|t| TracedThread {
            tid: t.tid,
            pid: table.pid,
            name: t.name.clone(),
            lock_waits: t.waits,
            lock_wait_ns: t.wait_ns,
            idle_wait_ns: t.idle_ns,
            ..TracedThread::default()
        }));
    }
    // A record without an acquisition: somebody tried, or timed out.
    locks.retain(|l: &TracedLock| l.acquisitions != Some(0) || l.waits > 0);
    locks.sort_by_cached_key(|l| {
        use std::cmp::Reverse;
        (Reverse(l.wait_ns.sum), Reverse(l.acquisitions), l.pid, l.address.clone())
    });
    idle.sort_by_key(|i: &IdleWait| std::cmp::Reverse(i.wait_ns.sum));
    threads.sort_by_key(|t: &TracedThread| (t.tid, t.pid));
    let calls = locks.iter().filter_map(|l| l.acquisitions);
    let events = calls.chain(idle.iter().map(|i| i.waits)).fold(0, u64::saturating_add);
    let lost = left.tables.iter().map(|t| t.unseen[0]).fold(0, u64::saturating_add);
    let mut blind_spots = blind::spots(left, sight, (&locks, &idle));
    if locks.len() > LISTED_MAX {
        blind_spots.push(blind::unlisted(&locks.split_off(LISTED_MAX)));
    }
    locks.iter_mut().zip(1..).for_each(|(l, n)| l.id = format!("preload-{n}"));
    idle.iter_mut().zip(1..).for_each(|(i, n)| i.id = format!("idle-{n}"));
    Trace {
        schema: SCHEMA_VERSION,
        duration_ns: sight.span_ns.1.saturating_sub(sight.span_ns.0),
        events,
        lost_events: lost,
        exit_status: None,
        exit_signal: None,
        locks,
        threads,
        idle,
        blind_spots,
    }
}

fn traced(table: &Table, lock: &Lock, callsites: Vec<CallSite>) -> TracedLock {
    let none = Details::default();
    let details = lock.details.as_deref().unwrap_or(&none);
    let has = |times: &Times| times.n > 0;
    let named = [("wait", &details.wait), ("hold", &details.hold)];
    let lock_type = match lock.kind {
        Kind::Rwlock => "rwlock",
        Kind::Spin => "spin",
        Kind::Mutex | Kind::Cond => "mutex",
    };
    let destroyed = u64::from(lock.destroyed);
    TracedLock {
        id: String::new(),
        kind: LockKind::Preload,
        pid: table.pid,
        address: format!("{:#x}", lock.address),
        lock_type: Some(lock_type.to_owned()),
        waits: lock.contended.saturating_add(lock.timeouts),
        timeouts: lock.timeouts,
        wait_ns: summary(&details.wait),
        hold_ns: has(&details.hold).then(|| summary(&details.hold)),
        acquisitions: Some(lock.writes.saturating_add(lock.reads)),
        reads: (lock.kind == Kind::Rwlock).then_some(lock.reads),
        destroyed: (destroyed > 0).then_some(destroyed),
        contended: Some(lock.contended),
        owners: lock.owners,
        waiters: match lock.details {
            Some(_) => details.waiters,
            // Waited for, but there was no room for by whom.
            None => (lock.contended.saturating_add(lock.timeouts) == 0).then_some(0),
        },
        histograms: named
            .into_iter()
            .filter(|(_, times)| has(times))
            .map(|(name, times)| histogram(name, times))
            .collect(),
        callsites,
        ..TracedLock::default()
    }
}

/// A condition that was waited for; one whose waits have not ended has nothing to tell.
fn condition(table: &Table, lock: &Lock, callsites: Vec<CallSite>) -> Option<IdleWait> {
    let waits = lock.contended.saturating_add(lock.timeouts);
    (waits > 0).then(|| IdleWait {
        id: String::new(),
        pid: table.pid,
        address: format!("{:#x}", lock.address),
        class: IdleClass::Condition,
        rule: "a wait of pthread_cond".to_owned(),
        waits,
        timeouts: lock.timeouts,
        wait_ns: lock.details.as_ref().map(|d| summary(&d.wait)).unwrap_or_default(),
        callsites,
        wakers: Vec::new(),
    })
}

/// Two places of one name are one; the return address lies after the call.
fn callsites(lock: &Lock, code: &[Mapping], namer: &mut Namer<'_>) -> Vec<CallSite> {
    let mut by_name: BTreeMap<Vec<String>, (u64, u64)> = BTreeMap::new();
    for (address, waits, ns) in lock.details.iter().flat_map(|d| &d.sites) {
        let frames = match address {
            0 => vec!["other call sites".to_owned()],
            at => namer(code, at - 1),
        };
        let sum = by_name.entry(frames).or_default();
        *sum = (sum.0.saturating_add(*waits), sum.1.saturating_add(*ns));
    }
    let site = |(frames, (waits, wait_ns_sum))| CallSite { frames, waits, wait_ns_sum };
    let mut sites: Vec<CallSite> = by_name.into_iter().map(site).collect();
    sites.sort_by_key(|s| std::cmp::Reverse(s.wait_ns_sum));
    sites
}
