//! Model ids taken apart: `runtime[+variant]/mechanism[-option][@label]`.
//!
//! Orders models the same way in every table and figure, whatever order the run measured them in.
//! Never decides anything about a model: what it is capable of is measured.

mod alike;
mod workload;

use std::cmp::{Ordering, Reverse};

pub use alike::{LikePair, Likeness, like_pairs};
pub use workload::{KeyPart, workload_id, workload_key};

/// A model id and its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelName {
    /// The id as recorded.
    pub id: String,
    /// Language part of the runtime: `rust`, `python`.
    pub language: String,
    /// Numbers of the version in the runtime's name: `[3, 13]` for `python3.13t`; empty where it has none.
    pub version: Vec<u32>,
    /// Whether the runtime's name ends in `t`: a free-threaded build.
    pub free_threaded: bool,
    /// `gil` in `python3.13t+gil`.
    pub variant: Option<String>,
    /// `threads`, `processes`.
    pub mechanism: String,
    /// `spawn` in `processes-spawn`.
    pub option: Option<String>,
    /// `tools` in `python3.13@tools/threads`, wherever the label stands.
    pub label: Option<String>,
}

/// How workers of a model share memory: what a reader compares first, so figures are split by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sharing {
    /// OS threads of one process.
    Threads,
    /// Anything else inside one process: tasks, goroutines, interpreters.
    Other,
    /// Processes with a memory each.
    Processes,
}

impl Sharing {
    /// Title of a panel with models of this kind.
    pub fn title(self) -> &'static str {
        match self {
            Self::Threads => "Threads of one process",
            Self::Other => "Other models in one process",
            Self::Processes => "Processes",
        }
    }
}

impl ModelName {
    /// Takes an id apart; an id of another shape keeps its text as the language.
    pub fn parse(id: &str) -> Self {
        let (runtime, mechanism) = id.split_once('/').unwrap_or((id, ""));
        let (runtime, label_r) = split_off(runtime, '@');
        let (mechanism, label_m) = split_off(mechanism, '@');
        let (runtime, variant) = split_off(runtime, '+');
        let (mechanism, option) = split_off(mechanism, '-');
        let digits = runtime.find(|c: char| c.is_ascii_digit()).unwrap_or(runtime.len());
        let (language, rest) = runtime.split_at(digits);
        let numbers = rest.trim_end_matches(|c: char| !c.is_ascii_digit());
        Self {
            id: id.to_owned(),
            language: language.to_owned(),
            version: numbers.split('.').filter_map(|n| n.parse().ok()).collect(),
            free_threaded: rest.ends_with('t'),
            variant: variant.map(str::to_owned),
            mechanism: mechanism.to_owned(),
            option: option.map(str::to_owned),
            label: label_r.or(label_m).map(str::to_owned),
        }
    }

    /// How its workers share memory.
    pub fn sharing(&self) -> Sharing {
        match self.mechanism.as_str() {
            "threads" => Sharing::Threads,
            "processes" => Sharing::Processes,
            _ => Sharing::Other,
        }
    }

    /// The runtime alone, with its label wherever that stands: `python3.13t+gil`, `python3.11@pyenv`.
    pub fn runtime(&self) -> String {
        let runtime = self.id.split('/').next().unwrap_or(&self.id);
        match &self.label {
            Some(label) if !runtime.contains('@') => format!("{runtime}@{label}"),
            _ => runtime.to_owned(),
        }
    }

    fn key(&self) -> impl Ord + '_ {
        let language = LANGUAGES.iter().position(|l| *l == self.language);
        (
            self.sharing(),
            language.unwrap_or(LANGUAGES.len()),
            &self.language,
            &self.mechanism,
            Reverse(&self.version),
            self.free_threaded,
            &self.variant,
            &self.option,
            &self.label,
        )
    }
}

impl PartialOrd for ModelName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ModelName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key()).then_with(|| self.id.cmp(&other.id))
    }
}

/// Sorts ids as every table and figure shows them: threads, then the rest of what shares a process, then
/// processes; compiled languages first; the newest version first, its variants and options behind it.
pub fn in_order(ids: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut names: Vec<ModelName> = ids.into_iter().map(|id| ModelName::parse(&id)).collect();
    names.sort();
    names.dedup();
    names.into_iter().map(|n| n.id).collect()
}

/// Compiled languages first; a language that is not listed follows, by name.
const LANGUAGES: [&str; 7] = ["rust", "cpp", "go", "java", "node", "python", "native"];

fn split_off(text: &str, at: char) -> (&str, Option<&str>) {
    match text.split_once(at) {
        Some((head, tail)) => (head, Some(tail)),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_an_id_is_found() {
        let m = ModelName::parse("python3.13t+gil@tools/processes-spawn");
        assert_eq!((m.language.as_str(), m.version.as_slice()), ("python", &[3, 13][..]));
        assert!(m.free_threaded);
        assert_eq!(m.variant.as_deref(), Some("gil"));
        assert_eq!((m.mechanism.as_str(), m.option.as_deref()), ("processes", Some("spawn")));
        assert_eq!(m.label.as_deref(), Some("tools"));
        assert_eq!(ModelName::parse("python3.9/threads@old").label.as_deref(), Some("old"));
    }

    #[test]
    fn languages_stand_together_newest_first_and_variants_behind_their_base() {
        let sorted = [
            "rust/threads",
            "cpp/threads",
            "java25/threads",
            "java17/threads",
            "python3.13/threads",
            "python3.13t/threads",
            "python3.13t+gil/threads",
            "python3.9/threads",
            "rust/rayon",
            "rust/tokio",
            "go1.26/goroutines",
            "go1.26/goroutines-pinned",
            "go1.26+p1/goroutines",
            "java25/virtual",
            "node20/workers",
            "python3.13/asyncio",
            "python3.8/asyncio",
            "python3.13/subinterpreters",
            "rust/processes",
            "python3.13/processes-fork",
            "python3.13/processes-spawn",
            "python3.10/processes-fork",
            "python3.9/processes-fork",
        ];
        let mut backwards = sorted.map(str::to_owned);
        backwards.reverse();
        assert_eq!(in_order(backwards), sorted);
    }

    #[test]
    fn a_label_belongs_to_the_runtime_wherever_it_stands() {
        assert_eq!(ModelName::parse("python3.11/threads@pyenv").runtime(), "python3.11@pyenv");
        assert_eq!(ModelName::parse("python3.11@pyenv/threads").runtime(), "python3.11@pyenv");
        assert_eq!(ModelName::parse("go1.26+p1/goroutines").runtime(), "go1.26+p1");
    }
}
