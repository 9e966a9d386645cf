//! An unpacked bundle, verified where it lies.

use std::fs::{self, File};
use std::path::Path;

use amdahl_schema::MANIFEST_FILE;

use crate::error::BundleError;
use crate::manifest::{self, Tally};
use crate::{Opened, digest};

/// Verifies a directory; links are refused, since what they lead to is not in the bundle.
pub(crate) fn open(root: &Path) -> Result<Opened, BundleError> {
    let path = root.join(MANIFEST_FILE);
    if !path.is_file() {
        return Err(BundleError::NoManifest { path: root.to_owned() });
    }
    let io = |path: &Path, source| BundleError::Io { path: path.to_owned(), source };
    let bytes = fs::read(&path).map_err(|e| io(&path, e))?;
    let manifest = manifest::parse(&path, &bytes)?;
    let mut tally = Tally::new(&manifest);
    let mut todo = vec![(root.to_owned(), String::new())];
    while let Some((dir, prefix)) = todo.pop() {
        for entry in fs::read_dir(&dir).map_err(|e| io(&dir, e))? {
            let entry = entry.map_err(|e| io(&dir, e))?;
            let at = entry.path();
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let kind = fs::symlink_metadata(&at).map_err(|e| io(&at, e))?;
            if kind.is_dir() {
                todo.push((at, format!("{name}/")));
            } else if !kind.is_file() {
                let what = "is a link or no plain file";
                return Err(BundleError::Unsafe { path: root.to_owned(), entry: name, what });
            } else if name != MANIFEST_FILE && tally.expects(&name, kind.len()) {
                let file = File::open(&at).map_err(|e| io(&at, e))?;
                let (_, sha256) = digest(file, None).map_err(|e| io(&at, e))?;
                tally.found(&name, &sha256);
            }
        }
    }
    let files = tally.close(root)?;
    Ok(Opened { manifest, root: root.to_owned(), files })
}
