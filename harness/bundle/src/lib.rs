//! A bundle: recorded runs, the report made from them, and the hashes of both, in one archive.
//!
//! [`pack()`] writes `NAME.bundle.tar.gz`, the same bytes from the same files; [`open`] trusts nothing: every
//! path, size and hash is held against the manifest before anybody reads a run from it. The shape of the
//! manifest is `amdahl-schema`'s; nothing here knows what a run means. Hashes find damage and changes; who
//! rewrites a file *and* the manifest is found by the hash of the archive alone, which [`pack()`] returns.

mod directory;
mod error;
mod manifest;
mod pack;
mod unpack;

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use amdahl_schema::{MANIFEST_FILE, Manifest};
use sha2::{Digest, Sha256};

pub use error::{BundleError, Problem};
pub use pack::{Packed, Source, pack};

/// End of an archive's name.
pub const EXTENSION: &str = ".bundle.tar.gz";

/// A bundle whose files are what its manifest says.
#[derive(Debug, Clone)]
pub struct Opened {
    /// What is in it.
    pub manifest: Manifest,
    /// Where its runs lie: paths of the manifest are relative to this directory.
    pub root: PathBuf,
    /// Number of files whose hash was checked.
    pub files: usize,
}

/// Whether a path is a bundle, packed or unpacked, rather than a run directory.
pub fn is_bundle(path: &Path) -> bool {
    path.is_file() || path.join(MANIFEST_FILE).exists()
}

/// Verifies a bundle. Of an archive the runs are written below `scratch`, an empty directory; an unpacked
/// bundle is read where it is.
pub fn open(path: &Path, scratch: &Path) -> Result<Opened, BundleError> {
    if path.is_dir() { directory::open(path) } else { unpack::open(path, scratch) }
}

/// Whether a path is relative, of plain parts, and one way to write it.
pub fn is_plain(path: &str) -> bool {
    let part = |p: &str| !p.is_empty() && p != "." && p != "..";
    !path.contains(['\\', '\0', '\n']) && path.split('/').all(part)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Reads to the end: length and SHA-256, and a copy where one is wanted.
fn digest(mut from: impl Read, mut copy: Option<&mut dyn Write>) -> io::Result<(u64, String)> {
    let mut hash = Sha256::new();
    let mut length = 0;
    let mut buffer = vec![0; 1 << 16];
    loop {
        let n = match from.read(&mut buffer) {
            Ok(0) => return Ok((length, hex(&hash.finalize()))),
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        hash.update(&buffer[..n]);
        length += n as u64;
        if let Some(copy) = copy.as_mut() {
            copy.write_all(&buffer[..n])?;
        }
    }
}
