//! Every model against the baseline.

use super::Align::{Left, Right};
use super::Table;
use crate::render::format::{self, UNKNOWN};
use crate::summary::{Baseline, Estimate};

/// One row a model and workload.
pub(crate) fn baseline(b: Option<&Baseline>) -> Table {
    let mut table = Table::new(&[
        ("workload", Left),
        ("model", Left),
        ("one worker", Right),
        ("N", Right),
        ("N workers", Right),
        ("", Left),
    ]);
    let cell = |e: Option<Estimate>| e.map_or_else(|| UNKNOWN.to_owned(), |e| format::ratio(&e));
    for r in b.iter().flat_map(|b| &b.rows) {
        table.rows.push(vec![
            format!("`{}`", r.workload),
            format!("`{}`", r.model),
            cell(r.one),
            r.workers.to_string(),
            cell(r.many),
            r.why.clone().unwrap_or_default(),
        ]);
    }
    table
}
