//! `cpu`: MINSTD steps, exact in every language, serial by nature.
//!
//! S. K. Park, K. W. Miller, "Random number generators: good ones are hard to find", CACM 31 (1988);
//! multiplier 48271 from their reply in CACM 36 (1993). Products stay below 2^47.

use std::hint::black_box;

use crate::cell::Cell;
use crate::error::Error;
use crate::report::CHECK_MODULUS;
use crate::stop::Stop;
use crate::workload::{Op, Workload};

/// About 70 us an operation at 3.5 ns a step. A constant, not calibrated: all trials of a run, the
/// one-worker processes of a ceiling included, must do the same work.
const STEPS: u64 = 20_000;

const MULTIPLIER: u64 = 48_271;

#[derive(Debug)]
pub(crate) struct Cpu {
    steps: u64,
}

impl Cpu {
    pub(crate) fn new(cell: &Cell) -> Result<Self, Error> {
        Ok(Self { steps: cell.int_at_least("steps", 0)?.unwrap_or(STEPS) })
    }
}

impl Workload for Cpu {
    type Op = Minstd;

    fn op(&self, _: u32) -> Result<Minstd, Error> {
        Ok(Minstd { steps: self.steps })
    }

    fn chosen(&self) -> Vec<(&'static str, u64)> {
        vec![("steps", self.steps)]
    }
}

#[derive(Debug)]
pub(crate) struct Minstd {
    steps: u64,
}

impl Op for Minstd {
    #[inline]
    fn run(&mut self, i: u64) -> Result<u32, Stop> {
        // Opaque at both ends: neither is the seed known nor the result unused, so the chain of
        // dependent steps between them must be walked.
        let x = black_box(1 + i % 64);
        Ok(black_box(minstd(x, self.steps)) as u32)
    }
}

/// So many steps from `x`.
#[inline]
pub(super) fn minstd(mut x: u64, steps: u64) -> u64 {
    for _ in 0..steps {
        x = x * MULTIPLIER % CHECK_MODULUS;
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_thousand_steps_from_one_give_the_published_value() {
        // Park, Miller, Stockmeyer 1993: x(10001) from x(1) = 1 is 399268537.
        let mut op = Minstd { steps: 10_000 };
        assert_eq!(op.run(0).unwrap(), 399_268_537);
    }

    #[test]
    fn the_seed_repeats_after_64_operations() {
        let mut op = Minstd { steps: 0 };
        let seeds: Vec<u32> = [0, 1, 63, 64, 130].map(|i| op.run(i).unwrap()).to_vec();
        assert_eq!(seeds, [1, 2, 64, 1, 3]);
    }
}
