//! The successive owners of a lock, taken apart again: who held it from when to when, and since when it had waited.
//! What follows from that (fairness, convoys, hand-off) is for those who judge.

use crate::trial::Owners;

/// Most acquisitions of one sample.
pub const OWNERS_MAX: usize = 4096;

/// One acquisition; times since the nominal begin of window 0, ns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acquisition {
    /// The worker.
    pub w: u32,
    /// When it asked for the lock; before 0 if that was in the ramp.
    pub requested_ns: i64,
    /// When it had it.
    pub acquired_ns: i64,
    /// When it began to release it.
    pub released_ns: i64,
}

impl Owners {
    /// Whether the lists belong together, are no longer than a sample may be, and name workers of a trial of `workers`.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn check(&self, workers: u32) -> Result<(), String> {
        let lengths = [self.w.len(), self.gap_ns.len(), self.wait_ns.len(), self.hold_ns.len()];
        if lengths.iter().any(|n| *n != lengths[0]) {
            return Err(format!("w, gap, wait and hold have {lengths:?} entries"));
        }
        if lengths[0] > OWNERS_MAX {
            return Err(format!("{} acquisitions, at most {OWNERS_MAX} expected", lengths[0]));
        }
        if let Some(w) = self.w.iter().find(|w| **w >= workers) {
            return Err(format!("worker {w} does not exist"));
        }
        // Sums of 4096 of them stay far below 2^63: nothing that is added up later can overflow.
        let times = self.gap_ns.iter().chain(&self.wait_ns).chain(&self.hold_ns);
        match times.max() {
            Some(ns) if *ns >= 1 << 48 => Err(format!("{ns} ns is longer than any trial")),
            _ => Ok(()),
        }
    }

    /// The acquisitions, in order.
    pub fn acquisitions(&self) -> impl Iterator<Item = Acquisition> + '_ {
        let times = self.gap_ns.iter().zip(&self.wait_ns).zip(&self.hold_ns);
        self.w.iter().zip(times).scan(0, |acquired_ns, (w, ((gap, wait), hold))| {
            *acquired_ns += *gap as i64;
            Some(Acquisition {
                w: *w,
                requested_ns: *acquired_ns - *wait as i64,
                acquired_ns: *acquired_ns,
                released_ns: *acquired_ns + *hold as i64,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owners() -> Owners {
        Owners { w: vec![1, 0], gap_ns: vec![5, 40], wait_ns: vec![9, 2], hold_ns: vec![30, 7] }
    }

    #[test]
    fn lists_become_acquisitions_also_those_asked_for_in_the_ramp() {
        let of = |w, requested_ns, acquired_ns, released_ns| Acquisition {
            w,
            requested_ns,
            acquired_ns,
            released_ns,
        };
        let all: Vec<_> = owners().acquisitions().collect();
        assert_eq!(all, [of(1, -4, 5, 35), of(0, 43, 45, 52)]);
    }

    #[test]
    fn lists_that_do_not_belong_together_are_refused() {
        assert_eq!(owners().check(2), Ok(()));
        let short = Owners { hold_ns: vec![1], ..owners() };
        assert!(short.check(2).unwrap_err().contains("[2, 2, 2, 1]"));
        let absurd = Owners { wait_ns: vec![1, u64::MAX], ..owners() };
        assert!(absurd.check(2).unwrap_err().contains("longer than any trial"));
        assert_eq!(owners().check(1), Err("worker 1 does not exist".to_owned()));
        let list = || vec![1; OWNERS_MAX + 1];
        let many =
            Owners { w: vec![1; OWNERS_MAX + 1], gap_ns: list(), wait_ns: list(), hold_ns: list() };
        assert!(many.check(2).unwrap_err().contains("at most 4096"));
    }
}
