//! `processes`: one process a worker, each the worker program itself, executed anew.
//!
//! Between a worker and its carrier processes runs the same protocol over pipes: `prepare`, `go`,
//! `collect` of one worker on the mechanism `inline`. A carrier ends when its pipe closes, and by the
//! kernel's hand when its parent dies.

use std::io::{BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Arc;

use crate::error::{Error, Kind};
use crate::go::Go;
use crate::model::{Carrier, Crew, Job, Model, inline};
use crate::report::Report;
use crate::wire::{self, Line};

/// First argument of a carrier process, which is the program itself; the second is its parent's id. A program that serves
/// the worker under a word of its own hands this call on to [`Program::main`](crate::Program::main) too.
pub const CARRIER_ARG: &str = "--amdahl-carrier";

/// The running program, also if its file has been replaced since.
const SELF_EXE: &str = "/proc/self/exe";

#[derive(Debug)]
pub(crate) struct Processes;

impl Model for Processes {
    fn mechanism(&self) -> &'static str {
        "processes"
    }

    fn launch(&self, job: &Arc<Job>) -> Result<Box<dyn Crew>, Error> {
        let cell = job.cell();
        let mut crew =
            ProcessCrew { id: cell.id, all: Vec::new(), carriers: Vec::new(), op_ns: None };
        for w in cell.worker_numbers() {
            let mut carrier = CarrierProcess::spawn(w, cell.of)?;
            carrier.send(&cell.line_of_one(w, inline::MECHANISM))?;
            crew.all.push(carrier);
        }
        for carrier in &mut crew.all {
            let ready = carrier.receive("ready")?;
            let op_ns = ready.int("op_ns")?;
            crew.op_ns = [crew.op_ns, op_ns].into_iter().flatten().min();
            crew.carriers.push(Carrier { tid: carrier.process.id(), w: Some(carrier.w) });
        }
        Ok(Box::new(crew))
    }
}

/// Called by a carrier process as it begins: it dies with the parent that it was told of.
///
/// # Errors
/// If the parent is dead already, or the kernel refuses.
pub(crate) fn end_with_parent(parent: Option<&str>) -> Result<(), Error> {
    let kill = Some(rustix::process::Signal::KILL);
    rustix::process::set_parent_process_death_signal(kill).map_err(std::io::Error::from)?;
    let now = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().to_string());
    if now.as_deref() != parent {
        return Err(Error::other("the worker that started this carrier is gone"));
    }
    Ok(())
}

struct ProcessCrew {
    id: u64,
    all: Vec<CarrierProcess>,
    carriers: Vec<Carrier>,
    op_ns: Option<u64>,
}

impl Crew for ProcessCrew {
    fn carriers(&self) -> &[Carrier] {
        &self.carriers
    }

    fn op_ns(&self) -> Option<u64> {
        self.op_ns
    }

    fn release(&mut self, go: &Go) -> Result<(), Error> {
        let line = go.line(self.id);
        self.all.iter_mut().try_for_each(|carrier| carrier.send(&line))
    }

    fn join(&mut self) -> Result<(), Error> {
        // All of them, also after a failure: the others are still running their release.
        let outcomes: Vec<_> =
            self.all.iter_mut().map(|c| c.receive("stopped").map(drop)).collect();
        outcomes.into_iter().collect()
    }

    fn collect(&mut self) -> Result<Vec<Report>, Error> {
        let line = Line::new("collect").with("id", self.id);
        let mut reports = Vec::new();
        for carrier in &mut self.all {
            carrier.send(&line)?;
            let mut lines = Vec::new();
            loop {
                let line = carrier.receive_any()?;
                if line.verb() == "done" {
                    break;
                }
                lines.push(line);
            }
            reports.extend(Report::parse(&lines)?);
        }
        Ok(reports)
    }
}

/// One carrier. Dropping it kills it: it has nothing to save, and may be inside an operation that
/// never ends.
struct CarrierProcess {
    w: u32,
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl CarrierProcess {
    fn spawn(w: u32, workers: u32) -> Result<Self, Error> {
        let mut process = Command::new(SELF_EXE)
            .arg0("amdahl-worker")
            .args([CARRIER_ARG, &std::process::id().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|source| Error::Spawn { w, workers, source })?;
        let (input, output) = (process.stdin.take(), process.stdout.take());
        let (input, output) = input.zip(output).expect("both were asked to be pipes");
        Ok(Self { w, process, input, output: BufReader::new(output) })
    }

    fn send(&mut self, line: &Line) -> Result<(), Error> {
        let text = format!("{line}\n");
        match self.input.write_all(text.as_bytes()) {
            Ok(()) => Ok(()),
            Err(_) => Err(self.ended()),
        }
    }

    fn receive(&mut self, verb: &str) -> Result<Line, Error> {
        let line = self.receive_any()?;
        if line.verb() == verb {
            return Ok(line);
        }
        let what = format!("answered `{}` instead of `{verb}`", line.verb());
        Err(Error::Carrier { w: self.w, pid: self.process.id(), what })
    }

    /// The next line; its `error` is ours.
    fn receive_any(&mut self) -> Result<Line, Error> {
        let line = match wire::read_line(&mut self.output)? {
            Some(line) => line?,
            None => return Err(self.ended()),
        };
        if line.verb() == "error" {
            let kind = Kind::of(line.text("kind").unwrap_or_default());
            return Err(Error::Relayed {
                kind,
                message: line.text("msg").unwrap_or_default().into(),
            });
        }
        Ok(line)
    }

    fn ended(&mut self) -> Error {
        // Its pipe is closed: either it has ended, or it never will by itself.
        let _ = self.process.kill();
        let how = match self.process.wait() {
            Ok(status) => describe(status),
            Err(e) => format!("can't be waited for: {e}"),
        };
        let what = format!("ended before its answer ({how}); its stderr is above");
        Error::Carrier { w: self.w, pid: self.process.id(), what }
    }
}

fn describe(status: ExitStatus) -> String {
    status.to_string()
}

impl Drop for CarrierProcess {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
