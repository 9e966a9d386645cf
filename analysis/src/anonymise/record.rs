//! Which field of a record is what: words of the contract stay, ids keep their shape, all other text is cleaned.

use serde_json::Value;

use super::paths;
use super::words::Words;

/// Runtimes of ours: their ids name public programs.
const LANGS: [&str; 6] = ["rust", "cpp", "go", "java", "node", "python"];

/// Variants and labels that ids of ours may have (`python3.13t+gil`, `go1.26+p1`,
/// `python3.13@pyenv2`), numbers aside.
const MARKS: [&str; 8] = ["gil", "p", "pyenv", "uv", "tools", "local", "system", "other"];

/// Workloads of ours.
const WORKLOADS: [&str; 8] = ["noop", "cpu", "sleep", "pipe", "mem", "serial", "micro", "lock"];

/// What programs are called; versions and architectures beside.
const PROGRAMS: [&str; 28] = [
    "amdahl", "analysis", "worker", "python", "pypy", "java", "javac", "node", "nodejs", "go",
    "gcc", "g++", "c++", "cc", "clang", "clang++", "rustc", "cargo", "perl", "ruby", "sh", "bash",
    "uv", "make", "x86_64", "aarch64", "linux", "gnu",
];

/// Host name of a run without one.
const NOBODY: &str = "anonymous";

/// Cleans records of one run.
#[derive(Debug)]
pub(super) struct Cleaner {
    words: Words,
    /// Paths with blanks, which no reader of a text can tell from its words; longest first.
    known: Vec<String>,
}

/// All texts of a record.
pub(super) fn each_text(value: &Value, visit: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => visit(text),
        Value::Array(items) => items.iter().for_each(|item| each_text(item, visit)),
        Value::Object(map) => map.values().for_each(|item| each_text(item, visit)),
        _ => {}
    }
}

impl Cleaner {
    pub(super) fn new(words: Words, paths: Vec<String>) -> Self {
        let mut known = paths;
        known.retain(|p| p.contains('/') && p.contains(char::is_whitespace));
        known.sort_by_key(|p| std::cmp::Reverse(p.len()));
        Self { words, known }
    }

    /// A header or a trial.
    pub(super) fn clean(&self, record: &mut Value) {
        self.object("", record);
    }

    /// `within` is the key that an object stands under.
    fn object(&self, within: &str, value: &mut Value) {
        let Value::Object(map) = value else { return };
        for (key, item) in map.iter_mut() {
            match (within, key.as_str()) {
                ("", "command") => self.command(item),
                _ => self.item(within, key, item),
            }
        }
        let ours = map.get("lang").and_then(Value::as_str).is_some_and(|l| LANGS.contains(&l));
        // What a worker of ours tells has names of one word that say nothing; others' may be anything.
        let plain =
            |key: &str| key.bytes().all(|b| b.is_ascii_alphanumeric() || b"._".contains(&b));
        for texts in ["params", "details"] {
            if let Some(Value::Object(of)) = map.get_mut(texts) {
                let cleaned = |(key, item): (String, Value)| {
                    (if ours && plain(&key) { key } else { self.words.in_id(&key) }, item)
                };
                *of = std::mem::take(of).into_iter().map(cleaned).collect();
            }
        }
    }

    fn item(&self, within: &str, key: &str, item: &mut Value) {
        match item {
            Value::String(text) => *text = self.text(within, key, text),
            Value::Array(items) => items.iter_mut().for_each(|i| self.item(within, key, i)),
            Value::Object(_) => self.object(key, item),
            _ => {}
        }
    }

