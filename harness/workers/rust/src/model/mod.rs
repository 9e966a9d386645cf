//! How concurrency is expressed: the trait, and the models that come with the worker.
//!
//! A model says on which threads or processes the workers live and how they are parked, released and
//! awaited. It never reads a clock: that is the probe's.

mod inline;
mod processes;
mod rayon;
mod tasks;
mod threads;
mod tokio;

pub(crate) use inline::Inline;
pub use processes::CARRIER_ARG;
pub(crate) use processes::{Processes, end_with_parent};
pub(crate) use rayon::Rayon;
pub(crate) use threads::Threads;
pub(crate) use tokio::Tokio;

use std::sync::Arc;

use crate::carriers::CarrierUsage;
use crate::cell::Cell;
use crate::error::Error;
use crate::go::Go;
use crate::probe::{Probe, Setting, guarded};
use crate::report::Report;
use crate::task::TaskProbe;
use crate::timer::Stopwatch;
use crate::wire::Line;
use crate::workload::Workload;

/// How concurrency is expressed.
pub trait Model: Send + Sync {
    /// Its name in `hello` and `prepare`.
    fn mechanism(&self) -> &'static str;

    /// Creates the workers `job.cell().worker_numbers()`, each by [`Job::probe`] on its own carrier
    /// (or by [`Job::task`], where it has none), warms them by [`Probe::warm`], parks them without using CPU, and returns once all are parked.
    ///
    /// # Errors
    /// If one could not be created or warmed; the others have ended then.
    fn launch(&self, job: &Arc<Job>) -> Result<Box<dyn Crew>, Error>;
}

/// The parked workers of one cell. Dropping it ends them.
pub trait Crew {
    /// The OS threads (or processes) that run the workers.
    fn carriers(&self) -> &[Carrier];

    /// About how long one operation takes alone, ns.
    fn op_ns(&self) -> Option<u64>;

    /// Wakes the workers: each calls [`Probe::run`] with this release. Does not wait for them. (A model
    /// whose opener waits for the start, since its workers must not, does so in `join`.)
    ///
    /// # Errors
    /// If a worker can't be reached.
    fn release(&mut self, go: &Go) -> Result<(), Error>;

    /// Waits, without using CPU or writing anything, until all workers are parked again.
    ///
    /// # Errors
    /// If a worker failed; the crew can only be dropped then.
    fn join(&mut self) -> Result<(), Error>;

    /// What the workers did in all releases since the last call.
    ///
    /// # Errors
    /// If a worker's report can't be had.
    fn collect(&mut self) -> Result<Vec<Report>, Error>;

    /// What the carriers used in those releases, where no worker keeps one.
    fn carrier_usage(&mut self) -> Vec<CarrierUsage> {
        Vec::new()
    }
}

/// An OS thread or process that runs workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carrier {
    /// Thread id; of a process, its id.
    pub tid: u32,
    /// The worker it carries, where a worker keeps its carrier.
    pub w: Option<u32>,
}

/// A cell with the workload made for it: what a model makes its workers from.
pub struct Job {
    cell: Cell,
    workload: Box<dyn AnyWorkload>,
    stopwatch: Stopwatch,
    spins: bool,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").field("cell", &self.cell).finish_non_exhaustive()
    }
}

impl Job {
    pub(crate) fn new(cell: Cell, workload: Box<dyn AnyWorkload>) -> Arc<Self> {
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let spins = cell.of as usize <= cpus;
        Arc::new(Self { cell, workload, stopwatch: Stopwatch::detect(), spins })
    }

    /// What was asked for.
    pub fn cell(&self) -> &Cell {
        &self.cell
    }

    /// Parameters that the workload chose itself, for the `ready` line.
    pub fn chosen(&self) -> Vec<(&'static str, u64)> {
        self.workload.chosen()
    }

    /// Makes worker `w`. Call it on the thread that will run the worker.
    ///
    /// # Errors
    /// If the workload can't make the operation.
    pub fn probe(&self, w: u32) -> Result<Probe, Error> {
        self.workload.probe(self.setting(w))
    }

    /// Makes worker `w` as one that runs by steps, on whatever thread calls, and blocks that thread
    /// where it waits. Call it on a thread that will run it.
    ///
    /// # Errors
    /// As [`Job::probe`].
    pub fn task(&self, w: u32) -> Result<TaskProbe, Error> {
        self.workload.task(self.setting(w))
    }

    /// The same, but where it waits it does so in the tokio runtime that this is called in.
    ///
    /// # Errors
    /// As [`Job::probe`].
    pub fn awaiting_task(&self, w: u32) -> Result<TaskProbe, Error> {
        self.workload.awaiting_task(self.setting(w))
    }

    /// All workers are parked and about to be released. Call it before [`Crew::release`].
    pub fn begin(&self, go: &Go) {
        self.workload.begin(go);
    }

    /// All are parked again: lines of what they recorded together, without the cell's id. Call it after
    /// [`Crew::join`].
    pub fn end(&self, go: &Go) -> Vec<Line> {
        self.workload.end(go)
    }

    /// A worker could not be made, or failed: lets go those that wait for it inside an operation.
    pub fn abandon(&self) {
        self.workload.abandon();
    }

    fn setting(&self, w: u32) -> Setting {
        Setting { w, of: self.cell.of, spins: self.spins, stopwatch: self.stopwatch }
    }
}

/// Most workers of a cell. The runtime's threads take four memory maps each, of some 65000 that Linux
/// gives a process, and it aborts instead of failing when they run out inside a new thread.
const WORKERS_MAX: u32 = 8192;

/// The number of workers as that of threads, unless there are too many.
fn at_most_threads(workers: u32) -> Result<usize, Error> {
    if workers > WORKERS_MAX {
        return Err(Error::BadValue {
            key: "workers".to_owned(),
            value: workers.to_string(),
            expected: format!("at most {WORKERS_MAX} threads of one process").into(),
        });
    }
    Ok(workers as usize)
}

/// Hides the type of the operation.
pub(crate) trait AnyWorkload: Send + Sync {
    fn probe(&self, setting: Setting) -> Result<Probe, Error>;
    fn task(&self, setting: Setting) -> Result<TaskProbe, Error>;
    fn awaiting_task(&self, setting: Setting) -> Result<TaskProbe, Error>;
    fn begin(&self, go: &Go);
    fn end(&self, go: &Go) -> Vec<Line>;
    fn abandon(&self);
    fn chosen(&self) -> Vec<(&'static str, u64)>;
}

impl<W: Workload> AnyWorkload for W {
    fn probe(&self, setting: Setting) -> Result<Probe, Error> {
        Probe::new(self, setting)
    }

    fn task(&self, setting: Setting) -> Result<TaskProbe, Error> {
        guarded(setting.w, || Ok(TaskProbe::blocking(self.op(setting.w)?, self.batch(), setting)))
    }

    fn awaiting_task(&self, setting: Setting) -> Result<TaskProbe, Error> {
        guarded(setting.w, || match self.awaiting_op(setting.w)? {
            Some(op) => Ok(TaskProbe::awaiting(op, self.batch(), setting)),
            None => Ok(TaskProbe::blocking(self.op(setting.w)?, self.batch(), setting)),
        })
    }

    fn begin(&self, go: &Go) {
        Workload::begin(self, go);
    }

    fn end(&self, go: &Go) -> Vec<Line> {
        Workload::end(self, go)
    }

    fn abandon(&self) {
        Workload::abandon(self);
    }

    fn chosen(&self) -> Vec<(&'static str, u64)> {
        Workload::chosen(self)
    }
}
