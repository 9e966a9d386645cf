//! A run directory: the header once, then one line a trial, on disk before the next begins.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use amdahl_schema::{HEADER_FILE, RunHeader, TRACE_FILE, TRIALS_FILE, Trace, Trial};

/// Why nothing can be recorded.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}; {}", .path.display(), remedy(.source))]
pub struct RecordError {
    /// File or directory.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

fn remedy(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space; trials that had ended are on disk, go on with --resume"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "choose a directory you can write with --out"
        }
        _ => "trials that had ended are on disk",
    }
}

/// Appends trials to a run.
#[derive(Debug)]
pub struct Recorder {
    dir: PathBuf,
    trials: File,
    /// Length of the file up to the last whole line.
    whole: u64,
}

impl Recorder {
    /// Makes the directory and writes the header, first to a temporary name: a directory with a
    /// header is a run.
    pub fn create(dir: &Path, header: &RunHeader) -> Result<Self, RecordError> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| RecordError { path, source }
        };
        std::fs::create_dir_all(dir).map_err(at(dir))?;
        write_whole(&dir.join(HEADER_FILE), header)?;
        Self::open(dir)
    }

    /// Goes on with a run; a torn last line is cut off first.
    pub fn open(dir: &Path) -> Result<Self, RecordError> {
        let path = dir.join(TRIALS_FILE);
        let at = |source| RecordError { path: path.clone(), source };
        let mut options = OpenOptions::new();
        options.create(true).read(true).write(true).truncate(false);
        let mut trials = options.open(&path).map_err(at)?;
        let mut bytes = Vec::new();
        trials.read_to_end(&mut bytes).map_err(at)?;
        let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1) as u64;
        trials.set_len(whole).map_err(at)?;
        trials.seek(SeekFrom::Start(whole)).map_err(at)?;
        Ok(Self { dir: dir.to_owned(), trials, whole })
    }

    /// Where the run lies.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Appends one trial and hands it to the kernel: it survives the death of this process. On an
    /// error (disk full) what was half-written is cut off again, so that the run stays whole.
    pub fn append(&mut self, trial: &Trial) -> Result<(), RecordError> {
        let mut line = serde_json::to_vec(trial).expect("a trial has string keys only");
        line.push(b'\n');
        match self.trials.write_all(&line).and_then(|()| self.trials.flush()) {
            Ok(()) => {
                self.whole += line.len() as u64;
                Ok(())
            }
            Err(source) => {
                let _ = self.trials.set_len(self.whole);
                let _ = self.trials.seek(SeekFrom::Start(self.whole));
                Err(RecordError { path: self.dir.join(TRIALS_FILE), source })
            }
        }
    }

    /// Writes what a trace saw, whole or not at all.
    pub fn trace(&self, trace: &Trace) -> Result<(), RecordError> {
        write_whole(&self.dir.join(TRACE_FILE), trace)
    }

    /// Forces everything to the disk, at the end of a run.
    pub fn sync(&self) -> Result<(), RecordError> {
        let path = self.dir.join(TRIALS_FILE);
        self.trials.sync_all().map_err(|source| RecordError { path, source })
    }
}

/// JSON under another name first, and on the disk before it has its own.
fn write_whole(path: &Path, what: &impl serde::Serialize) -> Result<(), RecordError> {
    let at = |source| RecordError { path: path.to_owned(), source };
    let text = serde_json::to_string_pretty(what).expect("the contract has string keys only");
    let dir = path.parent().expect("a file of a run lies in its directory");
    let mut file = tempfile::NamedTempFile::new_in(dir).map_err(at)?;
    file.write_all(text.as_bytes()).map_err(at)?;
    file.write_all(b"\n").map_err(at)?;
    file.as_file().sync_all().map_err(at)?;
    let file = file.persist(path).map_err(|e| at(e.error))?;
    // Made by mktemp for us alone; a run is as readable as any file of the user's.
    rustix::fs::fchmod(&file, rustix::fs::Mode::from_raw_mode(0o644)).map_err(|e| at(e.into()))
}
