//! The counters table: events a second and an operation, with intervals over trials, and what could
//! not be counted.

use std::collections::{BTreeMap, BTreeSet};

use amdahl_stats::Judgement;

use crate::model::ModelName;
use crate::summarise::rows::CounterObservation;
use crate::summarise::{in_every_figure, mean_estimate};
use crate::summary::{CounterAbsence, CounterCell, CounterRow, CounterTable, Metric};

/// Metrics that are a level, not a number of events: they stand beside the start-up.
const LEVELS: [&str; 2] = ["peak_rss", "pss"];
/// Metrics that count nanoseconds.
const TIMES: [&str; 3] = ["task_clock", "cpu_clock", "run_delay"];

type RowKey = (String, ModelName, u32);

/// Model, workload and N that the table in the text shows; the data file has all.
pub(super) type Cells = BTreeSet<(String, String, u32)>;

/// The decisive N of CPU-bound work and the largest N of I/O-bound work.
pub(super) fn decisive_cells(judgement: &Judgement) -> Cells {
    let rows = judgement.parallelism.iter();
    let decisive = rows.filter(|r| r.decisive && in_every_figure(&r.workload));
    let cpu = decisive.map(|r| (r.model.clone(), r.workload.clone(), r.workers));
    let mut largest: BTreeMap<(String, String), u32> = BTreeMap::new();
    for r in judgement.io_overlap.iter().filter(|r| r.blocks > 0) {
        let n = largest.entry((r.model.clone(), r.workload.clone())).or_default();
        *n = r.workers.max(*n);
    }
    cpu.chain(largest.into_iter().map(|((m, w), n)| (m, w, n))).collect()
}

/// Pivots the observations: a row a model × workload × N, a column a metric that has a value.
pub(super) fn table(observations: Vec<CounterObservation>, shown: &Cells) -> CounterTable {
    let mut metrics: Vec<Metric> = Vec::new();
    let mut absent: BTreeMap<(String, String, Option<String>), BTreeSet<String>> = BTreeMap::new();
    let mut cells: BTreeMap<RowKey, BTreeMap<Metric, Vec<CounterObservation>>> = BTreeMap::new();
    for o in observations {
        if let Some((reason, remedy)) = &o.absent {
            let key = (o.source.clone(), reason.clone(), remedy.clone());
            absent.entry(key).or_default().insert(o.id.clone());
            continue;
        }
        if LEVELS.contains(&o.id.as_str()) {
            continue;
        }
        let metric = metric(&o);
        if !metrics.contains(&metric) {
            metrics.push(metric.clone());
        }
        let key = (o.workload.clone(), ModelName::parse(&o.model), o.workers);
        cells.entry(key).or_default().entry(metric).or_default().push(o);
    }
    let rows = cells
        .into_iter()
        .map(|((workload, model, workers), by_metric)| CounterRow {
            shown: shown.contains(&(model.id.clone(), workload.clone(), workers)),
            model: model.id,
            workload,
            workers,
            cells: metrics.iter().map(|m| by_metric.get(m).and_then(|o| cell(o))).collect(),
        })
        .collect();
    hide_doubles(&mut metrics);
    CounterTable { metrics, rows, absences: absences(absent) }
}

fn metric(o: &CounterObservation) -> Metric {
    let is_time = TIMES.contains(&o.id.as_str());
    Metric { id: o.id.clone(), source: o.source.clone(), is_time, shown: true }
}

/// What /proc counts too is shown once, as perf counted it; both are in the data file.
fn hide_doubles(metrics: &mut [Metric]) {
    let by_perf: BTreeSet<String> =
        metrics.iter().filter(|m| m.source == "perf").map(|m| m.id.clone()).collect();
    for m in metrics.iter_mut().filter(|m| m.source != "perf") {
        m.shown = !by_perf.contains(&m.id);
    }
}

fn absences(
    absent: BTreeMap<(String, String, Option<String>), BTreeSet<String>>,
) -> Vec<CounterAbsence> {
    absent
        .into_iter()
        .map(|((source, reason, remedy), ids)| CounterAbsence {
            source,
            ids: ids.into_iter().collect(),
            reason,
            remedy,
        })
        .collect()
}

fn cell(observations: &[CounterObservation]) -> Option<CounterCell> {
    let ratio = |f: &dyn Fn(&CounterObservation) -> Option<f64>| {
        observations.iter().map(f).collect::<Option<Vec<f64>>>()
    };
    let per_second = ratio(&|o| Some(o.scaled? * 1e9 / o.loop_ns? as f64))?;
    let per_operation = ratio(&|o| (o.ops > 0).then_some(o.scaled? / o.ops as f64));
    Some(CounterCell {
        per_second: mean_estimate(&per_second)?,
        per_operation: per_operation.and_then(|v| mean_estimate(&v)),
        multiplexed: observations.iter().any(|o| o.multiplexed),
    })
}
