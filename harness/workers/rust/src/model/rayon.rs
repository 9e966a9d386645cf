//! `rayon`: a pool of as many threads as workers; each operation is a job of its own.
//!
//! A worker's next job is spawned when the one before has ended, into the deque of the thread that ran
//! it, where any idle thread may steal it: no worker keeps a thread.

use std::sync::Arc;

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::Error;
use crate::go::Go;
use crate::model::tasks::{Desk, Pool, Roll, Task, TaskCrew, no_threads};
use crate::model::{Crew, Job, Model, at_most_threads};

#[derive(Debug)]
pub(crate) struct Rayon;

impl Model for Rayon {
    fn mechanism(&self) -> &'static str {
        "rayon"
    }

    fn launch(&self, job: &Arc<Job>) -> Result<Box<dyn Crew>, Error> {
        let threads = at_most_threads(job.cell().workers)?;
        let roll = Arc::new(Roll::default());
        let signing = roll.clone();
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|k| format!("amdahl-rayon{k}"))
            .start_handler(move |_| signing.sign())
            .build()
            .map_err(|e| no_threads(&e.to_string()))?;
        let tids = roll.wait(threads)?;
        Ok(Box::new(TaskCrew::launch(Jobs(pool), &tids, job)?))
    }
}

struct Jobs(ThreadPool);

impl Pool for Jobs {
    fn make(&self, job: &Arc<Job>, w: u32, desk: &Arc<Desk>) {
        let (job, desk) = (job.clone(), desk.clone());
        self.0.spawn(move || desk.hand_back(job.task(w).map(Box::new)));
    }

    /// Each worker's first job waits for the start on its thread: there is one for each.
    fn start(&self, _: &Go, tasks: Vec<Task>, desk: &Arc<Desk>) {
        for mut task in tasks {
            let desk = desk.clone();
            self.0.spawn(move || {
                task.enter();
                operate(task, desk);
            });
        }
    }
}

/// One operation; then the next one is a new job. `spawn` boxes it: that, the deque and the pool's
/// counters are the price of a job, and part of what is measured.
fn operate(mut task: Task, desk: Arc<Desk>) {
    match task.step() {
        Ok(true) => rayon::spawn(move || operate(task, desk)),
        Ok(false) => desk.hand_back(Ok(task)),
        Err(error) => desk.hand_back(Err(error)),
    }
}
