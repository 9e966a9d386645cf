//! Two builds of a Criterion bench, unmodified: every bench of both a cell, a launch of its own each time.
//!
//! A launch measures one bench for a moment into a CRITERION_HOME of its own, from which `sample.json` is read. So the arms of a bench
//! are measured right after one another, each time with another layout of memory; what Criterion itself concludes is not asked.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use amdahl_gate::{Better, Metric};
use amdahl_readers::{SUPPORTED, benches, supported, version_in};
use amdahl_stats::{Margins, median};
use regex_lite::Regex;

use super::launch::{Launch, end_of_grace, launch};
use super::{Arm, Arms, CellSpec, Round, RoundCell, RoundPlan};
use crate::gates::{GateProbe, reading};
use crate::{Unable, stop};

/// What one launch of one bench takes, besides the bench's own preparation and Criterion's analysis: the first is thrown away.
const WARM_UP: &str = "0.05";
const MEASUREMENT: &str = "0.15";

/// Listing measures nothing, but a bench may prepare its data before it lists.
const LIST_LIMIT: Duration = Duration::from_secs(120);

/// Two builds as arms; the sentinel is a byte copy of the base.
pub struct Benches {
    /// Of A, B and the sentinel: copies beside each other, under names of the same length.
    copies: [PathBuf; 3],
    cells: Vec<CellSpec>,
    probe: Option<GateProbe>,
    remarks: Vec<String>,
    limit: Option<Duration>,
    rounds: usize,
    /// Launches of A and B that gave a figure.
    succeeded: [usize; 2],
    /// Holds the copies and the launches' directories.
    scratch: tempfile::TempDir,
}

impl Benches {
    /// Looks at both builds; nothing is measured yet. Without `only` every bench counts.
    pub fn new(
        (base, head): (&Path, &Path),
        only: Option<&Regex>,
        margins: Margins,
        probe: Option<GateProbe>,
        limit: Option<Duration>,
    ) -> anyhow::Result<Self> {
        let scratch = tempfile::Builder::new().prefix("amdahl-ab-").tempdir()?;
        let mut remarks = Vec::new();
        let versions = [version(base)?, version(head)?];
        if versions.contains(&None) {
            remarks.push(
                "the version of Criterion does not show in the executable, so it was not checked"
                    .to_owned(),
            );
        } else if versions[0] != versions[1] {
            let [a, b] = versions.map(Option::unwrap_or_default);
            remarks.push(format!(
                "A was built with Criterion {a}, B with {b}: what differs may be Criterion"
            ));
        }
        let copies = [("a", base), ("b", head), ("s", base)]
            .map(|(name, from)| copy(from, scratch.path().join(name)));
        let [a, b, s] = copies;
        let copies = [a?, b?, s?];
        let (mut in_base, mut in_head) = (listed(&copies[0], base)?, listed(&copies[1], head)?);
        if let Some(only) = only {
            for names in [&mut in_base, &mut in_head] {
                let first = names.first().cloned();
                names.retain(|name| only.is_match(name));
                if let (Some(first), true) = (first, names.is_empty()) {
                    return Err(Unable(format!(
                        "--benches {only}: matches no bench; the first is called {first}"
                    ))
                    .into());
                }
            }
        }
        for (only, names) in
            [("A", in_base.difference(&in_head)), ("B", in_head.difference(&in_base))]
        {
            let names: Vec<&str> = names.map(String::as_str).collect();
            if !names.is_empty() {
                remarks.push(format!("only {only} has: {}", names.join(", ")));
            }
        }
        let metric =
            Metric { name: "time".to_owned(), unit: "ns".to_owned(), better: Better::Lower };
        let cell = |name: &String| CellSpec { name: name.clone(), metric: metric.clone(), margins };
        let cells: Vec<CellSpec> = in_base.intersection(&in_head).map(cell).collect();
        if cells.is_empty() {
            let text = format!("{} and {} have no bench in common", base.display(), head.display());
            return Err(Unable(text).into());
        }
        Ok(Self { copies, cells, probe, remarks, limit, rounds: 0, succeeded: [0; 2], scratch })
    }

