//! `amdahl trace`: a program started or found, followed until it ends, and what it waited for as a run.

mod acquisitions;
mod preload;
mod text;
mod watch;

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use amdahl_schema::{Absence, BlindSpot, Plan, RunKind, Trace};

use self::watch::Watch;
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
    let mut seen = match args.pid {
        _ if args.preload => preload::run(args, duration)?,
        Some(pid) => Eye::open(&roots, &topo)?.attach(pid, duration)?,
        None => Eye::open(&roots, &topo)?.start(args, duration)?,
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

impl<'a> Eye<'a> {
    fn open(roots: &'a Roots, topo: &Topo) -> Result<Self, Unable> {
        let tracefs = Tracefs::find(roots).map_err(no_tracefs)?;
        let cpus = topo.topology.cpus.iter().map(|c| c.cpu).collect();
        Ok(Self { roots, tracefs, cpus })
    }

    fn start(&self, args: &TraceArgs, duration: Option<Duration>) -> anyhow::Result<Seen> {
        let command: &[OsString] = &args.command;
        let held = Held::start(command, args.json.json).map_err(|e| not_started(command, &e))?;
        let pid = held.pid;
        let mut collector = self.collector(&[pid])?;
        let begin = now();
        let mut tracker = Tracker::default();
        tracker.follow(pid, &[(pid, String::new())], Vec::new(), begin);
        let mut child = held.release().map_err(|e| not_started(command, &e))?;
        if let Err(e) = prepare_out(args.out.as_deref()) {
            let (_, _) = (child.kill(), child.wait());
            anyhow::bail!(e);
        }
        let watch = Watch::new(pid, duration)?;
        follow(&mut collector, &mut tracker, &watch);
        let status = child.try_wait()?;
        let end = now();
        let living: Vec<u32> = tracker.living();
        let mut trace = self.result(collector, tracker, (begin, end), Vec::new());
        match &status {
            Some(status) => {
                trace.exit_status = status.code();
                trace.exit_signal = status.signal();
                trace.blind_spots.extend(left_behind(pid, &living));
            }
            None => eprintln!("process {pid} runs on: the trace ended before it did"),
        }
        Ok(Seen { trace, child: status.and_then(exit_code) })
    }

    fn attach(&self, pid: u32, duration: Option<Duration>) -> anyhow::Result<Seen> {
        let (threads, _) = running(self.roots, pid)?;
        let watch = Watch::new(pid, duration)?.attached();
        let tids: Vec<u32> = threads.iter().map(|(tid, _)| *tid).collect();
        let mut collector = self.collector(&tids)?;
        let mut spots = Vec::new();
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
        follow(&mut collector, &mut tracker, &watch);
        let end = now();
        Ok(Seen { trace: self.result(collector, tracker, (begin, end), spots), child: None })
    }

    /// Everybody's events if we may have them, else those of the program alone, without its wakers.
    fn collector(&self, tids: &[u32]) -> Result<Collector, Unable> {
        raise_nofile_limit(64 + 8 * self.cpus.len() as u64);
        let paranoid = || self.roots.proc("sys/kernel/perf_event_paranoid")?.parse().ok();
        match Collector::open(&self.tracefs, &self.cpus, &Scope::Machine) {
            Ok(collector) => return Ok(collector),
            Err(e) if e.is_denied() => {}
            Err(e) => return Err(e.remedy(paranoid())),
        }
        raise_nofile_limit(64 + 8 * (self.cpus.len() * tids.len()) as u64);
        let own = Collector::open(&self.tracefs, &self.cpus, &Scope::Tasks(tids.to_vec()));
        own.map_err(|e: NotOpened| e.remedy(paranoid()))
    }

    fn result(
        &self,
        collector: Collector,
        mut tracker: Tracker,
        (begin, end): (u64, u64),
        blind_spots: Vec<BlindSpot>,
    ) -> Trace {
        tracker.end(end);
        let sight = Sight {
            duration_ns: end.saturating_sub(begin),
            wakeups: collector.wakeups,
            blind_spots,
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

/// Reads until there is nothing more to follow.
fn follow(collector: &mut Collector, tracker: &mut Tracker, watch: &Watch) {
    // A reader that comes late loses records; who may not go first reads as it can. The program began before, and keeps its own priority.
    let _ = rustix::process::setpriority_process(None, -10);
    watch.follow(|fd, at_most| {
        let over = collector.sleep(fd, at_most);
        collector.drain(tracker, Some(now()));
        over
    });
    collector.drain(tracker, None);
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

/// What a shell would make of how a program ended.
fn exit_code(status: ExitStatus) -> Option<u8> {
    let code = status.code().or(status.signal().map(|n| 128 + n))?;
    Some(u8::try_from(code).unwrap_or(u8::MAX))
}

/// The directory of the runs, before there is anything to write to it.
fn prepare_out(out: Option<&Path>) -> Result<(), Unable> {
    let dir = out.unwrap_or(Path::new("runs"));
    std::fs::create_dir_all(dir).map_err(|e| {
        Unable(format!("{}: {e}; choose a directory you can write with --out", dir.display()))
    })
}
