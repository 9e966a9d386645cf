//! Finds runtimes, asks each what it is, and says hello to its worker: asked, never assumed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Instant;

use amdahl_schema::{Absence, AbsentModel, Runtime};

use super::ask::{self, Answer};
use super::link::{HELLO_LIMIT, Launcher, LinkError, WorkerSpec};
use super::places::{self, Lang};
use super::wire::{Line, WireError};
use crate::Unable;

/// The longest lead a worker may ask for.
const LEAD_NS_MAX: u64 = 5_000_000_000;

/// What a worker said of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hello {
    /// Language.
    pub lang: String,
    /// Version of its runtime.
    pub version: String,
    /// Whether a global interpreter lock is on; absent where the language has none.
    pub gil: Option<bool>,
    /// The lock's switch interval.
    pub switch_ns: Option<u64>,
    /// How long before the start it wants to see `go`.
    pub lead_ns: u64,
    /// What times an operation.
    pub timer: Option<String>,
    /// Measured cost of it.
    pub timer_cost_ps: Option<u64>,
    /// Workloads it offers.
    pub workloads: Vec<String>,
    /// Mechanisms it offers.
    pub mechanisms: Vec<String>,
    /// Protocol features.
    pub features: Vec<String>,
    /// Everything it said, for the receipt.
    pub pairs: Vec<(String, String)>,
}

impl Hello {
    /// Reads the answer to `hello`.
    pub fn parse(line: &Line) -> Result<Self, WireError> {
        if line.num::<u32>("v")? != 1 {
            return Err(line.wrong("protocol version 1 expected"));
        }
        let lead_ns = line.opt_num("lead_ns")?.unwrap_or(10_000_000);
        if lead_ns > LEAD_NS_MAX {
            return Err(line.wrong("`lead_ns` above 5 s"));
        }
        Ok(Self {
            lang: line.req("lang")?.to_owned(),
            version: line.req("runtime")?.to_owned(),
            gil: line.opt_num::<u8>("gil")?.map(|g| g != 0),
            switch_ns: line.opt_num("switch_ns")?,
            lead_ns,
            timer: line.opt("timer").map(str::to_owned),
            timer_cost_ps: line.opt_num("timer_cost_ps")?,
            workloads: line.list("workloads"),
            mechanisms: line.list("mechanisms"),
            features: line.list("features"),
            pairs: line.pairs.clone(),
        })
    }
}

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
        let (base, label) = match self.runtime.id.split_once('@') {
            Some((base, label)) => (base, format!("@{label}")),
            None => (self.runtime.id.as_str(), String::new()),
        };
        self.hello.mechanisms.iter().map(move |m| format!("{base}/{m}{label}"))
    }

    /// The mechanism of one of its models.
    pub fn mechanism(&self, model: &str) -> Option<&str> {
        self.models()
            .zip(&self.hello.mechanisms)
            .find(|(id, _)| id == model)
            .map(|(_, m)| m.as_str())
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
/// `own` is `NAME=CMD`, `runtimes` is `LANG=PATH`; what is wrong with those is an error, what is wrong
/// with something found by itself is an absence with its reason.
pub fn discover(
    launcher: &(dyn Launcher + Sync),
    own: &[String],
    runtimes: &[String],
) -> Result<Discovery, Unable> {
    let mut candidates = vec![rust_candidate()];
    candidates.extend(python_candidates(runtimes)?);
    for candidate in own_candidates(own)? {
        if candidates.iter().any(|c| c.id == candidate.id) {
            let text = format!("--worker {}=…: the name is taken, choose another", candidate.id);
            return Err(Unable(text));
        }
        candidates.push(candidate);
    }
    let mut discovery = Discovery::default();
    for (candidate, greeted) in greet_all(launcher, candidates) {
        match greeted {
            Ok(found) => discovery.found.push(found),
            Err(why) => discovery.absent.push(AbsentModel { model: candidate, why }),
        }
    }
    let lang = |id: &str| id.starts_with("python");
    if !discovery.found.iter().any(|f| lang(&f.runtime.id))
        && !discovery.absent.iter().any(|a| lang(&a.model) && a.model.ends_with("/threads"))
    {
        let why = Absence {
            reason: "no CPython found on PATH, in pyenv, in uv or in .tools/".to_owned(),
            remedy: Some(places::lang("python").remedy),
        };
        discovery.absent.push(AbsentModel { model: "python/threads".to_owned(), why });
    }
    Ok(discovery)
}

/// Something that may become a [`Found`], or is known not to.
struct Candidate {
    id: String,
    rest: Result<(Runtime, WorkerSpec), Absence>,
}

fn rust_candidate() -> Candidate {
    let lang = places::lang("rust");
    let name = lang.binary.clone().expect("workers.toml names the Rust worker's binary");
    let rest = places::sibling(&name).ok_or_else(|| Absence {
        reason: format!("{name} is not beside amdahl"),
        remedy: Some(lang.remedy),
    });
    let rest = rest.map(|path| {
        let runtime = receipt("rust", "rust", &path);
        (runtime, WorkerSpec { argv: vec![path.into()], env: Vec::new(), env_pad_bytes: 0 })
    });
    Candidate { id: "rust".to_owned(), rest }
}

fn python_candidates(runtimes: &[String]) -> Result<Vec<Candidate>, Unable> {
    let lang = places::lang("python");
    let source = places::unpack("python/worker.py", include_str!("../../workers/python/worker.py"));
    let mut paths: Vec<(PathBuf, bool)> = Vec::new();
    for text in runtimes {
        let (name, path) = key_value("--runtime", text)?;
        if name != "python" {
            return Err(Unable(format!("--runtime {text}: no runtime {name}; there is: python")));
        }
        paths.push((PathBuf::from(path), true));
    }
    paths.extend(places::search(&lang).into_iter().map(|p| (p, false)));
    let answers = ask::ask_all(&lang, &paths);
    let mut seen: Vec<PathBuf> = Vec::new();
    let mut asked: Vec<Answer> = Vec::new();
    for ((path, named), answer) in paths.into_iter().zip(answers) {
        match answer {
            Err(why) if named => {
                return Err(Unable(format!("--runtime python={}: {}", path.display(), why.reason)));
            }
            Err(why) => {
                log_stub(&mut asked, &path, why);
            }
            Ok(answer) => {
                // One named is measured as named: a virtual environment's python is a link to another.
                let known = |p: &PathBuf| seen.iter().any(|s| s == p);
                if named && !known(&path) || !named && !known(&answer.real) {
                    seen.extend([path, answer.real.clone()]);
                    asked.push(answer);
                }
            }
        }
    }
    Ok(name_pythons(asked, &lang, &source))
}

/// A python that can't even answer keeps a row under its path.
fn log_stub(asked: &mut Vec<Answer>, path: &Path, why: Absence) {
    asked.push(Answer {
        path: path.to_owned(),
        real: path.to_owned(),
        unusable: Some(why),
        ..Answer::default()
    });
}

/// Gives ids: newest first, `t` for free-threaded builds, a label from the second of a version on.
fn name_pythons(
    asked: Vec<Answer>,
    lang: &Lang,
    source: &Result<PathBuf, Absence>,
) -> Vec<Candidate> {
    let mut named: Vec<(Answer, String)> = Vec::new();
    let mut taken: Vec<String> = Vec::new();
    for answer in asked {
        let base = if answer.version.is_empty() {
            format!("python({})", places::tilde(&answer.path))
        } else {
            let suffix = if answer.free_threaded { "t" } else { "" };
            format!("python{}.{}{suffix}", answer.version[0], answer.version[1])
        };
        let mut id = base.clone();
        let mut n = 2;
        while taken.contains(&id) {
            let place = places::label(&answer.path);
            id = if n == 2 { format!("{base}@{place}") } else { format!("{base}@{place}{n}") };
            n += 1;
        }
        taken.push(id.clone());
        named.push((answer, id));
    }
    named.sort_by(|(a, _), (b, _)| b.version.cmp(&a.version));
    named.into_iter().map(|(answer, id)| python_candidate(answer, id, lang, source)).collect()
}

fn python_candidate(
    answer: Answer,
    id: String,
    lang: &Lang,
    source: &Result<PathBuf, Absence>,
) -> Candidate {
    let rest = match (&answer.unusable, source) {
        (Some(why), _) => Err(why.clone()),
        (None, Err(why)) => Err(why.clone()),
        (None, Ok(source)) => {
            let mut runtime = receipt(&id, "python", &answer.real);
            runtime.gil = Some(answer.gil);
            let mut argv: Vec<OsString> = vec![answer.path.clone().into()];
            argv.extend(lang.run_args.iter().map(Into::into));
            argv.push(source.into());
            Ok((runtime, WorkerSpec { argv, env: Vec::new(), env_pad_bytes: 0 }))
        }
    };
    Candidate { id, rest }
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
            Ok(Candidate { id: name.to_owned(), rest: Ok((runtime, spec)) })
        })
        .collect()
}

