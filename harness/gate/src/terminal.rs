//! The verdict for a terminal.

use std::fmt::Write as _;

use crate::words::{effect, metric, notes, short, worst_first};
use crate::{Report, Verdict};

/// A line a cell, the worst first, what is to be known of it below; then what holds for all of it.
pub fn terminal(report: &Report) -> String {
    let width = report.cells.iter().map(|c| c.name.chars().count()).max().unwrap_or(0).min(60);
    let mut text = String::new();
    for cell in worst_first(&report.cells) {
        let p = if cell.verdict == Verdict::Equivalent {
            String::new()
        } else {
            format!(", p = {}", short(cell.p))
        };
        let _ = writeln!(
            text,
            "{:<12}  {:<width$}  {}{p}, {} pairs, {}",
            cell.verdict.name(),
            cell.name,
            effect(cell),
            cell.pairs,
            metric(cell)
        );
        for note in notes(cell) {
            let _ = writeln!(text, "              {note}");
        }
    }
    if let Some(cell) = report.cells.first() {
        let (margin, same) = (short(cell.margin * 100.0), short(cell.equivalence_margin * 100.0));
        let _ = writeln!(
            text,
            "B against A: changed means by more than {margin} %, equivalent within {same} %"
        );
    }
    if let Some(s) = &report.sentinel {
        let said = if s.rejected {
            "called changed: nothing else can be believed"
        } else {
            "not called changed"
        };
        let _ = writeln!(text, "sentinel (A against A): {said} (p = {})", short(s.p));
    }
    let _ = writeln!(text, "verdict: {}", report.verdict().name());
    text
}
