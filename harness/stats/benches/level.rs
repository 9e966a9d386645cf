//! Does red mean red? `cargo bench -p amdahl-stats --bench level -- [SIMULATIONS]`
//!
//! Simulated differences of known truth through the very functions that judge: the level of the test at its margin, of its repeated
//! looks, of a family with its confirmation; the power for given spreads; the coverage of the intervals of effects. Every figure
//! with its 95 % interval (Wilson). A level above 5 %, or a coverage outside of 93 to 97 %, ends it with status 1.

use std::process::ExitCode;

use amdahl_stats::{
    ALPHA, Change, LOOKS, Margins, SplitMix, confirm, decide, decide_family, decide_look, paired,
    unpaired,
};

const SEED: u64 = 20_261_123;

/// How differences scatter around their centre, in units of a spread.
#[derive(Clone, Copy)]
enum Shape {
    Normal,
    /// One pair in ten has ten times the spread: stalls.
    Spikes,
    /// Student's t with three degrees of freedom.
    Heavy,
    /// Lognormal, centred at its pseudomedian: not symmetric, so the test's assumption does not hold.
    Skewed,
}

const SHAPES: [(&str, Shape); 4] = [
    ("normal", Shape::Normal),
    ("spikes", Shape::Spikes),
    ("heavy tails", Shape::Heavy),
    ("skewed", Shape::Skewed),
];

fn draw(shape: Shape, rng: &mut SplitMix) -> f64 {
    match shape {
        Shape::Normal => rng.normal(),
        Shape::Spikes if rng.below(10) == 0 => 10.0 * rng.normal(),
        Shape::Spikes => rng.normal(),
        Shape::Heavy => {
            let chi: f64 = (0..3).map(|_| rng.normal().powi(2)).sum();
            rng.normal() / (chi / 3.0).sqrt()
        }
        // A difference of two independent lognormals of unlike spread; see METHODOLOGY.
        Shape::Skewed => (0.5 * rng.normal()).exp() - PSEUDOMEDIAN,
    }
}

/// Of exp(N / 2): median of (X + Y) / 2, by a million draws.
const PSEUDOMEDIAN: f64 = 1.0599;

fn sample(shape: Shape, n: usize, centre: f64, spread: f64, rng: &mut SplitMix) -> Vec<f64> {
    (0..n).map(|_| centre + spread * draw(shape, rng)).collect()
}

/// Counts, and what was wrong.
struct Bench {
    simulations: usize,
    rng: SplitMix,
    failed: bool,
}

impl Bench {
    /// The share of simulations in which `hit` is true, printed.
    fn share(
        &mut self,
        what: &str,
        limit: Option<(f64, f64)>,
        mut hit: impl FnMut(&mut SplitMix) -> bool,
    ) {
        let hits = (0..self.simulations).filter(|_| hit(&mut self.rng)).count();
        let (lo, hi) = wilson(hits, self.simulations);
        let p = hits as f64 / self.simulations as f64;
        // What the interval can't exclude is no failure.
        let wrong = limit.is_some_and(|(least, most)| hi < least || lo > most);
        self.failed |= wrong;
        println!("{what:<74} {p:.4} [{lo:.4}, {hi:.4}]{}", if wrong { "  WRONG" } else { "" });
    }
}

fn wilson(hits: usize, n: usize) -> (f64, f64) {
    let (n, z) = (n as f64, 1.96_f64);
    let p = hits as f64 / n;
    let centre = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    (centre - half, centre + half)
}

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1).filter(|a| a != "--bench");
    let simulations = args.next().and_then(|a| a.parse().ok()).unwrap_or(2000);
    let mut bench = Bench { simulations, rng: SplitMix::new(SEED), failed: false };
    println!("{simulations} simulations each, seed {SEED}\n");
    levels(&mut bench);
    looks(&mut bench);
    families(&mut bench);
    powers(&mut bench);
    coverage(&mut bench);
    if bench.failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

const LEVEL: Option<(f64, f64)> = Some((0.0, ALPHA));

fn changed(change: Change) -> bool {
    matches!(change, Change::Higher | Change::Lower)
}

/// At the margin itself, where errors are most frequent.
fn levels(bench: &mut Bench) {
    println!("Level: called changed though the change is just the margin (or none)");
    let m = Margins::default();
    for (name, shape) in SHAPES {
        for n in [12, 24, 48] {
            for spread in [0.001, 0.02, 0.2] {
                let what = format!("  {n} pairs, {name}, spread {spread}, change +1 %");
                bench.share(&what, LEVEL, |rng| {
                    changed(
                        decide(&paired(&sample(shape, n, 1.01_f64.ln(), spread, rng), m)).change,
                    )
                });
            }
        }
        let what = format!("  12 pairs, {name}, spread 0.02, no change");
        bench.share(&what, LEVEL, |rng| {
            changed(decide(&paired(&sample(shape, 12, 0.0, 0.02, rng), m)).change)
        });
        let what = format!("  12 pairs, {name}, spread 0.01, +3 % called equivalent");
        bench.share(&what, LEVEL, |rng| {
            decide(&paired(&sample(shape, 12, 1.03_f64.ln(), 0.01, rng), m)).change
                == Change::Equivalent
        });
    }
    for n in [5, 8, 20] {
        let what = format!("  {n} trials a side, not paired, normal, spread 0.02, change +1 %");
        bench.share(&what, LEVEL, |rng| {
            let (a, b) = (
                sample(Shape::Normal, n, 0.0, 0.02, rng),
                sample(Shape::Normal, n, 1.01_f64.ln(), 0.02, rng),
            );
            changed(decide(&unpaired(&a, &b, m, 1)).change)
        });
    }
}

