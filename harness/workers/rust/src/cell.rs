//! One cell as it was asked for: workload, mechanism, number of workers, parameters.
//!
//! Plain data and its line; the workload made from it lives in `registry`.

use crate::error::Error;
use crate::wire::Line;

/// What `prepare` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// The harness's name for it.
    pub id: u64,
    /// What is done.
    pub workload: String,
    /// How concurrency is expressed.
    pub mechanism: String,
    /// How many workers do it, at least 1.
    pub workers: u32,
    /// Number of the first of them: 0, except in a carrier process, which runs one of many.
    pub base: u32,
    /// How many workers all carriers of the cell run together.
    pub of: u32,
    /// Seed for whatever is random in the workload.
    pub seed: u64,
    /// All pairs of the line, the workload's parameters among them.
    line: Line,
}

impl Cell {
    /// A cell without parameters, for use without the protocol.
    pub fn new(workload: &str, mechanism: &str, workers: u32) -> Self {
        Self {
            id: 0,
            workload: workload.to_owned(),
            mechanism: mechanism.to_owned(),
            workers,
            base: 0,
            of: workers,
            seed: 0,
            line: Line::new("prepare"),
        }
    }

    /// The same cell with a parameter of the workload.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl std::fmt::Display) -> Self {
        self.line = self.line.with(key, value);
        self
    }

    /// Reads a `prepare` line.
    ///
    /// # Errors
    /// A key that is missing or out of range.
    pub fn parse(line: &Line) -> Result<Self, Error> {
        let text = |key: &str| {
            line.text(key).map(str::to_owned).ok_or_else(|| Error::MissingKey {
                verb: line.verb().to_owned(),
                key: key.to_owned(),
            })
        };
        let cell = Self {
            id: line.required("id")?,
            workload: text("workload")?,
            mechanism: text("mechanism")?,
            workers: line.required("workers")?,
            base: line.int("base")?.unwrap_or(0),
            of: line.int("of")?.unwrap_or(line.required("workers")?),
            seed: line.int("seed")?.unwrap_or(0),
            line: line.clone(),
        };
        cell.int_at_least("workers", 1)?;
        Ok(cell)
    }

    /// The numbers of its workers.
    pub fn worker_numbers(&self) -> std::ops::Range<u32> {
        self.base..self.base.saturating_add(self.workers)
    }

    /// A parameter of the workload.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.line.text(key)
    }

    /// A parameter of the workload that is an integer.
    ///
    /// # Errors
    /// If it is there and is none, or is out of range.
    pub fn int<T: std::str::FromStr>(&self, key: &str) -> Result<Option<T>, Error> {
        self.line.int(key)
    }

    /// A parameter of the workload that is an integer with a smallest value.
    ///
    /// # Errors
    /// If it is there and is none, or is smaller.
    pub fn int_at_least(&self, key: &str, least: u64) -> Result<Option<u64>, Error> {
        match self.int::<u64>(key)? {
            Some(value) if value < least => Err(Error::BadValue {
                key: key.to_owned(),
                value: value.to_string(),
                expected: format!("at least {least}").into(),
            }),
            other => Ok(other),
        }
    }

    /// The line that asks for the same work by its worker `w` alone, on the mechanism `mechanism`.
    pub(crate) fn line_of_one(&self, w: u32, mechanism: &str) -> Line {
        let own = ["id", "workload", "mechanism", "workers", "base", "of", "require"];
        let line = Line::new("prepare")
            .with("id", self.id)
            .with("workload", &self.workload)
            .with("mechanism", mechanism)
            .with("workers", 1)
            .with("base", w)
            .with("of", self.of);
        let rest = self.line.pairs().filter(|(key, _)| !own.contains(key));
        rest.fold(line, |line, (key, value)| line.with(key, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Cell, Error> {
        Cell::parse(&Line::parse(text).unwrap())
    }

    #[test]
    fn parameters_pass_through_to_a_carrier() {
        let cell = parse(
            "prepare id=7 workload=pipe mechanism=processes workers=3 seed=5 dir=/a%20b first=2",
        )
        .unwrap();
        assert_eq!(cell.worker_numbers(), 0..3);
        let one = Cell::parse(&cell.line_of_one(2, "inline")).unwrap();
        assert_eq!((one.id, one.workers, one.base, one.seed), (7, 1, 2, 5));
        assert_eq!((one.worker_numbers(), one.of), (2..3, 3));
        assert_eq!((one.text("dir"), one.int::<u32>("first")), (Some("/a b"), Ok(Some(2))));
        assert_eq!(one.mechanism, "inline");
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "prepare workload=cpu mechanism=threads workers=1",
            "prepare id=1 mechanism=threads workers=1",
            "prepare id=1 workload=cpu workers=1",
            "prepare id=1 workload=cpu mechanism=threads",
            "prepare id=1 workload=cpu mechanism=threads workers=0",
            "prepare id=1 workload=cpu mechanism=threads workers=-1",
        ] {
            assert_eq!(parse(text).unwrap_err().kind().name(), "unsupported", "{text}");
        }
    }
}
