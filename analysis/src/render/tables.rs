//! Tables as rows of text: what the template and the terminal lay out.
//!
//! Here the decisions; in `tables/answer.rs` the answer, in `tables/evidence.rs` what is behind the figures, in
//! `tables/experiments.rs` what is shown besides the answer, in `tables/price.rs` like builds, in `tables/laws.rs` scalability laws, in `tables/run.rs` what
//! a run and its machine were.

use amdahl_schema::by_runtime;
use amdahl_stats::{ParallelismRow, io_verdict_name, verdict_name};
use serde::Serialize;

use crate::render::format;
use crate::summary::{Estimate, Summary};

mod answer;
mod baseline;
mod evidence;
mod experiments;
mod laws;
mod price;
mod run;

pub(crate) use answer::{answer, left_out};
pub(crate) use baseline::baseline;
pub(crate) use evidence::{absences, budget, counters, percentiles};
pub(crate) use experiments::{memory, scaling, serial, start_up, timers};
pub(crate) use laws::{law_words, laws};
pub(crate) use price::{price, price_words};
pub(crate) use run::{failures, flags, not_run, runtimes, state};

/// A table with its columns' alignment (`---` or `---:`).
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Table {
    pub(crate) head: Vec<String>,
    pub(crate) align: Vec<&'static str>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(columns: &[(&str, Align)]) -> Self {
        Self {
            head: columns.iter().map(|(name, _)| (*name).to_owned()).collect(),
            align: columns.iter().map(|(_, a)| a.rule()).collect(),
            rows: Vec::new(),
        }
    }
}

/// Where a column's text stands.
#[derive(Clone, Copy)]
pub(crate) enum Align {
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

/// Models of one reason in few words.
fn grouped<'a>(models: impl IntoIterator<Item = &'a str>) -> String {
    let named = |group: &String| format!("`{group}`");
    by_runtime(models).iter().map(named).collect::<Vec<_>>().join(", ")
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
