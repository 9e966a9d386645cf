//! Scalability laws of every CPU-bound cell: the blocks that were judged, as points. The numbers are
//! `amdahl_stats::laws`.

use std::collections::{BTreeMap, BTreeSet};

use amdahl_stats::laws::{Analysis, Law, Options, Parameter, Points, Sample};
use amdahl_stats::{Judgement, Observation, ParallelismRow};

use super::breaks::Breaks;
use crate::laws::LawCurve;
use crate::model::{ModelName, workload_key};
use crate::summary::LawRow;

/// From so many worker counts on "fit" is a word.
const COUNTS_MIN: usize = 3;

/// One row a model and workload, if any of them was measured at enough worker counts up to the first break of the
/// machine: behind it another law begins.
pub(super) fn rows(
    judgement: &Judgement,
    observed: &[Observation],
    breaks: &Breaks,
) -> Vec<LawRow> {
    let mut used: BTreeMap<_, (&ParallelismRow, BTreeSet<(u32, u32)>)> = BTreeMap::new();
    let shown = |r: &&ParallelismRow| super::in_every_figure(&r.workload);
    for r in judgement.parallelism.iter().filter(shown) {
        let key = (workload_key(&r.workload), ModelName::parse(&r.model));
        let cell = &mut used.entry(key).or_insert_with(|| (r, BTreeSet::new())).1;
        // A ratio was taken with the block's own N = 1.
        cell.extend(r.points.iter().flat_map(|p| [(p.block, r.workers), (p.block, 1)]));
    }
    let mut cells: BTreeMap<(&str, &str), Vec<&Observation>> = BTreeMap::new();
    for o in observed {
        cells.entry((&o.model, &o.workload)).or_default().push(o);
    }
    let of = |(r, cell): (&ParallelismRow, BTreeSet<(u32, u32)>)| {
        row(r, &cell, cells.get(&(r.model.as_str(), r.workload.as_str()))?, breaks)
    };
    let rows: Vec<LawRow> = used.into_values().filter_map(of).collect();
    let curve = |r: &LawRow| r.raw.points.points.len() >= COUNTS_MIN;
    if rows.iter().any(curve) { rows } else { Vec::new() }
}

fn row(
    r: &ParallelismRow,
    cell: &BTreeSet<(u32, u32)>,
    observed: &[&Observation],
    breaks: &Breaks,
) -> Option<LawRow> {
    let mine = observed.iter().filter(|o| cell.contains(&(o.block, o.workers)));
    let (ceilings, own): (Vec<&Observation>, Vec<_>) = mine.partition(|o| o.ceiling);
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
    let options = Options {
        end: breaks.later.first().copied(),
        from_two: breaks.from_two,
        ..Options::default()
    };
    let all = Points::new(&samples).ok()?;
    let raw = Analysis::new(&all, &options);
    // The bootstrap makes no claim; once a cell is enough of it.
    let relative = Options { bootstrap_draws: 0, ..options };
    let corrected = Points::corrected(&with_ceiling).map(|p| Analysis::new(&p, &relative));
    let profiles = raw
        .fit(Law::Usl)
        .map_or_else(Vec::new, |f| Parameter::ALL.iter().filter_map(|p| f.profile(*p)).collect());
    Some(LawRow {
        model: r.model.clone(),
        workload: r.workload.clone(),
        curve: LawCurve::of(&raw, &all),
        profiles,
        ceilings: means(&ceilings),
        breaks: breaks.later.iter().filter(|b| b.after < all.n_max()).copied().collect(),
        all,
        raw,
        corrected,
    })
}

/// Mean rate of the ceilings at each N.
fn means(ceilings: &[&Observation]) -> Vec<(f64, f64)> {
    let mut by_n: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for c in ceilings {
        by_n.entry(c.workers).or_default().push(c.rate);
    }
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    by_n.iter().map(|(n, rates)| (f64::from(*n), mean(rates))).collect()
}
