//! The instrument of one worker: it waits for the start, repeats the operation, reads the clock, cuts
//! the windows and records. Models decide on which thread it is called, and nothing else, so they
//! can't time themselves differently.
//!
//! The two loops, [`count`] and [`time`], are the whole of what runs between two crossings; each is
//! compiled for its operation. Allocation, system calls and formatting happen before the start, at a
//! crossing, or after the end.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::clock;
use crate::error::Error;
use crate::go::Go;
use crate::recorder::{Lane, Recorder, Spans};
use crate::report::Report;
use crate::stop::Stop;
use crate::thread_stats::ThreadStats;
use crate::timer::{Stopwatch, Timer};
use crate::track::{Tally, Track};
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
        let warmed = self.laps(&mut tally, &mut best);
        match warmed {
            Ok(()) | Err(Stop::NoWorkLeft) => Ok(best),
            Err(stop) => Err(self.failed(tally, stop)),
        }
    }

    fn run(&mut self, go: &Go) -> Result<Report, Error> {
        let mut track = Track::new(go);
        let mut recorder = Recorder::new(go, self.setting.of);
        let mut spans = Spans::new(go);
        let mut tally = Tally::default();
        let spin_ns = if self.setting.spins { go.spin_ns } else { 0 };
        let started_ns = clock::wait_until(go.start_ns, spin_ns);
        track.enter(&self.stats);
        match self.intervals(go, &mut track, &mut recorder, &mut spans, &mut tally) {
            Ok(()) => {}
            Err(Stop::NoWorkLeft) => track.leave(clock::now_ns(), tally, self.stats.sample()),
            Err(stop) => return Err(self.failed(tally, stop)),
        }
        Ok(Report {
            w: self.setting.w,
            slot: go.slot,
            total: track.total(started_ns),
            intervals: track.intervals(go),
            hists: recorder.hists(),
            spans: spans.into_ends(),
        })
    }
}

impl<O: Op> Bench<O> {
    /// From crossing to crossing until the last.
    fn intervals(
        &mut self,
        go: &Go,
        track: &mut Track,
        recorder: &mut Recorder,
        spans: &mut Spans,
        tally: &mut Tally,
    ) -> Result<(), Stop> {
        let Self { op, batch, setting, .. } = self;
        while let Some((i, end_ns)) = track.open() {
            // The operation that crosses into window 0 ends after its begin: it is the first span.
            let spans_here = if i >= 0 && spans.wanted() { Some(&mut *spans) } else { None };
            let now = match (recorder.lane(i, go), setting.stopwatch) {
                (None, _) => count(op, *batch, end_ns, tally, spans_here)?,
                (Some(lane), Stopwatch::Counter(timer)) => {
                    time(op, timer, end_ns, tally, lane, spans_here)?
                }
                (Some(lane), Stopwatch::Gettime(timer)) => {
                    time(op, timer, end_ns, tally, lane, spans_here)?
                }
            };
            track.cross(now, *tally, self.stats.sample());
            if i < 0 && now >= go.window0_ns() {
                spans.push(now);
            }
        }
        Ok(())
    }

    /// Single batches, timed, then the loops themselves.
    fn laps(&mut self, tally: &mut Tally, best: &mut Option<u64>) -> Result<(), Stop> {
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

    fn failed(&self, tally: Tally, stop: Stop) -> Error {
        Error::Op { w: self.setting.w, i: tally.ops, stop }
    }
}

/// The loop of the throughput pass: operations, one reading of the clock a batch, one comparison.
/// Returns the first reading at or after `end_ns`.
#[inline(never)]
fn count<O: Op>(
    op: &mut O,
    batch: u64,
    end_ns: u64,
    tally: &mut Tally,
    spans: Option<&mut Spans>,
) -> Result<u64, Stop> {
    match spans {
        None => count_into(op, batch, end_ns, tally, |_| {}),
        Some(spans) => count_into(op, batch, end_ns, tally, |now| spans.push(now)),
    }
}

#[inline(always)]
fn count_into<O: Op>(
    op: &mut O,
    batch: u64,
    end_ns: u64,
    tally: &mut Tally,
    mut stamp: impl FnMut(u64),
) -> Result<u64, Stop> {
    let Tally { mut ops, mut check } = *tally;
    let end = 'work: loop {
        let batch_end = ops + batch;
        while ops != batch_end {
            match op.run(ops) {
                Ok(result) => check += u64::from(result),
                Err(stop) => break 'work Err(stop),
            }
            ops += 1;
        }
        let now = clock::now_ns();
        stamp(now);
        if now >= end_ns {
            break Ok(now);
        }
    };
    *tally = Tally { ops, check };
    end
}

/// The loop of the latency pass: every operation between two readings of the timer, recorded.
///
/// The timer also tells when to look at the clock: a little before the boundary should come, so that
/// the crossing's stamp is the clock's own and never late, however the two drift.
#[inline(never)]
fn time<O: Op, T: Timer>(
    op: &mut O,
    timer: T,
    end_ns: u64,
    tally: &mut Tally,
    lane: &mut Lane,
    spans: Option<&mut Spans>,
) -> Result<u64, Stop> {
    match spans {
        None => time_into(op, timer, end_ns, tally, lane, |_| {}),
        Some(spans) => {
            let (ticks, ns) = (timer.end(), clock::now_ns());
            let stamp = |t1: u64| spans.push(ns + timer.ns(t1.saturating_sub(ticks)));
            time_into(op, timer, end_ns, tally, lane, stamp)
        }
    }
}

