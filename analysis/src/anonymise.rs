//! A run without the names and paths of the machine it was made on, once, before anything else sees it.
//!
//! Whatever text is not known to be harmless is cleaned, in every field, also in one that a later version
//! adds; `record` has the exceptions. Figures, times, hashes and verdicts stay. The same rule is applied to a run
//! in memory and to its files, so a report of either has the same bytes.

mod paths;
mod record;
mod words;

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use amdahl_schema::{HEADER_FILE, RunHeader, RunKind, TRACE_FILE, TRIALS_FILE, Trace, Trial};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use thiserror::Error;

use record::Cleaner;
use words::Words;

/// Why a run can't be made anonymous.
#[derive(Debug, Error)]
pub enum AnonymiseError {
    /// The system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A record does not survive it; a defect of this program.
    #[error("{at}: without names it is no record any more: {source}; please report this")]
    Record {
        /// Which record.
        at: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// What is taken out of one run.
#[derive(Debug)]
pub struct Anonymiser {
    cleaner: Cleaner,
    /// The run is anonymous already, so nothing is changed: what it says does not depend on who reads it.
    done: bool,
}

impl Anonymiser {
    /// Learns the names that a run holds: its host, and the users whose homes occur anywhere in it. `users` are
    /// further ones, whoever makes the report; they may stand in a text without their home.
    pub fn of<'a>(
        header: &RunHeader,
        trials: impl IntoIterator<Item = &'a Trial>,
        users: &[String],
    ) -> Result<Self, AnonymiseError> {
        let mut words = Words::new(&header.host.name, users);
        let mut paths = Vec::new();
        record::each_text(&value(header, HEADER_FILE)?, &mut |text| words.learn(text));
        for trial in trials {
            let trial = value(trial, TRIALS_FILE)?;
            record::each_text(&trial, &mut |text| words.learn(text));
        }
        paths.extend(header.runtimes.iter().map(|r| r.path.clone()));
        Ok(Self { cleaner: Cleaner::new(words, paths), done: header.anonymous })
    }

    /// The header without names, marked so.
    pub fn header(&self, header: &mut RunHeader) -> Result<(), AnonymiseError> {
        self.record(header, HEADER_FILE)?;
        header.anonymous = true;
        Ok(())
    }

    /// A trial without names.
    pub fn trial(&self, trial: &mut Trial) -> Result<(), AnonymiseError> {
        self.record(trial, TRIALS_FILE)
    }

    /// A trace without names.
    pub fn trace(&self, trace: &mut Trace) -> Result<(), AnonymiseError> {
        self.record(trace, TRACE_FILE)
    }

    /// The trace of a run, into another file.
    fn trace_file(&self, from: &Path, to: &Path) -> Result<(), AnonymiseError> {
        let io = |source| AnonymiseError::Io { path: from.to_owned(), source };
        let text = fs::read(from).map_err(io)?;
        let mut trace: Trace = serde_json::from_slice(&text)
            .map_err(|source| AnonymiseError::Record { at: from.display().to_string(), source })?;
        self.trace(&mut trace)?;
        let json = value(&trace, TRACE_FILE)?;
        fs::write(to, format!("{json:#}\n"))
            .map_err(|source| AnonymiseError::Io { path: to.to_owned(), source })
    }

    /// A pattern of models or workloads, as the ids it is to match have become.
    pub fn pattern(&self, pattern: &str) -> String {
        if self.done { pattern.to_owned() } else { self.cleaner.id(pattern) }
    }

    /// The trials of a run, line by line into another file; a torn last line stays a torn line, its contents gone.
    pub fn trials_file(&self, from: &Path, to: &Path) -> Result<(), AnonymiseError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| AnonymiseError::Io { path, source }
        };
        let mut out = BufWriter::new(File::create(to).map_err(io(to))?);
        let file = match File::open(from) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return out.flush().map_err(io(to)),
            Err(e) => return Err(io(from)(e)),
        };
        let mut lines = BufReader::new(file);
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            if lines.read_until(b'\n', &mut line).map_err(io(from))? == 0 {
                break;
            }
            let text = match line.strip_suffix(b"\n") {
                None => b"{".to_vec(),
                Some([]) => b"\n".to_vec(),
                Some(whole) => self.line(whole, &format!("{}:{number}", from.display()))?,
            };
            out.write_all(&text).map_err(io(to))?;
        }
        out.flush().map_err(io(to))
    }

    fn line(&self, line: &[u8], at: &str) -> Result<Vec<u8>, AnonymiseError> {
        let wrong = |source| AnonymiseError::Record { at: at.to_owned(), source };
        let mut trial: Trial = serde_json::from_slice(line).map_err(wrong)?;
        self.record(&mut trial, at)?;
        let mut text = serde_json::to_vec(&trial).map_err(wrong)?;
        text.push(b'\n');
        Ok(text)
    }

    fn record<T: Serialize + DeserializeOwned>(
        &self,
        record: &mut T,
        at: &str,
    ) -> Result<(), AnonymiseError> {
        if self.done {
            return Ok(());
        }
        let mut json = value(record, at)?;
        self.cleaner.clean(&mut json);
        let wrong = |source| AnonymiseError::Record { at: at.to_owned(), source };
        *record = serde_json::from_value(json).map_err(wrong)?;
        Ok(())
    }
}

/// Writes the files of a run without names.
pub fn write(
    anonymiser: &Anonymiser,
    header: &RunHeader,
    from: &Path,
    to: &Path,
) -> Result<(), AnonymiseError> {
    let mut header = header.clone();
    anonymiser.header(&mut header)?;
    let path = to.join(HEADER_FILE);
    let json = value(&header, HEADER_FILE)?;
    fs::create_dir_all(to)
        .and_then(|()| fs::write(&path, format!("{json:#}\n")))
        .map_err(|source| AnonymiseError::Io { path, source })?;
    if header.kind == RunKind::Trace {
        anonymiser.trace_file(&from.join(TRACE_FILE), &to.join(TRACE_FILE))?;
    }
    anonymiser.trials_file(&from.join(TRIALS_FILE), &to.join(TRIALS_FILE))
}

fn value(record: &impl Serialize, at: &str) -> Result<Value, AnonymiseError> {
    serde_json::to_value(record)
        .map_err(|source| AnonymiseError::Record { at: at.to_owned(), source })
}
