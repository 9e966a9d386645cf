//! One worker on the thread that serves the protocol: what a carrier process runs.

use std::sync::Arc;

use crate::error::Error;
use crate::go::Go;
use crate::model::{Carrier, Crew, Job, Model};
use crate::probe::Probe;
use crate::report::Report;

/// Name on the pipe between a worker and its carrier processes.
pub(crate) const MECHANISM: &str = "inline";

#[derive(Debug)]
pub(crate) struct Inline;

impl Model for Inline {
    fn mechanism(&self) -> &'static str {
        MECHANISM
    }

    fn launch(&self, job: &Arc<Job>) -> Result<Box<dyn Crew>, Error> {
        let w = job.cell().base;
        let mut probe = job.probe(w)?;
        let op_ns = probe.warm()?;
        let tid = rustix::thread::gettid().as_raw_nonzero().get() as u32;
        let carriers = [Carrier { tid, w: Some(w) }];
        Ok(Box::new(One { probe, op_ns, carriers, order: None, reports: Vec::new() }))
    }
}

/// Its worker is parked as long as its process waits for the next line.
#[derive(Debug)]
struct One {
    probe: Probe,
    op_ns: Option<u64>,
    carriers: [Carrier; 1],
    order: Option<Go>,
    reports: Vec<Report>,
}

impl Crew for One {
    fn carriers(&self) -> &[Carrier] {
        &self.carriers
    }

    fn op_ns(&self) -> Option<u64> {
        self.op_ns
    }

    fn release(&mut self, go: &Go) -> Result<(), Error> {
        self.order = Some(go.clone());
        Ok(())
    }

    fn join(&mut self) -> Result<(), Error> {
        if let Some(go) = self.order.take() {
            self.reports.push(self.probe.run(&go)?);
        }
        Ok(())
    }

    fn collect(&mut self) -> Result<Vec<Report>, Error> {
        Ok(std::mem::take(&mut self.reports))
    }
}
