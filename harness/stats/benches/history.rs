//! Is a change in a history one? `cargo bench -p amdahl-stats --bench history -- [SIMULATIONS [SEED]]`
//!
//! Simulated series of known truth through the very function that judges, in one configuration: how often a series without a change is
//! flagged, how often a shift is found, alone and in a family of 1,000; whether p's tail holds beyond the simulated quantiles; and the time for
//! 1,000 series of 1,000 points. Every share with its 95 % interval (Wilson). What the interval rules out ends it with status 1.

use std::process::ExitCode;
use std::time::Instant;

use amdahl_stats::{
    BREAK_P_MAX, BREAKS_Q, SplitMix, breaks, critical_z, detectable_sigma, p_of_largest,
    smallest_break_p,
};

const SEED: u64 = 20_261_124;
const MARGIN: f64 = 0.01;

#[derive(Clone, Copy)]
enum Noise {
    Normal,
    Lognormal,
    /// One point in 20 lies 20 spreads above: its standard deviation is 4.5 times that of the others.
    Spikes,
    Correlated(f64),
}

const CALM: [(&str, Noise); 3] =
    [("normal", Noise::Normal), ("lognormal", Noise::Lognormal), ("spikes", Noise::Spikes)];

/// Values of standard deviation 1 (of the body, where there are spikes) times `sd` around 100.
fn series(noise: Noise, n: usize, sd: f64, rng: &mut SplitMix) -> Vec<f64> {
    let mut last = rng.normal();
    let mut draw = || match noise {
        Noise::Normal => rng.normal(),
        // exp of a normal of sigma 1, centred and scaled to standard deviation 1.
        Noise::Lognormal => (rng.normal().exp() - 1.648_721) / 2.161_197,
        Noise::Spikes if rng.below(20) == 0 => 20.0,
        Noise::Spikes => rng.normal(),
        Noise::Correlated(r) => {
            last = r * last + (1.0 - r * r).sqrt() * rng.normal();
            last
        }
    };
    (0..n).map(|_| 100.0 + sd * draw()).collect()
}

fn shift(mut values: Vec<f64>, at: usize, by: f64) -> Vec<f64> {
    values[at..].iter_mut().for_each(|v| *v += by);
    values
}

fn flagged(values: &[f64]) -> bool {
    !breaks(&[values], MARGIN)[0].changes.is_empty()
}

/// A change in the right direction, at most so many points off.
fn found(changes: &[amdahl_stats::Break], at: usize, up: bool) -> bool {
    changes.iter().any(|c| c.index.abs_diff(at) <= 5 && (c.after > c.before) == up)
}

struct Bench {
    simulations: usize,
    rng: SplitMix,
    failed: bool,
}

impl Bench {
    fn share(&mut self, what: &str, limit: (f64, f64), mut hit: impl FnMut(&mut SplitMix) -> bool) {
        let hits = (0..self.simulations).filter(|_| hit(&mut self.rng)).count();
        self.print(what, limit, hits, self.simulations);
    }

    fn print(&mut self, what: &str, (least, most): (f64, f64), hits: usize, n: usize) {
        let (lo, hi) = wilson(hits, n);
        let wrong = hi < least || lo > most;
        self.failed |= wrong;
        let p = hits as f64 / n as f64;
        println!("{what:<66} {p:.4} [{lo:.4}, {hi:.4}]{}", if wrong { "  WRONG" } else { "" });
    }
}

fn wilson(hits: usize, n: usize) -> (f64, f64) {
    let (n, z) = (n as f64, 1.96_f64);
    let p = hits as f64 / n;
    let centre = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    ((centre - half).max(0.0), centre + half)
}

