//! Figures in words, the same in every form.

use crate::{Better, Cell, Verdict};

/// A ratio as a change: `+2.13 %`.
pub(crate) fn percent(ratio: f64) -> String {
    format!("{} %", signed(ratio))
}

/// A ratio as a change in percent: two decimals below ten, one from there on.
fn signed(ratio: f64) -> String {
    let change = (ratio - 1.0) * 100.0;
    // Adding 0 turns -0 into 0.
    if change.abs() < 9.995 {
        format!("{:+.2}", (change * 100.0).round() / 100.0 + 0.0)
    } else {
        format!("{change:+.1}")
    }
}

/// `+2.13 % [+1.80, +2.45]`, or why there is none.
pub(crate) fn effect(cell: &Cell) -> String {
    cell.ratio.map_or_else(
        || "no interval".to_owned(),
        |r| format!("{} [{}, {}]", percent(r.estimate), signed(r.lo), signed(r.hi)),
    )
}

/// `throughput (higher is better)`.
pub(crate) fn metric(cell: &Cell) -> String {
    let better = match cell.metric.better {
        Better::Higher => "higher",
        Better::Lower => "lower",
    };
    format!("{} ({better} is better)", cell.metric.name)
}

/// A small number, never a row of digits.
pub(crate) fn short(x: f64) -> String {
    if x != 0.0 && x.abs() < 0.001 {
        format!("{x:.1e}")
    } else {
        ((x * 1000.0).round() / 1000.0).to_string()
    }
}

/// All there is to say below the line of a cell.
pub(crate) fn notes(cell: &Cell) -> Vec<String> {
    let seen = cell.smallest_detectable.filter(|_| cell.verdict == Verdict::Inconclusive);
    let seen =
        seen.map(|s| format!("what could have been seen: {} in four cases of five", percent(s)));
    seen.into_iter().chain(cell.reasons.iter().cloned()).collect()
}

/// `1 regressed, 3 equivalent`, the worst first.
pub(crate) fn counts(cells: &[Cell]) -> String {
    let all = [
        Verdict::Regressed,
        Verdict::Suspect,
        Verdict::Inconclusive,
        Verdict::Equivalent,
        Verdict::Improved,
    ];
    let of = |v: Verdict| cells.iter().filter(|c| c.verdict == v).count();
    let words: Vec<String> =
        all.into_iter().filter(|v| of(*v) > 0).map(|v| format!("{} {}", of(v), v.name())).collect();
    if words.is_empty() { "nothing was compared".to_owned() } else { words.join(", ") }
}

/// The worst first, then as planned.
pub(crate) fn worst_first(cells: &[Cell]) -> Vec<&Cell> {
    let mut cells: Vec<&Cell> = cells.iter().collect();
    cells.sort_by_key(|c| c.verdict);
    cells
}
