//! Locks with two functions, as `lock_api` has them, and the standard library's mutex made into one: the
//! control that shows what this way costs.

use std::cell::UnsafeCell;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lock_api::RawMutex;

use super::Lock;

/// Anything that implements [`lock_api::RawMutex`].
#[derive(Debug)]
pub(crate) struct Raw<R>(pub(crate) R);

impl<R: RawMutex + Send + Sync + 'static> Lock for Raw<R> {
    #[inline]
    fn with<T>(&self, inside: impl FnOnce() -> T) -> T {
        self.0.lock();
        let result = inside();
        // SAFETY: acquired above, by this thread.
        unsafe { self.0.unlock() };
        result
    }
}

/// `std::sync::Mutex` by two functions: the guard lies beside it from the one to the other.
#[derive(Debug)]
pub(crate) struct StdMutex {
    mutex: Mutex<()>,
    /// Of whoever has the lock; touched by nobody else.
    guard: UnsafeCell<Option<MutexGuard<'static, ()>>>,
}

// SAFETY: `guard` is touched only by the thread that holds `mutex`, and the guard is dropped by the thread
// that made it: `RawMutex::unlock` is called by the owner.
unsafe impl Sync for StdMutex {}
// SAFETY: as above; a lock is moved only while nobody has it, so `guard` is empty.
unsafe impl Send for StdMutex {}

impl StdMutex {
    /// The mutex for a guard that lies beside it.
    #[inline]
    fn forever(&self) -> &'static Mutex<()> {
        // SAFETY: `unlock` drops the guard, and a lock that somebody holds is neither moved nor dropped.
        unsafe { &*std::ptr::from_ref(&self.mutex) }
    }
}

// SAFETY: it excludes because `Mutex` does.
unsafe impl RawMutex for StdMutex {
    #[allow(clippy::declare_interior_mutable_const, reason = "how lock_api makes a new lock")]
    const INIT: Self = Self { mutex: Mutex::new(()), guard: UnsafeCell::new(None) };
    type GuardMarker = lock_api::GuardNoSend;

    #[inline]
    fn lock(&self) {
        let held = self.forever().lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the lock is held, so nobody else touches the place.
        unsafe { *self.guard.get() = Some(held) };
    }

    #[inline]
    fn try_lock(&self) -> bool {
        let Ok(held) = self.forever().try_lock() else { return false };
        // SAFETY: as in `lock`.
        unsafe { *self.guard.get() = Some(held) };
        true
    }

    #[inline]
    unsafe fn unlock(&self) {
        // SAFETY: the caller holds the lock.
        let held = unsafe { (*self.guard.get()).take() };
        drop(held);
    }
}
