//! What one worker did in one release: intervals, totals, histograms, spans, and their lines.
//!
//! Written towards the harness; read back by the `processes` model from its children.

use std::borrow::Cow;

use crate::error::Error;
use crate::wire::{self, Line};

/// Checks are sums modulo this: the largest prime below 2^31.
pub const CHECK_MODULUS: u64 = 2_147_483_647;

/// One worker in one release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The worker.
    pub w: u32,
    /// Which slot of an alternation it was.
    pub slot: Option<u32>,
    /// The ramp's intervals, the windows, the tail.
    pub intervals: Vec<Interval>,
    /// From entering to leaving the loop.
    pub total: Total,
    /// Latency pass: one a window, or one over all; windows without an operation have none.
    pub hists: Vec<Hist>,
    /// Ends of the first operations, ns since the nominal begin of window 0, if they were asked for.
    pub spans: Option<Vec<u64>>,
}

/// One worker in one interval of the clock; stamps are ends of operations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interval {
    /// Below 0 the ramp, from 0 the windows, then the tail.
    pub i: i64,
    /// Whether it is the tail.
    pub tail: bool,
    /// Operations that ended in (`first_ns`, `last_ns`].
    pub ops: u64,
    /// Sum of their results modulo [`CHECK_MODULUS`].
    pub check: u64,
    /// Crossing into it.
    pub first_ns: u64,
    /// Crossing out of it; absent if the worker left its loop before.
    pub last_ns: Option<u64>,
    /// CPU time between the two.
    pub cpu_ns: Option<u64>,
    /// Run delay between the two.
    pub delay_ns: Option<u64>,
    /// Voluntary context switches between the two.
    pub vcsw: Option<u64>,
    /// Involuntary context switches between the two.
    pub ivcsw: Option<u64>,
    /// CPU at the crossing out.
    pub cpu: Option<u32>,
}

/// A worker from entering to leaving its loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Total {
    /// All operations.
    pub ops: u64,
    /// Sum of their results modulo [`CHECK_MODULUS`].
    pub check: u64,
    /// When it was released.
    pub started_ns: u64,
    /// When its first operation began.
    pub entered_ns: u64,
    /// When its last one ended.
    pub ended_ns: u64,
}

/// Durations of operations, or of parts of them, ns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hist {
    /// What was timed: `op`, or a part of it that the operation itself timed.
    pub name: Cow<'static, str>,
    /// The window; absent if summed over all.
    pub i: Option<i64>,
    /// How many.
    pub n: u64,
    /// Shortest, exact.
    pub min: u64,
    /// Longest, exact.
    pub max: u64,
    /// Sum, exact.
    pub sum: u64,
    /// Index of the bucket and its count, ascending.
    pub buckets: Vec<(u64, u64)>,
}

impl Report {
    /// Its lines for the cell `id`.
    pub fn lines(&self, id: u64) -> impl Iterator<Item = Line> {
        let head = move |verb: &str| {
            Line::new(verb).with("id", id).with_some("slot", self.slot).with("w", self.w)
        };
        let windows = self.intervals.iter().map(move |x| x.line(head("window")));
        let hists = self.hists.iter().map(move |x| x.line(head("hist")));
        let spans = self.spans.iter().map(move |ends| head("span").with("t", wire::join(ends)));
        windows.chain([self.total.line(head("total"))]).chain(hists).chain(spans)
    }

    /// Reads the lines of one cell back into reports, in order of first appearance.
    ///
    /// # Errors
    /// A line that is not one of a report, a missing key, a worker without its `total`.
    pub fn parse(lines: &[Line]) -> Result<Vec<Self>, Error> {
        let mut reports = Vec::new();
        for line in lines.iter().filter(|line| line.verb() == "total") {
            let key = key(line)?;
            let mut report = Self {
                w: key.0,
                slot: key.1,
                intervals: Vec::new(),
                total: Total::parse(line)?,
                hists: Vec::new(),
                spans: None,
            };
            for line in lines {
                if self::key(line)? == key {
                    report.take(line)?;
                }
            }
            reports.push(report);
        }
        Ok(reports)
    }

    fn take(&mut self, line: &Line) -> Result<(), Error> {
        match line.verb() {
            "window" => self.intervals.push(Interval::parse(line)?),
            "hist" => self.hists.push(Hist::parse(line)?),
            "span" => {
                let ends = line.list("t").map(|t| number(t, "t"));
                self.spans = Some(ends.collect::<Result<_, _>>()?);
            }
            _ => {}
        }
        Ok(())
    }
}

impl Interval {
    fn line(&self, head: Line) -> Line {
        head.with("i", self.i)
            .with_some("tail", self.tail.then_some(1))
            .with("ops", self.ops)
            .with("check", self.check)
            .with("first_ns", self.first_ns)
            .with_some("last_ns", self.last_ns)
            .with_some("cpu_ns", self.cpu_ns)
            .with_some("delay_ns", self.delay_ns)
            .with_some("vcsw", self.vcsw)
            .with_some("ivcsw", self.ivcsw)
            .with_some("cpu", self.cpu)
    }