    /// ns an iteration of one bench in one launch: the median of its samples, so that one stall in a launch does not decide it.
    fn measure(&self, arm: Arm, bench: &str, pad: u32) -> anyhow::Result<Result<f64, String>> {
        let home = tempfile::Builder::new().prefix("h").tempdir_in(self.scratch.path())?;
        let exe = match arm {
            Arm::A => &self.copies[0],
            Arm::B => &self.copies[1],
            Arm::Sentinel => &self.copies[2],
        };
        let mut words = vec![exe.display().to_string()];
        let flags = "--bench --noplot --sample-size 10 --nresamples 1001 --exact --warm-up-time";
        words.extend(flags.split(' ').map(str::to_owned));
        words.extend([WARM_UP, "--measurement-time", MEASUREMENT, bench].map(str::to_owned));
        let env = vec![("CRITERION_HOME".to_owned(), home.path().display().to_string())];
        let asked = Launch { words: &words, env: &env, pad, limit: self.limit };
        if let Err(why) = launch(&asked)? {
            return Ok(Err(why));
        }
        Ok(figure(home.path(), bench))
    }
}

impl Arms for Benches {
    fn cells(&self) -> &[CellSpec] {
        &self.cells
    }

    fn round(&mut self, plan: &RoundPlan) -> anyhow::Result<Option<Round>> {
        let before = self.probe.as_ref().map(|p| p.take(&[]));
        let mut cells = Vec::new();
        for cell in &self.cells {
            let mut of = [None, None, None];
            for (arm, pad) in plan.order.iter().zip(&plan.env_pad_bytes) {
                of[*arm as usize] = Some(self.measure(*arm, &cell.name, *pad)?);
                if stop::asked() > 0 {
                    return Ok(None);
                }
            }
            let [a, b, sentinel] = of;
            let missing = || Err("not launched".to_owned());
            cells.push(RoundCell {
                a: a.unwrap_or_else(missing),
                b: b.unwrap_or_else(missing),
                sentinel,
            });
        }
        self.rounds += 1;
        for (k, name) in ["A", "B"].into_iter().enumerate() {
            let results = cells.iter().map(|c| if k == 0 { &c.a } else { &c.b });
            self.succeeded[k] += results.clone().filter(|r| r.is_ok()).count();
            if let Some(Err(why)) = results.into_iter().find(|r| r.is_err()) {
                end_of_grace(
                    name,
                    self.rounds,
                    self.succeeded[k],
                    why,
                    &self.copies[k].display().to_string(),
                )?;
            }
        }
        let gates =
            self.probe.as_ref().zip(before).map(|(p, before)| reading(&p.since(&before, &[], &[])));
        Ok(Some(Round { cells, gates, dropped: None }))
    }

    fn narrow(&mut self, keep: &[usize]) {
        self.cells = keep.iter().map(|k| self.cells[*k].clone()).collect();
    }

    fn remarks(&self) -> Vec<String> {
        self.remarks.clone()
    }
}

/// The version of Criterion in an executable, if it shows; refused if it is not one that was checked.
fn version(exe: &Path) -> anyhow::Result<Option<String>> {
    let bytes = std::fs::read(exe).map_err(|e| {
        Unable(format!(
            "{}: {e}; `cargo bench --no-run` names the executables that it builds",
            exe.display()
        ))
    })?;
    let version = version_in(&bytes);
    if let Some(v) = version.as_ref().filter(|v| !supported(v)) {
        let known = SUPPORTED.join(", ");
        let text = format!(
            "{}: built with Criterion {v}; supported are {known}: build it with one of them",
            exe.display()
        );
        return Err(Unable(text).into());
    }
    Ok(version)
}

fn copy(from: &Path, to: PathBuf) -> anyhow::Result<PathBuf> {
    std::fs::copy(from, &to).map_err(|e| Unable(format!("{}: {e}", from.display())))?;
    Ok(to)
}

/// Ids of its benches; `exe` is the copy of `shown`.
fn listed(exe: &Path, shown: &Path) -> anyhow::Result<BTreeSet<String>> {
    let words = [exe.display().to_string(), "--bench".to_owned(), "--list".to_owned()];
    let asked = Launch { words: &words, env: &[], pad: 0, limit: Some(LIST_LIMIT) };
    let no = |why: &str| {
        let text = format!(
            "{}: no Criterion bench: {why}; give the executable that `cargo bench --no-run` names",
            shown.display()
        );
        Unable(text)
    };
    let done = launch(&asked)?.map_err(|why| no(&format!("--list: {why}")))?;
    let ids: BTreeSet<String> = done
        .text
        .lines()
        .filter_map(|l| l.strip_suffix(": benchmark"))
        .map(str::to_owned)
        .collect();
    if ids.is_empty() { Err(no("--list names no benchmark").into()) } else { Ok(ids) }
}

/// What a launch left of the bench.
fn figure(home: &Path, bench: &str) -> Result<f64, String> {
    let found = benches(home).map_err(|e| e.to_string())?;
    let found = found.iter().find(|b| b.id == bench);
    let ns = found.and_then(|b| median(&b.ns));
    ns.ok_or_else(|| format!("left no sample.json of `{bench}` in CRITERION_HOME"))
}
