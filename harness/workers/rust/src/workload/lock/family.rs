//! The locks that come with the worker, each as its library offers it: nothing is added to their ways
//! in and out.

use std::cell::Cell;
use std::sync::{Mutex, PoisonError, RwLock};

use clhlock::raw::MutexNode;

use super::Lock;
use crate::sync::{Sequence, TestAndSet, TicketLock};

impl Lock for Mutex<()> {
    #[inline]
    fn with<R>(&self, inside: impl FnOnce() -> R) -> R {
        let _held = self.lock().unwrap_or_else(PoisonError::into_inner);
        inside()
    }
}

impl Lock for RwLock<()> {
    #[inline]
    fn with<R>(&self, inside: impl FnOnce() -> R) -> R {
        let _held = self.write().unwrap_or_else(PoisonError::into_inner);
        inside()
    }

    #[inline]
    fn with_shared<R>(&self, mut inside: impl FnMut() -> R) -> R {
        let _held = self.read().unwrap_or_else(PoisonError::into_inner);
        inside()
    }

    const SHARED: bool = true;
}

impl Lock for parking_lot::Mutex<()> {
    #[inline]
    fn with<R>(&self, inside: impl FnOnce() -> R) -> R {
        let _held = self.lock();
        inside()
    }
}

impl Lock for parking_lot::RwLock<()> {
    #[inline]
    fn with<R>(&self, inside: impl FnOnce() -> R) -> R {
        let _held = self.write();
        inside()
    }

    #[inline]
    fn with_shared<R>(&self, mut inside: impl FnMut() -> R) -> R {
        let _held = self.read();
        inside()
    }

    const SHARED: bool = true;
}

impl Lock for TestAndSet {
    #[inline]
    fn with<R>(&self, inside: impl FnOnce() -> R) -> R {
        self.acquire();
        let result = inside();
        self.release();
        result
    }
}

impl Lock for TicketLock {
    #[inline]
    fn with<R>(&self, inside: impl FnOnce() -> R) -> R {
        let _held = self.lock();
        inside()
    }
}

/// The queue lock of J. M. Mellor-Crummey and M. L. Scott, ACM TOCS 9 (1991), as the crate `mcslock` has
/// it; who waits long yields the CPU, as in the other spinning locks here.
pub(crate) type Mcs = mcslock::raw::yields::backoff::Mutex<()>;

impl Lock for Mcs {
    #[inline]
    fn with<R>(&self, inside: impl FnOnce() -> R) -> R {
        self.lock_then(|_held| inside())
    }
}

/// The queue lock of T. S. Craig (1993) and of P. Magnussen, A. Landin and E. Hagersten (IPPS 1994), as the crate
/// `clhlock` has it; who waits long yields the CPU.
pub(crate) type Clh = clhlock::raw::yields::backoff::Mutex<()>;

thread_local! {
    /// A thread's place in the queue. One that leaves takes the place of the thread before it along, and comes
    /// back with it; the crate would allocate one for each acquisition.
    static PLACE: Cell<Option<MutexNode>> = const { Cell::new(None) };
}

impl Lock for Clh {
    #[inline]
    fn with<R>(&self, inside: impl FnOnce() -> R) -> R {
        let held = self.lock_with(PLACE.take().unwrap_or_default());
        let result = inside();
        PLACE.set(Some(held.unlock()));
        result
    }
}

impl Lock for Sequence {
    #[inline]
    fn with<R>(&self, inside: impl FnOnce() -> R) -> R {
        self.begin_write();
        let result = inside();
        self.end_write();
        result
    }

    #[inline]
    fn with_shared<R>(&self, inside: impl FnMut() -> R) -> R {
        self.read(inside)
    }

    const SHARED: bool = true;
}

/// From threads outside the runtime, which it lets wait without one.
impl Lock for tokio::sync::Mutex<()> {
    #[inline]
    fn with<R>(&self, inside: impl FnOnce() -> R) -> R {
        let _held = self.blocking_lock();
        inside()
    }
}
