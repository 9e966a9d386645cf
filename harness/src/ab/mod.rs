//! A against B, in adjacent pairs: the order of the arms, how many pairs, and what they show.
//!
//! Knows nothing of programs, workers or benches: what is measured is behind [`Arms`], so order, repeated looks, confirmation and
//! a machine that can't judge are tested with fakes in milliseconds.

pub mod command;
pub mod criterion;
mod launch;
pub mod models;
mod tally;

use std::time::{Duration, Instant};

use amdahl_gate::{Metric, Report};
use amdahl_stats::{GateReading, Margins, SplitMix};

use crate::Unable;
use tally::Tally;

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arm {
    /// The base.
    A,
    /// What may have changed.
    B,
    /// A byte copy of A, or A again.
    Sentinel,
}

/// What can be measured of each arm.
#[derive(Debug, Clone, PartialEq)]
pub struct CellSpec {
    /// Its name in the verdict.
    pub name: String,
    /// Its figure.
    pub metric: Metric,
    /// What is no change.
    pub margins: Margins,
}

/// The arms of one round in their order, and what random choices each gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoundPlan {
    /// Each arm once.
    pub order: Vec<Arm>,
    /// Bytes of environment padding, one for each arm of `order`: layout is noise to be sampled.
    pub env_pad_bytes: Vec<u32>,
}

/// What came of a round.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Round {
    /// By cell: positive values of A, B and the sentinel, or why there is none.
    pub cells: Vec<RoundCell>,
    /// What other programs and the hypervisor used meanwhile, where it is known. Rounds are dropped in groups that span enough of the kernel's ticks.
    pub gates: Option<GateReading>,
    /// Why the whole round must not be used: a cause outside of the arms that needs no ticks (run delay), never a value.
    pub dropped: Option<String>,
}

/// A cell of a round.
#[derive(Debug, Clone, PartialEq)]
pub struct RoundCell {
    /// Of A.
    pub a: Result<f64, String>,
    /// Of B.
    pub b: Result<f64, String>,
    /// Of the sentinel, where there is one.
    pub sentinel: Option<Result<f64, String>>,
}

/// What is compared.
pub trait Arms {
    /// The cells that each round gives, in order; at least one.
    fn cells(&self) -> &[CellSpec];
    /// Measures each arm of `plan.order` once, one right after the other. `None`: somebody wants to stop, so judge what there is. An error
    /// means that nothing can be measured.
    fn round(&mut self, plan: &RoundPlan) -> anyhow::Result<Option<Round>>;
    /// From here on only these of the cells, by their places, are measured: those that need a second sample.
    fn narrow(&mut self, keep: &[usize]);
    /// What readers of every verdict must know (outputs differ, …), after the last round.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }
}

/// How long, how often.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Pairs of every cell; `None`: the looks of [`amdahl_stats::LOOKS`] for a single cell, what its size needs for a family.
    pub pairs: Option<usize>,
    /// No round is begun that would end after it.
    pub budget: Option<Duration>,
    /// Measure a sentinel.
    pub sentinel: bool,
    /// Of every random choice.
    pub seed: u64,
}

/// What a watcher hears after each round.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Rounds so far, dropped ones too.
    pub rounds: usize,
    /// Rounds of this stage at most.
    pub of: usize,
    /// The second, independent sample.
    pub confirming: bool,
}

/// Pairs of a family's cells, if not asked for otherwise: enough for 102 cells.
const FAMILY_PAIRS: usize = 12;

/// More than this share of rounds dropped: the machine can't be judged on.
pub const DROPPED_MAX: f64 = 0.3;

/// Measures until it is decided, or can't be.
pub fn judge(
    arms: &mut dyn Arms,
    settings: &Settings,
    watch: &mut dyn FnMut(Progress),
) -> anyhow::Result<Report> {
    let mut session = Session {
        settings,
        rng: SplitMix::new(settings.seed),
        since: Instant::now(),
        longest: Duration::ZERO,
    };
    let specs = arms.cells().to_vec();
    if specs.is_empty() {
        return Err(Unable(
            "nothing to compare: neither A nor B has a figure that the other has too".to_owned(),
        )
        .into());
    }
    let mut tally = Tally::new(&specs);
    if let ([_], None) = (specs.as_slice(), settings.pairs) {
        for (k, (pairs, _)) in amdahl_stats::LOOKS.into_iter().enumerate() {
            session.measure(arms, &mut tally, pairs, false, watch)?;
            if tally.look(k) {
                break;
            }
        }
    } else {
        let pairs = settings
            .pairs
            .unwrap_or_else(|| FAMILY_PAIRS.max(amdahl_stats::pairs_for(specs.len())));
        session.measure(arms, &mut tally, pairs, false, watch)?;
        let flagged = tally.family();
        if !flagged.is_empty() {
            arms.narrow(&flagged);
            let mut second = Tally::new(arms.cells());
            session.measure(arms, &mut second, pairs, true, watch)?;
            tally.confirm(&flagged, second);
        }
    }
    Ok(tally.report(&arms.remarks()))
}

struct Session<'a> {
    settings: &'a Settings,
    rng: SplitMix,
    since: Instant,
    longest: Duration,
}

impl Session<'_> {
    /// Rounds until every cell has `pairs` of them, replacing dropped ones, as far as the budget goes.
    fn measure(
        &mut self,
        arms: &mut dyn Arms,
        tally: &mut Tally,
        pairs: usize,
        confirming: bool,
        watch: &mut dyn FnMut(Progress),
    ) -> anyhow::Result<()> {
        // Each order is followed by its reverse, so that every arm is early as often as it is late.
        let mut reversed: Option<Vec<Arm>> = None;
        // A third of what is still to be measured may be dropped; more is more than the machine can be judged on.
        let most = tally.rounds + pairs.saturating_sub(tally.fewest()) * 3 / 2 + 1;
        loop {
            if tally.fewest() >= pairs || tally.rounds >= most {
                tally.close_group();
                if tally.fewest() >= pairs || tally.rounds >= most {
                    return Ok(());
                }
            }
            if self.settings.budget.is_some_and(|b| self.since.elapsed() + self.longest > b) {
                tally.close_group();
                tally.cut_short = Some("the budget ended before it was decided");
                return Ok(());
            }
            let order = reversed.take().unwrap_or_else(|| {
                let order = self.order();
                reversed = Some(order.iter().rev().copied().collect());
                order
            });
            let env_pad_bytes = order.iter().map(|_| self.rng.below(4096) as u32).collect();
            let begin = Instant::now();
            let Some(round) = arms.round(&RoundPlan { order, env_pad_bytes })? else {
                tally.close_group();
                tally.cut_short = Some("it was stopped before it was decided");
                return Ok(());
            };
            self.longest = self.longest.max(begin.elapsed());
            tally.add(round);
            watch(Progress { rounds: tally.rounds, of: pairs, confirming });
        }
    }

    fn order(&mut self) -> Vec<Arm> {
        let mut order = vec![Arm::A, Arm::B];
        if self.settings.sentinel {
            order.push(Arm::Sentinel);
        }
        self.rng.shuffle(&mut order);
        order
    }
}

#[cfg(test)]
mod tests;
