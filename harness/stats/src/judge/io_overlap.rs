//! Rows of I/O-bound workloads: does waiting overlap?
//!
//! Decidable on one CPU and at any N, without a ceiling: a sleeping worker needs no CPU. The same limit as for a
//! speed-up (1.15) tells "overlaps" from "does not". A disturbed machine does not disqualify a block
//! here: sleeping is not slowed by other programs taking 5 % of the CPUs, and a disturbance can hide
//! overlap but hardly feign it. So disturbed blocks count, are named, and only "does not" is not
//! decided from them.

use super::blocks::{Block, Selection, Series, grouped, too_many_dropped};
use super::{BlockPoint, GAIN_MIN, IoRow, IoVerdict, LEVEL};
use crate::interval::{Interval, log_t_interval};
use crate::observation::Contest;

/// All rows of one model and workload.
pub(super) fn rows(series: &Series<'_>) -> Vec<IoRow> {
    let counts = series.worker_counts();
    counts.into_iter().map(|n| row(series, n)).collect()
}

fn row(series: &Series<'_>, workers: u32) -> IoRow {
    let selection = series.select(workers, false);
    let points: Vec<BlockPoint> = selection.used.iter().map(point).collect();
    let ratios: Vec<f64> = points.iter().map(|p| p.speedup).collect();
    let ratio = log_t_interval(&ratios, LEVEL);
    let (verdict, why) = decide(ratio, &selection);
    let mut reasons: Vec<String> = why.into_iter().collect();
    reasons.extend(notes(&selection, workers));
    IoRow {
        model: series.model.to_owned(),
        workload: series.workload.to_owned(),
        workers,
        verdict,
        throughput_ratio: ratio,
        blocks: selection.used.len() as u32,
        dropped: selection.dropped.len() as u32,
        reasons,
        points,
    }
}

fn point(block: &Block<'_>) -> BlockPoint {
    BlockPoint {
        block: block.id,
        speedup: block.many.rate / block.one.rate,
        ceiling: None,
        effective_cpus: block.many.effective_cpus,
    }
}

fn decide(ratio: Option<Interval>, selection: &Selection<'_>) -> (IoVerdict, Option<String>) {
    if let Some(why) = too_many_dropped(selection) {
        return (IoVerdict::Unknown, Some(why));
    }
    let used = selection.used.len();
    if used == 0 {
        return (IoVerdict::Unknown, None); // Nothing was run; the notes say why, block by block.
    }
    let Some(ratio) = ratio else {
        let blocks = if used == 1 { "block gives" } else { "blocks give" };
        let why = format!(
            "{used} usable {blocks} no interval: measure at least 3 (`--blocks 3`, or `--resume` \
             the run)"
        );
        return (IoVerdict::Unknown, Some(why));
    };
    if ratio.lo > GAIN_MIN {
        return (IoVerdict::Overlaps, None);
    }
    if ratio.hi > GAIN_MIN {
        let why = format!(
            "the throughput ratio, {:.2} [{:.2}, {:.2}] over {} blocks, lies on both sides of \
             {GAIN_MIN}: not decided; measure more blocks (`--blocks {}`)",
            ratio.estimate,
            ratio.lo,
            ratio.hi,
            ratio.n,
            2 * ratio.n
        );
        return (IoVerdict::Unknown, Some(why));
    }
    if selection.used.iter().any(|b| b.disturbed.is_some()) {
        let why = format!(
            "no overlap was seen (ratio {:.2}), but the machine was disturbed, which can hide it: see \
             below and measure again",
            ratio.estimate
        );
        return (IoVerdict::Unknown, Some(why));
    }
    (IoVerdict::DoesNot, None)
}

fn notes(selection: &Selection<'_>, workers: u32) -> Vec<String> {
    let mut notes = grouped(&selection.dropped, "dropped");
    notes.extend(grouped(&selection.not_run, "incomplete"));
    let disturbed: Vec<(u32, String)> =
        selection.used.iter().filter_map(|b| Some((b.id, b.disturbed.clone()?))).collect();
    notes.extend(grouped(&disturbed, "disturbed but used"));
    let starved = selection.used.iter().filter(|b| b.many.contest == Contest::Starved).count();
    if starved > 0 {
        notes.push(format!(
            "in {starved} of {} blocks a worker was starved at N = {workers}: a fairness result, the \
             rates stand",
            selection.used.len()
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use crate::judge::{IoRow, IoVerdict, judge};
    use crate::observation::{Missing, Observation};
    use crate::synthetic::{machine, missing, run_of};

    fn sleeping(ratios: &[f64]) -> Vec<Observation> {
        let mut run = run_of(ratios);
        run.retain(|o| !o.ceiling);
        run.iter_mut().for_each(|o| o.workload = "sleep".into());
        run
    }

    fn io_row(run: &[Observation], missing: &[Missing]) -> IoRow {
        judge(run, missing, &machine(1)).io_overlap.remove(0)
    }

    /// On one CPU, without a ceiling.
    #[test]
    fn sleeping_overlaps_or_not() {
        let row = io_row(&sleeping(&[1.98, 2.0, 1.99]), &[]);
        assert_eq!((row.verdict, row.blocks, row.workers), (IoVerdict::Overlaps, 3, 2));
        assert_eq!(row.reasons, Vec::<String>::new());
        assert_eq!(io_row(&sleeping(&[1.0, 1.01, 0.99]), &[]).verdict, IoVerdict::DoesNot);
        let row = io_row(&sleeping(&[1.0, 1.5, 2.0]), &[]);
        assert_eq!(row.verdict, IoVerdict::Unknown);
        assert!(row.reasons[0].contains("both sides of 1.15"), "{:?}", row.reasons);
        assert_eq!(io_row(&sleeping(&[2.0]), &[]).verdict, IoVerdict::Unknown);
    }

    #[test]
    fn a_disturbance_can_hide_overlap_but_not_feign_it() {
        let disturb = |mut run: Vec<Observation>| {
            run.iter_mut().for_each(|o| o.gates.foreign_ticks = Some(60.0));
            run
        };
        let row = io_row(&disturb(sleeping(&[1.98, 2.0, 1.99])), &[]);
        assert_eq!((row.verdict, row.blocks), (IoVerdict::Overlaps, 3));
        assert!(row.reasons[0].starts_with("blocks 0, 1, 2 disturbed but used: other programs"));
        let row = io_row(&disturb(sleeping(&[1.0, 1.01, 0.99])), &[]);
        assert_eq!(row.verdict, IoVerdict::Unknown);
        assert!(row.reasons[0].contains("can hide it"), "{:?}", row.reasons);
    }

    #[test]
    fn io_that_was_not_run_keeps_its_row() {
        let planned = Missing { workload: "pipe".into(), ..missing(0, 8, false, "budget") };
        let row = io_row(&[], &[planned]);
        assert_eq!((row.verdict, row.workers, row.blocks), (IoVerdict::Unknown, 8, 0));
        assert!(row.reasons[0].contains("not run: budget"), "{:?}", row.reasons);
    }
}
