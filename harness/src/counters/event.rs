//! `--event NAME=rXXXX`: any raw code of this CPU's PMU.

use std::str::FromStr;

use super::metric::METRICS;

/// A raw PMU code with the name it gets in the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawEvent {
    /// Id in the record.
    pub name: String,
    /// The code, as `perf stat -e rXXXX` takes it.
    pub code: u64,
}

/// Not of the form `NAME=rXXXX`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EventSyntax {
    /// No `=`, or no code after it.
    #[error("event `{0}`: expected NAME=rXXXX with a hexadecimal code, e.g. l3_miss=r412e")]
    Form(String),
    /// A name that would not survive a table or a CSV file.
    #[error("event name `{0}`: use lower-case letters, digits and _")]
    Name(String),
    /// A name that already means something.
    #[error("event name `{0}` is a metric of the table already: choose another")]
    Taken(String),
}

impl FromStr for RawEvent {
    type Err = EventSyntax;

    fn from_str(text: &str) -> Result<Self, EventSyntax> {
        let form = || EventSyntax::Form(text.to_owned());
        let (name, code) = text.split_once('=').ok_or_else(form)?;
        let digits = code.strip_prefix('r').ok_or_else(form)?;
        // from_str_radix would take a sign.
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(form());
        }
        let code = u64::from_str_radix(digits, 16).map_err(|_| form())?;
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if name.is_empty() || !name.bytes().all(plain) {
            return Err(EventSyntax::Name(name.to_owned()));
        }
        if METRICS.iter().any(|m| m.id == name) {
            return Err(EventSyntax::Taken(name.to_owned()));
        }
        Ok(Self { name: name.to_owned(), code })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_one_form() {
        let event = "l3_miss=r412E".parse();
        assert_eq!(event, Ok(RawEvent { name: "l3_miss".to_owned(), code: 0x412e }));
        for bad in ["l3_miss", "l3=412e", "l3=r", "l3=r+1", "l3=rxyz", "l3=r11111111111111111"] {
            let error = bad.parse::<RawEvent>().expect_err(bad);
            assert!(error.to_string().contains("NAME=rXXXX"), "{error}");
        }
        assert!(matches!("L3=r1".parse::<RawEvent>(), Err(EventSyntax::Name(_))));
        assert!(matches!("cycles=r1".parse::<RawEvent>(), Err(EventSyntax::Taken(_))));
    }
}
