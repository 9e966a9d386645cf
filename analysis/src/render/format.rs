//! Numbers as people read them: fixed digits, intervals in brackets, units that fit.

use amdahl_stats::Verdict;

use crate::summary::Estimate;

/// What stands where a number is not known.
pub const UNKNOWN: &str = "–";

/// Marks a value of a single trial, which has no interval; tables explain it.
pub const SINGLE: &str = "†";

/// `1.97 [1.95, 1.98]`; without an interval, why.
pub fn ratio(e: &Estimate) -> String {
    match e.ci95 {
        Some((lo, hi)) => {
            format!("{} [{}, {}]", two_digits(e.value), two_digits(lo), two_digits(hi))
        }
        None => format!("{}{SINGLE}", two_digits(e.value)),
    }
}

/// Two digits after the point; what rounds to zero has no sign.
pub fn two_digits(value: f64) -> String {
    let text = format!("{value:.2}");
    if text == "-0.00" { "0.00".to_owned() } else { text }
}

/// The same, or a dash.
pub fn maybe_ratio(e: Option<Estimate>) -> String {
    e.map_or_else(|| UNKNOWN.to_owned(), |e| ratio(&e))
}

/// `98 [97, 99] %`.
pub fn maybe_percent(e: Option<Estimate>) -> String {
    e.map_or_else(|| UNKNOWN.to_owned(), |e| in_unit(&e, 0.01, " %", |v| format!("{v:.0}")))
}

/// A value and its interval, both in one unit, which is said once.
fn in_unit(e: &Estimate, unit: f64, name: &str, digits: fn(f64) -> String) -> String {
    let number = |v: f64| digits(v / unit);
    match e.ci95 {
        Some((lo, hi)) => {
            format!("{} [{}, {}]{name}", number(e.value), number(lo), number(hi))
        }
        None => format!("{}{name}{SINGLE}", number(e.value)),
    }
}

/// Nanoseconds with the unit that gives one to three digits before the point.
pub fn time_ns(ns: f64) -> String {
    let (unit, name) = unit_of_time(ns);
    format!("{}{name}", three_digits(ns / unit))
}

fn unit_of_time(ns: f64) -> (f64, &'static str) {
    match ns.abs() {
        v if v >= 1e9 => (1e9, " s"),
        v if v >= 1e6 => (1e6, " ms"),
        v if v >= 1e3 => (1e3, " µs"),
        _ => (1.0, " ns"),
    }
}

/// A latency with its interval in the unit of its value: `5.02 [4.98, 5.06] ms`.
pub fn time_estimate(e: &Estimate) -> String {
    let (unit, name) = unit_of_time(e.value);
    in_unit(e, unit, name, three_digits)
}

/// A count with a factor: `12.3 k`.
pub fn count(value: f64) -> String {
    let (factor, name) = factor_of(value);
    format!("{}{name}", three_digits(value / factor))
}

fn factor_of(value: f64) -> (f64, &'static str) {
    match value.abs() {
        v if v >= 1e9 => (1e9, " G"),
        v if v >= 1e6 => (1e6, " M"),
        v if v >= 1e4 => (1e3, " k"),
        _ => (1.0, ""),
    }
}

/// A rate of events with its interval.
pub fn count_estimate(e: &Estimate) -> String {
    let (factor, name) = factor_of(e.value);
    in_unit(e, factor, name, three_digits)
}

/// Three significant digits without an exponent.
pub fn three_digits(value: f64) -> String {
    match value.abs() {
        v if v >= 99.95 => format!("{value:.0}"),
        v if v >= 9.995 => format!("{value:.1}"),
        v if v >= 0.0995 || v == 0.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// Bytes in binary units.
pub fn bytes(n: u64) -> String {
    match n {
        n if n >= 1 << 30 => format!("{:.1} GiB", n as f64 / (1u64 << 30) as f64),
        n if n >= 1 << 20 => format!("{:.1} MiB", n as f64 / (1u64 << 20) as f64),
        n => format!("{:.0} KiB", n as f64 / 1024.0),
    }
}

/// A verdict that explains itself.
pub fn verdict_in_words(v: Verdict) -> &'static str {
    match v {
        Verdict::Parallel => "parallel: all at once",
        Verdict::Partly => "partly: more than one at a time",
        Verdict::Serial => "serial: one at a time",
        Verdict::Unknown => "unknown",
    }
}

/// A command line that a shell reads back as the same words.
pub fn shell(words: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:@+~%".contains(c);
    let quote = |w: &String| {
        if !w.is_empty() && w.chars().all(plain) {
            w.clone()
        } else {
            format!("'{}'", w.replace('\'', "'\\''"))
        }
    };
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}

/// The day of an RFC 3339 stamp.
pub fn day(utc: &str) -> &str {
    utc.split('T').next().unwrap_or(utc)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_with_three_digits_and_their_interval() {
        let e = Estimate { value: 1.968, ci95: Some((1.951, 1.986)), n: 5 };
        assert_eq!(ratio(&e), "1.97 [1.95, 1.99]");
        assert_eq!(maybe_percent(Some(e)), "197 [195, 199] %");
        assert_eq!(ratio(&Estimate { ci95: None, ..e }), "1.97†");
        assert_eq!(
            (time_ns(5_020_000.0), time_ns(999.0)),
            ("5.02 ms".to_owned(), "999 ns".to_owned())
        );
        let wide = Estimate { value: 110_000.0, ci95: Some((91_300.0, 2_680_000.0)), n: 5 };
        assert_eq!(time_estimate(&wide), "110 [91.3, 2680] µs");
        assert_eq!(time_estimate(&Estimate { ci95: None, ..wide }), "110 µs†");
        assert_eq!((count(12_345.0), count(0.0)), ("12.3 k".to_owned(), "0.00".to_owned()));
        assert_eq!(
            (two_digits(-0.001), two_digits(-0.01)),
            ("0.00".to_owned(), "-0.01".to_owned())
        );
        assert_eq!(bytes(8 << 30), "8.0 GiB");
    }

    #[test]
    fn a_command_survives_the_shell() {
        let words = ["amdahl", "run", "--models", "python*/threads", "it's"].map(str::to_owned);
        assert_eq!(shell(&words), "amdahl run --models 'python*/threads' 'it'\\''s'");
    }
}
