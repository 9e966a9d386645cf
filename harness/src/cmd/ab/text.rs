//! The verdicts for the terminal.

use std::fmt::Write as _;

use amdahl_gate::{Cell, Report, Verdict};

/// A line a cell, the worst first, its reasons below it; then what all of it says.
pub(super) fn text(report: &Report, seed: u64) -> String {
    let mut cells: Vec<&Cell> = report.cells.iter().collect();
    cells.sort_by_key(|c| c.verdict);
    let width = cells.iter().map(|c| c.name.chars().count()).max().unwrap_or(0).min(60);
    let mut text = String::new();
    for cell in cells {
        let _ =
            writeln!(text, "{:<12}  {:<width$}  {}", cell.verdict.name(), cell.name, effect(cell));
        if let Some(seen) = cell.smallest_detectable {
            let _ = writeln!(
                text,
                "              what could have been seen: {} in four cases of five",
                percent(seen)
            );
        }
        for reason in &cell.reasons {
            let _ = writeln!(text, "              {reason}");
        }
    }
    if let Some(cell) = report.cells.first() {
        let _ = writeln!(
            text,
            "B against A: changed means by more than {} %, equivalent within {} %; seed {seed}",
            short(cell.margin * 100.0),
            short(cell.equivalence_margin * 100.0)
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

/// `throughput +2.1 % [1.8, 2.4], p = 0.0004, 12 pairs`.
fn effect(cell: &Cell) -> String {
    let ratio = cell.ratio.map_or_else(
        || "no interval from fewer than 6 pairs".to_owned(),
        |r| format!("{} [{}, {}]", percent(r.estimate), signed(r.lo), signed(r.hi)),
    );
    let p = if cell.verdict == Verdict::Equivalent {
        String::new()
    } else {
        format!(", p = {}", short(cell.p))
    };
    let worse = match cell.metric.better {
        amdahl_gate::Better::Higher => "higher is better",
        amdahl_gate::Better::Lower => "lower is better",
    };
    format!("{} {ratio}{p}, {} pairs ({worse})", cell.metric.name, cell.pairs)
}

fn percent(ratio: f64) -> String {
    format!("{} %", signed(ratio))
}

/// A ratio as a change in percent, two significant digits below ten.
fn signed(ratio: f64) -> String {
    let change = (ratio - 1.0) * 100.0;
    if change.abs() < 10.0 { format!("{change:+.2}") } else { format!("{change:+.1}") }
}

fn short(x: f64) -> String {
    if x != 0.0 && x.abs() < 0.001 {
        format!("{x:.1e}")
    } else {
        format!("{}", (x * 1000.0).round() / 1000.0)
    }
}
