//! What a latency trial of workload `lock` recorded of each acquisition: times, and who had the lock when.

use std::path::Path;

use amdahl_schema::{Acquisition, Arm, Pass, Trial};

use super::LoadError;
use super::decode::{Times, merged};

/// One trial of one lock.
#[derive(Debug, Clone)]
pub struct LockTrial {
    /// Repetition.
    pub block: u32,
    /// Model id.
    pub model: String,
    /// Workload as it is named, parameters and all.
    pub workload: String,
    /// N.
    pub workers: u32,
    /// Name of the lock.
    pub lock: String,
    /// Share of an operation's work that is done under the lock; none where there is no work.
    pub p: Option<f64>,
    /// Number of locks.
    pub locks: u32,
    /// Length of all windows, ns.
    pub span_ns: u64,
    /// Requested to acquired; of all acquisitions but those in shared mode.
    pub wait: Option<Times>,
    /// Acquired to released.
    pub hold: Option<Times>,
    /// Requested to acquired in shared mode.
    pub read_wait: Option<Times>,
    /// Acquired to released in shared mode.
    pub read_hold: Option<Times>,
    /// Released by the one before to acquired, of contended acquisitions.
    pub handoff: Option<Times>,
    /// Successive acquisitions of the first lock.
    pub owners: Vec<Acquisition>,
}

/// Of a usable latency trial of the model itself.
pub(super) fn lock(
    path: &Path,
    line: usize,
    trial: &Trial,
) -> Result<Option<LockTrial>, LoadError> {
    let wanted = trial.usable() && trial.pass == Pass::Latency && trial.arm == Arm::Model;
    let named =
        trial.params.get("lock").filter(|_| trial.workload.split(' ').next() == Some("lock"));
    let Some(lock) = named.filter(|_| wanted) else { return Ok(None) };
    let number = |key: &str| trial.params.get(key).and_then(|v| v.parse::<u32>().ok());
    let times = |name: &str| merged(path, line, trial, name);
    Ok(Some(LockTrial {
        block: trial.block,
        model: trial.model.clone(),
        workload: trial.workload.clone(),
        workers: trial.workers,
        lock: lock.clone(),
        p: number("permille").filter(|_| number("steps") != Some(0)).map(|p| f64::from(p) / 1000.0),
        locks: number("locks").unwrap_or(1),
        span_ns: trial.window_ns * u64::from(trial.windows_n),
        wait: times("wait")?,
        hold: times("hold")?,
        read_wait: times("read_wait")?,
        read_hold: times("read_hold")?,
        handoff: times("handoff")?,
        owners: trial.owners.iter().flat_map(amdahl_schema::Owners::acquisitions).collect(),
    }))
}
