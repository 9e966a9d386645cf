//! What the latency pass keeps of acquisitions: histograms by worker, and the successive owners of the
//! first lock in memory that all share, written under that lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::clock;
use crate::go::{Go, Pass};
use crate::recorder::Lane;
use crate::report::Hist;
use crate::timer::{Stopwatch, Timer};
use crate::wire::{self, Line};

/// Most acquisitions in `owners`.
const OWNERS_MAX: usize = 4096;

/// One acquisition, in the timer's ticks.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stamps {
    pub(super) requested: u64,
    pub(super) acquired: u64,
    /// When the previous owner had begun to release it.
    pub(super) free: u64,
    /// When its own release began.
    pub(super) released: u64,
}

/// Histograms of one worker, summed over the windows.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    on: bool,
    all: Option<Box<[Lane; 5]>>,
    log: Option<Arc<Log>>,
}

const NAMES: [&str; 5] = ["wait", "hold", "handoff", "read_wait", "read_hold"];
const WAIT: usize = 0;
const HOLD: usize = 1;
const HANDOFF: usize = 2;
const READ_WAIT: usize = 3;
const READ_HOLD: usize = 4;

impl Lanes {
    pub(super) fn record(&mut self, on: bool) {
        self.on = on;
    }

    /// Of an operation that only reads.
    #[inline]
    pub(super) fn read<T: Timer>(&mut self, timer: T, stamps: &Stamps) {
        if let (true, Some(lanes)) = (self.on, &mut self.all) {
            lanes[READ_WAIT].record(timer.ns(stamps.acquired.saturating_sub(stamps.requested)));
            lanes[READ_HOLD].record(timer.ns(stamps.released.saturating_sub(stamps.acquired)));
        }
    }

    #[inline]
    pub(super) fn write<T: Timer>(&mut self, timer: T, stamps: &Stamps) {
        if let (true, Some(lanes)) = (self.on, &mut self.all) {
            lanes[WAIT].record(timer.ns(stamps.acquired.saturating_sub(stamps.requested)));
            lanes[HOLD].record(timer.ns(stamps.released.saturating_sub(stamps.acquired)));
            if stamps.free > stamps.requested {
                lanes[HANDOFF].record(timer.ns(stamps.acquired.saturating_sub(stamps.free)));
            }
        }
    }

    /// Of what is used instead of a lock: it is never held.
    #[inline]
    pub(super) fn wait<T: Timer>(&mut self, timer: T, reads: bool, stamps: &Stamps) {
        if let (true, Some(lanes)) = (self.on, &mut self.all) {
            let waited = timer.ns(stamps.acquired.saturating_sub(stamps.requested));
            lanes[if reads { READ_WAIT } else { WAIT }].record(waited);
        }
    }

    /// Under the lock: who has it since when.
    #[inline]
    pub(super) fn note(&self, w: u32, stamps: &Stamps) {
        if let Some(log) = &self.log {
            log.note(w, stamps);
        }
    }

    pub(super) fn hists(&mut self) -> Vec<Hist> {
        let lanes = self.all.take();
        let hist = |(lane, name): (&Lane, _)| lane.hist(name, None);
        lanes.iter().flat_map(|all| all.iter().zip(NAMES).filter_map(hist)).collect()
    }
}

/// Successive owners. Every field is written under the lock; atomics because the lock may not exclude.
#[derive(Debug)]
struct Log {
    from_ticks: u64,
    len: AtomicU64,
    /// By acquisition: worker, requested, acquired, released.
    entries: Box<[[AtomicU64; 4]]>,
}

impl Log {
    fn new(from_ticks: u64) -> Self {
        // Not 0: touched here, not in the loop.
        let entry = || [u64::MAX; 4].map(AtomicU64::new);
        let entries = (0..OWNERS_MAX).map(|_| entry()).collect();
        Self { from_ticks, len: AtomicU64::new(0), entries }
    }

    #[inline]
    fn note(&self, w: u32, stamps: &Stamps) {
        let len = self.len.load(Ordering::Relaxed);
        let Some(entry) = self.entries.get(len as usize) else { return };
        if stamps.acquired >= self.from_ticks {
            let values = [u64::from(w), stamps.requested, stamps.acquired, stamps.released];
            for (field, value) in entry.iter().zip(values) {
                field.store(value, Ordering::Relaxed);
            }
            self.len.store(len + 1, Ordering::Relaxed);
        }
    }
}

