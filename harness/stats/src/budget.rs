//! The loss budget: where the ideal N went.
//!
//! Per block and N; nothing here knows how shares were measured, and the mean over blocks is taken
//! where blocks are known (`judge`).
//!
//! # Derivation
//!
//! Every worker's time in the windows is spent in exactly one of five ways, so summed over N workers
//!
//! ```text
//! N = E + R + B + I + O        (on a CPU, run queue, blocked, idle at a job's end, outside the loop)
//! 1 = E1 + R1 + B1 + I1 + O1   (the same at N = 1)
//! ```
//!
//! The achieved speed-up is a = X(N) / X(1): N workers did the work of a workers at N = 1, and at
//! N = 1 that work takes a·E1 on a CPU, a·B1 blocked (a `sleep` sleeps) and so on. Subtracting a times
//! the second line from the first:
//!
//! ```text
//! N - a = (E - a·E1) + (R - a·R1) + (B - a·B1) + (I - a·I1) + (O - a·O1)      exactly
//! ```
//!
//! Each bracket is time beyond what the achieved work itself needs, in workers. They are blamed thus,
//! with x⁺ = max(x, 0):
//!
//! ```text
//! steal    = min((S - a·S1)⁺, (B - a·B1)⁺)            S = N · stolen share of the CPU time
//! off      = min((Bc - c·B1 - (Sc - c·S1)⁺)⁺ · E / Ec, (B - a·B1)⁺ - steal)
//! blocked  = (B - a·B1)⁺ - steal - off
//! foreign  = min((F - a·F1)⁺, (R - a·R1)⁺)            F = N · foreign run delay
//! run_queue = (R - a·R1)⁺ - foreign
//! on       = min((a·(Ec / c - E1))⁺, (E - a·E1)⁺)
//! no_progress = (E - a·E1)⁺ - on
//! imbalance = (I - a·I1 + O - a·O1)⁺
//! hardware = on + off,  steal_foreign = steal + foreign
//! unexplained = N - a - all of these                  (what clamping cut off, of either sign)
//! ```
//!
//! c = ceiling's rate / X(1), and the index c marks the ceiling's shares. Why so:
//!
//! - **steal** stands within B: the guest kernel's CPU clock and run delay both leave stolen time out.
//! - **foreign**: carriers pinned alone on their CPU wait only for somebody else, so their run delay is
//!   foreign; where carriers share CPUs it is their own queue.
//! - **on**: the ceiling's processes share nothing but the machine. Its CPU time per operation is
//!   Ec / (c·X1), at N = 1 it is E1 / X1; the achieved work a·X1 at the ceiling's price costs
//!   a·(Ec / c - E1) more: frequency, bandwidth, SMT, a hypervisor that hides what it takes. The part
//!   of the CPU time beyond that made no progress: spinning, retries, coherence.
//! - **off**: what a ceiling loses off the CPU can only be the machine's (page faults, a hypervisor
//!   that stops the clock); the model bears it in proportion to its time on CPUs, E / Ec.
//! - Without a ceiling the CPU time beyond a·E1 can't be told apart: it stays in `unexplained`.
//! - Without the shares at N or at 1 all of N - a is `unexplained`.

mod limit;

use crate::observation::{Observation, Shares};
pub use limit::Limit;

/// A loss below this share of N limits nothing: 5 %.
pub(crate) const LOSS_MIN: f64 = 0.05;

/// Ratios of rates beyond this are broken input; products with them must stay finite.
const RATIO_MAX: f64 = 1e9;

/// Parts of N at one worker count; they add up to N exactly.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Budget {
    /// Speed-up that was achieved.
    pub achieved: f64,
    /// The machine itself allows less than N (frequency, bandwidth, SMT, hypervisor).
    pub hardware: f64,
    /// Lock, GIL, I/O.
    pub blocked: f64,
    /// Runnable without a CPU.
    pub run_queue: f64,
    /// Taken by the hypervisor or by other programs.
    pub steal_foreign: f64,
    /// Workers finishing less: waiting at the end of a shared job, starting late, ending early.
    pub imbalance: f64,
    /// On a CPU without progress: spinning, retries, coherence.
    pub no_progress: f64,
    /// The rest, of either sign.
    pub unexplained: f64,
}

impl Budget {
    /// The losses by name, in the order of the fields; with `achieved` they add up to N.
    pub fn losses(&self) -> [(&'static str, f64); 7] {
        [
            ("hardware", self.hardware),
            ("blocked", self.blocked),
            ("run_queue", self.run_queue),
            ("steal_foreign", self.steal_foreign),
            ("imbalance", self.imbalance),
            ("no_progress", self.no_progress),
            ("unexplained", self.unexplained),
        ]
    }

    /// Name of the largest loss, or `nothing` if none exceeds 5 % of N.
    pub fn limited_by(&self, workers: u32) -> &'static str {
        let floor = LOSS_MIN * f64::from(workers);
        let largest = self.losses().into_iter().filter(|(_, loss)| *loss > floor);
        // The first of equals, so that the answer does not depend on how a maximum is searched.
        largest.reduce(|a, b| if b.1 > a.1 { b } else { a }).map_or("nothing", |(name, _)| name)
    }

