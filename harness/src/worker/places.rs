//! Where runtimes and worker programs lie on disk; asks nothing and starts nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use amdahl_schema::Absence;
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// A language of workers.toml.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lang {
    /// Program beside `amdahl`.
    pub binary: Option<String>,
    /// File names on PATH.
    pub names: Vec<String>,
    /// Further places.
    pub globs: Vec<String>,
    /// Directories of PATH that are left out, by their last name.
    pub skip_dirs: Vec<String>,
    /// Endings of names that are left out.
    pub skip_suffixes: Vec<String>,
    /// Flag for a one-line program.
    pub ask_args: Vec<String>,
    /// The program.
    pub ask: String,
    /// Arguments before the worker's file.
    pub run_args: Vec<String>,
    /// Oldest version, major and minor.
    pub oldest: [u32; 2],
    /// Newest.
    pub newest: [u32; 2],
    /// What to do when nothing is found.
    pub remedy: String,
}

/// An entry of workers.toml, which is part of the program.
pub fn lang(name: &str) -> Lang {
    let all: BTreeMap<String, Lang> = toml::from_str(include_str!("../../workers/workers.toml"))
        .expect("workers.toml is checked by a test");
    all.get(name).cloned().expect("workers.toml has every built-in language")
}

/// All files that may be runtimes of a language: PATH first, then the globs, each path once.
pub fn search(lang: &Lang) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let path = std::env::var_os("PATH").unwrap_or_default();
    for dir in std::env::split_paths(&path) {
        let skipped = dir.file_name().is_some_and(|n| lang.skip_dirs.iter().any(|s| n == &**s));
        if !skipped {
            found.extend(lang.names.iter().flat_map(|name| expand(&dir, name)));
        }
    }
    for pattern in &lang.globs {
        found.extend(roots(pattern).iter().flat_map(|(root, rest)| expand(root, rest)));
    }
    found.retain(|p| {
        let name = p.to_string_lossy();
        !lang.skip_suffixes.iter().any(|s| name.ends_with(s.as_str()))
    });
    let mut seen = std::collections::HashSet::new();
    found.retain(|p| seen.insert(std::fs::canonicalize(p).unwrap_or_else(|_| p.clone())));
    found
}

/// The part of a glob before its first wildcard component, expanded, with the rest.
fn roots(pattern: &str) -> Vec<(PathBuf, String)> {
    let (head, rest) = pattern.split_once('/').unwrap_or((pattern, ""));
    if let Some(variable) = head.strip_prefix('$') {
        let value = std::env::var_os(variable).filter(|v| !v.is_empty());
        return value.map(|v| (PathBuf::from(v), rest.to_owned())).into_iter().collect();
    }
    if head == "~" {
        return home().map(|h| (h, rest.to_owned())).into_iter().collect();
    }
    let here = std::env::current_dir().ok();
    let checkout =
        std::env::current_exe().ok().and_then(|e| e.ancestors().nth(3).map(Path::to_owned));
    let mut roots: Vec<PathBuf> = here.into_iter().chain(checkout).collect();
    roots.dedup();
    roots.into_iter().map(|r| (r, pattern.to_owned())).collect()
}

/// Files below `root` that match a pattern of components with `*`, sorted.
fn expand(root: &Path, pattern: &str) -> Vec<PathBuf> {
    let (head, rest) = pattern.split_once('/').unwrap_or((pattern, ""));
    let mut here: Vec<PathBuf> = if head.contains('*') {
        let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
        entries
            .filter(|e| glob_match(head, &e.file_name().to_string_lossy()))
            .map(|e| e.path())
            .collect()
    } else {
        vec![root.join(head)]
    };
    here.sort();
    if rest.is_empty() {
        here.retain(|p| p.is_file());
        here
    } else {
        here.iter().flat_map(|p| expand(p, rest)).collect()
    }
}

/// Whether `text` matches a pattern in which `*` stands for any text.
pub fn glob_match(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => text.strip_prefix(head).is_some_and(|rest| {
            rest.char_indices()
                .map(|(i, _)| i)
                .chain([rest.len()])
                .any(|i| glob_match(tail, &rest[i..]))
        }),
    }
}

/// A program beside the running one, or one directory up (tests run from `deps`).
pub fn sibling(name: &str) -> Option<PathBuf> {
    let exe = std::env::current_exe().ok()?;
    exe.ancestors().skip(1).take(2).map(|d| d.join(name)).find(|p| p.is_file())
}

/// A program as the shell would find it; the name itself where it would not.
pub fn on_path(program: &str) -> PathBuf {
    let direct = PathBuf::from(program);
    if program.contains('/') {
        return direct;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|d| d.join(program)).find(|p| p.is_file()).unwrap_or(direct)
}

