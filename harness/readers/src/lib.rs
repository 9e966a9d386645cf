//! What other benchmark tools left behind: their files read into plain values, each with what it can't show.
//!
//! The format is found by what a file holds, never by its name. Nothing is judged here, and nothing is made up: a value is what the tool
//! wrote, in the tool's unit; what it did not write is absent.

mod criterion;
mod error;
mod go;
mod json;

use std::path::Path;

pub use criterion::{Bench, SUPPORTED, benches, supported, version_in};
pub use error::ReadError;

/// Which direction of a figure is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Rates.
    Higher,
    /// Times.
    Lower,
}

/// All of a file or a directory.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Criterion, hyperfine, pyperf, JMH, Google Benchmark, Go.
    pub tool: &'static str,
    /// Where the file says so.
    pub version: Option<String>,
    /// At least one.
    pub series: Vec<Series>,
}

/// One figure of one benchmark.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The benchmark, as its tool calls it.
    pub name: String,
    /// Which figure, e.g. `time`, `allocs/op`.
    pub metric: String,
    /// Of the values.
    pub unit: String,
    /// Which direction is good.
    pub better: Better,
    /// In the order of the file: one a process where there are several, else one a sample.
    pub values: Vec<f64>,
    /// Processes that the values come from. What is the same in all of a process (layout, the pages it drew) does not show within one.
    pub processes: usize,
}

impl Series {
    /// Why a verdict on these values can be a suspicion at most; `None` if each value is of a process of its own.
    pub fn weakness(&self) -> Option<String> {
        (self.processes < self.values.len()).then(|| {
            let s = if self.processes == 1 { "one process" } else { "few processes" };
            format!("{} values of {s}: what differs from process to process (layout, pages) is not in them, so a difference is a suspicion", self.values.len())
        })
    }
}

/// Reads a file of hyperfine, pyperf, JMH, Google Benchmark or Go, or a directory of Criterion.
pub fn read(path: &Path) -> Result<Recorded, ReadError> {
    let recorded = if path.is_dir() {
        criterion::directory(path)?
    } else {
        let bytes = std::fs::read(path)
            .map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
        let text = std::str::from_utf8(&bytes).map_err(|_| ReadError::unknown(path))?;
        match text.trim_start().chars().next() {
            None => return Err(ReadError::Empty { path: path.to_owned() }),
            Some('{' | '[') => json::file(path, text)?,
            Some(_) => go::file(path, text)?,
        }
    };
    if recorded.series.is_empty() {
        return Err(ReadError::Empty { path: path.to_owned() });
    }
    Ok(recorded)
}
