//! Measured rows to what is fitted: one mean a worker count. Fits nothing.
//!
//! The unit is a trial. Rows of one trial at one N are averaged first, then trials: a fit to pooled
//! repeats of one process takes their agreement for knowledge, and its intervals are far too narrow.

use std::collections::BTreeMap;
use std::fmt;

/// More distinct worker counts than this are averaged in groups of neighbours.
const DISTINCT_MAX: usize = 1000;
/// Number of those groups, equally wide on the logarithm.
const GROUPS: usize = 500;
/// Worker counts and rates outside these bounds are broken input, and their products must stay finite.
const N_MAX: f64 = 1e9;
const RATE: std::ops::RangeInclusive<f64> = 1e-100..=1e100;

/// One measured row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Workers; a mean concurrency (Little's law) may be fractional.
    pub n: f64,
    /// Work a unit of time.
    pub throughput: f64,
    /// Which trial (block) it is of; without one every row is a trial of its own.
    pub trial: Option<u64>,
    /// Throughput of N workers that share nothing but the machine.
    pub ceiling: Option<f64>,
}

/// Why rows can't be fitted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PointsError {
    /// No rows.
    Empty,
    /// A worker count that is none; index of the row and the value.
    Workers(usize, f64),
    /// A throughput that is none; index of the row and the value.
    Throughput(usize, f64),
    /// A ceiling that is none; index of the row and the value.
    Ceiling(usize, f64),
}

impl fmt::Display for PointsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let positive = |f: &mut fmt::Formatter<'_>, what: &str, v: f64| {
            write!(
                f,
                "{what} is {v}; expected a positive number between 1e-100 and 1e100: a trial that did nothing, or \
                 failed, is no point of a curve, so leave its row out"
            )
        };
        match *self {
            Self::Empty => write!(f, "no rows: a curve needs worker counts and their throughput"),
            Self::Workers(_, v) => {
                write!(f, "the number of workers is {v}; expected more than 0 and at most 1e9")
            }
            Self::Throughput(_, v) => positive(f, "throughput", v),
            Self::Ceiling(_, v) => positive(f, "the ceiling", v),
        }
    }
}

impl std::error::Error for PointsError {}

/// Means at one worker count.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Workers.
    pub n: f64,
    /// Mean throughput over trials.
    pub throughput: f64,
    /// Throughput of each trial with its label, in order of labels.
    pub trials: Vec<(Option<u64>, f64)>,
}

/// What is fitted: distinct worker counts in ascending order.
#[derive(Debug, Clone, PartialEq)]
pub struct Points {
    /// Means.
    pub points: Vec<Point>,
    /// Rows that they are made of.
    pub rows: usize,
    /// Distinct worker counts there were, if they were too many and were averaged in groups.
    pub grouped_from: Option<usize>,
}

impl Points {
    /// Groups rows by worker count; their order changes nothing.
    pub fn new(samples: &[Sample]) -> Result<Self, PointsError> {
        check(samples)?;
        let values = samples.iter().map(|s| (s.n, s.trial, s.throughput));
        Ok(grouped(values.collect()))
    }

    /// The same relative to the ceiling: N · throughput / ceiling, the speed in units of one worker
    /// of the ceiling. `None` unless every row has a ceiling.
    pub fn corrected(samples: &[Sample]) -> Option<Self> {
        let of = |s: &Sample| Some((s.n, s.trial, s.n * (s.throughput / s.ceiling?)));
        let values: Option<Vec<_>> = samples.iter().map(of).collect();
        values.filter(|v| !v.is_empty() && check(samples).is_ok()).map(grouped)
    }

    /// Only worker counts up to `end`, and how many are left out.
    pub fn up_to(&self, end: Option<f64>) -> (Self, usize) {
        let Some(end) = end else { return (self.clone(), 0) };
        let points: Vec<Point> = self.points.iter().filter(|p| p.n <= end).cloned().collect();
        let left_out = self.points.len() - points.len();
        let rows = points.iter().map(|p| p.trials.len()).sum();
        (Self { points, rows, grouped_from: self.grouped_from }, left_out)
    }

    /// Trials at every worker count: two at least.
    pub fn replicated(&self) -> bool {
        self.points.iter().all(|p| p.trials.len() > 1)
    }

    /// The largest worker count.
    pub fn n_max(&self) -> f64 {
        self.points.last().map_or(0.0, |p| p.n)
    }

    /// The point at a worker count.
    pub fn at(&self, n: f64) -> Option<&Point> {
        self.points.iter().find(|p| p.n == n)
    }
}

