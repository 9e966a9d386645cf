//! Slices of numbers in; intervals and decisions out. No I/O, no polars, imports nothing of ours.
//!
//! Both programs judge by this crate: `amdahl run` ends with the table it computes, and
//! `amdahl-analysis` writes the same decisions into `verdicts.json`. Scalability laws need a solver, so they are
//! behind the feature `laws`, which the measuring program leaves off.

mod breaks;
mod budget;
mod change;
mod contention;
mod family;
mod gates;
mod interval;
mod json;
mod judge;
#[cfg(feature = "laws")]
pub mod laws;
mod observation;
mod random;
mod rank;
#[cfg(test)]
mod synthetic;

pub use breaks::{
    BREAK_P_MAX, BREAKS_Q, Break, Levels, POINTS_MIN, breaks, critical_z, detectable_sigma,
    p_of_largest, smallest_break_p,
};
pub use budget::{Budget, BudgetInput, Limit, TimeUse, loss_budget};
pub use change::{
    ALPHA, Evidence, Margins, PERMUTATIONS, paired, trials_for, unpaired, unpaired_beyond,
};
pub use contention::{
    Bracket, BracketPlace, CONVOY_HANDOFFS, Convoys, Fairness, Groups, Held, LONG_HOLD, LockLoad,
    bracket, convoys, fairness, group, jain, lock_load, lwss, mttr, owner_change_rate, queues,
};
pub use family::{
    Change, Decision, LOOKS, benjamini_hochberg, confirm, decide, decide_family, decide_look,
    largest_family, pairs_for,
};
pub use gates::{FOREIGN_MAX, GateReading, STEAL_MAX, gate_failure};
pub use interval::{
    Interval, log_t_interval, log_welch_interval, median, quantile_sorted, t_interval, t_quantile,
};
pub use json::{
    interval_json, io_verdict_name, judgement_json, number as number_json, verdict_name,
};
pub use judge::{
    BlockPoint, Comparison, IoRow, IoVerdict, Judgement, ParallelismRow, Verdict, compare,
    gustafson, judge, karp_flatt,
};
pub use observation::{Contest, Machine, Missing, Observation, Shares};
pub use random::SplitMix;
pub use rank::{hodges_lehmann, p_above, p_below};
