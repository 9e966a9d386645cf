//! A CSV table of worker counts and throughput. Errors name file, line, column and what was expected there.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use amdahl_stats::laws::{PointsError, Sample};
use csv::StringRecord;

use crate::table::{Source, TableError, content, reader, text_of};

/// Rows of a table, and where each stood.
#[derive(Debug, Clone)]
pub struct Table {
    /// Rows in order.
    pub samples: Vec<Sample>,
    path: PathBuf,
    lines: Vec<u64>,
}

impl Table {
    /// An error of the values with the line they stand in.
    pub(super) fn locate(&self, e: PointsError) -> TableError {
        let row = match e {
            PointsError::Empty => None,
            PointsError::Workers(k, _)
            | PointsError::Throughput(k, _)
            | PointsError::Ceiling(k, _) => self.lines.get(k),
        };
        let (path, line) = (self.path.clone(), row.copied().unwrap_or(1));
        TableError::Content { path, line, column: 1, message: e.to_string() }
    }
}

/// What a column holds.
#[derive(Debug, Clone, Copy, Default)]
struct Columns {
    n: usize,
    throughput: usize,
    trial: Option<usize>,
    ceiling: Option<usize>,
}

/// Reads a table with a header: `n` or `workers`, `throughput`, and if they are there `trial` and `ceiling`;
/// other columns are ignored.
pub fn read(path: &Path) -> Result<Table, TableError> {
    parse(path, &text_of(path)?)
}

fn parse(path: &Path, text: &str) -> Result<Table, TableError> {
    let mut reader = reader(text);
    let source = Source { path, text };
    let header = reader.headers().map_err(|e| source.broken(&e))?.clone();
    let columns = source.columns(&header)?;
    let mut table = Table { samples: Vec::new(), path: path.to_owned(), lines: Vec::new() };
    let mut labels: HashMap<String, u64> = HashMap::new();
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(|e| source.broken(&e))? {
        let row = Row { source: &source, record: &record };
        table.samples.push(row.sample(columns, &mut labels)?);
        table.lines.push(source.start(&record).0);
    }
    if table.samples.is_empty() {
        let line = 1 + text.lines().count() as u64;
        let message = "no rows; expected a worker count and its throughput in each".to_owned();
        return Err(content(path, line, 1, message));
    }
    Ok(table)
}

impl Source<'_> {
    fn columns(&self, header: &StringRecord) -> Result<Columns, TableError> {
        let named = |names: &[&str]| self.column_named(header, names);
        let missing = |what: &str| {
            let found: Vec<&str> = header.iter().collect();
            let message = format!(
                "no column {what}; expected a header like `n,throughput` or `workers,throughput,trial`, separated by \
                 commas; found `{}`",
                found.join(",")
            );
            self.at(header, 0, message)
        };
        let n = named(&["n", "workers"])?.ok_or_else(|| missing("`n` (or `workers`)"))?;
        let throughput = named(&["throughput"])?.ok_or_else(|| missing("`throughput`"))?;
        Ok(Columns { n, throughput, trial: named(&["trial"])?, ceiling: named(&["ceiling"])? })
    }
}

struct Row<'a> {
    source: &'a Source<'a>,
    record: &'a StringRecord,
}

impl Row<'_> {
    fn sample(
        &self,
        columns: Columns,
        labels: &mut HashMap<String, u64>,
    ) -> Result<Sample, TableError> {
        let trial = columns.trial.and_then(|k| self.record.get(k)).filter(|t| !t.is_empty());
        let next = labels.len() as u64;
        let trial = trial.map(|t| match labels.get(t) {
            Some(label) => *label,
            None => *labels.entry(t.to_owned()).or_insert(next),
        });
        let ceiling =
            columns.ceiling.filter(|k| self.record.get(*k).is_some_and(|c| !c.is_empty()));
        Ok(Sample {
            n: self
                .number(columns.n, "a number of workers above 0 and at most 1e9", |n| n <= 1e9)?,
            throughput: self.rate(columns.throughput)?,
            trial,
            ceiling: ceiling.map(|k| self.rate(k)).transpose()?,
        })
    }

    fn rate(&self, field: usize) -> Result<f64, TableError> {
        let expected = "a positive number between 1e-100 and 1e100 (a trial that did nothing, or failed, is no point \
                        of a curve: leave its row out)";
        self.number(field, expected, |x| (1e-100..=1e100).contains(&x))
    }

    fn number(
        &self,
        field: usize,
        expected: &str,
        fits: impl Fn(f64) -> bool,
    ) -> Result<f64, TableError> {
        let Some(text) = self.record.get(field) else {
            let message =
                format!("the row ends after {} fields; expected {expected}", self.record.len());
            return Err(self.source.at(self.record, self.record.len().saturating_sub(1), message));
        };
        let value: Option<f64> = text.parse().ok();
        value.filter(|v| *v > 0.0 && fits(*v)).ok_or_else(|| {
            let shown: String = text.chars().take(40).collect();
            self.source.at(self.record, field, format!("`{shown}`; expected {expected}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Table, String> {
        parse(Path::new("t.csv"), text).map_err(|e| e.to_string())
    }

    #[test]
    fn columns_are_found_by_name_whatever_their_order() {
        let table = parsed("host,Throughput,workers,trial\na, 10.5 ,1,x\nb,20,2.5,y\nc,21,2.5,x\n")
            .unwrap();
        let rows: Vec<_> = table.samples.iter().map(|s| (s.n, s.throughput, s.trial)).collect();
        assert_eq!(rows, [(1.0, 10.5, Some(0)), (2.5, 20.0, Some(1)), (2.5, 21.0, Some(0))]);
        let table = parsed("# a comment\r\nn,throughput,ceiling\r\n1,10,\r\n2,20,21\r\n").unwrap();
        assert_eq!((table.samples[0].ceiling, table.samples[1].ceiling), (None, Some(21.0)));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (text, says) in [
            ("n,throughput\n1,10\n2,abc\n", "t.csv:3:3: `abc`; expected a positive number"),
            ("n,throughput\n1,10\n0,5\n", "t.csv:3:1: `0`; expected a number of workers above 0"),
            ("n,throughput\n1,10\n2,-5\n", "t.csv:3:3: `-5`"),
            ("n,throughput\n1,0\n", "t.csv:2:3: `0`; expected a positive number"),
            ("n,throughput\nNaN,1\n", "t.csv:2:1: `NaN`"),
            ("n,throughput\n1,inf\n", "t.csv:2:3: `inf`"),
            ("n,throughput\n1\n", "t.csv:2:1: the row ends after 1 fields"),
            ("n,throughput\n\n\n7,\n", "t.csv:4:3: ``; expected"),
            ("# note\r\nn,throughput\r\n# x\r\n\r\n7,y\r\n", "t.csv:5:3: `y`; expected"),
            ("a,b\n1,2\n", "t.csv:1:1: no column `n` (or `workers`)"),
            ("n;throughput\n1;2\n", "found `n;throughput`"),
            ("1,2\n2,3\n", "no column"),
            ("n,workers,throughput\n", "t.csv:1:3: a second column n or workers"),
            ("n,throughput\n", "t.csv:2:1: no rows"),
            ("", "no column"),
            ("note,n,throughput\n\"a, b\",x,3\n", "t.csv:2:8: `x`"),
        ] {
            let e = parsed(text).unwrap_err();
            assert!(e.contains(says), "{e} does not say {says}");
        }
    }
}
