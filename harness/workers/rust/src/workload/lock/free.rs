//! What is used instead of a lock where all that must be shared is a counter: an atomic addition, and a
//! counter in parts. All steps are done outside of it; it is never held.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::record::{Board, Lanes, Stamps};
use super::{Apart, Choice, Shape};
use crate::cell::Cell;
use crate::error::Error;
use crate::go::Go;
use crate::report::Hist;
use crate::stop::Stop;
use crate::timer::{Stopwatch, Timer};
use crate::wire::Line;
use crate::workload::cpu::minstd;
use crate::workload::{Op, Workload};

/// A counter in `parts` parts, each in lines of its own or one beside the other.
#[derive(Debug)]
pub(crate) struct Counter {
    parts: u64,
    words: Words,
}

#[derive(Debug)]
enum Words {
    Padded(Box<[Apart<AtomicU64>]>),
    Packed(Box<[AtomicU64]>),
}

impl Counter {
    fn new(counters: u64, parts: u64, packed: bool) -> Self {
        let words = (0..counters * parts).map(|_| AtomicU64::new(0));
        let words = if packed {
            Words::Packed(words.collect())
        } else {
            Words::Padded(words.map(Apart).collect())
        };
        Self { parts, words }
    }

    /// The word of a counter that worker `w` adds to.
    #[inline]
    fn word(&self, counter: usize, w: u32) -> &AtomicU64 {
        let k = counter * self.parts as usize + (u64::from(w) % self.parts) as usize;
        match &self.words {
            Words::Padded(words) => &words[k].0,
            Words::Packed(words) => &words[k],
        }
    }

    /// All parts of a counter.
    fn read(&self, counter: usize) -> u64 {
        (0..self.parts).map(|w| self.word(counter, w as u32).load(Ordering::Relaxed)).sum()
    }
}

/// The workload of one cell.
#[derive(Debug)]
pub(crate) struct Counting {
    shape: Shape,
    common: Arc<Common>,
}

#[derive(Debug)]
struct Common {
    counter: Counter,
    board: Board,
}

impl Counting {
    /// One word for all workers.
    pub(crate) fn atomic(cell: &Cell) -> Result<Self, Error> {
        Self::in_parts(cell, 1)
    }

    /// A word for each worker.
    pub(crate) fn sharded(cell: &Cell) -> Result<Self, Error> {
        Self::in_parts(cell, u64::from(cell.of))
    }

    fn in_parts(cell: &Cell, parts: u64) -> Result<Self, Error> {
        let shape = Shape::of(cell)?;
        let counter = Counter::new(shape.locks, parts, shape.packed);
        Ok(Self { shape, common: Arc::new(Common { counter, board: Board::new() }) })
    }

    fn sum(&self) -> u64 {
        (0..self.shape.locks as usize).map(|k| self.common.counter.read(k)).sum()
    }
}

impl Workload for Counting {
    type Op = Adding;

    fn op(&self, w: u32) -> Result<Adding, Error> {
        Ok(Adding {
            w,
            shape: self.shape,
            choice: Choice::of(w),
            common: self.common.clone(),
            lanes: Lanes::default(),
            stopwatch: Stopwatch::detect(),
        })
    }

    fn begin(&self, go: &Go) {
        self.common.board.begin(go, self.sum());
    }

    /// There are no owners.
    fn end(&self, _: &Go) -> Vec<Line> {
        self.common.board.end(self.sum())
    }

    fn batch(&self) -> u64 {
        self.shape.batch()
    }

    fn chosen(&self) -> Vec<(&'static str, u64)> {
        self.shape.chosen()
    }
}

/// One worker's operations.
#[derive(Debug)]
pub(crate) struct Adding {
    w: u32,
    shape: Shape,
    choice: Choice,
    common: Arc<Common>,
    lanes: Lanes,
    stopwatch: Stopwatch,
}

impl Adding {
    #[inline]
    fn count(&mut self, i: u64) {
        let k = self.choice.next(self.shape.locks);
        let counter = &self.common.counter;
        if self.shape.reads(i) {
            black_box(counter.read(k));
        } else {
            counter.word(k, self.w).fetch_add(1, Ordering::Relaxed);
        }
    }

    #[inline]
    fn timed<T: Timer>(&mut self, i: u64, timer: T) -> u64 {
        let x = black_box(minstd(black_box(1 + i % 64), self.shape.steps()));
        let mut stamps = Stamps { requested: timer.end(), ..Stamps::default() };
        self.count(i);
        stamps.acquired = timer.end();
        self.lanes.wait(timer, self.shape.reads(i), &stamps);
        x
    }
}

impl Op for Adding {
    #[inline]
    fn run(&mut self, i: u64) -> Result<u32, Stop> {
        let x = black_box(minstd(black_box(1 + i % 64), self.shape.steps()));
        self.count(i);
        Ok(x as u32)
    }

    fn run_timed(&mut self, i: u64) -> Result<u32, Stop> {
        Ok(match self.stopwatch {
            Stopwatch::Counter(timer) => self.timed(i, timer),
            Stopwatch::Gettime(timer) => self.timed(i, timer),
        } as u32)
    }

    fn arm(&mut self) {
        self.lanes = self.common.board.lanes();
    }

    fn record(&mut self, on: bool) {
        self.lanes.record(on);
    }

    fn hists(&mut self) -> Vec<Hist> {
        self.lanes.hists()
    }
}