    fn parse(line: &Line) -> Result<Self, Error> {
        Ok(Self {
            i: line.required("i")?,
            tail: line.text("tail") == Some("1"),
            ops: line.required("ops")?,
            check: line.required("check")?,
            first_ns: line.required("first_ns")?,
            last_ns: line.int("last_ns")?,
            cpu_ns: line.int("cpu_ns")?,
            delay_ns: line.int("delay_ns")?,
            vcsw: line.int("vcsw")?,
            ivcsw: line.int("ivcsw")?,
            cpu: line.int("cpu")?,
        })
    }
}

impl Total {
    fn line(&self, head: Line) -> Line {
        head.with("ops", self.ops)
            .with("check", self.check)
            .with("started_ns", self.started_ns)
            .with("entered_ns", self.entered_ns)
            .with("ended_ns", self.ended_ns)
    }

    fn parse(line: &Line) -> Result<Self, Error> {
        Ok(Self {
            ops: line.required("ops")?,
            check: line.required("check")?,
            started_ns: line.required("started_ns")?,
            entered_ns: line.required("entered_ns")?,
            ended_ns: line.required("ended_ns")?,
        })
    }
}

impl Hist {
    fn line(&self, head: Line) -> Line {
        head.with_some("i", self.i)
            .with("name", &self.name)
            .with("unit", "ns")
            .with("n", self.n)
            .with("min", self.min)
            .with("max", self.max)
            .with("sum", self.sum)
            .with("b", wire::join(self.buckets.iter().map(|(idx, n)| format!("{idx}:{n}"))))
    }

    fn parse(line: &Line) -> Result<Self, Error> {
        let bucket = |text: &str| {
            let (idx, n) = text.split_once(':').unwrap_or((text, ""));
            Ok((number(idx, "b")?, number(n, "b")?))
        };
        Ok(Self {
            name: line.text("name").unwrap_or("op").to_owned().into(),
            i: line.int("i")?,
            n: line.required("n")?,
            min: line.required("min")?,
            max: line.required("max")?,
            sum: line.required("sum")?,
            buckets: line.list("b").map(bucket).collect::<Result<_, Error>>()?,
        })
    }
}

fn key(line: &Line) -> Result<(u32, Option<u32>), Error> {
    Ok((line.required("w")?, line.int("slot")?))
}

fn number(text: &str, key: &str) -> Result<u64, Error> {
    text.parse().map_err(|_| Error::BadValue {
        key: key.to_owned(),
        value: text.to_owned(),
        expected: "a list of decimal integers".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(w: u32, slot: Option<u32>) -> Report {
        let interval = |i, tail, last_ns| Interval {
            i,
            tail,
            ops: 5,
            check: 9,
            first_ns: 100,
            last_ns,
            cpu_ns: Some(7),
            delay_ns: None,
            vcsw: Some(0),
            ivcsw: Some(1),
            cpu: Some(3),
        };
        Report {
            w,
            slot,
            intervals: vec![
                interval(-1, false, Some(4)),
                interval(0, false, None),
                interval(1, true, Some(6)),
            ],
            total: Total { ops: 15, check: 27, started_ns: 1, entered_ns: 2, ended_ns: 3 },
            hists: vec![
                Hist {
                    name: "op".into(),
                    i: Some(0),
                    n: 3,
                    min: 1,
                    max: 9,
                    sum: 12,
                    buckets: vec![(1, 2), (9, 1)],
                },
                Hist {
                    name: "wait".into(),
                    i: None,
                    n: 1,
                    min: 1,
                    max: 1,
                    sum: 1,
                    buckets: vec![(1, 1)],
                },
            ],
            spans: (w == 0).then(|| vec![1, 1, 4]),
        }
    }

    #[test]
    fn lines_read_back_by_worker_and_slot() {
        let reports = [report(0, None), report(1, Some(0)), report(1, Some(1))];
        let lines: Vec<Line> = reports.iter().flat_map(|r| r.lines(7)).collect();
        assert!(lines.iter().all(|line| line.text("id") == Some("7")));
        assert_eq!(Report::parse(&lines).unwrap(), reports);
    }

    #[test]
    fn what_is_unknown_is_left_out() {
        let text = report(0, None).lines(7).map(|line| line.to_string()).collect::<Vec<_>>();
        assert_eq!(
            text[1],
            "window id=7 w=0 i=0 ops=5 check=9 first_ns=100 cpu_ns=7 vcsw=0 ivcsw=1 cpu=3"
        );
        assert_eq!(text[4], "hist id=7 w=0 i=0 name=op unit=ns n=3 min=1 max=9 sum=12 b=1:2,9:1");
    }

    #[test]
    fn a_broken_bucket_is_an_error() {
        let line = Line::parse("hist id=1 w=0 n=1 min=1 max=1 sum=1 b=1").unwrap();
        let total =
            Line::parse("total w=0 ops=1 check=1 started_ns=1 entered_ns=1 ended_ns=1").unwrap();
        assert!(Report::parse(&[line, total]).is_err());
    }
}
