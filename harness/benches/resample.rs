//! The gate on noise of real machines: A/A pairs that were measured once, judged as so many reports. `cargo bench -p amdahl --bench resample -- [REPORTS] [FILE…]`
//!
//! A file is what `amdahl ab --json-out` wrote of something against itself; without any, those beside this bench, by machine state (made by
//! `aa/record.sh`). A report has 60 cells; each is a stretch of neighbouring pairs of one file, so whatever drifts or comes in bursts stays as it was.
//! The very engine of `amdahl ab` judges them, with its confirmation from the pairs that follow. Then the same with 2, 3 and 5 % more time of B
//! in every third cell, and how often the interval of a cell's ratio holds it. A change that is called where there is none, or in the wrong
//! direction, ends it with status 1.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use amdahl::ab::{Arms, CellSpec, Round, RoundCell, RoundPlan, Settings, judge};
use amdahl_gate::{Better, Cell, Metric, Verdict};
use amdahl_stats::{Margins, SplitMix};
use serde_json::Value;

const CELLS: usize = 60;
const SEED: u64 = 20_261_123;

/// The configuration of `ab`, as nobody has changed it.
const MARGINS: Margins = Margins { regression: 0.01, equivalence: 0.03 };

/// More time of B, in every third cell.
const CHANGES: [f64; 4] = [0.0, 0.02, 0.03, 0.05];

/// Pairs of one cell that was measured.
struct Pool {
    name: String,
    a: Vec<f64>,
    b: Vec<f64>,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let (numbers, files): (Vec<_>, Vec<_>) = args.iter().partition(|a| a.parse::<usize>().is_ok());
    let reports = numbers.first().map_or(60, |n| n.parse().expect("it was"));
    let strata = if files.is_empty() {
        ["quiet", "busy"].map(|s| (s.to_owned(), beside(s))).to_vec()
    } else {
        vec![("as given".to_owned(), files.into_iter().map(PathBuf::from).collect())]
    };
    println!("{reports} reports of {CELLS} cells each, every third cell changed");
    println!(
        "| state | change | unchanged cells called changed | equivalent | inconclusive | changed cells found | wrong direction | interval holds the ratio |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let mut silent = true;
    for (state, files) in strata {
        let pools: Vec<Pool> = files.iter().flat_map(|f| pools(f)).collect();
        let names: Vec<String> =
            pools.iter().map(|p| format!("{} ({})", p.name, p.a.len())).collect();
        eprintln!("{state}: {}", names.join(", "));
        for change in CHANGES {
            silent &= row(&state, &pools, change, reports);
        }
    }
    ExitCode::from(u8::from(!silent))
}

fn beside(state: &str) -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/aa").join(state);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&dir)
        .unwrap_or_else(|e| panic!("{}: {e}", dir.display()))
        .map(|f| f.expect("it can be listed").path())
        .collect();
    files.sort();
    files
}

/// What can be drawn from a file: cells that have more pairs than one sample needs.
fn pools(file: &Path) -> Vec<Pool> {
    let text = std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let json: Value =
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let values = |cell: &Value, key: &str| -> Vec<f64> {
        cell[key].as_array().into_iter().flatten().filter_map(Value::as_f64).collect()
    };
    let pool = |cell: &Value| Pool {
        name: cell["name"].as_str().unwrap_or("?").to_owned(),
        a: values(cell, "samples_a"),
        b: values(cell, "samples_b"),
    };
    let pools = json["cells"].as_array().into_iter().flatten().map(pool);
    pools.filter(|p| p.a.len() == p.b.len() && p.a.len() >= 36).collect()
}

/// Prints what came of one change; whether nothing was called changed that is not.
fn row(state: &str, pools: &[Pool], change: f64, reports: usize) -> bool {
    let [mut same, mut changed] = [Seen::default(), Seen::default()];
    for report in 0..reports {
        let mut replay = Replay::new(pools, change, SEED + report as u64);
        let settings = Settings { pairs: None, budget: None, sentinel: false, seed: 1 };
        let judged = judge(&mut replay, &settings, &mut |_| {}).expect("there are cells");
        for (k, cell) in judged.cells.iter().enumerate() {
            let seen = if ratio(k, change) > 1.0 { &mut changed } else { &mut same };
            seen.add(cell, ratio(k, change));
        }
    }
    let percent = |k: usize, n: usize| format!("{:.1} %", 100.0 * k as f64 / n.max(1) as f64);
    let mut line = format!("| {state} | +{:.0} % | ", 100.0 * change);
    let called = same.slower + same.faster;
    let _ = write!(line, "{called} of {} | ", same.n);
    let _ = write!(line, "{} | ", percent(same.equivalent, same.n));
    let _ = write!(line, "{} | ", percent(same.n - called - same.equivalent, same.n));
    if change > 0.0 {
        let _ = write!(line, "{} | {} | ", percent(changed.slower, changed.n), changed.faster);
    } else {
        line.push_str("- | - | ");
    }
    let of = if change > 0.0 { &changed } else { &same };
    println!("{line}{} |", percent(of.held, of.n));
    called + changed.faster == 0
}

/// Of B to A in cell `k`.
fn ratio(k: usize, change: f64) -> f64 {
    if k.is_multiple_of(3) { 1.0 + change } else { 1.0 }
}

#[derive(Default)]
struct Seen {
    n: usize,
    slower: usize,
    faster: usize,
    equivalent: usize,
    held: usize,
}

impl Seen {
    fn add(&mut self, cell: &Cell, ratio: f64) {
        self.n += 1;
        match cell.verdict {
            Verdict::Regressed => self.slower += 1,
            Verdict::Improved => self.faster += 1,
            Verdict::Equivalent => self.equivalent += 1,
            _ => {}
        }
        self.held += usize::from(cell.ratio.is_some_and(|r| r.lo <= ratio && ratio <= r.hi));
    }
}

/// Cells that were measured long ago: each goes on from where it began, round its pool.
struct Replay<'a> {
    specs: Vec<CellSpec>,
    /// Pool, next pair, ratio of B.
    cells: Vec<(&'a Pool, usize, f64)>,
}

impl<'a> Replay<'a> {
    fn new(pools: &'a [Pool], change: f64, seed: u64) -> Self {
        let mut rng = SplitMix::new(seed);
        let metric =
            Metric { name: "time".to_owned(), unit: "s".to_owned(), better: Better::Lower };
        let spec = |k| CellSpec { name: format!("{k}"), metric: metric.clone(), margins: MARGINS };
        let cell = |k: usize| {
            let pool = &pools[rng.below(pools.len() as u64) as usize];
            let at = rng.below(pool.a.len() as u64) as usize;
            (pool, at, ratio(k, change))
        };
        Self { specs: (0..CELLS).map(spec).collect(), cells: (0..CELLS).map(cell).collect() }
    }
}

impl Arms for Replay<'_> {
    fn cells(&self) -> &[CellSpec] {
        &self.specs
    }

    fn round(&mut self, _: &RoundPlan) -> anyhow::Result<Option<Round>> {
        let next = |(pool, at, ratio): &mut (&Pool, usize, f64)| {
            let i = *at % pool.a.len();
            *at += 1;
            RoundCell { a: Ok(pool.a[i]), b: Ok(pool.b[i] * *ratio), sentinel: None }
        };
        let cells = self.cells.iter_mut().map(next).collect();
        Ok(Some(Round { cells, ..Round::default() }))
    }

    fn narrow(&mut self, keep: &[usize]) {
        self.specs = keep.iter().map(|k| self.specs[*k].clone()).collect();
        self.cells = keep.iter().map(|k| self.cells[*k]).collect();
    }
}
