//! What is used instead of a lock: counters (`counter`) and maps (`map`) that several workers may change at once. All
//! steps are done outside of it; it is never held.

use std::hint::black_box;
use std::sync::Arc;

use super::record::{Board, Lanes, Stamps};
use super::{Choice, Shape};
use crate::error::Error;
use crate::go::Go;
use crate::report::Hist;
use crate::stop::Stop;
use crate::timer::{Stopwatch, Timer};
use crate::wire::Line;
use crate::workload::cpu::minstd;
use crate::workload::{Op, Workload};

/// Additions that share a reading of the clock where they are all that is done: as many as of `noop`.
const BATCH: u64 = 1024;

/// What workers share; each has a copy of the handle.
pub(crate) trait Shared: Clone + std::fmt::Debug + Send + Sync + 'static {
    /// This copy is worker `w`'s.
    fn of(&mut self, _w: u32) {}

    /// Worker `w` adds one to the `k`th of the cell.
    fn add(&mut self, k: usize, w: u32);

    /// Reads the `k`th; whether there was anything to read.
    fn read(&mut self, k: usize) -> bool;

    /// All additions that it holds.
    fn sum(&self) -> u64;
}

/// The workload of one cell; `BARE` if it does nothing but add to one counter.
#[derive(Debug)]
pub(crate) struct Counting<S, const BARE: bool> {
    shape: Shape,
    shared: S,
    board: Arc<Board>,
}

impl<S: Shared, const BARE: bool> Counting<S, BARE> {
    pub(crate) fn new(shape: Shape, shared: S) -> Self {
        Self { shape, shared, board: Arc::new(Board::new()) }
    }
}

impl<S: Shared, const BARE: bool> Workload for Counting<S, BARE> {
    type Op = Adding<S, BARE>;

    fn op(&self, w: u32) -> Result<Adding<S, BARE>, Error> {
        let mut shared = self.shared.clone();
        shared.of(w);
        Ok(Adding {
            w,
            shape: self.shape,
            choice: Choice::of(w),
            shared,
            board: self.board.clone(),
            lanes: Lanes::default(),
            stopwatch: Stopwatch::detect(),
        })
    }

    fn begin(&self, go: &Go) {
        self.board.begin(go, self.shared.sum());
    }

    /// There are no owners.
    fn end(&self, _: &Go) -> Vec<Line> {
        self.board.end(self.shared.sum())
    }

    fn batch(&self) -> u64 {
        if BARE { BATCH } else { self.shape.batch() }
    }

    fn chosen(&self) -> Vec<(&'static str, u64)> {
        let mut chosen = self.shape.chosen();
        chosen.retain(|(key, _)| !BARE || *key != "batch");
        chosen.extend(BARE.then_some(("batch", BATCH)));
        chosen
    }
}

/// What a reader must not miss.
#[cold]
fn lost() -> Stop {
    Stop::Wrong(
        "a reader did not find what was there before anybody began: it loses data".to_owned(),
    )
}

/// One worker's operations.
#[derive(Debug)]
pub(crate) struct Adding<S, const BARE: bool> {
    w: u32,
    shape: Shape,
    choice: Choice,
    shared: S,
    board: Arc<Board>,
    lanes: Lanes,
    stopwatch: Stopwatch,
}

impl<S: Shared, const BARE: bool> Adding<S, BARE> {
    #[inline(always)]
    fn once(&mut self, i: u64) -> Result<(), Stop> {
        let k = self.choice.next(self.shape.locks);
        if !self.shape.reads(i) {
            self.shared.add(k, self.w);
        } else if !self.shared.read(k) {
            return Err(lost());
        }
        Ok(())
    }

    #[inline]
    fn timed(&mut self, i: u64, timer: impl Timer) -> Result<u32, Stop> {
        let x = black_box(minstd(black_box(1 + i % 64), self.shape.steps()));
        let mut stamps = Stamps { requested: timer.end(), ..Stamps::default() };
        self.once(i)?;
        stamps.acquired = timer.end();
        self.lanes.wait(timer, self.shape.reads(i), &stamps);
        Ok(x as u32)
    }
}

impl<S: Shared, const BARE: bool> Op for Adding<S, BARE> {
    #[inline]
    fn run(&mut self, i: u64) -> Result<u32, Stop> {
        if BARE {
            self.shared.add(0, self.w);
            // The result of no steps; it need not be opaque, since the addition can't be left out.
            return Ok((1 + i % 64) as u32);
        }
        let x = black_box(minstd(black_box(1 + i % 64), self.shape.steps()));
        self.once(i)?;
        Ok(x as u32)
    }

    fn run_timed(&mut self, i: u64) -> Result<u32, Stop> {
        match self.stopwatch {
            Stopwatch::Counter(timer) => self.timed(i, timer),
            Stopwatch::Gettime(timer) => self.timed(i, timer),
        }
    }

    fn arm(&mut self) {
        self.lanes = self.board.lanes();
    }

    fn record(&mut self, on: bool) {
        self.lanes.record(on);
    }

    fn hists(&mut self) -> Vec<Hist> {
        self.lanes.hists()
    }
}
