//! The process between harness and worker: nothing the worker starts outlives either of them.
//!
//! The guard makes itself the subreaper of everything below it, so that a grandchild that called
//! setsid or lost its parent still hangs on it, and sleeps on two descriptors: the *lifeline*, a
//! socket whose other end only the harness holds, and the worker's pidfd. The lifeline's end of file
//! (the harness exited, crashed, or was killed with -9) kills every descendant at once. It uses no
//! CPU while a trial is timed.
//!
//! Lifeline, harness to guard: `T` means SIGTERM to all, 2 s, SIGKILL. Guard to harness, once, when
//! all is over: `exit code=N leftover=N`, `exit signal=N leftover=N`, or `spawn errno=N`.

use std::ffi::OsString;
use std::io::Write as _;
use std::os::fd::{AsFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, getpid, kill_process, pidfd_open, set_child_subreaper,
    wait,
};

use crate::procfs;

/// SIGTERM to SIGKILL.
pub const TERM_GRACE: Duration = Duration::from_secs(2);

/// The verb `guard`.
pub fn run(fd: RawFd, command: &[OsString]) -> ExitCode {
    // SAFETY: the harness passes the number of a descriptor that it opened for this process and that
    // nothing else here owns; it is adopted once, first of all.
    let lifeline = UnixStream::from(unsafe { OwnedFd::from_raw_fd(fd) });
    match watch(lifeline, command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("amdahl guard: {e}");
            ExitCode::from(2)
        }
    }
}

fn watch(mut lifeline: UnixStream, command: &[OsString]) -> std::io::Result<()> {
    // The worker must not inherit the lifeline: a copy there would be indistinguishable from us.
    rustix::io::fcntl_setfd(&lifeline, rustix::io::FdFlags::CLOEXEC)?;
    set_child_subreaper(Some(getpid()))?;
    let child = match Command::new(&command[0])
        .args(&command[1..])
        .stdin(Stdio::inherit())
        .stdout(Stdio::inherit())
        .stderr(Stdio::inherit())
        .spawn()
    {
        Ok(child) => child,
        Err(e) => {
            let errno = e.raw_os_error().unwrap_or(0);
            return lifeline.write_all(format!("spawn errno={errno}\n").as_bytes());
        }
    };
    let worker = Pid::from_raw(child.id() as i32).expect("a child's pid is not 0");
    release_stdio()?;

    let mut ended = None;
    let asked = wait_for_end(&lifeline, worker)?;
    if asked == Asked::Terminate {
        terminate_gently(worker, &mut ended);
    }
    let leftover = if ended.is_none() && asked == Asked::WorkerEnded {
        count_leftover(worker, &mut ended)
    } else {
        0
    };
    kill_all(worker, &mut ended);
    let how = match ended {
        Some(Ended::Code(code)) => format!("code={code}"),
        Some(Ended::Signal(signal)) => format!("signal={signal}"),
        None => "code=-1".to_owned(),
    };
    // The harness may be gone; then nobody wants to know.
    let _ = lifeline.write_all(format!("exit {how} leftover={leftover}\n").as_bytes());
    Ok(())
}

#[derive(PartialEq, Eq)]
enum Asked {
    WorkerEnded,
    Terminate,
    HarnessGone,
}

enum Ended {
    Code(i32),
    Signal(i32),
}

/// Lets go of the worker's pipes, so that their ends of file are seen when the worker ends.
fn release_stdio() -> std::io::Result<()> {
    let null = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    Ok(())
}

fn wait_for_end(lifeline: &UnixStream, worker: Pid) -> std::io::Result<Asked> {
    let pidfd = pidfd_open(worker, PidfdFlags::empty())?;
    loop {
        let mut fds = [
            PollFd::from_borrowed_fd(lifeline.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(pidfd.as_fd(), PollFlags::IN),
        ];
        match poll(&mut fds, None) {
            Err(rustix::io::Errno::INTR) => continue,
            other => other?,
        };
        let (line, child) = (fds[0].revents(), fds[1].revents());
        if !line.is_empty() {
            let mut byte = [0];
            return Ok(match rustix::io::read(lifeline, &mut byte) {
                Ok(1) => Asked::Terminate,
                _ => Asked::HarnessGone,
            });
        }
        if !child.is_empty() {
            return Ok(Asked::WorkerEnded);
        }
    }
}

/// Descendants that live on although the worker ended; helpers that end by themselves when they
/// notice (multiprocessing's fork server and resource tracker do) get a moment.
fn count_leftover(worker: Pid, ended: &mut Option<Ended>) -> usize {
    let deadline = Instant::now() + Duration::from_millis(300);
    while reap(worker, ended) {
        let left = descendants().len();
        if left == 0 || Instant::now() >= deadline {
            return left;
        }
        nap(Duration::from_millis(2));
    }
    0
}

/// SIGTERM to every descendant; waits until all are gone or the grace is over.
fn terminate_gently(worker: Pid, ended: &mut Option<Ended>) {
    signal_all(Signal::TERM);
    let deadline = Instant::now() + TERM_GRACE;
    while Instant::now() < deadline {
        reap(worker, ended);
        if descendants().is_empty() {
            return;
        }
        nap(Duration::from_millis(5));
    }
}

/// SIGKILL until nothing is left: a fork may race one sweep, not all of them.
fn kill_all(worker: Pid, ended: &mut Option<Ended>) {
    while reap(worker, ended) {
        signal_all(Signal::KILL);
        nap(Duration::from_millis(1));
    }
}

fn signal_all(signal: Signal) {
    for pid in descendants() {
        if let Some(pid) = Pid::from_raw(pid as i32) {
            // It may have ended since it was listed.
            let _ = kill_process(pid, signal);
        }
    }
}

/// Everything below the guard.
fn descendants() -> Vec<u32> {
    procfs::descendants(&procfs::Roots::default(), std::process::id())
}

/// Reaps all that ended; false when there are no children left, and so no descendants: whoever loses its parent becomes our child.
fn reap(worker: Pid, ended: &mut Option<Ended>) -> bool {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == worker => {
                *ended = status
                    .exit_status()
                    .map(Ended::Code)
                    .or_else(|| status.terminating_signal().map(Ended::Signal));
            }
            Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}

fn nap(time: Duration) {
    let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(time.subsec_nanos()) };
    let _ = poll(&mut [], Some(&timeout));
}
