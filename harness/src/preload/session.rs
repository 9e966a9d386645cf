//! Where the preloaded library leaves its files, and how a program is started with it.
//!
//! A directory of this run alone, in memory where there is enough of it: pages that a disk takes back would disturb what is measured.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::table::{self, Table};
use crate::Unable;
use crate::procfs::Roots;

const MEMORY: &str = "/dev/shm";
/// Below that, files in memory may come to their end: a thousand locks take 10 MB.
const FREE_MIN: u64 = 256 << 20;

/// The directory, which goes with the value.
#[derive(Debug)]
pub struct Session {
    dir: TempDir,
    library: OsString,
}

/// What the files of a run say.
#[derive(Debug, Default)]
pub struct Left {
    /// A process each, by name of their files.
    pub tables: Vec<Table>,
    /// Processes that loaded the library, whether they took a lock or not.
    pub processes: Vec<u32>,
    /// Processes whose locks could not be counted, and why.
    pub failed: Vec<(u32, String)>,
}

impl Session {
    /// Makes the directory, with a name for the library that LD_PRELOAD can hold.
    pub fn new(library: &Path) -> Result<Self, Unable> {
        let dir = directory().map_err(|e| {
            Unable(format!(
                "--preload: no temporary directory: {e}; set TMPDIR to one you can write"
            ))
        })?;
        // What the program starts when the directory is gone still finds the library.
        if can_be_listed(library) {
            return Ok(Self { library: library.as_os_str().to_owned(), dir });
        }
        let link = dir.path().join("preload.so");
        let name = link.to_string_lossy();
        if !can_be_listed(&link) {
            return Err(Unable(format!(
                "--preload: {name}: LD_PRELOAD can't name a file whose path has a space or a colon; set TMPDIR to another directory"
            )));
        }
        std::os::unix::fs::symlink(library, &link)
            .map_err(|e| Unable(format!("--preload: {}: {e}", link.display())))?;
        Ok(Self { library: link.into_os_string(), dir })
    }

    /// What is added to the program's environment. Others' libraries stay, after ours.
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        let mut libraries = self.library.clone();
        if let Some(others) = std::env::var_os("LD_PRELOAD").filter(|o| !o.is_empty()) {
            libraries.push(":");
            libraries.push(others);
        }
        let mut env = vec![
            ("LD_PRELOAD", libraries),
            ("AMDAHL_PRELOAD_DIR", self.dir.path().as_os_str().to_owned()),
        ];
        if let Some(rate) = amdahl_worker::ns_per_tick() {
            env.push(("AMDAHL_PRELOAD_NS_PER_TICK", rate.to_string().into()));
        }
        env
    }

    /// Reads what was left. A file that says nothing sensible is an error: its process wrote over it, or something else did.
    pub fn read(&self) -> Result<Left, Unable> {
        read(self.dir.path())
    }
}

/// LD_PRELOAD separates by spaces and colons.
fn can_be_listed(path: &Path) -> bool {
    !path.to_string_lossy().contains([' ', ':', '\t', '\n'])
}

fn directory() -> io::Result<TempDir> {
    let make = |parent: &Path| tempfile::Builder::new().prefix("amdahl-").tempdir_in(parent);
    let free = rustix::fs::statvfs(MEMORY).map_or(0, |s| s.f_bavail.saturating_mul(s.f_frsize));
    match make(Path::new(MEMORY)) {
        Ok(dir) if free >= FREE_MIN => Ok(dir),
        _ => make(&std::env::temp_dir()),
    }
}

fn read(dir: &Path) -> Result<Left, Unable> {
    let at = |path: &Path, e: &dyn std::fmt::Display| {
        Unable(format!("--preload: {}: {e}; run it again", path.display()))
    };
    let mut left = Left::default();
    let mut files: Vec<(u32, u32, PathBuf)> = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(|e| at(dir, &e))?.flatten() {
        let name = entry.file_name();
        if let Some((pid, n)) = name.to_str().and_then(|n| n.split_once('-')) {
            files.extend(pid.parse().ok().zip(n.parse().ok()).map(|(p, n)| (p, n, entry.path())));
        }
    }
    files.sort();
    for (pid, _, path) in files {
        left.processes.push(pid);
        let mut file = File::open(&path).map_err(|e| at(&path, &e))?;
        match file.metadata().map_err(|e| at(&path, &e))?.len() {
            // It was loaded, and nothing was locked.
            0 => {}
            // Not a table, but why there is none.
            1..200 => {
                let why = std::fs::read(&path).map_err(|e| at(&path, &e))?;
                left.failed.push((pid, String::from_utf8_lossy(&why).into_owned()));
            }
            _ => left.tables.push(table::read(&mut file).map_err(|e| at(&path, &e))?),
        }
    }
    left.processes.dedup();
    Ok(left)
}

impl Left {
    /// Processes of it that still run.
    pub fn living(&self, roots: &Roots) -> Vec<u32> {
        let state = |pid: &u32| roots.proc(&format!("{pid}/stat"));
        // `811 (name) Z …`: has ended, but nobody asked how.
        let lives = |stat: String| stat.rsplit(')').next().is_some_and(|s| !s.starts_with(" Z"));
        self.processes.iter().copied().filter(|pid| state(pid).is_some_and(lives)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_tables_or_reasons_or_nothing_locked() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &[u8]| std::fs::write(dir.path().join(name), text).unwrap();
        put("811-0", b"");
        put("811-1", b"");
        put("812-0", b"ulimit -f is too low");
        put("preload.so", b"not one of them");
        let left = read(dir.path()).unwrap();
        assert_eq!((left.processes, left.tables.len()), (vec![811, 812], 0));
        assert_eq!(left.failed, [(812, "ulimit -f is too low".to_owned())]);
        put("813-0", &[7; 500]);
        let why = read(dir.path()).unwrap_err().to_string();
        assert!(why.contains("813-0") && why.contains("does not begin"), "{why}");
    }

    #[test]
    fn the_directory_goes_with_the_session_and_the_name_fits_ld_preload() {
        let session = Session::new(Path::new("/usr/lib/with space/lib.so")).unwrap();
        let dir = session.dir.path().to_owned();
        let env = session.environment();
        let library = env.iter().find(|(k, _)| *k == "LD_PRELOAD").unwrap().1.to_str().unwrap();
        assert!(!library.contains(' ') && std::fs::symlink_metadata(library).is_ok());
        drop(session);
        assert!(!dir.exists());
        let session = Session::new(Path::new("/usr/lib/lib.so")).unwrap();
        assert_eq!(session.environment()[0].1.to_str(), Some("/usr/lib/lib.so"));
    }
}
