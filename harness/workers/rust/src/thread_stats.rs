//! What the kernel says of the calling thread: CPU time, run delay, context switches, its CPU.
//!
//! Read at crossings only: four system calls, about 2 us. A figure that the kernel does not give is
//! `None`, never 0.

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::fs::FileExt;

use crate::clock;

/// One reading; figures count from the thread's creation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) cpu_ns: Option<u64>,
    pub(crate) delay_ns: Option<u64>,
    pub(crate) vcsw: Option<u64>,
    pub(crate) ivcsw: Option<u64>,
    /// The CPU the thread is on.
    pub(crate) cpu: Option<u32>,
}

impl Sample {
    /// Of a worker without a thread of its own: the CPU it is on, and nothing that belongs to a thread.
    pub(crate) fn without_thread() -> Self {
        Self { cpu: Some(rustix::thread::sched_getcpu() as u32), ..Self::default() }
    }
}

/// The calling thread's sources. Made on the thread that it is to describe, and read there only.
#[derive(Debug)]
pub(crate) struct ThreadStats {
    /// Kept open: `thread-self` is resolved when it is opened.
    schedstat: Option<File>,
}

impl ThreadStats {
    /// # Errors
    /// If descriptors ran out. A kernel without schedstat is no error: the run delay is unknown.
    pub(crate) fn of_this_thread() -> io::Result<Self> {
        match File::open("/proc/thread-self/schedstat") {
            Ok(file) => Ok(Self { schedstat: Some(file) }),
            Err(e) if matches!(e.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) => Err(e),
            Err(_) => Ok(Self { schedstat: None }),
        }
    }

    pub(crate) fn sample(&self) -> Sample {
        let switches = switches();
        Sample {
            // The thread clock, not schedstat's first field: that one is stale while the thread runs.
            cpu_ns: Some(clock::thread_cpu_ns()),
            delay_ns: self.delay_ns(),
            vcsw: switches.map(|s| s.0),
            ivcsw: switches.map(|s| s.1),
            cpu: Some(rustix::thread::sched_getcpu() as u32),
        }
    }

    fn delay_ns(&self) -> Option<u64> {
        delay_ns(self.schedstat.as_ref()?)
    }
}

/// Time runnable without a CPU: the second field of a thread's schedstat, `cpu_ns delay_ns slices`.
pub(crate) fn delay_ns(schedstat: &File) -> Option<u64> {
    let mut bytes = [0u8; 96];
    let n = schedstat.read_at(&mut bytes, 0).ok()?;
    std::str::from_utf8(&bytes[..n]).ok()?.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Voluntary and involuntary context switches of the calling thread.
fn switches() -> Option<(u64, u64)> {
    let mut usage = MaybeUninit::<libc::rusage>::uninit();
    // SAFETY: `usage` is valid for writes of its size, which is all that getrusage asks for.
    let rc = unsafe { libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr()) };
    if rc != 0 {
        return None;
    }
    // SAFETY: getrusage returned 0, so it has filled the whole struct.
    let usage = unsafe { usage.assume_init() };
    Some((usage.ru_nvcsw.try_into().ok()?, usage.ru_nivcsw.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_is_a_voluntary_switch_and_work_is_cpu_time() {
        let stats = ThreadStats::of_this_thread().unwrap();
        let before = stats.sample();
        clock::sleep_until(clock::now_ns() + 1_000_000);
        let done = before.cpu_ns.unwrap() + 3_000_000;
        while clock::thread_cpu_ns() < done {}
        let after = stats.sample();
        assert!(after.cpu_ns.unwrap() >= done);
        assert!(after.vcsw.unwrap() > before.vcsw.unwrap());
        assert!(after.delay_ns >= before.delay_ns);
        assert!(after.ivcsw >= before.ivcsw);
    }

    #[test]
    fn it_describes_its_own_thread() {
        let stats = ThreadStats::of_this_thread().unwrap();
        let mine = stats.sample().cpu_ns.unwrap();
        std::thread::spawn(|| {
            let begin = clock::thread_cpu_ns();
            while clock::thread_cpu_ns() < begin + 20_000_000 {}
        })
        .join()
        .unwrap();
        assert!(stats.sample().cpu_ns.unwrap() - mine < 15_000_000);
    }
}
