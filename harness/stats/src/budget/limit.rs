//! How sure it is which loss is the largest.
//!
//! Losses of one block move together, so two of them are compared by their difference within blocks, never by whether
//! their own intervals overlap.

use super::Budget;
use crate::interval::{Interval, t_interval};

/// Level of both intervals.
const LEVEL: f64 = 0.95;

/// The largest loss, and what can be said against it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// Its name.
    pub cause: &'static str,
    /// Its size over blocks, in workers' worth of throughput; `None` with one block.
    pub loss: Option<Interval>,
    /// Blocks in which it is the largest.
    pub largest_in: u32,
    /// Blocks.
    pub blocks: u32,
    /// The largest other loss where the blocks can't tell which of the two is larger: the 95 % t interval of the
    /// difference holds 0, or there is one block.
    pub rival: Option<&'static str>,
}

impl Limit {
    /// Of the budgets of blocks at one N; `None` where no loss exceeds 5 % of N.
    pub(crate) fn of(budgets: &[Budget], workers: u32) -> Option<Self> {
        let mean = Budget::mean(budgets)?;
        let cause = mean.limited_by(workers);
        if cause == "nothing" {
            return None;
        }
        let values = |name: &str| -> Vec<f64> { budgets.iter().map(|b| b.loss(name)).collect() };
        let mine = values(cause);
        let others: Vec<(&'static str, f64)> =
            mean.losses().into_iter().filter(|(name, _)| *name != cause).collect();
        let undecided = |name: &str| {
            let by: Vec<f64> = mine.iter().zip(values(name)).map(|(a, b)| a - b).collect();
            t_interval(&by, LEVEL).is_none_or(|i| i.lo <= 0.0)
        };
        // Several may be as large as the largest; the most likely of them is named. What is no loss is no rival.
        let rivals = others.iter().filter(|(name, loss)| *loss > 0.0 && undecided(name));
        let largest = |b: &&Budget| b.losses().into_iter().all(|(_, loss)| loss <= b.loss(cause));
        Some(Self {
            cause,
            loss: t_interval(&mine, LEVEL),
            largest_in: budgets.iter().filter(largest).count() as u32,
            blocks: budgets.len() as u32,
            rival: rivals.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(name, _)| *name),
        })
    }
}

impl Budget {
    /// A loss by its name; 0 for a name that is none.
    fn loss(&self, name: &str) -> f64 {
        self.losses().into_iter().find(|(n, _)| *n == name).map_or(0.0, |(_, loss)| loss)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(blocked: f64, imbalance: f64) -> Budget {
        Budget { achieved: 2.0 - blocked - imbalance, blocked, imbalance, ..Budget::default() }
    }

    #[test]
    fn a_loss_larger_in_every_block_has_no_rival() {
        let budgets = [lost(0.9, 0.10), lost(1.0, 0.12), lost(0.95, 0.08)];
        let limit = Limit::of(&budgets, 2).unwrap();
        assert_eq!((limit.cause, limit.rival), ("blocked", None));
        assert_eq!((limit.largest_in, limit.blocks), (3, 3));
        // Mean .95, s = .05, t(2) = 4.30265.
        let loss = limit.loss.unwrap();
        assert!((loss.hi - 0.95 - 4.302_65 * 0.05 / 3f64.sqrt()).abs() < 1e-4, "{loss:?}");
    }

    /// Their own intervals overlap by far, and yet one is the larger by the same amount each time.
    #[test]
    fn losses_are_compared_within_blocks() {
        let budgets = [lost(0.30, 0.20), lost(0.50, 0.40), lost(0.80, 0.71)];
        assert_eq!(Limit::of(&budgets, 2).unwrap().rival, None);
        let swapped = [lost(0.30, 0.20), lost(0.40, 0.50), lost(0.80, 0.71)];
        let limit = Limit::of(&swapped, 2).unwrap();
        assert_eq!((limit.cause, limit.rival, limit.largest_in), ("blocked", Some("imbalance"), 2));
    }

    #[test]
    fn one_block_tells_no_two_losses_apart_and_small_ones_limit_nothing() {
        let limit = Limit::of(&[lost(0.9, 0.1)], 2).unwrap();
        assert_eq!((limit.loss, limit.rival), (None, Some("imbalance")));
        assert_eq!(Limit::of(&[lost(0.09, 0.01)], 2), None);
        assert_eq!(Limit::of(&[], 2), None);
        assert_eq!(Limit::of(&[lost(0.9, 0.0)], 2).unwrap().rival, None);
    }
}
