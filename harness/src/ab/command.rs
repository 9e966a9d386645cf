//! Two programs, launched in turn: their wall time, or the figure that each prints.

use std::collections::BTreeSet;
use std::time::Duration;

use amdahl_gate::{Better, Metric};
use amdahl_stats::Margins;
use regex_lite::Regex;

use super::launch::{Launch, end_of_grace, launch};
use super::{Arm, Arms, CellSpec, Round, RoundCell, RoundPlan};
use crate::gates::{GateProbe, reading};
use crate::stop;

/// What to launch, what to read.
#[derive(Debug)]
pub struct Asked {
    /// Command line of A, in words.
    pub a: Vec<String>,
    /// Of B.
    pub b: Vec<String>,
    /// The figure in their output: the first group, or all that matches; wall time if there is none.
    pub figure: Option<Regex>,
    /// Which direction of it is good.
    pub better: Better,
    /// What is no change.
    pub margins: Margins,
    /// A launch that takes longer is killed and has failed.
    pub limit: Option<Duration>,
}

/// Two programs as arms; a sentinel is A once more.
pub struct Commands {
    asked: Asked,
    cells: Vec<CellSpec>,
    /// None where the figure does not depend on what else runs.
    probe: Option<GateProbe>,
    rounds: usize,
    /// Of A, the sentinel's launches among them, and of B.
    seen: [Seen; 2],
}

#[derive(Default)]
struct Seen {
    succeeded: usize,
    outputs: BTreeSet<u64>,
}

impl Commands {
    /// The programs need not be there yet: the first round tells.
    pub fn new(asked: Asked, probe: Option<GateProbe>) -> Self {
        let (name, unit) = if asked.figure.is_some() { ("metric", "") } else { ("wall_ns", "ns") };
        let metric = Metric { name: name.to_owned(), unit: unit.to_owned(), better: asked.better };
        let short = |words: &[String]| {
            let program = words[0].rsplit('/').next().unwrap_or(&words[0]);
            [&[program.to_owned()], &words[1..]].concat().join(" ")
        };
        let name = format!("{} -> {}", short(&asked.a), short(&asked.b));
        let cells = vec![CellSpec { name, metric, margins: asked.margins }];
        Self { asked, cells, probe, rounds: 0, seen: Default::default() }
    }

    fn launch(&mut self, arm: Arm, pad: u32) -> anyhow::Result<Result<f64, String>> {
        let (words, seen) = match arm {
            Arm::B => (&self.asked.b, &mut self.seen[1]),
            Arm::A | Arm::Sentinel => (&self.asked.a, &mut self.seen[0]),
        };
        let asked = Launch { words, env: &[], pad, limit: self.asked.limit };
        let result = launch(&asked)?.and_then(|done| {
            seen.outputs.insert(done.hash);
            match &self.asked.figure {
                None => Ok(done.wall.as_nanos() as f64),
                Some(figure) => figure_in(&done.text, figure),
            }
        });
        seen.succeeded += usize::from(result.is_ok());
        Ok(result)
    }
}

impl Arms for Commands {
    fn cells(&self) -> &[CellSpec] {
        &self.cells
    }

    fn round(&mut self, plan: &RoundPlan) -> anyhow::Result<Option<Round>> {
        let before = self.probe.as_ref().map(|p| p.take(&[]));
        let mut by_arm = Vec::new();
        for (arm, pad) in plan.order.iter().zip(&plan.env_pad_bytes) {
            by_arm.push((*arm, self.launch(*arm, *pad)?));
            if stop::asked() > 0 {
                return Ok(None);
            }
        }
        self.rounds += 1;
        let gates =
            self.probe.as_ref().zip(before).map(|(p, before)| reading(&p.since(&before, &[], &[])));
        let of = |arm: Arm| by_arm.iter().find(|(a, _)| *a == arm).map(|(_, r)| r.clone());
        let missing = || Err("not launched".to_owned());
        let (a, b) = (of(Arm::A).unwrap_or_else(missing), of(Arm::B).unwrap_or_else(missing));
        for (name, words, result, seen) in
            [("A", &self.asked.a, &a, &self.seen[0]), ("B", &self.asked.b, &b, &self.seen[1])]
        {
            if let Err(why) = result {
                end_of_grace(name, self.rounds, seen.succeeded, why, &words.join(" "))?;
            }
        }
        let cells = vec![RoundCell { a, b, sentinel: of(Arm::Sentinel) }];
        Ok(Some(Round { cells, gates, dropped: None }))
    }

    /// There is one.
    fn narrow(&mut self, _: &[usize]) {}

    fn remarks(&self) -> Vec<String> {
        let [a, b] = [&self.seen[0].outputs, &self.seen[1].outputs];
        // Who prints a figure of its own prints something else each time.
        let repeat = a.len() == 1 && b.len() == 1;
        let differ = self.asked.figure.is_none() && repeat && a != b;
        let text = "A and B print different things, each the same in every launch: do they do the same work?";
        differ.then(|| text.to_owned()).into_iter().collect()
    }
}

/// The figure in a program's output; positive, since ratios are taken of it.
fn figure_in(text: &str, figure: &Regex) -> Result<f64, String> {
    let found = figure.captures(text).and_then(|c| c.get(1).or_else(|| c.get(0)));
    let found =
        found.ok_or_else(|| format!("--metric {figure}: nothing in its output matches"))?.as_str();
    let value: f64 =
        found.parse().map_err(|_| format!("--metric {figure}: `{found}` is not a number"))?;
    if value.is_finite() && value > 0.0 {
        Ok(value)
    } else {
        Err(format!(
            "--metric {figure}: {found} is not a positive number, so there is no ratio of it"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_positive_numbers() {
        let of = |text: &str, figure: &str| figure_in(text, &Regex::new(figure).unwrap());
        assert_eq!(of("rate: 12.5 ops", r"rate: ([0-9.]+)"), Ok(12.5));
        assert_eq!(of("a 7 b", "[0-9]"), Ok(7.0));
        assert!(
            of("rate: none", r"rate: ([0-9.]+)")
                .unwrap_err()
                .contains("nothing in its output matches")
        );
        assert!(of("rate: x", r"rate: (.*)").unwrap_err().contains("`x` is not a number"));
        for bad in ["0", "-1", "nan", "inf"] {
            assert!(
                of(&format!("rate: {bad}"), r"rate: (.*)")
                    .unwrap_err()
                    .contains("not a positive number"),
                "{bad}"
            );
        }
    }
}
