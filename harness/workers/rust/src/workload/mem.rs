//! `mem`: work that waits for memory, so that bandwidth, latency, NUMA and SMT show.
//!
//! Every worker has a table of its own, made and touched on the thread that will use it. Pages are the
//! system's: where transparent huge pages are on, the table has them.

use std::hint::black_box;

use crate::cell::Cell;
use crate::error::Error;
use crate::report::CHECK_MODULUS;
use crate::stop::Stop;
use crate::workload::{Op, Workload};

/// Beyond the last level of most caches.
const BYTES: u64 = 128 << 20;

/// Dependent loads an operation: about 100 us at 100 ns a load.
const STEPS: u64 = 1024;

/// Bytes an operation of the stream: about 100 us at 10 GB/s.
const CHUNK: u64 = 1 << 20;

const LINE: u64 = 64;
const ELEMENT: u64 = 8;

/// Largest chase: its elements are 32-bit line numbers. Largest stream: any sum fits 64 bits.
const LINES_MAX: u64 = 1 << 31;
const ELEMENTS_MAX: u64 = 1 << 32;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Mem {
    /// Follow a chain that visits every line once, each load waiting for the one before.
    Chase { bytes: u64, steps: u64 },
    /// Add up elements in order.
    Stream { bytes: u64, chunk: u64 },
}

impl Mem {
    pub(crate) fn new(cell: &Cell) -> Result<Self, Error> {
        let kind = cell.text("kind").ok_or_else(|| Error::MissingKey {
            verb: "prepare workload=mem".to_owned(),
            key: "kind".to_owned(),
        })?;
        let bytes = cell.int_at_least("bytes", 1)?.unwrap_or(BYTES);
        let bad = |key: &str, value: &dyn ToString, expected: &'static str| {
            let (key, value) = (key.to_owned(), value.to_string());
            Err(Error::BadValue { key, value, expected: expected.into() })
        };
        match kind {
            "chase" if !(LINE..=LINE * LINES_MAX).contains(&bytes) => {
                bad("bytes", &bytes, "between 64 and 2^37 for kind=chase")
            }
            "chase" => {
                Ok(Self::Chase { bytes, steps: cell.int_at_least("steps", 0)?.unwrap_or(STEPS) })
            }
            "stream" => {
                let chunk = cell.int_at_least("chunk", ELEMENT)?.unwrap_or(CHUNK);
                if !chunk.is_multiple_of(ELEMENT) {
                    return bad("chunk", &chunk, "a multiple of 8");
                }
                if !bytes.is_multiple_of(chunk) || bytes > ELEMENT * ELEMENTS_MAX {
                    return bad("bytes", &bytes, "a multiple of chunk= and at most 2^35");
                }
                Ok(Self::Stream { bytes, chunk })
            }
            _ => bad("kind", &kind, "chase or stream"),
        }
    }
}

impl Workload for Mem {
    type Op = Walk;

    fn op(&self, w: u32) -> Result<Walk, Error> {
        match *self {
            Self::Chase { bytes, steps } => {
                let lines = 1 << (bytes / LINE).ilog2();
                let table = table(w, lines, |k| Line { next: next(k, lines) })?;
                Ok(Walk::Chase { table, steps, k: 0 })
            }
            Self::Stream { bytes, chunk } => {
                let table = table(w, bytes / ELEMENT, |j| j)?;
                let (chunk, chunks) = ((chunk / ELEMENT) as usize, bytes / chunk);
                Ok(Walk::Stream { table, chunk, chunks })
            }
        }
    }

    fn chosen(&self) -> Vec<(&'static str, u64)> {
        match *self {
            Self::Chase { bytes, steps } => vec![("bytes", bytes), ("steps", steps)],
            Self::Stream { bytes, chunk } => vec![("bytes", bytes), ("chunk", chunk)],
        }
    }
}

/// Full period in every power of two: the addend is odd, the multiplier 1 modulo 4 (T. E. Hull,
/// A. R. Dobell, "Random number generators", SIAM Review 4, 1962).
fn next(k: u64, lines: u64) -> u32 {
    ((1_103_515_245 * k + 12_345) % lines) as u32
}

/// A table of `n` elements, written once.
fn table<T>(w: u32, n: u64, element: impl Fn(u64) -> T) -> Result<Vec<T>, Error> {
    let bytes = n * size_of::<T>() as u64;
    let mut table = Vec::new();
    table.try_reserve_exact(n as usize).map_err(|_| Error::Memory { w, bytes })?;
    table.extend((0..n).map(element));
    // What is in it is known to nobody but the memory.
    Ok(black_box(table))
}

