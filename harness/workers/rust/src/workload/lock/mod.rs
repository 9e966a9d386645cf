//! `lock`: a closed loop whose operations do a share of their work under a lock. What is locked, the
//! counter that proves it, and the cell's parameters are here; the locks themselves are in `family`, `raw`
//! and `library`, what does without in `free`, `counter` and `map`, what is recorded in `record`.

pub(crate) mod counter;
pub(crate) mod family;
pub(crate) mod free;
pub(crate) mod library;
pub(crate) mod map;
pub(crate) mod raw;
mod record;

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::cell::Cell;
use crate::error::Error;
use crate::go::Go;
use crate::report::{CHECK_MODULUS, Hist};
use crate::stop::Stop;
use crate::timer::{Stopwatch, Timer};
use crate::wire::Line;
use crate::workload::cpu::minstd;
use crate::workload::{Op, Workload};

use record::{Board, Lanes, Stamps};

/// A lock that the workload `lock` can measure.
///
/// Implement it for a lock that hands out guards or needs a place on the stack; one with the two
/// functions of [`lock_api::RawMutex`] needs nothing but [`Program::raw_lock`](crate::Program::raw_lock).
pub trait Lock: Send + Sync + 'static {
    /// Acquires, runs `inside` once, releases.
    fn with<R>(&self, inside: impl FnOnce() -> R) -> R;

    /// The same in shared mode, for operations that only read. `inside` may be run again where that is
    /// how the lock notices a writer; a lock without such a mode excludes readers as well.
    fn with_shared<R>(&self, inside: impl FnMut() -> R) -> R {
        self.with(inside)
    }

    /// Whether it has a shared mode.
    const SHARED: bool = false;
}

/// About 3.5 us an operation at 3.5 ns a step: long beside a clock reading, short beside a time slice.
const STEPS: u64 = 1000;

/// Below so many steps an operation shares its clock reading with `BATCH` others.
const STEPS_ALONE: u64 = 150;
const BATCH: u64 = 64;

/// More locks than this have no use, and their memory would.
const LOCKS_MAX: u64 = 1 << 16;

/// The parameters of a cell.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    outside: u64,
    inside: u64,
    permille: u64,
    readers: u64,
    pub(crate) locks: u64,
    pub(crate) packed: bool,
}

impl Shape {
    pub(crate) fn of(cell: &Cell) -> Result<Self, Error> {
        let at_most = |key: &str, default: u64, most: u64| match cell.int::<u64>(key)? {
            Some(value) if value > most => Err(Error::BadValue {
                key: key.to_owned(),
                value: value.to_string(),
                expected: format!("at most {most}").into(),
            }),
            other => Ok(other.unwrap_or(default)),
        };
        let steps = cell.int_at_least("steps", 0)?.unwrap_or(STEPS);
        let permille = at_most("permille", 250, 1000)?;
        cell.int_at_least("locks", 1)?;
        let packed = match cell.text("layout") {
            None | Some("padded") => false,
            Some("packed") => true,
            Some(other) => {
                return Err(Error::BadValue {
                    key: "layout".to_owned(),
                    value: other.to_owned(),
                    expected: "padded or packed".into(),
                });
            }
        };
        let inside = (u128::from(steps) * u128::from(permille) / 1000) as u64;
        Ok(Self {
            outside: steps - inside,
            inside,
            permille,
            readers: at_most("readers", 0, 1000)?,
            locks: at_most("locks", 1, LOCKS_MAX)?,
            packed,
        })
    }

    /// Whether operation `i` only reads: spread evenly, and known to the harness.
    #[inline]
    fn reads(&self, i: u64) -> bool {
        self.readers > 0 && i * 617 % 1000 < self.readers
    }

    fn steps(&self) -> u64 {
        self.outside + self.inside
    }

    fn batch(&self) -> u64 {
        if self.steps() < STEPS_ALONE { BATCH } else { 1 }
    }

    /// Whether nothing is done outside, inside, or with others of its kind.
    pub(crate) fn bare(&self) -> bool {
        self.steps() == 0 && self.readers == 0 && self.locks == 1
    }

    fn chosen(&self) -> Vec<(&'static str, u64)> {
        let mut chosen = vec![("steps", self.steps()), ("permille", self.permille)];
        if self.batch() != 1 {
            chosen.push(("batch", self.batch()));
        }
        chosen
    }
}

/// Which of the cell's locks a worker takes next.
#[derive(Debug)]
struct Choice(u64);

impl Choice {
    fn of(w: u32) -> Self {
        Self(1 + u64::from(w))
    }

    #[inline]
    fn next(&mut self, locks: u64) -> usize {
        if locks == 1 {
            return 0;
        }
        self.0 = self.0 * 48_271 % CHECK_MODULUS;
        (self.0 % locks) as usize
    }
}

/// What a lock guards: a counter that is loaded and stored, never added to in one step, so that two who
/// are inside at once lose an addition. (Atomics only because a lock that does not exclude must be no
/// undefined behaviour; they compile to plain moves.)
#[derive(Debug, Default)]
pub(crate) struct Guarded {
    count: AtomicU64,
    /// When the last owner began to release it, ticks.
    released: AtomicU64,
}

/// A lock and what it guards, as close to each other as they would be in a `Mutex<T>`.
#[derive(Debug)]
#[repr(C)]
struct Slot<L> {
    lock: L,
    guarded: Guarded,
}

/// In cache lines of its own (two, for the adjacent-line prefetcher).
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Apart<T>(T);

#[derive(Debug)]
enum Slots<L> {
    Padded(Box<[Apart<Slot<L>>]>),
    Packed(Box<[Slot<L>]>),
}

