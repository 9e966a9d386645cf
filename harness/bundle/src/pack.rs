//! Files into an archive: the same bytes from the same files, whatever the clock, the user and the disk.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use amdahl_schema::{BundledFile, MANIFEST_FILE, Manifest};
use flate2::{Compression, GzBuilder};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use crate::error::BundleError;
use crate::{EXTENSION, digest, hex, is_plain};

/// Time of every entry, s since the epoch: 2000-01-01. A real one would change the bytes and tell when
/// somebody worked; 0 makes tar complain.
const MTIME_S: u64 = 946_684_800;

/// Where a file's contents come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// Memory.
    Bytes(Vec<u8>),
    /// A file, read when it is packed, a piece at a time.
    File(PathBuf),
}

/// What was packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// SHA-256 of the archive: the one thing that a forger can't rewrite along with it.
    pub sha256: String,
    /// Its length.
    pub bytes: u64,
}

/// Writes `target` (`NAME.bundle.tar.gz`), whole or not at all; an earlier one is replaced.
///
/// `manifest.files` is made here from `files`, which must have plain relative paths and no manifest.
pub fn pack(
    target: &Path,
    mut manifest: Manifest,
    files: &BTreeMap<String, Source>,
) -> Result<Packed, BundleError> {
    manifest.files.clear();
    for (path, source) in files {
        assert!(is_plain(path) && path != MANIFEST_FILE, "{path}");
        let (bytes, sha256) = match source {
            Source::Bytes(b) => digest(b.as_slice(), None).map_err(io_at(target))?,
            Source::File(p) => File::open(p).and_then(|f| digest(f, None)).map_err(io_at(p))?,
        };
        manifest.files.push(BundledFile { path: path.clone(), bytes, sha256 });
    }
    let name = target.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let part = target.with_file_name(format!(".{name}.new-{}", std::process::id()));
    let top = name.strip_suffix(EXTENSION).map_or(name.clone(), |n| format!("{n}.bundle"));
    let packed = write(&part, &top, &manifest, files)
        .and_then(|packed| fs::rename(&part, target).map(|()| packed).map_err(io_at(target)));
    if packed.is_err() {
        let _ = fs::remove_file(&part); // Best effort: the error that is returned says more.
    }
    packed
}

fn write(
    part: &Path,
    top: &str,
    manifest: &Manifest,
    files: &BTreeMap<String, Source>,
) -> Result<Packed, BundleError> {
    let io = io_at(part);
    let file = Hashing {
        to: BufWriter::new(File::create(part).map_err(&io)?),
        hash: Sha256::new(),
        bytes: 0,
    };
    // Neither name nor time nor system in the head of the stream.
    let gz = GzBuilder::new().mtime(0).operating_system(255).write(file, Compression::default());
    let mut tar = Builder::new(gz);
    let mut text = serde_json::to_vec_pretty(manifest).expect("a manifest has string keys only");
    text.push(b'\n');
    add(&mut tar, top, MANIFEST_FILE, text.len() as u64, text.as_slice()).map_err(&io)?;
    for expected in &manifest.files {
        let (path, length) = (&expected.path, expected.bytes);
        let (seen, from) = match &files[path] {
            Source::Bytes(b) => (add(&mut tar, top, path, length, b.as_slice()), part),
            Source::File(p) => {
                let file = File::open(p).map_err(io_at(p))?;
                // A run may still grow: what came later is left out, and what changed is found below.
                (add(&mut tar, top, path, length, file.take(length)), p.as_path())
            }
        };
        if seen.map_err(io_at(from))? != expected.sha256 {
            return Err(BundleError::Moving { path: from.to_owned() });
        }
    }
    let mut done = tar.into_inner().and_then(|gz| gz.finish()).map_err(&io)?;
    done.flush().and_then(|()| done.to.get_ref().sync_all()).map_err(&io)?;
    Ok(Packed { sha256: hex(&done.hash.finalize()), bytes: done.bytes })
}

/// Appends an entry; what came is its hash.
fn add(
    tar: &mut Builder<impl Write>,
    top: &str,
    path: &str,
    length: u64,
    from: impl Read,
) -> io::Result<String> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_size(length);
    header.set_mode(0o644);
    header.set_mtime(MTIME_S);
    header.set_uid(0);
    header.set_gid(0);
    let mut seen = Hashing { to: from, hash: Sha256::new(), bytes: 0 };
    tar.append_data(&mut header, format!("{top}/{path}"), &mut seen)?;
    Ok(hex(&seen.hash.finalize()))
}

fn io_at(path: &Path) -> impl Fn(io::Error) -> BundleError {
    let path = path.to_owned();
    move |source| BundleError::Io { path: path.clone(), source }
}

/// Hashes what passes.
struct Hashing<T> {
    to: T,
    hash: Sha256,
    bytes: u64,
}

impl<T: Write> Write for Hashing<T> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let n = self.to.write(buf)?;
        self.hash.update(&buf[..n]);
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl<T: Read> Read for Hashing<T> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.to.read(buf)?;
        self.hash.update(&buf[..n]);
        self.bytes += n as u64;
        Ok(n)
    }
}
