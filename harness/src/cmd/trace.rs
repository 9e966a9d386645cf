//! `amdahl trace`: a program started or found, followed until it ends, and what it waited for as a run.

mod text;

use std::ffi::OsString;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use amdahl_schema::{Absence, BlindSpot, Plan, RunKind, Trace};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::run::measure::{create, header, point_latest};
use crate::Unable;
use crate::cli::TraceArgs;
use crate::counters::raise_nofile_limit;
use crate::plan::parse_budget;
use crate::procfs::Roots;
use crate::topology::Machine as Topo;
use crate::trace::collect::{Collector, NotOpened, Scope, now};
use crate::trace::format::Tracefs;
use crate::trace::program::{Held, not_started, running};
use crate::trace::result::{Sight, trace};
use crate::trace::symbol::Symbols;
use crate::trace::tracker::Tracker;
use crate::worker::places::tilde;
use crate::{host, state};

/// The longest sleep between two looks at the rings.
const LOOK: Duration = Duration::from_millis(50);

/// Traces, prints, and writes the run.
pub fn run(args: &TraceArgs) -> anyhow::Result<ExitCode> {
    let roots = Roots::default();
    let duration = match &args.duration {
        Some(text) => parse_budget(text).map_err(|e| Unable(format!("--duration: {e}")))?,
        None => None,
    };
    let begun = jiff::Timestamp::now();
    let topo = Topo::read(&roots);
    let host = host::read(&roots, &topo);
    let state = state::read(&roots, &topo, &host);
    let tracefs = Tracefs::find(&roots).map_err(no_tracefs)?;
    let cpus: Vec<u32> = topo.topology.cpus.iter().map(|c| c.cpu).collect();
    let eye = Eye { roots: &roots, tracefs, cpus };
    let mut seen = match args.pid {
        Some(pid) => eye.attach(pid, duration)?,
        None => eye.start(args, duration)?,
    };
    let plan =
        Plan { profile: "trace".to_owned(), placement: "none".to_owned(), ..Plan::default() };
    let header =
        amdahl_schema::RunHeader { kind: RunKind::Trace, ..header(plan, (host, state), begun) };
    let recorder = create(&header, args.out.as_deref())?;
    recorder.trace(&seen.trace)?;
    point_latest(recorder.dir());
    let shown = tilde(recorder.dir());
    let text =
        text::text(&seen.trace) + &format!("run: {shown}   draw it: amdahl report {shown}\n");
    super::emit(&args.json, &serde_json::to_value(&seen.trace)?, &text)?;
    Ok(match seen.child.take() {
        Some(code) if args.forward_exit => ExitCode::from(code),
        _ => ExitCode::SUCCESS,
    })
}

fn no_tracefs(absence: Absence) -> Unable {
    Unable(format!("{}; {}", absence.reason, absence.remedy.unwrap_or_default()))
}

struct Seen {
    trace: Trace,
    /// What a shell would make of how it ended.
    child: Option<u8>,
}

struct Eye<'a> {
    roots: &'a Roots,
    tracefs: Tracefs,
    cpus: Vec<u32>,
}