    fn text(&self, within: &str, key: &str, text: &str) -> String {
        match (within, key) {
            // Words of the contract, dates, hashes, histograms.
            ("", "id" | "started_utc" | "arm" | "pass" | "stage")
            | ("tool" | "trials", _)
            | ("plan", "placement")
            | ("host", "arch" | "clocksource")
            | ("runtimes", "hash")
            | ("items", "id")
            | ("counters", "source")
            | ("outcome", "status" | "kind")
            | ("placement", "policy")
            | ("histograms", "hdr") => text.to_owned(),
            ("host", "name") => NOBODY.to_owned(),
            ("host", "kernel") => kernel(text),
            ("", "model" | "workload")
            | ("plan", "models" | "profile")
            | ("blocks", "model" | "workload")
            | ("absent", "model")
            | ("runtimes", "id" | "lang")
            | ("counters", "id") => self.id(text),
            ("runtimes", "path") => paths::placeholder(text),
            ("", "flags") => match text.split_once(':') {
                Some((flag, detail)) => format!("{flag}:{}", self.free(detail)),
                None => self.free(text),
            },
            _ => self.free(text),
        }
    }

    /// Any text.
    fn free(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for path in &self.known {
            text = text.replace(path, &paths::placeholder(path));
        }
        self.words.in_text(&paths::without(&text))
    }

    /// An id of ours as it is; in any other, names are replaced.
    pub(super) fn id(&self, id: &str) -> String {
        let runtime = id.split(['/', '+', '@']).next().unwrap_or(id);
        let of_ours = |lang: &&str| {
            let version =
                |rest: &str| rest.bytes().all(|b| b.is_ascii_digit() || b".t()*".contains(&b));
            runtime.strip_prefix(*lang).is_some_and(version)
        };
        let mut marks = id.split('/').flat_map(|part| part.split(['+', '@']).skip(1));
        let marked =
            |m: &str| MARKS.contains(&m.trim_end_matches(|c: char| c.is_ascii_digit() || c == '*'));
        let ours = LANGS.iter().any(of_ours) && marks.all(marked);
        if ours || WORKLOADS.contains(&id) {
            return id.to_owned();
        }
        self.words.in_id(id)
    }

    /// The words of a command: programs by name, files and commands of the user's not at all.
    fn command(&self, command: &mut Value) {
        let Value::Array(words) = command else { return };
        let mut flag = String::new();
        for (k, word) in words.iter_mut().enumerate() {
            let Value::String(text) = word else { continue };
            if k == 0 {
                let last = text.rsplit('/').next().unwrap_or_default();
                *text = if is_program(last) { last.to_owned() } else { "amdahl".to_owned() };
                continue;
            }
            let given = text.clone();
            *text = match given.split_once('=').filter(|(f, _)| f.starts_with("--")) {
                Some((flag, value)) => format!("{flag}={}", self.argument(flag, value)),
                None if given.starts_with("--") => self.words.in_text(&given),
                None => self.argument(&flag, &given),
            };
            flag =
                if given.starts_with("--") && !given.contains('=') { given } else { String::new() };
        }
    }

    fn argument(&self, flag: &str, value: &str) -> String {
        match (flag, value.split_once('=')) {
            ("--models" | "--workloads", _) => {
                value.split(',').map(|id| self.id(id)).collect::<Vec<_>>().join(",")
            }
            ("--worker", Some((name, _))) => format!("{}=<command>", self.id(name)),
            ("--runtime", Some((lang, path))) => format!("{lang}={}", paths::placeholder(path)),
            ("--out" | "--resume" | "--with" | "--json-out", _) => "<path>".to_owned(),
            // A plan, or a run, that is a file of the user's.
            ("", _) if value.contains('/') => "<path>".to_owned(),
            _ => self.free(value),
        }
    }
}

/// `6.18.44-rt5-lab7` -> `6.18.44-rt5`: what follows the version is whatever the builder wrote there, often a
/// distributor, at times a machine; a candidate or a real-time kernel behaves differently.
fn kernel(release: &str) -> String {
    let mut parts = release.split('-');
    let number = |c: char| c.is_ascii_digit() || c == '.';
    let version = parts.next().unwrap_or_default().split(|c| !number(c)).next().unwrap_or_default();
    let told = |part: &&str| {
        let rest = part.strip_prefix("rc").or_else(|| part.strip_prefix("rt"));
        rest.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    };
    let kept: Vec<&str> = std::iter::once(version).chain(parts.filter(told)).collect();
    kept.join("-")
}

