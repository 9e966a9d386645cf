//! What reading the clock costs here, and whether the time stamp counter can be trusted.

use std::time::Instant;

use serde::Serialize;

use crate::host::cpuinfo_field;
use crate::procfs::Roots;

/// The clocks.
#[derive(Debug, Serialize)]
pub struct Clocks {
    /// The kernel's source.
    pub source: Option<String>,
    /// One reading of CLOCK_MONOTONIC, picoseconds; the least of several batches.
    pub monotonic_cost_ps: u64,
    /// Smallest step seen between two readings, ns.
    pub monotonic_step_ns: u64,
    /// The CPU's flags that tell whether its counter runs evenly (x86).
    pub tsc_flags: Vec<String>,
    /// What this means for a measurement, where it is not as it should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// In a process without the vDSO, or with a source it can't read, every reading is a system call.
const SYSTEM_CALL_PS: u64 = 150_000;

impl Clocks {
    /// Measures for about a millisecond.
    pub fn measure(roots: &Roots, source: Option<String>) -> Self {
        let cost = (0..10).map(|_| batch_ps()).min().unwrap_or(0);
        let cpuinfo = roots.proc("cpuinfo").unwrap_or_default();
        let flags = cpuinfo_field(&cpuinfo, "flags").unwrap_or_default();
        let telling = ["constant_tsc", "nonstop_tsc", "tsc_known_freq", "tsc_reliable"];
        let tsc_flags =
            flags.split(' ').filter(|f| telling.contains(f)).map(str::to_owned).collect();
        let advice = (cost > SYSTEM_CALL_PS).then(|| {
            let source = source.as_deref().unwrap_or("unknown");
            format!(
                "a reading costs as much as a system call (clock source {source}): operations under \
                 {} µs can't be timed one by one; echo tsc > \
                 /sys/devices/system/clocksource/clocksource0/current_clocksource if it is offered",
                cost / 10_000_000 + 1
            )
        });
        Self { source, monotonic_cost_ps: cost, monotonic_step_ns: step_ns(), tsc_flags, advice }
    }
}

fn batch_ps() -> u64 {
    const READINGS: u32 = 1000;
    let begin = Instant::now();
    let mut last = begin;
    for _ in 0..READINGS {
        last = std::hint::black_box(Instant::now());
    }
    (last - begin).as_nanos() as u64 * 1000 / u64::from(READINGS)
}

fn step_ns() -> u64 {
    let step = || {
        let begin = Instant::now();
        // Ends: a clock that stands still for a million readings would not have booted the kernel.
        let later = std::iter::repeat_with(Instant::now).take(1_000_000).find(|now| *now > begin);
        later.map_or(u64::MAX, |now| (now - begin).as_nanos() as u64)
    };
    (0..100).map(|_| step()).min().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::procfs::tests::Fixture;

    #[test]
    fn the_clock_has_a_cost_and_a_step() {
        let f =
            Fixture::new().with(&[("proc/cpuinfo", "flags\t: fpu tsc constant_tsc nonstop_tsc\n")]);
        let clocks = Clocks::measure(&f.roots(), Some("tsc".to_owned()));
        assert!((100..10_000_000).contains(&clocks.monotonic_cost_ps), "{clocks:?}");
        assert!((1..1_000_000).contains(&clocks.monotonic_step_ns), "{clocks:?}");
        assert_eq!(clocks.tsc_flags, ["constant_tsc", "nonstop_tsc"]);
    }
}
