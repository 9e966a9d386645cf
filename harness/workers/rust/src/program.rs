//! A worker program: the workloads and models it knows, and its `main`.

use std::io::{self, BufWriter};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::bench;
use crate::cell::Cell;
use crate::error::Error;
use crate::model::{
    AnyWorkload, CARRIER_ARG, Crew, Inline, Job, Model, Processes, Rayon, Threads, Tokio,
    end_with_parent,
};
use crate::serve;
use crate::sync::{Sequence, TestAndSet, TicketLock};
use crate::workload::lock::counter::Counters;
use crate::workload::lock::family::{Clh, Mcs};
use crate::workload::lock::free::{Counting, Shared};
use crate::workload::lock::library::Functions;
use crate::workload::lock::map::{Map, Maps, Papaya, Sharded};
use crate::workload::lock::raw::{Raw, StdMutex};
use crate::workload::lock::{Apart, Lock, Locked, Shape};
use crate::workload::{Cpu, Mem, Noop, Pipe, Serial, Sleep, Workload};

type Make = dyn Fn(&Cell) -> Result<Box<dyn AnyWorkload>, Error>;

/// The workload whose cells name one of the program's locks.
const LOCK: &str = "lock";

/// Before the locks of a user's libraries: `--lock NAME=PATH`.
const LOCK_ARG: &str = "--lock";

/// A worker program. See the [crate documentation](crate) for an example.
pub struct Program {
    workloads: Vec<(String, Box<Make>)>,
    models: Vec<Arc<dyn Model>>,
    /// By name, the workload `lock` with that lock.
    locks: Vec<(String, Box<Make>)>,
    except: Vec<(String, String)>,
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Program").field("workloads", &self.workload_names()).finish_non_exhaustive()
    }
}

impl Default for Program {
    fn default() -> Self {
        Self::new()
    }
}

impl Program {
    /// With the workloads `noop`, `cpu`, `sleep`, `pipe`, `mem`, `serial`, `lock`, the models `threads`,
    /// `processes`, `rayon`, `tokio`, and a dozen locks.
    pub fn new() -> Self {
        let nothing = Self {
            workloads: Vec::new(),
            models: Vec::new(),
            locks: Vec::new(),
            except: Vec::new(),
        };
        nothing
            .workload("noop", Noop::new)
            .workload("cpu", Cpu::new)
            .workload("sleep", Sleep::new)
            .workload("pipe", Pipe::new)
            .workload("mem", Mem::new)
            .workload("serial", Serial::new)
            .model(Threads)
            .model(Processes)
            .model(Rayon)
            .model(Tokio)
            // Its workers wait for each other in the middle of an operation: that takes memory in
            // common, and a thread for each.
            .except("processes", "serial")
            .except("rayon", "serial")
            .except("tokio", "serial")
            // A lock is held by a thread that may wait for it.
            .except("processes", LOCK)
            .except("rayon", LOCK)
            .except("tokio", LOCK)
            .with_locks()
    }

    fn with_locks(self) -> Self {
        self.lock("mutex", std::sync::Mutex::default)
            .lock("rwlock", std::sync::RwLock::default)
            .lock("parking_lot", parking_lot::Mutex::default)
            .lock("parking_lot_rwlock", parking_lot::RwLock::default)
            .lock("ttas", TestAndSet::new)
            .lock("ticket", TicketLock::new)
            .lock("mcs", || Mcs::new(()))
            .lock("clh", || Clh::new(()))
            .lock("seqlock", Sequence::new)
            .lock("tokio_mutex", tokio::sync::Mutex::default)
            .counter("atomic", |_| 1)
            .counter("sharded", |cell| u64::from(cell.of))
            .map::<Papaya>("map_papaya")
            .map::<Sharded>("map_sharded")
            // The first once more, by each of the ways that locks of the user's own are called.
            .raw_lock::<StdMutex>("mutex-raw")
            .library("mutex-c", |_| Ok(Functions::of_std()))
    }

