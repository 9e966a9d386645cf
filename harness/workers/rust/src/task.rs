//! The instrument of a worker without a thread of its own: one operation a step, on whatever thread
//! the runtime runs it. Work-stealing and cooperative models differ in how they come back for the next
//! step, and in nothing else.
//!
//! The crossings are those of `release`, as for a worker with a thread. What belongs to a thread (CPU
//! time, run delay) has no owner here: the first worker over a boundary reads it for all carriers,
//! see `carriers`.

use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use crate::carriers::Readings;
use crate::clock;
use crate::error::Error;
use crate::go::Go;
use crate::loops::Halt;
use crate::probe::{Setting, guarded};
use crate::release::{Failed, Release, Started};
use crate::report::Report;
use crate::stop::Stop;
use crate::thread_stats::Sample;
use crate::timer::{Stopwatch, Timer};
use crate::workload::{Op, TaskOp};

/// One worker that runs as tasks. Made by `Job::task`, on a thread that will run it; it may move to
/// another between two steps.
///
/// A release is `arm`, `enter` (or `enter_when`), then `step` (or `poll_step`) until it answers
/// `false`, then `report`.
pub struct TaskProbe {
    w: u32,
    body: Box<dyn Body + Send>,
}

impl std::fmt::Debug for TaskProbe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TaskProbe").field("w", &self.w).finish_non_exhaustive()
    }
}

impl TaskProbe {
    /// Of operations that may block their thread.
    pub(crate) fn blocking<O: Op + Send + 'static>(op: O, batch: u64, setting: Setting) -> Self {
        Self::awaiting(Blocking(op), batch, setting)
    }

    /// Of operations that wait in the runtime.
    pub(crate) fn awaiting<O: TaskOp + 'static>(op: O, batch: u64, setting: Setting) -> Self {
        let bench = Bench { op, batch: batch.max(1), setting, run: None };
        Self { w: setting.w, body: Box::new(bench) }
    }

    /// Its worker's number.
    pub fn w(&self) -> u32 {
        self.w
    }

    /// Makes ready for a release: whatever is recorded into is allocated here. `readings` are shared
    /// by the workers of the cell.
    pub fn arm(&mut self, go: &Go, readings: Arc<Readings>) {
        self.body.arm(go, readings);
    }

    /// Waits for the start on this thread, spinning the last of it if there are CPUs for all workers,
    /// and enters the loop.
    pub fn enter(&mut self) {
        self.body.enter(None);
    }

    /// Enters the loop at once, released when the opener says.
    pub fn enter_when(&mut self, started: Started) {
        self.body.enter(Some(started));
    }

    /// Does one operation, and whatever is due at the boundaries that it crosses. `false`: the release
    /// is over for this worker.
    ///
    /// # Errors
    /// If the operation fails or panics; if it waits for something that only a runtime can wait for.
    pub fn step(&mut self) -> Result<bool, Error> {
        match self.poll_step(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(goes_on) => goes_on,
            Poll::Pending => Err(Error::other("this operation waits in a runtime: poll it")),
        }
    }

    /// The same for a runtime whose tasks wait by being polled again.
    ///
    /// # Errors
    /// As [`TaskProbe::step`].
    pub fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, Error>> {
        match guarded(self.w, || Ok(self.body.poll_step(cx))) {
            Ok(polled) => polled,
            Err(panicked) => Poll::Ready(Err(panicked)),
        }
    }

    /// What it did in the release that is over.
    ///
    /// # Errors
    /// If there was none.
    pub fn report(&mut self) -> Result<Report, Error> {
        self.body.report()
    }
}

/// Hides the type of the operation from the models: one virtual call a step.
trait Body {
    fn arm(&mut self, go: &Go, readings: Arc<Readings>);
    fn enter(&mut self, started: Option<Started>);
    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, Error>>;
    fn report(&mut self) -> Result<Report, Error>;
}

/// In cache lines of its own (two, for the adjacent-line prefetcher): workers write here all the time.
#[repr(align(128))]
struct Bench<O> {
    op: O,
    batch: u64,
    setting: Setting,
    run: Option<Run>,
}

