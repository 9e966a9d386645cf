//! Rows of I/O-bound workloads: does waiting overlap?
//!
//! Decidable on one CPU and at any N, without a ceiling: a sleeping worker needs no CPU. The same limit as for a
//! speed-up (1.15) tells "overlaps" from "does not". A disturbed machine does not disqualify a block
//! here: sleeping is not slowed by other programs taking 5 % of the CPUs, and a disturbance can hide
//! overlap but hardly feign it. So disturbed blocks count, are named, and only "does not" is not
//! decided from them.

use super::blocks::{Selection, Series, grouped};
use super::{DROPPED_MAX, GAIN_MIN, IoRow, IoVerdict, LEVEL};
use crate::gates::percent;
use crate::interval::{Interval, log_t_interval};
use crate::observation::Contest;

/// All rows of one model and workload.
pub(super) fn rows(series: &Series<'_>) -> Vec<IoRow> {
    let counts = series.worker_counts();
    counts.into_iter().map(|n| row(series, n)).collect()
}

fn row(series: &Series<'_>, workers: u32) -> IoRow {
    let selection = series.select(workers, false);
    let ratios: Vec<f64> = selection.used.iter().map(|b| b.many.rate / b.one.rate).collect();
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
        reasons,
    }
}

fn decide(ratio: Option<Interval>, selection: &Selection<'_>) -> (IoVerdict, Option<String>) {
    let (used, dropped) = (selection.used.len(), selection.dropped.len());
    if dropped as f64 > DROPPED_MAX * (used + dropped) as f64 {
        let why = format!(
            "{dropped} of {} blocks were dropped (at most {} may be): see to their causes below and \
             measure again",
            used + dropped,
            percent(DROPPED_MAX)
        );
        return (IoVerdict::Unknown, Some(why));
    }
    if used == 0 {
        return (IoVerdict::Unknown, None); // Nothing was run; the notes say why, block by block.
    }
    let Some(ratio) = ratio else {
        let why = format!(
            "{used} usable block(s) give no interval: measure at least 3 (`--blocks 3`, or `--resume` \
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
