//! `mem`: throughput in the units of memory, beside the judgement's speed-up and ceiling.

use std::collections::BTreeMap;

use amdahl_stats::{Judgement, ParallelismRow};

use crate::model::workload_id;
use crate::summarise::geometric_estimate;
use crate::summarise::rows::TrialRow;
use crate::summary::{Estimate, MemoryKind, MemoryRow};

/// The workload that waits for memory.
const MEM: &str = "mem";

/// Every N >= 2 with a usable block, in the order of the judgement.
pub(super) fn rows(
    judgement: &Judgement,
    params: &BTreeMap<String, BTreeMap<String, String>>,
    trials: &[TrialRow],
) -> Vec<MemoryRow> {
    let of = |r: &ParallelismRow| {
        let kind = match params.get(&r.workload)?.get("kind")?.as_str() {
            "chase" => MemoryKind::Chase,
            "stream" => MemoryKind::Stream,
            _ => return None,
        };
        Some(row(r, kind, trials))
    };
    let memory = judgement.parallelism.iter().filter(|r| workload_id(&r.workload) == MEM);
    memory.filter(|r| r.workers > 1 && !r.points.is_empty()).filter_map(of).collect()
}

fn row(r: &ParallelismRow, kind: MemoryKind, trials: &[TrialRow]) -> MemoryRow {
    // The trials of the blocks that were judged, so that the columns of a row speak of the same ones.
    let of = |workers: u32| {
        let mine = |t: &&TrialRow| {
            (t.model == r.model && t.workload == r.workload && t.workers == workers)
                && (t.throughput && !t.ceiling && r.points.iter().any(|p| p.block == t.block))
        };
        trials.iter().filter(mine).collect::<Vec<_>>()
    };
    let estimate = |workers: u32| -> Option<Estimate> {
        let values: Option<Vec<f64>> =
            of(workers).into_iter().map(|t| throughput(t, kind)).collect();
        geometric_estimate(&values?)
    };
    MemoryRow {
        model: r.model.clone(),
        workload: r.workload.clone(),
        kind,
        workers: r.workers,
        decisive: r.decisive,
        one: estimate(1),
        all: estimate(r.workers),
        speedup: r.speedup.map(Estimate::from),
        ceiling: r.ceiling.map(Estimate::from),
        limited_by: r.limited_by.clone(),
        bytes: of(r.workers).first().and_then(|t| t.bytes),
        blocks: r.blocks,
        dropped: r.dropped,
    }
}

/// ns a load, or bytes a second, of all workers together.
fn throughput(t: &TrialRow, kind: MemoryKind) -> Option<f64> {
    let rate = t.rate?;
    Some(match kind {
        MemoryKind::Chase => 1e9 / (rate * t.steps? as f64),
        MemoryKind::Stream => rate * t.chunk? as f64,
    })
}
