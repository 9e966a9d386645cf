//! `serial` beside what it was told: e(N) against the injected share, and strong against weak scaling.

use std::collections::{BTreeMap, BTreeSet};

use amdahl_stats::{Interval, Judgement, ParallelismRow, Verdict, gustafson, karp_flatt};

use crate::model::{ModelName, workload_id};
use crate::summarise::answer::{DECIDING, first_clause};
use crate::summarise::rows::TrialRow;
use crate::summary::{Estimate, Expected, ScalingFigure, ScalingRow, SerialFigure, SerialRow};

/// The workload with a known serial share.
pub(super) const SERIAL: &str = "serial";

/// Planned parameters by workload as it is named.
type Params = BTreeMap<String, BTreeMap<String, String>>;

/// e(N) at every model's decisive N, by model and share; absent where only rounds without a serial part
/// (`permille=0`) were measured as the two kinds of scaling.
pub(super) fn figure(
    judgement: &Judgement,
    params: &Params,
    trials: &[TrialRow],
) -> Option<SerialFigure> {
    let mut rows: Vec<SerialRow> = judgement
        .parallelism
        .iter()
        .filter(|r| r.decisive && r.workers > 1 && workload_id(&r.workload) == SERIAL)
        .filter(|r| !is_strong(params.get(&r.workload)))
        .filter_map(|r| {
            row(r, share(params.get(&r.workload))?, one_at_a_time(r, judgement, trials))
        })
        .collect();
    rows.sort_by(|a, b| {
        let key = |r: &SerialRow| (r.expected == Expected::One, ModelName::parse(&r.model));
        key(a).cmp(&key(b)).then_with(|| a.share.total_cmp(&b.share))
    });
    (rows.iter().any(|r| r.share > 0.0)).then_some(SerialFigure { rows })
}

/// Efficiency at every N. Absent where no job was split and the rounds without a serial part are shown with
/// the others, as `calibrated` says.
pub(super) fn scaling(
    judgement: &Judgement,
    params: &Params,
    cpus_available: u32,
    calibrated: bool,
) -> Option<ScalingFigure> {
    let of = |r: &ParallelismRow| {
        let p = params.get(&r.workload);
        let rounds = workload_id(&r.workload) == SERIAL && share(p) == Some(0.0);
        (rounds && r.workers > 1 && r.blocks + r.dropped > 0).then(|| is_strong(p))
    };
    let mut rows: BTreeMap<(ModelName, u32), ScalingRow> = BTreeMap::new();
    for (r, strong) in judgement.parallelism.iter().filter_map(|r| Some((r, of(r)?))) {
        let key = (ModelName::parse(&r.model), r.workers);
        let row = rows.entry(key).or_insert_with(|| ScalingRow {
            model: r.model.clone(),
            workers: r.workers,
            strong: None,
            weak: None,
            gustafson: None,
        });
        if !strong {
            row.gustafson = r.speedup.map(|s| serial_share(s, r.workers));
        }
        let efficiency = r.speedup.map(|s| per_worker(s, r.workers));
        *(if strong { &mut row.strong } else { &mut row.weak }) = efficiency;
    }
    let rows: Vec<ScalingRow> = rows.into_values().collect();
    let known = rows.iter().any(|r| r.strong.is_some() || (!calibrated && r.weak.is_some()));
    known.then_some(ScalingFigure { cpus_available, rows })
}

fn row(r: &ParallelismRow, share: f64, one_at_a_time: bool) -> Option<SerialRow> {
    if r.blocks + r.dropped == 0 {
        return None; // Not run: *Trials* tells.
    }
    Some(SerialRow {
        model: r.model.clone(),
        workers: r.workers,
        share,
        e: r.karp_flatt.map(Estimate::from),
        blocks: r.points.iter().map(|p| karp_flatt(p.speedup, r.workers)).collect(),
        dropped: r.dropped,
        expected: if one_at_a_time { Expected::One } else { Expected::Share },
        why: (r.karp_flatt.is_none())
            .then(|| r.reasons.first().map(|why| first_clause(why).to_owned()))
            .flatten(),
    })
}

/// By the model's verdict on `cpu`; where that has none, by what the runtime says of a lock.
pub(super) fn one_at_a_time(
    r: &ParallelismRow,
    judgement: &Judgement,
    trials: &[TrialRow],
) -> bool {
    let of_cpu = |c: &&ParallelismRow| c.model == r.model && workload_id(&c.workload) == DECIDING;
    let verdict = judgement.parallelism.iter().filter(of_cpu).find(|c| c.decisive);
    match verdict.map(|c| c.verdict) {
        Some(Verdict::Serial) => true,
        Some(Verdict::Parallel | Verdict::Partly) => false,
        Some(Verdict::Unknown) | None => {
            let mine = trials.iter().filter(|t| t.model == r.model && !t.ceiling);
            let said: BTreeSet<bool> = mine.filter_map(|t| t.gil).collect();
            said == BTreeSet::from([true])
        }
    }
}

fn share(params: Option<&BTreeMap<String, String>>) -> Option<f64> {
    let permille: u32 = params?.get("permille")?.parse().ok()?;
    Some(f64::from(permille) / 1000.0)
}

fn is_strong(params: Option<&BTreeMap<String, String>>) -> bool {
    params.and_then(|p| p.get("scaling")).is_some_and(|s| s == "strong")
}

/// The share falls where the speed-up rises.
fn serial_share(speedup: Interval, workers: u32) -> Estimate {
    let of = |s: f64| gustafson(s, workers);
    Estimate {
        value: of(speedup.estimate),
        ci95: Some((of(speedup.hi), of(speedup.lo))),
        n: speedup.n,
    }
}

fn per_worker(speedup: Interval, workers: u32) -> Estimate {
    let n = f64::from(workers);
    Estimate {
        value: speedup.estimate / n,
        ci95: Some((speedup.lo / n, speedup.hi / n)),
        n: speedup.n,
    }
}
