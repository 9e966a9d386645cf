//! A CSV table of series, index and value to series. Errors name file, line, column and what was expected there.

use std::collections::BTreeMap;
use std::path::Path;

use amdahl_stats::median;
use csv::StringRecord;

use super::{Index, Series};
use crate::table::{Source, TableError, content, reader, text_of};

/// Reads a table with the columns `series`, `index` and `value`; others are ignored.
///
/// Where every index of a series is a number, its points come in the order of these; else as they stand in the file. Values with the same
/// index are one point, their median: repetitions of one measurement are no history. An empty value is a point that is missing.
pub fn read(path: &Path) -> Result<Vec<Series>, TableError> {
    parse(path, &text_of(path)?)
}

struct Columns {
    series: usize,
    index: usize,
    value: usize,
}

/// Points as they stand in the file.
#[derive(Default)]
struct Rows {
    points: Vec<(String, f64)>,
    missing: usize,
}

fn parse(path: &Path, text: &str) -> Result<Vec<Series>, TableError> {
    let mut reader = reader(text);
    let source = Source { path, text };
    let header = reader.headers().map_err(|e| source.broken(&e))?.clone();
    let columns = columns(&source, &header)?;
    let mut found: BTreeMap<String, Rows> = BTreeMap::new();
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(|e| source.broken(&e))? {
        let name = field(&source, &record, columns.series, "the name of a series")?;
        let index = field(&source, &record, columns.index, "a number or a name for the point")?;
        let text = record.get(columns.value).ok_or_else(|| short(&source, &record, "a number"))?;
        if !found.contains_key(name) {
            found.insert(name.to_owned(), Rows::default());
        }
        let Some(rows) = found.get_mut(name) else { continue };
        if text.is_empty() {
            rows.missing += 1;
            continue;
        }
        let value = text.parse().ok().filter(|v: &f64| v.abs() <= 1e100);
        let value = value.ok_or_else(|| {
            let shown: String = text.chars().take(40).collect();
            let expected =
                "a number between -1e100 and 1e100 (leave the field empty where there is none)";
            source.at(&record, columns.value, format!("`{shown}`; expected {expected}"))
        })?;
        rows.points.push((index.to_owned(), value));
    }
    if found.is_empty() {
        let line = 1 + text.lines().count() as u64;
        let message = "no rows; expected a series, an index and a value in each".to_owned();
        return Err(content(path, line, 1, message));
    }
    Ok(found.into_iter().map(|(name, rows)| series(name, rows)).collect())
}

fn columns(source: &Source<'_>, header: &StringRecord) -> Result<Columns, TableError> {
    let named = |name: &str| {
        source.column_named(header, &[name])?.ok_or_else(|| {
            let found: Vec<&str> = header.iter().collect();
            let found = found.join(",");
            let message = format!(
                "no column `{name}`; expected the header `series,index,value`, separated by commas; found `{found}`"
            );
            source.at(header, 0, message)
        })
    };
    Ok(Columns { series: named("series")?, index: named("index")?, value: named("value")? })
}

fn field<'r>(
    source: &Source<'_>,
    record: &'r StringRecord,
    column: usize,
    expected: &str,
) -> Result<&'r str, TableError> {
    let text = record.get(column).ok_or_else(|| short(source, record, expected))?;
    if text.is_empty() {
        return Err(source.at(record, column, format!("nothing; expected {expected}")));
    }
    Ok(text)
}

fn short(source: &Source<'_>, record: &StringRecord, expected: &str) -> TableError {
    let message = format!("the row ends after {} fields; expected {expected}", record.len());
    source.at(record, record.len().saturating_sub(1), message)
}

