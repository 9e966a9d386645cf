//! Files of other benchmark tools to series: each file, or directory of Criterion, is one point of each of its benchmarks.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use amdahl_readers::{Better as Direction, ReadError, Recorded};
use amdahl_stats::median;
use thiserror::Error;

use super::{Better, Index, Series};

/// Why files make no history.
#[derive(Debug, Error)]
pub enum ToolsError {
    /// The system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// One of them can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Neither ours nor of a known tool.
    #[error(
        "{0}; nor a run (run.json), a directory of runs or an archive (host=…); a table of series,index,value is read alone"
    )]
    Unknown(ReadError),
    /// The same one twice.
    #[error("{}: named twice; each file is one point, so name it once", path.display())]
    Twice {
        /// Which.
        path: PathBuf,
    },
    /// Figures of two tools are no history.
    #[error("{}: written by {tool}, those before it by {first}; a history is of one tool", path.display())]
    Tools {
        /// Which.
        path: PathBuf,
        /// Its tool.
        tool: &'static str,
        /// That of the first file.
        first: &'static str,
    },
}

/// Series of such files, one point a file in the order in which they are named, and what a reader must know of them.
pub fn read_tools(paths: &[PathBuf]) -> Result<(Vec<Series>, String), ToolsError> {
    let labels = labels(paths)?;
    let mut found: BTreeMap<String, Series> = BTreeMap::new();
    let mut tool = None;
    for (path, label) in paths.iter().zip(labels) {
        let recorded = amdahl_readers::read(path).map_err(|e| match e {
            ReadError::Unknown { .. } => ToolsError::Unknown(e),
            e => ToolsError::Read(e),
        })?;
        let first = *tool.get_or_insert(recorded.tool);
        if recorded.tool != first {
            return Err(ToolsError::Tools { path: path.clone(), tool: recorded.tool, first });
        }
        add(&mut found, recorded, &label);
    }
    let mut series: Vec<Series> = found.into_values().collect();
    series.iter_mut().for_each(|s| s.missing = paths.len() - s.values.len());
    let note = format!(
        "Each point is the median of a file of {}, in the order in which the files are named. They say neither on which machine they were made nor what else ran there: \
         another machine looks like a change.",
        tool.unwrap_or("nobody")
    );
    Ok((series, note))
}

/// A file's medians to their series. Figures in another unit are another series: nothing is converted.
fn add(found: &mut BTreeMap<String, Series>, recorded: Recorded, label: &str) {
    let mut values: BTreeMap<String, (Direction, Vec<f64>)> = BTreeMap::new();
    for s in recorded.series {
        let name = format!("{} {} ({})", s.name, s.metric, s.unit);
        values.entry(name).or_insert((s.better, Vec::new())).1.extend(s.values);
    }
    for (name, (direction, values)) in values {
        let Some(value) = median(&values) else { continue };
        let better = match direction {
            Direction::Higher => Better::Higher,
            Direction::Lower => Better::Lower,
        };
        let empty = Series {
            name: name.clone(),
            indices: Vec::new(),
            values: Vec::new(),
            missing: 0,
            better: Some(better),
        };
        let series = found.entry(name).or_insert(empty);
        series.indices.push(Index::Text(label.to_owned()));
        series.values.push(value);
    }
}

/// The last part of each path, or as many as tell them apart.
fn labels(paths: &[PathBuf]) -> Result<Vec<String>, ToolsError> {
    let real =
        |p: &PathBuf| p.canonicalize().map_err(|source| ToolsError::Io { path: p.clone(), source });
    let reals: Vec<PathBuf> = paths.iter().map(real).collect::<Result<_, _>>()?;
    let mut seen = BTreeSet::new();
    if let Some((_, path)) = reals.iter().zip(paths).find(|(real, _)| !seen.insert(*real)) {
        return Err(ToolsError::Twice { path: path.clone() });
    }
    let mut depth = 1;
    loop {
        let labels: Vec<String> = reals.iter().map(|p| end(p, depth)).collect();
        if labels.iter().collect::<BTreeSet<_>>().len() == labels.len() {
            return Ok(labels);
        }
        depth += 1;
    }
}

fn end(path: &Path, parts: usize) -> String {
    let all: Vec<_> = path.components().map(|c| c.as_os_str().to_string_lossy()).collect();
    all[all.len().saturating_sub(parts)..].join("/")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn go(dir: &Path, name: &str, ns: &[u32]) -> PathBuf {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let rows = |n: &u32| format!("BenchmarkA-2  100  {n} ns/op\n");
        fs::write(&path, ns.iter().map(rows).collect::<String>()).unwrap();
        path
    }

    #[test]
    fn each_file_is_a_point_in_the_order_of_the_arguments() {
        let dir = tempfile::tempdir().unwrap();
        let files = [go(dir.path(), "b/x.txt", &[7, 9, 8]), go(dir.path(), "a/x.txt", &[5])];
        let (series, note) = read_tools(&files).unwrap();
        assert_eq!(series.len(), 1);
        assert_eq!(
            (series[0].values.as_slice(), series[0].better),
            ([8.0, 5.0].as_slice(), Some(Better::Lower))
        );
        let label = |s: &str| Index::Text(s.to_owned());
        assert_eq!(series[0].indices, [label("b/x.txt"), label("a/x.txt")]);
        assert!(note.contains("a file of Go"), "{note}");
    }

    #[test]
    fn what_is_not_in_every_file_is_missing_there() {
        let dir = tempfile::tempdir().unwrap();
        let other = dir.path().join("other.txt");
        fs::write(&other, "BenchmarkB-2  100  3 ns/op\n").unwrap();
        let (series, _) = read_tools(&[go(dir.path(), "x.txt", &[7]), other]).unwrap();
        assert_eq!(
            series.iter().map(|s| (s.values.len(), s.missing)).collect::<Vec<_>>(),
            [(1, 1); 2]
        );
    }

    #[test]
    fn what_makes_no_history_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = go(dir.path(), "x.txt", &[7]);
        let said = |paths: &[&PathBuf]| {
            let paths: Vec<PathBuf> = paths.iter().map(|p| (*p).clone()).collect();
            read_tools(&paths).unwrap_err().to_string()
        };
        assert!(said(&[&file, &file]).contains("named twice"));
        let empty = dir.path().join("empty");
        fs::create_dir(&empty).unwrap();
        assert!(said(&[&empty]).contains("nor a run"), "{}", said(&[&empty]));
        let nowhere = dir.path().join("nowhere");
        assert!(matches!(read_tools(&[file.clone(), nowhere]), Err(ToolsError::Io { .. })));
        let hyperfine = dir.path().join("h.json");
        fs::write(&hyperfine, r#"{"results":[{"command":"a","times":[1.0,1.1]}]}"#).unwrap();
        assert!(said(&[&file, &hyperfine]).contains("a history is of one tool"));
    }
}
