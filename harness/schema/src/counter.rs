//! A counter is a value, or absent with its reason; never 0 for unknown.

use serde::{Deserialize, Serialize};

/// Why a figure is missing and what would help.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absence {
    /// What the kernel or the runtime said (`ENOENT: no PMU` …).
    pub reason: String,
    /// The exact command or setting that would help; absent where nothing would.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// A raw count with the times that tell whether it was multiplexed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CounterValue {
    /// Raw count, unscaled, summed over the carriers.
    pub count: u64,
    /// Time the events were enabled, summed over the carriers; absent for /proc sources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled_ns: Option<u64>,
    /// Time they were counting; below `enabled_ns` the kernel multiplexed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running_ns: Option<u64>,
}

/// One metric: of the carriers in a counters pass, from the start to the stop of all workers (ramp and tail
/// included); or of the worker's processes in any pass, once all workers are parked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// Metric id of the harness's table (`context_switches`, `instructions` …).
    pub id: String,
    /// `perf` or `proc`.
    pub source: String,
    /// Which set of events was open together; ratios are taken within one set only.
    pub set: u32,
    /// The count; exactly one of `value` and `absent` is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<CounterValue>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent: Option<Absence>,
}

impl Counter {
    /// The count scaled to the time enabled, and whether scaling was needed.
    pub fn scaled(&self) -> Option<(f64, bool)> {
        let v = self.value.as_ref()?;
        match (v.enabled_ns, v.running_ns) {
            (Some(e), Some(r)) if r > 0 && r < e => {
                Some((v.count as f64 * e as f64 / r as f64, true))
            }
            (Some(e), Some(0)) if e > 0 => None,
            _ => Some((v.count as f64, false)),
        }
    }
}
