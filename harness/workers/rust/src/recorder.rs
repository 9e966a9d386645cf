//! Where the latency pass puts its durations and timelines their stamps: allocated and touched before
//! the start, so that recording neither allocates nor faults.

use hdrhistogram::Histogram;

use crate::go::{Go, Pass};
use crate::report::Hist;

/// Longest operation with a bucket of its own: 73 minutes. Longer ones count in the last bucket; the
/// maximum and the sum stay exact.
const HIGHEST_NS: u64 = (1 << 42) - 1;

/// Most memory that the histograms of one cell's workers take; above it each worker keeps one over
/// all windows instead of one a window.
const BYTES_MAX: u64 = 32 << 20;

/// Durations of one worker in one window (or in all of them).
///
/// HdrHistogram at three digits; exact minimum, maximum and sum beside, because its own are rounded
/// to buckets.
#[derive(Debug)]
pub(crate) struct Lane {
    counts: Histogram<u64>,
    min: u64,
    max: u64,
    sum: u64,
}

impl Lane {
    /// Allocates and touches 270 kB.
    pub(crate) fn new() -> Self {
        Self::up_to(HIGHEST_NS)
    }

    /// For what will be forgotten: 16 kB, all that is longer counts in the last bucket.
    fn forgetful() -> Self {
        Self::up_to(2047)
    }

    fn up_to(highest_ns: u64) -> Self {
        let counts =
            Histogram::new_with_bounds(1, highest_ns, 3).expect("constant bounds are valid");
        Self { counts, min: u64::MAX, max: 0, sum: 0 }
    }

    #[inline]
    pub(crate) fn record(&mut self, ns: u64) {
        self.counts.saturating_record(ns);
        self.min = self.min.min(ns);
        self.max = self.max.max(ns);
        self.sum += ns;
    }

    #[cfg(test)]
    pub(crate) fn count(&self) -> u64 {
        self.counts.len()
    }

    /// The sparse form, unless nothing was recorded.
    pub(crate) fn hist(&self, name: &'static str, i: Option<i64>) -> Option<Hist> {
        if self.counts.is_empty() {
            return None;
        }
        let buckets = self
            .counts
            .iter_recorded()
            .map(|step| (bucket_index(step.value_iterated_to()), step.count_since_last_iteration()))
            .collect();
        let (n, min, max, sum) = (self.counts.len(), self.min, self.max, self.sum);
        Some(Hist { name: name.into(), i, n, min, max, sum, buckets })
    }
}

/// Index of the bucket that holds `v`, by the protocol's rule:
/// `k = max(0, bitlen(v) - 11); (k << 10) + (v >> k)`.
pub fn bucket_index(v: u64) -> u64 {
    let k = u64::from(64 - v.leading_zeros()).saturating_sub(11);
    (k << 10) + (v >> k)
}

/// All lanes of one worker for one release.
#[derive(Debug)]
pub(crate) struct Recorder {
    /// One a window, or a single one.
    lanes: Vec<Lane>,
    merged: bool,
    /// The ramp's and the tail's durations go here and are forgotten, so that the loop is the same.
    aside: Option<Lane>,
}

impl Recorder {
    /// For one of `workers` workers. Empty, and without cost, where nothing is recorded.
    pub(crate) fn new(go: &Go, workers: u32) -> Self {
        if go.pass != Pass::Latency {
            return Self { lanes: Vec::new(), merged: false, aside: None };
        }
        let first = Lane::new();
        let bytes = first.counts.distinct_values() as u64 * 8;
        let all = bytes.saturating_mul(u64::from(workers)).saturating_mul(u64::from(go.windows));
        let merged = all > BYTES_MAX;
        let more = if merged { 0 } else { go.windows as usize - 1 };
        let lanes = std::iter::once(first).chain((0..more).map(|_| Lane::new())).collect();
        Self { lanes, merged, aside: Some(Lane::forgetful()) }
    }

    /// Where the interval `i` records, if this pass does.
    pub(crate) fn lane(&mut self, i: i64, go: &Go) -> Option<&mut Lane> {
        match usize::try_from(i) {
            Ok(window) if window < go.windows as usize => {
                self.lanes.get_mut(if self.merged { 0 } else { window })
            }
            _ => self.aside.as_mut(),
        }
    }

    /// What was recorded in the windows.
    pub(crate) fn hists(&self) -> Vec<Hist> {
        let index = |i: usize| if self.merged { None } else { Some(i as i64) };
        self.lanes.iter().enumerate().filter_map(|(i, lane)| lane.hist("op", index(i))).collect()
    }
}

