//! What times one operation in the latency pass, and what that costs.
//!
//! Two readings of the CPU's counter where it may be trusted, two of CLOCK_MONOTONIC elsewhere.
//! Differences only: no stamp leaves the worker from here, those are [`crate::clock`]'s.
//!
//! The counter is trusted if the hardware says that it is invariant (x86-64: CPUID leaf 8000_0007H,
//! EDX bit 8, the kernel's `constant_tsc` and `nonstop_tsc`; aarch64: the generic timer is so by
//! architecture), if the kernel itself keeps time by it (its clock source is `tsc`, the guests'
//! `kvm-clock` or `hyperv_clocksource_tsc_page`, which scale it, or `arch_sys_counter`), and if its
//! rates over two stretches of CLOCK_MONOTONIC agree within one per mille.

use std::fs;
use std::hint::black_box;
use std::sync::OnceLock;

use crate::clock;
use crate::recorder::Lane;

/// How to time one operation: two readings and their difference in nanoseconds.
pub(crate) trait Timer: Copy + Send + 'static {
    /// Reads before the operation.
    fn begin(&self) -> u64;
    /// Reads after the operation: not before what precedes it has been executed.
    fn end(&self) -> u64;
    /// Ticks to nanoseconds.
    fn ns(&self, ticks: u64) -> u64;
    /// Nanoseconds to ticks.
    fn ticks(&self, ns: u64) -> u64;
}

/// Two readings of CLOCK_MONOTONIC.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gettime;

impl Timer for Gettime {
    #[inline]
    fn begin(&self) -> u64 {
        clock::now_ns()
    }

    #[inline]
    fn end(&self) -> u64 {
        clock::now_ns()
    }

    #[inline]
    fn ns(&self, ticks: u64) -> u64 {
        ticks
    }

    #[inline]
    fn ticks(&self, ns: u64) -> u64 {
        ns
    }
}

/// Two readings of the CPU's counter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counter {
    /// Nanoseconds a tick, 32.32 fixed point.
    ns_per_tick: u64,
}

impl Timer for Counter {
    #[inline]
    fn begin(&self) -> u64 {
        counter::begin()
    }

    #[inline]
    fn end(&self) -> u64 {
        counter::end()
    }

    #[inline]
    fn ns(&self, ticks: u64) -> u64 {
        ((u128::from(ticks) * u128::from(self.ns_per_tick)) >> 32) as u64
    }

    fn ticks(&self, ns: u64) -> u64 {
        ((u128::from(ns) << 32) / u128::from(self.ns_per_tick)) as u64
    }
}

/// Nanoseconds a tick of the CPU's counter, 32.32 fixed point, where it may be trusted. Takes 2 ms the first time.
pub fn ns_per_tick() -> Option<u64> {
    match Stopwatch::detect() {
        Stopwatch::Counter(counter) => Some(counter.ns_per_tick),
        Stopwatch::Gettime(_) => None,
    }
}

/// The timer of this process: chosen once.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stopwatch {
    Counter(Counter),
    Gettime(Gettime),
}

impl Stopwatch {
    /// The best timer that may be trusted here. Takes 2 ms the first time.
    pub(crate) fn detect() -> Self {
        static CHOSEN: OnceLock<Stopwatch> = OnceLock::new();
        *CHOSEN.get_or_init(|| match calibrate() {
            Some(counter) => Self::Counter(counter),
            None => Self::Gettime(Gettime),
        })
    }

    /// Its name in `hello`.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Counter(_) => counter::NAME,
            Self::Gettime(_) => "clock_gettime",
        }
    }

    /// What timing and recording an empty operation costs, picoseconds: the best of several rounds,
    /// because whatever else runs can only add to it.
    pub(crate) fn cost_ps(&self) -> u64 {
        match self {
            Self::Counter(timer) => cost_ps(timer),
            Self::Gettime(timer) => cost_ps(timer),
        }
    }
}

fn cost_ps<T: Timer>(timer: &T) -> u64 {
    const OPS: u64 = 1000;
    let mut lane = Lane::new();
    let mut round = || {
        let begin = clock::now_ns();
        for _ in 0..OPS {
            let t0 = timer.begin();
            black_box(());
            let t1 = timer.end();
            lane.record(timer.ns(t1.saturating_sub(t0)));
        }
        (clock::now_ns() - begin) * 1000 / OPS
    };
    (0..20).map(|_| round()).min().unwrap_or_default()
}

fn calibrate() -> Option<Counter> {
    let source =
        fs::read_to_string("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    if !counter::invariant() || !counter::CLOCK_SOURCES.contains(&source.ok()?.trim()) {
        return None;
    }
    let points = [point(), point_after(1_000_000), point_after(1_000_000)];
    let rate = |a: (u64, u64), b: (u64, u64)| {
        let (ticks, ns) = (b.0.checked_sub(a.0)?, b.1.checked_sub(a.1)?);
        ((u128::from(ns) << 32) / u128::from(ticks.max(1))).try_into().ok().filter(|rate| *rate > 0)
    };
    let (first, second): (u64, u64) = (rate(points[0], points[1])?, rate(points[1], points[2])?);
    let agree = first.abs_diff(second) <= first / 1000;
    agree.then_some(Counter { ns_per_tick: rate(points[0], points[2])? })
}