    /// Mean of every part; `None` for no budgets. Budgets of one N add up to N, so does their mean.
    pub fn mean(budgets: &[Self]) -> Option<Self> {
        let n = budgets.len() as f64;
        let mean = |part: fn(&Self) -> f64| budgets.iter().map(part).sum::<f64>() / n;
        (!budgets.is_empty()).then(|| Self {
            achieved: mean(|b| b.achieved),
            hardware: mean(|b| b.hardware),
            blocked: mean(|b| b.blocked),
            run_queue: mean(|b| b.run_queue),
            steal_foreign: mean(|b| b.steal_foreign),
            imbalance: mean(|b| b.imbalance),
            no_progress: mean(|b| b.no_progress),
            unexplained: mean(|b| b.unexplained),
        })
    }
}

/// How the time of one trial was used, as far as known.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct TimeUse {
    /// Sums over its workers; they add up to the number of workers.
    pub shares: Option<Shares>,
    /// Share of the machine's CPU time that the hypervisor took while it ran.
    pub stolen: Option<f64>,
    /// Share of the time that carriers pinned alone on their CPU waited for it; `None` where they
    /// share CPUs.
    pub foreign_delay: Option<f64>,
}

impl From<&Observation> for TimeUse {
    fn from(o: &Observation) -> Self {
        let stolen = o.gates.steal_share();
        Self { shares: o.shares, stolen, foreign_delay: o.foreign_delay }
    }
}

/// What a loss budget is made of; all of one block.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct BudgetInput {
    /// N.
    pub workers: u32,
    /// a: rate at N / rate at 1, finite and not negative.
    pub speedup: f64,
    /// The model at 1.
    pub one: TimeUse,
    /// The model at N.
    pub many: TimeUse,
    /// c: rate of the ceiling at N / rate of the model at 1; `None` without a ceiling.
    pub ceiling_speedup: Option<f64>,
    /// The ceiling at N.
    pub ceiling: TimeUse,
}

/// Splits the ideal N; the formulas and their reasons stand at the top of this file.
///
/// The parts add up to N (to rounding), every part but `unexplained` is 0 or more, and none is NaN,
/// whatever comes in: shares and ceilings that no machine can have count as unknown, a speed-up that
/// is not finite or is negative as 0, and one above a billion as a billion.
pub fn loss_budget(input: &BudgetInput) -> Budget {
    let n = f64::from(input.workers);
    let a = if input.speedup.is_finite() { input.speedup.clamp(0.0, RATIO_MAX) } else { 0.0 };
    let mut budget = Budget { achieved: a, ..Budget::default() };
    if let (Some(one), Some(many)) = (Spent::of(&input.one, 1.0), Spent::of(&input.many, n)) {
        let ceiling = input.ceiling_speedup.filter(|c| (1.0 / RATIO_MAX..=RATIO_MAX).contains(c));
        let ceiling = ceiling.zip(Spent::of(&input.ceiling, n).filter(|s| s.shares.cpu > 0.0));
        budget = split(a, &one, &many, ceiling.as_ref());
    }
    let found: f64 = budget.losses().iter().map(|(_, loss)| loss).sum();
    budget.unexplained = n - a - found;
    budget
}

/// Shares in workers, with the stolen and the foreign time in workers too.
struct Spent {
    shares: Shares,
    stolen: f64,
    foreign: f64,
}

impl Spent {
    fn of(time: &TimeUse, workers: f64) -> Option<Self> {
        let shares = time.shares?;
        let Shares { cpu, run_queue, blocked, idle, outside } = shares;
        // Beyond a million workers' worth the figures are broken, and sums would lose N's digits.
        let sane = |x: f64| x.is_finite() && x.abs() <= 1e6;
        if ![cpu, run_queue, blocked, idle, outside].into_iter().all(sane) {
            return None;
        }
        let known = |share: Option<f64>| share.filter(|s| s.is_finite());
        let part = |share: Option<f64>| known(share).map_or(0.0, |s| s.clamp(0.0, 1.0) * workers);
        Some(Self { shares, stolen: part(time.stolen), foreign: part(time.foreign_delay) })
    }
}

/// All parts but `unexplained`, which stays 0.
fn split(a: f64, one: &Spent, many: &Spent, ceiling: Option<&(f64, Spent)>) -> Budget {
    let beyond = |at_n: f64, at_one: f64| (at_n - a * at_one).max(0.0);
    let (s, s1) = (&many.shares, &one.shares);

    let off_cpu = beyond(s.blocked, s1.blocked);
    let steal = beyond(many.stolen, one.stolen).min(off_cpu);
    let off = ceiling.map_or(0.0, |c| hidden(c, one) * s.cpu.max(0.0) / c.1.shares.cpu);
    let off = off.min(off_cpu - steal);

    let queued = beyond(s.run_queue, s1.run_queue);
    let foreign = beyond(many.foreign, one.foreign).min(queued);

    let on_cpu = beyond(s.cpu, s1.cpu);
    let on = ceiling.map(|(c, spent)| (a * (spent.shares.cpu / c - s1.cpu)).clamp(0.0, on_cpu));

    Budget {
        achieved: a,
        hardware: on.unwrap_or(0.0) + off,
        blocked: off_cpu - steal - off,
        run_queue: queued - foreign,
        steal_foreign: steal + foreign,
        imbalance: beyond(s.idle + s.outside, s1.idle + s1.outside),
        no_progress: on.map_or(0.0, |on| on_cpu - on),
        unexplained: 0.0,
    }
}

/// Time off the CPU in the ceiling that neither its work nor visible steal accounts for.
fn hidden((c, ceiling): &(f64, Spent), one: &Spent) -> f64 {
    let steal = (ceiling.stolen - c * one.stolen).max(0.0);
    (ceiling.shares.blocked - c * one.shares.blocked - steal).max(0.0)
}

#[cfg(test)]
mod tests;