impl Eye<'_> {
    fn start(&self, args: &TraceArgs, duration: Option<Duration>) -> anyhow::Result<Seen> {
        let command: &[OsString] = &args.command;
        let held = Held::start(command, args.json.json).map_err(|e| not_started(command, &e))?;
        let pid = held.pid;
        let (mut collector, mut spots) = self.open(&[pid])?;
        let begin = now();
        let mut tracker = Tracker::default();
        tracker.follow(pid, &[(pid, String::new())], Vec::new(), begin);
        let mut child = held.release().map_err(|e| not_started(command, &e))?;
        if let Err(e) = std::fs::create_dir_all(args.out.as_deref().unwrap_or(Path::new("runs"))) {
            let (_, _) = (child.kill(), child.wait());
            let dir = args.out.as_deref().unwrap_or(Path::new("runs")).display().to_string();
            anyhow::bail!(Unable(format!(
                "{dir}: {e}; choose a directory you can write with --out"
            )));
        }
        let fd = pidfd(pid)?;
        follow(&mut collector, &mut tracker, Watch { fd: &fd, duration });
        let status = child.try_wait()?;
        let end = now();
        let living: Vec<u32> = tracker.living();
        let mut trace = self.result(collector, tracker, (begin, end), &mut spots);
        match &status {
            Some(status) => {
                trace.exit_status = status.code();
                trace.exit_signal = status.signal();
                trace.blind_spots.extend(left_behind(pid, &living));
            }
            None => eprintln!("process {pid} runs on: the time was up before it ended"),
        }
        let code = status.and_then(|s| s.code().or(s.signal().map(|n| 128 + n)));
        Ok(Seen { trace, child: code.map(|c| u8::try_from(c).unwrap_or(u8::MAX)) })
    }

    fn attach(&self, pid: u32, duration: Option<Duration>) -> anyhow::Result<Seen> {
        let (threads, _) = running(self.roots, pid)?;
        let fd = pidfd(pid)?;
        let tids: Vec<u32> = threads.iter().map(|(tid, _)| *tid).collect();
        let (mut collector, mut spots) = self.open(&tids)?;
        let begin = now();
        // Once more, now that threads which begin are seen to.
        let (threads, code) = running(self.roots, pid)?;
        if code.as_ref().is_none_or(Vec::is_empty) {
            spots.push(spot(
                "functions",
                format!("/proc/{pid}/maps is closed to this user: call sites are addresses"),
                "run as the process's user, or as root",
            ));
        }
        let why =
            "who waited already when the trace began is seen from the next wait on".to_owned();
        spots.push(spot("waits begun before", why, "start the program under amdahl trace -- CMD"));
        let mut tracker = Tracker::default();
        tracker.follow(pid, &threads, code.unwrap_or_default(), begin);
        follow(&mut collector, &mut tracker, Watch { fd: &fd, duration });
        let end = now();
        Ok(Seen { trace: self.result(collector, tracker, (begin, end), &mut spots), child: None })
    }

    /// Everybody's events if we may have them, else those of the program alone, without its wakers.
    fn open(&self, tids: &[u32]) -> Result<(Collector, Vec<BlindSpot>), Unable> {
        raise_nofile_limit(64 + 8 * self.cpus.len() as u64);
        let paranoid = || self.roots.proc("sys/kernel/perf_event_paranoid")?.parse().ok();
        match Collector::open(&self.tracefs, &self.cpus, &Scope::Machine) {
            Ok(collector) => return Ok((collector, Vec::new())),
            Err(e) if e.is_denied() => {}
            Err(e) => return Err(e.remedy(paranoid())),
        }
        raise_nofile_limit(64 + 8 * (self.cpus.len() * tids.len()) as u64);
        let own = Collector::open(&self.tracefs, &self.cpus, &Scope::Tasks(tids.to_vec()));
        own.map(|c| (c, Vec::new())).map_err(|e: NotOpened| e.remedy(paranoid()))
    }

    fn result(
        &self,
        collector: Collector,
        mut tracker: Tracker,
        (begin, end): (u64, u64),
        spots: &mut Vec<BlindSpot>,
    ) -> Trace {
        tracker.end(end);
        let sight = Sight {
            duration_ns: end.saturating_sub(begin),
            wakeups: collector.wakeups,
            blind_spots: std::mem::take(spots),
        };
        // Symbols are read without being in the way of what is traced.
        drop(collector);
        let mut symbols = Symbols::default();
        let code = tracker.processes.clone();
        trace(&tracker, &sight, &mut |pid, stack| {
            symbols.name(code.get(&pid).map_or(&[], Vec::as_slice), stack)
        })
    }
}

struct Watch<'a> {
    fd: &'a OwnedFd,
    duration: Option<Duration>,
}

/// Reads until the program has ended, the time is up, or somebody said stop.
fn follow(collector: &mut Collector, tracker: &mut Tracker, watch: Watch<'_>) {
    stop_on_signals();
    let end = watch.duration.map(|d| now().saturating_add(d.as_nanos() as u64));
    loop {
        let left = end.map_or(LOOK, |end| Duration::from_nanos(end.saturating_sub(now())));
        let over = collector.sleep(watch.fd.as_fd(), left.min(LOOK));
        collector.drain(tracker, Some(now()));
        if over || left.is_zero() || STOP.load(Ordering::Relaxed) {
            return collector.drain(tracker, None);
        }
    }
}

fn spot(what: &str, why: String, remedy: &str) -> BlindSpot {
    BlindSpot { what: what.to_owned(), why, hidden_ns_max: None, remedy: Some(remedy.to_owned()) }
}

/// A program that has ended, but whose processes have not.
fn left_behind(pid: u32, living: &[u32]) -> Option<BlindSpot> {
    let others: Vec<String> = living.iter().filter(|p| **p != pid).map(u32::to_string).collect();
    let first = others.first()?;
    let why = format!(
        "processes {} live on after the program ended; the trace did not",
        others.join(", ")
    );
    Some(spot("processes left behind", why, &format!("amdahl trace --pid {first}")))
}

fn pidfd(pid: u32) -> anyhow::Result<OwnedFd> {
    let id = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let id = id.ok_or_else(|| Unable(format!("--pid {pid}: no process has this number")))?;
    pidfd_open(id, PidfdFlags::empty())
        .map_err(|e| Unable(format!("process {pid}: {e}; is it still there?")).into())
}

static STOP: AtomicBool = AtomicBool::new(false);

extern "C" fn stop(_signal: libc::c_int) {
    STOP.store(true, Ordering::Relaxed);
}

/// Ctrl-C ends the trace, not this program: what was seen is kept. The traced program gets its own.
fn stop_on_signals() {
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: the handler only stores to an atomic, which is allowed in one.
        unsafe { libc::signal(signal, stop as extern "C" fn(libc::c_int) as libc::sighandler_t) };
    }
}
