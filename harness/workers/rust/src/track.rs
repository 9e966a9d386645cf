//! The crossings of one worker in one release, and the intervals between them.
//!
//! Filled at crossings only, into memory reserved before the start.

use crate::clock;
use crate::go::Go;
use crate::report::{CHECK_MODULUS, Interval, Total};
use crate::thread_stats::Sample;

/// Operations done and the sum of their results since the release.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) ops: u64,
    pub(crate) check: u64,
}

#[derive(Debug, Clone, Copy)]
struct Mark {
    stamp_ns: u64,
    tally: Tally,
    sample: Sample,
}

/// A worker's way through the intervals of its release.
#[derive(Debug)]
pub(crate) struct Track {
    ends_ns: Vec<u64>,
    first_index: i64,
    /// The entry, then one for each of `ends_ns` that was crossed.
    marks: Vec<Mark>,
    /// Where the worker left before the last crossing.
    left: Option<Mark>,
}

impl Track {
    pub(crate) fn new(go: &Go) -> Self {
        let ends_ns = go.ends_ns();
        let nothing = Mark { stamp_ns: 0, tally: Tally::default(), sample: Sample::default() };
        let mut marks = vec![nothing; ends_ns.len() + 1]; // touched here, not at a crossing
        std::hint::black_box(marks.as_mut_slice());
        marks.clear();
        Self { ends_ns, first_index: go.first_index(), marks, left: None }
    }

    /// The worker enters its loop.
    pub(crate) fn enter(&mut self, sample: Sample) {
        self.marks.push(Mark { stamp_ns: clock::now_ns(), tally: Tally::default(), sample });
    }

    /// Index and nominal end of the interval that the worker is in; `None` after the last crossing.
    pub(crate) fn open(&self) -> Option<(i64, u64)> {
        let crossed = self.marks.len() - 1;
        Some((self.first_index + crossed as i64, *self.ends_ns.get(crossed)?))
    }

    /// An operation ended at `stamp_ns`: it crosses every boundary up to there.
    pub(crate) fn cross(&mut self, stamp_ns: u64, tally: Tally, sample: Sample) {
        while self.open().is_some_and(|(_, end_ns)| end_ns <= stamp_ns) {
            self.marks.push(Mark { stamp_ns, tally, sample });
        }
    }

    /// Boundaries crossed so far; the entry is none.
    pub(crate) fn crossed(&self) -> usize {
        self.marks.len().saturating_sub(1)
    }

    /// End of the last operation that crossed a boundary, or the entry.
    pub(crate) fn last_ns(&self) -> u64 {
        self.marks[self.marks.len() - 1].stamp_ns
    }

    /// The release is over for all workers: the tail ends here. One that has not come to its tail
    /// leaves.
    pub(crate) fn end(&mut self, stamp_ns: u64, tally: Tally, sample: Sample) {
        if self.crossed() + 1 == self.ends_ns.len() {
            self.marks.push(Mark { stamp_ns, tally, sample });
        } else {
            self.leave(stamp_ns, tally, sample);
        }
    }

    /// The worker leaves its loop before the end.
    pub(crate) fn leave(&mut self, stamp_ns: u64, tally: Tally, sample: Sample) {
        self.left = Some(Mark { stamp_ns, tally, sample });
    }

    pub(crate) fn total(&self, started_ns: u64) -> Total {
        let entered = self.marks[0];
        let end = self.left.unwrap_or(self.marks[self.marks.len() - 1]);
        Total {
            ops: end.tally.ops,
            check: end.tally.check % CHECK_MODULUS,
            started_ns,
            entered_ns: entered.stamp_ns,
            ended_ns: end.stamp_ns,
        }
    }

    /// The intervals that the worker was in. Without a ramp there is none before window 0.
    pub(crate) fn intervals(&self, go: &Go) -> Vec<Interval> {
        let marks: Vec<Mark> = self.marks.iter().copied().chain(self.left).collect();
        let mut intervals: Vec<Interval> = marks
            .windows(2)
            .zip(self.first_index..)
            .filter(|(_, i)| *i >= 0 || go.ramp_ns > 0)
            .map(|(pair, i)| between(&pair[0], &pair[1], i, i == i64::from(go.windows)))
            .collect();
        if let (Some(_), Some(last)) = (self.left, intervals.last_mut()) {
            last.last_ns = None;
        }
        intervals
    }
}

