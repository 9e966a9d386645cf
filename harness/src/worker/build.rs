//! Makes a worker ready to start: unpacks its files and, where the language is compiled, builds it once.
//!
//! What was built lies in the user's cache (`cache`), keyed by the files, the command and the runtime's version.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use amdahl_schema::Absence;

use super::ask::output_within;
use super::cache::{self, Cache, Refused};
use super::link::WorkerSpec;
use super::places::{self, Lang, tilde};
use super::sources;

/// Longest build; Go compiles its standard library the first time.
const BUILD_LIMIT: Duration = Duration::from_secs(240);

/// One build at a time: two variants of a runtime share a worker.
static BUILDING: Mutex<()> = Mutex::new(());

/// Why there is no worker.
enum Failed {
    /// Another cache may take it.
    ToPlace(Refused),
    /// No cache helps.
    ToBuild(Absence),
}

impl From<Refused> for Failed {
    fn from(why: Refused) -> Self {
        Self::ToPlace(why)
    }
}

/// A runtime for which a worker is wanted.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// Language.
    pub lang: Lang,
    /// The runtime's program.
    pub runtime: PathBuf,
    /// Its version.
    pub version: Vec<u32>,
    /// Added to the environment of the worker.
    pub env: BTreeMap<String, String>,
}

impl Recipe {
    /// How to start its worker, after building it if need be.
    pub fn make(&self) -> Result<WorkerSpec, Absence> {
        self.make_in(&cache::all())
    }

    /// In the first of the caches that takes it.
    fn make_in(&self, caches: &[Cache]) -> Result<WorkerSpec, Absence> {
        let mut refused = Vec::new();
        for cache in caches {
            match self.make_at(cache) {
                Ok(spec) => return Ok(spec),
                Err(Failed::ToBuild(why)) => return Err(why),
                Err(Failed::ToPlace(why)) => refused.push(why.to_string()),
            }
        }
        Err(Absence {
            reason: format!("the worker can't be unpacked: {}", refused.join("; ")),
            remedy: Some("set XDG_CACHE_HOME or TMPDIR to a directory you can write".to_owned()),
        })
    }

    fn make_at(&self, cache: &Cache) -> Result<WorkerSpec, Failed> {
        let lang = &self.lang;
        let src = cache.unpack(&lang.name, sources::files(&lang.name))?;
        let mut names = BTreeMap::from([
            ("runtime", self.runtime.clone()),
            ("cache", cache.root.clone()),
            ("src", src.clone()),
        ]);
        if !lang.build.is_empty() {
            for tool in &lang.tools {
                names.insert(tool, self.tool(tool).map_err(Failed::ToBuild)?);
            }
            let out = self.built(cache, &src, &mut names)?;
            names.insert("out", out);
        }
        let env = lang.env.iter().chain(&self.env);
        let env = env.map(|(k, v)| (k.clone(), fill(v, &names).to_string_lossy().into_owned()));
        let argv = lang.run.iter().map(|word| fill(word, &names)).collect();
        Ok(WorkerSpec { argv, env: env.collect(), env_pad_bytes: 0 })
    }

    /// The folder of the built worker.
    fn built<'a>(
        &'a self,
        cache: &Cache,
        src: &Path,
        names: &mut BTreeMap<&'a str, PathBuf>,
    ) -> Result<PathBuf, Failed> {
        let lang = &self.lang;
        let numbers: Vec<String> = self.version.iter().map(u32::to_string).collect();
        let folder = src.display().to_string();
        let words = lang.build.iter().map(String::as_str);
        let key = cache::key(words.chain([folder.as_str(), &numbers.join(".")]));
        let _one = BUILDING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(built) = cache.built(&lang.name, &key) {
            return Ok(built);
        }
        let fresh = cache.fresh()?;
        eprintln!("amdahl: building the worker for {} {} (once)", lang.name, numbers.join("."));
        names.insert("out", fresh.path().to_owned());
        let words = lang.build.iter().flat_map(|word| match word.as_str() {
            "{files}" => lang.files.clone(),
            _ => vec![word.clone()],
        });
        let argv: Vec<OsString> = words.map(|word| fill(&word, names)).collect();
        let mut command = Command::new(&argv[0]);
        command.args(&argv[1..]).current_dir(src);
        command.envs(lang.env.iter().map(|(k, v)| (k, fill(v, names))));
        output_within(&mut command, BUILD_LIMIT).map_err(|e| {
            let what = argv[0].to_string_lossy();
            Failed::ToBuild(Absence {
                reason: format!("its worker can't be built: {what}: {e}"),
                remedy: Some(format!("mend what it says, or {}", lang.remedy)),
            })
        })?;
        Ok(cache.keep(fresh, &lang.name, &key)?)
    }

    /// A program the build needs: beside the runtime, on PATH, or beside another runtime of the language.
    fn tool(&self, tool: &str) -> Result<PathBuf, Absence> {
        let real = std::fs::canonicalize(&self.runtime).unwrap_or_else(|_| self.runtime.clone());
        let beside = |path: &Path| Some(path.parent()?.join(tool)).filter(|p| p.is_file());
        let on_path = || Some(places::on_path(tool)).filter(|p| p.is_file());
        let others = || places::search(&self.lang).iter().find_map(|p| beside(p));
        beside(&real).or_else(on_path).or_else(others).ok_or_else(|| Absence {
            reason: format!(
                "{} has no compiler: {tool} is neither beside it nor on PATH",
                tilde(&self.runtime)
            ),
            remedy: Some(self.lang.remedy.clone()),
        })
    }
}

