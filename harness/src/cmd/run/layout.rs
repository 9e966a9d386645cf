//! What it costs that workers' data share cache lines (false sharing): the same cell packed and padded.

use std::collections::BTreeSet;

use amdahl_schema::{Arm, Pass, Trial};
use amdahl_stats::{Interval, log_welch_interval};
use serde_json::{Value, json};

const LAYOUT: &str = "layout";

/// Time of an operation packed over time padded, of cells that differ in nothing else.
pub(super) struct Shared {
    model: String,
    /// The other parameters, `k=v k=v`.
    cell: String,
    workers: u32,
    ratio: Interval,
}

/// Of cells measured in both layouts, with the most workers that the CPUs serve at once; none with fewer than two trials of each.
pub(super) fn shared(trials: &[Trial], cpus: u32) -> Vec<Shared> {
    let counted = |t: &&Trial| t.arm == Arm::Model && t.pass == Pass::Throughput && t.workers > 1;
    let both: Vec<&Trial> =
        trials.iter().filter(counted).filter(|t| t.params.contains_key(LAYOUT)).collect();
    let cells: BTreeSet<(&str, String)> =
        both.iter().map(|t| (t.model.as_str(), others(t))).collect();
    let one = |(model, cell): (&str, String)| {
        let mine: Vec<&&Trial> =
            both.iter().filter(|t| t.model == model && others(t) == cell).collect();
        let counts = || mine.iter().map(|t| t.workers);
        let workers = counts().filter(|n| *n <= cpus).max().or_else(|| counts().min())?;
        let ns = |layout: &str| -> Vec<f64> {
            let of = mine.iter().filter(|t| t.workers == workers && t.params[LAYOUT] == layout);
            of.filter_map(|t| Some(1e9 / t.rate()?)).collect()
        };
        let ratio = log_welch_interval(&ns("packed"), &ns("padded"), 0.95)?;
        Some(Shared { model: model.to_owned(), cell, workers, ratio })
    };
    cells.into_iter().filter_map(one).collect()
}

/// All parameters but the layout; what the worker chose itself may follow from it.
fn others(trial: &Trial) -> String {
    let params = trial.params.iter().filter(|(key, _)| !["batch", LAYOUT].contains(&key.as_str()));
    params.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
}

/// A line each.
pub(super) fn text(all: &[Shared]) -> String {
    let line = |s: &Shared| {
        let Interval { estimate, lo, hi, .. } = s.ratio;
        format!(
            "  {} {}: packed an operation takes {estimate:.2} [{lo:.2}, {hi:.2}] times as long as padded, N = {}\n",
            s.model, s.cell, s.workers
        )
    };
    all.iter().map(line).collect()
}

/// For programs.
pub(super) fn json(all: &[Shared]) -> Value {
    let one = |s: &Shared| {
        let Interval { estimate, lo, hi, n } = s.ratio;
        json!({"model": s.model, "cell": s.cell, "workers": s.workers,
            "packed_over_padded": {"estimate": estimate, "lo": lo, "hi": hi, "n": n}})
    };
    all.iter().map(one).collect()
}
