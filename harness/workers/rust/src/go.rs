//! One release of a cell's workers: when it starts, how the clock is cut, what is recorded.
//!
//! Plain data and its line; the loop that obeys it is `probe`.

use crate::clock;
use crate::error::Error;
use crate::wire::Line;

/// Most spans a worker records: their line must fit the protocol's limit.
pub const SPANS_MAX: u32 = 1 << 16;

/// What is recorded while the workers run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// Operations are counted.
    Throughput,
    /// The same loop; the harness has counters open.
    Counters,
    /// Every operation is timed into a histogram.
    Latency,
}

/// One release: `start |-- ramp --|-- window 0 --| … |-- tail --| stop`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Go {
    /// What is recorded.
    pub pass: Pass,
    /// When the workers begin, CLOCK_MONOTONIC ns.
    pub start_ns: u64,
    /// How long before it they stop sleeping and spin.
    pub spin_ns: u64,
    /// Length of the ramp.
    pub ramp_ns: u64,
    /// Length of a window, at least 1.
    pub window_ns: u64,
    /// Number of windows, at least 1.
    pub windows: u32,
    /// Length of the ramp-down.
    pub tail_ns: u64,
    /// Record the ends of so many operations from the begin of window 0.
    pub spans: u32,
    /// Which slot of an alternation this is.
    pub slot: Option<u32>,
}

impl Go {
    /// A release that starts in 10 ms, spins the last of them, and has a ramp and a tail as long as a
    /// window. For use without the protocol.
    pub fn soon(pass: Pass, windows: u32, window_ns: u64) -> Self {
        Self {
            pass,
            start_ns: clock::now_ns() + 10_000_000,
            spin_ns: 1_000_000,
            ramp_ns: window_ns,
            window_ns,
            windows,
            tail_ns: window_ns,
            spans: 0,
            slot: None,
        }
    }

    /// A release that begins at once and takes 2 ms, or one operation if that is longer.
    pub(crate) fn warming(pass: Pass) -> Self {
        let start_ns = clock::now_ns();
        Self { start_ns, spin_ns: 0, ramp_ns: 1, tail_ns: 0, ..Self::soon(pass, 2, 1_000_000) }
    }

    /// Reads the keys of a `go` line.
    ///
    /// # Errors
    /// A key that is missing or out of range.
    pub fn parse(line: &Line) -> Result<Self, Error> {
        let go = Self {
            pass: Pass::parse(line)?,
            start_ns: line.required("start_ns")?,
            spin_ns: line.int("spin_ns")?.unwrap_or(0),
            ramp_ns: line.int("ramp_ns")?.unwrap_or(0),
            window_ns: positive(line, "window_ns", line.required("window_ns")?)?,
            windows: positive(line, "windows", line.required("windows")?)?,
            tail_ns: line.int("tail_ns")?.unwrap_or(0),
            spans: line.int("spans")?.unwrap_or(0),
            slot: line.int("slot")?,
        };
        if go.spans > SPANS_MAX {
            return Err(bad(line, "spans", "at most 65536, so that the line fits"));
        }
        if go.length_ns().and_then(|length| go.start_ns.checked_add(length)).is_none() {
            return Err(bad(line, "window_ns", "a length whose end the clock can reach"));
        }
        Ok(go)
    }

    /// Its line for the cell `id`; [`Go::parse`] reads it back.
    pub fn line(&self, id: u64) -> Line {
        Line::new("go")
            .with("id", id)
            .with("pass", self.pass.name())
            .with("start_ns", self.start_ns)
            .with("spin_ns", self.spin_ns)
            .with("ramp_ns", self.ramp_ns)
            .with("window_ns", self.window_ns)
            .with("windows", self.windows)
            .with("tail_ns", self.tail_ns)
            .with_some("spans", (self.spans > 0).then_some(self.spans))
            .with_some("slot", self.slot)
    }

    /// Nominal begin of window 0.
    pub fn window0_ns(&self) -> u64 {
        self.start_ns + self.ramp_ns
    }

    /// Nominal ends of all intervals, ascending: the ramp's, the windows', the tail's.
    ///
    /// The ramp is cut into windows of the same length, counted backwards from window 0; a remainder
    /// lengthens the earliest. The last end is where the workers stop.
    pub fn ends_ns(&self) -> Vec<u64> {
        let window0 = self.window0_ns();
        let ramp = (0..self.ramp_intervals()).rev().map(|back| window0 - back * self.window_ns);
        let windows = (1..=u64::from(self.windows)).map(|k| window0 + k * self.window_ns);
        let last = window0 + u64::from(self.windows) * self.window_ns;
        ramp.chain(windows).chain([last + self.tail_ns]).collect()
    }

