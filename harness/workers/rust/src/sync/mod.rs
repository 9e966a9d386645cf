//! Locks of the worker's own, for workloads whose subject is the lock: small, spinning, and checked in
//! all their interleavings.
//!
//! `spin` is compiled twice: with the atomics of the standard library, and, in tests, with those of
//! loom, which runs two threads through every interleaving that the C11 memory model allows.

#[cfg(test)]
mod checked;
mod spin;

pub(crate) use spin::{Rounds, Sequence, TestAndSet, TicketLock};

/// What `spin` is made of.
mod prim {
    pub(super) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};

    /// Turns of a waiting loop before it gives the CPU away: some ten to a hundred microseconds,
    /// since a `pause` takes 10 to 140 cycles.
    const TURNS: u32 = 2048;

    /// A turn of a loop that waits for another thread. That one may need this CPU.
    #[inline]
    pub(super) fn relax(turns: &mut u32) {
        if *turns < TURNS {
            *turns += 1;
            std::hint::spin_loop();
        } else {
            std::thread::yield_now();
        }
    }
}

#[cfg(test)]
mod many {
    //! More threads than CPUs, so that those who wait must make room.

    use std::sync::atomic::{AtomicU32, Ordering};

    use super::spin::Barrier;
    use super::*;

    const THREADS: u32 = 6;
    const ROUNDS: u32 = 300;

    #[test]
    fn rounds_of_a_barrier_and_a_lock_keep_step() {
        let (barrier, lock) = (Barrier::new(THREADS), TicketLock::new());
        // Loads and stores, not additions: without the lock some would be lost.
        let count = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for round in 1..=ROUNDS {
                        let held = lock.lock();
                        assert_eq!(held.ticket(), count.load(Ordering::Relaxed));
                        count.store(held.ticket() + 1, Ordering::Relaxed);
                        drop(held);
                        barrier.wait().unwrap();
                        assert_eq!(count.load(Ordering::Relaxed), round * THREADS);
                        barrier.wait().unwrap();
                    }
                });
            }
        });
    }
}
