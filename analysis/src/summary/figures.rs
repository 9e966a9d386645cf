//! What each figure shows.

use amdahl_stats::{Budget, Verdict};

use super::Estimate;

/// All models of one workload at a glance.
#[derive(Debug, Clone, PartialEq)]
pub struct GlanceFigure {
    /// Workload id.
    pub workload: String,
    /// One a model with a usable block, at its decisive N.
    pub rows: Vec<GlanceRow>,
    /// Models without one.
    pub left_out: usize,
}

/// One model at its decisive N.
#[derive(Debug, Clone, PartialEq)]
pub struct GlanceRow {
    /// Model id.
    pub model: String,
    /// Decision.
    pub verdict: Verdict,
    /// Speed-up, ceiling and blocks.
    pub point: SpeedupPoint,
}

/// Speed-up (or throughput ratio) against N for one workload.
#[derive(Debug, Clone, PartialEq)]
pub struct SpeedupFigure {
    /// Workload id.
    pub workload: String,
    /// CPUs available.
    pub cpus_available: u32,
    /// One a model.
    pub series: Vec<SpeedupSeries>,
}

/// A model's speed-ups.
#[derive(Debug, Clone, PartialEq)]
pub struct SpeedupSeries {
    /// Model id.
    pub model: String,
    /// By N, ascending, from the smallest N >= 2.
    pub points: Vec<SpeedupPoint>,
}

/// One model at one N.
#[derive(Debug, Clone, PartialEq)]
pub struct SpeedupPoint {
    /// N.
    pub workers: u32,
    /// Over blocks; absent with fewer than two.
    pub speedup: Option<Estimate>,
    /// Ceiling at N / model at 1.
    pub ceiling: Option<Estimate>,
    /// One a used block: block, speed-up, ceiling.
    pub blocks: Vec<(u32, f64, Option<f64>)>,
}

impl SpeedupPoint {
    /// Where a marker goes: the mean, or the only block.
    pub fn centre(&self) -> Option<f64> {
        self.speedup.map(|s| s.value).or_else(|| self.blocks.first().map(|b| b.1))
    }
}

/// Latency of one workload.
#[derive(Debug, Clone, PartialEq)]
pub struct LatencyFigure {
    /// Workload id.
    pub workload: String,
    /// By N, then model.
    pub curves: Vec<LatencyCurve>,
    /// The worker counts that get a panel.
    pub panel_workers: Vec<u32>,
}

/// A model's latency at one N.
#[derive(Debug, Clone, PartialEq)]
pub struct LatencyCurve {
    /// Model id.
    pub model: String,
    /// N.
    pub workers: u32,
    /// One a trial: never merged.
    pub trials: Vec<TrialCurve>,
    /// Geometric mean over trials of the latency at each level, where each trial has 20 operations
    /// beyond it.
    pub mean: Vec<CcdfPoint>,
    /// Percentiles, in the order of [`PERCENTILES`]; absent where fewer than 20 operations of some
    /// trial lie beyond.
    pub percentiles: Vec<Option<Estimate>>,
    /// Largest value of any trial, ns.
    pub max_ns: u64,
    /// Operations of all trials.
    pub operations: u64,
    /// Trials during which other programs held the CPUs for more than the limit for blocks.
    pub disturbed: usize,
    /// Measured cost of timing one operation, thousandths of a nanosecond; the largest of the trials.
    pub timer_cost_ps: Option<u64>,
}

/// Percentiles that tables print where they may.
pub const PERCENTILES: [f64; 5] = [50.0, 90.0, 99.0, 99.9, 99.99];

/// Operations that must lie beyond a percentile before it is printed.
pub const BEYOND_MIN: f64 = 20.0;

/// One trial's complementary distribution.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialCurve {
    /// Block.
    pub block: u32,
    /// Descending share.
    pub points: Vec<CcdfPoint>,
}

/// A point of a complementary distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CcdfPoint {
    /// Latency.
    pub latency_ns: f64,
    /// Share of operations that took longer.
    pub share: f64,
}

/// Who ran when, for one workload.
#[derive(Debug, Clone, PartialEq)]
pub struct TimelineFigure {
    /// Workload id.
    pub workload: String,
    /// Time shown from the begin of the first window, ns.
    pub span_ns: u64,
    /// One a model.
    pub panels: Vec<TimelinePanel>,
}

/// One trial of one model.
#[derive(Debug, Clone, PartialEq)]
pub struct TimelinePanel {
    /// Model id.
    pub model: String,
    /// N.
    pub workers: u32,
    /// Block it is from.
    pub block: u32,
    /// Share of the time that other programs held its CPUs, where that is above the limit for blocks.
    pub disturbed: Option<f64>,
    /// Usual time between the ends of two operations of one worker, ns (median).
    pub usual_ns: u64,
    /// By worker: stretches, from and to in ns.
    pub lanes: Vec<Lane>,
}

/// One worker's line in a timeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Lane {
    /// Worker.
    pub worker: u32,
    /// Operations followed one another at their usual pace.
    pub running: Vec<(u64, u64)>,
    /// One operation took more than three times the usual: the worker waited in it.
    pub waiting: Vec<(u64, u64)>,
}

/// Where the ideal N of each model went.
#[derive(Debug, Clone, PartialEq)]
pub struct BudgetFigure {
    /// Workload id.
    pub workload: String,
    /// One a model, at its decisive N.
    pub rows: Vec<BudgetRow>,
}

/// One model's loss budget.
#[derive(Debug, Clone, PartialEq)]
pub struct BudgetRow {
    /// Model id.
    pub model: String,
    /// N.
    pub workers: u32,
    /// Parts; absent where a trial lacks what they need.
    pub parts: Budget,
    /// Blocks they are means of.
    pub blocks: u32,
    /// Largest loss.
    pub limited_by: String,
    /// Its size over blocks; absent with one block, or where no loss exceeds 5 % of N.
    pub loss: Option<Estimate>,
}

/// Parts of a budget with key and label, in the order of figures and tables.
pub fn budget_parts(b: &Budget) -> [(&'static str, &'static str, f64); 8] {
    [
        ("achieved", "achieved", b.achieved),
        ("hardware", "hardware", b.hardware),
        ("blocked", "blocked", b.blocked),
        ("run_queue", "run queue", b.run_queue),
        ("steal_foreign", "steal and foreign", b.steal_foreign),
        ("imbalance", "imbalance", b.imbalance),
        ("no_progress", "no progress", b.no_progress),
        ("unexplained", "unexplained", b.unexplained),
    ]
}