fn key_value<'a>(flag: &str, text: &'a str) -> Result<(&'a str, &'a str), Unable> {
    text.split_once('=')
        .filter(|(k, v)| !k.is_empty() && !v.is_empty())
        .ok_or_else(|| Unable(format!("{flag} {text}: NAME=VALUE expected")))
}

fn receipt(id: &str, lang: &str, path: &Path) -> Runtime {
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

/// Says hello to every candidate's worker, two at a time, in order.
fn greet_all(
    launcher: &(dyn Launcher + Sync),
    candidates: Vec<Candidate>,
) -> Vec<(String, Result<Found, Absence>)> {
    ask::two_at_a_time(candidates, |c| {
        let greeted = match c.rest {
            Err(why) => Err(why),
            Ok((runtime, spec)) => greet(launcher, runtime, spec),
        };
        (format!("{}/threads", c.id), greeted)
    })
}

fn greet(
    launcher: &(dyn Launcher + Sync),
    mut runtime: Runtime,
    spec: WorkerSpec,
) -> Result<Found, Absence> {
    let begin = Instant::now();
    let hello = hello_once(launcher, &spec).map_err(|e| Absence {
        reason: e.to_string(),
        remedy: Some(format!("run it by hand and type `hello v=1`: {}", command_text(&spec))),
    })?;
    let hello_ns = begin.elapsed().as_nanos() as u64;
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
