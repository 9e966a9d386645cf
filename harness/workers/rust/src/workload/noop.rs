//! `noop`: nothing, so that the harness's own cost shows.

use std::hint::black_box;

use crate::cell::Cell;
use crate::error::Error;
use crate::stop::Stop;
use crate::workload::{Op, Workload};

/// Operations a clock reading: one reading of 20-50 ns then costs below .05 ns an operation.
const BATCH: u64 = 1024;

#[derive(Debug)]
pub(crate) struct Noop {
    batch: u64,
}

impl Noop {
    pub(crate) fn new(cell: &Cell) -> Result<Self, Error> {
        Ok(Self { batch: cell.int_at_least("batch", 1)?.unwrap_or(BATCH) })
    }
}

impl Workload for Noop {
    type Op = Nothing;

    fn op(&self, _: u32) -> Result<Nothing, Error> {
        Ok(Nothing)
    }

    fn batch(&self) -> u64 {
        self.batch
    }

    fn chosen(&self) -> Vec<(&'static str, u64)> {
        vec![("batch", self.batch)]
    }
}

/// Nothing, but as often as it is asked for: its opaque result keeps the loop from being folded.
///
/// Compiled into the probe's loop (x86-64, rustc 1.95) its body is instruction for instruction that of
/// the bare loop `check += black_box(1)` in the bench `overhead`:
///
/// ```text
/// movl   $0x1,0x8(%rsp)       # the opaque 1 goes out ...
/// mov    0x8(%rsp),%ecx       # ... and comes back
/// add    %rcx,%r12            # check
/// dec    %rax                 # operations left in the batch
/// jne
/// ```
#[derive(Debug)]
pub(crate) struct Nothing;

impl Op for Nothing {
    #[inline]
    fn run(&mut self, _: u64) -> Result<u32, Stop> {
        Ok(black_box(1))
    }
}
