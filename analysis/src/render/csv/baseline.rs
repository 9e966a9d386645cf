//! Every model against the baseline.

use super::{Sheet, cells, text};
use crate::summary::Summary;

pub(in crate::render) fn baseline(s: &Summary) -> String {
    let mut sheet = Sheet::new(&[
        "workload", "model", "baseline", "workers", "ratio", "ci95_lo", "ci95_hi", "why",
    ]);
    if let Some(b) = &s.baseline {
        for r in &b.rows {
            for (n, ratio) in [(1, r.one), (r.workers, r.many)] {
                let (value, lo, hi) = cells(ratio.as_ref());
                let why = r.why.clone().unwrap_or_default();
                sheet.row([&r.workload, &r.model, &b.model, &text(n), &value, &lo, &hi, &why]);
            }
        }
    }
    sheet.0
}
