//! The line codec of the protocol: `verb key=value …`, the same in both directions.
//!
//! Used towards the harness and, by the `processes` model, towards the worker's own children. What
//! the verbs mean lives in `serve` and `report`; nothing here knows a verb.

use std::fmt::{self, Display, Write as _};
use std::io::{self, BufRead};

use crate::error::Error;

/// Longest line with its newline, bytes.
pub const LINE_MAX: usize = 1 << 20;

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Over [`LINE_MAX`] bytes; the rest of it was skipped.
    #[error("the line exceeds {LINE_MAX} bytes; split it")]
    TooLong,
    /// Not UTF-8.
    #[error("the line is not UTF-8")]
    NotUtf8,
    /// Only blanks.
    #[error("the line has no verb")]
    NoVerb,
    /// A word after the verb that is not `key=value`.
    #[error("`{0}` is not key=value")]
    NotPair(String),
    /// `%` without two hex digits, or bytes that are not UTF-8 once decoded.
    #[error("`{0}` holds a broken %XX; write % as %25")]
    BadEscape(String),
}

/// One line of the protocol: a verb and its pairs, values decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    verb: String,
    pairs: Vec<(String, String)>,
}

impl Line {
    /// A line without pairs. `verb` has no blank and no `=`.
    pub fn new(verb: &str) -> Self {
        debug_assert!(is_word(verb), "not a verb: {verb:?}");
        Self { verb: verb.to_owned(), pairs: Vec::new() }
    }

    /// The same line with one more pair. `key` has no blank and no `=`.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Display) -> Self {
        debug_assert!(is_word(key), "not a key: {key:?}");
        self.pairs.push((key.to_owned(), value.to_string()));
        self
    }

    /// The same line with a pair where there is a value: what is unknown is left out.
    #[must_use]
    pub fn with_some(self, key: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// Its verb.
    pub fn verb(&self) -> &str {
        &self.verb
    }

    /// Its pairs in order, values decoded.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }

    /// The value of a key, if it is there.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.pairs().find(|(k, _)| *k == key).map(|(_, v)| v)
    }

    /// The value of a key as an integer, if it is there.
    ///
    /// # Errors
    /// [`Error::BadValue`] if it is not one, or out of range.
    pub fn int<T: std::str::FromStr>(&self, key: &str) -> Result<Option<T>, Error> {
        let Some(text) = self.text(key) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| Error::BadValue {
            key: key.to_owned(),
            value: text.to_owned(),
            expected: "a decimal integer in range".into(),
        })
    }

    /// The value of a key that must be there, as an integer.
    ///
    /// # Errors
    /// [`Error::MissingKey`] if it is not there, [`Error::BadValue`] if it is no integer.
    pub fn required<T: std::str::FromStr>(&self, key: &str) -> Result<T, Error> {
        self.int(key)?
            .ok_or_else(|| Error::MissingKey { verb: self.verb.clone(), key: key.to_owned() })
    }

    /// A comma-separated list; empty where the key is not there.
    pub fn list(&self, key: &str) -> impl Iterator<Item = &str> {
        self.text(key).unwrap_or_default().split(',').filter(|item| !item.is_empty())
    }

    /// Reads a line's text, with or without its newline. Of a key given twice the first counts.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, WireError> {
        let mut words = text.split_ascii_whitespace();
        let verb = words.next().ok_or(WireError::NoVerb)?.to_owned();
        let pairs = words
            .map(|word| match word.split_once('=') {
                Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), decode(value)?)),
                _ => Err(WireError::NotPair(word.to_owned())),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { verb, pairs })
    }
}

/// The text of the line, encoded, without its newline.
impl Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.verb)?;
        for (key, value) in &self.pairs {
            write!(f, " {key}=")?;
            encode(value, f)?;
        }
        Ok(())
    }
}

/// Reads the next line; `None` at the end of the input.
///
/// A last line without its newline is torn (its writer died): it counts as the end. Empty lines are
/// skipped. An over-long line is skipped to its newline and reported, so that the next one is read
/// rightly.
///
/// # Errors
/// Of the reader; what is wrong with a line is the inner result.
pub fn read_line(input: &mut impl BufRead) -> io::Result<Option<Result<Line, WireError>>> {
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        let mut limited = io::Read::take(&mut *input, LINE_MAX as u64);
        limited.read_until(b'\n', &mut bytes)?;
        if !bytes.ends_with(b"\n") {
            if bytes.len() < LINE_MAX {
                return Ok(None);
            }
            return Ok(skip_line(input)?.then_some(Err(WireError::TooLong)));
        }
        match std::str::from_utf8(&bytes).map_err(|_| WireError::NotUtf8).and_then(Line::parse) {
            Err(WireError::NoVerb) => {}
            other => return Ok(Some(other)),
        }
    }
}

