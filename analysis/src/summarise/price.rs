//! `micro`: like builds against each other, kernel by kernel, block by block; and what memory they had.

use std::collections::{BTreeMap, BTreeSet};

use amdahl_schema::Runtime;
use amdahl_stats::{Comparison, Missing, Observation, compare};

use crate::load::RunFrames;
use crate::model::{LikePair, Likeness, ModelName, in_order, like_pairs, workload_id};
use crate::summarise::geometric_estimate;
use crate::summarise::rows::TrialRow;
use crate::summary::{Estimate, PriceFigure, PricePair, PriceRow, StepRow};

/// The workload of one interpreter operation at a time.
const MICRO: &str = "micro";
/// What the receipts of like builds are compared by.
const BUILT: [&str; 3] = ["compiler", "optimise", "configure"];

/// `None` where `micro` was not measured.
pub(super) fn figure(
    frames: &RunFrames,
    (observations, missing): &(Vec<Observation>, Vec<Missing>),
    trials: &[TrialRow],
) -> Option<PriceFigure> {
    let mine = |t: &&TrialRow| {
        workload_id(&t.workload) == MICRO && t.throughput && !t.ceiling && t.workers == 1
    };
    let trials: Vec<&TrialRow> = trials.iter().filter(mine).collect();
    let models = in_order(trials.iter().map(|t| t.model.clone()).collect::<BTreeSet<_>>());
    let kinds: Vec<(String, String)> = kinds(frames, &trials);
    let steps = models.iter().flat_map(|m| kinds.iter().filter_map(|k| step(m, k, &trials)));
    let steps: Vec<StepRow> = steps.collect();
    let pair = |pair: LikePair| {
        let of = |kind: &(String, String)| {
            let c = compare(observations, missing, &kind.0, (&pair.free, &pair.locked));
            (row(&pair, kind, &c, &trials), c)
        };
        let (rows, compared): (Vec<PriceRow>, Vec<Comparison>) = kinds.iter().map(of).unzip();
        let mut reasons: Vec<String> = compared.into_iter().flat_map(|c| c.reasons).collect();
        reasons.sort();
        reasons.dedup();
        PricePair {
            differences: differences(&pair, &frames.header.runtimes),
            mean: over_kinds("all kinds", rows.iter().map(|r| r.blocks.as_slice())),
            memory: memory(&pair, &kinds, &trials),
            rows,
            reasons,
            pair,
        }
    };
    let pairs = like_pairs(&models).into_iter().map(pair).collect();
    (!steps.is_empty()).then_some(PriceFigure { pairs, steps })
}

/// Workloads of this run that are kernels, each with its kind, in the order of the names.
fn kinds(frames: &RunFrames, trials: &[&TrialRow]) -> Vec<(String, String)> {
    let names: BTreeSet<&String> = trials.iter().map(|t| &t.workload).collect();
    let kind =
        |name: &&String| Some(((*name).clone(), frames.params.get(*name)?.get("kind")?.clone()));
    names.iter().filter_map(kind).collect()
}

fn step(model: &str, (workload, kind): &(String, String), trials: &[&TrialRow]) -> Option<StepRow> {
    let mine = || trials.iter().filter(|t| t.model == model && t.workload == *workload);
    let step_ns: Vec<f64> = mine().filter_map(|t| step_ns(t)).collect();
    let peaks: Vec<f64> = mine().filter_map(|t| Some(t.peak_rss? as f64)).collect();
    Some(StepRow {
        model: model.to_owned(),
        kind: kind.clone(),
        step_ns: geometric_estimate(&step_ns)?,
        peak_rss: geometric_estimate(&peaks),
    })
}

fn step_ns(t: &TrialRow) -> Option<f64> {
    Some(1e9 / (t.rate? * t.steps? as f64))
}

/// The columns of a row speak of the same blocks.
fn row(
    pair: &LikePair,
    (workload, kind): &(String, String),
    compared: &Comparison,
    trials: &[&TrialRow],
) -> PriceRow {
    let of = |model: &str| -> Option<Estimate> {
        let mine = |t: &&&TrialRow| {
            t.model == model && t.workload == *workload && compared.ratios.contains_key(&t.block)
        };
        let times: Vec<f64> = trials.iter().filter(mine).filter_map(|t| step_ns(t)).collect();
        geometric_estimate(&times)
    };
    let ratios: Vec<f64> = compared.ratios.values().copied().collect();
    PriceRow {
        kind: kind.clone(),
        ratio: geometric_estimate(&ratios),
        blocks: compared.ratios.iter().map(|(b, r)| (*b, *r)).collect(),
        dropped: compared.dropped,
        free: of(&pair.free),
        locked: of(&pair.locked),
    }
}

