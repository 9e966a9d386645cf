//! The verdict as Markdown, for a job's summary or a comment.

use std::fmt::Write as _;

use crate::words::{counts, effect, metric, notes, percent, short, worst_first};
use crate::{Cell, Report, Verdict};

/// What GitHub takes of a step's summary; beyond it nothing is shown at all, so the table ends before.
pub const SUMMARY_BYTES_MAX: usize = 1 << 20;

/// Kept for what stands below the table.
const FOOT_BYTES: usize = 4096;

/// A heading, a row a cell with the worst first, and what holds for all. At most `limit` bytes: rows that find no room are counted.
pub fn markdown(report: &Report, limit: usize) -> String {
    let mut text = format!("### amdahl: {}\n\n{}\n", report.verdict().name(), sentence(report));
    if !report.cells.is_empty() {
        text.push_str("\n| verdict | cell | change of B against A | p | pairs | figure | |\n|---|---|---|---|---|---|---|\n");
    }
    let cells = worst_first(&report.cells);
    for (k, cell) in cells.iter().enumerate() {
        let row = row(cell);
        if text.len() + row.len() + FOOT_BYTES > limit {
            let _ = writeln!(
                text,
                "\n{} more cells found no room here, none of them worse; `--json` has them all.",
                cells.len() - k
            );
            break;
        }
        text.push_str(&row);
    }
    text.push_str(&foot(report));
    text
}

/// What it comes to.
fn sentence(report: &Report) -> String {
    let all = counts(&report.cells);
    match report.verdict() {
        Verdict::Inconclusive => format!(
            "{all}. Inconclusive is not \"no change\": each row says what could have been seen."
        ),
        _ => format!("{all}."),
    }
}

fn row(cell: &Cell) -> String {
    let cells = [
        format!("**{}**", cell.verdict.name()),
        escaped(&cell.name),
        escaped(&effect(cell)),
        if cell.verdict == Verdict::Equivalent { String::new() } else { short(cell.p) },
        cell.pairs.to_string(),
        escaped(&metric(cell)),
        notes(cell).iter().map(|n| escaped(n)).collect::<Vec<_>>().join("<br>"),
    ];
    format!("| {} |\n", cells.join(" | "))
}

fn foot(report: &Report) -> String {
    let mut text = String::new();
    if let Some(cell) = report.cells.first() {
        let (margin, same) = (percent(1.0 + cell.margin), percent(1.0 + cell.equivalence_margin));
        let _ = write!(
            text,
            "\nChanged: shown to be beyond {margin} in either direction. Equivalent: shown to lie within {same}."
        );
    }
    if let Some(s) = &report.sentinel {
        let said = if s.rejected {
            "was called changed, so nothing else can be believed"
        } else {
            "was not called changed"
        };
        let _ = write!(text, " Sentinel: A against A {said} (p = {}).", short(s.p));
    }
    text + "\n"
}

/// As text of one table cell, whatever it holds: at most 300 characters, nothing of it markup.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().take(300) {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '!' | '#' | '~' | '$' | '@' => {
                let _ = write!(out, "&#{};", c as u32);
            }
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    if text.chars().nth(300).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
pub(crate) mod tests {
    use amdahl_stats::Interval;
    use proptest::prelude::*;

    use super::*;
    use crate::{Better, Metric, Sentinel};

    /// A cell with everything in it.
    pub(crate) fn cell(name: &str, verdict: Verdict, reasons: Vec<String>) -> Cell {
        Cell {
            name: name.to_owned(),
            metric: Metric {
                name: "wall_ns".to_owned(),
                unit: "ns".to_owned(),
                better: Better::Lower,
            },
            verdict,
            ratio: Some(Interval { estimate: 1.05, lo: 1.03, hi: 1.07, n: 12 }),
            p: 0.000_488,
            margin: 0.01,
            equivalence_margin: 0.03,
            pairs: 12,
            dropped_pairs: 0,
            smallest_detectable: Some(1.04),
            reasons,
            medians: Some((100.0, 105.0)),
            samples: (vec![100.0; 12], vec![105.0; 12]),
        }
    }

    pub(crate) fn report(cells: Vec<Cell>) -> Report {
        Report { cells, sentinel: Some(Sentinel { p: 0.7, rejected: false }) }
    }

    #[test]
    fn the_worst_stands_first_with_its_interval() {
        let text = markdown(
            &report(vec![
                cell("good", Verdict::Equivalent, vec![]),
                cell("bad", Verdict::Regressed, vec!["look here".into()]),
            ]),
            SUMMARY_BYTES_MAX,
        );
        let expected = "### amdahl: regressed\n\n1 regressed, 1 equivalent.\n\n\
            | verdict | cell | change of B against A | p | pairs | figure | |\n|---|---|---|---|---|---|---|\n\
            | **regressed** | bad | +5.00 % &#91;+3.00, +7.00&#93; | 4.9e-4 | 12 | wall&#95;ns (lower is better) | look here |\n\
            | **equivalent** | good | +5.00 % &#91;+3.00, +7.00&#93; |  | 12 | wall&#95;ns (lower is better) |  |\n\n\
            Changed: shown to be beyond +1.00 % in either direction. Equivalent: shown to lie within +3.00 %. \
            Sentinel: A against A was not called changed (p = 0.7).\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn inconclusive_is_never_no_change() {
        let text =
            markdown(&report(vec![cell("x", Verdict::Inconclusive, vec![])]), SUMMARY_BYTES_MAX);
        assert!(
            text.contains("not \"no change\"") && text.contains("could have been seen: +4.00 %"),
            "{text}"
        );
        assert!(markdown(&Report::default(), SUMMARY_BYTES_MAX).contains("nothing was compared"));
    }

    #[test]
    fn ten_thousand_cells_end_before_the_limit() {
        let cells = (0..10_000)
            .map(|k| cell(&format!("cell {k}"), Verdict::Inconclusive, vec!["because".repeat(9)]));
        let text = markdown(&report(cells.collect()), SUMMARY_BYTES_MAX);
        assert!(
            text.len() <= SUMMARY_BYTES_MAX && text.len() > SUMMARY_BYTES_MAX - 2 * FOOT_BYTES,
            "{}",
            text.len()
        );
        let rows = text.lines().filter(|l| l.starts_with("| **")).count();
        assert!(text.contains(&format!("{} more cells found no room", 10_000 - rows)), "{rows}");
        assert!(text.ends_with(").\n"));
    }

    proptest! {
        /// Whatever a name or a reason holds, a cell is one row of seven columns and no markup.
        #[test]
        fn no_name_breaks_the_table(name in ".{0,400}", reason in "(?s).{0,400}") {
            let text = markdown(&report(vec![cell(&name, Verdict::Regressed, vec![reason])]), SUMMARY_BYTES_MAX);
            let rows: Vec<&str> = text.lines().filter(|l| l.starts_with("| **regressed")).collect();
            prop_assert_eq!(rows.len(), 1);
            prop_assert_eq!(rows[0].matches('|').count(), 8);
            prop_assert!(!rows[0].contains(['`', '[', '<']) && text.lines().count() == 9, "{}", text);
        }
    }
}
