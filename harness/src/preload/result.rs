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

#[cfg(test)]
mod tests {
    use super::super::elf::Hindrance;
    use super::super::table::Thread;
    use super::*;

    fn lock(kind: Kind, address: u64, writes: u64, waited: &[u64]) -> Lock {
        let mut wait = Times::default();
        waited.iter().for_each(|ns| wait.record(*ns));
        let contended = waited.len() as u64;
        let sites = vec![(0x2005, contended, wait.sum)];
        let details = Details { wait, sites, waiters: Some(1), ..Details::default() };
        Lock {
            kind,
            address,
            writes,
            reads: 0,
            contended,
            timeouts: 0,
            destroyed: 0,
            owners: Some(2),
            details: (contended > 0).then(|| Box::new(details)),
        }
    }

    fn made(table: Table, sight: &Sight) -> Trace {
        let left = Left { processes: vec![table.pid], tables: vec![table], failed: Vec::new() };
        trace(&left, sight, &mut |_, address| vec![format!("{address:#x}")])
    }

    fn why(trace: &Trace, what: &str) -> Option<(String, Option<u64>)> {
        let spot = trace.blind_spots.iter().find(|s| s.what == what)?;
        Some((spot.why.clone(), spot.hidden_ns_max))
    }

    #[test]
    fn the_most_waited_for_comes_first_and_conditions_are_idle() {
        let locks = vec![
            lock(Kind::Mutex, 0x10, 9, &[]),
            lock(Kind::Spin, 0x20, 5, &[1000, 3000]),
            lock(Kind::Cond, 0x30, 0, &[500]),
            // Tried and not got.
            lock(Kind::Mutex, 0x40, 0, &[]),
        ];
        let waits = Thread {
            tid: 7,
            waits: 2,
            wait_ns: 4000,
            idle_ns: 500,
            waiting_since_ns: Some(900),
            name: "worker".to_owned(),
        };
        let table = Table { pid: 7, locks, threads: vec![waits], ..Table::default() };
        let sight = Sight { span_ns: (100, 1000), pid: 7, ..Sight::default() };
        let trace = made(table, &sight);
        let shown: Vec<(&str, &str, Option<u64>)> = trace
            .locks
            .iter()
            .map(|l| (l.id.as_str(), l.address.as_str(), l.acquisitions))
            .collect();
        assert_eq!(shown, [("preload-1", "0x20", Some(5)), ("preload-2", "0x10", Some(9))]);
        let spin = &trace.locks[0];
        assert_eq!((spin.waits, spin.wait_ns.sum, spin.wait_ns.max), (2, 4000, 3000));
        assert_eq!(spin.callsites[0].frames, ["0x2004"], "in the call, not after it");
        assert_eq!((trace.idle[0].address.as_str(), trace.idle[0].waits), ("0x30", 1));
        assert_eq!((trace.events, trace.duration_ns), (15, 900));
        assert_eq!(trace.threads[0].lock_wait_ns, 4000);
        assert_eq!(why(&trace, "unfinished waits").unwrap().1, Some(100));
        assert_eq!(why(&trace, "mutexes taken again after a condition").unwrap().1, Some(500));
        assert!(why(&trace, "hold times").is_some());
    }

    #[test]
    fn what_found_no_room_and_what_can_t_be_loaded_are_told() {
        let locks = (0..5000).map(|n| lock(Kind::Mutex, 16 * n, 2, &[])).collect();
        let table = Table { pid: 7, unseen: [11, 12, 13], locks, ..Table::default() };
        let sight = Sight { pid: 7, hold: true, ..Sight::default() };
        let all = made(table, &sight);
        assert_eq!((all.locks.len(), all.events, all.lost_events), (LISTED_MAX, 10_000, 11));
        let unlisted = why(&all, "locks that are not listed").unwrap().0;
        assert!(unlisted.starts_with("904 locks with 1808 acquisitions"), "{unlisted}");
        for (what, n) in [("locks", "11"), ("times", "12"), ("threads", "13")] {
            assert!(why(&all, &format!("{what} beyond the table")).unwrap().0.starts_with(n));
        }
        assert!(why(&all, "hold times").is_none() && why(&all, "every lock").is_none());
        let program = Program { hindrance: Some(Hindrance::Secure), origin: None };
        let sight = Sight { pid: 8, program, ..Sight::default() };
        let none = trace(&Left::default(), &sight, &mut |_, _| Vec::new());
        assert!(why(&none, "every lock").unwrap().0.contains("set-user-id"));
    }
}
