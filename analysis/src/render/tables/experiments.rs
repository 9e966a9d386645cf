//! What is shown besides the answer: serial share, scaling, memory, start-up, the cost of timing.

use super::Align::{Left, Right};
use super::Table;
use crate::render::format::{self, UNKNOWN};
use crate::summary::{
    E_HALF_MAX, Estimate, Expected, Finding, MemoryKind, MemoryRow, SerialFigure, SerialRow, Setup,
    Spread, StartRow, Summary,
};

/// e(N) against the injected share; models that run one at a time have a row each, not one a share.
pub(crate) fn serial(s: &Summary) -> Table {
    let mut table = Table::new(&[
        ("model", Left),
        ("N", Right),
        ("share p injected", Right),
        ("e(N) found [95 % interval]", Right),
        ("e(N) - expected", Right),
        ("does the interval hold what is expected?", Left),
        ("blocks used (dropped)", Right),
    ]);
    let Some(f) = &s.serial else { return table };
    for r in f.rows.iter().filter(|r| r.expected == Expected::Share) {
        table.rows.push(vec![
            format!("`{}`", r.model),
            r.workers.to_string(),
            share(r.share),
            three(r.e),
            three(r.bias()),
            holds(r),
            format!("{} ({})", r.blocks.len(), r.dropped),
        ]);
    }
    table.rows.extend(one_at_a_time(f));
    table
}

fn holds(r: &SerialRow) -> String {
    match (r.finding(), &r.why) {
        (Some(Finding::Holds), _) => "yes, within".to_owned(),
        (Some(Finding::TooWide), _) => {
            format!("unknown: it reaches further than {E_HALF_MAX} to either side")
        }
        (Some(Finding::Misses(miss)), _) => {
            format!("no, misses it by {}: {} than injected", size(miss), above(miss))
        }
        (None, Some(why)) => format!("unknown: {why}"),
        (None, None) => UNKNOWN.to_owned(),
    }
}

fn size(miss: f64) -> String {
    match miss.abs() {
        m if m < 0.0005 => "less than 0.001".to_owned(),
        m => format!("{m:.3}"),
    }
}

fn above(miss: f64) -> &'static str {
    if miss > 0.0 { "more serial" } else { "less serial" }
}

/// One row a model and N: the range of e over all shares.
fn one_at_a_time(f: &SerialFigure) -> Vec<Vec<String>> {
    let rows: Vec<&SerialRow> = f.rows.iter().filter(|r| r.expected == Expected::One).collect();
    let same = |a: &&SerialRow, b: &&SerialRow| a.model == b.model && a.workers == b.workers;
    rows.chunk_by(same).map(one_at_a_time_row).collect()
}

fn one_at_a_time_row(group: &[&SerialRow]) -> Vec<String> {
    let range = |values: &[f64], text: &dyn Fn(f64) -> String| {
        let lo = values.iter().copied().reduce(f64::min);
        match (lo, values.iter().copied().reduce(f64::max)) {
            (Some(lo), Some(hi)) if lo < hi => format!("{} to {}", text(lo), text(hi)),
            (Some(lo), _) => text(lo),
            _ => UNKNOWN.to_owned(),
        }
    };
    let found: Vec<f64> = group.iter().filter_map(|r| Some(r.e?.value)).collect();
    let shares: Vec<f64> = group.iter().map(|r| r.share).collect();
    let biases: Vec<f64> = found.iter().map(|e| e - 1.0).collect();
    let findings: Vec<Finding> = group.iter().filter_map(|r| r.finding()).collect();
    let count = |of: Finding| findings.iter().filter(|f| **f == of).count();
    let furthest = findings.iter().filter_map(|f| match f {
        Finding::Misses(miss) => Some(miss.abs()),
        Finding::Holds | Finding::TooWide => None,
    });
    let miss = furthest.reduce(f64::max).map(|m| format!(", misses it by {} at most", size(m)));
    let wide = match count(Finding::TooWide) {
        0 => String::new(),
        n => format!(", too wide to tell at {n}"),
    };
    let blocks: Vec<f64> = group.iter().map(|r| r.blocks.len() as f64).collect();
    let dropped: Vec<f64> = group.iter().map(|r| f64::from(r.dropped)).collect();
    let whole = |n: f64| format!("{n:.0}");
    vec![
        format!("`{}`", group[0].model),
        group[0].workers.to_string(),
        range(&shares, &share),
        range(&found, &|e| format!("{e:.3}")),
        range(&biases, &|b| format!("{b:.3}")),
        format!(
            "one at a time, so 1 whatever p: held at {} of {} shares{wide}{}",
            count(Finding::Holds),
            group.len(),
            miss.unwrap_or_default()
        ),
        format!("{} ({})", range(&blocks, &whole), range(&dropped, &whole)),
    ]
}