impl<L> Slots<L> {
    fn new(locks: Vec<L>, packed: bool) -> Self {
        let slots = locks.into_iter().map(|lock| Slot { lock, guarded: Guarded::default() });
        if packed {
            Self::Packed(slots.collect())
        } else {
            Self::Padded(slots.map(Apart).collect())
        }
    }

    #[inline]
    fn at(&self, k: usize) -> &Slot<L> {
        match self {
            Self::Padded(slots) => &slots[k].0,
            Self::Packed(slots) => &slots[k],
        }
    }

    fn sum(&self) -> u64 {
        let n = match self {
            Self::Padded(slots) => slots.len(),
            Self::Packed(slots) => slots.len(),
        };
        (0..n).map(|k| self.at(k).guarded.count.load(Ordering::Relaxed)).sum()
    }
}

/// The workload of one cell with locks of one kind.
#[derive(Debug)]
pub(crate) struct Locked<L> {
    shape: Shape,
    common: Arc<Common<L>>,
}

#[derive(Debug)]
struct Common<L> {
    slots: Slots<L>,
    board: Board,
}

impl<L: Lock> Locked<L> {
    /// With as many locks as the cell has.
    pub(crate) fn new(shape: Shape, locks: Vec<L>) -> Self {
        let slots = Slots::new(locks, shape.packed);
        Self { shape, common: Arc::new(Common { slots, board: Board::new() }) }
    }
}

impl<L: Lock> Workload for Locked<L> {
    type Op = Locking<L>;

    fn op(&self, w: u32) -> Result<Locking<L>, Error> {
        Ok(Locking {
            w,
            shape: self.shape,
            choice: Choice::of(w),
            common: self.common.clone(),
            lanes: Lanes::default(),
            stopwatch: Stopwatch::detect(),
        })
    }

    fn begin(&self, go: &Go) {
        self.common.board.begin(go, self.common.slots.sum());
    }

    fn end(&self, _: &Go) -> Vec<Line> {
        self.common.board.end(self.common.slots.sum())
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
pub(crate) struct Locking<L> {
    w: u32,
    shape: Shape,
    choice: Choice,
    common: Arc<Common<L>>,
    lanes: Lanes,
    stopwatch: Stopwatch,
}

/// What a reader must not see.
#[cold]
fn torn() -> Stop {
    Stop::Wrong(
        "a reader saw the counter change while it had the lock: it does not exclude writers"
            .to_owned(),
    )
}

impl<L: Lock> Op for Locking<L> {
    #[inline]
    fn run(&mut self, i: u64) -> Result<u32, Stop> {
        let shape = self.shape;
        // Opaque before the lock and before its release: no step may slip to the other side.
        let x = black_box(minstd(black_box(1 + i % 64), shape.outside));
        let slot = self.common.slots.at(self.choice.next(shape.locks));
        if shape.reads(i) {
            let (x, same) = slot.lock.with_shared(|| slot.guarded.read(x, shape.inside));
            return if same { Ok(x as u32) } else { Err(torn()) };
        }
        Ok(slot.lock.with(|| slot.guarded.write(x, shape.inside)) as u32)
    }

    fn run_timed(&mut self, i: u64) -> Result<u32, Stop> {
        match self.stopwatch {
            Stopwatch::Counter(timer) => self.timed(i, timer),
            Stopwatch::Gettime(timer) => self.timed(i, timer),
        }
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

impl<L: Lock> Locking<L> {
    #[inline]
    fn timed<T: Timer>(&mut self, i: u64, timer: T) -> Result<u32, Stop> {
        let shape = self.shape;
        let x = black_box(minstd(black_box(1 + i % 64), shape.outside));
        let k = self.choice.next(shape.locks);
        let slot = self.common.slots.at(k);
        let lanes = &mut self.lanes;
        let mut stamps = Stamps { requested: timer.end(), ..Stamps::default() };
        if shape.reads(i) && L::SHARED {
            let (x, same) = slot.lock.with_shared(|| {
                stamps.acquired = timer.end();
                let read = slot.guarded.read(x, shape.inside);
                stamps.released = timer.end();
                read
            });
            lanes.read(timer, &stamps);
            return if same { Ok(x as u32) } else { Err(torn()) };
        }
        let (x, same) = slot.lock.with(|| {
            stamps.acquired = timer.end();
            let before = slot.guarded.released.load(Ordering::Relaxed);
            stamps.free = before;
            let done = if shape.reads(i) {
                slot.guarded.read(x, shape.inside)
            } else {
                (slot.guarded.write(x, shape.inside), true)
            };
            stamps.released = timer.end();
            slot.guarded.released.store(stamps.released, Ordering::Relaxed);
            if k == 0 {
                lanes.note(self.w, &stamps);
            }
            done
        });
        if shape.reads(i) {
            lanes.read(timer, &stamps);
        } else {
            lanes.write(timer, &stamps);
        }
        if same { Ok(x as u32) } else { Err(torn()) }
    }
}

impl Guarded {
    /// Adds one, with the steps between the load and the store.
    #[inline]
    fn write(&self, x: u64, steps: u64) -> u64 {
        let count = self.count.load(Ordering::Relaxed);
        let x = black_box(minstd(black_box(x), steps));
        self.count.store(count + 1, Ordering::Relaxed);
        x
    }

    /// The steps, and whether the counter was the same before and after them.
    #[inline]
    fn read(&self, x: u64, steps: u64) -> (u64, bool) {
        let count = self.count.load(Ordering::Relaxed);
        let x = black_box(minstd(black_box(x), steps));
        (x, self.count.load(Ordering::Relaxed) == count)
    }
}

#[cfg(test)]
mod tests;
