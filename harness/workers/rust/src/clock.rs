//! CLOCK_MONOTONIC: the one clock that all processes of the machine share, and sleeping by it.
//!
//! Every stamp that leaves a worker is read here. Timing of single operations is `timer`.

use rustix::time::{ClockId, Timespec};

const SECOND_NS: u64 = 1_000_000_000;

/// CLOCK_MONOTONIC, ns. A vDSO call, no system call.
#[inline]
pub fn now_ns() -> u64 {
    ns(rustix::time::clock_gettime(ClockId::Monotonic))
}

/// CPU time of the calling thread, ns. A system call.
pub(crate) fn thread_cpu_ns() -> u64 {
    ns(rustix::time::clock_gettime(ClockId::ThreadCPUTime))
}

/// CPU time of a thread of this process, ns; `None` if there is none of that id.
pub(crate) fn cpu_ns_of(tid: u32) -> Option<u64> {
    // The kernel's encoding of "thread `tid`, scheduler clock" (its posix-timers.h), which
    // pthread_getcpuclockid(3) returns, but for a pthread_t, which the runtimes keep to themselves.
    let id = (!(tid as libc::clockid_t) << 3) | 0b110;
    let mut at = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `at` is valid for writes; an id that names no thread is answered with EINVAL.
    let rc = unsafe { libc::clock_gettime(id, &mut at) };
    (rc == 0).then(|| at.tv_sec as u64 * SECOND_NS + at.tv_nsec as u64)
}

/// What the kernel says of the resolution of CLOCK_MONOTONIC, ns.
pub(crate) fn resolution_ns() -> u64 {
    ns(rustix::time::clock_getres(ClockId::Monotonic))
}

/// Sleeps until `at_ns`; returns at once if that has passed.
pub(crate) fn sleep_until(at_ns: u64) {
    let at = Timespec { tv_sec: (at_ns / SECOND_NS) as i64, tv_nsec: (at_ns % SECOND_NS) as _ };
    // Interrupted by a signal: the same absolute time is still meant.
    while let Err(rustix::io::Errno::INTR) =
        rustix::thread::clock_nanosleep_absolute(rustix::thread::ClockId::Monotonic, &at)
    {}
}

/// Sleeps until `spin_ns` before `at_ns`, then spins; returns the first reading at or after `at_ns`.
pub(crate) fn wait_until(at_ns: u64, spin_ns: u64) -> u64 {
    sleep_until(at_ns.saturating_sub(spin_ns));
    loop {
        let now = now_ns();
        if now >= at_ns {
            return now;
        }
        std::hint::spin_loop();
    }
}

#[inline]
fn ns(t: Timespec) -> u64 {
    t.tv_sec as u64 * SECOND_NS + t.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_ends_at_the_time_and_not_before() {
        let at = now_ns() + 3_000_000;
        let woke = wait_until(at, 500_000);
        assert!(woke >= at && woke <= now_ns());
        let before = now_ns();
        assert!(wait_until(1, 0) >= before, "a time that has passed returns the present");
    }

    #[test]
    fn another_threads_cpu_time_is_its_own() {
        let (tid, done) = (std::sync::mpsc::channel(), std::sync::mpsc::channel());
        let thread = std::thread::spawn(move || {
            let begin = thread_cpu_ns();
            while thread_cpu_ns() < begin + 5_000_000 {}
            tid.0
                .send((rustix::thread::gettid().as_raw_nonzero().get() as u32, thread_cpu_ns()))
                .unwrap();
            done.1.recv().unwrap_or(());
        });
        let (of, spent) = tid.1.recv().unwrap();
        let read = cpu_ns_of(of).unwrap();
        assert!(read >= spent && read < spent + 5_000_000, "{spent} {read}");
        drop(done.0);
        thread.join().unwrap();
        assert_eq!(cpu_ns_of(u32::MAX >> 8), None);
    }

    #[test]
    fn a_sleep_costs_no_cpu_time() {
        let before = thread_cpu_ns();
        sleep_until(now_ns() + 20_000_000);
        assert!(thread_cpu_ns() - before < 10_000_000);
    }
}
