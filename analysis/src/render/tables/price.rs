//! Like builds without and with a global lock, kernel by kernel.

use super::Align::{Left, Right};
use super::Table;
use crate::render::format::{self, UNKNOWN};
use crate::summary::{Estimate, PricePair, PriceRow, Summary};

/// One row a pair and kernel; then what sums them up.
pub(crate) fn price(s: &Summary) -> Table {
    let mut table = Table::new(&[
        ("without the lock / with it", Left),
        ("kernel", Left),
        ("ns a step, without", Right),
        ("with", Right),
        ("ratio", Right),
        ("blocks used (dropped)", Right),
    ]);
    for p in s.price.iter().flat_map(|f| &f.pairs) {
        let time = |e: Option<Estimate>| {
            e.map_or_else(|| UNKNOWN.to_owned(), |e| format::three_digits(e.value))
        };
        let bytes = |e: Option<Estimate>| {
            e.map_or_else(|| UNKNOWN.to_owned(), |e| format::bytes(e.value as u64))
        };
        table.rows.extend(p.rows.iter().map(|r| row(p, format!("`{}`", r.kind), r, &time)));
        table.rows.push(row(p, format!("**{}**", p.mean.kind), &p.mean, &time));
        table.rows.push(row(p, format!("**{}**", p.memory.kind), &p.memory, &bytes));
    }
    table
}

fn row(
    p: &PricePair,
    kernel: String,
    r: &PriceRow,
    value: &dyn Fn(Option<Estimate>) -> String,
) -> Vec<String> {
    vec![
        format!("`{}` / `{}`", p.pair.free, p.pair.locked),
        kernel,
        value(r.free),
        value(r.locked),
        format::maybe_ratio(r.ratio),
        format!("{} ({})", r.blocks.len(), r.dropped),
    ]
}

/// What is compared, how alike it is, and why blocks are missing.
pub(crate) fn price_words(s: &Summary) -> Vec<String> {
    let words = |p: &PricePair| {
        let unlike = match p.differences.as_slice() {
            [] => "; their receipts tell no other difference".to_owned(),
            all => format!("; they also differ in {}", all.join("; ")),
        };
        let lost = match p.reasons.as_slice() {
            [] => String::new(),
            [first, more @ ..] => {
                format!(" Not every block could be used: {first}{}.", rest(more.len()))
            }
        };
        format!("`{}` / `{}`: {}{unlike}.{lost}", p.pair.free, p.pair.locked, p.likeness())
    };
    s.price.iter().flat_map(|f| &f.pairs).map(words).collect()
}

fn rest(n: usize) -> String {
    if n == 0 { String::new() } else { format!("; and {n} more") }
}