fn check(samples: &[Sample]) -> Result<(), PointsError> {
    if samples.is_empty() {
        return Err(PointsError::Empty);
    }
    for (k, s) in samples.iter().enumerate() {
        if !(s.n > 0.0 && s.n <= N_MAX) {
            return Err(PointsError::Workers(k, s.n));
        }
        if !RATE.contains(&s.throughput) {
            return Err(PointsError::Throughput(k, s.throughput));
        }
        if let Some(c) = s.ceiling.filter(|c| !RATE.contains(c)) {
            return Err(PointsError::Ceiling(k, c));
        }
    }
    Ok(())
}

fn grouped(mut values: Vec<(f64, Option<u64>, f64)>) -> Points {
    let rows = values.len();
    // A total order, so that sums do not depend on the order of the rows.
    values.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.total_cmp(&b.2)));
    let points: Vec<Point> = values.chunk_by(|a, b| a.0 == b.0).map(point).collect();
    let distinct = points.len();
    if distinct <= DISTINCT_MAX {
        return Points { points, rows, grouped_from: None };
    }
    Points { points: neighbours(&points), rows, grouped_from: Some(distinct) }
}

fn point(rows: &[(f64, Option<u64>, f64)]) -> Point {
    let trials: Vec<(Option<u64>, f64)> = rows
        .chunk_by(|a, b| a.1.is_some() && a.1 == b.1)
        .map(|t| (t[0].1, mean(t.iter().map(|r| r.2))))
        .collect();
    Point { n: rows[0].0, throughput: mean(trials.iter().map(|t| t.1)), trials }
}

/// Groups of equal width on the logarithm of N.
fn neighbours(points: &[Point]) -> Vec<Point> {
    let lo = points[0].n.ln();
    let width = ((points[points.len() - 1].n.ln() - lo) / GROUPS as f64).max(f64::MIN_POSITIVE);
    let mut groups: BTreeMap<usize, Vec<&Point>> = BTreeMap::new();
    for p in points {
        let group = ((p.n.ln() - lo) / width) as usize;
        groups.entry(group.min(GROUPS - 1)).or_default().push(p);
    }
    let merged = |g: Vec<&Point>| {
        let throughput = mean(g.iter().map(|p| p.throughput));
        let trials = g.iter().flat_map(|p| p.trials.iter().copied()).collect();
        Point { n: mean(g.iter().map(|p| p.n)), throughput, trials }
    };
    groups.into_values().map(merged).collect()
}

/// Of values that can't overflow: each is divided before it is added.
fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len() as f64;
    values.map(|v| v / n).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(n: f64, throughput: f64, trial: Option<u64>) -> Sample {
        Sample { n, throughput, trial, ceiling: None }
    }

    /// Trial 1 has three rows and counts as much as trial 2 with one.
    #[test]
    fn rows_of_a_trial_are_averaged_before_trials() {
        let rows = [(10.0, 1), (20.0, 1), (30.0, 1), (40.0, 2)].map(|(x, t)| row(2.0, x, Some(t)));
        let points = Points::new(&rows).unwrap();
        assert_eq!(points.points[0].throughput, 30.0);
        assert_eq!(points.points[0].trials, [(Some(1), 20.0), (Some(2), 40.0)]);
        let unlabelled = [row(2.0, 10.0, None), row(2.0, 10.0, None)];
        assert_eq!(Points::new(&unlabelled).unwrap().points[0].trials.len(), 2);
    }

    #[test]
    fn what_is_no_number_of_workers_or_no_rate_is_refused() {
        for n in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let e = Points::new(&[row(1.0, 1.0, None), row(n, 1.0, None)]).unwrap_err();
            assert!(matches!(e, PointsError::Workers(1, _)), "{e:?}");
        }
        for x in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300] {
            let e = Points::new(&[row(1.0, x, None)]).unwrap_err();
            assert!(matches!(e, PointsError::Throughput(0, _)) && e.to_string().contains("leave"));
        }
        assert_eq!(Points::new(&[]), Err(PointsError::Empty));
    }

    #[test]
    fn a_million_worker_counts_become_few() {
        let rows: Vec<Sample> =
            (1..=10_000).map(|k| row(f64::from(k) * 0.01, f64::from(k), None)).collect();
        let points = Points::new(&rows).unwrap();
        assert_eq!((points.rows, points.grouped_from), (10_000, Some(10_000)));
        assert!(points.points.len() <= GROUPS && points.points.len() > 200);
        assert!(points.points.windows(2).all(|w| w[0].n < w[1].n));
    }

    #[test]
    fn a_ceiling_takes_the_machine_out() {
        let sample = |n: f64, x: f64, c| Sample { n, throughput: x, trial: None, ceiling: c };
        let points =
            Points::corrected(&[sample(1.0, 9.0, Some(10.0)), sample(4.0, 20.0, Some(32.0))]);
        let values: Vec<f64> = points.unwrap().points.iter().map(|p| p.throughput).collect();
        assert_eq!(values, [0.9, 2.5]);
        assert_eq!(Points::corrected(&[sample(1.0, 9.0, None)]), None);
    }
}
