//! Criterion's directory: `BENCH/new/sample.json` (iterations and total ns of each sample) beside `benchmark.json` (the bench's id).
//!
//! Both have the same keys in 0.5, 0.6, 0.7 and 0.8, which were looked at; others are refused by whoever knows the version.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::{Better, ReadError, Recorded, Series};

/// Versions whose files and flags were checked.
pub const SUPPORTED: [&str; 4] = ["0.5", "0.6", "0.7", "0.8"];

/// Deeper than any group of benches lies.
const DEPTH_MAX: usize = 12;

/// What one bench left.
#[derive(Debug, Clone, PartialEq)]
pub struct Bench {
    /// `full_id`, as `--list` prints it.
    pub id: String,
    /// ns an iteration, of each sample.
    pub ns: Vec<f64>,
}

#[derive(Deserialize)]
struct Sample {
    iters: Vec<f64>,
    times: Vec<f64>,
}

#[derive(Deserialize)]
struct Benchmark {
    full_id: String,
}

/// The last measurement of every bench below `dir`, by id.
pub fn benches(dir: &Path) -> Result<Vec<Bench>, ReadError> {
    let mut samples = Vec::new();
    find(dir, 0, &mut samples)?;
    let mut benches: Vec<Bench> = samples.iter().map(|s| bench(s)).collect::<Result<_, _>>()?;
    benches.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(benches)
}

pub(crate) fn directory(dir: &Path) -> Result<Recorded, ReadError> {
    let benches = benches(dir)?;
    if benches.is_empty() {
        return Err(ReadError::unknown(dir));
    }
    let series = benches.into_iter().map(|b| Series {
        name: b.id,
        metric: "time".to_owned(),
        unit: "ns".to_owned(),
        better: Better::Lower,
        values: b.ns,
        processes: 1,
    });
    Ok(Recorded { tool: "Criterion", version: None, series: series.collect() })
}

/// Every `new/sample.json`.
fn find(dir: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), ReadError> {
    let error = |source| ReadError::Io { path: dir.to_owned(), source };
    for entry in std::fs::read_dir(dir).map_err(error)? {
        let entry = entry.map_err(error)?;
        // Not through links: they may lead back.
        if !entry.file_type().map_err(error)?.is_dir() || depth == DEPTH_MAX {
            continue;
        }
        let path = entry.path();
        let sample = path.join("sample.json");
        if entry.file_name() == "new" && sample.exists() {
            found.push(sample);
        } else {
            find(&path, depth + 1, found)?;
        }
    }
    Ok(())
}

fn bench(sample: &Path) -> Result<Bench, ReadError> {
    let Sample { iters, times } = parse(sample)?;
    let Benchmark { full_id: id } = parse(&sample.with_file_name("benchmark.json"))?;
    if iters.is_empty() || iters.len() != times.len() {
        let what = format!(
            "{} iterations and {} times; every sample has one of each",
            iters.len(),
            times.len()
        );
        return Err(ReadError::shape(sample, "iters, times", what));
    }
    let ns: Vec<f64> = times.iter().zip(&iters).map(|(t, i)| t / i).collect();
    match ns.iter().position(|x| !x.is_finite() || *x <= 0.0) {
        Some(k) => Err(ReadError::shape(sample, format!("sample {k}"), "not a positive time")),
        None => Ok(Bench { id, ns }),
    }
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, ReadError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
    serde_json::from_str(&text).map_err(|e| ReadError::json(path, &e))
}

/// The version of Criterion that an executable was built with, if it shows: panics name the file of the crate that they are in, and that has the
/// version in its path, unless Criterion was built from a path or a checkout.
pub fn version_in(executable: &[u8]) -> Option<String> {
    const BEFORE: &[u8] = b"criterion-";
    let places = executable
        .windows(BEFORE.len())
        .enumerate()
        .filter(|(_, w)| *w == BEFORE)
        .map(|(k, _)| k + BEFORE.len());
    places.filter_map(|k| version(&executable[k..])).next()
}

/// `0.8.2` of `0.8.2/src/lib.rs`.
fn version(text: &[u8]) -> Option<String> {
    let end = text.iter().take(20).position(|c| !c.is_ascii_digit() && *c != b'.')?;
    let version = std::str::from_utf8(&text[..end]).ok()?;
    let numbers = version.split('.').filter(|n| n.parse::<u32>().is_ok()).count();
    (numbers == 3 && version.split('.').count() == 3 && text[end] == b'/')
        .then(|| version.to_owned())
}

/// Whether a version is one of [`SUPPORTED`].
pub fn supported(version: &str) -> bool {
    SUPPORTED.iter().any(|s| version.strip_prefix(s).is_some_and(|rest| rest.starts_with('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_paths_in_the_executable() {
        let bytes = |text: &str| version_in(text.as_bytes());
        assert_eq!(bytes("\0/r/src/x/criterion-0.8.2/src/lib.rs\0").as_deref(), Some("0.8.2"));
        assert_eq!(bytes("criterion-plot-0.6.0/src criterion-0.5.1/src").as_deref(), Some("0.5.1"));
        assert_eq!(bytes("criterion-0.8/src criterion-1 criterion-"), None);
        assert!(
            supported("0.8.2")
                && supported("0.5.0")
                && !supported("0.4.0")
                && !supported("0.81.0")
                && !supported("1.0.0")
        );
    }
}
