//! What the models have in common whose workers share a pool of threads: tasks that are handed out at
//! a release and handed back after it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use crate::carriers::{CarrierMeter, CarrierUsage, Readings};
use crate::error::{Error, Kind};
use crate::go::{Go, Pass};
use crate::model::{Carrier, Crew, Job};
use crate::report::Report;
use crate::task::TaskProbe;

/// One worker on its way through the pool. Boxed once: jobs and futures pass on a pointer.
pub(super) type Task = Box<TaskProbe>;

/// A pool of threads that runs tasks.
pub(super) trait Pool: Send {
    /// Makes worker `w` on one of its threads and hands it over.
    fn make(&self, job: &Arc<Job>, w: u32, desk: &Arc<Desk>);

    /// Waits for the start, where the model lets the opener do that, and starts the tasks. Each is
    /// handed back when its release is over.
    fn start(&self, go: &Go, tasks: Vec<Task>, desk: &Arc<Desk>);
}

/// The parked workers of one cell on a pool.
pub(super) struct TaskCrew<P> {
    /// Before the pool: what waits in a runtime ends before the runtime does.
    tasks: Vec<Task>,
    pool: P,
    desk: Arc<Desk>,
    meter: Arc<CarrierMeter>,
    carriers: Vec<Carrier>,
    op_ns: Option<u64>,
    order: Option<(Go, Arc<Readings>)>,
    reports: Vec<Report>,
    usage: Vec<CarrierUsage>,
}

impl<P: Pool> TaskCrew<P> {
    /// Makes and warms the workers of a job on a pool with these threads.
    pub(super) fn launch(pool: P, tids: &[u32], job: &Arc<Job>) -> Result<Self, Error> {
        let desk = Arc::new(Desk::default());
        let workers = job.cell().worker_numbers();
        workers.clone().for_each(|w| pool.make(job, w, &desk));
        let mut crew = Self {
            tasks: desk.take(workers.len())?,
            pool,
            desk,
            meter: CarrierMeter::open(tids)?,
            carriers: tids.iter().map(|tid| Carrier { tid: *tid, w: None }).collect(),
            op_ns: None,
            order: None,
            reports: Vec::new(),
            usage: Vec::new(),
        };
        crew.warm()?;
        Ok(crew)
    }

    /// A short release of each kind: code, data and the pool are warm by the very way that is measured.
    fn warm(&mut self) -> Result<(), Error> {
        for pass in [Pass::Throughput, Pass::Latency] {
            self.release(&Go::warming(pass))?;
            self.join()?;
        }
        // The best interval of any worker in the first: all of them warm up at once.
        let n = self.tasks.len();
        let intervals = self.reports.iter().take(n).flat_map(|report| &report.intervals);
        self.op_ns = intervals
            .filter(|x| x.ops > 0)
            .filter_map(|x| Some((x.last_ns? - x.first_ns).div_ceil(x.ops)))
            .min();
        self.reports.clear();
        self.usage.clear();
        Ok(())
    }
}

impl<P: Pool> Crew for TaskCrew<P> {
    fn carriers(&self) -> &[Carrier] {
        &self.carriers
    }

    fn op_ns(&self) -> Option<u64> {
        self.op_ns
    }

    fn release(&mut self, go: &Go) -> Result<(), Error> {
        let readings = self.meter.readings(go);
        self.tasks.iter_mut().for_each(|task| task.arm(go, readings.clone()));
        self.order = Some((go.clone(), readings));
        Ok(())
    }

    fn join(&mut self) -> Result<(), Error> {
        let Some((go, readings)) = self.order.take() else { return Ok(()) };
        let tasks = std::mem::take(&mut self.tasks);
        let workers = tasks.len();
        self.pool.start(&go, tasks, &self.desk);
        self.tasks = self.desk.take(workers)?;
        for task in &mut self.tasks {
            self.reports.push(task.report()?);
        }
        self.usage.extend(readings.usage());
        Ok(())
    }

    fn collect(&mut self) -> Result<Vec<Report>, Error> {
        Ok(std::mem::take(&mut self.reports))
    }

    fn carrier_usage(&mut self) -> Vec<CarrierUsage> {
        std::mem::take(&mut self.usage)
    }
}

/// Where tasks are handed back.
#[derive(Debug, Default)]
pub(super) struct Desk {
    board: Mutex<Board>,
    all_back: Condvar,
}

#[derive(Debug, Default)]
struct Board {
    back: Vec<Result<Task, Error>>,
    /// How many somebody waits for.
    due: usize,
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, Board> {
        self.board.lock().expect("nobody panics at the desk")
    }

    /// A task is done, or has failed. Only the last one wakes who waits, so that the caller's thread
    /// does not run beside workers that still do.
    pub(super) fn hand_back(&self, task: Result<Task, Error>) {
        let mut board = self.lock();
        board.back.push(task);
        if board.back.len() == board.due {
            self.all_back.notify_one();
        }
    }

    /// Waits for so many tasks, and gives them in the order of their workers.
    fn take(&self, n: usize) -> Result<Vec<Task>, Error> {
        let mut board = self.lock();
        board.due = n;
        let board = self.all_back.wait_while(board, |board| board.back.len() < n);
        let mut board = board.expect("nobody panics at the desk");
        board.due = 0;
        let mut tasks =
            std::mem::take(&mut board.back).into_iter().collect::<Result<Vec<_>, _>>()?;
        tasks.sort_by_key(|task| task.w());
        // Room for the next time, so that handing back does not allocate.
        board.back.reserve(n);
        Ok(tasks)
    }
}

/// The threads of a pool sign here as they begin.
#[derive(Debug, Default)]
pub(super) struct Roll {
    tids: Mutex<Vec<u32>>,
    signed: Condvar,
}

impl Roll {
    /// Called by each thread of the pool.
    pub(super) fn sign(&self) {
        let tid = rustix::thread::gettid().as_raw_nonzero().get() as u32;
        self.tids.lock().expect("nobody panics at the roll").push(tid);
        self.signed.notify_one();
    }

    /// Waits for `n` threads.
    pub(super) fn wait(&self, n: usize) -> Result<Vec<u32>, Error> {
        const LONGEST: Duration = Duration::from_secs(10);
        let tids = self.tids.lock().expect("nobody panics at the roll");
        let waited = self.signed.wait_timeout_while(tids, LONGEST, |tids| tids.len() < n);
        let (mut tids, _) = waited.expect("nobody panics at the roll");
        if tids.len() < n {
            return Err(no_threads(&format!("{} of {n} threads began within 10 s", tids.len())));
        }
        Ok(std::mem::take(&mut tids))
    }
}

/// A runtime could not start its threads.
pub(super) fn no_threads(why: &str) -> Error {
    let message =
        format!("can't start the pool's threads: {why}; lower workers= or raise `ulimit -u`");
    Error::Relayed { kind: Kind::Oom, message }
}
