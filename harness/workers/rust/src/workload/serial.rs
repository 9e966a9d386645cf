//! `serial`: synchronous rounds of all workers with a share under a lock, so that it follows Amdahl's
//! law. Closed-loop workers would fall into step and hide the share; here each round begins anew.

use std::hint::black_box;
use std::sync::Arc;

use crate::cell::Cell;
use crate::error::Error;
use crate::stop::Stop;
use crate::sync::{Rounds, TicketLock};
use crate::workload::cpu::minstd;
use crate::workload::{Op, Workload};

/// About 1.4 ms an operation at 3.5 ns a step. A constant, like `cpu`'s.
const STEPS: u64 = 400_000;

#[derive(Debug)]
pub(crate) struct Serial {
    outside: u64,
    inside: u64,
    permille: u64,
    common: Arc<Common>,
}

/// What the workers of a cell share.
#[derive(Debug)]
struct Common {
    rounds: Rounds,
    lock: TicketLock,
}

impl Serial {
    pub(crate) fn new(cell: &Cell) -> Result<Self, Error> {
        let steps = cell.int_at_least("steps", 0)?.unwrap_or(STEPS);
        let permille: u64 = cell.int("permille")?.ok_or_else(|| Error::MissingKey {
            verb: "prepare workload=serial".to_owned(),
            key: "permille".to_owned(),
        })?;
        if permille > 1000 {
            return Err(Error::BadValue {
                key: "permille".to_owned(),
                value: permille.to_string(),
                expected: "at most 1000".into(),
            });
        }
        let inside = (u128::from(steps) * u128::from(permille) / 1000) as u64;
        let common = Common { rounds: Rounds::new(cell.workers), lock: TicketLock::new() };
        Ok(Self { outside: steps - inside, inside, permille, common: Arc::new(common) })
    }
}

impl Workload for Serial {
    type Op = Round;

    fn op(&self, _: u32) -> Result<Round, Error> {
        let (outside, inside) = (self.outside, self.inside);
        Ok(Round { outside, inside, common: self.common.clone(), next: 0 })
    }

    fn abandon(&self) {
        self.common.rounds.break_up();
    }

    fn chosen(&self) -> Vec<(&'static str, u64)> {
        vec![("steps", self.outside + self.inside), ("permille", self.permille)]
    }
}

#[derive(Debug)]
pub(crate) struct Round {
    outside: u64,
    inside: u64,
    common: Arc<Common>,
    /// The round that comes next.
    next: u64,
}

impl Op for Round {
    fn run(&mut self, i: u64) -> Result<u32, Stop> {
        let Common { rounds, lock } = &*self.common;
        match rounds.meet(i) {
            Ok(true) => self.next = i + 1,
            Ok(false) => return Err(Stop::Over),
            Err(_) => return Err(Stop::Failed("a worker of the round is gone".to_owned())),
        }
        // Opaque before the lock and before its release: no step may slip to the other side.
        let x = black_box(minstd(black_box(1 + i % 64), self.outside));
        let held = lock.lock();
        let x = black_box(minstd(x, self.inside));
        drop(held);
        Ok(x as u32)
    }

    fn released(&mut self) {
        // Broken up or not, this worker is through.
        let _ = self.common.rounds.end_before(self.next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::go::{Go, Pass};
    use crate::program::Program;

    fn cell(workers: u32, permille: u64) -> Cell {
        Cell::new("serial", "threads", workers).with("steps", 10_000).with("permille", permille)
    }

    #[test]
    fn every_share_gives_the_result_of_cpu() {
        for permille in [0, 1, 333, 1000] {
            let mut op = Serial::new(&cell(1, permille)).unwrap().op(0).unwrap();
            assert_eq!(op.run(0).unwrap(), 399_268_537, "{permille}");
        }
        let serial = Serial::new(&cell(1, 333)).unwrap();
        assert_eq!((serial.outside, serial.inside), (6670, 3330));
        for bad in [cell(1, 1001), Cell::new("serial", "threads", 1)] {
            assert_eq!(Serial::new(&bad).unwrap_err().kind().name(), "unsupported");
        }
    }

    /// Also more workers than CPUs, and released again and again.
    #[test]
    fn all_do_the_same_number_of_rounds_and_leave_together() {
        for workers in [1, 2, 5] {
            let program = Program::new();
            let job = program.job(cell(workers, 250)).unwrap();
            let mut crew = program.launch(&job).unwrap();
            for pass in [Pass::Throughput, Pass::Latency, Pass::Throughput] {
                let go = Go::soon(pass, 2, 10_000_000);
                crew.release(&go).unwrap();
                crew.join().unwrap();
                let reports = crew.collect().unwrap();
                assert_eq!(reports.len(), workers as usize);
                let end_ns = *go.ends_ns().last().unwrap();
                assert!(reports.iter().any(|r| r.total.ended_ns >= end_ns), "one has crossed it");
                for r in &reports {
                    assert_eq!(r.total.ops, reports[0].total.ops, "a round is a round of all");
                    assert_eq!(r.total.check, reports[0].total.check);
                    // A busy machine may keep one away so long that the others never see the tail.
                    let last = r.intervals.last().unwrap();
                    let end = last.tail.then_some(r.total.ended_ns);
                    assert_eq!(last.last_ns, end, "{last:?}");
                }
            }
        }
    }

    #[test]
    fn who_waits_for_a_worker_that_is_gone_is_let_go() {
        let serial = Serial::new(&cell(2, 500)).unwrap();
        let mut op = serial.op(0).unwrap();
        let waiting = std::thread::spawn(move || op.run(0));
        std::thread::sleep(std::time::Duration::from_millis(5));
        serial.abandon();
        assert!(matches!(waiting.join().unwrap(), Err(Stop::Failed(_))));
    }
}