const ANY: (f64, f64) = (0.0, 1.0);

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1).filter(|a| a != "--bench");
    let simulations = args.next().and_then(|a| a.parse().ok()).unwrap_or(10_000);
    let seed = args.next().and_then(|a| a.parse().ok()).unwrap_or(SEED);
    let mut bench = Bench { simulations, rng: SplitMix::new(seed), failed: false };
    println!(
        "{simulations} simulations each, seed {seed}; p at most {BREAK_P_MAX}, q {BREAKS_Q}, margin {MARGIN}\n"
    );
    silence(&mut bench);
    power(&mut bench);
    families(&mut bench);
    tails(&mut bench);
    told(&mut bench);
    cost(&mut bench);
    if bench.failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn silence(bench: &mut Bench) {
    println!("Series without a change that are flagged, each judged alone");
    for n in [30, 100, 300] {
        for (name, noise) in CALM {
            let what = format!("  {n} points, {name}");
            bench.share(&what, (0.0, 0.01), |rng| flagged(&series(noise, n, 5.0, rng)));
        }
    }
    for (r, n, most) in [(0.3, 100, 0.05), (0.3, 300, 1.0), (0.5, 100, 1.0)] {
        let what = format!("  {n} points, AR(1) {r}");
        let noise = Noise::Correlated(r);
        bench.share(&what, (0.0, most), |rng| flagged(&series(noise, n, 5.0, rng)));
    }
}

fn power(bench: &mut Bench) {
    println!("\nShifts found, within 5 points of their place; 5 % noise");
    for (sigma, after, least) in [
        (2.0, 7, 0.0),
        (2.0, 10, 0.0),
        (2.0, 12, 0.0),
        (2.0, 15, 0.95),
        (2.0, 20, 0.95),
        (2.0, 50, 0.95),
        (2.0, 85, 0.95),
        (1.0, 50, 0.0),
        (1.5, 25, 0.0),
    ] {
        for (name, noise) in CALM {
            let what = format!("  100 points, {sigma} sigma, {after} after it, {name}");
            // Sigma is that of the body, so with spikes the shift is below half a standard deviation: told, not required.
            let least = if matches!(noise, Noise::Spikes) { 0.0 } else { least };
            bench.share(&what, (least, 1.0), |rng| {
                let values = shift(series(noise, 100, 5.0, rng), 100 - after, 5.0 * sigma);
                found(&breaks(&[&values], MARGIN)[0].changes, 100 - after, true)
            });
        }
    }
    for after in [15, 50, 85] {
        let what = format!("  100 points, 2 standard deviations, {after} after it, spikes");
        bench.share(&what, (0.95, 1.0), |rng| {
            let values = shift(series(Noise::Spikes, 100, 5.0, rng), 100 - after, 5.0 * 2.0 * 4.47);
            found(&breaks(&[&values], MARGIN)[0].changes, 100 - after, true)
        });
    }
    for n in [30, 50, 200, 1000] {
        let what = format!("  {n} points, 2 sigma, 15 after it, normal");
        bench.share(&what, ANY, |rng| {
            let values = shift(series(Noise::Normal, n, 5.0, rng), n - 15, -10.0);
            found(&breaks(&[&values], MARGIN)[0].changes, n - 15, false)
        });
        let seen = detectable_sigma(n, 15).map_or("none".to_owned(), |s| format!("{s:.1} sigma"));
        println!("    told as found in 95 % with 15 points after it: {seen}");
    }
    for (from, to, sigma) in [(40, 60, 2.0), (30, 70, 2.0), (40, 60, 3.0), (40, 60, 10.0)] {
        let what = format!("  100 points, {sigma} sigma up at {from}, down at {to}, both found");
        bench.share(&what, ANY, |rng| {
            let up = shift(series(Noise::Normal, 100, 5.0, rng), from, 5.0 * sigma);
            let changes = &breaks(&[&shift(up, to, -5.0 * sigma)], MARGIN)[0].changes;
            found(changes, from, true) && found(changes, to, false)
        });
    }
}

/// 1,000 series of 100 points: silence, and what a few changes among them need.
fn families(bench: &mut Bench) {
    println!("\n1,000 series of 100 points judged together, 20 families each");
    for changed in [0, 1, 10, 100] {
        let (mut false_ones, mut seen, mut called) = (0, 0, 0);
        for _ in 0..20 {
            let family: Vec<Vec<f64>> = (0..1000)
                .map(|i| {
                    let quiet = series(Noise::Normal, 100, 5.0, &mut bench.rng);
                    if i < changed { shift(quiet, 85, 10.0) } else { quiet }
                })
                .collect();
            let judged = breaks(&family.iter().map(Vec::as_slice).collect::<Vec<_>>(), MARGIN);
            let hit = |l: &amdahl_stats::Levels| !l.changes.is_empty();
            seen += judged[..changed].iter().filter(|l| hit(l)).count();
            false_ones += judged[changed..].iter().filter(|l| hit(l)).count();
            called += judged.iter().filter(|l| hit(l)).count();
        }
        let what = format!("  {changed} changed by 2 sigma: quiet ones flagged");
        bench.print(&what, (0.0, 0.01), false_ones, 20 * (1000 - changed));
        if changed > 0 {
            bench.print("    found, 15 points after it", ANY, seen, 20 * changed);
            bench.print("    false among the called", (0.0, BREAKS_Q), false_ones, called);
        }
    }
}

