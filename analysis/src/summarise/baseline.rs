//! Rates of models over that of a baseline. Their blocks were not measured side by side, so the two samples are not paired.

use std::collections::BTreeSet;

use amdahl_stats::{Judgement, log_welch_interval};

use crate::load::RunFrames;
use crate::summarise::LEVEL;
use crate::summarise::rows::{self, FrameResult, TrialRow};
use crate::summary::{Baseline, BaselineRow, Estimate};

/// What was decided of one cell, whatever the kind of its workload.
struct Cell<'a> {
    workload: &'a str,
    model: &'a str,
    workers: u32,
    decisive: bool,
    /// Used blocks.
    blocks: BTreeSet<u32>,
}

/// One row a model and workload that the baseline has too; `None` where the baseline was not judged in this run.
pub fn baseline(
    frames: &RunFrames,
    judgement: &Judgement,
    model: &str,
) -> FrameResult<Option<Baseline>> {
    let trials = rows::usable(&frames.trials)?;
    let cells = cells(judgement);
    let mut rows = Vec::new();
    for cell in cells.iter().filter(|c| c.decisive && c.model != model) {
        let theirs = |n: u32| {
            let same =
                |c: &&Cell<'_>| (c.workload, c.model, c.workers) == (cell.workload, model, n);
            cells.iter().find(same)
        };
        if let Some(base) = theirs(cell.workers) {
            rows.push(row(cell, base, &trials));
        }
    }
    let known = cells.iter().any(|c| c.model == model);
    Ok(known.then(|| Baseline { model: model.to_owned(), rows }))
}

fn cells(judgement: &Judgement) -> Vec<Cell<'_>> {
    let cpu = judgement.parallelism.iter().filter(|r| r.workers > 1).map(|r| Cell {
        workload: &r.workload,
        model: &r.model,
        workers: r.workers,
        decisive: r.decisive && r.blocks > 0,
        blocks: r.points.iter().map(|p| p.block).collect(),
    });
    let largest = |workload: &str, model: &str| {
        let mine = judgement.io_overlap.iter();
        let mine = mine.filter(|r| r.workload == workload && r.model == model && r.blocks > 0);
        mine.map(|r| r.workers).max()
    };
    let io = judgement.io_overlap.iter().map(|r| Cell {
        workload: &r.workload,
        model: &r.model,
        workers: r.workers,
        decisive: largest(&r.workload, &r.model) == Some(r.workers),
        blocks: r.points.iter().map(|p| p.block).collect(),
    });
    cpu.chain(io).collect()
}

fn row(cell: &Cell<'_>, base: &Cell<'_>, trials: &[TrialRow]) -> BaselineRow {
    let work = |c: &Cell<'_>, n: u32| -> Vec<Work> {
        let mine = |t: &&TrialRow| {
            (t.throughput && !t.ceiling && t.workers == n)
                && (t.model.as_str(), t.workload.as_str()) == (c.model, c.workload)
                && c.blocks.contains(&t.block)
        };
        trials.iter().filter(mine).filter_map(Work::of).collect()
    };
    let ratio = |n: u32| {
        let (mine, theirs) = (work(cell, n), work(base, n));
        let rates = |of: &[Work]| of.iter().map(|w| w.rate).collect::<Vec<f64>>();
        let alike =
            mine.iter().chain(&theirs).map(|w| w.in_steps).collect::<BTreeSet<_>>().len() < 2;
        let ratio = log_welch_interval(&rates(&mine), &rates(&theirs), LEVEL);
        if alike { Ok(ratio.map(Estimate::from)) } else { Err(()) }
    };
    let (one, many) = (ratio(1), ratio(cell.workers));
    let why = match (one, many) {
        (Err(()), _) | (_, Err(())) => Some("one of the two recorded no steps an operation"),
        (Ok(None), Ok(None)) => Some("fewer than two usable blocks of one of the two"),
        _ => None,
    };
    BaselineRow {
        workload: cell.workload.to_owned(),
        model: cell.model.to_owned(),
        workers: cell.workers,
        one: one.ok().flatten(),
        many: many.ok().flatten(),
        why: why.map(str::to_owned),
    }
}

/// Work a second: steps where a worker chose how many make an operation, else operations, which are the same by
/// definition.
struct Work {
    rate: f64,
    in_steps: bool,
}

impl Work {
    fn of(t: &TrialRow) -> Option<Self> {
        let rate = t.rate?;
        Some(match t.steps {
            Some(steps) => Self { rate: rate * steps as f64, in_steps: true },
            None => Self { rate, in_steps: false },
        })
    }
}
