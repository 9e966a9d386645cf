//! Where runtimes lie on disk; asks nothing, starts nothing and writes nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

/// A language of workers.toml, which says what each key means.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lang {
    /// Its name, the key of the table.
    #[serde(skip)]
    pub name: String,
    /// File names on PATH.
    pub names: Vec<String>,
    /// Further places.
    pub globs: Vec<String>,
    /// Directories of PATH that are left out, by their last name.
    pub skip_dirs: Vec<String>,
    /// Endings of names that are left out.
    pub skip_suffixes: Vec<String>,
    /// Arguments that make it say its version.
    pub ask: Vec<String>,
    /// Name in model ids.
    pub id: String,
    /// Only the first one found is used.
    pub first_only: bool,
    /// Oldest version, major and minor.
    pub oldest: [u32; 2],
    /// Newest; absent is any.
    pub newest: Option<[u32; 2]>,
    /// The worker's files.
    pub files: Vec<String>,
    /// Programs the build needs besides.
    pub tools: Vec<String>,
    /// Makes the worker.
    pub build: Vec<String>,
    /// Starts it.
    pub run: Vec<String>,
    /// Environment of both.
    pub env: BTreeMap<String, String>,
    /// Folders that the build keeps in the cache.
    pub clean: Vec<String>,
    /// The same runtime under another name.
    pub variants: Vec<Variant>,
    /// Rows that stay with the reason if none is found.
    pub models: Vec<String>,
    /// What to do when nothing is found.
    pub remedy: String,
}

/// The same runtime with another environment.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Variant {
    /// After the `+` in model ids.
    pub name: String,
    /// Only of a build without a global lock.
    pub free_threaded: bool,
    /// Added to the environment.
    pub env: BTreeMap<String, String>,
    /// Mechanisms that are measured; empty is all.
    pub only: Vec<String>,
}

/// The order of the table of models.
const ORDER: [&str; 5] = ["cpp", "go", "java", "node", "python"];

/// The languages of workers.toml, which is part of the program, in the order of the table of models.
pub fn langs() -> Vec<Lang> {
    let mut all: BTreeMap<String, Lang> =
        toml::from_str(include_str!("../../workers/workers.toml"))
            .expect("workers.toml is checked by a test");
    let named = |name: &str| Some(Lang { name: name.to_owned(), ..all.remove(name)? });
    ORDER.into_iter().filter_map(named).collect()
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
    if head.is_empty() {
        return vec![(PathBuf::from("/"), rest.to_owned())];
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

/// A program as the shell would find it; the name itself where it would not.
pub fn on_path(program: &str) -> PathBuf {
    let direct = PathBuf::from(program);
    if program.contains('/') {
        return direct;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|d| d.join(program)).find(|p| p.is_file()).unwrap_or(direct)
}

/// `sha256:` of a file; absent where it can't be read.
pub fn hash(path: &Path) -> Option<String> {
    let bytes = std::fs::read(path).ok()?;
    Some(format!("sha256:{}", hex(&Sha256::digest(&bytes))))
}

pub(super) fn hex(bytes: &[u8]) -> String {
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

/// The user's home directory; absent where none is set, or it is no directory of its own.
pub(super) fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").map(PathBuf::from).filter(|h| h.is_absolute() && h.parent().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_toml_is_whole() {
        let langs = langs();
        let names: Vec<&str> = langs.iter().map(|l| l.name.as_str()).collect();
        assert_eq!(names, ORDER);
        let text = include_str!("../../workers/workers.toml");
        assert_eq!(text.lines().filter(|l| l.starts_with('[')).count(), ORDER.len());
        for lang in langs {
            assert!(!lang.ask.is_empty() && !lang.run.is_empty() && !lang.files.is_empty());
            assert!(!lang.models.is_empty() && !lang.remedy.is_empty(), "{}", lang.name);
            assert!(lang.newest.is_none_or(|newest| lang.oldest < newest));
        }
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
        assert_eq!(roots("/usr/*/bin/go"), [(PathBuf::from("/"), "usr/*/bin/go".to_owned())]);
    }
}
