//! CPU time and run delay of the threads that run a cell's workers, where no worker keeps a thread.
//!
//! At each boundary the first worker that crosses it reads all of them, through files opened when the
//! cell was prepared, into rows made before the start. The others go on without waiting.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::clock;
use crate::error::Error;
use crate::go::Go;
use crate::thread_stats;
use crate::wire::Line;

/// What the kernel does not say.
const UNKNOWN: u64 = u64::MAX;

/// The carriers of one cell, with the files to read them by.
#[derive(Debug)]
pub struct CarrierMeter {
    carriers: Vec<(u32, Option<File>)>,
}

impl CarrierMeter {
    /// Opens the files of threads of this process.
    ///
    /// # Errors
    /// If descriptors ran out. A kernel without schedstat is no error: the run delay is unknown.
    pub fn open(tids: &[u32]) -> Result<Arc<Self>, Error> {
        let open = |(w, tid): (u32, &u32)| {
            let path = format!("/proc/self/task/{tid}/schedstat");
            match File::open(&path) {
                Ok(file) => Ok((*tid, Some(file))),
                Err(source)
                    if matches!(source.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) =>
                {
                    Err(Error::Open { w, path, source })
                }
                Err(_) => Ok((*tid, None)),
            }
        };
        Ok(Arc::new(Self { carriers: (0..).zip(tids).map(open).collect::<Result<_, _>>()? }))
    }

    /// Room for the readings of one release.
    pub fn readings(self: &Arc<Self>, go: &Go) -> Arc<Readings> {
        let row = || self.carriers.iter().map(|_| Reading::default()).collect();
        let boundary = || Boundary { taken: AtomicBool::new(false), row: row() };
        // The entry, then the end of each interval.
        let boundaries = (0..=go.ends_ns().len()).map(|_| boundary()).collect();
        Arc::new(Readings { meter: self.clone(), go: go.clone(), boundaries })
    }
}

/// The carriers' figures at the boundaries of one release.
#[derive(Debug)]
pub struct Readings {
    meter: Arc<CarrierMeter>,
    go: Go,
    boundaries: Vec<Boundary>,
}

#[derive(Debug)]
struct Boundary {
    taken: AtomicBool,
    row: Vec<Reading>,
}

#[derive(Debug)]
struct Reading {
    cpu_ns: AtomicU64,
    delay_ns: AtomicU64,
}

impl Default for Reading {
    fn default() -> Self {
        Self { cpu_ns: AtomicU64::new(UNKNOWN), delay_ns: AtomicU64::new(UNKNOWN) }
    }
}

impl Readings {
    /// A worker crosses boundary `k`: 0 is its entry, `k` the end of the `k`th interval. The first one
    /// reads.
    pub(crate) fn take(&self, k: usize) {
        let boundary = &self.boundaries[k];
        if boundary.taken.swap(true, Ordering::Relaxed) {
            return;
        }
        for ((tid, schedstat), reading) in self.meter.carriers.iter().zip(&boundary.row) {
            // The thread's clock, not schedstat's first field: that one is stale while it runs.
            let cpu_ns = clock::cpu_ns_of(*tid).unwrap_or(UNKNOWN);
            let delay_ns = schedstat.as_ref().and_then(thread_stats::delay_ns).unwrap_or(UNKNOWN);
            reading.cpu_ns.store(cpu_ns, Ordering::Relaxed);
            reading.delay_ns.store(delay_ns, Ordering::Relaxed);
        }
    }

    /// What the carriers used from boundary to boundary. To be asked for when all workers are parked:
    /// what parked them orders these reads after their writes.
    pub fn usage(&self) -> Vec<CarrierUsage> {
        let mut usage = Vec::new();
        for (pair, i) in self.boundaries.windows(2).zip(self.go.first_index()..) {
            if i < 0 && self.go.ramp_ns == 0 {
                continue; // without a ramp there is no interval before window 0
            }
            let rows = pair[0].row.iter().zip(&pair[1].row);
            for ((tid, _), (from, to)) in self.meter.carriers.iter().zip(rows) {
                if let Some(cpu_ns) = between(&from.cpu_ns, &to.cpu_ns) {
                    let delay_ns = between(&from.delay_ns, &to.delay_ns);
                    usage.push(CarrierUsage { slot: self.go.slot, i, tid: *tid, cpu_ns, delay_ns });
                }
            }
        }
        usage
    }
}

fn between(from: &AtomicU64, to: &AtomicU64) -> Option<u64> {
    let known = |x: &AtomicU64| Some(x.load(Ordering::Relaxed)).filter(|x| *x != UNKNOWN);
    Some(known(to)?.saturating_sub(known(from)?))
}

/// One carrier in one interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CarrierUsage {
    /// Which slot of an alternation it was.
    pub slot: Option<u32>,
    /// The interval, as in [`Interval::i`](crate::Interval::i).
    pub i: i64,
    /// Thread id.
    pub tid: u32,
    /// CPU time between the first crossings into and out of the interval.
    pub cpu_ns: u64,
    /// Run delay between the two.
    pub delay_ns: Option<u64>,
}

impl CarrierUsage {
    /// Its line for the cell `id`.
    pub fn line(&self, id: u64) -> Line {
        Line::new("carrier")
            .with("id", id)
            .with_some("slot", self.slot)
            .with("i", self.i)
            .with("tid", self.tid)
            .with("cpu_ns", self.cpu_ns)
            .with_some("delay_ns", self.delay_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::go::Pass;

    fn me() -> u32 {
        rustix::thread::gettid().as_raw_nonzero().get() as u32
    }

    fn spend(ns: u64) {
        let end = clock::thread_cpu_ns() + ns;
        while clock::thread_cpu_ns() < end {}
    }

    #[test]
    fn the_first_one_over_a_boundary_reads_and_nobody_after_it() {
        let go = Go::soon(Pass::Throughput, 1, 1_000_000); // ramp, window 0, tail
        let readings = CarrierMeter::open(&[me()]).unwrap().readings(&go);
        readings.take(0);
        spend(2_000_000);
        readings.take(1);
        spend(5_000_000);
        readings.take(1);
        readings.take(2);
        let usage = readings.usage();
        assert_eq!(usage.iter().map(|x| x.i).collect::<Vec<_>>(), [-1, 0], "no end of the tail");
        assert!((2_000_000..5_000_000).contains(&usage[0].cpu_ns), "{usage:?}");
        assert!(usage[1].cpu_ns >= 5_000_000, "{usage:?}");
        assert!(usage.iter().all(|x| x.tid == me()));
    }

    #[test]
    fn a_carrier_that_is_gone_is_absent() {
        let gone = std::thread::spawn(me).join().unwrap();
        let mut go = Go::soon(Pass::Throughput, 1, 1_000_000);
        (go.ramp_ns, go.slot) = (0, Some(3));
        let readings = CarrierMeter::open(&[gone, me()]).unwrap().readings(&go);
        (0..=3).for_each(|k| readings.take(k));
        let usage = readings.usage();
        assert_eq!(usage.iter().map(|x| (x.i, x.tid)).collect::<Vec<_>>(), [(0, me()), (1, me())]);
        assert!(usage[0].line(7).to_string().starts_with("carrier id=7 slot=3 i=0 tid="));
    }
}
