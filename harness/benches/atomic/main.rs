//! What two threads that add to one counter cost, by four programs. `cargo bench -p amdahl --bench atomic -- 20`
//!
//! In each round, in an order that changes: a bare loop of two pinned threads, launched four times; `amdahl run` with
//! `lock=atomic`, no other work and four blocks, so four launches of its worker; divan and Google Benchmark once. Where
//! there are four the median counts, because a launch has the luck of where its memory lies. A figure is ns of wall time
//! an addition of either thread: two threads that make one each in 30 ns take 15 ns an addition. The bare loop is the
//! reference: ratios are taken within a round. If the interval of ours to it leaves 0.95 to 1.05, the bench ends with status 1.
//! A round in which other programs used over 5 % of the machine is made again, whatever it gave.
//! divan and Google Benchmark are built here on the fly, and left out with the reason where they can't be.
//! On a quiet machine only; some 6 s a round.

mod bare;
mod others;
mod peers;

use std::process::{Command, ExitCode};

use amdahl_schema::{Arm, Pass, Trial, read_run};
use amdahl_stats::log_t_interval;

/// Where the interval of ours has to lie.
const AGREES: std::ops::RangeInclusive<f64> = 0.95..=1.05;

/// Of the bare loop and of ours, a round.
const LAUNCHES: usize = 4;

/// A round's launches to ns an addition, or why there are none.
type Launch = Box<dyn Fn() -> Result<f64, String>>;

struct Program {
    name: String,
    launch: Launch,
    /// By round.
    ns: Vec<Option<f64>>,
}

fn main() -> ExitCode {
    // cargo adds `--bench`; without a number (as in `make bench`) three rounds show that it works.
    let mut args = std::env::args().skip(1).filter(|a| a != "--bench");
    let first = args.next();
    if first.as_deref() == Some(bare::ARG) {
        return bare::main(&args.collect::<Vec<_>>());
    }
    let rounds: usize = first.map_or(3, |n| n.parse().expect("the number of rounds"));
    let cpus = bare::cpus();
    let [a, b] = cpus;
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut programs = vec![
        program("bare loop, pinned", move || {
            let all: Result<Vec<f64>, String> = (0..LAUNCHES).map(|_| bare::launch(cpus)).collect();
            all.map(median)
        }),
        program("amdahl run, lock=atomic", ours),
    ];
    for peer in [peers::divan(dir.path()), peers::google(dir.path())] {
        match peer {
            Ok(peer) => programs.push(program(&peer.name.clone(), move || peer.launch(cpus))),
            Err(why) => eprintln!("left out: {why}"),
        }
    }
    let (mut used, mut spoiled) = (0, 0);
    // On a machine that never falls quiet it ends all the same.
    for round in 0..3 * rounds {
        let before = others::before();
        let mut figures = vec![None; programs.len()];
        for k in turns(round, programs.len()) {
            let ns = (programs[k].launch)();
            if let Err(why) = &ns {
                eprintln!("round {round}, {}: {why}", programs[k].name);
            }
            figures[k] = ns.ok();
        }
        let share = others::share_since(before.as_ref()).unwrap_or(0.0);
        let shown = figures.iter().map(|f| f.map_or("-".to_owned(), |ns| format!("{ns:.2}")));
        eprintln!(
            "round {round}: {}; others {:.1} %",
            shown.collect::<Vec<_>>().join("  "),
            share * 100.0
        );
        if share > others::ALLOWED {
            spoiled += 1;
            continue;
        }
        programs.iter_mut().zip(figures).for_each(|(program, ns)| program.ns.push(ns));
        used += 1;
        if used == rounds {
            break;
        }
    }
    println!(
        "two threads on CPUs {a} and {b} add to one counter; {used} rounds, {spoiled} more spoiled by other programs"
    );
    println!("{:<28} {:>22}   ratio to the bare loop", "", "ns an addition");
    let reference = programs[0].ns.clone();
    let mut agrees = false;
    for (k, program) in programs.iter().enumerate() {
        let within = line(program, &reference);
        agrees |= k == 1 && within;
    }
    ExitCode::from(u8::from(!agrees))
}

fn program(name: &str, launch: impl Fn() -> Result<f64, String> + 'static) -> Program {
    Program { name: name.to_owned(), launch: Box::new(launch), ns: Vec::new() }
}

/// Who comes first moves on by one a round, and every other round goes backwards, so that nobody always follows the same one.
fn turns(round: usize, n: usize) -> Vec<usize> {
    let mut turns: Vec<usize> = (0..n).map(|k| (k + round / 2) % n).collect();
    if round % 2 == 1 {
        turns.reverse();
    }
    turns
}

/// Median and range, ratio with its interval; whether that lies where it should.
fn line(program: &Program, reference: &[Option<f64>]) -> bool {
    let mut ns: Vec<f64> = program.ns.iter().flatten().copied().collect();
    ns.sort_by(f64::total_cmp);
    let [Some(least), Some(most)] = [ns.first(), ns.last()] else {
        println!("{:<28} no figure", program.name);
        return false;
    };
    let figure = format!("{:.2} ({least:.2}-{most:.2})", median(ns.clone()));
    let pairs = program.ns.iter().zip(reference);
    let ratios: Vec<f64> = pairs.filter_map(|(ns, bare)| Some((*ns)? / (*bare)?)).collect();
    let Some(ratio) = log_t_interval(&ratios, 0.95) else {
        println!("{:<28} {figure:>22}   too few rounds", program.name);
        return false;
    };
    let (lo, hi, n) = (ratio.lo, ratio.hi, ratio.n);
    println!(
        "{:<28} {figure:>22}   {:.3} [{lo:.3}, {hi:.3}], n = {n}",
        program.name, ratio.estimate
    );
    AGREES.contains(&lo) && AGREES.contains(&hi)
}

/// The trial of two workers out of a run of one block, by the program as it is.
fn ours() -> Result<f64, String> {
    let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
    let plan = dir.path().join("atomic.toml");
    let text = format!(
        "blocks = {LAUNCHES}\nwindows = 3\nwindow = \"40ms\"\nworkers = [2]\nmodels = [\"rust/threads\"]\n\
        workloads = [\"lock\"]\nlatency_blocks = 0\ncounter_blocks = 0\n\
        [params.lock]\nlock = [\"atomic\"]\nsteps = [0]\n"
    );
    std::fs::write(&plan, text).map_err(|e| e.to_string())?;
    let runs = dir.path().join("runs");
    let out = Command::new(env!("CARGO_BIN_EXE_amdahl"))
        .args(["run".as_ref(), plan.as_os_str(), "--out".as_ref(), runs.as_os_str()])
        .output()
        .map_err(|e| e.to_string())?;
    if !out.status.success() {
        return Err(String::from_utf8_lossy(&out.stderr).into_owned());
    }
    let run = std::fs::read_dir(&runs).ok().and_then(|mut d| d.next()?.ok()).ok_or("no run")?;
    let run = read_run(&run.path()).map_err(|e| e.to_string())?;
    let two = run
        .trials
        .iter()
        .map(|(_, trial)| trial)
        .filter(|t| (t.workers, t.arm, t.pass) == (2, Arm::Model, Pass::Throughput));
    // Not more: those of spare blocks are there if a gate took one, and the others have no gates either.
    let rates: Vec<f64> = two.filter_map(Trial::rate).take(LAUNCHES).collect();
    if rates.len() < LAUNCHES {
        return Err(format!("{} of {LAUNCHES} trials have a rate", rates.len()));
    }
    Ok(median(rates.into_iter().map(|rate| 1e9 / rate).collect()))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2])
}
