//! Text of `go test -bench`: a line a run of a benchmark, `BenchmarkName-8  1000  123 ns/op  64 B/op`.

use std::collections::BTreeMap;
use std::path::Path;

use crate::{Better, ReadError, Recorded, Series};

pub(crate) fn file(path: &Path, text: &str) -> Result<Recorded, ReadError> {
    let mut package = "";
    // In the order of the file, by name and unit.
    let mut order: Vec<(String, String)> = Vec::new();
    let mut values: BTreeMap<(String, String), Vec<f64>> = BTreeMap::new();
    for (k, line) in text.lines().enumerate() {
        if let Some(name) = line.strip_prefix("pkg: ") {
            package = name.trim();
        }
        let Some(pairs) = figures(line) else { continue };
        let name = line.split_whitespace().next().unwrap_or_default();
        for (value, unit) in pairs {
            let number: f64 = value.parse().map_err(|_| {
                ReadError::shape(
                    path,
                    format!("line {}", k + 1),
                    format!("`{value}` is not a number of {unit}"),
                )
            })?;
            if !number.is_finite() || number < 0.0 {
                return Err(ReadError::shape(
                    path,
                    format!("line {}", k + 1),
                    format!("{value} {unit}: not a figure"),
                ));
            }
            let name =
                if package.is_empty() { name.to_owned() } else { format!("{package}.{name}") };
            let key = (name, unit.to_owned());
            values
                .entry(key.clone())
                .or_insert_with(|| {
                    order.push(key);
                    Vec::new()
                })
                .push(number);
        }
    }
    if order.is_empty() {
        return Err(ReadError::unknown(path));
    }
    let series = order.into_iter().map(|key| {
        let values = values.remove(&key).unwrap_or_default();
        let (name, unit) = key;
        let metric = if unit == "ns/op" { "time".to_owned() } else { unit.clone() };
        Series { name, metric, better: better(&unit), unit, values, processes: 1 }
    });
    Ok(Recorded { tool: "Go", version: None, series: series.collect() })
}

/// Value and unit pairs of a benchmark's line; `None` for other lines.
fn figures(line: &str) -> Option<Vec<(&str, &str)>> {
    let mut words = line.split_whitespace();
    words.next().filter(|w| w.starts_with("Benchmark"))?;
    words.next()?.parse::<u64>().ok()?;
    let rest: Vec<&str> = words.collect();
    let pairs: Vec<_> = rest.chunks_exact(2).map(|p| (p[0], p[1])).collect();
    (!pairs.is_empty()).then_some(pairs)
}

/// Of a unit: what is done a second is a rate, all else a cost.
fn better(unit: &str) -> Better {
    if unit.ends_with("/s") || unit.ends_with("/sec") { Better::Higher } else { Better::Lower }
}
