//! Waiters that another thread's call moves from one word to another: from a condition to its mutex.
//!
//! The kernel says how many were asked for, not whom it took. It takes them in the order in which they came, and so do we; the call's
//! return is only recorded where nobody was there to be moved, or the word had changed.

use super::Tracker;
use crate::trace::event::Move;

/// A waiter that was moved.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moved {
    /// When.
    pub(super) time: u64,
    /// Where it waits now.
    pub(super) to: u64,
    by: u32,
}

impl Tracker {
    /// A call that moves waiters begins.
    pub(super) fn moving(&mut self, time: u64, pid: u32, tid: u32, of: Move) {
        self.thread(time, pid, tid).moving = Some(time);
        let mut waiting: Vec<_> = self
            .threads
            .values_mut()
            .filter(|t| t.pid == pid)
            .filter_map(|t| t.open.as_mut())
            .filter(|o| o.waker.is_none() && o.moved.map_or(o.call.address, |m| m.to) == of.from)
            .collect();
        waiting.sort_by_key(|o| o.time);
        let moved = waiting.into_iter().skip(of.wake as usize).take(of.limit as usize);
        moved.for_each(|o| o.moved = Some(Moved { time, to: of.to, by: tid }));
    }

    /// The call returned without having moved anybody.
    pub(super) fn moved_none(&mut self, tid: u32) {
        let Some(began) = self.threads.get_mut(&tid).and_then(|t| t.moving.take()) else { return };
        for open in self.threads.values_mut().filter_map(|t| t.open.as_mut()) {
            if open.moved.is_some_and(|m| (m.by, m.time) == (tid, began)) {
                open.moved = None;
            }
        }
    }
}
