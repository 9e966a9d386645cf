//! The points of like builds against each other, and of every model's kernels.

use super::{Named, Sheet, cells, real, text};
use crate::model::Likeness;
use crate::summary::{Estimate, PriceFigure, Summary};

pub(in crate::render) fn price(f: &PriceFigure) -> Named {
    let mut blocks = Sheet::new(&["model", "reference", "kernel", "block", "ratio"]);
    let mut means = Sheet::new(&[
        "model",
        "reference",
        "alike",
        "kernel",
        "ratio",
        "ci95_lo",
        "ci95_hi",
        "model_value",
        "reference_value",
        "unit",
        "blocks",
        "dropped",
    ]);
    for p in &f.pairs {
        let (free, locked) = (&p.pair.free, &p.pair.locked);
        let alike = if p.pair.likeness == Likeness::Build { "build" } else { "version" };
        let sums = [(&p.mean, ""), (&p.memory, "bytes")];
        for (r, unit) in p.rows.iter().map(|r| (r, "ns_per_step")).chain(sums) {
            for (block, ratio) in &r.blocks {
                blocks.row([free, locked, &r.kind, &text(block), &real(*ratio)]);
            }
            let value = |e: Option<Estimate>| e.map_or_else(String::new, |e| real(e.value));
            let (ratio, lo, hi) = cells(r.ratio.as_ref());
            let (a, b, n, dropped) =
                (value(r.free), value(r.locked), text(r.blocks.len()), text(r.dropped));
            means.row([free, locked, alike, &r.kind, &ratio, &lo, &hi, &a, &b, unit, &n, &dropped]);
        }
    }
    vec![("price-no-gil".to_owned(), blocks.0), ("price-no-gil-mean".to_owned(), means.0)]
}

/// Every model and kernel, like or not.
pub(in crate::render) fn micro(s: &Summary) -> String {
    let mut sheet = Sheet::new(&[
        "model",
        "kernel",
        "ns_per_step",
        "ci95_lo",
        "ci95_hi",
        "peak_rss_bytes",
        "trials",
    ]);
    for r in s.price.iter().flat_map(|f| &f.steps) {
        let (ns, lo, hi) = cells(Some(&r.step_ns));
        let rss = r.peak_rss.map_or_else(String::new, |e| format!("{:.0}", e.value));
        sheet.row([&r.model, &r.kind, &ns, &lo, &hi, &rss, &text(r.step_ns.n)]);
    }
    sheet.0
}
