//! The answer table on a terminal: aligned columns, no colours, nothing that moves.

use crate::render::{locks, tables};
use crate::summary::Summary;

/// Columns wider than this are broken off: reasons are read in the report.
const CELL_MAX: usize = 58;

/// The headline and the answer table of every run.
pub fn answer(chapters: &[Summary]) -> String {
    let mut text = String::new();
    for s in chapters {
        if chapters.len() > 1 {
            text.push_str(&format!("{}\n", s.run.name));
        }
        text.push_str(&format!("{}\n\n", locks::headline(s).replace('`', "").replace("**", "")));
        let table = tables::answer(s);
        let rows: Vec<Vec<String>> = std::iter::once(&table.head)
            .chain(&table.rows)
            .map(|row| row.iter().map(|c| cell(c)).collect())
            .collect();
        if !table.rows.is_empty() {
            text.push_str(&aligned(&rows));
        }
        for line in tables::left_out(s) {
            text.push_str(&format!("  {}\n", line.replace('`', "")));
        }
        text.push('\n');
    }
    text
}

fn cell(text: &str) -> String {
    let plain = text.replace('`', "");
    if plain.chars().count() <= CELL_MAX {
        return plain;
    }
    plain.chars().take(CELL_MAX - 1).chain(['…']).collect()
}

/// Columns under each other, two blanks apart.
pub(super) fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |k: usize| {
        rows.iter().filter_map(|r| r.get(k)).map(|c| c.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(c, w)| format!("{c:<w$}", w = *w)).collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_each_other() {
        let rows = [vec!["a".to_owned(), "b".to_owned()], vec!["long".to_owned(), "c".to_owned()]];
        assert_eq!(aligned(&rows), "a     b\nlong  c\n");
        assert_eq!(cell(&"x".repeat(80)).chars().count(), CELL_MAX);
    }
}