/// Ends of a worker's first operations from the begin of window 0.
#[derive(Debug)]
pub(crate) struct Spans {
    /// As long as was asked for; the first `len` are filled.
    ends_ns: Vec<u64>,
    len: usize,
    window0_ns: u64,
}

impl Spans {
    pub(crate) fn new(go: &Go) -> Self {
        let ends_ns = vec![u64::MAX; go.spans as usize]; // not 0: touched here, not in the loop
        Self { ends_ns, len: 0, window0_ns: go.window0_ns() }
    }

    pub(crate) fn wanted(&self) -> bool {
        self.len < self.ends_ns.len()
    }

    /// Takes a stamp of CLOCK_MONOTONIC unless there are enough. Ascending, also where the CPU's
    /// counter and the clock disagree by a few nanoseconds.
    #[inline]
    pub(crate) fn push(&mut self, stamp_ns: u64) {
        let last = self.len.checked_sub(1).map_or(0, |last| self.ends_ns[last]);
        if let Some(end_ns) = self.ends_ns.get_mut(self.len) {
            *end_ns = stamp_ns.saturating_sub(self.window0_ns).max(last);
            self.len += 1;
        }
    }

    /// The ends, if they were asked for.
    pub(crate) fn into_ends(mut self) -> Option<Vec<u64>> {
        let asked = !self.ends_ns.is_empty();
        self.ends_ns.truncate(self.len);
        asked.then_some(self.ends_ns)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::Line;

    fn go(windows: u32) -> Go {
        let text = format!(
            "go start_ns=1000 window_ns=10 windows={windows} ramp_ns=10 pass=latency spans=3"
        );
        Go::parse(&Line::parse(&text).unwrap()).unwrap()
    }

    #[test]
    fn each_window_has_its_lane_and_ramp_and_tail_are_forgotten() {
        let go = go(2);
        let mut recorder = Recorder::new(&go, 1);
        for (i, ns) in [(-1, 5), (0, 7), (0, 9), (1, 11), (2, 13)] {
            recorder.lane(i, &go).unwrap().record(ns);
        }
        let hists = recorder.hists();
        assert_eq!(hists.len(), 2);
        assert_eq!(
            hists[0],
            Hist {
                name: "op".into(),
                i: Some(0),
                n: 2,
                min: 7,
                max: 9,
                sum: 16,
                buckets: vec![(7, 1), (9, 1)]
            }
        );
        assert_eq!(
            hists[1],
            Hist {
                name: "op".into(),
                i: Some(1),
                n: 1,
                min: 11,
                max: 11,
                sum: 11,
                buckets: vec![(11, 1)]
            }
        );
    }

    #[test]
    fn many_workers_keep_one_histogram_each() {
        let go = go(5);
        let mut recorder = Recorder::new(&go, 1000);
        recorder.lane(0, &go).unwrap().record(3);
        recorder.lane(4, &go).unwrap().record(3);
        let hists = recorder.hists();
        assert_eq!((hists.len(), hists[0].i, hists[0].n), (1, None, 2));
    }

    #[test]
    fn beyond_the_range_the_extremes_stay_exact() {
        let mut lane = Lane::new();
        lane.record(HIGHEST_NS * 3);
        let hist = lane.hist("op", None).unwrap();
        assert_eq!((hist.n, hist.max, hist.sum), (1, HIGHEST_NS * 3, HIGHEST_NS * 3));
        assert_eq!(hist.buckets[0].0, bucket_index(HIGHEST_NS));
    }

    #[test]
    fn spans_ascend_and_end_at_the_limit() {
        let mut spans = Spans::new(&go(1));
        for stamp in [1012, 1011, 1015, 1020] {
            spans.push(stamp);
        }
        assert!(!spans.wanted());
        assert_eq!(spans.into_ends(), Some(vec![2, 2, 5]));
    }

    proptest! {
        #[test]
        fn the_bucket_rule_is_the_one_of_hdrhistogram(v in 0..HIGHEST_NS) {
            let mut lane = Lane::new();
            lane.record(v);
            prop_assert_eq!(lane.hist("op", None).unwrap().buckets, vec![(bucket_index(v), 1)]);
            let neighbours = Histogram::<u64>::new_with_bounds(1, HIGHEST_NS, 3).unwrap();
            prop_assert_eq!(bucket_index(neighbours.lowest_equivalent(v)), bucket_index(v));
            prop_assert_eq!(bucket_index(neighbours.next_non_equivalent(v)), bucket_index(v) + 1);
        }
    }
}
