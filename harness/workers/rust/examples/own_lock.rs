//! A lock of one's own beside those that come with the worker: CONTRIBUTING.md, "A lock of your own".

use std::sync::atomic::{AtomicBool, Ordering};

use amdahl_worker::{Program, lock_api};

struct Ttas(AtomicBool);

// SAFETY: only who turned it from false to true has the lock, until it turns it back.
unsafe impl lock_api::RawMutex for Ttas {
    const INIT: Self = Self(AtomicBool::new(false));
    type GuardMarker = lock_api::GuardSend;

    fn lock(&self) {
        while !self.try_lock() {
            std::thread::yield_now();
        }
    }
    fn try_lock(&self) -> bool {
        !self.0.load(Ordering::Relaxed) && !self.0.swap(true, Ordering::Acquire)
    }
    unsafe fn unlock(&self) {
        self.0.store(false, Ordering::Release);
    }
}

fn main() -> std::process::ExitCode {
    Program::new().raw_lock::<Ttas>("my-ttas").main()
}
