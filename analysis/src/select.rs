//! Which models and workloads a report is about: globs over ids. Reads no files.

use globset::{Glob, GlobSet, GlobSetBuilder};
use thiserror::Error;

/// A selection of ids; empty patterns select everything.
#[derive(Debug, Clone)]
pub struct Selection {
    noun: &'static str,
    patterns: Vec<String>,
    set: GlobSet,
}

/// Why a selection makes no sense.
#[derive(Debug, Error)]
pub enum SelectError {
    /// Not a glob.
    #[error("--{noun}s {pattern}: {source}; `*` stands for anything, `?` for one character")]
    Pattern {
        /// `model` or `workload`.
        noun: &'static str,
        /// As given.
        pattern: String,
        /// What is wrong with it.
        source: globset::Error,
    },
    /// Matches nothing in the runs.
    #[error("--{noun}s {pattern}: no such {noun} in the runs; nearest: {nearest}")]
    Unknown {
        /// `model` or `workload`.
        noun: &'static str,
        /// As given.
        pattern: String,
        /// The most similar ids, comma-separated.
        nearest: String,
    },
}

impl Selection {
    /// A selection by patterns; `noun` is what the ids are (`model`).
    pub fn new(noun: &'static str, patterns: &[String]) -> Result<Self, SelectError> {
        let mut set = GlobSetBuilder::new();
        for pattern in patterns {
            let glob = Glob::new(pattern).map_err(|source| SelectError::Pattern {
                noun,
                pattern: pattern.clone(),
                source,
            })?;
            set.add(glob);
        }
        let set = set.build().map_err(|source| SelectError::Pattern {
            noun,
            pattern: patterns.join(","),
            source,
        })?;
        Ok(Self { noun, patterns: patterns.to_vec(), set })
    }

    /// Everything.
    pub fn all(noun: &'static str) -> Self {
        Self { noun, patterns: Vec::new(), set: GlobSet::empty() }
    }

    /// Whether an id is selected.
    pub fn holds(&self, id: &str) -> bool {
        self.patterns.is_empty() || self.set.is_match(id)
    }

    /// The patterns, as given.
    pub fn patterns(&self) -> &[String] {
        &self.patterns
    }

    /// Fails if a pattern matches none of the ids there are, naming the nearest.
    pub fn check(&self, ids: &[String]) -> Result<(), SelectError> {
        for pattern in &self.patterns {
            let alone = Self::new(self.noun, std::slice::from_ref(pattern))?;
            if !ids.iter().any(|id| alone.holds(id)) {
                return Err(SelectError::Unknown {
                    noun: self.noun,
                    pattern: pattern.clone(),
                    nearest: nearest(pattern, ids),
                });
            }
        }
        Ok(())
    }
}

/// The most similar ids, comma-separated.
pub fn nearest(pattern: &str, ids: &[String]) -> String {
    let mut scored: Vec<(f64, &String)> =
        ids.iter().map(|id| (strsim::jaro_winkler(pattern, id), id)).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    scored.dedup_by(|a, b| a.1 == b.1);
    let names: Vec<&str> = scored.iter().take(3).map(|(_, id)| id.as_str()).collect();
    if names.is_empty() { "none, the runs are empty".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids() -> Vec<String> {
        ["rust/threads", "python3.13/threads", "python3.13t+gil/threads"]
            .map(str::to_owned)
            .to_vec()
    }

    #[test]
    fn a_star_crosses_the_slash() {
        let s = Selection::new("model", &["python*".to_owned()]).unwrap();
        assert!(s.holds("python3.13/threads") && !s.holds("rust/threads"));
        assert!(Selection::all("model").holds("anything"));
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest() {
        let s = Selection::new("model", &["pyton3.13/threads".to_owned()]).unwrap();
        let text = s.check(&ids()).unwrap_err().to_string();
        assert!(text.contains("nearest: python3.13/threads"), "{text}");
    }
}