    /// Adds a lock, or replaces the one of that name, for the workload `lock`. `make` is called for each
    /// lock of a cell.
    #[must_use]
    pub fn lock<L: Lock>(self, name: &str, make: impl Fn() -> L + 'static) -> Self {
        self.locked(name, move |cell| {
            let shape = Shape::of(cell)?;
            Ok(Box::new(Locked::new(shape, (0..shape.locks).map(|_| make()).collect())))
        })
    }

    /// The same for a lock that has the two functions of [`lock_api::RawMutex`].
    #[must_use]
    pub fn raw_lock<R: lock_api::RawMutex + Send + Sync + 'static>(self, name: &str) -> Self {
        self.lock(name, || Raw(R::INIT))
    }

    /// The same for a shared library with the four C functions `lock_size`, `lock_init`, `lock_acquire`
    /// and `lock_release`, which is loaded when a cell asks for it.
    #[must_use]
    pub fn lock_library(self, name: &str, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        self.library(name, move |name| Functions::load(name, &path))
    }

    fn library(
        self,
        name: &str,
        functions: impl Fn(&str) -> Result<Functions, Error> + 'static,
    ) -> Self {
        let own = name.to_owned();
        self.locked(name, move |cell| {
            let shape = Shape::of(cell)?;
            let locks = functions(&own)?.locks(&own, &shape)?;
            Ok(Box::new(Locked::new(shape, locks)))
        })
    }

    fn counter(self, name: &str, parts: fn(&Cell) -> u64) -> Self {
        self.locked(name, move |cell| {
            let (shape, parts) = (Shape::of(cell)?, parts(cell));
            Ok(if shape.packed {
                counting(shape, Counters::<AtomicU64>::new(shape.locks, parts))
            } else {
                counting(shape, Counters::<Apart<AtomicU64>>::new(shape.locks, parts))
            })
        })
    }

    pub(crate) fn map<M: Map>(self, name: &str) -> Self {
        self.locked(name, |cell| {
            let shape = Shape::of(cell)?;
            Ok(Box::new(Counting::<_, false>::new(shape, Maps::<M>::new(shape.locks))))
        })
    }

    fn locked(
        mut self,
        name: &str,
        make: impl Fn(&Cell) -> Result<Box<dyn AnyWorkload>, Error> + 'static,
    ) -> Self {
        self.locks.retain(|(known, _)| known != name);
        self.locks.push((name.to_owned(), Box::new(make)));
        self
    }

    /// Adds a workload, or replaces the one of that name. `make` is called once a cell, before its
    /// workers exist: what they share (a lock, a queue) is made here.
    #[must_use]
    pub fn workload<W: Workload>(
        mut self,
        name: &str,
        make: impl Fn(&Cell) -> Result<W, Error> + 'static,
    ) -> Self {
        let make = move |cell: &Cell| Ok(Box::new(make(cell)?) as Box<dyn AnyWorkload>);
        self.workloads.retain(|(known, _)| known != name);
        self.workloads.push((name.to_owned(), Box::new(make)));
        self
    }

    /// Adds a model, or replaces the one of that mechanism.
    #[must_use]
    pub fn model(mut self, model: impl Model + 'static) -> Self {
        self.models.retain(|known| known.mechanism() != model.mechanism());
        self.models.push(Arc::new(model));
        self
    }

    /// Says that a workload is not offered with a mechanism.
    #[must_use]
    pub fn except(mut self, mechanism: &str, workload: &str) -> Self {
        self.except.push((mechanism.to_owned(), workload.to_owned()));
        self
    }

    /// The pairs of mechanism and workload that it does not offer.
    pub fn exceptions(&self) -> &[(String, String)] {
        &self.except
    }

    /// The names of its workloads.
    pub fn workload_names(&self) -> Vec<String> {
        self.workloads
            .iter()
            .map(|(name, _)| name.as_str())
            .chain([LOCK])
            .map(str::to_owned)
            .collect()
    }

    /// The names of its locks.
    pub fn lock_names(&self) -> Vec<String> {
        self.locks.iter().map(|(name, _)| name.clone()).collect()
    }

    /// The names of its models.
    pub fn mechanisms(&self) -> Vec<String> {
        self.models.iter().map(|model| model.mechanism().to_owned()).collect()
    }

    /// The workload of a cell, ready to make its workers: [`Job::probe`] gives one for the calling
    /// thread, which is all that a measurement without a model needs.
    ///
    /// # Errors
    /// An unknown workload or a bad parameter.
    pub fn job(&self, cell: Cell) -> Result<Arc<Job>, Error> {
        if cell.workload == LOCK {
            let workload = self.made_with_lock(&cell)?;
            return Ok(Job::new(cell, workload));
        }
        let make = self.workloads.iter().find(|(name, _)| *name == cell.workload);
        let (_, make) = make.ok_or_else(|| Error::Unknown {
            what: "workload",
            name: cell.workload.clone(),
            known: self.workload_names(),
        })?;
        let workload = make(&cell)?;
        Ok(Job::new(cell, workload))
    }

    fn made_with_lock(&self, cell: &Cell) -> Result<Box<dyn AnyWorkload>, Error> {
        let name = cell.text(LOCK).ok_or_else(|| Error::MissingKey {
            verb: format!("prepare workload={LOCK}"),
            key: LOCK.to_owned(),
        })?;
        let make = self.locks.iter().find(|(known, _)| known == name);
        let (_, make) = make.ok_or_else(|| Error::Unknown {
            what: "lock",
            name: name.to_owned(),
            known: self.lock_names(),
        })?;
        make(cell)
    }

    /// Creates, warms and parks the workers of a job by the model its cell names.
    ///
    /// # Errors
    /// An unknown mechanism, or whatever keeps a worker from being created.
    pub fn launch(&self, job: &Arc<Job>) -> Result<Box<dyn Crew>, Error> {
        let mechanism = &job.cell().mechanism;
        let model = self.models.iter().find(|model| model.mechanism() == mechanism);
        let model = model.ok_or_else(|| Error::Unknown {
            what: "mechanism",
            name: mechanism.clone(),
            known: self.mechanisms(),
        })?;
        let pair = (mechanism.clone(), job.cell().workload.clone());
        if self.except.contains(&pair) {
            let (mechanism, workload) = pair;
            return Err(Error::NotOffered { workload, mechanism });
        }
        model.launch(job)
    }

    /// Serves the protocol on stdin and stdout until `quit` or the end of the input. Started by `cargo bench` (with
    /// `--bench`, a target with `harness = false`) it starts `amdahl run` instead, with itself as the worker.
    ///
    /// Call it before anything else writes to stdout. The program executes itself for the model
    /// `processes`, with arguments that this function recognises.
    pub fn main(self) -> ExitCode {
        let args: Vec<String> = std::env::args().skip(1).collect();
        if args.iter().any(|arg| arg == bench::ARG) {
            return bench::run(args, &self.lock_names());
        }
        match self.serve() {
            Ok(()) => ExitCode::SUCCESS,
            // The harness is gone: nobody is left to tell.
            Err(Error::Harness(e)) if e.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            Err(e) => {
                eprintln!("amdahl-worker: {e}");
                ExitCode::from(2)
            }
        }
    }

    fn serve(mut self) -> Result<(), Error> {
        let mut args = std::env::args().skip(1);
        if args.next().as_deref() == Some(CARRIER_ARG) {
            end_with_parent(args.next().as_deref())?;
            self = self.model(Inline);
        }
        let args: Vec<String> = std::env::args().collect();
        for pair in args.windows(2).filter(|pair| pair[0] == LOCK_ARG) {
            let (name, path) = pair[1].split_once('=').ok_or_else(|| {
                Error::other(format!("{LOCK_ARG} {}: NAME=PATH expected", pair[1]))
            })?;
            self = self.lock_library(name, path);
        }
        raise_file_limit();
        serve::serve(&self, io::stdin().lock(), BufWriter::new(io::stdout().lock()))
    }
}

/// The loop that does nothing but add is compiled by itself.
fn counting(shape: Shape, shared: impl Shared) -> Box<dyn AnyWorkload> {
    if shape.bare() {
        Box::new(Counting::<_, true>::new(shape, shared))
    } else {
        Box::new(Counting::<_, false>::new(shape, shared))
    }
}

/// Each worker keeps a descriptor or two: the soft limit, made for programs that use select(2), goes
/// up to the hard one. Where that fails, opening says so.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}