/// Whether a file's name is that of a well-known program, versions aside: `python3.13`, `x86_64-linux-gnu-g++-12`.
pub(super) fn is_program(name: &str) -> bool {
    let version = |part: &str| part.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let known = |part: &str| {
        let name = part.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        let name = if name.len() < part.len() { name } else { part };
        let base = part.strip_suffix('t').filter(|p| p.ends_with(|c: char| c.is_ascii_digit()));
        let base = base.map(|p| p.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.'));
        PROGRAMS.contains(&part)
            || PROGRAMS.contains(&name)
            || base.is_some_and(|b| PROGRAMS.contains(&b))
    };
    let parts = || name.split('-');
    parts().all(|p| version(p) || known(p)) && parts().any(known)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cleaner() -> Cleaner {
        let words = Words::new("vm", &["ada".to_owned(), "python".to_owned()]);
        Cleaner::new(words, vec!["/opt/my tools/py".to_owned()])
    }

    #[test]
    fn ids_of_ours_stay_and_others_lose_names() {
        for (id, expected) in [
            ("python3.13t+gil/threads@pyenv", "python3.13t+gil/threads@pyenv"),
            ("python3.11/threads@local2", "python3.11/threads@local2"),
            ("go1.26+p1/goroutines", "go1.26+p1/goroutines"),
            ("rust/*", "rust/*"),
            ("python*/threads", "python*/threads"),
            ("cpu", "cpu"),
            ("vm-lock/threads", "anonymous-host-lock/threads"),
            ("rust+ada/threads", "rust+anonymous-user/threads"),
            ("go-ada/x", "go-anonymous-user/x"),
        ] {
            assert_eq!(cleaner().id(id), expected, "{id}");
        }
    }

    #[test]
    fn a_command_keeps_what_was_measured_and_loses_where() {
        let mut record = json!({"command": [
            "/home/ada/amdahl/target/release/amdahl", "run", "plans/mine.toml", "--models", "rust/*,ada/x",
            "--worker", "ada=./w.py --key 7", "--runtime=python=/x/bin/python3.13", "--out", "vm", "--param", "steps=5", "--dry-run"
        ]});
        cleaner().clean(&mut record);
        let expected = json!({"command": [
            "amdahl", "run", "<path>", "--models", "rust/*,anonymous-user/x", "--worker", "anonymous-user=<command>",
            "--runtime=python=python3.13", "--out", "<path>", "--param", "steps=5", "--dry-run"
        ]});
        assert_eq!(record, expected);
    }

    #[test]
    fn what_no_rule_knows_is_cleaned() {
        let mut record = json!({"new": {"deep": ["at vm", {"er": "/home/ada"}]}, "params": {"vm_": "1", "of vm": "2"},
            "runtimes": [{"lang": "java", "details": {"vm": "vm"}}, {"lang": "own", "details": {"vm": "1"}}]});
        cleaner().clean(&mut record);
        let expected = json!({"new": {"deep": ["at <host>", {"er": "<path>"}]},
            "params": {"vm_": "1", "of anonymous-host": "2"},
            "runtimes": [{"lang": "java", "details": {"vm": "<host>"}},
                {"lang": "own", "details": {"anonymous-host": "1"}}]});
        assert_eq!(record, expected);
        assert_eq!(cleaner().free("in /opt/my tools/py: no"), "in <path>: no");
    }

    #[test]
    fn a_kernel_is_its_version() {
        for (release, expected) in [
            ("6.18.44-fc-v669", "6.18.44"),
            ("6.1.0-rt5-ada", "6.1.0-rt5"),
            ("6.12.0-rc3+", "6.12.0"),
            ("5.15.0lab", "5.15.0"),
        ] {
            assert_eq!(kernel(release), expected);
        }
    }

    #[test]
    fn programs_are_known_by_name() {
        for name in
            ["python3.13", "python3.13t", "x86_64-linux-gnu-g++-12", "java", "amdahl-worker"]
        {
            assert!(is_program(name), "{name}");
        }
        for name in ["", "3.13", "ada-python", "w.py", "python3.13-ada", "-"] {
            assert!(!is_program(name), "{name}");
        }
    }
}
