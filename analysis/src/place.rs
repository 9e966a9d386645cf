//! A report's files into a directory: whole or not at all. Knows nothing of their contents.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::render::Rendered;

/// Why a report could not be put in place.
#[derive(Debug, Error)]
pub enum PlaceError {
    /// The system refused.
    #[error("{}: {source}; nothing was written, what was there before is unchanged", path.display())]
    Io {
        /// Which path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The directory holds something that is no report.
    #[error(
        "{}: there is something else here ({found}); what is written replaces its whole directory, so name a \
         new or empty one with --out",
        path.display()
    )]
    Occupied {
        /// The directory.
        path: PathBuf,
        /// An entry that is not ours.
        found: String,
    },
}

/// Writes all files beside the target and renames the whole into place; an earlier report there is
/// replaced. After an error the target is as it was.
pub fn place(rendered: &Rendered, target: &Path) -> Result<(), PlaceError> {
    let parent = match target.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    };
    check_free(target, rendered.owned)?;
    fs::create_dir_all(parent).map_err(|e| io_error(parent, e))?;
    let stage = beside(target, "new");
    let old = beside(target, "old");
    let result = write_all(rendered, &stage).and_then(|()| swap(target, &stage, &old));
    if result.is_err() {
        let _ = fs::remove_dir_all(&stage); // Best effort: the error that is returned says more.
    }
    result
}

/// Points `latest` in the report's parent directory at it; fails where something else has that name.
#[cfg(unix)]
pub fn link_latest(target: &Path) -> Result<PathBuf, PlaceError> {
    let name = target.file_name().map(PathBuf::from).unwrap_or_default();
    let link = target.with_file_name("latest");
    if fs::symlink_metadata(&link).is_ok_and(|m| !m.is_symlink()) {
        let found = "latest is not a link".to_owned();
        return Err(PlaceError::Occupied { path: link, found });
    }
    let new = beside(&link, "new");
    let _ = fs::remove_file(&new); // Left over by a process of the same number that was killed.
    std::os::unix::fs::symlink(name, &new).map_err(|e| io_error(&new, e))?;
    fs::rename(&new, &link).map_err(|e| io_error(&link, e))?;
    Ok(link)
}

fn write_all(rendered: &Rendered, stage: &Path) -> Result<(), PlaceError> {
    if stage.exists() {
        fs::remove_dir_all(stage).map_err(|e| io_error(stage, e))?;
    }
    for (name, contents) in &rendered.files {
        let path = stage.join(name);
        let dir = path.parent().unwrap_or(stage);
        fs::create_dir_all(dir).map_err(|e| io_error(dir, e))?;
        fs::write(&path, contents).map_err(|e| io_error(&path, e))?;
    }
    Ok(())
}

/// Two renames: between them a reader finds nothing, never a mixture.
fn swap(target: &Path, stage: &Path, old: &Path) -> Result<(), PlaceError> {
    let had_one = target.exists();
    if had_one {
        fs::rename(target, old).map_err(|e| io_error(target, e))?;
    }
    if let Err(e) = fs::rename(stage, target) {
        if had_one {
            fs::rename(old, target).map_err(|e| io_error(target, e))?;
        }
        return Err(io_error(target, e));
    }
    if had_one {
        fs::remove_dir_all(old).map_err(|e| io_error(old, e))?;
    }
    Ok(())
}

/// A directory may be replaced if it is empty or an earlier output of the same kind with nothing added.
fn check_free(target: &Path, ours: &[&str]) -> Result<(), PlaceError> {
    let entries = match fs::read_dir(target) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(io_error(target, e)),
    };
    for entry in entries {
        let name = entry.map_err(|e| io_error(target, e))?.file_name();
        let name = name.to_string_lossy();
        if !ours.contains(&name.as_ref()) {
            return Err(PlaceError::Occupied { path: target.to_owned(), found: name.into_owned() });
        }
    }
    Ok(())
}

fn beside(target: &Path, what: &str) -> PathBuf {
    let name = target.file_name().map_or_else(|| "report".into(), |n| n.to_string_lossy());
    target.with_file_name(format!(".{name}.{what}-{}", std::process::id()))
}

fn io_error(path: &Path, source: io::Error) -> PlaceError {
    PlaceError::Io { path: path.to_owned(), source }
}