fn series(name: String, rows: Rows) -> Series {
    let number = |text: &str| text.parse().ok().filter(|n: &f64| n.is_finite());
    let numbers: Option<Vec<f64>> = rows.points.iter().map(|(i, _)| number(i)).collect();
    let mut points: Vec<(Index, f64)> = match numbers {
        Some(numbers) => {
            let mut points: Vec<(f64, f64)> =
                numbers.into_iter().zip(rows.points.iter().map(|p| p.1)).collect();
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            points.into_iter().map(|(i, v)| (Index::Number(i), v)).collect()
        }
        None => together(rows.points),
    };
    let mut made = Series {
        name,
        indices: Vec::new(),
        values: Vec::new(),
        missing: rows.missing,
        better: None,
    };
    for group in points.chunk_by_mut(|a, b| a.0 == b.0) {
        let values: Vec<f64> = group.iter().map(|p| p.1).collect();
        if let (Some(value), Some(first)) = (median(&values), group.first()) {
            made.indices.push(first.0.clone());
            made.values.push(value);
        }
    }
    made
}

/// Words in the order in which they first appear, equal ones beside each other.
fn together(points: Vec<(String, f64)>) -> Vec<(Index, f64)> {
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, (word, _)) in points.iter().enumerate() {
        first.entry(word).or_insert(at);
    }
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by_key(|i| first[points[*i].0.as_str()]);
    order.into_iter().map(|i| (Index::Text(points[i].0.clone()), points[i].1)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Result<Vec<Series>, String> {
        parse(Path::new("t.csv"), text).map_err(|e| e.to_string())
    }

    fn labels(s: &Series) -> Vec<String> {
        let label = |i: &Index| match i {
            Index::Number(n) => n.to_string(),
            Index::Text(t) => t.clone(),
            Index::Run { name, .. } => name.clone(),
        };
        s.indices.iter().map(label).collect()
    }

    #[test]
    fn numbers_are_sorted_words_stay_and_repetitions_are_one_point() {
        let text =
            "value,series,index,host\n3,b,10,x\n1,b,9,x\n2,b,9,x\n7,a,v2,x\n8,a,v10,x\n9,a,v2,x\n";
        let found = parsed(text).unwrap();
        assert_eq!(found.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(
            (labels(&found[0]), &found[0].values),
            (vec!["v2".into(), "v10".into()], &vec![8.0, 8.0])
        );
        assert_eq!(
            (labels(&found[1]), &found[1].values),
            (vec!["9".into(), "10".into()], &vec![1.5, 3.0])
        );
    }

    #[test]
    fn a_missing_value_is_counted_and_not_used() {
        let found = parsed("series,index,value\na,1,5\na,2,\na,3,6\nb,1,\n").unwrap();
        assert_eq!((found[0].missing, found[0].values.len()), (1, 2));
        assert_eq!((found[1].missing, found[1].values.len()), (1, 0));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (text, says) in [
            ("series,index,value\na,1,2\na,2,NaN\n", "t.csv:3:5: `NaN`; expected a number between"),
            ("series,index,value\na,1,inf\n", "t.csv:2:5: `inf`"),
            ("series,index,value\na,1,x\n", "t.csv:2:5: `x`"),
            ("series,index,value\n,1,2\n", "t.csv:2:1: nothing; expected the name of a series"),
            ("series,index,value\na,,2\n", "t.csv:2:3: nothing; expected a number or a name"),
            ("series,index,value\na,1\n", "the row ends after 2 fields"),
            ("series,index\na,1\n", "t.csv:1:1: no column `value`"),
            ("series,index,value,value\na,1,2,3\n", "a second column value"),
            ("series,index,value\n", "no rows"),
            ("", "no column `series`"),
        ] {
            let said = parsed(text).unwrap_err();
            assert!(said.contains(says), "{said} does not say {says}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(series,index,value\n)?[a-c0-9.,\"\n#eN-]{0,120}") {
            let _ = parsed(&text);
        }

        #[test]
        fn rows_of_numbered_points_may_come_in_any_order(seed in 0_u64..200) {
            let mut rows: Vec<String> =
                (0..12).map(|i| format!("s{},{},{}\n", i % 3, i / 3, i * i)).collect();
            let sorted = parsed(&format!("series,index,value\n{}", rows.concat())).unwrap();
            amdahl_stats::SplitMix::new(seed).shuffle(&mut rows);
            prop_assert_eq!(sorted, parsed(&format!("series,index,value\n{}", rows.concat())).unwrap());
        }
    }
}
