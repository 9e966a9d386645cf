//! The counters table: events a second and an operation, with intervals over trials, and what could
//! not be counted.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::ModelName;
use crate::summarise::{CounterObservation, mean_estimate};
use crate::summary::{CounterAbsence, CounterCell, CounterRow, CounterTable};

type RowKey = (String, ModelName, u32);

/// Pivots the observations: a row a model × workload × N, a column a metric that has a value.
pub(super) fn table(observations: Vec<CounterObservation>) -> CounterTable {
    let mut metrics: Vec<String> = Vec::new();
    let mut absences: BTreeSet<CounterAbsence> = BTreeSet::new();
    let mut cells: BTreeMap<RowKey, BTreeMap<String, Vec<CounterObservation>>> = BTreeMap::new();
    for o in observations {
        if let Some((reason, remedy)) = &o.absent {
            absences.insert(CounterAbsence {
                id: o.id.clone(),
                source: o.source.clone(),
                reason: reason.clone(),
                remedy: remedy.clone(),
            });
            continue;
        }
        let metric = format!("{} ({})", o.id, o.source);
        if !metrics.contains(&metric) {
            metrics.push(metric.clone());
        }
        let key = (o.workload.clone(), ModelName::parse(&o.model), o.workers);
        cells.entry(key).or_default().entry(metric).or_default().push(o);
    }
    let rows = cells
        .into_iter()
        .map(|((workload, model, workers), by_metric)| CounterRow {
            model: model.id,
            workload,
            workers,
            cells: metrics.iter().map(|m| by_metric.get(m).and_then(|o| cell(o))).collect(),
        })
        .collect();
    CounterTable { metrics, rows, absences: absences.into_iter().collect() }
}

fn cell(observations: &[CounterObservation]) -> Option<CounterCell> {
    let ratio = |f: &dyn Fn(&CounterObservation) -> Option<f64>| {
        observations.iter().map(f).collect::<Option<Vec<f64>>>()
    };
    let per_second = ratio(&|o| Some(o.scaled? * 1e9 / o.loop_ns? as f64))?;
    let per_operation = ratio(&|o| (o.ops > 0).then_some(o.scaled? / o.ops as f64));
    Some(CounterCell {
        source: observations.first()?.source.clone(),
        per_second: mean_estimate(&per_second)?,
        per_operation: per_operation.and_then(|v| mean_estimate(&v)),
        multiplexed: observations.iter().any(|o| o.multiplexed),
    })
}
