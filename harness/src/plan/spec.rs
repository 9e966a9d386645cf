//! What was asked for: a profile or a plan file, with the command line on top.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::check::Wrong;
use super::locate::Source;
use crate::Unable;

/// Plan files that come with the program: profiles, and one for each experiment.
const PLANS: [(&str, &str); 11] = [
    ("smoke", include_str!("../../plans/smoke.toml")),
    ("standard", include_str!("../../plans/standard.toml")),
    ("paper", include_str!("../../plans/paper.toml")),
    ("every-model", include_str!("../../plans/every-model.toml")),
    ("e1-parallel", include_str!("../../plans/e1-parallel.toml")),
    ("e3-io", include_str!("../../plans/e3-io.toml")),
    ("e14-subinterpreters", include_str!("../../plans/e14-subinterpreters.toml")),
    ("e15-no-gil", include_str!("../../plans/e15-no-gil.toml")),
    ("e16-serial", include_str!("../../plans/e16-serial.toml")),
    ("e19-memory", include_str!("../../plans/e19-memory.toml")),
    ("lock", include_str!("../../plans/lock.toml")),
];

/// The first three of them.
const PROFILES: usize = 3;

/// Which worker counts of CPU-bound workloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counts {
    /// 1 and as many as there are CPUs.
    Ends,
    /// Powers of two and every break of the machine, to twice the CPUs.
    All,
}

/// A plan file; every key may be left out, and then is the standard profile's.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    budget: Option<String>,
    blocks: Option<u32>,
    other_blocks: Option<u32>,
    io_blocks: Option<u32>,
    windows: Option<u32>,
    window: Option<String>,
    counts: Option<Counts>,
    workers: Option<Vec<u32>>,
    io_workers: Option<Vec<u32>>,
    models: Option<Vec<String>>,
    workloads: Option<Vec<String>>,
    placement: Option<String>,
    latency_blocks: Option<u32>,
    counter_blocks: Option<u32>,
    params: BTreeMap<String, Table>,
    also: BTreeMap<String, Vec<Table>>,
}

/// By key, the values to measure.
pub type Values = BTreeMap<String, Vec<String>>;

/// By workload; empty: every workload.
pub type Params = BTreeMap<String, Values>;

/// Where a plan file names models and workloads, by name; empty for what the command line named.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Places {
    /// Patterns of models.
    pub models: BTreeMap<String, String>,
    /// Patterns of workloads.
    pub workloads: BTreeMap<String, String>,
    /// Workloads with parameters.
    pub params: BTreeMap<String, String>,
}

/// What to measure, with nothing left open.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// Profile or file name.
    pub name: String,
    /// Time for measuring; `None` is no limit.
    pub budget: Option<Duration>,
    /// Repetitions.
    pub blocks: u32,
    /// Repetitions for the models that do not stand for their kind; `blocks` if left out.
    pub other_blocks: u32,
    /// Repetitions of I/O-bound workloads; `blocks` if left out.
    pub io_blocks: u32,
    /// Windows a trial.
    pub windows: u32,
    /// Least length of a window.
    pub window: Duration,
    /// Worker counts of CPU-bound workloads.
    pub counts: Counts,
    /// Worker counts asked for; used for every workload.
    pub workers: Option<Vec<u32>>,
    /// Worker counts of I/O-bound workloads.
    pub io_workers: Vec<u32>,
    /// Patterns of models; empty is all.
    pub models: Vec<String>,
    /// Patterns of workloads.
    pub workloads: Vec<String>,
    /// Placement policy.
    pub placement: String,
    /// Blocks of the latency pass.
    pub latency_blocks: u32,
    /// Blocks of the counters pass.
    pub counter_blocks: u32,
    /// Parameters by workload, each with the values it takes.
    pub params: Params,
    /// By workload, further cells: each a table as in `params`, which it does not share.
    pub also: BTreeMap<String, Vec<Values>>,
    /// Where the file has the names that only the machine can check.
    pub places: Places,
}

impl Spec {
    /// A profile that comes with the program.
    pub fn profile(name: &str) -> Result<Self, Unable> {
        let text = profile_text(name).ok_or_else(|| {
            let names: Vec<&str> = PLANS[..PROFILES].iter().map(|(n, _)| *n).collect();
            Unable(format!(
                "no profile `{name}`; there are {}{}",
                names.join(", "),
                nearest(name, names.iter().copied())
            ))
        })?;
        Self::from_text(name, text, "profile")
    }

    /// A plan file, or one of those that come with the program by its name.
    pub fn file(path: &Path) -> Result<Self, Unable> {
        let shown = path.display().to_string();
        if let (false, Some(text)) = (path.exists(), plan_text(&shown)) {
            return Self::from_text(&shown, text, &shown);
        }
        let text = std::fs::read_to_string(path).map_err(|e| {
            let names: Vec<&str> = PLANS[PROFILES..].iter().map(|(n, _)| *n).collect();
            Unable(format!("{shown}: {e}; plans that come with the program: {}", names.join(", ")))
        })?;
        let name =
            path.file_stem().map_or_else(|| shown.clone(), |s| s.to_string_lossy().into_owned());
        Self::from_text(&name, &text, &shown)
    }

