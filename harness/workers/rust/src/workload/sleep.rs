//! `sleep`: the simplest I/O, waiting that needs no CPU.

use std::time::Duration;

use rustix::thread::{NanosleepRelativeResult, nanosleep};
use rustix::time::Timespec;

use crate::cell::Cell;
use crate::error::Error;
use crate::stop::Stop;
use crate::workload::awaiting::TokioSleep;
use crate::workload::{Op, TaskOp, Workload};

const SLEEP_NS: u64 = 1_000_000;

#[derive(Debug)]
pub(crate) struct Sleep {
    sleep_ns: u64,
}

impl Sleep {
    pub(crate) fn new(cell: &Cell) -> Result<Self, Error> {
        Ok(Self { sleep_ns: cell.int_at_least("sleep_ns", 0)?.unwrap_or(SLEEP_NS) })
    }
}

impl Workload for Sleep {
    type Op = Nap;

    fn op(&self, _: u32) -> Result<Nap, Error> {
        let (seconds, nanoseconds) = (self.sleep_ns / 1_000_000_000, self.sleep_ns % 1_000_000_000);
        Ok(Nap { time: Timespec { tv_sec: seconds as i64, tv_nsec: nanoseconds as _ } })
    }

    fn awaiting_op(&self, _: u32) -> Result<Option<Box<dyn TaskOp>>, Error> {
        Ok(Some(Box::new(TokioSleep::new(Duration::from_nanos(self.sleep_ns)))))
    }

    fn chosen(&self) -> Vec<(&'static str, u64)> {
        vec![("sleep_ns", self.sleep_ns)]
    }
}

#[derive(Debug)]
pub(crate) struct Nap {
    time: Timespec,
}

impl Op for Nap {
    fn run(&mut self, _: u64) -> Result<u32, Stop> {
        let mut rest = self.time;
        loop {
            match nanosleep(&rest) {
                NanosleepRelativeResult::Ok => return Ok(1),
                NanosleepRelativeResult::Interrupted(left) => rest = left,
                NanosleepRelativeResult::Err(errno) => return Err(errno.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_sleeps_at_least_that_long() {
        let mut nap = Nap { time: Timespec { tv_sec: 0, tv_nsec: 2_000_000 } };
        let begin = crate::clock::now_ns();
        assert_eq!(nap.run(0).unwrap(), 1);
        assert!(crate::clock::now_ns() - begin >= 2_000_000);
    }
}
