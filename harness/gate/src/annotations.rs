//! The verdict as annotations of a GitHub job: one summary and the worst cells.

use crate::words::{counts, effect, notes, worst_first};
use crate::{Report, Verdict};

/// GitHub shows so many of each step.
pub const ANNOTATIONS_MAX: usize = 10;

/// Lines in the form of workflow commands, at most [`ANNOTATIONS_MAX`]; cells that are as good or better need none.
pub fn annotations(report: &Report) -> Vec<String> {
    let text = format!("{}: {}", report.verdict().name(), counts(&report.cells));
    let mut lines = vec![command(report.verdict(), "amdahl", &text)];
    let bad = worst_first(&report.cells).into_iter().filter(|c| c.verdict <= Verdict::Inconclusive);
    for cell in bad.take(ANNOTATIONS_MAX - 1) {
        let more = notes(cell).join("; ");
        let text = format!("{} {}, {} pairs. {more}", cell.metric.name, effect(cell), cell.pairs);
        lines.push(command(
            cell.verdict,
            &format!("{}: {}", cell.verdict.name(), cell.name),
            text.trim_end(),
        ));
    }
    lines
}

fn command(verdict: Verdict, title: &str, text: &str) -> String {
    let kind = match verdict {
        Verdict::Regressed => "error",
        Verdict::Suspect => "warning",
        Verdict::Inconclusive | Verdict::Equivalent | Verdict::Improved => "notice",
    };
    format!("::{kind} title={}::{}", property(title), data(text))
}

/// What may stand behind `::`.
fn data(text: &str) -> String {
    let text: String = text.chars().take(1000).collect();
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// What may stand behind `title=`.
fn property(text: &str) -> String {
    let text: String = text.chars().take(200).collect();
    data(&text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::markdown::tests::{cell, report};

    #[test]
    fn a_summary_and_the_nine_worst() {
        let mut cells: Vec<_> =
            (0..40).map(|k| cell(&format!("c{k}"), Verdict::Inconclusive, vec![])).collect();
        cells[30].verdict = Verdict::Regressed;
        cells[31].verdict = Verdict::Equivalent;
        let lines = annotations(&report(cells));
        assert_eq!(lines.len(), ANNOTATIONS_MAX);
        assert_eq!(
            lines[0],
            "::error title=amdahl::regressed: 1 regressed, 38 inconclusive, 1 equivalent"
        );
        assert!(
            lines[1].starts_with(
                "::error title=regressed%3A c30::wall_ns +5.00 %25 [+3.00, +7.00], 12 pairs."
            ),
            "{}",
            lines[1]
        );
        assert!(lines[2].starts_with("::notice title=inconclusive%3A c0::"), "{}", lines[2]);
        assert_eq!(annotations(&report(vec![cell("x", Verdict::Equivalent, vec![])])).len(), 1);
    }

    proptest! {
        #[test]
        fn a_name_is_no_command_and_no_line(name in "(?s).{0,300}", reason in "(?s).{0,300}") {
            for line in annotations(&report(vec![cell(&name, Verdict::Suspect, vec![reason])])) {
                prop_assert!(!line.contains(['\n', '\r']));
                let (head, _) = line.strip_prefix("::").unwrap().split_once("::").unwrap();
                prop_assert!(!head.split_once('=').unwrap().1.contains([':', ',']), "{}", head);
            }
        }
    }
}
