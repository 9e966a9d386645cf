//! Finds runtimes, asks each what it is, and says hello to its worker: asked, never assumed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use amdahl_schema::{Absence, AbsentModel, Runtime};

use super::ask;
use super::build::Recipe;
use super::candidates;
use super::hello::Hello;
use super::link::{HELLO_LIMIT, Launcher, LinkError, WorkerSpec};
use super::places::{self, Lang};
use super::wire::Line;
use crate::Unable;

/// A runtime with a worker that answered.
#[derive(Debug, Clone)]
pub struct Found {
    /// Receipt.
    pub runtime: Runtime,
    /// How to start its worker.
    pub spec: WorkerSpec,
    /// What the worker said.
    pub hello: Hello,
    /// Spawn to hello.
    pub hello_ns: u64,
}

impl Found {
    /// Ids of its models.
    pub fn models(&self) -> impl Iterator<Item = String> + '_ {
        self.hello.mechanisms.iter().map(|m| model_id(&self.runtime.id, m))
    }

    /// The mechanism of one of its models.
    pub fn mechanism(&self, model: &str) -> Option<&str> {
        self.models()
            .zip(&self.hello.mechanisms)
            .find(|(id, _)| id == model)
            .map(|(_, m)| m.as_str())
    }
}

/// `runtime[+variant]/mechanism[@label]` of a runtime's id, which has the label at its end.
fn model_id(runtime: &str, mechanism: &str) -> String {
    match runtime.split_once('@') {
        Some((base, label)) => format!("{base}/{mechanism}@{label}"),
        None => format!("{runtime}/{mechanism}"),
    }
}

/// All that discovery found.
#[derive(Debug, Clone, Default)]
pub struct Discovery {
    /// Usable runtimes: languages in fixed order, newest version first.
    pub found: Vec<Found>,
    /// Models that keep their row with the reason.
    pub absent: Vec<AbsentModel>,
}

impl Discovery {
    /// The runtime of a model.
    pub fn of(&self, model: &str) -> Option<&Found> {
        self.found.iter().find(|f| f.mechanism(model).is_some())
    }

    /// All model ids.
    pub fn models(&self) -> Vec<String> {
        self.found.iter().flat_map(Found::models).collect()
    }
}

/// Finds the built-in workers' runtimes and the user's own.
///
/// `own` is `NAME=CMD`, `runtimes` is `LANG=PATH`, `locks` is `NAME=LIB.so`; what is wrong with those is an error, what is wrong
/// with something found by itself is an absence with its reason. `wanted` are patterns of models: workers that none of
/// them can mean are neither built nor started.
pub fn discover(
    launcher: &(dyn Launcher + Sync),
    own: &[String],
    runtimes: &[String],
    locks: &[String],
    wanted: &[String],
) -> Result<Discovery, Unable> {
    let langs = places::langs();
    let named = named_runtimes(runtimes, &langs)?;
    // Asking all compilers and virtual machines for their versions takes longer than many a comparison of two models.
    let asked: Vec<&Lang> = langs
        .iter()
        .filter(|l| wanted.is_empty() || wanted.iter().any(|p| may_mean_lang(p, &l.name)))
        .collect();
    let mut candidates = all_candidates(&asked, &named, own, locks)?;
    if wanted.iter().all(|p| candidates.iter().any(|c| may_mean(p, &c.id))) {
        candidates.retain(|c| wanted.is_empty() || wanted.iter().any(|p| may_mean(p, &c.id)));
    } else {
        // A pattern that means nothing is somebody's mistake, and wants to see what there is.
        candidates = all_candidates(&langs.iter().collect::<Vec<_>>(), &named, own, locks)?;
    }
    let mut discovery = Discovery::default();
    for (candidate, greeted) in greet_all(launcher, candidates) {
        match greeted {
            Ok(found) => {
                discovery.absent.extend(mechanisms_absent(&found));
                discovery.found.push(found);
            }
            Err(why) => discovery.absent.push(AbsentModel { model: candidate, why }),
        }
    }
    for lang in &langs {
        discovery.absent.extend(rows_without_runtime(lang, &discovery));
    }
    Ok(discovery)
}

/// What may be a runtime of these languages, ours and the user's own.
fn all_candidates(
    langs: &[&Lang],
    named: &[(String, PathBuf)],
    own: &[String],
    locks: &[String],
) -> Result<Vec<Candidate>, Unable> {
    let mut candidates = vec![rust_candidate(locks)?];
    for lang in langs {
        candidates.extend(candidates::of(lang, named)?);
    }
    for candidate in own_candidates(own)? {
        if candidates.iter().any(|c| c.id == candidate.id) {
            let text = format!("--worker {}=…: the name is taken, choose another", candidate.id);
            return Err(Unable(text));
        }
        candidates.push(candidate);
    }
    Ok(candidates)
}