    /// Parses plan text; `shown` is the file's name in errors (`file:line:column: what`).
    pub fn from_text(name: &str, text: &str, shown: &str) -> Result<Self, Unable> {
        let standard = parse(profile_text("standard").expect("standard exists"), "standard")?;
        let f = parse(text, shown)?;
        let source = Source::new(text, shown);
        let wrong = |key: &str, e: String| Wrong::value(&[key], format!("{key}: {e}")).at(&source);
        let budget = f.budget.or(standard.budget).expect("standard has a budget");
        let window = f.window.or(standard.window).expect("standard has a window");
        let blocks = f.blocks.or(standard.blocks).expect("in standard");
        let spec = Self {
            name: name.to_owned(),
            budget: parse_budget(&budget).map_err(|e| wrong("budget", e))?,
            blocks,
            other_blocks: f.other_blocks.unwrap_or(blocks),
            io_blocks: f.io_blocks.unwrap_or(blocks),
            windows: f.windows.or(standard.windows).expect("in standard"),
            window: parse_duration(&window).map_err(|e| wrong("window", e))?,
            counts: f.counts.or(standard.counts).expect("in standard"),
            workers: f.workers,
            io_workers: f.io_workers.or(standard.io_workers).expect("in standard"),
            places: Places {
                models: places(f.models.iter().flatten(), |n| source.value(&["models", n])),
                workloads: places(f.workloads.iter().flatten(), |n| {
                    source.value(&["workloads", n])
                }),
                params: places(f.params.keys(), |n| source.key(&["params", n])),
            },
            models: f.models.unwrap_or_default(),
            workloads: f.workloads.or(standard.workloads).expect("in standard"),
            placement: f.placement.unwrap_or_else(|| "cores".to_owned()),
            latency_blocks: f.latency_blocks.or(standard.latency_blocks).expect("in standard"),
            counter_blocks: f.counter_blocks.or(standard.counter_blocks).expect("in standard"),
            params: all_texts(f.params).map_err(|e| e.at(&source))?,
            also: further(f.also).map_err(|e| e.at(&source))?,
        };
        spec.check().map_err(|e| e.at(&source))?;
        Ok(spec)
    }
}

fn places<'a>(
    names: impl Iterator<Item = &'a String>,
    place: impl Fn(&str) -> String,
) -> BTreeMap<String, String> {
    names.map(|n| (n.clone(), place(n))).collect()
}

fn profile_text(name: &str) -> Option<&'static str> {
    PLANS[..PROFILES].iter().find(|(n, _)| *n == name).map(|(_, text)| *text)
}

/// By its name, or by what comes before the first `-`: `e16`.
fn plan_text(name: &str) -> Option<&'static str> {
    let named = |n: &str| n == name || n.split('-').next() == Some(name);
    PLANS.iter().find(|(n, _)| named(n)).map(|(_, text)| *text)
}

fn parse(text: &str, shown: &str) -> Result<File, Unable> {
    toml::from_str(text).map_err(|e| {
        let place = Source::new(text, shown).at(e.span().map_or(0, |s| s.start));
        let what = e.message();
        // The message has the key that is not known in backquotes, and behind it those that are.
        let mut names = what.split('`').skip(1).step_by(2);
        let close = match names.next() {
            Some(unknown) if what.starts_with("unknown") => nearest(unknown, names),
            _ => String::new(),
        };
        Unable(format!("{place}: {what}{close}"))
    })
}

type Table = BTreeMap<String, toml::Value>;

fn all_texts(params: BTreeMap<String, Table>) -> Result<Params, Wrong> {
    let of = |(workload, table): (String, Table)| {
        let values = values(table, &["params", &workload])?;
        Ok((workload, values))
    };
    params.into_iter().map(of).collect()
}

fn further(also: BTreeMap<String, Vec<Table>>) -> Result<BTreeMap<String, Vec<Values>>, Wrong> {
    let of = |(workload, tables): (String, Vec<Table>)| {
        let one = |(k, table): (usize, Table)| values(table, &["also", &workload, &k.to_string()]);
        let all: Result<_, Wrong> = tables.into_iter().enumerate().map(one).collect();
        Ok((workload, all?))
    };
    also.into_iter().map(of).collect()
}

/// A table that stands at `path`.
fn values(table: Table, path: &[&str]) -> Result<Values, Wrong> {
    let one = |(key, value): (String, toml::Value)| {
        let values = texts(value).ok_or_else(|| {
            let what = format!(
                "parameter `{key}`: a number, a text or true/false expected, or a list of them"
            );
            Wrong::value(&[path, &[&key]].concat(), what)
        })?;
        Ok((key, values))
    };
    table.into_iter().map(one).collect()
}