fn share(p: f64) -> String {
    let text = format!("{p:.3}");
    text.strip_suffix('0').unwrap_or(&text).to_owned()
}

fn three(e: Option<Estimate>) -> String {
    match e {
        Some(Estimate { value, ci95: Some((lo, hi)), .. }) => {
            format!("{} [{}, {}]", digits(value), digits(lo), digits(hi))
        }
        Some(e) => format!("{}{}", digits(e.value), format::SINGLE),
        None => UNKNOWN.to_owned(),
    }
}

/// Three digits after the point; what rounds to zero has no sign.
fn digits(value: f64) -> String {
    let text = format!("{value:.3}");
    if text == "-0.000" { "0.000".to_owned() } else { text }
}

/// Efficiency under strong and weak scaling.
pub(crate) fn scaling(s: &Summary) -> Table {
    let mut table = Table::new(&[
        ("model", Left),
        ("N", Right),
        ("strong: one job split by N", Right),
        ("weak: a job for each worker", Right),
        ("Gustafson's serial share", Right),
    ]);
    for r in s.scaling.iter().flat_map(|f| &f.rows) {
        table.rows.push(vec![
            format!("`{}`", r.model),
            r.workers.to_string(),
            format::maybe_percent(r.strong),
            format::maybe_percent(r.weak),
            format::maybe_ratio(r.gustafson),
        ]);
    }
    table
}

/// Memory-bound work.
pub(crate) fn memory(s: &Summary) -> Table {
    let mut table = Table::new(&[
        ("workload", Left),
        ("model", Left),
        ("N", Right),
        ("one worker", Right),
        ("all N together", Right),
        ("speed-up", Right),
        ("ceiling", Right),
        ("limited by", Left),
        ("a worker's table, against the last-level cache", Left),
        ("blocks used (dropped)", Right),
    ]);
    for r in &s.memory {
        let mark = if r.decisive { " *" } else { "" };
        table.rows.push(vec![
            format!("`{}`", r.workload),
            format!("`{}`", r.model),
            format!("{}{mark}", r.workers),
            throughput(r.kind, r.one),
            throughput(r.kind, r.all),
            format::maybe_ratio(r.speedup),
            format::maybe_ratio(r.ceiling),
            memory_limit(r),
            working_set(r.bytes, s.run.host.llc_bytes),
            format!("{} ({})", r.blocks, r.dropped),
        ]);
    }
    table
}

fn throughput(kind: MemoryKind, e: Option<Estimate>) -> String {
    let Some(e) = e else { return UNKNOWN.to_owned() };
    let (by, unit) = match kind {
        MemoryKind::Chase => (1.0, "ns a load"),
        MemoryKind::Stream => (1e-9, "GB/s"),
    };
    let three = |v: f64| format::three_digits(v * by);
    match e.ci95 {
        Some((lo, hi)) => format!("{} [{}, {}] {unit}", three(e.value), three(lo), three(hi)),
        None => format!("{}{} {unit}", three(e.value), format::SINGLE),
    }
}

/// The hardware is named with what it allows.
fn memory_limit(r: &MemoryRow) -> String {
    match (r.limited_by.as_str(), r.ceiling) {
        ("hardware", Some(c)) => {
            format!("hardware: the machine serves {:.2} of {} workers", c.value, r.workers)
        }
        (other, _) => other.replace('_', " "),
    }
}

