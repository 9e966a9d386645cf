//! Is a wait for a lock, or idle? A closed list of rules, the first that applies decides, and its text stands in the result.

use std::collections::BTreeSet;

use amdahl_schema::IdleClass;

use super::tracker::Waits;

/// What a wait is, with the rule that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Verdict {
    /// A lock, or which kind of idle wait.
    pub idle: Option<IdleClass>,
    /// The rule.
    pub rule: &'static str,
}

/// Functions whose waits are for locks; they stand before those below, which locks are built from.
const LOCKS: [&str; 16] = [
    "take_gil",
    "PyThread_acquire_lock",
    "PyMutex_Lock",
    "lock_contended",
    "read_contended",
    "write_contended",
    "raw_mutex",
    "raw_rwlock",
    "lock_slow",
    "lll_lock_wait",
    "pthread_mutex_lock",
    "pthread_mutex_clocklock",
    "pthread_mutex_timedlock",
    "pthread_rwlock_",
    "ObjectMonitor::enter",
    "runtime.lock",
];

const JOINS: [&str; 4] = ["pthread_join", "pthread_clockjoin", "JoinHandle", "JoinInner"];

const POOLS: [&str; 6] = [
    "WorkerThread::wait",
    "rayon_core::sleep",
    "ThreadPool",
    "thread_pool",
    "worker::Context::park",
    "runtime.stopm",
];

const CONDITIONS: [&str; 12] = [
    "pthread_cond_",
    "Condvar::",
    "condvar",
    "condition_variable",
    "sem_wait",
    "sem_timedwait",
    "sem_clockwait",
    "pthread_barrier_wait",
    "thread::park",
    "Parker::park",
    "ObjectMonitor::wait",
    "mpsc",
];

fn verdict(idle: Option<IdleClass>, rule: &'static str) -> Verdict {
    Verdict { idle, rule }
}

/// What the waits from one call site are. `frames` are its functions, `sites` every word that is waited at from there:
/// runtimes that park a thread on a word of its own have one a thread.
pub fn classify(frames: &[String], sites: &[&Waits]) -> Verdict {
    use IdleClass::{Condition, Join, Pool};
    let total = |f: fn(&Waits) -> u64| sites.iter().map(|w| f(w)).sum::<u64>();
    let waits = total(|w| w.waits);
    let named = |names: &[&str]| frames.iter().any(|f| names.iter().any(|n| f.contains(n)));
    if waits > 0 && total(|w| w.expected_thread) == waits {
        return verdict(
            Some(Join),
            "the word holds the id of a thread of the process until that ends",
        );
    }
    if total(|w| w.pi) > 0 {
        return verdict(None, "the operation locks (PI)");
    }
    if named(&LOCKS) {
        return verdict(None, "a function of the call site locks");
    }
    if named(&JOINS) {
        return verdict(Some(Join), "a function of the call site waits for a thread to end");
    }
    if named(&POOLS) {
        return verdict(Some(Pool), "a function of the call site is a pool's");
    }
    if named(&CONDITIONS) {
        return verdict(Some(Condition), "a function of the call site waits for a condition");
    }
    if waits > 0 && total(|w| w.expected_two) == waits {
        return verdict(None, "the word holds 2, a contended mutex of glibc, musl, Go and Rust");
    }
    by_wakers(sites, waits, total(|w| w.timeouts))
}

/// Nothing in the call says what it is: who wakes whom must.
fn by_wakers(sites: &[&Waits], waits: u64, timeouts: u64) -> Verdict {
    use IdleClass::{Condition, Pool, Timer};
    let waiters: BTreeSet<u32> = sites.iter().flat_map(|w| w.waiters.keys().copied()).collect();
    let edges = || sites.iter().flat_map(|w| w.edges.keys());
    let turn = |&&(waker, waiter): &&(u32, u32)| waker != waiter && waiters.contains(&waker);
    if edges().any(|e| turn(&e)) {
        return verdict(None, "who waits there also wakes others who wait there");
    }
    if waits > 0 && waits == timeouts {
        return verdict(Some(Timer), "every wait ended by its time limit");
    }
    if edges().next().is_none() {
        return verdict(Some(Condition), "nobody was seen to wake it");
    }
    let class = if waiters.len() > 1 { Pool } else { Condition };
    let rule = match class {
        Pool => "several threads wait at one call site, woken by others only",
        _ => "one thread waits there, woken by others",
    };
    verdict(Some(class), rule)
}
