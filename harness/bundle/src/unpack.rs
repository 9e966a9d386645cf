//! An archive, verified entry by entry; only its runs are written to disk.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use amdahl_schema::{MANIFEST_FILE, Manifest};
use flate2::bufread::GzDecoder;
use tar::{Archive, Entry, EntryType};

use crate::error::BundleError;
use crate::manifest::{self, LENGTH_MAX, Tally};
use crate::{Opened, digest, is_plain};

type Stream = GzDecoder<BufReader<File>>;

/// Verifies an archive and writes its runs below `scratch`.
pub(crate) fn open(path: &Path, scratch: &Path) -> Result<Opened, BundleError> {
    let manifest = read_manifest(path)?;
    let mut tally = Tally::new(&manifest);
    let mut archive = archive(path)?;
    each(path, &mut archive, |name, entry| {
        if name == MANIFEST_FILE {
            return Ok(());
        }
        if tally.met(name) {
            let what = "is there twice";
            return Err(Stop::Error(refused(path, name, what)));
        }
        if !tally.expects(name, entry.size()) {
            return Ok(());
        }
        let mut copy = copy(&manifest, scratch, name)?;
        let copy = copy.as_mut().map(|f| f as &mut dyn Write);
        let (_, sha256) = digest(entry, copy)?;
        tally.found(name, &sha256);
        Ok(())
    })?;
    ends(path, archive.into_inner())?;
    let files = tally.close(path)?;
    Ok(Opened { manifest, root: scratch.to_owned(), files })
}

/// Where an entry's contents go: runs to disk, all else nowhere.
fn copy(manifest: &Manifest, scratch: &Path, name: &str) -> Result<Option<File>, Stop> {
    let of_run = |dir: &str| name.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'));
    if !manifest.runs.iter().any(|r| of_run(&r.dir)) {
        return Ok(None);
    }
    let at = scratch.join(name);
    let io = |source| Stop::Error(BundleError::Io { path: at.clone(), source });
    fs::create_dir_all(at.parent().unwrap_or(scratch)).map_err(io)?;
    File::create_new(&at).map(Some).map_err(io)
}

/// The manifest, wherever it stands: who packs a bundle again with `tar` has it anywhere.
fn read_manifest(path: &Path) -> Result<Manifest, BundleError> {
    let mut found = None;
    let mut archive = archive(path)?;
    each(path, &mut archive, |name, entry| {
        if name != MANIFEST_FILE {
            return Ok(());
        }
        if entry.size() > LENGTH_MAX || found.is_some() {
            let what = "is too long for a manifest, or is there twice";
            return Err(Stop::Error(refused(path, name, what)));
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        found = Some(bytes);
        Ok(())
    })?;
    let bytes = found.ok_or_else(|| BundleError::NoManifest { path: path.to_owned() })?;
    manifest::parse(&path.join(MANIFEST_FILE), &bytes)
}

fn archive(path: &Path) -> Result<Archive<Stream>, BundleError> {
    let file =
        File::open(path).map_err(|source| BundleError::Io { path: path.to_owned(), source })?;
    Ok(Archive::new(GzDecoder::new(BufReader::new(file))))
}

/// Why the walk over an archive ends early.
enum Stop {
    /// What is to be said.
    Error(BundleError),
    /// It could not be read.
    Unreadable(io::Error),
}

impl From<io::Error> for Stop {
    fn from(e: io::Error) -> Self {
        Self::Unreadable(e)
    }
}

/// Every plain file, named below the one directory that an archive has at its top; anything that is not
/// one ends it.
fn each(
    path: &Path,
    archive: &mut Archive<Stream>,
    mut visit: impl FnMut(&str, &mut Entry<'_, Stream>) -> Result<(), Stop>,
) -> Result<(), BundleError> {
    let mut after = "its begin".to_owned();
    let damaged = |after: &str, source| {
        let (path, after) = (path.to_owned(), after.to_owned());
        BundleError::Damaged { path, after, source }
    };
    let mut top: Option<String> = None;
    for entry in archive.entries().map_err(|e| damaged(&after, e))? {
        let mut entry = entry.map_err(|e| damaged(&after, e))?;
        let full = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let kind = entry.header().entry_type();
        let whole = full.trim_start_matches("./").trim_end_matches('/').to_owned();
        if kind == EntryType::Directory && (whole.is_empty() || is_plain(&whole)) {
            continue;
        }
        if kind != EntryType::Regular {
            return Err(refused(path, &full, "is a link or no plain file"));
        }
        let split = if is_plain(&whole) { whole.split_once('/') } else { None };
        let Some((first, name)) = split.filter(|_| !full.ends_with('/')) else {
            return Err(refused(path, &full, "leads outside the bundle's directory"));
        };
        if top.get_or_insert_with(|| first.to_owned()) != first {
            return Err(refused(path, &full, "is not in the directory of the first entry"));
        }
        visit(name, &mut entry).map_err(|stop| match stop {
            Stop::Error(e) => e,
            Stop::Unreadable(e) => damaged(&format!("{after}, in {name}"), e),
        })?;
        name.clone_into(&mut after);
    }
    Ok(())
}

/// Nothing may follow the last entry but the zeros that fill its block.
fn ends(path: &Path, mut stream: Stream) -> Result<(), BundleError> {
    let mut rest = vec![0; 1 << 16];
    let damaged = |source| {
        let after = "the last file".to_owned();
        BundleError::Damaged { path: path.to_owned(), after, source }
    };
    loop {
        match stream.read(&mut rest).map_err(damaged)? {
            0 => break,
            n if rest[..n].iter().all(|b| *b == 0) => {}
            _ => return Err(refused(path, "after the last", "hides behind the archive's end")),
        }
    }
    let mut beyond = [0];
    match stream.into_inner().read(&mut beyond).map_err(damaged)? {
        0 => Ok(()),
        _ => Err(refused(path, "after the last", "hides behind the archive's end")),
    }
}

fn refused(path: &Path, entry: &str, what: &'static str) -> BundleError {
    let entry = entry.escape_debug().to_string();
    BundleError::Unsafe { path: path.to_owned(), entry, what }
}