fn looked(values: &[f64]) -> (Change, usize) {
    let mut last = (Change::Inconclusive, 0);
    for (k, (n, _)) in LOOKS.into_iter().enumerate() {
        last = (decide_look(&paired(&values[..n], Margins::default()), k).change, n);
        if last.0 != Change::Inconclusive {
            break;
        }
    }
    last
}

fn looks(bench: &mut Bench) {
    println!("\nThree looks, 12, 24 and 48 pairs");
    let bare = Margins { regression: 0.0, equivalence: 0.03 };
    for (name, shape) in SHAPES.into_iter().take(3) {
        let what = format!("  {name}, no margin, no change, called changed at any look");
        bench.share(&what, LEVEL, |rng| {
            let values = sample(shape, 48, 0.0, 0.2, rng);
            LOOKS
                .into_iter()
                .enumerate()
                .any(|(k, (n, _))| changed(decide_look(&paired(&values[..n], bare), k).change))
        });
    }
    for (name, shape) in SHAPES {
        for spread in [0.001, 0.02, 0.2] {
            let what = format!("  {name}, spread {spread}, change +1 % called changed");
            bench.share(&what, LEVEL, |rng| {
                changed(looked(&sample(shape, 48, 1.01_f64.ln(), spread, rng)).0)
            });
        }
        let what = format!("  {name}, spread 0.01, change +3 % called equivalent");
        bench.share(&what, LEVEL, |rng| {
            looked(&sample(shape, 48, 1.03_f64.ln(), 0.01, rng)).0 == Change::Equivalent
        });
    }
}

/// 60 cells, none changed: any alarm in a report; and with 6 changed ones the share of false among the called.
fn families(bench: &mut Bench) {
    println!("\nFamilies of 60 cells, 12 pairs each, one confirmation");
    for (name, shape) in SHAPES {
        let report = |rng: &mut SplitMix, truth: &dyn Fn(usize) -> f64| -> Vec<bool> {
            let mut draw = |cell: usize| {
                paired(&sample(shape, 12, truth(cell), 0.02, rng), Margins::default())
            };
            let first = decide_family(&(0..60).map(&mut draw).collect::<Vec<_>>());
            let second: Vec<_> =
                first.iter().enumerate().map(|(c, d)| changed(d.change).then(|| draw(c))).collect();
            confirm(&first, &second).iter().map(|d| changed(d.change)).collect()
        };
        let what = format!("  {name}, spread 0.02, none changed: any alarm");
        bench.share(&what, LEVEL, |rng| report(rng, &|_| 0.0).contains(&true));
        let what = format!("  {name}, spread 0.02, all at the margin: any alarm");
        bench.share(&what, LEVEL, |rng| report(rng, &|_| 1.01_f64.ln()).contains(&true));
        let (mut called, mut wrong) = (0_usize, 0_usize);
        let truth = |cell: usize| if cell < 6 { 1.10_f64.ln() } else { 0.0 };
        let what = format!("  {name}, spread 0.02, 6 of 60 at +10 %: all six found");
        bench.share(&what, None, |rng| {
            let found = report(rng, &truth);
            called += found.iter().filter(|f| **f).count();
            wrong += found[6..].iter().filter(|f| **f).count();
            found[..6].iter().all(|f| *f)
        });
        println!("    false among the called: {wrong} of {called}");
    }
}

/// What spread still lets a change be found.
fn powers(bench: &mut Bench) {
    println!("\nPower of the three looks, normal");
    for (change, spreads) in
        [(1.02, [0.005, 0.01, 0.02]), (1.05, [0.02, 0.04, 0.07]), (1.10, [0.05, 0.1, 0.2])]
    {
        for spread in spreads {
            let mut pairs = 0;
            let what = format!("  change {change}, spread {spread}");
            bench.share(&what, None, |rng| {
                let (verdict, n) = looked(&sample(Shape::Normal, 48, f64::ln(change), spread, rng));
                pairs += n;
                verdict == Change::Higher
            });
            println!("    pairs used, mean: {:.1}", pairs as f64 / bench.simulations as f64);
        }
    }
}

fn coverage(bench: &mut Bench) {
    println!("\nCoverage of the 95 % interval of the effect");
    for (name, shape) in SHAPES {
        for n in [12, 24, 48] {
            let what = format!("  {n} pairs, {name}, spread 0.02, change +5 %");
            // An exact test's interval at 12 pairs covers at least 95 %: its steps are coarse.
            let limit = if matches!(shape, Shape::Skewed) { None } else { Some((0.93, 0.97)) };
            bench.share(&what, limit, |rng| {
                let e = paired(&sample(shape, n, 1.05_f64.ln(), 0.02, rng), Margins::default());
                e.ratio.is_some_and(|i| i.lo <= 1.05 && 1.05 <= i.hi)
            });
        }
    }
}
