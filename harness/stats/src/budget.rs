//! The loss budget: where the ideal N went.

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
