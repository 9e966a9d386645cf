//! A barrier, rounds that all leave together, and a lock that serves in order of arrival, all spinning:
//! no system call unless the wait grows long.

use super::prim::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence, relax};

/// In cache lines of its own (two, for the adjacent-line prefetcher).
#[derive(Debug)]
#[repr(align(128))]
struct Padded<T>(T);

/// A barrier for a fixed number of threads, used round after round.
#[derive(Debug)]
pub(crate) struct Barrier {
    threads: u32,
    arrived: Padded<AtomicU32>,
    /// The round that is being waited for; those who wait look at it, and nobody writes beside it.
    round: Padded<AtomicU32>,
    broken: Padded<AtomicBool>,
}

/// A thread that the barrier waits for will not come.
#[derive(Debug)]
pub(crate) struct Broken;

impl Barrier {
    pub(crate) fn new(threads: u32) -> Self {
        Self {
            threads,
            arrived: Padded(AtomicU32::new(0)),
            round: Padded(AtomicU32::new(0)),
            broken: Padded(AtomicBool::new(false)),
        }
    }

    /// Waits until all threads have called it; what each did before, all see after.
    pub(crate) fn wait(&self) -> Result<(), Broken> {
        // Before arriving: the last to arrive may begin the next round at once.
        let round = self.round.0.load(Ordering::Relaxed);
        // Release what was done before to the last one, acquire what all others did if it is this one.
        if self.arrived.0.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
            // Nobody arrives for the next round before it is begun.
            self.arrived.0.store(0, Ordering::Relaxed);
            self.round.0.store(round.wrapping_add(1), Ordering::Release);
            return Ok(());
        }
        let mut turns = 0;
        while self.round.0.load(Ordering::Acquire) == round {
            if self.broken.0.load(Ordering::Relaxed) {
                return Err(Broken);
            }
            relax(&mut turns);
        }
        Ok(())
    }

    /// Lets go all who wait, now and ever after.
    pub(crate) fn break_up(&self) {
        self.broken.0.store(true, Ordering::Relaxed);
    }
}

/// Rounds of a fixed number of threads, numbered from 0, which any of them may end for all.
#[derive(Debug)]
pub(crate) struct Rounds {
    barrier: Barrier,
    /// The round that is not held. Its number, because a mere flag may be seen a round too early, by
    /// one who was slow to look behind the barrier before: it would leave, and the others wait for it.
    end: Padded<AtomicU64>,
}

impl Rounds {
    const NEVER: u64 = u64::MAX;

    pub(crate) fn new(threads: u32) -> Self {
        Self { barrier: Barrier::new(threads), end: Padded(AtomicU64::new(Self::NEVER)) }
    }

    /// Waits until all have come to round `i`; false if it is not held. All come to round 0 when none
    /// is in an earlier one any more.
    pub(crate) fn meet(&self, i: u64) -> Result<bool, Broken> {
        if i == 0 {
            // Before anybody is behind the barrier, where it may be ended.
            self.end.0.store(Self::NEVER, Ordering::Relaxed);
        }
        self.barrier.wait()?;
        Ok(self.end.0.load(Ordering::Relaxed) != i)
    }

    /// Ends the rounds before round `i`: all who come to meet for it leave, and so does the caller.
    pub(crate) fn end_before(&self, i: u64) -> Result<(), Broken> {
        self.end.0.store(i, Ordering::Relaxed);
        self.barrier.wait()
    }

    /// Lets go all who wait, now and ever after.
    pub(crate) fn break_up(&self) {
        self.barrier.break_up();
    }
}

/// A lock that serves in order of arrival.
///
/// J. M. Mellor-Crummey, M. L. Scott, "Algorithms for scalable synchronization on shared-memory
/// multiprocessors", ACM TOCS 9 (1991), section 2.2.
#[derive(Debug)]
pub(crate) struct TicketLock {
    next: Padded<AtomicU32>,
    serving: Padded<AtomicU32>,
}

/// The lock, held; dropping it serves the next.
#[derive(Debug)]
pub(crate) struct Held<'a> {
    lock: &'a TicketLock,
    ticket: u32,
}

impl TicketLock {
    pub(crate) fn new() -> Self {
        Self { next: Padded(AtomicU32::new(0)), serving: Padded(AtomicU32::new(0)) }
    }

    /// Waits for its turn.
    pub(crate) fn lock(&self) -> Held<'_> {
        let ticket = self.next.0.fetch_add(1, Ordering::Relaxed);
        let mut turns = 0;
        while self.serving.0.load(Ordering::Acquire) != ticket {
            relax(&mut turns);
        }
        Held { lock: self, ticket }
    }
}

impl Held<'_> {
    /// Which arrival it was.
    #[cfg(test)]
    pub(crate) fn ticket(&self) -> u32 {
        self.ticket
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.lock.serving.0.store(self.ticket.wrapping_add(1), Ordering::Release);
    }
}

/// A lock that is one word: whoever finds it free takes it.
///
/// "Test and test-and-set": those who wait only read, so that they don't take the line from its owner.
/// L. Rudolph, Z. Segall, "Dynamic decentralized cache schemes for MIMD parallel processors", ISCA 1984.
#[derive(Debug)]
pub(crate) struct TestAndSet {
    taken: AtomicBool,
}

impl TestAndSet {
    pub(crate) fn new() -> Self {
        Self { taken: AtomicBool::new(false) }
    }

    /// Waits until it is free and takes it.
    pub(crate) fn acquire(&self) {
        let mut turns = 0;
        let take = || {
            let (free, taken) = (Ordering::Acquire, Ordering::Relaxed);
            self.taken.compare_exchange_weak(false, true, free, taken)
        };
        while take().is_err() {
            while self.taken.load(Ordering::Relaxed) {
                relax(&mut turns);
            }
        }
    }

    /// Frees it. Only for whoever has it.
    pub(crate) fn release(&self) {
        self.taken.store(false, Ordering::Release);
    }
}

/// Data that readers copy without a lock, and copy again if a writer was there meanwhile.
///
/// H.-J. Boehm, "Can seqlocks get along with programming language memory models?", MSPC 2012, figure 6:
/// the data are atomics that are read relaxed, and a fence lies before the second look at the number.
#[derive(Debug)]
pub(crate) struct Sequence {
    /// Odd while a writer is inside.
    number: AtomicU64,
}

impl Sequence {
    pub(crate) fn new() -> Self {
        Self { number: AtomicU64::new(0) }
    }

    /// Waits until no other writer is inside, and enters.
    pub(crate) fn begin_write(&self) {
        let mut turns = 0;
        loop {
            let n = self.number.load(Ordering::Relaxed);
            let free = n & 1 == 0;
            if free
                && self
                    .number
                    .compare_exchange_weak(n, n + 1, Ordering::Acquire, Ordering::Relaxed)
                    .is_ok()
            {
                break;
            }
            relax(&mut turns);
        }
        // What is written from here on is not seen with the even number from before.
        fence(Ordering::Release);
    }

    /// Leaves. Only for the writer that is inside.
    pub(crate) fn end_write(&self) {
        let n = self.number.load(Ordering::Relaxed);
        self.number.store(n + 1, Ordering::Release);
    }

    /// Reads until no writer was there from begin to end.
    pub(crate) fn read<R>(&self, mut read: impl FnMut() -> R) -> R {
        let mut turns = 0;
        loop {
            let before = self.number.load(Ordering::Acquire);
            if before & 1 == 0 {
                let result = read();
                fence(Ordering::Acquire);
                if self.number.load(Ordering::Relaxed) == before {
                    return result;
                }
            }
            relax(&mut turns);
        }
    }
}
