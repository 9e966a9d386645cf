//! The user's cache of workers: where it lies, how an entry gets into it and how long it stays, how all of it goes.
//!
//! `workers/LANG-KEY` holds unpacked files, `built/LANG-KEY` what was built of them; besides there is what `clean` of
//! workers.toml names. Nothing here knows how a worker is built or started.

use std::fmt;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::places::{self, Lang, tilde};

/// An entry that nothing has used for so long goes when another of its language comes: 30 days.
/// A run that uses it now is not as long as that, so nobody's worker is taken away.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// Folders of the cache that hold entries.
const WORKERS: &str = "workers";
const BUILT: &str = "built";

/// A directory that keeps this user's workers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    /// Where it lies; made when first written to.
    pub root: PathBuf,
}

/// A place in the cache that can't be used, and what the system said.
#[derive(Debug)]
pub struct Refused {
    /// Where.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", tilde(&self.path), self.source)
    }
}

/// A folder that was removed.
#[derive(Debug, PartialEq, Eq)]
pub struct Removed {
    /// Which.
    pub path: PathBuf,
    /// What its files held.
    pub bytes: u64,
}

/// Where this user's workers are kept, best place first: the cache, else the temporary directory.
pub fn all() -> Vec<Cache> {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|p| p.is_absolute())
        .or_else(|| places::home().map(|h| h.join(".cache")));
    let temporary =
        std::env::temp_dir().join(format!("amdahl-{}", rustix::process::getuid().as_raw()));
    let roots = cache.into_iter().map(|c| c.join("amdahl")).chain([temporary]);
    roots.map(|root| Cache { root }).collect()
}

impl Cache {
    /// Writes a worker's files, keyed by their content so that versions stand side by side; their folder.
    pub(super) fn unpack(&self, lang: &str, files: &[(&str, &str)]) -> Result<PathBuf, Refused> {
        let name = format!("{lang}-{}", key(files.iter().flat_map(|(name, text)| [*name, *text])));
        let dir = self.folder(WORKERS)?.join(name);
        let fresh = !dir.is_dir();
        for (name, text) in files {
            place(&dir.join(name), text).map_err(|source| at(&dir, source))?;
        }
        self.used(&dir, lang, fresh);
        Ok(dir)
    }

    /// What was built under this key, if it is there.
    pub(super) fn built(&self, lang: &str, key: &str) -> Option<PathBuf> {
        let dir = self.root.join(BUILT).join(format!("{lang}-{key}"));
        let there = self.trusted().is_ok() && dir.is_dir();
        there.then(|| {
            self.used(&dir, lang, false);
            dir
        })
    }

    /// An empty folder to build in; gone with the value unless it is kept.
    pub(super) fn fresh(&self) -> Result<TempDir, Refused> {
        let parent = self.folder(BUILT)?;
        tempfile::tempdir_in(&parent).map_err(|source| at(&parent, source))
    }

    /// Keeps what was built whole under its key.
    pub(super) fn keep(&self, fresh: TempDir, lang: &str, key: &str) -> Result<PathBuf, Refused> {
        let dir = self.root.join(BUILT).join(format!("{lang}-{key}"));
        match fs::rename(fresh.path(), &dir) {
            Ok(()) => {
                let _ = fresh.keep();
            }
            // Another amdahl was faster: its build is as good.
            Err(_) if dir.is_dir() => {}
            Err(source) => return Err(at(&dir, source)),
        }
        self.used(&dir, lang, true);
        Ok(dir)
    }

    /// Removes all workers and what their builds keep beside them; what was there.
    pub fn clean(&self, langs: &[Lang]) -> Result<Vec<Removed>, Refused> {
        if !self.root.is_dir() {
            return Ok(Vec::new());
        }
        self.trusted().map_err(|source| at(&self.root, source))?;
        let named = langs.iter().flat_map(|l| l.clean.iter().map(String::as_str));
        let mut removed = Vec::new();
        for path in [WORKERS, BUILT].into_iter().chain(named).map(|name| self.root.join(name)) {
            let bytes = size(&path);
            match fs::remove_dir_all(&path) {
                Ok(()) => removed.push(Removed { path, bytes }),
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(at(&path, source)),
            }
        }
        let _ = fs::remove_dir(&self.root); // Stays if somebody put something else there.
        Ok(removed)
    }

    /// A folder of the cache, made if need be.
    fn folder(&self, name: &str) -> Result<PathBuf, Refused> {
        let dir = self.root.join(name);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)
            .and_then(|()| self.trusted())
            .map_err(|source| at(&dir, source))?;
        Ok(dir)
    }

    /// What lies here is executed, so nobody else may have put it here: /tmp is open to all.
    fn trusted(&self) -> io::Result<()> {
        let dir = fs::metadata(&self.root)?;
        let denied = |why| Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
        if dir.uid() != rustix::process::geteuid().as_raw() {
            return denied("it belongs to another user");
        }
        if dir.mode() & 0o002 != 0 {
            return denied("any user may write there");
        }
        Ok(())
    }

    /// Marks an entry as used now; if it is new, those of its language go that were not for long.
    fn used(&self, dir: &Path, lang: &str, new: bool) {
        // A cache that became read-only serves on.
        let _ = File::open(dir).and_then(|d| d.set_modified(SystemTime::now()));
        if new {
            for folder in [WORKERS, BUILT] {
                prune(&self.root.join(folder), lang);
            }
        }
    }
}

