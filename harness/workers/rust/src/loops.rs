//! The two loops, one a pass: the whole of what runs between two crossings, compiled for each
//! operation. Nothing is allocated, locked, formatted or written here, and no system call is made but
//! by the operation itself.

use crate::clock;
use crate::recorder::{Lane, Spans};
use crate::stop::Stop;
use crate::timer::Timer;
use crate::track::Tally;
use crate::workload::Op;

/// The loop of the throughput pass: operations, one reading of the clock a batch, one comparison.
/// Returns the first reading at or after `end_ns`.
#[inline(never)]
pub(crate) fn count<O: Op>(
    op: &mut O,
    batch: u64,
    end_ns: u64,
    tally: &mut Tally,
    spans: Option<&mut Spans>,
) -> Result<u64, Stop> {
    match spans {
        None => count_into(op, batch, end_ns, tally, |_| {}),
        Some(spans) => count_into(op, batch, end_ns, tally, |now| spans.push(now)),
    }
}

#[inline(always)]
fn count_into<O: Op>(
    op: &mut O,
    batch: u64,
    end_ns: u64,
    tally: &mut Tally,
    mut stamp: impl FnMut(u64),
) -> Result<u64, Stop> {
    let Tally { mut ops, mut check } = *tally;
    let end = 'work: loop {
        let batch_end = ops + batch;
        while ops != batch_end {
            match op.run(ops) {
                Ok(result) => check += u64::from(result),
                Err(stop) => break 'work Err(stop),
            }
            ops += 1;
        }
        let now = clock::now_ns();
        stamp(now);
        if now >= end_ns {
            break Ok(now);
        }
    };
    *tally = Tally { ops, check };
    end
}

/// The loop of the latency pass: every operation between two readings of the timer, recorded.
///
/// The timer also tells when to look at the clock: a little before the boundary should come, so that
/// the crossing's stamp is the clock's own and never late, however the two drift.
#[inline(never)]
pub(crate) fn time<O: Op, T: Timer>(
    op: &mut O,
    timer: T,
    end_ns: u64,
    tally: &mut Tally,
    lane: &mut Lane,
    spans: Option<&mut Spans>,
) -> Result<u64, Stop> {
    match spans {
        None => time_into(op, timer, end_ns, tally, lane, |_| {}),
        Some(spans) => {
            let (ticks, ns) = (timer.end(), clock::now_ns());
            let stamp = |t1: u64| spans.push(ns + timer.ns(t1.saturating_sub(ticks)));
            time_into(op, timer, end_ns, tally, lane, stamp)
        }
    }
}

#[inline(always)]
fn time_into<O: Op, T: Timer>(
    op: &mut O,
    timer: T,
    end_ns: u64,
    tally: &mut Tally,
    lane: &mut Lane,
    mut stamp: impl FnMut(u64),
) -> Result<u64, Stop> {
    let Tally { mut ops, mut check } = *tally;
    let mut look_at = look_at(timer, timer.end(), clock::now_ns(), end_ns);
    let end = loop {
        let t0 = timer.begin();
        let result = op.run(ops);
        let t1 = timer.end();
        match result {
            Ok(result) => check += u64::from(result),
            Err(stop) => break Err(stop),
        }
        ops += 1;
        lane.record(timer.ns(t1.saturating_sub(t0)));
        stamp(t1);
        if t1 >= look_at {
            let now = clock::now_ns();
            if now >= end_ns {
                break Ok(now);
            }
            look_at = self::look_at(timer, t1, now, end_ns);
        }
    };
    *tally = Tally { ops, check };
    end
}

/// When to look at the clock next: one per mille of the distance early, which covers a clock that is
/// being slewed (500 ppm at most) and the timer's calibration.
fn look_at<T: Timer>(timer: T, ticks: u64, now_ns: u64, end_ns: u64) -> u64 {
    let distance = end_ns.saturating_sub(now_ns);
    ticks.saturating_add(timer.ticks(distance - distance / 1000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timer::{Gettime, Stopwatch};

    /// Operations of some microseconds, so that boundaries fall between and inside them.
    fn op(i: u64) -> u32 {
        (0..i % 7 * 100).fold(1, |x, _| std::hint::black_box(x))
    }

    #[test]
    fn both_loops_end_at_or_after_the_boundary_and_time_records_every_operation() {
        for _ in 0..20 {
            let (mut tally, mut lane) = (Tally::default(), Lane::new());
            let end_ns = clock::now_ns() + 300_000;
            let now = time(&mut op, Gettime, end_ns, &mut tally, &mut lane, None).unwrap();
            assert!(now >= end_ns && now <= clock::now_ns());
            assert_eq!((lane.count(), tally.check), (tally.ops, tally.ops));

            let before = tally.ops;
            let now = count(&mut op, 3, now + 100_000, &mut tally, None).unwrap();
            assert!(now >= end_ns + 100_000);
            assert!(tally.ops > before && (tally.ops - before).is_multiple_of(3));
        }
    }

    #[test]
    fn the_cpus_counter_never_ends_a_window_early() {
        let Stopwatch::Counter(timer) = Stopwatch::detect() else { return };
        for _ in 0..50 {
            let (mut tally, mut lane) = (Tally::default(), Lane::new());
            let end_ns = clock::now_ns() + 200_000;
            assert!(time(&mut op, timer, end_ns, &mut tally, &mut lane, None).unwrap() >= end_ns);
        }
    }

    #[test]
    fn the_look_comes_early_and_closes_in() {
        let at = |now, end| look_at(Gettime, now, now, end);
        assert_eq!(at(0, 1_000_000), 999_000);
        assert_eq!(at(999_000, 1_000_000), 999_999);
        assert_eq!(at(999_999, 1_000_000), 1_000_000);
        assert_eq!(at(5, 3), 5, "past: at once");
    }

    #[test]
    fn a_stop_in_a_batch_keeps_what_was_done() {
        struct Five;
        impl Op for Five {
            fn run(&mut self, i: u64) -> Result<u32, Stop> {
                if i < 5 { Ok(2) } else { Err(Stop::NoWorkLeft) }
            }
        }
        let mut tally = Tally::default();
        let stop = count(&mut Five, 3, u64::MAX, &mut tally, None);
        assert!(matches!(stop, Err(Stop::NoWorkLeft)));
        assert_eq!(tally, Tally { ops: 5, check: 10 });
    }
}
