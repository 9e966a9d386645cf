//! What a figure of scaling shows against N, and its words. Draws nothing.

/// What is drawn against N.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// X(N) over the fitted X(1).
    Speedup,
    /// The same over N.
    Efficiency,
    /// X(N).
    Throughput,
}

impl Measure {
    /// All, in the order of a report.
    pub const ALL: [Self; 3] = [Self::Speedup, Self::Efficiency, Self::Throughput];

    /// In names of files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Speedup => "speedup",
            Self::Efficiency => "efficiency",
            Self::Throughput => "throughput",
        }
    }

    /// As the beginning of a sentence.
    pub fn title(self) -> &'static str {
        match self {
            Self::Speedup => "Speed-up",
            Self::Efficiency => "Efficiency",
            Self::Throughput => "Throughput",
        }
    }

    /// Title of its axis.
    pub fn axis(self) -> &'static str {
        match self {
            Self::Speedup => "speed-up, X(N) / X(1)",
            Self::Efficiency => "efficiency, X(N) / N X(1)",
            Self::Throughput => "throughput, operations/s",
        }
    }

    /// Of throughput `x` of `n` workers where the law says that one does `gamma`.
    pub fn of(self, n: f64, x: f64, gamma: f64) -> f64 {
        match self {
            Self::Speedup => x / gamma,
            Self::Efficiency => x / (gamma * n),
            Self::Throughput => x,
        }
    }
}
