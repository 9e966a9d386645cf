//! Locks that a preloaded library saw, on the terminal: taken how often, waited for how often and how long, held how long.

use std::fmt::Write as _;

use amdahl_schema::TracedLock;

use super::text::{place, time};

/// The head of the table; times held only where there are any.
pub(super) fn head(text: &mut String, hold: bool) {
    _ = write!(
        text,
        "\n  {:<11} {:<6} {:>12} {:>9} {:>6} {:>9} {:>9} {:>9} {:>9}",
        "lock", "type", "acquisitions", "contended", "owners", "waited", "p50", "p99", "max"
    );
    if hold {
        _ = write!(text, " {:>9} {:>9} {:>9}", "held", "p50", "p99");
    }
    text.push_str("  where\n");
}

/// One lock.
pub(super) fn row(text: &mut String, l: &TracedLock, hold: bool) {
    let w = &l.wait_ns;
    let number = |n: Option<u64>| n.map_or(String::new(), |n| n.to_string());
    _ = write!(
        text,
        "  {:<11} {:<6} {:>12} {:>9} {:>6}",
        l.id,
        l.lock_type.as_deref().unwrap_or_default(),
        number(l.acquisitions),
        share(l),
        number(l.owners)
    );
    let times = |text: &mut String, all: [u64; 3]| {
        all.iter().for_each(|ns| _ = write!(text, " {:>9}", time(*ns)));
    };
    if w.n == 0 {
        _ = write!(text, " {:>9} {:>9} {:>9} {:>9}", "-", "-", "-", "-");
    } else {
        times(text, [w.sum, w.p50, w.p99]);
        _ = write!(text, " {:>9}", time(w.max));
    }
    match &l.hold_ns {
        Some(h) => times(text, [h.sum, h.p50, h.p99]),
        None if hold => _ = write!(text, " {:>9} {:>9} {:>9}", "-", "-", "-"),
        None => {}
    }
    let at = l.callsites.first().map_or(l.address.clone(), |s| place(&s.frames, &l.address));
    _ = writeln!(text, "  {at}");
}

/// Contended ones among the acquisitions.
fn share(l: &TracedLock) -> String {
    match (l.contended, l.acquisitions) {
        (Some(n), Some(all)) if all > 0 => format!("{:.2} %", 100.0 * n as f64 / all as f64),
        _ => String::new(),
    }
}