/// A release in progress.
struct Run {
    release: Release,
    readings: Arc<Readings>,
    timed: bool,
    /// Index and end of the interval that the worker is in.
    i: i64,
    end_ns: u64,
    /// Operations until the next look at the clock.
    until_look: u64,
    /// The timer as the operation began that is still waiting.
    begun: Option<u64>,
}

impl<O: TaskOp> Body for Bench<O> {
    fn arm(&mut self, go: &Go, readings: Arc<Readings>) {
        let release = Release::new(go, self.setting.of);
        // Operations that are timed one by one are seen by the clock one by one.
        let timed = go.pass == crate::go::Pass::Latency;
        let until_look = if timed { 1 } else { self.batch };
        let (i, end_ns) = (go.first_index(), go.ends_ns()[0]);
        self.run = Some(Run { release, readings, timed, i, end_ns, until_look, begun: None });
    }

    fn enter(&mut self, started: Option<Started>) {
        let Some(run) = &mut self.run else { return };
        let started = started.unwrap_or_else(|| match self.setting.spins {
            true => Started::spinning(run.release.go()),
            false => Started::asleep(run.release.go()),
        });
        run.readings.take(0);
        run.release.enter(started, Sample::without_thread());
    }

    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, Error>> {
        let Some(run) = &mut self.run else {
            return Poll::Ready(Err(Error::other("a task is armed before it steps")));
        };
        let ended = match self.setting.stopwatch {
            _ if !run.timed => ready!(run.count(&mut self.op, cx)),
            Stopwatch::Counter(timer) => ready!(run.time(&mut self.op, timer, cx)),
            Stopwatch::Gettime(timer) => ready!(run.time(&mut self.op, timer, cx)),
        };
        let goes_on = match ended {
            Ok(()) => Ok(run.look(if run.timed { 1 } else { self.batch })),
            Err(stop) => run.halt(stop).map(|()| false),
        };
        let w = self.setting.w;
        Poll::Ready(goes_on.map_err(|Failed { i, stop }| Error::Op { w, i, stop }))
    }

    fn report(&mut self) -> Result<Report, Error> {
        let run = self.run.take().ok_or_else(|| Error::other("a task reports after a release"))?;
        Ok(run.release.report(self.setting.w))
    }
}

impl Run {
    /// One operation of the throughput pass.
    fn count<O: TaskOp>(&mut self, op: &mut O, cx: &mut Context<'_>) -> Poll<Result<(), Stop>> {
        let (tally, _, _) = self.release.record(self.i);
        Poll::Ready(match ready!(op.poll(tally.ops, cx)) {
            Ok(result) => {
                tally.ops += 1;
                tally.check += u64::from(result);
                Ok(())
            }
            Err(stop) => Err(stop),
        })
    }