/// p as told against as many permutations as it takes.
fn tails(bench: &mut Bench) {
    println!("\nThe tail of p: as told, and the share of fresh permutations that get there");
    for (n, draws) in [(30_usize, 10_000_000_usize), (100, 10_000_000), (300, 3_000_000)] {
        let mut ranks: Vec<f64> = (0..n).map(|r| r as f64).collect();
        let told = [1e-2, 1e-3, 5e-4, 1e-4, 1e-5];
        let at = told.map(|p| critical_z(n, p).unwrap_or(f64::INFINITY));
        let mut hits = [0; 5];
        // The search in its simplest form: another one than the judge's own.
        let sd = |k: usize| (k as f64 * (n - k) as f64 * (n + 1) as f64 / 12.0).sqrt();
        let sds: Vec<f64> = (0..n).map(sd).collect();
        for _ in 0..draws.min(draws / 10_000 * bench.simulations) {
            bench.rng.shuffle(&mut ranks);
            let (mut sum, mut z) = (0.0, 0.0_f64);
            for k in 1..=n - 5 {
                sum += ranks[k - 1] - (n - 1) as f64 / 2.0;
                if k >= 5 {
                    z = z.max(sum.abs() / sds[k]);
                }
            }
            (0..5).for_each(|i| hits[i] += usize::from(z >= at[i]));
        }
        let draws = draws.min(draws / 10_000 * bench.simulations);
        for (p, hits) in told.into_iter().zip(hits) {
            // The table itself is a sample: a tenth of 1e-2 is its own error.
            bench.print(&format!("  {n} points, p {p:e}"), (0.0, p * 1.25), hits, draws);
            println!("{:>78}", format!("{:.2} of p", hits as f64 / draws as f64 / p));
        }
        println!("    smallest attainable p of {n} points: {:.1e}", smallest_break_p(n));
    }
    assert!(p_of_largest(100, 6.0) < 1e-6);
}

/// p of the whole search, places and stretches, as it is told.
fn told(bench: &mut Bench) {
    println!("\nSeries without a change whose clearest one is told with at most this p");
    for (n, times) in [(30, 100), (100, 100), (300, 20)] {
        let draws = times * bench.simulations;
        let levels = [1e-2, 1e-3, 1e-4];
        let mut hits = [0; 3];
        for _ in 0..draws {
            let p = breaks(&[&series(Noise::Normal, n, 5.0, &mut bench.rng)], MARGIN)[0].p;
            (0..3).for_each(|i| hits[i] += usize::from(p <= levels[i]));
        }
        for (level, hits) in levels.into_iter().zip(hits) {
            bench.print(&format!("  {n} points, p {level:e}"), (0.0, level * 1.25), hits, draws);
        }
    }
}

fn cost(bench: &mut Bench) {
    let family: Vec<Vec<f64>> = (0..1000)
        .map(|i| {
            let quiet = series(Noise::Normal, 1000, 5.0, &mut bench.rng);
            if i % 2 == 0 { quiet } else { shift(quiet, 100 + i / 2, 10.0) }
        })
        .collect();
    let begin = Instant::now();
    let judged = breaks(&family.iter().map(Vec::as_slice).collect::<Vec<_>>(), MARGIN);
    let changed = judged.iter().filter(|l| !l.changes.is_empty()).count();
    let seconds = begin.elapsed().as_secs_f64();
    println!("\n1,000 series of 1,000 points, {changed} changed: {seconds:.2} s, tables included");
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        let peak = status.lines().find(|l| l.starts_with("VmHWM")).unwrap_or("VmHWM: not told");
        println!("{peak}");
    }
    bench.failed |= seconds > 10.0;
}