/// One value or a list of them; nothing where it is neither.
fn texts(value: toml::Value) -> Option<Vec<String>> {
    use toml::Value::{Array, Boolean, Float, Integer, String};
    let text = |v: toml::Value| match v {
        String(s) => Some(s),
        Integer(_) | Float(_) | Boolean(_) => Some(v.to_string()),
        _ => None,
    };
    match value {
        Array(values) => values.into_iter().map(text).collect(),
        one => Some(vec![text(one)?]),
    }
}

/// `90s`, `5m`, `2h`, `250ms`; `none` is no limit.
pub fn parse_budget(text: &str) -> Result<Option<Duration>, String> {
    if text == "none" { Ok(None) } else { parse_duration(text).map(Some) }
}

/// `250ms`, `90s`, `1.5m`, `2h`; a bare number is seconds.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a time such as 250ms, 90s, 5m or 2h");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(wrong()),
    };
    let number: f64 = digits.parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(number * unit).map_err(|_| wrong())
}

/// ` (did you mean …?)` for the closest names, or nothing.
pub fn nearest<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let mut scored: Vec<(f64, &str)> =
        names.into_iter().map(|n| (strsim::jaro_winkler(text, n), n)).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let close: Vec<&str> =
        scored.iter().filter(|(s, _)| *s > 0.7).take(3).map(|(_, n)| *n).collect();
    if close.is_empty() { String::new() } else { format!("; did you mean {}?", close.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_parses() {
        for (name, _) in PLANS {
            let spec = Spec::file(Path::new(name)).unwrap();
            assert!(spec.blocks >= 3, "{name}");
        }
        let e16 = Spec::file(Path::new("e16")).unwrap();
        assert_eq!(e16.params["serial"]["permille"].len(), 7);
        let e = Spec::file(Path::new("e99.toml")).unwrap_err().to_string();
        assert!(e.contains("e16-serial"), "{e}");
        assert_eq!(Spec::profile("paper").unwrap().budget, None);
        let e = Spec::profile("papr").unwrap_err().to_string();
        assert!(e.contains("did you mean paper"), "{e}");
    }

    #[test]
    fn broken_plans_name_line_column_and_what_was_expected() {
        for (text, at, what) in [
            ("blocks = 3\nblocks = 4\n", "p.toml:2:1", "duplicate key"),
            ("blocks = \"three\"\n", "p.toml:1:10", "expected u32"),
            ("\nbloks = 3\n", "p.toml:2:1", "unknown field `bloks`, expected one of"),
            ("\nbloks = 3\n", "p.toml:2:1", "did you mean blocks"),
            ("counts = \"some\"", "p.toml:1:10", "expected `ends` or `all`"),
            ("counts = \"ens\"", "p.toml:1:10", "did you mean ends"),
            ("\nwindow = \"fast\"", "p.toml:2:10", "window: `fast` is not a time"),
            ("budget = \"1 day\"", "p.toml:1:10", "budget: `1 day` is not a time"),
            ("window = \"1ms\"", "p.toml:1:10", "window: 1 ms is outside"),
            ("workers = [1, 2, 0]", "p.toml:1:18", "workers: 0 is outside"),
            ("io_workers = []", "p.toml:1:14", "io_workers: at least one"),
            ("windows = 0", "p.toml:1:11", "windows: 0 is outside 1 to 1000"),
            (
                "placement = \"core\"",
                "p.toml:1:13",
                "there are cores, spread, smt, none; did you mean cores",
            ),
            ("[params.sleep]\nseed = 1", "p.toml:2:1", "the protocol itself"),
            ("[params.sleep]\nsleep_ns = {a = 1}", "p.toml:2:12", "`sleep_ns`: a number, a text"),
            ("[params.sleep]\n\nslep_ns = 5", "p.toml:3:1", "no parameter `slep_ns`; did you mean"),
            ("params.sleep.sleep_ns = []", "p.toml:1:25", "at least one value"),
            (
                "[[also.lock]]\nlayout = \"packed\"\n[[also.lock]]\nlayot = 1",
                "p.toml:4:1",
                "mean layout",
            ),
            ("[[also.lock]]\nseed = 1", "p.toml:2:1", "the protocol itself"),
            ("[[also.lock]]\nsteps = {a = 1}", "p.toml:2:9", "`steps`: a number, a text"),
        ] {
            let e = Spec::from_text("p", text, "p.toml").unwrap_err().to_string();
            assert!(e.starts_with(&format!("{at}: ")) && e.contains(what), "{text:?}: {e}");
        }
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!(parse_budget("none"), Ok(None));
        assert_eq!(parse_duration("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("5"), Ok(Duration::from_secs(5)));
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        for bad in ["", "m", "-1s", "nans", "1e99h"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }
}
