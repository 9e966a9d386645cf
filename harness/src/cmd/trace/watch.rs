//! Until when a program is followed: its end, a time, or somebody who says stop.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::trace::collect::now;
use crate::{Unable, stop};

/// The longest sleep between two looks.
const LOOK: Duration = Duration::from_millis(50);
/// Ctrl-C goes to the program as well: so long it may take to end, and is seen.
const GRACE: Duration = Duration::from_secs(1);

/// A program and a time.
pub(super) struct Watch {
    fd: OwnedFd,
    end_ns: Option<u64>,
    /// From the first signal on; a second one ends it.
    grace: Duration,
}

impl Watch {
    /// Of a process that is there, for so long from now on.
    pub(super) fn new(pid: u32, duration: Option<Duration>) -> anyhow::Result<Self> {
        let id = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let id = id.ok_or_else(|| Unable(format!("--pid {pid}: no process has this number")))?;
        let fd = pidfd_open(id, PidfdFlags::empty())
            .map_err(|e| Unable(format!("process {pid}: {e}; is it still there?")))?;
        Ok(Self { fd, end_ns: duration.map(after), grace: GRACE })
    }

    /// Of a program that is not ours: a signal is no business of its.
    pub(super) fn attached(self) -> Self {
        Self { grace: Duration::ZERO, ..self }
    }

    /// Calls `look` again and again. It sleeps no longer than it is told, and says whether the descriptor is readable: the program has ended.
    pub(super) fn follow(&self, mut look: impl FnMut(BorrowedFd<'_>, Duration) -> bool) {
        // The traced program gets its own Ctrl-C; ours only ends the trace.
        stop::catch();
        let (mut end_ns, mut asked) = (self.end_ns, false);
        loop {
            let left = end_ns.map(|end| Duration::from_nanos(end.saturating_sub(now())));
            let left = left.unwrap_or(LOOK);
            let over = look(self.fd.as_fd(), left.min(LOOK));
            let signals = stop::asked();
            if over || left.is_zero() || signals > 1 {
                return;
            }
            if signals == 1 && !std::mem::replace(&mut asked, true) {
                let grace = after(self.grace);
                end_ns = Some(end_ns.map_or(grace, |end| end.min(grace)));
            }
        }
    }
}

fn after(time: Duration) -> u64 {
    now().saturating_add(time.as_nanos() as u64)
}
