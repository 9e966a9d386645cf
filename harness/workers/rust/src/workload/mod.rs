//! What is done: the operations that workers repeat. Timing and counting are the probe's.

mod awaiting;
mod cpu;
pub(crate) mod lock;
mod mem;
mod noop;
mod pipe;
mod serial;
mod sleep;

pub(crate) use cpu::Cpu;
pub(crate) use mem::Mem;
pub(crate) use noop::Noop;
pub(crate) use pipe::Pipe;
pub(crate) use serial::Serial;
pub(crate) use sleep::Sleep;

use std::task::{Context, Poll};

use crate::error::Error;
use crate::go::Go;
use crate::report::Hist;
use crate::stop::Stop;
use crate::wire::Line;

/// One worker's operation, repeated by the probe's loop, which is compiled for it: there is no
/// virtual call.
///
/// Any `FnMut(u64) -> u32` is one.
pub trait Op {
    /// Does operation `i` (from 0 at every release) and returns its result, which is added to the
    /// check modulo 2^31 - 1. Where nothing is computed, return 1: then the check counts.
    ///
    /// Results of computations must pass through [`std::hint::black_box`], or come from the outside,
    /// lest the compiler finds them without doing the work.
    ///
    /// # Errors
    /// [`Stop::NoWorkLeft`] ends the loop; [`Stop::Failed`] makes the trial an error.
    fn run(&mut self, i: u64) -> Result<u32, Stop>;

    /// The same in the latency pass: what it times itself inside operation `i`, it times here. Of a
    /// worker with a thread of its own.
    ///
    /// # Errors
    /// As [`Op::run`].
    #[inline]
    fn run_timed(&mut self, i: u64) -> Result<u32, Stop> {
        self.run(i)
    }

    /// A release of the latency pass is coming: what is recorded into is allocated here.
    fn arm(&mut self) {}

    /// The worker enters the windows (`true`), or leaves them: what it times is recorded between.
    fn record(&mut self, _on: bool) {}

    /// What it recorded in the release that is over.
    fn hists(&mut self) -> Vec<Hist> {
        Vec::new()
    }

    /// The worker has crossed the end of the release (or of its warm-up): where the others wait for it
    /// inside an operation, they are told here.
    fn released(&mut self) {}
}

/// One worker's operation for a runtime whose tasks wait without blocking their thread.
pub trait TaskOp: Send {
    /// Goes on with operation `i`; as [`Op::run`] once it has ended.
    fn poll(&mut self, i: u64, cx: &mut Context<'_>) -> Poll<Result<u32, Stop>>;
}

impl TaskOp for Box<dyn TaskOp> {
    fn poll(&mut self, i: u64, cx: &mut Context<'_>) -> Poll<Result<u32, Stop>> {
        (**self).poll(i, cx)
    }
}

impl<F: FnMut(u64) -> u32> Op for F {
    #[inline]
    fn run(&mut self, i: u64) -> Result<u32, Stop> {
        Ok(self(i))
    }
}

/// What the workers of one cell do; shared by them.
///
/// A closure `Fn(u32) -> impl Op` is one: worker number in, operation out.
pub trait Workload: Send + Sync + 'static {
    /// One worker's operation. `Send`, because a pool's threads hand workers on.
    type Op: Op + Send;

    /// Makes the operation of worker `w`. Called on the thread that will run it, so that its data lie
    /// near that thread's CPU.
    ///
    /// # Errors
    /// Whatever prevents it: it becomes the answer to `prepare`.
    fn op(&self, w: u32) -> Result<Self::Op, Error>;

    /// The same operation for a task of the tokio runtime that this is called in, where it has to wait;
    /// `None` where it computes, and is run as it is.
    ///
    /// # Errors
    /// As [`Workload::op`].
    fn awaiting_op(&self, _w: u32) -> Result<Option<Box<dyn TaskOp>>, Error> {
        Ok(None)
    }

    /// A worker of the cell could not be made, or failed: where others wait for it inside an
    /// operation, they are let go, with a failure.
    fn abandon(&self) {}

    /// All workers are parked and about to be released: what they share is made ready for it.
    fn begin(&self, _go: &Go) {}

    /// All are parked again: lines of what they recorded together in that release, without the cell's
    /// id.
    fn end(&self, _go: &Go) -> Vec<Line> {
        Vec::new()
    }

    /// How many operations share one reading of the clock in the throughput pass: 1, unless an
    /// operation takes less than some 20 clock readings (half a microsecond).
    fn batch(&self) -> u64 {
        1
    }

    /// Parameters that it chose itself, for the `ready` line.
    fn chosen(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }
}

impl<F, O> Workload for F
where
    F: Fn(u32) -> O + Send + Sync + 'static,
    O: Op + Send,
{
    type Op = O;

    fn op(&self, w: u32) -> Result<O, Error> {
        Ok(self(w))
    }
}