/// Whether a pattern of models may mean one of a runtime's; its label stands after the mechanism.
fn may_mean(pattern: &str, id: &str) -> bool {
    let runtime = pattern.split_once('/').map_or(pattern, |(runtime, _)| runtime);
    places::glob_match(runtime, id.split('@').next().unwrap_or(id))
}

/// Whether it may mean a runtime of a language, whose ids are the language's name and a version.
fn may_mean_lang(pattern: &str, lang: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern.starts_with(lang),
        Some((head, _)) => head.starts_with(lang) || lang.starts_with(head),
    }
}

/// `--runtime LANG=PATH`, each with its language.
fn named_runtimes(runtimes: &[String], langs: &[Lang]) -> Result<Vec<(String, PathBuf)>, Unable> {
    let one = |text: &String| {
        let (name, path) = key_value("--runtime", text)?;
        if !langs.iter().any(|l| l.name == name) {
            let known: Vec<&str> = langs.iter().map(|l| l.name.as_str()).collect();
            let known = known.join(", ");
            return Err(Unable(format!("--runtime {text}: no runtime {name}; there are {known}")));
        }
        Ok((name.to_owned(), PathBuf::from(path)))
    };
    runtimes.iter().map(one).collect()
}

/// Rows of the table of models that no runtime found here fills: `python3.13t/threads` is filled by any
/// free-threaded CPython, `java/virtual` by any Java that offers it.
fn rows_without_runtime(lang: &Lang, discovery: &Discovery) -> Vec<AbsentModel> {
    let mine = |id: &str| {
        id.strip_prefix(&lang.name).is_some_and(|rest| !rest.starts_with(char::is_alphabetic))
    };
    let any = discovery.found.iter().any(|f| mine(&f.runtime.id));
    let known = |model: &str| {
        let (runtime, mechanism) = model.split_once('/').unwrap_or((model, ""));
        let free_threaded = runtime.ends_with('t') && runtime.contains('.');
        let fills = |id: &str| {
            let (r, m) = id.split_once('/').unwrap_or((id, ""));
            let base = r.split(['+', '@']).next().unwrap_or(r);
            mine(r)
                && m.split('@').next() == Some(mechanism)
                && (!free_threaded || base.ends_with('t') || base.ends_with(')'))
        };
        discovery.models().iter().any(|id| fills(id))
            || discovery.absent.iter().any(|a| fills(&a.model))
    };
    let why = |model: &String| {
        let free_threaded = model.contains("t/") && model.contains('.');
        let reason = match (any, free_threaded) {
            (_, true) => "no free-threaded CPython found".to_owned(),
            (true, _) => "no runtime found here offers it".to_owned(),
            (false, _) => {
                format!("no runtime of {} found on PATH or in its usual places", lang.name)
            }
        };
        let why = Absence { reason, remedy: Some(lang.remedy.clone()) };
        AbsentModel { model: model.clone(), why }
    };
    lang.models.iter().filter(|m| !known(m)).map(why).collect()
}

/// Mechanisms that a worker says its runtime lacks: `absent.virtual=reason`.
fn mechanisms_absent(found: &Found) -> Vec<AbsentModel> {
    let one = |(key, reason): &(String, String)| {
        let mechanism = key.strip_prefix("absent.")?;
        let why = Absence { reason: reason.clone(), remedy: None };
        Some(AbsentModel { model: model_id(&found.runtime.id, mechanism), why })
    };
    found.hello.pairs.iter().filter_map(one).collect()
}

/// Something that may become a [`Found`], or is known not to.
pub(super) struct Candidate {
    /// Runtime id.
    pub(super) id: String,
    /// Mechanism for the row it keeps if it can't be used.
    pub(super) row: String,
    /// Receipt as far as known.
    pub(super) runtime: Runtime,
    /// How to get its worker.
    pub(super) worker: Result<Worker, Absence>,
    /// Mechanisms that are measured; empty is all.
    pub(super) only: Vec<String>,
}

/// A worker to be started, or to be made first.
pub(super) enum Worker {
    Ready(WorkerSpec),
    ToMake(Box<Recipe>),
}

/// The Rust worker is this program under another name.
/// The Rust worker, with the user's locks: it loads a library when a cell asks for its lock.
fn rust_candidate(locks: &[String]) -> Result<Candidate, Unable> {
    let path = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("amdahl"));
    let mut argv = vec![path.clone().into(), "worker".into()];
    let mut known = amdahl_worker::Program::new().lock_names();
    for text in locks {
        let (name, file) = key_value("--lock", text)?;
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._+-".contains(&b)) {
            return Err(Unable(format!(
                "--lock {text}: a name has letters, digits and . _ + - only"
            )));
        }
        if known.iter().any(|k| k == name) {
            return Err(Unable(format!("--lock {text}: the name is taken, choose another")));
        }
        known.push(name.to_owned());
        let file =
            std::fs::canonicalize(file).map_err(|e| Unable(format!("--lock {text}: {e}")))?;
        argv.extend(["--lock".into(), format!("{name}={}", file.display()).into()]);
    }
    let spec = WorkerSpec { argv, env: Vec::new(), env_pad_bytes: 0 };
    Ok(Candidate {
        id: "rust".to_owned(),
        row: "threads".to_owned(),
        runtime: receipt("rust", "rust", &path),
        worker: Ok(Worker::Ready(spec)),
        only: Vec::new(),
    })
}

