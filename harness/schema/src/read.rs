//! Reading a run directory back: every error names file and line.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::header::RunHeader;
use crate::trace::Trace;
use crate::trial::{Status, Trial};
use crate::{HEADER_FILE, RunKind, SCHEMA_VERSION, TRACE_FILE, TRIALS_FILE};

/// A run as it lies on disk.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its directory.
    pub dir: PathBuf,
    /// The header.
    pub header: RunHeader,
    /// Trials in the order they were written, each with its line number from 1. A `not_run` record
    /// whose trial was run later (`--resume`) is left out.
    pub trials: Vec<(usize, Trial)>,
    /// Line number of a torn last line (the writer was killed in it); its trial is not there.
    pub torn_line: Option<usize>,
    /// What `amdahl trace` saw; only a run of that kind has it.
    pub trace: Option<Trace>,
}

/// Why a run can't be read.
#[derive(Debug)]
pub enum ReadError {
    /// The file can't be read at all.
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Not what the contract says.
    Corrupt {
        /// Which file.
        path: PathBuf,
        /// Line from 1.
        line: usize,
        /// What is wrong there.
        what: String,
    },
    /// Written by a newer program.
    NewerSchema {
        /// Which file.
        path: PathBuf,
        /// Line from 1.
        line: usize,
        /// Its version.
        found: u64,
    },
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, source } => write!(
                f,
                "{}: {source}; a run is a directory with {HEADER_FILE} and {TRIALS_FILE} as `amdahl run` writes it, or {TRACE_FILE} as `amdahl trace` does",
                path.display()
            ),
            Self::Corrupt { path, line, what } => write!(
                f,
                "{}:{line}: {what}; the file was changed after it was written: restore it, or delete this line to go on without its trial",
                path.display()
            ),
            Self::NewerSchema { path, line, found } => write!(
                f,
                "{}:{line}: schema {found} is newer than {SCHEMA_VERSION}, the newest this program reads; install the amdahl that wrote it",
                path.display()
            ),
        }
    }
}

/// What the system said stands in the message, so it is no source: whoever prints the chain would say it twice.
impl std::error::Error for ReadError {}

/// Reads `run.json` and `trials.jsonl` of a run directory, and `trace.json` where the run is of a trace.
///
/// A last line without its newline is a torn write: it is reported in [`Run::torn_line`], not an error,
/// even if it happens to parse, since the program that goes on with the run cuts it off. A missing `trials.jsonl` is a run that had no trial yet.
pub fn read_run(dir: &Path) -> Result<Run, ReadError> {
    let header: RunHeader = read_json(&dir.join(HEADER_FILE))?;
    let trace = match header.kind {
        RunKind::Models => None,
        RunKind::Trace => Some(read_json(&dir.join(TRACE_FILE))?),
    };
    let path = dir.join(TRIALS_FILE);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(source) => return Err(ReadError::Io { path, source }),
    };
    let (trials, torn_line) = parse_trials(&path, &bytes)?;
    Ok(Run { dir: dir.to_owned(), header, trials: supersede(trials), torn_line, trace })
}

/// A file that is one object with its version in it.
fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, ReadError> {
    let text = fs::read_to_string(path)
        .map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
    let corrupt = |e: &serde_json::Error| ReadError::Corrupt {
        path: path.to_owned(),
        line: e.line(),
        what: e.to_string(),
    };
    let value: serde_json::Value = serde_json::from_str(&text).map_err(|e| corrupt(&e))?;
    if let Some(found) = value.get("schema").and_then(serde_json::Value::as_u64)
        && found > u64::from(SCHEMA_VERSION)
    {
        let line = text.lines().position(|l| l.contains("\"schema\"")).map_or(1, |n| n + 1);
        return Err(ReadError::NewerSchema { path: path.to_owned(), line, found });
    }
    serde_json::from_str(&text).map_err(|e| corrupt(&e))
}

type Parsed = (Vec<(usize, Trial)>, Option<usize>);

fn parse_trials(path: &Path, bytes: &[u8]) -> Result<Parsed, ReadError> {
    let mut trials = Vec::new();
    let ends_whole = bytes.last().is_none_or(|b| *b == b'\n');
    let lines: Vec<&[u8]> = bytes.split(|b| *b == b'\n').collect();
    for (n, line) in lines.iter().enumerate() {
        if line.is_empty() {
            continue;
        }
        if n + 1 == lines.len() && !ends_whole {
            return Ok((trials, Some(n + 1)));
        }
        let corrupt = |what| ReadError::Corrupt { path: path.to_owned(), line: n + 1, what };
        let trial = serde_json::from_slice::<Trial>(line)
            .map_err(|e| corrupt(format!("not a trial: {e}")))?;
        if let Some(Err(what)) = trial.owners.as_ref().map(|o| o.check(trial.workers)) {
            return Err(corrupt(format!("owners: {what}")));
        }
        trials.push((n + 1, trial));
    }
    Ok((trials, None))
}

/// Drops `not_run` records whose trial has another record.
fn supersede(trials: Vec<(usize, Trial)>) -> Vec<(usize, Trial)> {
    let run: std::collections::HashSet<u64> = trials
        .iter()
        .filter(|(_, t)| t.outcome.status != Status::NotRun)
        .map(|(_, t)| t.seq)
        .collect();
    let mut seen_not_run = std::collections::HashSet::new();
    trials
        .into_iter()
        .filter(|(_, t)| {
            t.outcome.status != Status::NotRun
                || (!run.contains(&t.seq) && seen_not_run.insert(t.seq))
        })
        .collect()
}