    /// Index of the interval that the first of [`Go::ends_ns`] ends.
    pub fn first_index(&self) -> i64 {
        -(self.ramp_intervals() as i64)
    }

    /// The release of one slot of an alternation that starts as this one does.
    pub(crate) fn in_slot(&self, slot: u32, gap_ns: u64) -> Option<Self> {
        let stride = self.length_ns()?.checked_add(gap_ns)?;
        let start_ns = self.start_ns.checked_add(u64::from(slot).checked_mul(stride)?)?;
        start_ns.checked_add(self.length_ns()?)?;
        Some(Self { start_ns, slot: Some(slot), ..self.clone() })
    }

    /// Even without a ramp there is the time from the release to the first crossing.
    fn ramp_intervals(&self) -> u64 {
        (self.ramp_ns / self.window_ns).max(1)
    }

    fn length_ns(&self) -> Option<u64> {
        let windows = self.window_ns.checked_mul(u64::from(self.windows))?;
        windows.checked_add(self.ramp_ns)?.checked_add(self.tail_ns)
    }
}

impl Pass {
    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Throughput => "throughput",
            Self::Counters => "counters",
            Self::Latency => "latency",
        }
    }

    fn parse(line: &Line) -> Result<Self, Error> {
        let name = line.text("pass").unwrap_or("throughput");
        [Self::Throughput, Self::Counters, Self::Latency]
            .into_iter()
            .find(|pass| pass.name() == name)
            .ok_or_else(|| bad(line, "pass", "throughput, latency or counters"))
    }
}

fn positive<T: PartialOrd + From<u8>>(line: &Line, key: &str, value: T) -> Result<T, Error> {
    if value >= T::from(1) { Ok(value) } else { Err(bad(line, key, "at least 1")) }
}

fn bad(line: &Line, key: &str, expected: &'static str) -> Error {
    let value = line.text(key).unwrap_or_default().to_owned();
    Error::BadValue { key: key.to_owned(), value, expected: expected.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn go(ramp_ns: u64, tail_ns: u64) -> Go {
        let text = format!(
            "go id=1 start_ns=1000 ramp_ns={ramp_ns} window_ns=100 windows=2 tail_ns={tail_ns}"
        );
        Go::parse(&Line::parse(&text).unwrap()).unwrap()
    }

    #[test]
    fn a_remainder_lengthens_the_earliest_interval_of_the_ramp() {
        let go = go(250, 50);
        assert_eq!(go.first_index(), -2);
        assert_eq!(go.ends_ns(), [1150, 1250, 1350, 1450, 1500]);
    }

    #[test]
    fn a_ramp_shorter_than_a_window_is_one_interval() {
        assert_eq!(
            (go(30, 0).first_index(), go(30, 0).ends_ns()),
            (-1, vec![1030, 1130, 1230, 1230])
        );
        assert_eq!(
            (go(0, 10).first_index(), go(0, 10).ends_ns()),
            (-1, vec![1000, 1100, 1200, 1210])
        );
    }

    #[test]
    fn slots_follow_each_other_with_the_gap_between() {
        let slot = go(100, 50).in_slot(3, 25).unwrap();
        assert_eq!((slot.start_ns, slot.slot), (1000 + 3 * (100 + 200 + 50 + 25), Some(3)));
        assert_eq!(go(1, 1).in_slot(u32::MAX, u64::MAX / 2), None);
    }

    #[test]
    fn its_line_reads_back() {
        let mut go = go(250, 50);
        (go.pass, go.spans, go.slot) = (Pass::Latency, 9, Some(4));
        assert_eq!(Go::parse(&go.line(1)), Ok(go));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "go window_ns=1 windows=1",
            "go start_ns=1 window_ns=0 windows=1",
            "go start_ns=1 window_ns=1 windows=0",
            "go start_ns=1 window_ns=1 windows=1 pass=both",
            "go start_ns=1 window_ns=1 windows=1 spans=65537",
            "go start_ns=1 window_ns=18446744073709551615 windows=2",
        ] {
            let error = Go::parse(&Line::parse(text).unwrap()).unwrap_err();
            assert_eq!(error.kind().name(), "unsupported", "{text}");
        }
    }
}