fn own_candidates(own: &[String]) -> Result<Vec<Candidate>, Unable> {
    own.iter()
        .map(|text| {
            let (name, command) = key_value("--worker", text)?;
            let words = shlex::split(command).filter(|w| !w.is_empty()).ok_or_else(|| {
                Unable(format!("--worker {text}: the command has an open quote or is empty"))
            })?;
            if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._+-".contains(&b)) {
                return Err(Unable(format!(
                    "--worker {text}: a name has letters, digits and . _ + - only"
                )));
            }
            let runtime = receipt(name, "own", &places::on_path(&words[0]));
            let argv = words.into_iter().map(Into::into).collect();
            let spec = WorkerSpec { argv, env: Vec::new(), env_pad_bytes: 0 };
            Ok(Candidate {
                id: name.to_owned(),
                row: "threads".to_owned(),
                runtime,
                worker: Ok(Worker::Ready(spec)),
                only: Vec::new(),
            })
        })
        .collect()
}

fn key_value<'a>(flag: &str, text: &'a str) -> Result<(&'a str, &'a str), Unable> {
    text.split_once('=')
        .filter(|(k, v)| !k.is_empty() && !v.is_empty())
        .ok_or_else(|| Unable(format!("{flag} {text}: NAME=VALUE expected")))
}

pub(super) fn receipt(id: &str, lang: &str, path: &Path) -> Runtime {
    Runtime {
        id: id.to_owned(),
        lang: lang.to_owned(),
        version: String::new(),
        path: places::tilde(path),
        hash: places::hash(path),
        gil: None,
        details: BTreeMap::new(),
    }
}

/// Makes every candidate's worker and says hello to it, two at a time, in order.
fn greet_all(
    launcher: &(dyn Launcher + Sync),
    candidates: Vec<Candidate>,
) -> Vec<(String, Result<Found, Absence>)> {
    ask::two_at_a_time(candidates, |c| {
        let row = model_id(&c.id, &c.row);
        let made = c.worker.and_then(|worker| match worker {
            Worker::Ready(spec) => Ok(spec),
            Worker::ToMake(recipe) => recipe.make(),
        });
        (row, made.and_then(|spec| greet(launcher, c.runtime, spec, &c.only)))
    })
}

fn greet(
    launcher: &(dyn Launcher + Sync),
    mut runtime: Runtime,
    spec: WorkerSpec,
    only: &[String],
) -> Result<Found, Absence> {
    let begin = Instant::now();
    let mut hello = hello_once(launcher, &spec).map_err(|e| Absence {
        reason: e.to_string(),
        remedy: Some(format!("run it by hand and type `hello v=1`: {}", command_text(&spec))),
    })?;
    let hello_ns = begin.elapsed().as_nanos() as u64;
    lock_as_named(&runtime, &hello)?;
    hello.mechanisms.retain(|m| only.is_empty() || only.contains(m));
    runtime.version.clone_from(&hello.version);
    runtime.gil = hello.gil.or(runtime.gil);
    if runtime.lang == "own" {
        runtime.lang.clone_from(&hello.lang);
    }
    let known = ["v", "lang", "runtime", "pid", "gil", "workloads", "mechanisms", "features"];
    let rest = hello.pairs.iter().filter(|(k, _)| !known.contains(&k.as_str()));
    runtime.details = rest.cloned().collect();
    Ok(Found { runtime, spec, hello, hello_ns })
}

/// A free-threaded build must run without its lock, its `+gil` twin with it: asked after all imports.
fn lock_as_named(runtime: &Runtime, hello: &Hello) -> Result<(), Absence> {
    let base = runtime.id.split('@').next().unwrap_or("");
    let (build, variant) = base.split_once('+').unwrap_or((base, ""));
    if runtime.lang != "python" || !build.ends_with('t') || hello.gil == Some(variant == "gil") {
        return Ok(());
    }
    let by = hello.pairs.iter().find(|(k, _)| k == "gil_reenabled_by").map(|(_, module)| module);
    let reason = match (hello.gil, by) {
        (Some(true), Some(module)) => {
            format!("importing {module} turned the lock on, although this build can do without")
        }
        (Some(true), None) => {
            "the lock is on, although this build can do without: PYTHON_GIL or -X gil is set".into()
        }
        _ => "the lock is off, although PYTHON_GIL=1 was given".to_owned(),
    };
    Err(Absence { reason, remedy: Some("unset PYTHON_GIL".to_owned()) })
}