#[inline(always)]
fn time_into<O: Op, T: Timer>(
    op: &mut O,
    timer: T,
    end_ns: u64,
    tally: &mut Tally,
    lane: &mut Lane,
    mut stamp: impl FnMut(u64),
) -> Result<u64, Stop> {
    let Tally { mut ops, mut check } = *tally;
    let mut look_at = look_at(timer, timer.end(), clock::now_ns(), end_ns);
    let end = loop {
        let t0 = timer.begin();
        let result = op.run(ops);
        let t1 = timer.end();
        match result {
            Ok(result) => check += u64::from(result),
            Err(stop) => break Err(stop),
        }
        ops += 1;
        lane.record(timer.ns(t1.saturating_sub(t0)));
        stamp(t1);
        if t1 >= look_at {
            let now = clock::now_ns();
            if now >= end_ns {
                break Ok(now);
            }
            look_at = self::look_at(timer, t1, now, end_ns);
        }
    };
    *tally = Tally { ops, check };
    end
}

/// When to look at the clock next: one per mille of the distance early, which covers a clock that is
/// being slewed (500 ppm at most) and the timer's calibration.
fn look_at<T: Timer>(timer: T, ticks: u64, now_ns: u64, end_ns: u64) -> u64 {
    let distance = end_ns.saturating_sub(now_ns);
    ticks.saturating_add(timer.ticks(distance - distance / 1000))
}

/// Runs a workload's code; a panic becomes an error.
fn guarded<T>(w: u32, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
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
    use crate::go::Pass;
    use crate::program::Program;
    use crate::timer::Gettime;

    /// Operations of some microseconds, so that boundaries fall between and inside them.
    fn op(i: u64) -> u32 {
        (0..i % 7 * 100).fold(1, |x, _| std::hint::black_box(x))
    }

    #[test]
    fn both_loops_end_at_or_after_the_boundary_and_time_records_every_operation() {
        for _ in 0..20 {
            let (mut tally, mut lane) = (Tally::default(), Lane::new());
            let end_ns = clock::now_ns() + 300_000;
            let now = time(&mut op, Gettime, end_ns, &mut tally, &mut lane, None).unwrap();
            assert!(now >= end_ns && now <= clock::now_ns());
            assert_eq!((lane.count(), tally.check), (tally.ops, tally.ops));

            let before = tally.ops;
            let now = count(&mut op, 3, now + 100_000, &mut tally, None).unwrap();
            assert!(now >= end_ns + 100_000);
            assert!(tally.ops > before && (tally.ops - before).is_multiple_of(3));
        }
    }

    #[test]
    fn the_cpus_counter_never_ends_a_window_early() {
        let Stopwatch::Counter(timer) = Stopwatch::detect() else { return };
        for _ in 0..50 {
            let (mut tally, mut lane) = (Tally::default(), Lane::new());
            let end_ns = clock::now_ns() + 200_000;
            assert!(time(&mut op, timer, end_ns, &mut tally, &mut lane, None).unwrap() >= end_ns);
        }
    }

    #[test]
    fn the_look_comes_early_and_closes_in() {
        let at = |now, end| look_at(Gettime, now, now, end);
        assert_eq!(at(0, 1_000_000), 999_000);
        assert_eq!(at(999_000, 1_000_000), 999_999);
        assert_eq!(at(999_999, 1_000_000), 1_000_000);
        assert_eq!(at(5, 3), 5, "past: at once");
    }

    #[test]
    fn a_stop_in_a_batch_keeps_what_was_done() {
        struct Five;
        impl Op for Five {
            fn run(&mut self, i: u64) -> Result<u32, Stop> {
                if i < 5 { Ok(2) } else { Err(Stop::NoWorkLeft) }
            }
        }
        let mut tally = Tally::default();
        let stop = count(&mut Five, 3, u64::MAX, &mut tally, None);
        assert!(matches!(stop, Err(Stop::NoWorkLeft)));
        assert_eq!(tally, Tally { ops: 5, check: 10 });
    }

    #[test]
    fn a_probe_works_without_a_model() {
        let program = Program::new().workload("op", |_| Ok(|_w: u32| op));
        let job = program.job(Cell::new("op", "threads", 1)).unwrap();
        let mut probe = job.probe(0).unwrap();
        assert!(probe.warm().unwrap().is_some());
        let mut go = Go::soon(Pass::Latency, 2, 3_000_000);
        go.spans = 10;
        let report = probe.run(&go).unwrap();
        let ops: u64 = report.intervals.iter().map(|x| x.ops).sum();
        assert_eq!((report.total.ops, report.total.check), (ops, ops % 2_147_483_647));
        assert_eq!(report.intervals.len(), 4);
        assert!(report.spans.is_some());
    }
}
