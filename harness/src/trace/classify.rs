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
    /// Whether nothing in the call said so, only who woke whom: then it may be a lock all the same.
    pub guess: bool,
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

/// Functions that park a thread for whoever calls them, locks and conditions alike: who wakes whom must tell.
const PARKS: [&str; 3] = ["Parker::park(bool", "Unsafe_Park", "FutexEmulation"];

/// Functions that call for a condition of the C library themselves when they wait for CPython's lock.
const GIL: [&str; 5] = [
    "PyEval_RestoreThread",
    "PyEval_AcquireThread",
    "PyGILState_Ensure",
    "_PyEval_EvalFrameDefault",
    "_PyThreadState_Attach",
];

const CONDITIONS: [&str; 14] = [
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
    "Monitor::wait",
    "uv_sem_wait",
    "mpsc",
];

fn verdict(idle: Option<IdleClass>, rule: &'static str) -> Verdict {
    Verdict { idle, rule, guess: false }
}

fn guess(idle: IdleClass, rule: &'static str) -> Verdict {
    Verdict { idle: Some(idle), rule, guess: true }
}

/// Wakers with whom they woke.
pub type Edges = BTreeSet<(u32, u32)>;

/// What the waits at one word from one call site are. `frames` are the site's functions, `site` who woke whom at every word that
/// is waited at from there, this one too: runtimes that park a thread on a word of its own have one a thread.
pub fn classify(frames: &[String], word: &Waits, site: &Edges) -> Verdict {
    use IdleClass::{Condition, Join, Pool};
    let all = |n: u64| n > 0 && n == word.waits;
    let named = |names: &[&str]| frames.iter().any(|f| names.iter().any(|n| f.contains(n)));
    if all(word.expected_thread) {
        return verdict(
            Some(Join),
            "the word holds the id of a thread of the process until that ends",
        );
    }
    if word.pi > 0 {
        return verdict(None, "the operation locks (PI)");
    }
    if all(word.moved) {
        return verdict(None, "waiters of a condition were moved here, to its lock");
    }
    if named(&LOCKS) {
        return verdict(None, "a function of the call site locks");
    }
    if calls(frames, "pthread_cond_", &GIL) {
        return verdict(None, "CPython waits for its global lock");
    }
    if named(&JOINS) {
        return verdict(Some(Join), "a function of the call site waits for a thread to end");
    }
    if named(&POOLS) {
        return verdict(Some(Pool), "a function of the call site is a pool's");
    }
    if named(&PARKS) {
        return by_wakers(word, site);
    }
    if named(&CONDITIONS) {
        return verdict(Some(Condition), "a function of the call site waits for a condition");
    }
    if all(word.expected_two) {
        return verdict(None, "the word holds 2, a contended mutex of glibc, musl, Go and Rust");
    }
    by_wakers(word, site)
}

/// How many frames tell what kind of wait it is: the C library's, and the function that calls it. Who called that differs from
/// wait to wait.
pub fn depth(frames: &[String]) -> usize {
    const C_LIBRARY: [&str; 6] = ["futex_", "pthread_", "lll_lock", "new_sem_", "sem_", "libc.so"];
    let own = |f: &String| C_LIBRARY.iter().any(|c| f.trim_start_matches('_').starts_with(c));
    frames.iter().position(|f| !own(f)).map_or(frames.len(), |k| k + 1)
}

/// Whether one of these functions calls one of that name.
fn calls(frames: &[String], callee: &str, callers: &[&str]) -> bool {
    let from = frames.iter().rposition(|f| f.contains(callee)).map_or(frames.len(), |k| k + 1);
    frames.get(from).is_some_and(|f| callers.iter().any(|c| f.contains(c)))
}

/// Nothing in the call says what it is: who wakes whom must.
fn by_wakers(word: &Waits, site: &Edges) -> Verdict {
    use IdleClass::{Condition, Pool, Timer};
    let others = |(a, b): &(u32, u32)| a != b;
    if word.edges.keys().any(|e| others(e) && word.waiters.contains_key(&e.0)) {
        return verdict(None, "who waits at the word also wakes others who wait there");
    }
    let back = |(a, b): &(u32, u32)| site.contains(&(*b, *a));
    let in_turn = word.edges.iter().filter(|(e, _)| others(e) && back(e)).map(|(_, (n, _))| n);
    if 2 * in_turn.sum::<u64>() > word.waits {
        return verdict(
            None,
            "most waits end by a thread that this one wakes in turn through the same function",
        );
    }
    if word.waits > 0 && word.waits == word.timeouts {
        return verdict(Some(Timer), "every wait ended by its time limit");
    }
    if word.edges.is_empty() {
        return guess(Condition, "nobody was seen to wake it");
    }
    if word.waiters.len() > 1 {
        return guess(Pool, "several threads wait at the word, woken by others only");
    }
    guess(Condition, "one thread waits at the word, woken by others")
}
