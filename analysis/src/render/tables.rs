//! Tables as rows of text: what the template and the terminal lay out.
//!
//! Here the decisions; in `tables/evidence.rs` what is behind the figures, in `tables/experiments.rs` what is
//! shown besides the answer, in `tables/run.rs` what a run and its machine were.

use std::collections::BTreeMap;

use amdahl_stats::{IoVerdict, ParallelismRow, io_verdict_name, verdict_name};
use serde::Serialize;

use crate::render::format::{self, UNKNOWN};
use crate::summary::{Answer, AnswerState, Estimate, IoAnswer, Summary};

mod evidence;
mod experiments;
mod run;

pub(crate) use evidence::{absences, budget, counters, percentiles};
pub(crate) use experiments::{memory, scaling, serial, start_up, timers};
pub(crate) use run::{failures, flags, not_run, runtimes, state};

/// A table with its columns' alignment (`---` or `---:`).
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Table {
    pub(crate) head: Vec<String>,
    pub(crate) align: Vec<&'static str>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    fn new(columns: &[(&str, Align)]) -> Self {
        Self {
            head: columns.iter().map(|(name, _)| (*name).to_owned()).collect(),
            align: columns.iter().map(|(_, a)| a.rule()).collect(),
            rows: Vec::new(),
        }
    }
}

/// Where a column's text stands.
#[derive(Clone, Copy)]
enum Align {
    Left,
    Right,
}

impl Align {
    fn rule(self) -> &'static str {
        match self {
            Self::Left => ":---",
            Self::Right => "---:",
        }
    }
}

use Align::{Left, Right};

/// The answer: one row a model.
pub(crate) fn answer(s: &Summary) -> Table {
    let n = common_n(s);
    let speedup = n.map_or_else(|| "speed-up at N".to_owned(), |n| format!("speed-up at N = {n}"));
    let mut table = Table::new(&[
        ("model", Left),
        ("parallel on CPU-bound work?", Left),
        (&format!("{speedup} [95 % interval]"), Right),
        ("share of ceiling", Right),
        ("effective CPUs", Right),
        ("limited by", Left),
        ("I/O-bound work overlaps?", Left),
    ]);
    table.rows = s.answers.iter().map(|a| answer_row(a, n)).collect();
    table
}

fn answer_row(a: &Answer, common: Option<u32>) -> Vec<String> {
    let blank = || UNKNOWN.to_owned();
    let mut row = vec![format!("`{}`", a.model)];
    match &a.state {
        AnswerState::Judged {
            verdict,
            workers,
            speedup,
            ceiling_share,
            effective_cpus,
            limited_by,
            why,
        } => {
            row.push(match why {
                Some(why) => format!("unknown: {why}"),
                None => format::verdict_in_words(*verdict).to_owned(),
            });
            let at = if common.is_none() { format!(" at N = {workers}") } else { String::new() };
            row.push(speedup.map_or_else(blank, |s| format::ratio(&s) + &at));
            row.push(format::maybe_percent(*ceiling_share));
            row.push(format::maybe_ratio(*effective_cpus));
            row.push(speedup.map_or_else(blank, |_| limit(limited_by)));
        }
        AnswerState::NotRun { why } => {
            row.push(format!("not run: {why}"));
            row.extend([blank(), blank(), blank(), blank()]);
        }
        AnswerState::NotAsked => {
            row.push("not asked: `cpu` is not in this run for it".to_owned());
            row.extend([blank(), blank(), blank(), blank()]);
        }
        AnswerState::Absent(why) => {
            let remedy = why.remedy.as_ref().map_or_else(String::new, |r| format!("; {r}"));
            row.push(format!("absent: {}{remedy}", why.reason));
            row.extend([blank(), blank(), blank(), blank()]);
        }
    }
    row.push(io_cell(a));
    row
}

