//! The one table of metrics: id, label, unit, better-direction, code, set, /proc's figure. Data only.

use amdahl_schema::ProcDelta;
use perf_event::events::{Cache, CacheOp, CacheResult, Event, Hardware, Software, WhichCache};

use crate::procfs::Memory;

/// Which way is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// Fewer, for the same work.
    Lower,
    /// Neither: it depends on the work.
    Neither,
}

/// What is lost if the kernel's part may not be counted (`perf_event_paranoid` 2 without a capability).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KernelPart {
    /// Nothing: the kernel counts it whole anyway.
    Ignored,
    /// A part: the rest is another metric, with `:u` after its id.
    Some,
    /// All of it: the event happens there, so the count would read 0.
    All,
    /// It is not wanted: only the user's part is counted, under the plain id.
    Never,
}

impl KernelPart {
    /// Whether a count without the kernel's part still says something.
    pub(super) fn dispensable(self) -> bool {
        matches!(self, Self::Ignored | Self::Some)
    }
}

/// One thing that is counted.
#[derive(Debug, Clone)]
pub struct Metric {
    /// Id in the record.
    pub id: &'static str,
    /// For tables and axes.
    pub label: &'static str,
    /// Unit of the raw count.
    pub unit: &'static str,
    /// Which way is good.
    pub better: Better,
    /// Set of events it is opened with; absent where only /proc tells.
    pub set: Option<u32>,
    /// perf's code; absent where only /proc tells.
    pub code: Option<Event>,
    /// What the kernel's part is worth.
    pub kernel: KernelPart,
    /// /proc's figure for one carrier.
    pub proc: Option<fn(&ProcDelta) -> Option<u64>>,
    /// /proc's figure for one process.
    pub process: Option<fn(&Memory) -> Option<u64>>,
}

/// All of them; sets in order, set 0 is software and needs no PMU.
///
/// A hardware set has at most four events that need a general counter: what Intel has beside a busy
/// SMT sibling, and AMD and ARM too after the kernel's watchdog has taken one. `cycles` stands in every set
/// as the denominator; on x86 it has a fixed counter of its own.
pub static METRICS: &[Metric] = &[
    Metric {
        proc: Some(|d| d.cpu_ns),
        ..software("task_clock", "CPU time", "ns", KernelPart::Ignored, Software::TASK_CLOCK)
    },
    Metric {
        proc: Some(|d| Some(d.vcsw? + d.ivcsw?)),
        ..software(
            "context_switches",
            "context switches",
            "switches",
            KernelPart::All,
            Software::CONTEXT_SWITCHES,
        )
    },
    software(
        "cpu_migrations",
        "CPU migrations",
        "moves",
        KernelPart::All,
        Software::CPU_MIGRATIONS,
    ),
    Metric {
        proc: Some(|d| d.minflt),
        ..software(
            "minor_faults",
            "minor faults",
            "faults",
            KernelPart::Some,
            Software::PAGE_FAULTS_MIN,
        )
    },
    Metric {
        proc: Some(|d| d.majflt),
        ..software(
            "major_faults",
            "major faults",
            "faults",
            KernelPart::Some,
            Software::PAGE_FAULTS_MAJ,
        )
    },
    proc_only("voluntary_switches", "voluntary switches", "switches", |d| d.vcsw),
    proc_only("involuntary_switches", "involuntary switches", "switches", |d| d.ivcsw),
    proc_only("run_delay", "run delay", "ns", |d| d.delay_ns),
    process("peak_rss", "peak resident memory", |m| m.peak_rss),
    process("pss", "proportional resident memory", |m| m.pss),
    hardware(1, "cycles", "cycles", "cycles", Hardware::CPU_CYCLES),
    hardware(1, "instructions", "instructions", "instructions", Hardware::INSTRUCTIONS),
    hardware(1, "branches", "branches", "branches", Hardware::BRANCH_INSTRUCTIONS),
    hardware(1, "branch_misses", "branch misses", "misses", Hardware::BRANCH_MISSES),
    hardware(2, "cache_references", "cache references", "accesses", Hardware::CACHE_REFERENCES),
    hardware(2, "cache_misses", "cache misses", "misses", Hardware::CACHE_MISSES),
    cache(3, "l1d_loads", "L1 data loads", "loads", WhichCache::L1D, CacheResult::ACCESS),
    cache(
        3,
        "l1d_load_misses",
        "L1 data load misses",
        "misses",
        WhichCache::L1D,
        CacheResult::MISS,
    ),
    cache(4, "llc_loads", "last-level loads", "loads", WhichCache::LL, CacheResult::ACCESS),
    cache(
        4,
        "llc_load_misses",
        "last-level load misses",
        "misses",
        WhichCache::LL,
        CacheResult::MISS,
    ),
    hardware(
        5,
        "stalled_cycles_frontend",
        "cycles stalled in the front end",
        "cycles",
        Hardware::STALLED_CYCLES_FRONTEND,
    ),
    hardware(
        5,
        "stalled_cycles_backend",
        "cycles stalled in the back end",
        "cycles",
        Hardware::STALLED_CYCLES_BACKEND,
    ),
];