/// Skips to after the next newline; false if there is none.
fn skip_line(input: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let chunk = input.fill_buf()?;
        if chunk.is_empty() {
            return Ok(false);
        }
        let (used, found) = match chunk.iter().position(|b| *b == b'\n') {
            Some(at) => (at + 1, true),
            None => (chunk.len(), false),
        };
        input.consume(used);
        if found {
            return Ok(true);
        }
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| !needs_escape(b) && b != b'=')
}

fn needs_escape(byte: u8) -> bool {
    byte <= b' ' || byte == 0x7f || byte == b'%'
}

fn encode(value: &str, out: &mut impl fmt::Write) -> fmt::Result {
    let mut rest = value;
    while let Some(at) = rest.bytes().position(needs_escape) {
        out.write_str(&rest[..at])?;
        write!(out, "%{:02X}", rest.as_bytes()[at])?;
        rest = &rest[at + 1..];
    }
    out.write_str(rest)
}

fn decode(value: &str) -> Result<String, WireError> {
    if !value.contains('%') {
        return Ok(value.to_owned());
    }
    let bad = || WireError::BadEscape(value.to_owned());
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16)).ok_or_else(bad);
        let (high, low) = (digit()?, digit()?);
        bytes.push((high * 16 + low) as u8);
    }
    String::from_utf8(bytes).map_err(|_| bad())
}

/// Joins numbers by commas without an allocation for each.
pub(crate) fn join<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let mut text = String::new();
    for item in items {
        if !text.is_empty() {
            text.push(',');
        }
        write!(text, "{item}").expect("writing to a String can't fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_all(mut input: &[u8]) -> Vec<Result<Line, WireError>> {
        std::iter::from_fn(|| read_line(&mut input).unwrap()).collect()
    }

    #[test]
    fn a_line_is_read_as_written() {
        let line = Line::parse("prepare id=7 workload=cpu x= y=a=b%20c\n").unwrap();
        assert_eq!(line.verb(), "prepare");
        assert_eq!(line.int::<u64>("id"), Ok(Some(7)));
        assert_eq!(
            (line.text("x"), line.text("y"), line.text("z")),
            (Some(""), Some("a=b c"), None)
        );
        assert_eq!(line.to_string(), "prepare id=7 workload=cpu x= y=a=b%20c");
    }

    #[test]
    fn broken_lines_say_how() {
        assert_eq!(Line::parse("go 7"), Err(WireError::NotPair("7".into())));
        assert_eq!(Line::parse("go =7"), Err(WireError::NotPair("=7".into())));
        for escape in ["%", "%2", "%zz", "%ff"] {
            assert_eq!(
                Line::parse(&format!("go id={escape}")),
                Err(WireError::BadEscape(escape.into()))
            );
        }
        assert!(matches!(
            Line::parse("go id=x").unwrap().int::<u64>("id"),
            Err(Error::BadValue { .. })
        ));
        assert!(matches!(Line::new("go").required::<u64>("id"), Err(Error::MissingKey { .. })));
    }

    #[test]
    fn lists_skip_the_empty() {
        let line = Line::parse("go ids=7,8 require=").unwrap();
        assert_eq!(line.list("ids").collect::<Vec<_>>(), ["7", "8"]);
        assert_eq!(line.list("require").count() + line.list("absent").count(), 0);
    }

    #[test]
    fn the_reader_recovers_after_a_bad_line_and_drops_a_torn_one() {
        let mut input = vec![b'x'; LINE_MAX + 5];
        input.extend_from_slice(b"\n\n  \n\xff\nquit\npin");
        let lines = read_all(&input);
        assert_eq!(
            lines,
            [Err(WireError::TooLong), Err(WireError::NotUtf8), Ok(Line::new("quit"))]
        );
    }

    #[test]
    fn a_line_of_exactly_the_limit_is_read() {
        let mut input = format!("v k={}", "x".repeat(LINE_MAX - 5)).into_bytes();
        input.push(b'\n');
        assert_eq!(input.len(), LINE_MAX);
        assert!(matches!(read_all(&input).as_slice(), [Ok(_)]));
        input.insert(4, b'x');
        assert_eq!(read_all(&input), [Err(WireError::TooLong)]);
    }

    proptest! {
        #[test]
        fn any_value_survives(
            verb in "[a-z]{1,8}",
            pairs in proptest::collection::vec(("[a-z_]{1,8}", any::<String>()), 0..6),
        ) {
            let mut line = Line::new(&verb);
            for (key, value) in &pairs {
                line = line.with(key, value);
            }
            let text = line.to_string();
            prop_assert!(!text.contains('\n'));
            prop_assert_eq!(Line::parse(&text), Ok(line));
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            read_all(&bytes);
        }
    }
}
