//! `trace.json`: what one traced program waited for, and what the trace could not see.
//!
//! Written by `amdahl trace`, from the kernel's futex and scheduler tracepoints, or with `--preload` by a library that
//! stands between the program and pthread and sees uncontended locks too. Times are ns of CLOCK_MONOTONIC.

use serde::{Deserialize, Serialize};

use crate::hist::Histogram;

/// The whole of `trace.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// Version of the contract; first of all keys.
    pub schema: u32,
    /// From the first instant traced to the last.
    pub duration_ns: u64,
    /// Records that were read; of the library, calls that were counted.
    pub events: u64,
    /// Records that the kernel dropped because the reader was late; of the library, calls that found no room in its table.
    pub lost_events: u64,
    /// Exit status of the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_status: Option<i32>,
    /// Signal that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_signal: Option<i32>,
    /// What was waited for as a lock, the most waited for first.
    pub locks: Vec<TracedLock>,
    /// Every thread seen, in the order of their ids.
    pub threads: Vec<TracedThread>,
    /// Waits that are no contention, the longest first.
    pub idle: Vec<IdleWait>,
    /// What was not visible.
    pub blind_spots: Vec<BlindSpot>,
}

/// Who saw a lock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LockKind {
    /// The kernel: waits only, so a lock that nobody waited for is not there.
    #[default]
    Futex,
    /// A preloaded library: every acquisition.
    Preload,
}

/// One lock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TracedLock {
    /// Unique within the trace: `futex-1`, `preload-1`.
    pub id: String,
    /// Who saw it.
    pub kind: LockKind,
    /// Process.
    pub pid: u32,
    /// Address in its memory: `0x7f…`.
    pub address: String,
    /// What it is to pthread: `mutex`, `rwlock`, `spin`.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub lock_type: Option<String>,
    /// The rule by which its waits are contention.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Waits that blocked or could have: returned 0, timed out or were interrupted.
    pub waits: u64,
    /// Of those, the ones that ended by their time limit.
    pub timeouts: u64,
    /// Calls that found the word changed and did not wait (EAGAIN); not among `waits`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eagain: Option<u64>,
    /// Time from call to return of the waits.
    pub wait_ns: TimeSummary,
    /// Time held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_ns: Option<TimeSummary>,
    /// From the wake-up call to the waiter running: what a hand-off costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handoff_ns: Option<TimeSummary>,
    /// Acquisitions, waited for or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acquisitions: Option<u64>,
    /// Of those, shared ones: of readers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reads: Option<u64>,
    /// How often it was destroyed: if more than once, several locks lay there one after another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destroyed: Option<u64>,
    /// Acquisitions that did not get it at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contended: Option<u64>,
    /// Threads that ever held it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owners: Option<u64>,
    /// Threads that ever waited for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiters: Option<u64>,
    /// `wait`, `hold`, `handoff`, as far as there are any.
    pub histograms: Vec<Histogram>,
    /// Where it was waited for, the longest first.
    pub callsites: Vec<CallSite>,
    /// Who woke whom, the longest wait first.
    pub wakers: Vec<WakeEdge>,
}

/// Times in short; the quantiles are those of the histogram, to three digits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeSummary {
    /// Number of times.
    pub n: u64,
    /// Their sum, exact.
    pub sum: u64,
    /// Half are at most this.
    pub p50: u64,
    /// 90 of 100.
    pub p90: u64,
    /// 99 of 100.
    pub p99: u64,
    /// 999 of 1000.
    pub p999: u64,
    /// The longest, exact.
    pub max: u64,
}

/// A place in the program that waited.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallSite {
    /// Innermost first: `function (file.rs:12)`, or `module+0x1234` where there is no symbol.
    pub frames: Vec<String>,
    /// Waits there.
    pub waits: u64,
    /// Time waited there.
    pub wait_ns_sum: u64,
}

/// One thread's wake-ups of another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WakeEdge {
    /// Thread that woke.
    pub waker: u32,
    /// Thread that was woken.
    pub waiter: u32,
    /// How often.
    pub wakes: u64,
    /// The time that those waits took.
    pub wait_ns_sum: u64,
}

/// One thread over the trace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TracedThread {
    /// Thread id.
    pub tid: u32,
    /// Process id.
    pub pid: u32,
    /// Its name when it was last seen.
    pub name: String,
    /// On a CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_cpu_ns: Option<u64>,
    /// Neither on a CPU nor waiting for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked_ns: Option<u64>,
    /// Waiting for a CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runnable_ns: Option<u64>,
    /// Waits for locks.
    pub lock_waits: u64,
    /// Time of those.
    pub lock_wait_ns: u64,
    /// Time of waits that are no contention.
    pub idle_wait_ns: u64,
}

/// What kind of waiting a wait is that is no contention.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdleClass {
    /// For a thread to end.
    Join,
    /// For another thread to say so: condition variable, channel, semaphore, barrier.
    #[default]
    Condition,
    /// A pool's thread for work.
    Pool,
    /// For a time to pass.
    Timer,
}

/// A word waited at that is no lock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdleWait {
    /// Unique within the trace: `idle-1`.
    pub id: String,
    /// Process.
    pub pid: u32,
    /// Address in its memory.
    pub address: String,
    /// What kind of waiting.
    pub class: IdleClass,
    /// The rule that says so.
    pub rule: String,
    /// Waits, as in [`TracedLock::waits`].
    pub waits: u64,
    /// Of those, the ones that ended by their time limit.
    pub timeouts: u64,
    /// Time from call to return.
    pub wait_ns: TimeSummary,
    /// Where, the longest first.
    pub callsites: Vec<CallSite>,
    /// Who woke whom, the longest wait first.
    pub wakers: Vec<WakeEdge>,
}

/// Something that was not visible.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlindSpot {
    /// What could not be seen.
    pub what: String,
    /// Why.
    pub why: String,
    /// The most time that it may hide, summed over the threads; absent where nothing bounds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden_ns_max: Option<u64>,
    /// What would show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}