/// The timer and the clock at one moment.
#[derive(Debug, Clone, Copy)]
struct Moment {
    ticks: u64,
    ns: u64,
}

impl Moment {
    fn now(stopwatch: Stopwatch) -> Self {
        let ticks = match stopwatch {
            Stopwatch::Counter(timer) => timer.end(),
            Stopwatch::Gettime(timer) => timer.end(),
        };
        Self { ticks, ns: clock::now_ns() }
    }
}

/// What a cell's workers record together in one release.
#[derive(Debug)]
pub(super) struct Board {
    release: Mutex<Option<Release>>,
}

#[derive(Debug)]
struct Release {
    count: u64,
    window0_ns: u64,
    from: Moment,
    log: Option<Arc<Log>>,
}

impl Board {
    pub(super) fn new() -> Self {
        Self { release: Mutex::new(None) }
    }

    /// All are parked; the counters stand at `count`.
    pub(super) fn begin(&self, go: &Go, count: u64) {
        let stopwatch = Stopwatch::detect();
        let from = Moment::now(stopwatch);
        let window0_ns = go.window0_ns();
        let ahead_ns = window0_ns.saturating_sub(from.ns);
        let ahead = match stopwatch {
            Stopwatch::Counter(timer) => timer.ticks(ahead_ns),
            Stopwatch::Gettime(timer) => timer.ticks(ahead_ns),
        };
        let log = (go.pass == Pass::Latency).then(|| Arc::new(Log::new(from.ticks + ahead)));
        *self.lock() = Some(Release { count, window0_ns, from, log });
    }

    /// Room for one worker's histograms. Without [`Board::begin`] there is no owners' log.
    pub(super) fn lanes(&self) -> Lanes {
        let log = self.lock().as_ref().and_then(|release| release.log.clone());
        let all = Some(Box::new(std::array::from_fn(|_| Lane::new())));
        Lanes { on: false, all, log }
    }

    /// All are parked again; the counters stand at `count`.
    pub(super) fn end(&self, count: u64) -> Vec<Line> {
        let Some(release) = self.lock().take() else { return Vec::new() };
        let guard = Line::new("guard").with("count", count.wrapping_sub(release.count));
        let owners = release.log.as_ref().map(|log| release.owners(log));
        [Some(guard), owners.flatten()].into_iter().flatten().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Release>> {
        self.release.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Release {
    /// The log's line; `None` if nobody had the lock. Ticks become nanoseconds by the clock at both ends
    /// of the release, so that long stretches are as exact as the clock.
    fn owners(&self, log: &Log) -> Option<Line> {
        let to = Moment::now(Stopwatch::detect());
        let ticks = to.ticks.saturating_sub(self.from.ticks).max(1);
        let (ticks, ns) = (i128::from(ticks), i128::from(to.ns - self.from.ns));
        let at = |stamp: &AtomicU64| {
            let since = i128::from(stamp.load(Ordering::Relaxed)) - i128::from(self.from.ticks);
            (since * ns / ticks) as i64 - (self.window0_ns - self.from.ns) as i64
        };
        let len = log.len.load(Ordering::Relaxed) as usize;
        let (mut before, mut lists) = (0, [const { Vec::new() }; 4]);
        for [w, requested, acquired, released] in &log.entries[..len.min(OWNERS_MAX)] {
            let [requested, acquired, released] = [requested, acquired, released].map(at);
            // The begin of window 0 was foretold by the timer: a few may have come before it.
            let Some(gap) = acquired.checked_sub(before).filter(|gap| *gap >= 0) else { continue };
            before = acquired;
            let row = [
                w.load(Ordering::Relaxed) as i64,
                gap,
                (acquired - requested).max(0),
                (released - acquired).max(0),
            ];
            lists.iter_mut().zip(row).for_each(|(list, value)| list.push(value));
        }
        let [w, gap, wait, hold] = lists.map(wire::join);
        let line = Line::new("owners").with("w", w).with("gap", gap);
        (before > 0).then(|| line.with("wait", wait).with("hold", hold))
    }
}