    /// One operation of the latency pass: from its first poll to its last.
    fn time<O: TaskOp, T: Timer>(
        &mut self,
        op: &mut O,
        timer: T,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Stop>> {
        let t0 = *self.begun.get_or_insert_with(|| timer.begin());
        let counted = ready!(self.count(op, cx));
        let t1 = timer.end();
        self.begun = None;
        if counted.is_ok()
            && let (_, Some(lane), _) = self.release.record(self.i)
        {
            lane.record(timer.ns(t1.saturating_sub(t0)));
        }
        Poll::Ready(counted)
    }

    /// Looks at the clock if it is time to, and crosses what there is to cross; false at the end.
    fn look(&mut self, batch: u64) -> bool {
        self.until_look -= 1;
        if self.until_look > 0 {
            return true;
        }
        self.until_look = batch;
        let now_ns = clock::now_ns();
        if let (_, _, Some(spans)) = self.release.record(self.i) {
            spans.push(now_ns);
        }
        now_ns < self.end_ns || self.cross(now_ns)
    }

    #[cold]
    fn cross(&mut self, now_ns: u64) -> bool {
        let before = self.release.crossed();
        self.release.cross(self.i, now_ns, Sample::without_thread());
        (before + 1..=self.release.crossed()).for_each(|k| self.readings.take(k));
        match self.release.open() {
            Some((i, end_ns)) => {
                (self.i, self.end_ns) = (i, end_ns);
                true
            }
            None => false,
        }
    }

    #[cold]
    fn halt(&mut self, stop: Stop) -> Result<(), Failed> {
        self.release.halt(Halt { stop, last_ns: None }, Sample::without_thread())
    }
}

/// An operation that may block its thread: it has ended when it returns.
struct Blocking<O>(O);

impl<O: Op + Send> TaskOp for Blocking<O> {
    #[inline]
    fn poll(&mut self, i: u64, _: &mut Context<'_>) -> Poll<Result<u32, Stop>> {
        Poll::Ready(self.0.run(i))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carriers::CarrierMeter;
    use crate::cell::Cell;
    use crate::go::Pass;
    use crate::program::Program;

    fn readings(go: &Go) -> Arc<Readings> {
        let tid = rustix::thread::gettid().as_raw_nonzero().get() as u32;
        CarrierMeter::open(&[tid]).unwrap().readings(go)
    }

    fn run(probe: &mut TaskProbe, go: &Go) -> Report {
        probe.arm(go, readings(go));
        probe.enter();
        while probe.step().unwrap() {}
        probe.report().unwrap()
    }

    #[test]
    fn steps_give_the_same_report_as_a_loop() {
        let program = Program::new().workload("op", |_| Ok(|_w: u32| |i: u64| i as u32));
        let job = program.job(Cell::new("op", "rayon", 1)).unwrap();
        let mut probe = job.task(0).unwrap();
        for pass in [Pass::Throughput, Pass::Latency] {
            let mut go = Go::soon(pass, 2, 3_000_000);
            go.spans = 10;
            let report = run(&mut probe, &go);
            let ops: u64 = report.intervals.iter().map(|x| x.ops).sum();
            let check = (0..ops).fold(0, |sum, i| (sum + i) % crate::report::CHECK_MODULUS);
            assert_eq!((report.total.ops, report.total.check), (ops, check));
            assert!(report.total.started_ns >= go.start_ns);
            let ends = go.ends_ns();
            assert_eq!(report.intervals.len(), ends.len());
            for (x, end_ns) in report.intervals.iter().zip(ends) {
                assert!(x.last_ns.unwrap() >= end_ns);
                assert_eq!(x.cpu_ns, None, "a task owns no thread");
            }
            let windows = report.intervals.iter().filter(|x| x.i >= 0 && !x.tail);
            let timed: u64 = report.hists.iter().map(|h| h.n).sum();
            let expected = if pass == Pass::Latency { windows.map(|x| x.ops).sum() } else { 0 };
            assert_eq!(timed, expected);
            let spans = report.spans.unwrap();
            let after: u64 = report.intervals.iter().filter(|x| x.i >= 0).map(|x| x.ops).sum();
            assert!(spans.len() as u64 >= after.min(10) && spans.len() <= 10 && spans.is_sorted());
        }
    }

    #[test]
    fn a_batch_is_one_look_at_the_clock() {
        let job = Program::new().job(Cell::new("noop", "rayon", 1).with("batch", 7)).unwrap();
        let go = Go::soon(Pass::Throughput, 2, 1_000_000);
        for x in run(&mut job.task(0).unwrap(), &go).intervals {
            assert_eq!(x.ops % 7, 0, "{x:?}");
        }
    }

    #[test]
    fn a_panic_is_an_error_and_a_step_before_it_is_armed_too() {
        let program = Program::new().workload("op", |_| {
            Ok(|_w: u32| |i: u64| if i == 3 { panic!("no such luck") } else { 1 })
        });
        let mut probe = program.job(Cell::new("op", "rayon", 1)).unwrap().task(0).unwrap();
        assert!(probe.step().is_err() && probe.report().is_err());
        let go = Go::soon(Pass::Throughput, 1, 1_000_000_000);
        probe.arm(&go, readings(&go));
        probe.enter();
        assert!((0..3).all(|_| probe.step().unwrap()));
        assert!(probe.step().unwrap_err().to_string().contains("no such luck"));
    }
}
