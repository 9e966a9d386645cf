//! Tables of a program's processes as the contract's [`Trace`]: named, sorted, with what was not seen. Pure but for the namer it is given.

use std::collections::BTreeMap;

use amdahl_schema::{
    BlindSpot, CallSite, IdleClass, IdleWait, LockKind, SCHEMA_VERSION, Trace, TracedLock,
    TracedThread,
};

use super::elf::{Hindrance, Origin, Program};
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
const LISTED_MAX: usize = 4096;

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
    let mut blind_spots = spots::of(left, sight, (&locks, &idle));
    if locks.len() > LISTED_MAX {
        blind_spots.push(spots::unlisted(&locks.split_off(LISTED_MAX)));
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
        waiters: if lock.details.is_some() { details.waiters } else { Some(0) },
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

/// What was not visible.
mod spots {
    use super::*;

    fn spot(what: &str, why: String, remedy: Option<&str>) -> BlindSpot {
        let remedy = remedy.map(str::to_owned);
        BlindSpot { what: what.to_owned(), why, hidden_ns_max: None, remedy }
    }

    const BY_FUTEX: &str = "amdahl trace without --preload follows their waits";

    pub(super) fn of(
        left: &Left,
        sight: &Sight,
        (locks, idle): (&[TracedLock], &[IdleWait]),
    ) -> Vec<BlindSpot> {
        let mut spots = Vec::new();
        spots.extend(not_loaded(left, sight));
        let loaded = left.processes.contains(&sight.pid);
        let counted = !locks.is_empty() || !idle.is_empty();
        if loaded && !counted && left.failed.is_empty() {
            let why = "the program made no pthread lock calls: Rust's std, Go and static programs lock without, and what was \
                       started with a cleared environment is not seen";
            spots.push(spot("every lock", why.to_owned(), Some(BY_FUTEX)));
        } else if let (true, Some(origin)) = (loaded, sight.program.origin) {
            let (what, whose) = match origin {
                Origin::Go => ("locks of Go", "Go's runtime"),
                Origin::Rust => {
                    ("locks of Rust's std", "Rust's standard library, parking_lot too,")
                }
            };
            let why = format!("{whose} locks without pthread: what is shown is of C libraries");
            spots.push(spot(what, why, Some(BY_FUTEX)));
        }
        for (pid, why) in &left.failed {
            let why = format!("the locks of process {pid} were not counted: {why}");
            spots.push(spot("a process", why, None));
        }
        spots.push(spot(
            "other locks",
            "only calls of pthread's mutexes, read-write locks, spin locks and conditions are counted: not semaphores (so \
             CPython's threading.Lock), Java's monitors, locks within the C library (malloc, stdio), atomic operations"
                .to_owned(),
            Some(BY_FUTEX),
        ));
        if !sight.hold && counted {
            let why = "times held were not measured: that costs two readings of a clock for each acquisition";
            spots.push(spot("hold times", why.to_owned(), Some("amdahl trace --preload --hold")));
        }
        spots.extend(after_conditions(idle));
        spots.extend(full(left));
        if locks.iter().any(|l| l.owners.is_none() || l.waiters.is_none()) {
            let why = "of locks that more than 512 threads of a process took or waited for, they are not counted";
            spots.push(spot("owners and waiters", why.to_owned(), None));
        }
        spots.extend(unfinished(left, sight));
        if !sight.living.is_empty() {
            let pids: Vec<String> = sight.living.iter().map(u32::to_string).collect();
            let why = format!(
                "processes {} live on: they are counted up to the end of the trace",
                pids.join(", ")
            );
            spots.push(spot("processes left behind", why, None));
        }
        spots
    }

    fn not_loaded(left: &Left, sight: &Sight) -> Option<BlindSpot> {
        let why = match sight.program.hindrance {
            _ if left.processes.contains(&sight.pid) => return None,
            Some(Hindrance::Static) => {
                "the program is linked statically: nothing can be loaded into it"
            }
            Some(Hindrance::Musl) => {
                "the program is linked to musl: a library made for glibc can't be loaded into it"
            }
            Some(Hindrance::OtherMachine) => {
                "the program is of another architecture than this one's library"
            }
            Some(Hindrance::Secure) => {
                "the program gets another user's rights (set-user-id): the dynamic linker loads nothing into such"
            }
            None => {
                "the library was not loaded: the program cleared its environment, or the cache of amdahl lies on a file system \
                 mounted noexec"
            }
        };
        Some(spot("every lock", why.to_owned(), Some(BY_FUTEX)))
    }

    /// They are acquisitions, and may have been waited for.
    fn after_conditions(idle: &[IdleWait]) -> Option<BlindSpot> {
        let hidden = idle.iter().map(|i| i.wait_ns.sum).fold(0, u64::saturating_add);
        let why = "a wait for a condition ends when its mutex is taken again: what of it was waiting for the mutex can't be told";
        let spot = spot("mutexes taken again after a condition", why.to_owned(), None);
        (!idle.is_empty()).then_some(BlindSpot { hidden_ns_max: Some(hidden), ..spot })
    }

    fn full(left: &Left) -> Vec<BlindSpot> {
        let sum = |n: usize| left.tables.iter().map(|t| t.unseen[n]).fold(0, u64::saturating_add);
        let mut spots = Vec::new();
        if sum(0) > 0 {
            let why = format!(
                "{} calls were on locks that found no room in the table (65536 a process), or came before there was one",
                sum(0)
            );
            spots.push(spot("locks beyond the table", why, None));
        }
        if sum(1) > 0 {
            let why = format!(
                "{} times are of locks that found no room for histograms (32768 a process)",
                sum(1)
            );
            spots.push(spot("times beyond the table", why, None));
        }
        if sum(2) > 0 {
            let why = format!("{} threads found no room in the table (16384 a process)", sum(2));
            spots.push(spot("threads beyond the table", why, None));
        }
        spots
    }

    fn unfinished(left: &Left, sight: &Sight) -> Option<BlindSpot> {
        let threads = left.tables.iter().flat_map(|t| &t.threads);
        let since: Vec<u64> = threads.filter_map(|t| t.waiting_since_ns).collect();
        let hidden =
            since.iter().map(|s| sight.span_ns.1.saturating_sub(*s)).fold(0, u64::saturating_add);
        let n = since.len();
        let why = format!(
            "{n} threads waited for a lock or a condition when the trace ended; those waits do not count"
        );
        (n > 0).then(|| BlindSpot {
            hidden_ns_max: Some(hidden),
            ..spot("unfinished waits", why, None)
        })
    }

    pub(super) fn unlisted(locks: &[TracedLock]) -> BlindSpot {
        let calls = locks.iter().filter_map(|l| l.acquisitions).fold(0, u64::saturating_add);
        let waited = locks.iter().map(|l| l.wait_ns.sum).fold(0, u64::saturating_add);
        let why = format!(
            "{} locks with {calls} acquisitions are not listed: the {LISTED_MAX} that were waited for longest and taken most often are",
            locks.len()
        );
        BlindSpot { hidden_ns_max: Some(waited), ..spot("locks that are not listed", why, None) }
    }
}
