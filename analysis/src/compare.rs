//! Two recorded runs: the throughput of their cells judged as one family, and what the machine did meanwhile. Decisions are `amdahl-stats`'s;
//! nothing here reads files or lays out text.

use std::collections::BTreeMap;

use amdahl_gate::{Better, Cell, Metric, Report, Verdict};
use amdahl_schema::{Arm, Pass, Run, Stage, Status};
use amdahl_stats::{
    ALPHA, Decision, Evidence, Interval, Margins, decide_family, median, trials_for, unpaired,
    unpaired_beyond,
};

use crate::history::{cell, used_trials};

/// Seed of relabellings, where there are too many for all: the same runs, the same verdict.
pub const SEED: u64 = 1;

/// Measured where no ceiling is: one thread that computes.
const REFERENCE: &str = "rust/threads cpu N=1";

/// A comparison, and what its reader must know of the machine.
#[derive(Debug, Clone)]
pub struct Compared {
    /// The verdict of every cell that both runs have.
    pub report: Report,
    /// By how much what the machine allows changed between the runs, by cell; only those that can be told.
    pub drift: BTreeMap<String, Interval>,
    /// Cells that have a rate to be used in BASE alone, in NEW alone.
    pub unmatched: [Vec<String>; 2],
}

/// Rates of one run by cell: those that may be used, and how many may not.
#[derive(Debug, Default)]
struct Rates {
    models: BTreeMap<String, Sample>,
    ceilings: BTreeMap<String, Sample>,
}

#[derive(Debug, Default)]
struct Sample {
    rates: Vec<f64>,
    dropped: usize,
}

impl Sample {
    fn logs(&self) -> Vec<f64> {
        self.rates.iter().map(|r| r.ln()).collect()
    }
}

/// Judges every cell of both runs.
pub fn judge(base: &Run, new: &Run, margins: Margins) -> Compared {
    let (a, b) = (rates(base), rates(new));
    let drift = drift(&a, &b, margins);
    let measured = |x: &Rates, n: &str| x.models.get(n).is_some_and(|s| !s.rates.is_empty());
    let both = |n: &&String| measured(&a, n) && measured(&b, n);
    let names: Vec<&String> = a.models.keys().filter(both).collect();
    let of = |name: &String| {
        drift.get(name).or_else(|| drift.get(REFERENCE).filter(|_| name != REFERENCE))
    };
    let evidence: Vec<Evidence> = names
        .iter()
        .map(|name| {
            let (a, b) = (a.models[*name].logs(), b.models[*name].logs());
            let drift = of(name).map_or((0.0, 0.0), |i| (i.lo.ln(), i.hi.ln()));
            unpaired_beyond(&a, &b, margins, SEED, drift)
        })
        .collect();
    let judged = names.iter().zip(&evidence).zip(decide_family(&evidence));
    let cells = judged
        .map(|((name, e), d)| {
            let mut cell = told(name, e, d, names.len(), of(name));
            let (a, b) = (&a.models[*name], &b.models[*name]);
            cell.dropped_pairs = a.dropped.max(b.dropped);
            cell.medians = median(&a.rates).zip(median(&b.rates));
            cell.samples = (a.rates.clone(), b.rates.clone());
            cell
        })
        .collect();
    let alone = |x: &Rates, y: &Rates| -> Vec<String> {
        x.models.keys().filter(|n| measured(x, n) && !measured(y, n)).cloned().collect()
    };
    let unmatched = [alone(&a, &b), alone(&b, &a)];
    Compared { report: Report { cells, sentinel: None }, drift, unmatched }
}

/// A cell's verdict. Where nothing tells what the machine did, a change can't be laid to what was measured.
fn told(
    name: &str,
    e: &Evidence,
    mut d: Decision,
    family: usize,
    drift: Option<&Interval>,
) -> Cell {
    if e.smallest_p > ALPHA / family as f64 && d.reason.is_some() {
        let need = trials_for(family).map_or_else(
            || "more cells than any number of trials serves; choose fewer".to_owned(),
            |n| format!("needs at least {n} trials a side"),
        );
        d.reason = Some(format!("{} trials: a family of {family} cells {need}", e.n));
    }
    let metric = Metric { name: "throughput".into(), unit: "ops/s".into(), better: Better::Higher };
    let mut cell = Cell::new(name, metric, e, &d);
    match drift {
        Some(i) => cell.reasons.push(format!(
            "the machine's own change between the runs, x{:.3} [{:.3}, {:.3}], is allowed for",
            i.estimate, i.lo, i.hi
        )),
        None => {
            cell.verdict = match cell.verdict {
                Verdict::Regressed => Verdict::Suspect,
                Verdict::Improved | Verdict::Equivalent => Verdict::Inconclusive,
                other => other,
            };
            cell.reasons.push(
                "no ceiling or reference cell in both runs tells what the machine did between them"
                    .to_owned(),
            );
        }
    }
    cell
}

/// Ratios of the ceilings, and of the reference cell. A ceiling is of the same worker program: where that was changed, its change counts as the machine's, and what
/// remains is what the model adds.
fn drift(a: &Rates, b: &Rates, margins: Margins) -> BTreeMap<String, Interval> {
    let ratio = |a: &Sample, b: &Sample| unpaired(&a.logs(), &b.logs(), margins, SEED).ratio;
    let ceilings = a
        .ceilings
        .iter()
        .filter_map(|(name, sample)| Some((name.clone(), ratio(sample, b.ceilings.get(name)?)?)));
    let mut all: BTreeMap<String, Interval> = ceilings.collect();
    let reference = a.models.get(REFERENCE).zip(b.models.get(REFERENCE));
    if let Some(interval) = reference.and_then(|(a, b)| ratio(a, b))
        && !all.contains_key(REFERENCE)
    {
        all.insert(REFERENCE.to_owned(), interval);
    }
    all
}

fn rates(run: &Run) -> Rates {
    let mut rates = Rates::default();
    for ((_, trial), used) in run.trials.iter().zip(used_trials(run)) {
        // What the budget left out was never asked of the machine, and the parameters that name its cell are not known.
        let asked = trial.outcome.status != Status::NotRun;
        if trial.pass != Pass::Throughput || trial.stage != Stage::Measure || !asked {
            continue;
        }
        let arm = match trial.arm {
            Arm::Model => &mut rates.models,
            Arm::Ceiling => &mut rates.ceilings,
        };
        let sample = arm.entry(cell(trial)).or_default();
        match trial.rate().filter(|r| used && *r > 0.0 && r.is_finite()) {
            Some(rate) => sample.rates.push(rate),
            None => sample.dropped += 1,
        }
    }
    rates
}
