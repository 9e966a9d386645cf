//! One line of the worker protocol: `verb key=value …`, percent-encoded (PROTOCOL.md, Lines).

use std::fmt;

/// Longest line with its newline, bytes.
pub const LINE_BYTES_MAX: usize = 1 << 20;

/// A parsed line; keys in the order sent, unknown ones kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// First word.
    pub verb: String,
    /// Decoded pairs.
    pub pairs: Vec<(String, String)>,
}

/// Why a line is not one of the protocol's, with the line itself (cut).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} in {}", quote(.line))]
pub struct WireError {
    /// What is wrong.
    pub what: String,
    /// The line.
    pub line: String,
}

impl Line {
    /// A line to send.
    pub fn new(verb: &str) -> Self {
        Self { verb: verb.to_owned(), pairs: Vec::new() }
    }

    /// Adds a pair.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl fmt::Display) -> Self {
        self.pairs.push((key.to_owned(), value.to_string()));
        self
    }

    /// Parses one line without its newline.
    pub fn parse(text: &str) -> Result<Self, WireError> {
        let wrong = |what: &str| WireError { what: what.to_owned(), line: text.to_owned() };
        let mut words = text.split(' ').filter(|w| !w.is_empty());
        let verb = words.next().ok_or_else(|| wrong("no verb"))?;
        if !verb.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b == b'-') {
            return Err(wrong("not a line of the protocol"));
        }
        let mut line = Self::new(verb);
        for word in words {
            let (key, value) =
                word.split_once('=').ok_or_else(|| wrong(&format!("`{word}` is not key=value")))?;
            let value = decode(value).ok_or_else(|| wrong(&format!("bad %XX in `{key}`")))?;
            line.pairs.push((key.to_owned(), value));
        }
        Ok(line)
    }

    /// The last value of a key.
    pub fn opt(&self, key: &str) -> Option<&str> {
        self.pairs.iter().rev().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    /// A value that must be there.
    pub fn req(&self, key: &str) -> Result<&str, WireError> {
        self.opt(key).ok_or_else(|| self.wrong(format!("no `{key}`")))
    }

    /// A number that must be there.
    pub fn num<T: std::str::FromStr>(&self, key: &str) -> Result<T, WireError> {
        let text = self.req(key)?;
        text.parse().map_err(|_| self.wrong(format!("`{key}` is not a number in range")))
    }

    /// A number that may be absent.
    pub fn opt_num<T: std::str::FromStr>(&self, key: &str) -> Result<Option<T>, WireError> {
        self.opt(key).map(|_| self.num(key)).transpose()
    }

    /// A comma-separated list; absent is empty.
    pub fn list(&self, key: &str) -> Vec<String> {
        self.opt(key)
            .map(|v| v.split(',').filter(|w| !w.is_empty()).map(str::to_owned).collect())
            .unwrap_or_default()
    }

    /// An error about this line.
    pub fn wrong(&self, what: impl Into<String>) -> WireError {
        WireError { what: what.into(), line: self.to_string() }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.verb)?;
        for (key, value) in &self.pairs {
            write!(f, " {key}={}", encode(value))?;
        }
        Ok(())
    }
}

fn encode(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        if c == ' ' || c == '%' || c.is_control() {
            let mut bytes = [0; 4];
            for b in c.encode_utf8(&mut bytes).bytes() {
                out.push_str(&format!("%{b:02X}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

fn decode(value: &str) -> Option<String> {
    if !value.contains('%') {
        return Some(value.to_owned());
    }
    let mut out = Vec::with_capacity(value.len());
    let mut bytes = value.bytes();
    while let Some(b) = bytes.next() {
        if b != b'%' {
            out.push(b);
            continue;
        }
        let hex = [bytes.next()?, bytes.next()?];
        let hex = std::str::from_utf8(&hex).ok()?;
        out.push(u8::from_str_radix(hex, 16).ok()?);
    }
    String::from_utf8(out).ok()
}

/// A line as an error message shows it: cut to 120 characters, control characters escaped.
pub fn quote(line: &str) -> String {
    let head: String = line.chars().take(120).flat_map(char::escape_debug).collect();
    if line.chars().count() > 120 { format!("`{head}…`") } else { format!("`{head}`") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn unknown_keys_stay_and_lists_split() {
        let line = Line::parse("ready id=7 carriers=811,812 new=%20x").unwrap();
        assert_eq!(line.list("carriers"), ["811", "812"]);
        assert_eq!(line.opt("new"), Some(" x"));
        assert_eq!(line.num::<u64>("id"), Ok(7));
        assert!(line.num::<u64>("gone").unwrap_err().to_string().contains("no `gone`"));
    }

    #[test]
    fn what_is_not_protocol_is_quoted_in_the_error() {
        for text in ["", "Traceback (most recent call last):", "ready id", "ready id=%zz"] {
            assert!(Line::parse(text).is_err(), "{text}");
        }
        let long = "X".repeat(5000);
        assert!(Line::parse(&long).unwrap_err().to_string().len() < 300);
    }

    proptest! {
        #[test]
        fn what_is_sent_arrives(value in "\\PC*[ %\n\t]*\\PC*", key in "[a-z_.]{1,9}") {
            let line = Line::new("prepare").with(&key, &value);
            let text = line.to_string();
            prop_assert!(!text.contains('\n'));
            prop_assert_eq!(Line::parse(&text).unwrap(), line);
        }

        #[test]
        fn no_input_panics(text in "\\PC*") {
            let _ = Line::parse(&text);
        }
    }
}
