//! External causes that disqualify a block: other programs, the hypervisor.
//!
//! Only causes outside the model under test are gates; a figure of the model itself never is, or the
//! results would choose their own data.

use std::iter::Sum;
use std::ops::Add;

/// Largest share of the CPU time that other programs may use, and of the time that a pinned carrier
/// may wait for its own CPU: 5 %.
pub const FOREIGN_MAX: f64 = 0.05;

/// Largest share of the CPU time that the hypervisor may take: 1 %.
pub const STEAL_MAX: f64 = 0.01;

/// Fewest ticks that count as evidence: the kernel counts in ticks of 10 ms, by sampling, so that a
/// share made of a handful of ticks is chance.
const EVIDENCE_TICKS: f64 = 10.0;

/// Ticks of the kernel's accounting over one or more trials; add them to sum over a block.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct GateReading {
    /// Ticks the machine had in that time: CPUs x time x USER_HZ.
    pub capacity_ticks: f64,
    /// Busy ticks of others; `None` where unknown.
    pub foreign_ticks: Option<f64>,
    /// Stolen ticks; `None` where unknown.
    pub steal_ticks: Option<f64>,
}

impl GateReading {
    /// Share of the machine's CPU time that others used; `None` where unknown.
    pub fn foreign_share(&self) -> Option<f64> {
        self.share(self.foreign_ticks?)
    }

    /// Share of the machine's CPU time that the hypervisor took; `None` where unknown.
    pub fn steal_share(&self) -> Option<f64> {
        self.share(self.steal_ticks?)
    }

    fn share(&self, ticks: f64) -> Option<f64> {
        let share = ticks / self.capacity_ticks;
        (self.capacity_ticks > 0.0 && share.is_finite()).then_some(share)
    }
}

impl Add for GateReading {
    type Output = Self;

    /// The reading over both; a figure unknown in one is unknown in the sum.
    fn add(self, other: Self) -> Self {
        let sum = |a: Option<f64>, b: Option<f64>| Some(a? + b?);
        Self {
            capacity_ticks: self.capacity_ticks + other.capacity_ticks,
            foreign_ticks: sum(self.foreign_ticks, other.foreign_ticks),
            steal_ticks: sum(self.steal_ticks, other.steal_ticks),
        }
    }
}

impl Sum for GateReading {
    fn sum<I: Iterator<Item = Self>>(readings: I) -> Self {
        let none = Self { capacity_ticks: 0.0, foreign_ticks: Some(0.0), steal_ticks: Some(0.0) };
        readings.fold(none, Add::add)
    }
}

/// Why the time of this reading may not be used, as a sentence with the figure, the limit and what to
/// do; `None` if nothing speaks against it.
///
/// - steal: more than [`STEAL_MAX`] of the capacity and at least 10 ticks;
/// - foreign: more than [`FOREIGN_MAX`] of the capacity and at least 10 ticks;
/// - `foreign_delay`: the share of the time that carriers, each pinned alone on its CPU, waited for it.
///   Measured in nanoseconds, so it needs no minimum: above [`FOREIGN_MAX`] somebody else ran there.
///
/// A share over a long time always has 10 ticks behind it (5 % of one second on two CPUs are 10);
/// over a short time fewer ticks prove nothing, and the run delay decides alone. What is unknown is no
/// failure.
pub fn gate_failure(reading: &GateReading, foreign_delay: Option<f64>) -> Option<String> {
    let over = |share: Option<f64>, ticks: Option<f64>, limit: f64| {
        share.filter(|s| *s > limit && ticks.is_some_and(|t| t >= EVIDENCE_TICKS))
    };
    if let Some(share) = over(reading.steal_share(), reading.steal_ticks, STEAL_MAX) {
        return Some(format!(
            "the hypervisor took {} of the CPU time (steal; limit {}): other guests of this host are \
             busy; measure when they are not, or on a host with CPUs of its own",
            percent(share),
            percent(STEAL_MAX)
        ));
    }
    if let Some(share) = over(reading.foreign_share(), reading.foreign_ticks, FOREIGN_MAX) {
        return Some(format!(
            "other programs used {} of the machine's CPU time (limit {}): `top` names the \
             busiest; stop it, or run scripts/lab-quiet.sh, and measure again",
            percent(share),
            percent(FOREIGN_MAX)
        ));
    }
    let delay = foreign_delay.filter(|d| *d > FOREIGN_MAX)?;
    Some(format!(
        "pinned workers waited {} of the time for a CPU of their own (run delay; limit {}): another \
         program ran there (`top` names it, scripts/lab-quiet.sh moves services away), or a CPU quota held \
         them back (`amdahl doctor` shows it)",
        percent(delay),
        percent(FOREIGN_MAX)
    ))
}

/// `0.123` as `12.3 %`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(capacity: f64, foreign: f64, steal: f64) -> GateReading {
        GateReading {
            capacity_ticks: capacity,
            foreign_ticks: Some(foreign),
            steal_ticks: Some(steal),
        }
    }

    #[test]
    fn a_quiet_machine_passes() {
        assert_eq!(gate_failure(&reading(1000.0, 49.0, 9.0), Some(0.05)), None);
        assert_eq!(gate_failure(&GateReading::default(), None), None);
    }

    #[test]
    fn each_cause_is_named_with_figure_limit_and_remedy() {
        let foreign = gate_failure(&reading(1000.0, 123.0, 0.0), None).unwrap();
        assert!(foreign.contains("12.3 %") && foreign.contains("limit 5.0 %"), "{foreign}");
        assert!(foreign.contains("`top`") && foreign.contains("lab-quiet"), "{foreign}");
        let steal = gate_failure(&reading(1000.0, 0.0, 21.0), None).unwrap();
        assert!(steal.contains("2.1 %") && steal.contains("limit 1.0 %"), "{steal}");
        let delay = gate_failure(&reading(1000.0, 0.0, 0.0), Some(0.08)).unwrap();
        assert!(delay.contains("8.0 %") && delay.contains("run delay"), "{delay}");
    }

    /// 9 ticks of 50 are 18 %, and still less than a tenth of a second.
    #[test]
    fn too_few_ticks_prove_nothing_but_run_delay_does() {
        assert_eq!(gate_failure(&reading(50.0, 9.0, 9.0), None), None);
        assert!(gate_failure(&reading(50.0, 9.0, 9.0), Some(0.18)).is_some());
        assert!(gate_failure(&reading(50.0, 10.0, 0.0), None).is_some());
    }

    #[test]
    fn sums_add_and_unknown_stays_unknown() {
        let sum: GateReading =
            [reading(100.0, 5.0, 1.0), reading(50.0, 2.0, 0.0)].into_iter().sum();
        assert_eq!(sum, reading(150.0, 7.0, 1.0));
        let unknown = GateReading { foreign_ticks: None, ..reading(50.0, 0.0, 0.0) };
        assert_eq!((sum + unknown).foreign_ticks, None);
        assert_eq!((sum + unknown).steal_share(), Some(1.0 / 200.0));
        assert_eq!(GateReading::default().steal_share(), None);
    }
}