fn working_set(bytes: Option<u64>, llc: Option<u64>) -> String {
    match (bytes, llc) {
        (None, _) => UNKNOWN.to_owned(),
        (Some(b), None) => format!("{}, the cache's size is unknown", format::bytes(b)),
        (Some(b), Some(llc)) if b > llc => {
            format!("{}, {:.1} × {}", format::bytes(b), b as f64 / llc as f64, format::bytes(llc))
        }
        (Some(b), Some(llc)) => format!(
            "{}, **not beyond** the cache of {}: this is the cache's speed, not the memory's",
            format::bytes(b),
            format::bytes(llc)
        ),
    }
}

/// Start-up, outside every window; and memory, where the run recorded it.
pub(crate) fn start_up(s: &Summary) -> Table {
    let mut columns = vec![
        ("model", Left),
        ("spawn to hello", Right),
        ("workload", Left),
        ("setup at N = 1", Right),
        ("setup at the largest N", Right),
        ("per worker there", Right),
        ("trials (spawn; setup at 1; at N)", Right),
    ];
    let memory = s.start_up.iter().flat_map(|r| &r.setups).any(|x| x.peak_rss.is_some());
    if memory {
        columns.extend([("peak memory at N = 1", Right), ("at the largest N", Right)]);
    }
    let mut table = Table::new(&columns);
    table.rows = s.start_up.iter().map(|r| start_row(r, memory)).collect();
    table
}

fn start_row(r: &StartRow, memory: bool) -> Vec<String> {
    let blank = || UNKNOWN.to_owned();
    let shown: Vec<&Setup> = r.setups.iter().filter(|x| x.shown).collect();
    let one = shown.iter().find(|x| x.workers == 1);
    let many = shown.iter().find(|x| x.workers > 1);
    let n = |spread: Option<&Spread>| spread.map_or(0, |x| x.n).to_string();
    let mut row = vec![
        format!("`{}`", r.model),
        r.spawn.map_or_else(blank, |x| time_spread(&x)),
        shown.first().map_or_else(blank, |x| format!("`{}`", x.workload)),
        one.map_or_else(blank, |x| time_spread(&x.all)),
        many.map_or_else(blank, |x| format!("{} (N = {})", time_spread(&x.all), x.workers)),
        many.map_or_else(blank, |x| format::time_ns(x.all.median / f64::from(x.workers))),
        format!("{}; {}; {}", n(r.spawn.as_ref()), n(one.map(|x| &x.all)), n(many.map(|x| &x.all))),
    ];
    if memory {
        let peak = |x: Option<&&Setup>| {
            let spread = x.and_then(|x| x.peak_rss.as_ref());
            spread.map_or_else(blank, |b| format::bytes(b.median as u64))
        };
        row.extend([peak(one), peak(many)]);
    }
    row
}

/// `5.02 ms (4.98 ms to 5.60 ms)`: median and range.
fn time_spread(s: &Spread) -> String {
    if s.n == 1 {
        return format!("{}{}", format::time_ns(s.median), format::SINGLE);
    }
    format!(
        "{} ({} to {})",
        format::time_ns(s.median),
        format::time_ns(s.lo),
        format::time_ns(s.hi)
    )
}

/// What timing an operation costs, by runtime.
pub(crate) fn timers(s: &Summary) -> Table {
    let mut table = Table::new(&[
        ("runtime", Left),
        ("clock", Left),
        ("cost, measured by the worker", Right),
        ("trials", Right),
        ("`noop`, not timed", Right),
        ("`noop`, timed", Right),
        ("timing adds", Right),
        ("measured on (blocks)", Left),
    ]);
    let blank = || UNKNOWN.to_owned();
    for r in &s.timers {
        let noop = r.noop.as_ref();
        let clocks: Vec<String> = r.timers.iter().map(|t| format!("`{t}`")).collect();
        table.rows.push(vec![
            format!("`{}`", r.runtime),
            if clocks.is_empty() { blank() } else { clocks.join(", ") },
            r.cost.map_or_else(blank, |c| time_spread(&c)),
            r.cost.map_or(0, |c| c.n).to_string(),
            noop.map_or_else(blank, |n| format::time_estimate(&n.bare)),
            noop.map_or_else(blank, |n| format::time_estimate(&n.timed)),
            noop.map_or_else(blank, |n| format::time_estimate(&n.added)),
            noop.map_or_else(blank, |n| format!("`{}` ({})", n.model, n.added.n)),
        ]);
    }
    table
}
