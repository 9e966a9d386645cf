//! What no plan can have, whatever the machine, and where it stands in the plan. Reads no file.

use super::locate::Source;
use super::spec::{Spec, Values, nearest};
use crate::Unable;

/// Placement policies by name.
const PLACEMENTS: [&str; 4] = ["cores", "spread", "smt", "none"];

/// Keys of `prepare` that are no parameters.
const RESERVED: [&str; 7] = ["id", "ids", "workload", "mechanism", "workers", "seed", "require"];

/// Our workloads' parameters; a worker's own workload may have any.
const PARAMETERS: [(&str, &[&str]); 8] = [
    ("cpu", &["steps"]),
    ("lock", &["lock", "steps", "permille", "readers", "locks", "layout"]),
    ("mem", &["kind", "bytes", "steps", "chunk"]),
    ("micro", &["kind", "steps"]),
    ("noop", &["batch"]),
    ("pipe", &["delay_ns"]),
    ("serial", &["steps", "permille", "scaling"]),
    ("sleep", &["sleep_ns"]),
];

/// What is wrong with a parameter's key for one of these workloads: none of them has it. A typing error would else be
/// sent, ignored as the protocol has it, and measured as if it were not there.
pub(super) fn unknown_param(workloads: &[&str], key: &str) -> Option<String> {
    let of = |w: &&str| PARAMETERS.iter().find(|(name, _)| name == w).map(|(_, keys)| *keys);
    let known: Option<Vec<&[&str]>> = workloads.iter().map(of).collect();
    let known = known?.concat();
    let nobody = !workloads.is_empty() && !known.contains(&key);
    let close = || nearest(key, known.iter().copied());
    nobody.then(|| format!("`{}` has no parameter `{key}`{}", workloads.join("`, `"), close()))
}

/// Whether a parameter's key is one of the protocol's own.
pub fn reserved_key(key: &str) -> bool {
    RESERVED.contains(&key)
}

/// A value that no plan can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Keys from the outside in; the last may be an item of a list.
    path: Vec<String>,
    /// Whether the key itself is wrong, not its value.
    key: bool,
    /// What is wrong.
    pub what: String,
}

impl Wrong {
    pub(super) fn value(path: &[&str], what: impl Into<String>) -> Self {
        let path = path.iter().map(|k| (*k).to_owned()).collect();
        Self { path, key: false, what: what.into() }
    }

    fn key(path: &[&str], what: impl Into<String>) -> Self {
        Self { key: true, ..Self::value(path, what) }
    }

    /// As an error with its place.
    pub(super) fn at(&self, source: &Source<'_>) -> Unable {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        let place = if self.key { source.key(&path) } else { source.value(&path) };
        Unable(format!("{place}: {}", self.what))
    }
}

impl Spec {
    /// What no machine can do.
    pub fn check(&self) -> Result<(), Wrong> {
        self.check_counts()?;
        self.check_params()?;
        let ms = self.window.as_millis();
        if !(20..=60_000).contains(&ms) {
            return Err(Wrong::value(
                &["window"],
                format!("window: {ms} ms is outside 20 ms to 60 s"),
            ));
        }
        if !PLACEMENTS.contains(&self.placement.as_str()) {
            return Err(Wrong::value(
                &["placement"],
                format!(
                    "placement: `{}`; there are {}{}",
                    self.placement,
                    PLACEMENTS.join(", "),
                    nearest(&self.placement, PLACEMENTS)
                ),
            ));
        }
        Ok(())
    }

    fn check_counts(&self) -> Result<(), Wrong> {
        let lists = [("workers", self.workers.as_deref()), ("io_workers", Some(&*self.io_workers))];
        for (key, counts) in lists {
            let Some(counts) = counts else { continue };
            if let Some(n) = counts.iter().find(|n| !(1..=4096).contains(*n)) {
                let what = format!("{key}: {n} is outside 1 to 4096");
                return Err(Wrong::value(&[key, &n.to_string()], what));
            }
            if counts.is_empty() {
                let what = format!("{key}: at least one worker count expected");
                return Err(Wrong::value(&[key], what));
            }
        }
        for (key, n, least, most) in [
            ("blocks", self.blocks, 1, 10_000),
            ("other_blocks", self.other_blocks, 1, 10_000),
            ("io_blocks", self.io_blocks, 1, 10_000),
            ("latency_blocks", self.latency_blocks, 0, 10_000),
            ("counter_blocks", self.counter_blocks, 0, 10_000),
            ("windows", self.windows, 1, 1000),
        ] {
            if !(least..=most).contains(&n) {
                let what = format!("{key}: {n} is outside {least} to {most}");
                return Err(Wrong::value(&[key], what));
            }
        }
        Ok(())
    }

    fn check_params(&self) -> Result<(), Wrong> {
        for (workload, params) in &self.params {
            check_values(workload, params, &["params", workload])?;
        }
        for (workload, tables) in &self.also {
            for (k, params) in tables.iter().enumerate() {
                check_values(workload, params, &["also", workload, &k.to_string()])?;
            }
        }
        Ok(())
    }
}

/// Parameters of a workload, which stand at `path`.
fn check_values(workload: &str, params: &Values, path: &[&str]) -> Result<(), Wrong> {
    for (key, values) in params {
        let path = [path, &[key]].concat();
        if reserved_key(key) {
            let what = format!("parameter `{key}`: the protocol itself uses that key");
            return Err(Wrong::key(&path, what));
        }
        if let Some(what) = unknown_param(&[workload], key) {
            return Err(Wrong::key(&path, what));
        }
        if values.is_empty() {
            let what = format!("parameter `{key}`: at least one value expected");
            return Err(Wrong::value(&path, what));
        }
    }
    Ok(())
}
