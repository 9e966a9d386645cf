//! `tokio`: the multi-thread runtime with as many worker threads as workers; each worker is a task that
//! yields after every operation, and sleeps and reads by the runtime's own means.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};

use crate::error::Error;
use crate::go::Go;
use crate::model::tasks::{Desk, Pool, Roll, Task, TaskCrew, no_threads};
use crate::model::{Crew, Job, Model, at_most_threads};
use crate::release::Started;

#[derive(Debug)]
pub(crate) struct Tokio;

impl Model for Tokio {
    fn mechanism(&self) -> &'static str {
        "tokio"
    }

    fn launch(&self, job: &Arc<Job>) -> Result<Box<dyn Crew>, Error> {
        let threads = at_most_threads(job.cell().workers)?;
        let roll = Arc::new(Roll::default());
        let signing = roll.clone();
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(threads).thread_name("amdahl-tokio").enable_time().enable_io();
        // Only its workers begin: nothing here uses the runtime's threads for blocking calls.
        builder.on_thread_start(move || signing.sign());
        // It panics where the first thread can't be had, and waits for more where a later one can't.
        let built = catch_unwind(AssertUnwindSafe(|| builder.build()));
        let runtime = built
            .map_err(|_| no_threads("the runtime panicked; its words are on stderr"))?
            .map_err(|e| no_threads(&e.to_string()))?;
        match roll.wait(threads) {
            Ok(tids) => Ok(Box::new(TaskCrew::launch(Tasks(runtime), &tids, job)?)),
            Err(error) => {
                runtime.shutdown_background();
                Err(error)
            }
        }
    }
}

struct Tasks(Runtime);

impl Pool for Tasks {
    fn make(&self, job: &Arc<Job>, w: u32, desk: &Arc<Desk>) {
        let (job, desk) = (job.clone(), desk.clone());
        self.0.spawn(async move { desk.hand_back(job.awaiting_task(w).map(Box::new)) });
    }

    /// Nobody spins: the opener sleeps until the start, then hands the tasks to the runtime.
    fn start(&self, go: &Go, tasks: Vec<Task>, desk: &Arc<Desk>) {
        let started = Started::asleep(go);
        for task in tasks {
            self.0.spawn(work(task, started, desk.clone()));
        }
    }
}

async fn work(mut task: Task, started: Started, desk: Arc<Desk>) {
    task.enter_when(started);
    loop {
        match poll_fn(|cx| task.poll_step(cx)).await {
            Ok(true) => tokio::task::yield_now().await,
            Ok(false) => return desk.hand_back(Ok(task)),
            Err(error) => return desk.hand_back(Err(error)),
        }
    }
}
