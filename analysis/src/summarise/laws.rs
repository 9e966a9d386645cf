//! Scalability laws of every CPU-bound cell: the blocks that were judged, as points. The numbers are
//! `amdahl_stats::laws`.

use std::collections::{BTreeMap, BTreeSet};

use amdahl_stats::laws::{Analysis, Options, Points, Sample};
use amdahl_stats::{Judgement, Observation, ParallelismRow};

use crate::model::{ModelName, workload_key};
use crate::summary::LawRow;

/// From so many worker counts on "fit" is a word.
const COUNTS_MIN: usize = 3;

/// One row a model and workload, if any of them was measured at enough worker counts that the CPUs can serve: beyond
/// those another law begins.
pub(super) fn rows(judgement: &Judgement, observed: &[Observation], cpus: u32) -> Vec<LawRow> {
    let mut used: BTreeMap<_, (&ParallelismRow, BTreeSet<(u32, u32)>)> = BTreeMap::new();
    let served = |r: &&ParallelismRow| r.workers <= cpus && super::in_every_figure(&r.workload);
    for r in judgement.parallelism.iter().filter(served) {
        let key = (workload_key(&r.workload), ModelName::parse(&r.model));
        let cell = &mut used.entry(key).or_insert_with(|| (r, BTreeSet::new())).1;
        // A ratio was taken with the block's own N = 1.
        cell.extend(r.points.iter().flat_map(|p| [(p.block, r.workers), (p.block, 1)]));
    }
    let rows: Vec<LawRow> =
        used.into_values().filter_map(|(r, cell)| row(r, &cell, observed)).collect();
    let curve = |r: &LawRow| r.raw.points.points.len() >= COUNTS_MIN;
    if rows.iter().any(curve) { rows } else { Vec::new() }
}

fn row(
    r: &ParallelismRow,
    cell: &BTreeSet<(u32, u32)>,
    observed: &[Observation],
) -> Option<LawRow> {
    let mine = |o: &&Observation| {
        o.model == r.model && o.workload == r.workload && cell.contains(&(o.block, o.workers))
    };
    let (ceilings, own): (Vec<_>, Vec<_>) = observed.iter().filter(mine).partition(|o| o.ceiling);
    let ceiling = |o: &Observation| {
        let same = |c: &&&Observation| (c.block, c.workers) == (o.block, o.workers);
        ceilings.iter().find(same).map(|c| c.rate)
    };
    let sample = |o: &&Observation| Sample {
        n: f64::from(o.workers),
        throughput: o.rate,
        trial: Some(u64::from(o.block)),
        ceiling: ceiling(o),
    };
    let samples: Vec<Sample> = own.iter().map(sample).collect();
    // N = 1 has no ceiling of its own: relative to it gamma is found from the others.
    let with_ceiling: Vec<Sample> =
        samples.iter().filter(|s| s.ceiling.is_some()).copied().collect();
    let options = Options { bootstrap_draws: 0, ..Options::default() };
    let raw = Analysis::new(&Points::new(&samples).ok()?, &options);
    let corrected = Points::corrected(&with_ceiling).map(|p| Analysis::new(&p, &options));
    Some(LawRow { model: r.model.clone(), workload: r.workload.clone(), raw, corrected })
}