/// First set number of `--event` codes.
pub(super) const RAW_SET: u32 = 6;

/// Sets 2 and up start with this, so that their ratios to cycles and instructions stand in one set.
pub(super) const DENOMINATORS: [&str; 2] = ["cycles", "instructions"];

const fn software(
    id: &'static str,
    label: &'static str,
    unit: &'static str,
    kernel: KernelPart,
    code: Software,
) -> Metric {
    Metric {
        id,
        label,
        unit,
        better: Better::Lower,
        set: Some(0),
        code: Some(Event::Software(code)),
        kernel,
        proc: None,
        process: None,
    }
}

const fn proc_only(
    id: &'static str,
    label: &'static str,
    unit: &'static str,
    proc: fn(&ProcDelta) -> Option<u64>,
) -> Metric {
    Metric {
        id,
        label,
        unit,
        better: Better::Lower,
        set: None,
        code: None,
        kernel: KernelPart::Ignored,
        proc: Some(proc),
        process: None,
    }
}

const fn process(
    id: &'static str,
    label: &'static str,
    process: fn(&Memory) -> Option<u64>,
) -> Metric {
    Metric {
        id,
        label,
        unit: "bytes",
        better: Better::Lower,
        set: None,
        code: None,
        kernel: KernelPart::Ignored,
        proc: None,
        process: Some(process),
    }
}

const fn hardware(
    set: u32,
    id: &'static str,
    label: &'static str,
    unit: &'static str,
    code: Hardware,
) -> Metric {
    perf(set, id, label, unit, Event::Hardware(code))
}

const fn cache(
    set: u32,
    id: &'static str,
    label: &'static str,
    unit: &'static str,
    which: WhichCache,
    result: CacheResult,
) -> Metric {
    perf(set, id, label, unit, Event::Cache(Cache { which, operation: CacheOp::READ, result }))
}

const fn perf(
    set: u32,
    id: &'static str,
    label: &'static str,
    unit: &'static str,
    code: Event,
) -> Metric {
    Metric {
        id,
        label,
        unit,
        better: Better::Lower,
        set: Some(set),
        code: Some(code),
        kernel: KernelPart::Some,
        proc: None,
        process: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_distinct_and_every_metric_has_a_source() {
        let mut ids: Vec<_> = METRICS.iter().map(|m| m.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), METRICS.len());
        for m in METRICS {
            assert!(m.code.is_some() || m.proc.is_some() || m.process.is_some(), "{}", m.id);
            assert_eq!(m.code.is_some(), m.set.is_some(), "{}", m.id);
            assert!(m.set.is_none_or(|s| s < RAW_SET), "{}", m.id);
        }
    }
}