fn between(from: &Mark, to: &Mark, i: i64, tail: bool) -> Interval {
    let difference = |field: fn(&Sample) -> Option<u64>| {
        Some(field(&to.sample)?.saturating_sub(field(&from.sample)?))
    };
    Interval {
        i,
        tail,
        ops: to.tally.ops - from.tally.ops,
        check: (to.tally.check - from.tally.check) % CHECK_MODULUS,
        first_ns: from.stamp_ns,
        last_ns: Some(to.stamp_ns),
        cpu_ns: difference(|s| s.cpu_ns),
        delay_ns: difference(|s| s.delay_ns),
        vcsw: difference(|s| s.vcsw),
        ivcsw: difference(|s| s.ivcsw),
        cpu: to.sample.cpu,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Line;

    fn go(ramp_ns: u64) -> Go {
        let text = format!("go start_ns=1000 ramp_ns={ramp_ns} window_ns=100 windows=2 tail_ns=50");
        Go::parse(&Line::parse(&text).unwrap()).unwrap()
    }

    fn track(go: &Go, crossings: &[(u64, u64)]) -> Track {
        let mut track = Track::new(go);
        track.enter(Sample::without_thread());
        track.marks[0].stamp_ns = 1001;
        for (stamp, ops) in crossings {
            track.cross(
                *stamp,
                Tally { ops: *ops, check: ops * CHECK_MODULUS + ops },
                Sample::default(),
            );
        }
        track
    }

    fn brief(track: &Track, go: &Go) -> Vec<(i64, u64, u64, Option<u64>)> {
        track.intervals(go).iter().map(|x| (x.i, x.ops, x.first_ns, x.last_ns)).collect()
    }

    #[test]
    fn stamps_are_contiguous_and_the_tail_ends_the_work() {
        let go = go(100);
        let track = track(&go, &[(1103, 4), (1205, 9), (1301, 12), (1351, 15)]);
        assert_eq!(track.open(), None);
        assert_eq!(
            brief(&track, &go),
            [
                (-1, 4, 1001, Some(1103)),
                (0, 5, 1103, Some(1205)),
                (1, 3, 1205, Some(1301)),
                (2, 3, 1301, Some(1351))
            ]
        );
        assert!(track.intervals(&go)[3].tail);
        assert_eq!(track.intervals(&go)[1].check, 5);
        let total = track.total(1000);
        assert_eq!((total.ops, total.check, total.ended_ns), (15, 15, 1351));
    }

    #[test]
    fn one_operation_may_cross_several_boundaries() {
        let go = go(100);
        let track = track(&go, &[(1250, 4), (1999, 5)]);
        assert_eq!(
            brief(&track, &go),
            [
                (-1, 4, 1001, Some(1250)),
                (0, 0, 1250, Some(1250)),
                (1, 1, 1250, Some(1999)),
                (2, 0, 1999, Some(1999))
            ]
        );
    }

    #[test]
    fn without_a_ramp_window_0_begins_with_its_crossing() {
        let go = go(0);
        let track = track(&go, &[(1004, 1), (1100, 4)]);
        assert_eq!(brief(&track, &go), [(0, 3, 1004, Some(1100))]);
        assert_eq!(track.open(), Some((1, 1200)));
    }

    #[test]
    fn a_release_that_is_over_ends_the_tail_with_the_last_operation() {
        let go = go(100);
        let over = |crossings: &[(u64, u64)]| {
            let mut track = track(&go, crossings);
            track.end(1340, Tally { ops: 13, check: 13 * CHECK_MODULUS + 13 }, Sample::default());
            (brief(&track, &go).pop().unwrap(), track.total(1000).ended_ns)
        };
        let all = [(1103, 4), (1205, 9), (1301, 12)];
        assert_eq!(over(&all), ((2, 1, 1301, Some(1340)), 1340));
        assert_eq!(over(&all[..2]), ((1, 4, 1205, None), 1340), "it was not in its tail yet");
    }

    #[test]
    fn who_leaves_early_leaves_its_last_stamp_out() {
        let go = go(100);
        let mut track = track(&go, &[(1103, 4)]);
        track.leave(1150, Tally { ops: 6, check: 6 * CHECK_MODULUS }, Sample::default());
        assert_eq!(brief(&track, &go), [(-1, 4, 1001, Some(1103)), (0, 2, 1103, None)]);
        assert_eq!((track.total(1000).ops, track.total(1000).ended_ns), (6, 1150));
    }
}
