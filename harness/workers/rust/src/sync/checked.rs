//! `spin` under loom: every interleaving of two threads, and every value that the memory model lets a
//! load see. Three that wait by turns make room for each other for ever there: more threads than two
//! are `many`'s, on the real machine.

mod prim {
    pub(super) use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};

    pub(super) fn relax(_: &mut u32) {
        loom::thread::yield_now();
    }
}

#[path = "spin.rs"]
#[allow(clippy::duplicate_mod, reason = "the same source with other atomics is what is checked")]
mod spin;

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use spin::{Barrier, Rounds, Sequence, TestAndSet, TicketLock};

/// What two threads touch. loom reports any two accesses that nothing orders as a race.
struct Shared<T> {
    sync: T,
    data: Vec<UnsafeCell<u32>>,
}

// SAFETY: whether accesses are ordered is what is checked.
unsafe impl<T: Sync> Sync for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for Shared<T> {}

/// Every interleaving with at most three preemptions: they suffice to show a missing order, and all of
/// them would take minutes.
fn explore(body: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(body);
}

/// Runs `body` on two threads, as thread 0 and 1, in every way.
fn both<T: Send + Sync + 'static>(
    sync: impl Fn() -> T + Send + Sync + 'static,
    body: impl Fn(&Shared<T>, usize) + Copy + Send + Sync + 'static,
) {
    explore(move || {
        let data = (0..2).map(|_| UnsafeCell::new(0)).collect();
        let shared = Arc::new(Shared { sync: sync(), data });
        let other = shared.clone();
        let handle = thread::spawn(move || body(&other, 1));
        body(&shared, 0);
        handle.join().unwrap();
    });
}

#[test]
fn the_lock_excludes_and_serves_in_order_of_arrival() {
    both(TicketLock::new, |shared, _| {
        for _ in 0..2 {
            let held = shared.sync.lock();
            shared.data[0].with_mut(|served| {
                // SAFETY: the lock is held.
                let served = unsafe { &mut *served };
                assert_eq!(held.ticket(), *served);
                *served += 1;
            });
        }
    });
}

#[test]
fn the_word_excludes() {
    both(TestAndSet::new, |shared, _| {
        for _ in 0..2 {
            shared.sync.acquire();
            // SAFETY: the lock is held.
            shared.data[0].with_mut(|count| unsafe { *count += 1 });
            shared.sync.release();
        }
    });
}

/// Two words that every writer keeps equal: no reader sees them differ, and no addition is lost.
#[test]
fn a_sequence_shows_no_half_written_data() {
    struct Pair {
        sequence: Sequence,
        words: [prim::AtomicU32; 2],
    }
    let pair = || Pair { sequence: Sequence::new(), words: [0, 0].map(prim::AtomicU32::new) };
    let load = |word: &prim::AtomicU32| word.load(prim::Ordering::Relaxed);
    both(pair, move |shared, w| {
        let Pair { sequence, words } = &shared.sync;
        sequence.begin_write();
        words.iter().for_each(|x| x.store(load(x) + 1, prim::Ordering::Relaxed));
        sequence.end_write();
        if w == 0 {
            let [a, b] = sequence.read(|| [load(&words[0]), load(&words[1])]);
            assert_eq!(a, b);
            assert!(a == 1 || a == 2, "its own addition and perhaps the other's");
        }
    });
}

#[test]
fn behind_the_barrier_each_sees_what_the_other_did_before_it() {
    both(
        || Barrier::new(2),
        |shared, w| {
            for round in 1..=2 {
                // SAFETY: the barrier lies between this and the other's reads.
                shared.data[w].with_mut(|cell| unsafe { *cell = round });
                shared.sync.wait().unwrap();
                for cell in &shared.data {
                    // SAFETY: as above.
                    assert_eq!(cell.with(|cell| unsafe { *cell }), round);
                }
                shared.sync.wait().unwrap();
            }
        },
    );
}

/// Thread 0 ends before round 1: the other leaves behind the barrier of that round, neither earlier nor
/// later.
#[test]
fn rounds_are_left_together() {
    both(
        || Rounds::new(2),
        |shared, w| {
            let mut i = 0;
            while shared.sync.meet(i).unwrap() {
                i += 1;
                if w == 0 && i == 1 {
                    return shared.sync.end_before(i).unwrap();
                }
            }
            assert_eq!((w, i), (1, 1));
        },
    );
}

#[test]
fn rounds_that_are_broken_up_let_everybody_go() {
    explore(|| {
        let rounds = Arc::new(Rounds::new(3));
        let waits = rounds.clone();
        let waiting = thread::spawn(move || waits.meet(0).is_err());
        rounds.break_up();
        assert!(waiting.join().unwrap());
        assert!(rounds.end_before(0).is_err());
    });
}
