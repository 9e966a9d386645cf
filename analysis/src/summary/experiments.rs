//! What is shown besides the answer: a known serial share, strong and weak scaling, memory, start-up, and
//! the cost of timing.

use super::Estimate;

/// Karp and Flatt's e(N) against the serial share that the workload was told to have.
#[derive(Debug, Clone, PartialEq)]
pub struct SerialFigure {
    /// One a model × share, at its decisive N.
    pub rows: Vec<SerialRow>,
}

/// One model at one share.
#[derive(Debug, Clone, PartialEq)]
pub struct SerialRow {
    /// Model id.
    pub model: String,
    /// N.
    pub workers: u32,
    /// Share of each operation that is done under a lock.
    pub share: f64,
    /// e(N) over blocks; absent with fewer than two.
    pub e: Option<Estimate>,
    /// e(N) of each used block.
    pub blocks: Vec<f64>,
    /// Blocks dropped, by the rules of the verdict.
    pub dropped: u32,
    /// What e(N) is to be compared with.
    pub expected: Expected,
    /// First reason, where nothing was measured.
    pub why: Option<String>,
}

/// What theory expects of e(N).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// The injected share: the model's threads run in parallel otherwise.
    Share,
    /// 1, whatever the share: the model runs one at a time anyway, by its verdict on `cpu` or, without
    /// one, by what its runtime says.
    One,
}

impl SerialRow {
    /// What e(N) should be.
    pub fn expectation(&self) -> f64 {
        match self.expected {
            Expected::Share => self.share,
            Expected::One => 1.0,
        }
    }

    /// e(N) minus what it should be, with its interval.
    pub fn bias(&self) -> Option<Estimate> {
        let (e, to) = (self.e?, self.expectation());
        let ci95 = e.ci95.map(|(lo, hi)| (lo - to, hi - to));
        Some(Estimate { value: e.value - to, ci95, n: e.n })
    }

    /// What the interval says of what is expected.
    pub fn finding(&self) -> Option<Finding> {
        let (lo, hi) = self.bias()?.ci95?;
        let miss = lo.max(0.0) + hi.min(0.0);
        Some(match miss {
            0.0 if hi - lo > 2.0 * E_HALF_MAX => Finding::TooWide,
            0.0 => Finding::Holds,
            _ => Finding::Misses(miss),
        })
    }
}

/// An interval of e(N) that reaches further to either side holds almost anything, and so tells nothing.
pub const E_HALF_MAX: f64 = 0.1;

/// What an interval says of the value that is expected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Finding {
    /// It holds it.
    Holds,
    /// It holds it, but is wider than twice [`E_HALF_MAX`].
    TooWide,
    /// It misses it by so much: positive where it lies above.
    Misses(f64),
}

/// Efficiency (speed-up / N) of jobs with a barrier at their end, under strong and weak scaling.
#[derive(Debug, Clone, PartialEq)]
pub struct ScalingFigure {
    /// CPUs available.
    pub cpus_available: u32,
    /// By model, then N.
    pub rows: Vec<ScalingRow>,
}

/// One model at one N.
#[derive(Debug, Clone, PartialEq)]
pub struct ScalingRow {
    /// Model id.
    pub model: String,
    /// N.
    pub workers: u32,
    /// One job split into N parts.
    pub strong: Option<Estimate>,
    /// A job for each worker.
    pub weak: Option<Estimate>,
    /// Gustafson's serial share of the same.
    pub gustafson: Option<Estimate>,
}

/// Throughput of memory-bound work.
#[derive(Debug, Clone, PartialEq)]
pub struct MemoryRow {
    /// Model id.
    pub model: String,
    /// Workload with its parameters.
    pub workload: String,
    /// What is counted.
    pub kind: MemoryKind,
    /// N.
    pub workers: u32,
    /// Whether this N decides.
    pub decisive: bool,
    /// One worker alone.
    pub one: Option<Estimate>,
    /// All N together.
    pub all: Option<Estimate>,
    /// Rate at N / rate at 1.
    pub speedup: Option<Estimate>,
    /// Ceiling at N / model at 1.
    pub ceiling: Option<Estimate>,
    /// Largest loss.
    pub limited_by: String,
    /// Bytes of each worker's table.
    pub bytes: Option<u64>,
    /// Blocks used.
    pub blocks: u32,
    /// Blocks dropped.
    pub dropped: u32,
}