fn hello_once(launcher: &(dyn Launcher + Sync), spec: &WorkerSpec) -> Result<Hello, LinkError> {
    let mut link = launcher.launch(spec)?;
    link.send(&Line::new("hello").with("v", 1));
    let line = link.expect("hello", "at hello", HELLO_LIMIT)?;
    let hello = Hello::parse(&line)
        .map_err(|source| LinkError::Garbage { when: "at hello".to_owned(), source })?;
    link.finish(false);
    Ok(hello)
}

fn command_text(spec: &WorkerSpec) -> String {
    let words: Vec<_> = spec.argv.iter().map(|w| w.to_string_lossy().into_owned()).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(text: &str) -> Hello {
        Hello::parse(&Line::parse(text).unwrap()).unwrap()
    }

    fn found(id: &str, text: &str) -> Found {
        let spec = WorkerSpec { argv: vec!["x".into()], env: Vec::new(), env_pad_bytes: 0 };
        let runtime = receipt(id, "python", Path::new("/x"));
        Found { runtime, spec, hello: hello(text), hello_ns: 1 }
    }

    #[test]
    fn patterns_mean_runtimes_by_their_part_before_the_slash() {
        for (pattern, id, may) in [
            ("rust/*", "rust", true),
            ("rust/*", "python3.13", false),
            ("*/threads", "go1.26", true),
            ("python3.11/threads@pyenv", "python3.11@pyenv", true),
            ("*", "node20", true),
        ] {
            assert_eq!(may_mean(pattern, id), may, "{pattern} {id}");
        }
    }

    #[test]
    fn languages_that_no_pattern_can_mean_are_not_asked() {
        for (pattern, lang, may) in [
            ("rust/threads", "python", false),
            ("python3.13/threads", "python", true),
            ("py*", "python", true),
            ("go1*", "go", true),
            ("*/threads", "java", true),
            ("n*", "go", false),
        ] {
            assert_eq!(may_mean_lang(pattern, lang), may, "{pattern} {lang}");
        }
    }

    #[test]
    fn what_a_worker_lacks_becomes_a_row() {
        let found = found(
            "java17@system",
            "hello v=1 lang=java runtime=17 workloads=cpu,serial,mem mechanisms=threads,virtual \
             except=virtual:serial,*:mem absent.fibers=needs%20a%20newer%20JDK",
        );
        assert_eq!(found.hello.workloads_of("threads"), ["cpu", "serial"]);
        assert_eq!(found.hello.workloads_of("virtual"), ["cpu"]);
        let absent = mechanisms_absent(&found);
        assert_eq!(absent[0].model, "java17/fibers@system");
        assert_eq!(absent[0].why.reason, "needs a newer JDK");
    }

    #[test]
    fn rows_stay_for_what_no_runtime_fills() {
        let python = places::langs().into_iter().find(|l| l.name == "python").unwrap();
        let text = "hello v=1 lang=python runtime=3.13 gil=1 workloads=cpu mechanisms=threads";
        let rows = |ids: &[&str]| -> Vec<String> {
            let found = ids.iter().map(|id| found(id, text)).collect();
            let discovery = Discovery { found, absent: Vec::new() };
            rows_without_runtime(&python, &discovery).into_iter().map(|a| a.model).collect()
        };
        assert_eq!(rows(&["rust"]), ["python/threads", "python3.13t/threads"]);
        assert_eq!(rows(&["python3.12"]), ["python3.13t/threads"]);
        assert!(rows(&["python3.14t@tools", "python3.12"]).is_empty());
    }

    #[test]
    fn a_free_threaded_build_with_its_lock_on_is_no_free_threaded_model() {
        let says = |more: &str| hello(&format!("hello v=1 lang=python runtime=3.13t {more}"));
        let named = |id: &str| receipt(id, "python", Path::new("/x"));
        assert!(lock_as_named(&named("python3.13t"), &says("gil=0")).is_ok());
        assert!(lock_as_named(&named("python3.13t+gil@tools"), &says("gil=1")).is_ok());
        assert!(lock_as_named(&named("python3.13"), &says("gil=1")).is_ok());
        let why = |id, hello| lock_as_named(&named(id), &hello).unwrap_err().reason;
        assert!(why("python3.13t", says("gil=1 gil_reenabled_by=_foo")).contains("_foo"));
        assert!(why("python3.13t@tools", says("gil=1")).contains("PYTHON_GIL"));
        assert!(why("python3.13t+gil", says("gil=0")).contains("the lock is off"));
    }
}
