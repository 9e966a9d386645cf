//! Shared by the benches: the bare loops that the probe's are held against, the probe on the calling
//! thread, and the common `--quick`.
#![allow(dead_code, reason = "each bench is a program of its own and uses its part")]

use std::hint::black_box;
use std::time::Instant;

use amdahl_worker::{Cell, Go, Interval, Pass, Probe, Program};
use hdrhistogram::Histogram;

/// `cargo bench … -- --quick`: fewer rounds, for a look. Criterion knows the same word.
pub(crate) fn quick() -> bool {
    std::env::args().any(|arg| arg == "--quick")
}

/// A histogram of the probe's range and digits.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, (1 << 42) - 1, 3).expect("constant bounds are valid")
}

/// The bare loop of `noop`: so many opaque results, 1 each, added up; no clock, no probe.
#[inline(never)]
pub(crate) fn bare_noop(ops: u64) -> u64 {
    let mut check = 0;
    let mut i = 0;
    while i != ops {
        check += u64::from(black_box(1u32));
        i += 1;
    }
    check
}

/// Two readings of the CPU's counter around nothing, recorded in ticks; the second one waits, as the
/// probe's does, until what precedes it has been executed. False where there is no such counter.
#[inline(never)]
pub(crate) fn bare_tsc(ops: u64, histogram: &mut Histogram<u64>) -> bool {
    #[cfg(target_arch = "x86_64")]
    for i in 0..ops {
        let mut cpu = 0;
        // SAFETY: x86-64 processors of this century have both instructions, and Linux leaves them
        // to user space.
        let t0 = unsafe { core::arch::x86_64::_rdtsc() };
        black_box(i);
        // SAFETY: as above.
        let t1 = unsafe { core::arch::x86_64::__rdtscp(&mut cpu) };
        histogram.saturating_record(t1.saturating_sub(t0));
    }
    black_box((ops, histogram.len()));
    cfg!(target_arch = "x86_64")
}

/// The same with a second reading that does not wait: cheaper, and no measurement. An operation that
/// ends in a cache miss of 400 ns reads as 9 ns.
#[inline(never)]
pub(crate) fn bare_tsc_unordered(ops: u64, histogram: &mut Histogram<u64>) -> bool {
    #[cfg(target_arch = "x86_64")]
    for i in 0..ops {
        // SAFETY: every x86-64 processor has the instruction, and Linux leaves it to user space.
        let t0 = unsafe { core::arch::x86_64::_rdtsc() };
        black_box(i);
        // SAFETY: as above.
        let t1 = unsafe { core::arch::x86_64::_rdtsc() };
        histogram.saturating_record(t1.saturating_sub(t0));
    }
    black_box((ops, histogram.len()));
    cfg!(target_arch = "x86_64")
}

/// Two `Instant` around nothing, recorded.
#[inline(never)]
pub(crate) fn bare_instant(ops: u64, histogram: &mut Histogram<u64>) {
    for i in 0..ops {
        let t0 = Instant::now();
        black_box(i);
        histogram.saturating_record(t0.elapsed().as_nanos() as u64);
    }
}

/// CPU time of the calling thread, ns: what another program takes is not in it.
pub(crate) fn cpu_ns() -> f64 {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    t.tv_sec as f64 * 1e9 + t.tv_nsec as f64
}

/// A warm probe of the workload `noop`.
pub(crate) fn noop_probe() -> Probe {
    let job = Program::new().job(Cell::new("noop", "threads", 1)).expect("noop is built in");
    let mut probe = job.probe(0).expect("noop needs nothing");
    probe.warm().expect("noop can't fail");
    probe
}

/// One window of `window_ns` by the probe.
pub(crate) fn window(probe: &mut Probe, pass: Pass, window_ns: u64) -> Interval {
    let mut go = Go::soon(pass, 1, window_ns);
    (go.start_ns, go.ramp_ns, go.tail_ns) = (amdahl_worker::now_ns(), window_ns / 10, 0);
    let report = probe.run(&go).expect("noop can't fail");
    report.intervals.into_iter().find(|x| x.i == 0).expect("there is a window 0")
}