/// `{name}` replaced by its path.
fn fill(word: &str, names: &BTreeMap<&str, PathBuf>) -> OsString {
    let mut word = word.to_owned();
    for (name, path) in names {
        word = word.replace(&format!("{{{name}}}"), &path.to_string_lossy());
    }
    word.into()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A compiler that counts how often it was called, and makes a worker or fails.
    fn compiler(dir: &Path, body: &str) -> Recipe {
        let path = dir.join("cc");
        std::fs::write(&path, format!("#!/bin/sh\necho x >> {}/calls\n{body}\n", dir.display()))
            .unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let cpp = places::langs().into_iter().find(|l| l.name == "cpp").unwrap();
        let lang = Lang {
            build: ["{runtime}", "{out}/worker", "{files}"].map(str::to_owned).to_vec(),
            env: BTreeMap::from([("CACHE".to_owned(), "{cache}/x".to_owned())]),
            ..cpp
        };
        let env = BTreeMap::from([("P".to_owned(), "1".to_owned())]);
        Recipe { lang, runtime: path, version: vec![12, 2], env }
    }

    fn caches(dir: &tempfile::TempDir) -> [Cache; 1] {
        [Cache { root: dir.path().join("cache") }]
    }

    #[test]
    fn a_worker_is_built_once_for_each_version() {
        let dir = tempfile::tempdir().unwrap();
        let body =
            "echo $CACHE > $1; shift; for f; do [ -f $f ] && echo $f >> $CACHE.files; done; true";
        let mut recipe = compiler(dir.path(), body);
        let caches = caches(&dir);
        let spec = recipe.make_in(&caches).unwrap();
        assert_eq!(recipe.make_in(&caches).unwrap().argv, spec.argv);
        let made = std::fs::read_to_string(&spec.argv[0]).unwrap();
        assert_eq!(made.trim(), caches[0].root.join("x").display().to_string());
        let given = std::fs::read_to_string(caches[0].root.join("x.files")).unwrap();
        assert_eq!(given.lines().collect::<Vec<_>>(), recipe.lang.files);
        assert!(spec.env.contains(&("P".to_owned(), "1".to_owned())));
        recipe.version = vec![13];
        assert_ne!(recipe.make_in(&caches).unwrap().argv, spec.argv);
        let calls = std::fs::read_to_string(dir.path().join("calls")).unwrap();
        assert_eq!(calls.lines().count(), 2);
    }

    #[test]
    fn a_build_that_fails_is_an_absence_with_the_compiler_s_words() {
        let dir = tempfile::tempdir().unwrap();
        let recipe = compiler(dir.path(), "echo 'worker.cpp:1: no such thing' >&2; exit 1");
        let why = recipe.make_in(&caches(&dir)).unwrap_err();
        assert!(why.reason.contains("worker.cpp:1: no such thing"), "{}", why.reason);
        let left = std::fs::read_dir(dir.path().join("cache/built")).unwrap().count();
        assert_eq!(left, 0, "nothing half-built stays");
    }

    #[test]
    fn where_one_place_refuses_the_next_one_serves() {
        let dir = tempfile::tempdir().unwrap();
        let recipe = compiler(dir.path(), "echo > $1");
        std::fs::write(dir.path().join("file"), "").unwrap();
        let refusing = Cache { root: dir.path().join("file/x") };
        let [cache] = caches(&dir);
        // One that took the files and can take no more.
        let half = Cache { root: dir.path().join("half") };
        half.unpack("cpp", sources::files("cpp")).unwrap();
        std::fs::write(half.root.join("built"), "").unwrap();
        let spec = recipe.make_in(&[refusing.clone(), half, cache.clone()]).unwrap();
        assert!(Path::new(&spec.argv[0]).starts_with(&cache.root), "{:?}", spec.argv);
        let why = recipe.make_in(&[refusing]).unwrap_err();
        assert!(why.reason.contains("file/x"), "{}", why.reason);
        assert!(why.remedy.unwrap().contains("XDG_CACHE_HOME"));
    }

    #[test]
    fn a_missing_tool_is_named_with_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let mut recipe = compiler(dir.path(), "true");
        recipe.lang.tools = vec!["no-such-tool".to_owned()];
        let why = recipe.make_in(&caches(&dir)).unwrap_err();
        assert!(why.reason.contains("no-such-tool"), "{}", why.reason);
    }
}
