//! A manifest read and held against itself: version, paths, runs; and the files found against it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use amdahl_schema::{HEADER_FILE, MANIFEST_FILE, MANIFEST_VERSION, Manifest};
use serde_json::Value;

use crate::error::{BundleError, Problem};
use crate::is_plain;

/// Longest manifest that is read, in bytes: a report has some hundred files.
pub(crate) const LENGTH_MAX: u64 = 64 << 20;

/// Parses a manifest; `path` is for the messages.
pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<Manifest, BundleError> {
    let wrong = |line, what| BundleError::Manifest { path: path.to_owned(), line, what };
    let value: Value =
        serde_json::from_slice(bytes).map_err(|e| wrong(e.line(), format!("not JSON: {e}")))?;
    // The version first: a newer shape need not parse as ours.
    if let Some(found) = value.get("schema").and_then(Value::as_u64)
        && found > u64::from(MANIFEST_VERSION)
    {
        return Err(BundleError::Newer { path: path.to_owned(), found });
    }
    let manifest: Manifest =
        serde_json::from_slice(bytes).map_err(|e| wrong(e.line(), e.to_string()))?;
    sound(&manifest).map_err(|what| wrong(1, what))?;
    Ok(manifest)
}

/// What is wrong with a manifest by itself.
fn sound(manifest: &Manifest) -> Result<(), String> {
    let mut files = BTreeSet::new();
    for file in &manifest.files {
        if !is_plain(&file.path) || file.path == MANIFEST_FILE {
            return Err(format!("`{}` is no path below the bundle", file.path.escape_debug()));
        }
        if !files.insert(file.path.as_str()) {
            return Err(format!("`{}` stands there twice", file.path));
        }
    }
    for run in &manifest.runs {
        let header = format!("{}/{HEADER_FILE}", run.dir);
        if !files.contains(header.as_str()) {
            return Err(format!("run `{}` has no `{header}`", run.name.escape_debug()));
        }
    }
    if manifest.runs.is_empty() {
        return Err("it names no run".to_owned());
    }
    Ok(())
}

/// Files found, ticked off against the manifest.
pub(crate) struct Tally<'a> {
    expected: BTreeMap<&'a str, (u64, &'a str)>,
    seen: BTreeSet<String>,
    problems: Vec<Problem>,
}

impl<'a> Tally<'a> {
    pub(crate) fn new(manifest: &'a Manifest) -> Self {
        let of = manifest.files.iter().map(|f| (f.path.as_str(), (f.bytes, f.sha256.as_str())));
        Self { expected: of.collect(), seen: BTreeSet::new(), problems: Vec::new() }
    }

    /// Whether a file of this length is worth reading; if not, it is noted as a problem.
    pub(crate) fn expects(&mut self, path: &str, bytes: u64) -> bool {
        match self.expected.get(path) {
            None => self.problems.push(Problem::Added(path.to_owned())),
            Some((length, _)) if *length != bytes => {
                self.seen.insert(path.to_owned());
                self.problems.push(Problem::Changed(path.to_owned()));
            }
            Some(_) => return true,
        }
        false
    }

    /// Whether a file was met before.
    pub(crate) fn met(&self, path: &str) -> bool {
        self.seen.contains(path)
    }

    /// A file with its hash.
    pub(crate) fn found(&mut self, path: &str, sha256: &str) {
        self.seen.insert(path.to_owned());
        if self.expected.get(path).is_none_or(|(_, expected)| *expected != sha256) {
            self.problems.push(Problem::Changed(path.to_owned()));
        }
    }

    /// The number of files, or what was wrong with them.
    pub(crate) fn close(mut self, bundle: &Path) -> Result<usize, BundleError> {
        let missing = self.expected.keys().filter(|p| !self.seen.contains(**p));
        self.problems.extend(missing.map(|p| Problem::Missing((*p).to_owned())));
        if self.problems.is_empty() {
            return Ok(self.seen.len());
        }
        self.problems.sort();
        Err(BundleError::Differs { path: bundle.to_owned(), problems: self.problems })
    }
}
