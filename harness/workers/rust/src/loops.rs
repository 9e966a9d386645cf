//! The two loops, one a pass: the whole of what runs between two crossings, compiled for each
//! operation. Nothing is allocated, locked, formatted or written here, and no system call is made but
//! by the operation itself.

use crate::clock;
use crate::recorder::{Lane, Spans};
use crate::stop::Stop;
use crate::timer::Timer;
use crate::track::Tally;
use crate::workload::Op;

/// How a loop ended before its boundary.
#[derive(Debug)]
pub(crate) struct Halt {
    pub(crate) stop: Stop,
    /// End of the last operation; `None` if this loop saw none.
    pub(crate) last_ns: Option<u64>,
}

/// The loop of the throughput pass: operations, one reading of the clock a batch, one comparison.
/// Returns the first reading at or after `end_ns`.
#[inline(never)]
pub(crate) fn count<O: Op>(
    op: &mut O,
    batch: u64,
    end_ns: u64,
    tally: &mut Tally,
    spans: Option<&mut Spans>,
) -> Result<u64, Halt> {
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
) -> Result<u64, Halt> {
    let Tally { mut ops, mut check } = *tally;
    let mut last_ns = None;
    let end = 'work: loop {
        let batch_end = ops + batch;
        while ops != batch_end {
            match op.run(ops) {
                Ok(result) => check += u64::from(result),
                Err(stop) if ops + batch == batch_end => break 'work Err(Halt { stop, last_ns }),
                Err(stop) => break 'work Err(Halt { stop, last_ns: Some(clock::now_ns()) }),
            }
            ops += 1;
        }
        let now = clock::now_ns();
        last_ns = Some(now);
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
) -> Result<u64, Halt> {
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
) -> Result<u64, Halt> {
    let Tally { mut ops, mut check } = *tally;
    let mut last = None;
    let mut look_at = look_at(timer, timer.end(), clock::now_ns(), end_ns);
    let end = loop {
        let t0 = timer.begin();
        let result = op.run_timed(ops);
        let t1 = timer.end();
        match result {
            Ok(result) => check += u64::from(result),
            Err(stop) => {
                // The clock was not read after the last operation: now, less the time since.
                let since = |t1| timer.ns(timer.end().saturating_sub(t1));
                let last_ns = last.map(|t1| clock::now_ns() - since(t1));
                break Err(Halt { stop, last_ns });
            }
        }
        ops += 1;
        last = Some(t1);
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
        let begin = clock::now_ns();
        let halt = count(&mut Five, 3, u64::MAX, &mut tally, None).unwrap_err();
        assert!(matches!(halt.stop, Stop::NoWorkLeft));
        assert!((begin..=clock::now_ns()).contains(&halt.last_ns.unwrap()));
        assert_eq!(tally, Tally { ops: 5, check: 10 });
        let halt = count(&mut Five, 3, u64::MAX, &mut tally, None).unwrap_err();
        assert_eq!(halt.last_ns, None, "not one operation more");
    }

    #[test]
    fn the_last_operation_ended_before_the_stop_was_waited_for() {
        struct Once;
        impl Op for Once {
            fn run(&mut self, i: u64) -> Result<u32, Stop> {
                if i == 0 {
                    return Ok(1);
                }
                clock::sleep_until(clock::now_ns() + 5_000_000);
                Err(Stop::Over)
            }
        }
        let (mut lane, end_ns) = (Lane::new(), u64::MAX);
        for timed in [false, true] {
            let mut tally = Tally::default();
            let begin = clock::now_ns();
            let halt = match (timed, Stopwatch::detect()) {
                (false, _) => count(&mut Once, 1, end_ns, &mut tally, None),
                (_, Stopwatch::Counter(t)) => {
                    time(&mut Once, t, end_ns, &mut tally, &mut lane, None)
                }
                (_, Stopwatch::Gettime(t)) => {
                    time(&mut Once, t, end_ns, &mut tally, &mut lane, None)
                }
            };
            let last_ns = halt.unwrap_err().last_ns.unwrap();
            // The calibration may be wrong by one per mille of the 5 ms.
            assert!(last_ns + 10_000 >= begin, "timed {timed}: {last_ns} {begin}");
            assert!(last_ns + 4_900_000 <= clock::now_ns(), "timed {timed}");
        }
    }
}
