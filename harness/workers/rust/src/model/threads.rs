//! `threads`: one `std::thread` a worker, parked on a condition variable.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;

use crate::error::Error;
use crate::go::Go;
use crate::model::{Carrier, Crew, Job, Model, at_most_threads};
use crate::probe::Probe;
use crate::report::Report;

#[derive(Debug)]
pub(crate) struct Threads;

impl Model for Threads {
    fn mechanism(&self) -> &'static str {
        "threads"
    }

    fn launch(&self, job: &Arc<Job>) -> Result<Box<dyn Crew>, Error> {
        let workers = at_most_threads(job.cell().workers)?;
        let seats = (0..workers).map(|_| Seat::default()).collect();
        let board = Mutex::new(Board { turn: 0, order: Order::Quit, busy: 0 });
        let hall =
            Arc::new(Hall { board, released: Condvar::new(), parked: Condvar::new(), seats });
        let mut crew = ThreadCrew { hall, handles: Vec::new(), carriers: Vec::new(), op_ns: None };
        for (seat, w) in job.cell().worker_numbers().enumerate() {
            crew.spawn(job, seat, w)?;
        }
        crew.hall.wait_parked();
        for seat in &crew.hall.seats {
            let (carrier, op_ns) = seat.take_prepared()?;
            crew.carriers.push(carrier);
            crew.op_ns = [crew.op_ns, op_ns].into_iter().flatten().min();
        }
        Ok(Box::new(crew))
    }
}

#[derive(Debug)]
struct ThreadCrew {
    hall: Arc<Hall>,
    handles: Vec<JoinHandle<()>>,
    carriers: Vec<Carrier>,
    op_ns: Option<u64>,
}

impl ThreadCrew {
    fn spawn(&mut self, job: &Arc<Job>, seat: usize, w: u32) -> Result<(), Error> {
        self.hall.lock().busy += 1;
        let (hall, job_) = (self.hall.clone(), job.clone());
        let spawned = std::thread::Builder::new()
            .name(format!("amdahl-w{w}"))
            .spawn(move || live(&hall, &job_, seat, w));
        match spawned {
            Ok(handle) => self.handles.push(handle),
            Err(source) => {
                self.hall.lock().busy -= 1;
                job.abandon();
                return Err(Error::Spawn { w, workers: job.cell().workers, source });
            }
        }
        Ok(())
    }
}

impl Crew for ThreadCrew {
    fn carriers(&self) -> &[Carrier] {
        &self.carriers
    }

    fn op_ns(&self) -> Option<u64> {
        self.op_ns
    }

    fn release(&mut self, go: &Go) -> Result<(), Error> {
        self.hall.call(Order::Go(go.clone()), self.handles.len());
        Ok(())
    }

    fn join(&mut self) -> Result<(), Error> {
        self.hall.wait_parked();
        self.hall.seats.iter().try_for_each(Seat::check)
    }

    fn collect(&mut self) -> Result<Vec<Report>, Error> {
        Ok(self.hall.seats.iter().flat_map(Seat::take_reports).collect())
    }
}

impl Drop for ThreadCrew {
    fn drop(&mut self) {
        // A launch that failed half-way: those that were created are still warming up.
        self.hall.wait_parked();
        self.hall.call(Order::Quit, 0);
        for handle in self.handles.drain(..) {
            // A worker's panic became its error line already.
            let _ = handle.join();
        }
    }
}

/// Where the workers of one cell wait and are called from.
#[derive(Debug)]
struct Hall {
    board: Mutex<Board>,
    /// The turn has changed.
    released: Condvar,
    /// Nobody is busy any more. Only the last worker signals, so that the caller's thread does not
    /// run beside workers that still do.
    parked: Condvar,
    seats: Vec<Seat>,
}

#[derive(Debug)]
struct Board {
    turn: u64,
    order: Order,
    busy: usize,
}

#[derive(Debug, Clone)]
enum Order {
    Go(Go),
    Quit,
}

impl Hall {
    /// The board is only ever held for a few instructions, none of which can panic.
    fn lock(&self) -> MutexGuard<'_, Board> {
        self.board.lock().expect("nobody panics at the board")
    }

    fn call(&self, order: Order, busy: usize) {
        let mut board = self.lock();
        board.turn += 1;
        board.order = order;
        board.busy = busy;
        drop(board);
        self.released.notify_all();
    }

    fn wait_parked(&self) {
        let parked = self.parked.wait_while(self.lock(), |board| board.busy > 0);
        drop(parked.expect("nobody panics at the board"));
    }

    /// Parks the calling worker until the next order. Counting oneself as parked and starting to wait
    /// are one critical section: when the count reaches 0, all are parked.
    fn park(&self) -> Order {
        let mut board = self.lock();
        board.busy -= 1;
        if board.busy == 0 {
            self.parked.notify_one();
        }
        let turn = board.turn;
        let released = self.released.wait_while(board, |board| board.turn == turn);
        released.expect("nobody panics at the board").order.clone()
    }
}

/// What one worker hands over, in cache lines of its own (two, for the adjacent-line prefetcher).
#[derive(Debug, Default)]
#[repr(align(128))]
struct Seat {
    handed: Mutex<Handed>,
}

#[derive(Debug, Default)]
struct Handed {
    prepared: Option<Result<(Carrier, Option<u64>), Error>>,
    reports: Vec<Report>,
    failed: Option<Error>,
}

impl Seat {
    fn lock(&self) -> MutexGuard<'_, Handed> {
        self.handed.lock().expect("nobody panics at a seat")
    }

    fn take_prepared(&self) -> Result<(Carrier, Option<u64>), Error> {
        self.lock().prepared.take().unwrap_or_else(|| Err(Error::other("a worker thread vanished")))
    }

    fn check(&self) -> Result<(), Error> {
        self.lock().failed.take().map_or(Ok(()), Err)
    }

    fn take_reports(&self) -> Vec<Report> {
        std::mem::take(&mut self.lock().reports)
    }
}

/// The life of one worker thread.
fn live(hall: &Hall, job: &Job, seat: usize, w: u32) {
    let seat = &hall.seats[seat];
    let mut probe = None;
    let prepared = prepare(job, w, &mut probe).inspect_err(|_| job.abandon());
    seat.lock().prepared = Some(prepared);
    while let Order::Go(go) = hall.park() {
        let Some(probe) = &mut probe else { continue };
        match probe.run(&go) {
            Ok(report) => seat.lock().reports.push(report),
            Err(error) => {
                seat.lock().failed = Some(error);
                job.abandon();
            }
        }
    }
}

fn prepare(job: &Job, w: u32, slot: &mut Option<Probe>) -> Result<(Carrier, Option<u64>), Error> {
    let probe = slot.insert(job.probe(w)?);
    let op_ns = probe.warm()?;
    let tid = rustix::thread::gettid().as_raw_nonzero().get() as u32;
    Ok((Carrier { tid, w: Some(w) }, op_ns))
}
