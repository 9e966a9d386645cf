//! External causes that disqualify a block.

/// Ticks of the kernel's accounting over one or more trials.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct GateReading {
    /// Ticks the machine had in that time: CPUs x time x USER_HZ.
    pub capacity_ticks: f64,
    /// Busy ticks of others; `None` where unknown.
    pub foreign_ticks: Option<f64>,
    /// Stolen ticks; `None` where unknown.
    pub steal_ticks: Option<f64>,
}
