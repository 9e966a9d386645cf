//! The instrument of a worker with a thread of its own: it waits for the start, repeats the operation,
//! reads the clock, cuts the windows and records. Models decide on which thread it is called, and
//! nothing else, so they can't time themselves differently. That of a worker that runs as tasks is
//! `task`; what both record is `release`.
//!
//! What runs between two crossings are the loops of `loops`. Allocation, system calls and formatting
//! happen here: before the start, at a crossing, or after the end.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::clock;
use crate::error::Error;
use crate::go::{Go, Pass};
use crate::loops::{Halt, count, time};
use crate::recorder::Lane;
use crate::release::{Failed, Release, Started};
use crate::report::Report;
use crate::stop::Stop;
use crate::thread_stats::ThreadStats;
use crate::timer::Stopwatch;
use crate::track::Tally;
use crate::workload::{Op, Workload};

/// Warm-up: at least this long, and at least two batches of operations.
const WARM_NS: u64 = 2_000_000;

/// One worker, ready to be warmed and released. Made by `Job::probe` on the thread that will run it,
/// and never leaves it.
pub struct Probe {
    w: u32,
    body: Box<dyn Body>,
}

impl std::fmt::Debug for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Probe").field("w", &self.w).finish_non_exhaustive()
    }
}

/// What a probe must know of its cell.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    pub(crate) w: u32,
    /// Workers of the whole cell.
    pub(crate) of: u32,
    /// More workers than CPUs do not spin: they would only keep each other from starting.
    pub(crate) spins: bool,
    pub(crate) stopwatch: Stopwatch,
}

impl Probe {
    pub(crate) fn new<W: Workload>(workload: &W, setting: Setting) -> Result<Self, Error> {
        let w = setting.w;
        let body = guarded(w, || {
            let stats = ThreadStats::of_this_thread().map_err(|source| Error::Open {
                w,
                path: "/proc/thread-self/schedstat".to_owned(),
                source,
            })?;
            let batch = workload.batch().max(1);
            Ok(Box::new(Bench { op: workload.op(w)?, batch, stats, setting }))
        })?;
        Ok(Self { w, body })
    }

    /// Its worker's number.
    pub fn w(&self) -> u32 {
        self.w
    }

    /// Runs operations for a few milliseconds, so that code and data are warm, and returns how long
    /// one takes at best, ns; `None` if there was no work.
    ///
    /// # Errors
    /// If an operation fails or panics.
    pub fn warm(&mut self) -> Result<Option<u64>, Error> {
        guarded(self.w, || self.body.warm())
    }

    /// One release: sleeps until the start, works until its end, and reports. The calling thread is
    /// the worker's carrier meanwhile.
    ///
    /// # Errors
    /// If an operation fails or panics.
    pub fn run(&mut self, go: &Go) -> Result<Report, Error> {
        guarded(self.w, || self.body.run(go))
    }
}

/// Hides the type of the operation from the models: one virtual call a release.
trait Body {
    fn warm(&mut self) -> Result<Option<u64>, Error>;
    fn run(&mut self, go: &Go) -> Result<Report, Error>;
}

struct Bench<O> {
    op: O,
    batch: u64,
    stats: ThreadStats,
    setting: Setting,
}

impl<O: Op> Body for Bench<O> {
    fn warm(&mut self) -> Result<Option<u64>, Error> {
        let mut best = None;
        let mut tally = Tally::default();
        match self.laps(&mut tally, &mut best).map_err(|halt| halt.stop) {
            Ok(()) => self.op.released(),
            Err(Stop::NoWorkLeft | Stop::Over) => {}
            Err(stop) => return Err(Error::Op { w: self.setting.w, i: tally.ops, stop }),
        }
        Ok(best)
    }

    fn run(&mut self, go: &Go) -> Result<Report, Error> {
        let mut release = Release::new(go, self.setting.of);
        let timed = go.pass == Pass::Latency;
        if timed {
            self.op.arm();
        }
        let started = if self.setting.spins { Started::spinning(go) } else { Started::asleep(go) };
        release.enter(started, self.stats.sample());
        match self.intervals(&mut release) {
            Ok(()) => self.op.released(),
            Err(halt) => release
                .halt(halt, self.stats.sample())
                .map_err(|Failed { i, stop }| Error::Op { w: self.setting.w, i, stop })?,
        }
        let mut report = release.report(self.setting.w);
        if timed {
            report.hists.extend(self.op.hists());
        }
        Ok(report)
    }
}

impl<O: Op> Bench<O> {
    /// From crossing to crossing until the last.
    fn intervals(&mut self, release: &mut Release) -> Result<(), Halt> {
        let Self { op, batch, setting, .. } = self;
        while let Some((i, end_ns)) = release.open() {
            op.record((0..i64::from(release.go().windows)).contains(&i));
            let (tally, lane, spans) = release.record(i);
            let now = match (lane, setting.stopwatch) {
                (None, _) => count(op, *batch, end_ns, tally, spans)?,
                (Some(lane), Stopwatch::Counter(timer)) => {
                    time(op, timer, end_ns, tally, lane, spans)?
                }
                (Some(lane), Stopwatch::Gettime(timer)) => {
                    time(op, timer, end_ns, tally, lane, spans)?
                }
            };
            release.cross(i, now, self.stats.sample());
        }
        Ok(())
    }

    /// Single batches, timed, then the loops themselves.
    fn laps(&mut self, tally: &mut Tally, best: &mut Option<u64>) -> Result<(), Halt> {
        let begin = clock::now_ns();
        let mut before = begin;
        while before - begin < WARM_NS || tally.ops < 2 * self.batch {
            let now = count(&mut self.op, self.batch, 0, tally, None)?;
            let lap = (now - before).div_ceil(self.batch);
            *best = Some(best.map_or(lap, |best| best.min(lap)));
            before = now;
        }
        let mut lane = Lane::new();
        match self.setting.stopwatch {
            Stopwatch::Counter(timer) => time(&mut self.op, timer, 0, tally, &mut lane, None)?,
            Stopwatch::Gettime(timer) => time(&mut self.op, timer, 0, tally, &mut lane, None)?,
        };
        Ok(())
    }
}

/// Runs a workload's code; a panic becomes an error.
pub(crate) fn guarded<T>(w: u32, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(Error::Panicked { w, message: message(&*panic) }))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::Cell;
    use crate::program::Program;

    #[test]
    fn a_probe_works_without_a_model() {
        let program = Program::new().workload("op", |_| Ok(|_w: u32| |i: u64| i as u32));
        let job = program.job(Cell::new("op", "threads", 1)).unwrap();
        let mut probe = job.probe(0).unwrap();
        assert!(probe.warm().unwrap().is_some());
        let mut go = Go::soon(Pass::Latency, 2, 3_000_000);
        go.spans = 10;
        let report = probe.run(&go).unwrap();
        let ops: u64 = report.intervals.iter().map(|x| x.ops).sum();
        let check = (0..ops).sum::<u64>() % 2_147_483_647;
        assert_eq!((report.total.ops, report.total.check), (ops, check));
        assert_eq!(report.intervals.len(), 4);
        assert!(report.spans.is_some());
    }
}