/// The geometric mean over the kinds that have any block, in each block that has them all: an interval over
/// blocks, for these kinds. It says nothing of others.
fn over_kinds<'a>(name: &str, kinds: impl Iterator<Item = &'a [(u32, f64)]>) -> PriceRow {
    let kinds: Vec<&[(u32, f64)]> = kinds.filter(|blocks| !blocks.is_empty()).collect();
    let mut logs: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for (block, ratio) in kinds.iter().flat_map(|blocks| blocks.iter()) {
        logs.entry(*block).or_default().push(ratio.ln());
    }
    let all = logs.len() as u32;
    let whole = logs.into_iter().filter(|(_, logs)| logs.len() == kinds.len());
    let blocks: Vec<(u32, f64)> = whole
        .map(|(block, logs)| (block, (logs.iter().sum::<f64>() / logs.len() as f64).exp()))
        .collect();
    let ratios: Vec<f64> = blocks.iter().map(|b| b.1).collect();
    PriceRow {
        kind: name.to_owned(),
        ratio: geometric_estimate(&ratios),
        dropped: all - blocks.len() as u32,
        blocks,
        ..PriceRow::default()
    }
}

/// Peak resident memory, whatever the machine did meanwhile: nobody else's work changes it.
fn memory(pair: &LikePair, kinds: &[(String, String)], trials: &[&TrialRow]) -> PriceRow {
    let peaks = |model: &str, workload: &str| -> BTreeMap<u32, f64> {
        let mine = trials.iter().filter(|t| t.model == model && t.workload == workload);
        mine.filter_map(|t| Some((t.block, t.peak_rss? as f64))).collect()
    };
    let ratios = |(workload, _): &(String, String)| -> Vec<(u32, f64)> {
        let locked = peaks(&pair.locked, workload);
        let free = peaks(&pair.free, workload).into_iter();
        free.filter_map(|(block, bytes)| Some((block, bytes / locked.get(&block)?))).collect()
    };
    let of_kinds: Vec<Vec<(u32, f64)>> = kinds.iter().map(ratios).collect();
    let bytes = |model: &str| {
        let all: Vec<f64> = kinds.iter().flat_map(|(w, _)| peaks(model, w).into_values()).collect();
        geometric_estimate(&all).map(|e| Estimate { ci95: None, ..e })
    };
    PriceRow {
        free: bytes(&pair.free),
        locked: bytes(&pair.locked),
        ..over_kinds("peak resident memory", of_kinds.iter().map(Vec::as_slice))
    }
}

/// What the receipts of the two say differently, beyond the lock.
fn differences(pair: &LikePair, runtimes: &[Runtime]) -> Vec<String> {
    let receipt = |model: &str| {
        let id = ModelName::parse(model).runtime();
        runtimes.iter().find(|r| r.id == id)
    };
    let (Some(free), Some(locked)) = (receipt(&pair.free), receipt(&pair.locked)) else {
        return vec!["the run has no receipt of one of them".to_owned()];
    };
    if pair.likeness == Likeness::Build {
        let same = free.hash.is_some() && free.hash == locked.hash;
        return if same { vec![] } else { vec!["not the same binary by its hash".to_owned()] };
    }
    let version = |r: &Runtime| r.version.trim_end_matches('t').to_owned();
    let detail = |r: &Runtime, key: &str| {
        let text = r.details.get(key).cloned().unwrap_or_default();
        let flags = text.split(',').filter(|f| *f != "--disable-gil" && !f.is_empty());
        let mut flags: Vec<&str> = flags.collect();
        flags.sort_unstable();
        if flags.is_empty() { "nothing".to_owned() } else { flags.join(" ") }
    };
    let versions = ("version", version(free), version(locked));
    let details = BUILT.map(|key| (key, detail(free, key), detail(locked, key)));
    let all = [versions].into_iter().chain(details);
    let unlike = all.filter(|(_, a, b)| a != b);
    unlike.map(|(what, a, b)| format!("{what} {a} against {b}")).collect()
}