/// One element at the begin of a cache line.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Line {
    next: u32,
}

#[derive(Debug)]
pub(crate) enum Walk {
    Chase { table: Vec<Line>, steps: u64, k: u32 },
    Stream { table: Vec<u64>, chunk: usize, chunks: u64 },
}

impl Op for Walk {
    fn run(&mut self, i: u64) -> Result<u32, Stop> {
        match self {
            Self::Chase { table, steps, k } => {
                let from = if i == 0 { 0 } else { *k };
                *k = chase(table, from, *steps);
                Ok(*k)
            }
            Self::Stream { table, chunk, chunks } => {
                let first = (i % *chunks) as usize * *chunk;
                Ok((stream(&table[first..first + *chunk]) % CHECK_MODULUS) as u32)
            }
        }
    }
}

#[inline(never)]
fn chase(table: &[Line], k: u32, steps: u64) -> u32 {
    let mut k = black_box(k);
    for _ in 0..steps {
        k = table[k as usize].next;
    }
    black_box(k)
}

#[inline(never)]
fn stream(chunk: &[u64]) -> u64 {
    black_box(chunk.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op(cell: Cell) -> Walk {
        Mem::new(&cell).unwrap().op(0).unwrap()
    }

    fn mem(kind: &str) -> Cell {
        Cell::new("mem", "threads", 1).with("kind", kind)
    }

    #[test]
    fn the_chase_visits_every_line_once_and_begins_anew_at_each_release() {
        // 100 lines are rounded down to 64.
        let mut op = op(mem("chase").with("bytes", 6400).with("steps", 1));
        let mut k = 0;
        let visited: Vec<u32> = (0..64).map(|i| op.run(i).unwrap()).collect();
        for v in &visited {
            k = (1_103_515_245u64 * k + 12_345) % 64;
            assert_eq!(u64::from(*v), k);
        }
        let distinct: std::collections::BTreeSet<_> = visited.iter().collect();
        assert_eq!((distinct.len(), k), (64, 0));
        assert_eq!([op.run(64).unwrap(), op.run(65).unwrap()], visited[..2]);
        assert_eq!(op.run(0).unwrap(), visited[0], "another release");
    }

    #[test]
    fn an_operation_is_so_many_steps() {
        let mut single = op(mem("chase").with("bytes", 1 << 20).with("steps", 1));
        let mut op = op(mem("chase").with("bytes", 1 << 20).with("steps", 5));
        let each: Vec<u32> = (0..10).map(|i| single.run(i).unwrap()).collect();
        assert_eq!([op.run(0).unwrap(), op.run(1).unwrap()], [each[4], each[9]]);
    }

    #[test]
    fn the_stream_goes_round() {
        let mut op = op(mem("stream").with("bytes", 96).with("chunk", 32));
        let sums: Vec<u32> = (0..4).map(|i| op.run(i).unwrap()).collect();
        assert_eq!(sums, [6, 22, 38, 6]);
    }

    #[test]
    fn large_sums_are_exact() {
        let mut op = op(mem("stream").with("bytes", 1 << 22).with("chunk", 1 << 20));
        let n = (1u64 << 20) / 8;
        for c in 0..4 {
            let sum = (c * n..(c + 1) * n).sum::<u64>() % CHECK_MODULUS;
            assert_eq!(u64::from(op.run(c).unwrap()), sum);
        }
    }

    #[test]
    fn lines_lie_on_lines() {
        let Walk::Chase { table, .. } = op(mem("chase").with("bytes", 640)) else { panic!() };
        assert_eq!((table.as_ptr() as usize % 64, size_of::<Line>()), (0, 64));
    }

    #[test]
    fn nonsense_is_refused() {
        let cells = [
            Cell::new("mem", "threads", 1),
            mem("hop"),
            mem("chase").with("bytes", 63),
            mem("chase").with("bytes", 1u64 << 60),
            mem("stream").with("chunk", 12),
            mem("stream").with("chunk", 0),
            mem("stream").with("bytes", 1000),
            mem("stream").with("bytes", 1u64 << 60),
        ];
        for cell in cells {
            assert_eq!(Mem::new(&cell).unwrap_err().kind().name(), "unsupported", "{cell:?}");
        }
        // More than an address space holds, so that it is refused whatever the machine has.
        assert_eq!(table(3, 1 << 58, |k| k).unwrap_err().kind().name(), "oom");
    }
}
