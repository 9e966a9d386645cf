//! Ctrl-C and SIGTERM as a question that loops ask, so that what was seen so far is kept.

use std::sync::atomic::{AtomicU32, Ordering};

static SIGNALS: AtomicU32 = AtomicU32::new(0);

extern "C" fn count(_signal: libc::c_int) {
    SIGNALS.fetch_add(1, Ordering::Relaxed);
}

/// From here on the signals end nothing by themselves.
pub fn catch() {
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: the handler only adds to an atomic, which is allowed in one.
        unsafe { libc::signal(signal, count as extern "C" fn(libc::c_int) as libc::sighandler_t) };
    }
}

/// How many came since [`catch`].
pub fn asked() -> u32 {
    SIGNALS.load(Ordering::Relaxed)
}