fn limit(limited_by: &str) -> String {
    match limited_by {
        "nothing" => "nothing (no loss above 5 % of N)".to_owned(),
        other => other.replace('_', " "),
    }
}

fn io_cell(a: &Answer) -> String {
    if a.io.is_empty() {
        return UNKNOWN.to_owned();
    }
    let mut parts: Vec<String> =
        a.io.iter().filter(|io| io.not_run.is_none()).map(io_words).collect();
    let mut not_run: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for io in &a.io {
        if let Some(why) = &io.not_run {
            not_run.entry(why).or_default().push(format!("`{}`", io.workload));
        }
    }
    let rest = not_run.iter().map(|(why, names)| format!("not run: {why} ({})", names.join(", ")));
    parts.extend(rest);
    parts.join("; ")
}

fn io_words(io: &IoAnswer) -> String {
    let what = match io.verdict {
        IoVerdict::Overlaps => "yes",
        IoVerdict::DoesNot => "no",
        IoVerdict::Unknown => "unknown",
    };
    let ratio = io.ratio.map(|r| format!(" × {} at N = {}", format::ratio(&r), io.workers));
    let why = io.why.as_ref().map_or_else(String::new, |w| format!(" ({w})"));
    format!("{what}: `{}`{}{why}", io.workload, ratio.unwrap_or_default())
}

/// The N of every judged row, where they agree.
fn common_n(s: &Summary) -> Option<u32> {
    let mut counts: Vec<u32> = s
        .answers
        .iter()
        .filter_map(|a| match a.state {
            AnswerState::Judged { workers, .. } => Some(workers),
            _ => None,
        })
        .collect();
    counts.sort_unstable();
    counts.dedup();
    (counts.len() == 1).then(|| counts[0])
}

/// All decisions on CPU-bound work, every N, but those that have a table of their own.
pub(crate) fn parallelism(s: &Summary) -> Table {
    let mut table = Table::new(&[
        ("workload", Left),
        ("model", Left),
        ("N", Right),
        ("verdict", Left),
        ("speed-up", Right),
        ("ceiling", Right),
        ("share of ceiling", Right),
        ("effective CPUs", Right),
        ("Karp-Flatt e(N)", Right),
        ("blocks used (dropped)", Right),
        ("limited by", Left),
    ]);
    let shown = |r: &&ParallelismRow| r.blocks + r.dropped > 0 && !s.has_own_table(&r.workload);
    for r in s.judgement.parallelism.iter().filter(shown) {
        let ratio = |i: Option<amdahl_stats::Interval>| format::maybe_ratio(i.map(Estimate::from));
        let mark = if r.decisive { " *" } else { "" };
        table.rows.push(vec![
            format!("`{}`", r.workload),
            format!("`{}`", r.model),
            format!("{}{mark}", r.workers),
            verdict_name(r.verdict).to_owned(),
            ratio(r.speedup),
            ratio(r.ceiling),
            format::maybe_percent(r.ceiling_share.map(Estimate::from)),
            ratio(r.effective_cpus),
            ratio(r.karp_flatt),
            format!("{} ({})", r.blocks, r.dropped),
            r.limited_by.replace('_', " "),
        ]);
    }
    table
}

/// All decisions on I/O-bound work, every N.
pub(crate) fn io(s: &Summary) -> Table {
    let mut table = Table::new(&[
        ("workload", Left),
        ("model", Left),
        ("N", Right),
        ("overlaps?", Left),
        ("throughput at N / at 1 [95 % interval]", Right),
        ("blocks", Right),
    ]);
    for r in s.judgement.io_overlap.iter().filter(|r| r.blocks > 0) {
        table.rows.push(vec![
            format!("`{}`", r.workload),
            format!("`{}`", r.model),
            r.workers.to_string(),
            io_verdict_name(r.verdict).to_owned(),
            format::maybe_ratio(r.throughput_ratio.map(Estimate::from)),
            r.blocks.to_string(),
        ]);
    }
    table
}