/// Removes what is too long unused: entries of the language, and builds that were killed half-way.
fn prune(folder: &Path, lang: &str) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let of_lang = name.rsplit_once('-').is_some_and(|(l, _)| l == lang);
        let age = entry.metadata().and_then(|m| m.modified()).ok().and_then(|t| t.elapsed().ok());
        if (of_lang || name.starts_with(".tmp")) && age.is_some_and(|age| age > KEPT) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Twelve hex digits that stand for these texts.
pub(super) fn key<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hasher = Sha256::new();
    for text in texts {
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    places::hex(&hasher.finalize())[..12].to_owned()
}

fn at(path: &Path, source: io::Error) -> Refused {
    Refused { path: path.to_owned(), source }
}

fn place(path: &Path, source: &str) -> io::Result<()> {
    if fs::read_to_string(path).is_ok_and(|text| text == source) {
        return Ok(());
    }
    let dir = path.parent().expect("the path has a directory");
    fs::create_dir_all(dir)?;
    // Renamed into place: another amdahl may read it right now.
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    io::Write::write_all(&mut file, source.as_bytes())?;
    file.persist(path).map_err(|e| e.error)?;
    Ok(())
}

/// Bytes in the files below; links are not followed.
fn size(path: &Path) -> u64 {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries
        .map(|e| match e.metadata() {
            Ok(m) if m.is_dir() => size(&e.path()),
            Ok(m) => m.len(),
            Err(_) => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn cache(dir: &TempDir) -> Cache {
        Cache { root: dir.path().join("cache") }
    }

    fn aged(path: &Path, days: u64) {
        let then = SystemTime::now() - Duration::from_secs(days * 24 * 3600);
        File::open(path).unwrap().set_modified(then).unwrap();
    }

    #[test]
    fn unpacking_twice_gives_one_folder_with_the_content() {
        let dir = tempfile::tempdir().unwrap();
        let unpack = |text| cache(&dir).unpack("python", &[("t.py", text), ("u.py", "")]).unwrap();
        let a = unpack("x = 1\n");
        assert_eq!(a, unpack("x = 1\n"));
        assert_eq!(fs::read_to_string(a.join("t.py")).unwrap(), "x = 1\n");
        assert_ne!(a, unpack("x = 2\n"));
    }

    #[test]
    fn a_new_entry_ends_those_of_its_language_that_were_long_unused() {
        let dir = tempfile::tempdir().unwrap();
        let cache = cache(&dir);
        let entry = |lang, key| cache.keep(cache.fresh().unwrap(), lang, key).unwrap();
        let (old, recent, other) = (entry("go", "a"), entry("go", "b"), entry("cpp", "a"));
        let files = cache.unpack("go", &[("worker.go", "old")]).unwrap();
        let killed = cache.fresh().unwrap().keep();
        for (path, days) in [(&old, 31), (&recent, 29), (&other, 31), (&files, 31), (&killed, 31)] {
            aged(path, days);
        }
        let new = entry("go", "c");
        let there = [&old, &recent, &other, &files, &killed, &new].map(|p| p.is_dir());
        assert_eq!(there, [false, true, true, false, false, true]);
        // One that is used is as good as new.
        aged(&recent, 31);
        assert_eq!(cache.built("go", "b"), Some(recent.clone()));
        entry("go", "d");
        assert!(recent.is_dir());
    }

    #[test]
    fn clean_leaves_nothing_but_what_is_not_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let cache = cache(&dir);
        let langs = places::langs();
        assert_eq!(cache.clean(&langs).unwrap(), []);
        cache.unpack("go", &[("worker.go", "four")]).unwrap();
        cache.keep(cache.fresh().unwrap(), "go", "a").unwrap();
        fs::create_dir_all(cache.root.join("go-build/00")).unwrap();
        fs::write(cache.root.join("go-build/00/x"), "12").unwrap();
        fs::write(cache.root.join("a note"), "").unwrap();
        let removed = cache.clean(&langs).unwrap();
        let bytes: Vec<u64> = removed.iter().map(|r| r.bytes).collect();
        assert_eq!(bytes, [4, 0, 2]);
        let left: Vec<_> = fs::read_dir(&cache.root).unwrap().flatten().collect();
        assert_eq!(left.len(), 1, "{left:?}");
        fs::remove_file(cache.root.join("a note")).unwrap();
        cache.clean(&langs).unwrap();
        assert!(!cache.root.exists());
    }

    #[test]
    fn what_others_could_have_put_there_is_not_executed() {
        let dir = tempfile::tempdir().unwrap();
        let cache = cache(&dir);
        cache.keep(cache.fresh().unwrap(), "go", "a").unwrap();
        assert!(cache.built("go", "a").is_some());
        fs::set_permissions(&cache.root, fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(cache.built("go", "a"), None);
        let why = cache.unpack("go", &[("worker.go", "")]).unwrap_err().to_string();
        assert!(why.contains("any user may write there"), "{why}");
        fs::set_permissions(&cache.root, fs::Permissions::from_mode(0o755)).unwrap();
        // Only root can give a directory away.
        if std::os::unix::fs::chown(&cache.root, Some(4_000_000), None).is_ok() {
            let why = cache.fresh().unwrap_err().to_string();
            assert!(why.contains("another user"), "{why}");
        }
    }
}
