//! Runs kept as Parquet, one file a run below `host=…/year=…/month=…/`, and read back as points of a history. polars stops in `parquet`.
//!
//! A run's name names its file, so archiving it again replaces the file by the same bytes.

mod parquet;

use std::fs;
use std::path::{Path, PathBuf};

use amdahl_schema::Run;
use thiserror::Error;

use crate::history::{RunPoint, host_label};

/// Why a run can't be archived, or an archive not be read.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// The system refused.
    #[error("{}: {source}; nothing half-written is left", path.display())]
    Io {
        /// Which path.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A run that says no month.
    #[error("{}: started_utc is `{found}`; expected a time like 2026-01-02T03:04:05Z", path.display())]
    Time {
        /// The run.
        path: PathBuf,
        /// What it says.
        found: String,
    },
    /// The name of the archive is a pattern.
    #[error("{}: * ? [ in the name of an archive are read as a pattern; give it a name without them", path.display())]
    Pattern {
        /// The archive.
        path: PathBuf,
    },
    /// polars could not read or write Parquet.
    #[error(
        "{}: {what}; if a file of the archive was cut off or changed, remove it and archive its run again",
        path.display()
    )]
    Parquet {
        /// The file or the archive.
        path: PathBuf,
        /// What polars said.
        what: String,
    },
}

/// What became of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archived {
    /// Its file.
    pub path: PathBuf,
    /// Its trials.
    pub trials: usize,
    /// Whether the very same bytes were there already.
    pub unchanged: bool,
}

/// Puts a run into an archive: its file is there whole or as it was.
pub fn archive(run: &Run, into: &Path) -> Result<Archived, ArchiveError> {
    let path = into.join(place_of(run)?);
    let bytes = parquet::bytes(run).map_err(|e| failed(&run.dir, e))?;
    let trials = run.trials.len();
    if fs::read(&path).is_ok_and(|there| there == bytes) {
        return Ok(Archived { path, trials, unchanged: true });
    }
    let dir = path.parent().unwrap_or(into);
    fs::create_dir_all(dir).map_err(|e| io_error(dir, e))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stage = path.with_file_name(format!(".{name}.new-{}", std::process::id()));
    let written = fs::write(&stage, &bytes).and_then(|()| fs::rename(&stage, &path));
    if let Err(e) = written {
        let _ = fs::remove_file(&stage); // Best effort: the error that is returned says more.
        return Err(io_error(&path, e));
    }
    Ok(Archived { path, trials, unchanged: false })
}

/// Whether a directory has the form of an archive.
pub fn is_archive(dir: &Path) -> bool {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|e| e.file_name()).any(|n| n.to_string_lossy().starts_with("host="))
}

/// The points of all runs of an archive, aggregated by polars' streaming engine.
pub fn read(dir: &Path) -> Result<Vec<RunPoint>, ArchiveError> {
    let real = dir.canonicalize().map_err(|e| io_error(dir, e))?;
    let text = real.to_string_lossy();
    if text.contains(['*', '?', '[']) {
        return Err(ArchiveError::Pattern { path: dir.to_owned() });
    }
    parquet::points(&format!("{text}/host=*/year=*/month=*/*.parquet")).map_err(|e| failed(dir, e))
}

/// `host=vm-0123abcd/year=2026/month=01/20260102T030405Z-c60827fa.parquet`.
fn place_of(run: &Run) -> Result<PathBuf, ArchiveError> {
    let started = &run.header.started_utc;
    let digits =
        |range| started.get(range).filter(|t: &&str| t.bytes().all(|b| b.is_ascii_digit()));
    let (Some(year), Some("-"), Some(month)) = (digits(0..4), started.get(4..5), digits(5..7))
    else {
        return Err(ArchiveError::Time { path: run.dir.clone(), found: started.clone() });
    };
    let host = host_label(&run.header.host);
    let file = format!("{}.parquet", run.header.neutral_name());
    Ok([format!("host={host}"), format!("year={year}"), format!("month={month}"), file]
        .iter()
        .collect())
}

fn failed(path: &Path, e: impl std::fmt::Display) -> ArchiveError {
    ArchiveError::Parquet { path: path.to_owned(), what: e.to_string() }
}

fn io_error(path: &Path, source: std::io::Error) -> ArchiveError {
    ArchiveError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::points_of;
    use crate::synth::{self, Model, Spec};

    fn run(seed: u64) -> Run {
        let models =
            vec![Model::parallel("rust/threads"), Model::one_at_a_time("python3.13/threads")];
        let (mut header, trials) = synth::run(&Spec { seed, models, ..Spec::default() });
        header.id = format!("{seed:08x}");
        let trials = trials.into_iter().enumerate().map(|(i, t)| (i + 1, t)).collect();
        Run { dir: "r".into(), header, trials, torn_line: None, trace: None }
    }

    /// What an archive says of runs is what the runs themselves say.
    #[test]
    fn an_archive_gives_back_the_points_of_its_runs() {
        let dir = tempfile::tempdir().unwrap();
        let runs = [run(1), run(2)];
        for r in &runs {
            let first = archive(r, dir.path()).unwrap();
            let again = archive(r, dir.path()).unwrap();
            assert_eq!((first.unchanged, again.unchanged, first.path), (false, true, again.path));
        }
        let mut expected: Vec<RunPoint> = runs.iter().flat_map(points_of).collect();
        let mut found = read(dir.path()).unwrap();
        let key = |p: &RunPoint| (p.run.clone(), p.cell.clone());
        expected.sort_by_key(key);
        found.sort_by_key(key);
        assert_eq!(found, expected);
        assert!(is_archive(dir.path()) && !is_archive(&dir.path().join("nowhere")));
    }

    #[test]
    fn a_damaged_file_and_a_pattern_are_told_and_nothing_is_left_half_written() {
        let dir = tempfile::tempdir().unwrap();
        let there = archive(&run(1), dir.path()).unwrap().path;
        let whole = fs::read(&there).unwrap();
        fs::write(&there, &whole[..whole.len() / 2]).unwrap();
        let said = read(dir.path()).unwrap_err().to_string();
        assert!(said.contains("archive its run again"), "{said}");
        assert!(!archive(&run(1), dir.path()).unwrap().unchanged, "made whole again");
        assert_eq!(fs::read(&there).unwrap(), whole);
        let names = fs::read_dir(there.parent().unwrap()).unwrap();
        assert_eq!(names.count(), 1);
        let odd = dir.path().join("a[1]");
        fs::create_dir(&odd).unwrap();
        assert!(matches!(read(&odd), Err(ArchiveError::Pattern { .. })));
        let mut timeless = run(3);
        timeless.header.started_utc = "yesterday".into();
        assert!(matches!(archive(&timeless, dir.path()), Err(ArchiveError::Time { .. })));
    }
}
