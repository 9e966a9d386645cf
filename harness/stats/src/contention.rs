//! What contention for a lock is, in numbers: load, fairness, convoys, the bracket of its scaling, and which locks can be told apart.
//!
//! Names and symbols are those of METHODOLOGY.md, section "Lock contention". Times in ns. No histogram is read here: their sums and
//! quantiles come from those that have them.

mod convoy;
mod fairness;
mod group;

pub use convoy::{CONVOY_HANDOFFS, Convoys, Held, LONG_HOLD, convoys, queues};
pub use fairness::{Fairness, fairness, jain, lwss, mttr, owner_change_rate};
pub use group::{Groups, group};

/// How busy a lock was in a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LockLoad {
    /// Share of the time that a lock was held: sum hold / (locks T).
    pub utilisation: f64,
    /// Workers that waited at a time, by Little's law: sum wait / T.
    pub mean_waiters: f64,
    /// Share of the workers' time that went into waiting: sum wait / (n T).
    pub blocked_share: f64,
}

/// The load of `locks` locks that `workers` workers shared for `t_ns`; `None` without time, workers or locks.
pub fn lock_load(
    wait_ns: u64,
    hold_ns: u64,
    t_ns: u64,
    workers: u32,
    locks: u32,
) -> Option<LockLoad> {
    if t_ns == 0 || workers == 0 || locks == 0 {
        return None;
    }
    let (wait, t) = (wait_ns as f64, t_ns as f64);
    Some(LockLoad {
        utilisation: hold_ns as f64 / (t * f64::from(locks)),
        mean_waiters: wait / t,
        blocked_share: wait / (t * f64::from(workers)),
    })
}

/// Between which speed-ups a closed loop lies whose operation holds one lock for a share p.
///
/// Workers that always collide scale by Amdahl's law, N / (1 + p (N - 1)); workers that fall into step only wait
/// when the lock is saturated, min(N, 1 / p).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bracket {
    /// N / (1 + p (N - 1)).
    pub lo: f64,
    /// min(N, 1 / p).
    pub hi: f64,
}

/// Where a measured speed-up lies with respect to its bracket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum BracketPlace {
    /// The whole interval is below: hand-over costs what neither edge knows.
    Below {
        /// Time per operation of all workers together beyond that of the lower edge, ns.
        handoff_ns: f64,
    },
    /// Part of the interval is inside.
    Inside {
        /// From 0 at the lower edge to 1 at the upper; a point estimate just outside is at the edge.
        share: f64,
    },
    /// The whole interval is above: the share under the lock is less than planned.
    Above,
}

/// The bracket of N workers, of which no more than `cpus` run at once, so that N counts up to there; `None` unless 0 <= p <= 1,
/// N >= 1 and there is a CPU.
pub fn bracket(p: f64, workers: u32, cpus: u32) -> Option<Bracket> {
    let n = f64::from(workers.min(cpus));
    if !(0.0..=1.0).contains(&p) || n < 1.0 {
        return None;
    }
    Some(Bracket { lo: n / (1.0 + p * (n - 1.0)), hi: if p > 0.0 { n.min(1.0 / p) } else { n } })
}

impl Bracket {
    /// Where a speed-up with its interval lies, if an operation of a lone worker takes `lone_op_ns`.
    pub fn place(&self, speedup: f64, (lo, hi): (f64, f64), lone_op_ns: f64) -> BracketPlace {
        if hi < self.lo {
            return BracketPlace::Below {
                handoff_ns: lone_op_ns * (1.0 / speedup - 1.0 / self.lo),
            };
        }
        if lo > self.hi {
            return BracketPlace::Above;
        }
        let width = self.hi - self.lo;
        let share = if width > 0.0 { (speedup - self.lo) / width } else { 1.0 };
        BracketPlace::Inside { share: share.clamp(0.0, 1.0) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 4 workers, 1 s: held for 600 ms, waited for 1.2 s in sum.
    #[test]
    fn load_by_hand() {
        let load = lock_load(1_200_000_000, 600_000_000, 1_000_000_000, 4, 1).unwrap();
        assert_eq!(load, LockLoad { utilisation: 0.6, mean_waiters: 1.2, blocked_share: 0.3 });
        let two = lock_load(0, 600_000_000, 1_000_000_000, 4, 2).unwrap();
        assert_eq!((two.utilisation, two.mean_waiters), (0.3, 0.0));
        assert_eq!(lock_load(1, 1, 0, 4, 1), None);
    }

    /// p = .25: Amdahl gives 4 / 1.75 at 4 workers, and the lock is full at 4.
    #[test]
    fn bracket_by_hand() {
        let b = bracket(0.25, 4, 8).unwrap();
        assert!((b.lo - 4.0 / 1.75).abs() < 1e-12 && b.hi == 4.0);
        assert_eq!(bracket(0.5, 8, 8).unwrap().hi, 2.0);
        assert_eq!(bracket(0.25, 8, 2), bracket(0.25, 2, 2), "no more run than there are CPUs");
        assert_eq!(bracket(0.0, 8, 8), Some(Bracket { lo: 8.0, hi: 8.0 }));
        assert_eq!(bracket(1.0, 8, 8), Some(Bracket { lo: 1.0, hi: 1.0 }));
        assert_eq!((bracket(f64::NAN, 2, 2), bracket(0.5, 0, 2)), (None, None));
    }

    /// The bare lock (p = 1) at half the lone worker's rate: each operation of 100 ns costs 100 ns more.
    #[test]
    fn below_the_bracket_the_price_of_a_handoff_is_named() {
        let b = bracket(1.0, 4, 4).unwrap();
        assert_eq!(b.place(0.5, (0.45, 0.55), 100.0), BracketPlace::Below { handoff_ns: 100.0 });
        assert_eq!(b.place(1.0, (0.9, 1.1), 100.0), BracketPlace::Inside { share: 1.0 });
        assert_eq!(b.place(1.5, (1.4, 1.6), 100.0), BracketPlace::Above);
        let b = bracket(0.5, 2, 2).unwrap();
        let half = f64::midpoint(b.lo, b.hi);
        let BracketPlace::Inside { share } = b.place(half, (half, half), 100.0) else { panic!() };
        assert!((share - 0.5).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn every_speedup_has_a_place(p in 0.0..=1.0f64, n in 1..64u32, s in 0.01..64.0f64, w in 0.0..0.5f64) {
            let b = bracket(p, n, 64).unwrap();
            prop_assert!(1.0 - 1e-12 <= b.lo && b.lo <= b.hi + 1e-12 && b.hi <= f64::from(n));
            match b.place(s, (s * (1.0 - w), s * (1.0 + w)), 1000.0) {
                BracketPlace::Below { handoff_ns } => prop_assert!(s < b.lo && handoff_ns > 0.0),
                BracketPlace::Inside { share } => prop_assert!((0.0..=1.0).contains(&share)),
                BracketPlace::Above => prop_assert!(s > b.hi),
            }
        }
    }
}
