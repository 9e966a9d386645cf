//! The points of what is shown besides the answer.

use super::{Named, Sheet, cells, real, text};
use crate::summary::{
    Estimate, Expected, Finding, MemoryKind, ScalingFigure, SerialFigure, Spread, Summary,
};

pub(in crate::render) fn serial(f: &SerialFigure) -> Named {
    let mut means = Sheet::new(&[
        "model", "workers", "share", "expected", "e", "ci95_lo", "ci95_hi", "finding", "miss",
        "blocks", "dropped",
    ]);
    let mut blocks = Sheet::new(&["model", "workers", "share", "e"]);
    for r in &f.rows {
        let expected = if r.expected == Expected::One { "one" } else { "share" };
        let (e, lo, hi) = cells(r.e.as_ref());
        let (finding, miss) = match r.finding() {
            Some(Finding::Holds) => ("holds", String::new()),
            Some(Finding::TooWide) => ("too wide", String::new()),
            Some(Finding::Misses(miss)) => ("misses", real(miss)),
            None => ("", String::new()),
        };
        let (n, share, count) = (text(r.workers), real(r.share), text(r.blocks.len()));
        let dropped = text(r.dropped);
        means.row([&r.model, &n, &share, expected, &e, &lo, &hi, finding, &miss, &count, &dropped]);
        for e in &r.blocks {
            blocks.row([&r.model, &n, &share, &real(*e)]);
        }
    }
    vec![("serial-share".to_owned(), blocks.0), ("serial-share-mean".to_owned(), means.0)]
}

pub(in crate::render) fn scaling(f: &ScalingFigure) -> Named {
    let mut sheet =
        Sheet::new(&["model", "workers", "scaling", "efficiency", "ci95_lo", "ci95_hi", "blocks"]);
    for r in &f.rows {
        for (kind, e) in [("strong", r.strong), ("weak", r.weak)] {
            let Some(e) = e else { continue };
            let (value, lo, hi) = cells(Some(&e));
            sheet.row([&r.model, &text(r.workers), kind, &value, &lo, &hi, &text(e.n)]);
        }
    }
    vec![("scaling".to_owned(), sheet.0)]
}

pub(in crate::render) fn memory(s: &Summary) -> String {
    let mut sheet = Sheet::new(&[
        "workload",
        "model",
        "workers",
        "decisive",
        "unit",
        "one",
        "one_ci95_lo",
        "one_ci95_hi",
        "all",
        "all_ci95_lo",
        "all_ci95_hi",
        "speedup",
        "ceiling",
        "limited_by",
        "bytes",
        "llc_bytes",
        "blocks",
    ]);
    for r in &s.memory {
        let unit = match r.kind {
            MemoryKind::Chase => "ns_per_load",
            MemoryKind::Stream => "bytes_per_second",
        };
        let value = |e: Option<Estimate>| e.map_or_else(String::new, |e| real(e.value));
        let whole = |n: Option<u64>| n.map_or_else(String::new, text);
        let ((one, one_lo, one_hi), (all, all_lo, all_hi)) =
            (cells(r.one.as_ref()), cells(r.all.as_ref()));
        sheet.row([
            &r.workload,
            &r.model,
            &text(r.workers),
            &text(r.decisive),
            unit,
            &one,
            &one_lo,
            &one_hi,
            &all,
            &all_lo,
            &all_hi,
            &value(r.speedup),
            &value(r.ceiling),
            &r.limited_by,
            &whole(r.bytes),
            &whole(s.run.host.llc_bytes),
            &text(r.blocks),
        ]);
    }
    sheet.0
}

pub(in crate::render) fn start_up(s: &Summary) -> String {
    let mut sheet = Sheet::new(&[
        "model",
        "phase",
        "workload",
        "workers",
        "median_ns",
        "min_ns",
        "max_ns",
        "median_per_worker_ns",
        "trials",
    ]);
    for r in &s.start_up {
        let mut row = |phase: &str, workload: &str, workers: Option<u32>, x: &Spread| {
            let ns = |v: f64| format!("{v:.0}");
            let each = workers.map_or_else(String::new, |n| ns(x.median / f64::from(n)));
            let n = workers.map_or_else(String::new, text);
            let (median, lo, hi) = (ns(x.median), ns(x.lo), ns(x.hi));
            sheet.row([&r.model, phase, workload, &n, &median, &lo, &hi, &each, &text(x.n)]);
        };
        r.spawn.iter().for_each(|x| row("spawn", "", None, x));
        r.setups.iter().for_each(|x| row("setup", &x.workload, Some(x.workers), &x.all));
    }
    sheet.0
}

pub(in crate::render) fn timers(s: &Summary) -> String {
    let mut sheet = Sheet::new(&[
        "runtime",
        "clock",
        "median_ns",
        "min_ns",
        "max_ns",
        "processes",
        "noop_model",
        "noop_ns",
        "noop_timed_ns",
        "added_ns",
        "added_ci95_lo",
        "added_ci95_hi",
        "blocks",
    ]);
    for r in &s.timers {
        let of = |f: fn(&Spread) -> f64| r.cost.as_ref().map_or_else(String::new, |c| real(f(c)));
        let noop = r.noop.as_ref();
        let (added, lo, hi) = cells(noop.map(|n| &n.added));
        sheet.row([
            &r.runtime,
            &r.timers.join(" "),
            &of(|c| c.median),
            &of(|c| c.lo),
            &of(|c| c.hi),
            &text(r.cost.map_or(0, |c| c.n)),
            noop.map_or("", |n| n.model.as_str()),
            &noop.map_or_else(String::new, |n| real(n.bare.value)),
            &noop.map_or_else(String::new, |n| real(n.timed.value)),
            &added,
            &lo,
            &hi,
            &noop.map_or_else(String::new, |n| text(n.added.n)),
        ]);
    }
    sheet.0
}

/// Memory of a model's processes, outside every window.
pub(in crate::render) fn resident(s: &Summary) -> String {
    let columns = [
        "model",
        "workload",
        "workers",
        "metric",
        "median_bytes",
        "min_bytes",
        "max_bytes",
        "trials",
    ];
    let mut sheet = Sheet::new(&columns);
    for (r, x) in s.start_up.iter().flat_map(|r| r.setups.iter().map(move |x| (r, x))) {
        for (metric, bytes) in [("peak_rss", &x.peak_rss), ("pss", &x.pss)] {
            let Some(b) = bytes else { continue };
            let whole = |v: f64| format!("{v:.0}");
            let (median, lo, hi) = (whole(b.median), whole(b.lo), whole(b.hi));
            let n = text(x.workers);
            sheet.row([&r.model, &x.workload, &n, metric, &median, &lo, &hi, &text(b.n)]);
        }
    }
    sheet.0
}
