//! How concurrency is expressed: the trait, and the models that come with the worker.
//!
//! A model says on which threads or processes the workers live and how they are parked, released and
//! awaited. It never reads a clock: that is the probe's.

mod inline;
mod processes;
mod threads;

pub(crate) use inline::Inline;
pub use processes::CARRIER_ARG;
pub(crate) use processes::{Processes, end_with_parent};
pub(crate) use threads::Threads;

use std::sync::Arc;

use crate::cell::Cell;
use crate::error::Error;
use crate::go::Go;
use crate::probe::{Probe, Setting};
use crate::report::Report;
use crate::timer::Stopwatch;
use crate::workload::Workload;

/// How concurrency is expressed.
pub trait Model: Send + Sync {
    /// Its name in `hello` and `prepare`.
    fn mechanism(&self) -> &'static str;

    /// Creates the workers `job.cell().worker_numbers()`, each by [`Job::probe`] on its own carrier,
    /// warms them by [`Probe::warm`], parks them without using CPU, and returns once all are parked.
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

    /// Wakes the workers: each calls [`Probe::run`] with this release. Does not wait for them.
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
        let (of, spins, stopwatch) = (self.cell.of, self.spins, self.stopwatch);
        self.workload.probe(Setting { w, of, spins, stopwatch })
    }
}

/// Hides the type of the operation.
pub(crate) trait AnyWorkload: Send + Sync {
    fn probe(&self, setting: Setting) -> Result<Probe, Error>;
    fn chosen(&self) -> Vec<(&'static str, u64)>;
}

impl<W: Workload> AnyWorkload for W {
    fn probe(&self, setting: Setting) -> Result<Probe, Error> {
        Probe::new(self, setting)
    }

    fn chosen(&self) -> Vec<(&'static str, u64)> {
        Workload::chosen(self)
    }
}
