//! A CSV file as text, with the place of everything in it, for errors that name file, line, column and what was expected there.

use std::fs;
use std::path::{Path, PathBuf};

use csv::{Position, ReaderBuilder, StringRecord, Trim};
use thiserror::Error;

/// Why a table can't be used.
#[derive(Debug, Error)]
pub enum TableError {
    /// The system refused.
    #[error("{}", path.display())]
    Io {
        /// File.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Something else stands there than was expected.
    #[error("{}:{line}:{column}: {message}", path.display())]
    Content {
        /// File.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// Column in characters, from 1.
        column: usize,
        /// What is there, and what was expected.
        message: String,
    },
}

/// A file's text, UTF-8, without a byte order mark.
pub(crate) fn text_of(path: &Path) -> Result<String, TableError> {
    let bytes =
        fs::read(path).map_err(|source| TableError::Io { path: path.to_owned(), source })?;
    let mut text = String::from_utf8(bytes).map_err(|e| {
        let before = &e.as_bytes()[..e.utf8_error().valid_up_to()];
        let line = 1 + before.iter().filter(|b| **b == b'\n').count() as u64;
        content(path, line, 1, "this is not UTF-8 text; expected a CSV table".to_owned())
    })?;
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(text)
}

/// Reads a table with a header line, blanks around fields trimmed, lines that begin with `#` left out.
pub(crate) fn reader(text: &str) -> csv::Reader<&[u8]> {
    ReaderBuilder::new()
        .trim(Trim::All)
        .flexible(true)
        .comment(Some(b'#'))
        .has_headers(true)
        .from_reader(text.as_bytes())
}

pub(crate) fn content(path: &Path, line: u64, column: usize, message: String) -> TableError {
    TableError::Content { path: path.to_owned(), line, column, message }
}

/// The text, for places in it.
pub(crate) struct Source<'a> {
    pub(crate) path: &'a Path,
    pub(crate) text: &'a str,
}

impl Source<'_> {
    pub(crate) fn broken(&self, e: &csv::Error) -> TableError {
        let line = e.position().map_or(1, Position::line);
        content(self.path, line, 1, format!("{e}; expected a CSV table"))
    }

    /// The one column of these names, if there is one; two are an error.
    pub(crate) fn column_named(
        &self,
        header: &StringRecord,
        names: &[&str],
    ) -> Result<Option<usize>, TableError> {
        let is = |h: &str| names.iter().any(|n| h.eq_ignore_ascii_case(n));
        let found: Vec<usize> =
            header.iter().enumerate().filter(|(_, h)| is(h)).map(|(k, _)| k).collect();
        if let Some(second) = found.get(1) {
            let message = format!("a second column {}; expected one", names.join(" or "));
            return Err(self.at(header, *second, message));
        }
        Ok(found.first().copied())
    }

    /// An error at a field.
    pub(crate) fn at(&self, record: &StringRecord, field: usize, message: String) -> TableError {
        let (line, from) = self.start(record);
        content(self.path, line, column(&self.text[from..], field), message)
    }

    /// Line and byte where a record's text begins: the reader's position is before the empty lines and comments
    /// that it skips.
    pub(crate) fn start(&self, record: &StringRecord) -> (u64, usize) {
        let mut line = record.position().map_or(1, Position::line);
        let mut from = record.position().map_or(0, |p| p.byte() as usize).min(self.text.len());
        while let Some((skipped, _)) = self.text[from..].split_once('\n') {
            if !skipped.trim().is_empty() && !skipped.starts_with('#') {
                break;
            }
            line += 1;
            from += skipped.len() + 1;
        }
        (line, from)
    }
}

/// Column of a field in characters: commas outside quotes are counted.
fn column(text: &str, field: usize) -> usize {
    let (mut quoted, mut left, mut column) = (false, field, 1);
    for c in text.chars() {
        if left == 0 || (c == '\n' && !quoted) {
            break;
        }
        quoted ^= c == '"';
        left -= usize::from(c == ',' && !quoted);
        column += 1;
    }
    column
}
