//! `amdahl trace --preload`: a program started with the library, waited for, and what the library left.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command};
use std::time::Duration;

use amdahl_schema::Trace;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::watch::Watch;
use super::{Seen, exit_code, prepare_out};
use crate::Unable;
use crate::cli::TraceArgs;
use crate::preload::elf;
use crate::preload::result::{Sight, trace};
use crate::preload::session::{Left, Session};
use crate::procfs::Roots;
use crate::trace::collect::now;
use crate::trace::program::{not_started, program};
use crate::trace::symbol::Symbols;
use crate::worker::library;

/// Runs it, and makes the result.
pub(super) fn run(args: &TraceArgs, duration: Option<Duration>) -> anyhow::Result<Seen> {
    if let Some(pid) = args.pid {
        anyhow::bail!(Unable(format!(
            "--pid {pid} --preload: a library is loaded as a program starts, not into one that runs; start it under \
             amdahl trace --preload -- CMD, or leave --preload out"
        )));
    }
    let library = library::preload(args.hold)?;
    prepare_out(args.out.as_deref())?;
    let session = Session::new(&library)?;
    let kind = elf::program(&args.command[0].to_string_lossy());
    let mut command = program(&args.command, args.json.json)?;
    // Into a program of musl's it could not be loaded, and would keep it from starting; others are told by the dynamic linker.
    if kind.hindrance.is_none() {
        command.envs(session.environment());
    }
    let begin = now();
    let mut child = start(&mut command, args)?;
    let pid = child.id();
    Watch::new(pid, duration)?.follow(|fd, at_most| {
        let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
        let time = Timespec { tv_sec: 0, tv_nsec: at_most.subsec_nanos().into() };
        // A signal ends it early, which is what the signal is for.
        let _ = poll(&mut fds, Some(&time));
        !fds[0].revents().is_empty()
    });
    let status = child.try_wait()?;
    let end = now();
    let left = session.read()?;
    let mut living = left.living(&Roots::default());
    living.retain(|p| status.is_none() || *p != pid);
    let sight = Sight { span_ns: (begin, end), pid, program: kind, hold: args.hold, living };
    let mut seen = Seen { trace: result(&left, &sight), child: None };
    match &status {
        Some(status) => {
            seen.trace.exit_status = status.code();
            seen.trace.exit_signal = status.signal();
            seen.child = exit_code(*status);
        }
        None => eprintln!("process {pid} runs on: the time was up before it ended"),
    }
    Ok(seen)
}

fn start(command: &mut Command, args: &TraceArgs) -> Result<Child, Unable> {
    command.spawn().map_err(|e| not_started(&args.command, &e))
}

fn result(left: &Left, sight: &Sight) -> Trace {
    let mut symbols = Symbols::default();
    trace(left, sight, &mut |code, address| {
        let names = symbols.name(code, &[address]);
        if names.is_empty() { vec![format!("{address:#x}")] } else { names }
    })
}