/// What an operation of `mem` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryKind {
    /// Dependent loads: estimates are ns a load.
    Chase,
    /// Sums of a stream: estimates are bytes a second.
    Stream,
}

/// Median and range over trials.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Median.
    pub median: f64,
    /// Smallest.
    pub lo: f64,
    /// Largest.
    pub hi: f64,
    /// Number of trials.
    pub n: usize,
}

impl Spread {
    /// In another unit.
    pub fn scaled(self, by: f64) -> Self {
        Self { median: self.median * by, lo: self.lo * by, hi: self.hi * by, n: self.n }
    }
}

/// Start-up of one model, outside every window.
#[derive(Debug, Clone, PartialEq)]
pub struct StartRow {
    /// Model id.
    pub model: String,
    /// Spawn to hello, ns, over all its trials.
    pub spawn: Option<Spread>,
    /// Prepare to parked, ns, by workload and N.
    pub setups: Vec<Setup>,
}

/// Prepare to parked of one workload at one N.
#[derive(Debug, Clone, PartialEq)]
pub struct Setup {
    /// Workload.
    pub workload: String,
    /// N.
    pub workers: u32,
    /// Whether the text shows it; the data file has all.
    pub shown: bool,
    /// All N workers, ns.
    pub all: Spread,
    /// Peak resident memory of all its processes, bytes, in the throughput pass.
    pub peak_rss: Option<Spread>,
    /// Proportional resident memory once all were parked again, bytes.
    pub pss: Option<Spread>,
}

/// What timing an operation costs one runtime.
#[derive(Debug, Clone, PartialEq)]
pub struct TimerRow {
    /// Runtime with its label.
    pub runtime: String,
    /// Clocks it named.
    pub timers: Vec<String>,
    /// Its own measurement, ns, over processes.
    pub cost: Option<Spread>,
    /// What timing adds to an operation that does nothing.
    pub noop: Option<NoopCost>,
}

/// An operation of `noop` at N = 1 in both passes, ns; over the blocks that have both.
#[derive(Debug, Clone, PartialEq)]
pub struct NoopCost {
    /// Model id.
    pub model: String,
    /// Not timed.
    pub bare: Estimate,
    /// Each one timed and recorded.
    pub timed: Estimate,
    /// Difference.
    pub added: Estimate,
}

/// How fast the CPUs of a virtual machine ran just before and after the trials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CpuSpeeds {
    /// Trials that were run.
    pub trials: usize,
    /// Trials whose CPUs were timed.
    pub timed: usize,
    /// Those among them with a usual speed to compare with.
    pub compared: usize,
    /// Those among them with a CPU that needed over 10 % more time than usual.
    pub slow: usize,
    /// Time spent on looking and waiting, ns.
    pub settle_ns: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_misses_by_what_it_lacks_to_hold_what_is_expected() {
        let row = |share, lo, hi, expected| SerialRow {
            model: "cpp/threads".to_owned(),
            workers: 2,
            share,
            e: Some(Estimate { value: f64::midpoint(lo, hi), ci95: Some((lo, hi)), n: 3 }),
            blocks: vec![],
            dropped: 0,
            expected,
            why: None,
        };
        let misses = |r: SerialRow, by: f64| match r.finding() {
            Some(Finding::Misses(miss)) => (miss - by).abs() < 1e-9,
            _ => false,
        };
        assert_eq!(row(0.25, 0.24, 0.26, Expected::Share).finding(), Some(Finding::Holds));
        assert_eq!(row(0.25, 0.98, 1.02, Expected::One).finding(), Some(Finding::Holds));
        assert_eq!(row(0.25, 0.10, 0.40, Expected::Share).finding(), Some(Finding::TooWide));
        assert!(misses(row(0.25, 0.27, 0.29, Expected::Share), 0.02));
        assert!(misses(row(0.25, 0.20, 0.24, Expected::Share), -0.01));
        assert!(misses(row(0.25, 0.40, 0.90, Expected::Share), 0.15));
        let one_block = SerialRow { e: None, ..row(0.25, 0.2, 0.3, Expected::Share) };
        assert_eq!(one_block.finding(), None);
    }
}