/// The counter and CLOCK_MONOTONIC at one moment: of several tries the one with the tightest bracket.
fn point() -> (u64, u64) {
    let read = || {
        let before = counter::end();
        let ns = clock::now_ns();
        let after = counter::end();
        (after.saturating_sub(before), before + after.saturating_sub(before) / 2, ns)
    };
    let (_, ticks, ns) = (0..8).map(|_| read()).min().unwrap_or_else(read);
    (ticks, ns)
}

fn point_after(ns: u64) -> (u64, u64) {
    clock::wait_until(clock::now_ns() + ns, ns);
    point()
}

#[cfg(target_arch = "x86_64")]
pub(crate) mod counter {
    //! The time stamp counter.

    use core::arch::x86_64::{__cpuid, __rdtscp, _rdtsc};

    pub(crate) const NAME: &str = "tsc";
    pub(crate) const CLOCK_SOURCES: &[&str] = &["tsc", "kvm-clock", "hyperv_clocksource_tsc_page"];

    #[inline]
    pub(crate) fn begin() -> u64 {
        // SAFETY: every x86-64 processor has the instruction, and Linux leaves it to user space.
        unsafe { _rdtsc() }
    }

    /// `rdtscp`: waits until everything before it has been executed. A plain `rdtsc` does not: of an
    /// operation that ended in a cache miss of 400 ns it saw 9 ns, of a chain of 20 dependent
    /// multiplications half. It costs 5 ns more, and they are worth it.
    #[inline]
    pub(crate) fn end() -> u64 {
        let mut cpu = 0;
        // SAFETY: as above; `invariant` asked for the instruction.
        unsafe { __rdtscp(&mut cpu) }
    }

    /// Runs at one rate in all power states, and `rdtscp` exists.
    pub(crate) fn invariant() -> bool {
        __cpuid(0x8000_0000).eax >= 0x8000_0007
            && __cpuid(0x8000_0007).edx & (1 << 8) != 0
            && __cpuid(0x8000_0001).edx & (1 << 27) != 0
    }
}

#[cfg(target_arch = "aarch64")]
pub(crate) mod counter {
    //! The virtual counter of the generic timer.

    use core::arch::asm;

    pub(crate) const NAME: &str = "cntvct_el0";
    pub(crate) const CLOCK_SOURCES: &[&str] = &["arch_sys_counter"];

    #[inline]
    pub(crate) fn begin() -> u64 {
        let ticks: u64;
        // SAFETY: Linux leaves the register to user space; reading it has no effect.
        unsafe { asm!("mrs {}, cntvct_el0", out(reg) ticks, options(nomem, nostack)) };
        ticks
    }

    /// `isb` first: waits until everything before it has been executed.
    #[inline]
    pub(crate) fn end() -> u64 {
        let ticks: u64;
        // SAFETY: as above; `isb` only waits.
        unsafe { asm!("isb", "mrs {}, cntvct_el0", out(reg) ticks, options(nomem, nostack)) };
        ticks
    }

    pub(crate) fn invariant() -> bool {
        true
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(crate) mod counter {
    //! No counter that we know.

    pub(crate) const NAME: &str = "none";
    pub(crate) const CLOCK_SOURCES: &[&str] = &[];

    pub(crate) fn begin() -> u64 {
        0
    }

    pub(crate) fn end() -> u64 {
        0
    }

    pub(crate) fn invariant() -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_point_goes_both_ways() {
        let timer = Counter { ns_per_tick: (1u64 << 32) / 26 * 10 };
        assert_eq!(timer.ns(0), 0);
        for ns in [1_000u64, 1_000_000, 3_600_000_000_000] {
            let back = timer.ns(timer.ticks(ns));
            assert!(ns.abs_diff(back) <= 1 + ns / 1_000_000, "{ns} came back as {back}");
        }
    }

    #[test]
    fn the_chosen_timer_agrees_with_the_clock() {
        match Stopwatch::detect() {
            Stopwatch::Counter(timer) => agrees(timer),
            Stopwatch::Gettime(timer) => agrees(timer),
        }
    }

    /// The timed stretch lies between an outer and an inner one of the clock, whatever else runs.
    fn agrees<T: Timer>(timer: T) {
        let outer = clock::now_ns();
        let t0 = timer.begin();
        let inner = clock::now_ns();
        clock::sleep_until(inner + 5_000_000);
        let inner = clock::now_ns() - inner;
        let t1 = timer.end();
        let outer = clock::now_ns() - outer;
        let timed = timer.ns(t1 - t0);
        assert!(
            timed >= inner - inner / 500 && timed <= outer + outer / 500,
            "{inner} {timed} {outer}"
        );
    }

    #[test]
    fn timing_costs_something_and_not_much() {
        let cost = Stopwatch::detect().cost_ps();
        assert!((1_000..10_000_000).contains(&cost), "{cost} ps");
    }
}