/// Writes a worker's source where runtimes can read it: the user's cache, else the temporary
/// directory; keyed by its content, so that versions stand side by side.
pub fn unpack(name: &str, source: &str) -> Result<PathBuf, Absence> {
    let key = hex(&Sha256::digest(source.as_bytes()))[..12].to_owned();
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|p| p.is_absolute())
        .or_else(|| home().map(|h| h.join(".cache")));
    let temporary =
        std::env::temp_dir().join(format!("amdahl-{}", rustix::process::getuid().as_raw()));
    let mut last = None;
    for base in cache.into_iter().map(|c| c.join("amdahl")).chain([temporary]) {
        let path = base.join("workers").join(&key).join(name);
        match place(&path, source) {
            Ok(()) => return Ok(path),
            Err(e) => last = Some((path, e)),
        }
    }
    let (path, e) = last.expect("at least one place was tried");
    Err(Absence {
        reason: format!("the worker can't be unpacked: {}: {e}", tilde(&path)),
        remedy: Some("set XDG_CACHE_HOME or TMPDIR to a directory you can write".to_owned()),
    })
}

fn place(path: &Path, source: &str) -> std::io::Result<()> {
    if std::fs::read_to_string(path).is_ok_and(|text| text == source) {
        return Ok(());
    }
    let dir = path.parent().expect("the path has a directory");
    std::fs::create_dir_all(dir)?;
    // Renamed into place: another amdahl may read it right now.
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    std::io::Write::write_all(&mut file, source.as_bytes())?;
    file.persist(path).map_err(|e| e.error)?;
    Ok(())
}

/// `sha256:` of a file; absent where it can't be read.
pub fn hash(path: &Path) -> Option<String> {
    let bytes = std::fs::read(path).ok()?;
    Some(format!("sha256:{}", hex(&Sha256::digest(&bytes))))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Where a runtime lies, in a word, to tell two of one version apart.
pub fn label(path: &Path) -> &'static str {
    let text = path.to_string_lossy();
    let places =
        [(".pyenv", "pyenv"), ("/uv/", "uv"), ("/.tools/", "tools"), ("/usr/local", "local")];
    places
        .iter()
        .find(|(part, _)| text.contains(part))
        .map_or(if text.starts_with("/usr") { "system" } else { "other" }, |(_, name)| name)
}

/// A path as records show it: relative to the current directory, or with the home directory written `~`.
pub fn tilde(path: &Path) -> String {
    let here = std::env::current_dir().ok().filter(|d| d.parent().is_some());
    if let Some(rest) = here.and_then(|h| path.strip_prefix(h).ok().map(Path::to_owned)) {
        return rest.display().to_string();
    }
    match home().and_then(|h| path.strip_prefix(h).ok().map(Path::to_owned)) {
        Some(rest) => format!("~/{}", rest.display()),
        None => path.display().to_string(),
    }
}

fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").map(PathBuf::from).filter(|h| h.is_absolute() && h.parent().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_toml_is_whole() {
        assert!(lang("rust").binary.is_some());
        let python = lang("python");
        assert!(python.ask.contains("amdahl impl=") && python.oldest < python.newest);
    }

    #[test]
    fn globs_match_like_a_shell() {
        for (pattern, text, matches) in [
            ("python3.*", "python3.13", true),
            ("python3.*", "python3", false),
            ("*", "", true),
            ("a*b*c", "aXbYbc", true),
            ("a*b", "aXbY", false),
            ("rust/*", "rust/threads", true),
        ] {
            assert_eq!(glob_match(pattern, text), matches, "{pattern} {text}");
        }
    }

    #[test]
    fn search_takes_each_file_once_and_leaves_config_scripts_out() {
        let dir = tempfile::tempdir().unwrap();
        let bin = dir.path().join("versions/3.9/bin");
        std::fs::create_dir_all(&bin).unwrap();
        for name in ["python3", "python3.9-config"] {
            std::fs::write(bin.join(name), "").unwrap();
        }
        std::os::unix::fs::symlink("python3", bin.join("python3.9")).unwrap();
        assert_eq!(expand(dir.path(), "versions/*/bin/python3*").len(), 3);
    }

    #[test]
    fn unpacking_twice_gives_one_file_with_the_content() {
        let a = unpack("python/t.py", "x = 1\n").unwrap();
        assert_eq!(a, unpack("python/t.py", "x = 1\n").unwrap());
        assert_eq!(std::fs::read_to_string(&a).unwrap(), "x = 1\n");
        assert_ne!(a, unpack("python/t.py", "x = 2\n").unwrap());
    }
}
