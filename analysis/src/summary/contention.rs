//! Contention for locks: one row a lock, one cell a number of workers.

use amdahl_stats::{Bracket, BracketPlace};

use super::{CcdfPoint, Estimate};

/// Percentiles of lock times that are shown.
pub const LOCK_PERCENTILES: [f64; 4] = [50.0, 90.0, 99.0, 99.9];

/// Locks under the same conditions.
#[derive(Debug, Clone, PartialEq)]
pub struct LockCondition {
    /// The parameters that tell it from others of the run; empty where there is only one.
    pub condition: String,
    /// Share of an operation's work that is done under the lock.
    pub p: Option<f64>,
    /// N at which locks are compared.
    pub workers: u32,
    /// CPUs.
    pub cpus_available: u32,
    /// One a lock of a runtime.
    pub locks: Vec<LockRow>,
}

/// One lock.
#[derive(Debug, Clone, PartialEq)]
pub struct LockRow {
    /// Runtime, name, and layout where there are several: `rust sharded, packed`.
    pub label: String,
    /// Model id.
    pub model: String,
    /// Name of the lock.
    pub lock: String,
    /// Letters of its groups: locks that share one can't be told apart.
    pub group: String,
    /// By N, ascending.
    pub cells: Vec<LockCell>,
}

/// One lock at one N. What a trial did not record is absent.
#[derive(Debug, Clone, PartialEq)]
pub struct LockCell {
    /// N.
    pub workers: u32,
    /// Operations a second.
    pub rate: Option<Estimate>,
    /// Rate at N / rate at 1.
    pub speedup: Option<Estimate>,
    /// Where it was to be expected.
    pub bracket: Option<Bracket>,
    /// Where it is.
    pub place: Option<BracketPlace>,
    /// Requested to acquired.
    pub wait: Option<LockTimes>,
    /// Acquired to released.
    pub hold: Option<LockTimes>,
    /// Requested to acquired in shared mode.
    pub read_wait: Option<LockTimes>,
    /// Acquired to released in shared mode.
    pub read_hold: Option<LockTimes>,
    /// Released to acquired by the next.
    pub handoff: Option<LockTimes>,
    /// Contended acquisitions / acquisitions.
    pub contended: Option<Estimate>,
    /// Share of the time that it was held.
    pub utilisation: Option<Estimate>,
    /// Workers that waited at a time.
    pub mean_waiters: Option<Estimate>,
    /// Share of the workers' time that they waited.
    pub blocked_share: Option<Estimate>,
    /// Share of acquisitions by another worker than the one before.
    pub owner_changes: Option<Estimate>,
    /// Jain's index.
    pub jain: Option<Estimate>,
    /// Distinct owners in 100 acquisitions.
    pub lwss_100: Option<Estimate>,
    /// Acquisitions by others before the same worker has it again.
    pub mttr: Option<Estimate>,
    /// Convoys in the samples of all trials.
    pub convoys: Option<u64>,
    /// Acquisitions in those samples.
    pub sampled: u64,
    /// LWSS by interval.
    pub lwss: Vec<(u32, f64)>,
    /// The first acquisitions of the first trial.
    pub owners: Vec<Turn>,
}

/// Times of one kind, over trials.
#[derive(Debug, Clone, PartialEq)]
pub struct LockTimes {
    /// Of all trials together.
    pub n: u64,
    /// By [`LOCK_PERCENTILES`]; absent where a trial has too few beyond.
    pub percentiles: [Option<Estimate>; 4],
    /// The longest of all.
    pub max_ns: u64,
    /// Share that takes longer, mean over trials.
    pub curve: Vec<CcdfPoint>,
}

/// One turn of a worker, ns since the first shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Turn {
    /// The worker.
    pub worker: u32,
    /// Asked.
    pub requested_ns: f64,
    /// Had it.
    pub acquired_ns: f64,
    /// Gave it back.
    pub released_ns: f64,
}

impl LockCondition {
    /// The cell of a lock at the N of the comparison.
    pub fn shown<'a>(&self, row: &'a LockRow) -> Option<&'a LockCell> {
        row.cells.iter().find(|c| c.workers == self.workers)
    }
}
