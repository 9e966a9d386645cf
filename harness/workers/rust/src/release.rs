//! One worker in one release: its way through the intervals and all that it records there.
//!
//! Shared by the probe of a worker with a thread of its own and by that of one that runs as tasks:
//! what a crossing is, is said here, once.

use crate::clock;
use crate::go::Go;
use crate::loops::Halt;
use crate::recorder::{Lane, Recorder, Spans};
use crate::report::Report;
use crate::stop::Stop;
use crate::thread_stats::Sample;
use crate::track::{Tally, Track};

/// The moment at which a worker was released. Only waiting for the start makes one, so that no model
/// can invent it.
#[derive(Debug, Clone, Copy)]
pub struct Started {
    at_ns: u64,
}

impl Started {
    /// Sleeps until the start of a release, without spinning: for an opener that starts tasks then.
    pub fn asleep(go: &Go) -> Self {
        Self { at_ns: clock::wait_until(go.start_ns, 0) }
    }

    /// Sleeps until `spin_ns` before the start, and spins the rest.
    pub(crate) fn spinning(go: &Go) -> Self {
        Self { at_ns: clock::wait_until(go.start_ns, go.spin_ns) }
    }
}

/// What one worker records in one release; allocated before its start.
#[derive(Debug)]
pub(crate) struct Release {
    go: Go,
    track: Track,
    recorder: Recorder,
    spans: Spans,
    tally: Tally,
    started_ns: u64,
}

impl Release {
    /// For one of `workers` workers.
    pub(crate) fn new(go: &Go, workers: u32) -> Self {
        Self {
            go: go.clone(),
            track: Track::new(go),
            recorder: Recorder::new(go, workers),
            spans: Spans::new(go),
            tally: Tally::default(),
            started_ns: 0,
        }
    }

    pub(crate) fn go(&self) -> &Go {
        &self.go
    }

    /// Boundaries crossed so far.
    pub(crate) fn crossed(&self) -> usize {
        self.track.crossed()
    }

    /// Index and nominal end of the interval that the worker is in; `None` after the last crossing.
    pub(crate) fn open(&self) -> Option<(i64, u64)> {
        self.track.open()
    }

    /// The worker enters its loop.
    pub(crate) fn enter(&mut self, started: Started, sample: Sample) {
        self.started_ns = started.at_ns;
        self.track.enter(sample);
    }

    /// What operations of the interval `i` are recorded into.
    pub(crate) fn record(&mut self, i: i64) -> (&mut Tally, Option<&mut Lane>, Option<&mut Spans>) {
        // The operation that crosses into window 0 ends after its begin: it is the first span.
        let spans = (i >= 0 && self.spans.wanted()).then_some(&mut self.spans);
        (&mut self.tally, self.recorder.lane(i, &self.go), spans)
    }

    /// An operation of the interval `i` ended at `now_ns`, at or after the interval's end.
    pub(crate) fn cross(&mut self, i: i64, now_ns: u64, sample: Sample) {
        self.track.cross(now_ns, self.tally, sample);
        if i < 0 && now_ns >= self.go.window0_ns() {
            self.spans.push(now_ns);
        }
    }

    /// An operation ended the loop before its end: well, or with a failure.
    pub(crate) fn halt(&mut self, halt: Halt, sample: Sample) -> Result<(), Failed> {
        let last_ns = halt.last_ns.unwrap_or(self.track.last_ns());
        match halt.stop {
            Stop::NoWorkLeft => self.track.leave(clock::now_ns(), self.tally, sample),
            Stop::Over => self.track.end(last_ns, self.tally, sample),
            stop @ (Stop::Failed(_) | Stop::Wrong(_)) => {
                return Err(Failed { i: self.tally.ops, stop });
            }
        }
        Ok(())
    }

    /// What the worker did.
    pub(crate) fn report(self, w: u32) -> Report {
        Report {
            w,
            slot: self.go.slot,
            total: self.track.total(self.started_ns),
            intervals: self.track.intervals(&self.go),
            hists: self.recorder.hists(),
            spans: self.spans.into_ends(),
        }
    }
}

/// The operation that failed, and why.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) i: u64,
    pub(crate) stop: Stop,
}
