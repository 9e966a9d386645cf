//! How often do repeated runs decide, and are they ever wrong? `cargo bench -p amdahl --bench repeat -- 20 [ARGS]`
//!
//! Makes a run (of the smoke profile, or with ARGS: those of `amdahl run`) again and again and counts the
//! verdicts against what is known of each model: serial are threads under a GIL, subinterpreters that share
//! one (to CPython 3.11), asyncio, and Go held to one processor; all others are parallel; `sleep` overlaps
//! everywhere. A wrong verdict ends it with status 1. A minute a run: on a quiet machine only.

use std::collections::BTreeMap;
use std::process::{Command, ExitCode};

use serde_json::Value;

/// Verdicts of one model and kind of work.
#[derive(Default)]
struct Tally {
    right: u32,
    wrong: u32,
    unknown: u32,
    not_run: u32,
    why: BTreeMap<String, u32>,
}

fn main() -> ExitCode {
    // cargo adds `--bench`; without a number (as in `make bench`) two runs show that it works.
    let mut args = std::env::args().skip(1).filter(|a| a != "--bench").peekable();
    let runs: u32 = args.next_if(|a| a.parse::<u32>().is_ok()).map_or(2, |n| n.parse().unwrap());
    let mut of: Vec<String> = args.collect();
    if of.is_empty() {
        of = ["--profile", "smoke"].map(str::to_owned).to_vec();
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let gil = gil_of_models();
    let mut tallies: BTreeMap<(String, String), Tally> = BTreeMap::new();
    for run in 1..=runs {
        let out = Command::new(env!("CARGO_BIN_EXE_amdahl"))
            .args(["run", "--json"])
            .args(&of)
            .current_dir(dir.path())
            .output()
            .expect("amdahl runs");
        let json: Value =
            serde_json::from_slice(&out.stdout).expect("amdahl run --json prints JSON");
        for row in rows(&json, "parallelism").filter(|r| r["decisive"] == true) {
            let model = text(row, "model");
            let truth = if serial(&model, &gil) { "serial" } else { "parallel" };
            count(&mut tallies, row, &model, "cpu", truth);
        }
        for row in rows(&json, "io_overlap").filter(|r| r["workers"] == 32) {
            count(&mut tallies, row, &text(row, "model"), &text(row, "workload"), "overlaps");
        }
        eprintln!("run {run} of {runs}");
    }
    print(&tallies, runs, &of)
}

/// What is known of a model, by its id and the state of its runtime's lock.
fn serial(model: &str, gil: &BTreeMap<String, bool>) -> bool {
    let (runtime, mechanism) = model.split_once('/').expect("runtime/mechanism");
    let mechanism = mechanism.split('@').next().expect("the first part");
    let shared_lock = || {
        let minor = runtime.strip_prefix("python3.").map(|v| v.trim_end_matches('t'));
        minor.and_then(|m| m.parse().ok()).is_some_and(|m: u32| m <= 11)
    };
    match mechanism {
        "asyncio" => true,
        "subinterpreters" => shared_lock(),
        "threads" => gil.get(model) == Some(&true),
        _ => runtime.ends_with("+p1"),
    }
}

fn gil_of_models() -> BTreeMap<String, bool> {
    let out = Command::new(env!("CARGO_BIN_EXE_amdahl"))
        .args(["list", "--json"])
        .output()
        .expect("amdahl runs");
    let json: Value = serde_json::from_slice(&out.stdout).expect("amdahl list --json prints JSON");
    let gil = |m: &Value| Some((text(m, "model"), m["runtime"]["gil"].as_bool()?));
    rows(&json, "models").filter_map(gil).collect()
}

fn rows<'a>(json: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    json[key].as_array().into_iter().flatten()
}

fn text(row: &Value, key: &str) -> String {
    row[key].as_str().unwrap_or_default().to_owned()
}

fn count(
    tallies: &mut BTreeMap<(String, String), Tally>,
    row: &Value,
    model: &str,
    workload: &str,
    truth: &str,
) {
    let tally = tallies.entry((model.to_owned(), workload.to_owned())).or_default();
    let verdict = text(row, "verdict");
    if verdict == truth {
        tally.right += 1;
    } else if verdict != "unknown" {
        tally.wrong += 1;
    } else if row["blocks"] == 0 && row["dropped_blocks"].as_u64().unwrap_or(0) == 0 {
        tally.not_run += 1;
    } else {
        tally.unknown += 1;
        let reason = row["reasons"][0].as_str().unwrap_or("no reason given");
        *tally.why.entry(reason.chars().take(100).collect()).or_default() += 1;
    }
}

fn print(tallies: &BTreeMap<(String, String), Tally>, runs: u32, of: &[String]) -> ExitCode {
    println!("{runs} x amdahl run {}; not run: beyond the budget", of.join(" "));
    println!(
        "{:<34} {:<6} {:>6} {:>6} {:>8} {:>8}",
        "model", "work", "right", "wrong", "unknown", "not run"
    );
    let mut wrong = 0;
    for ((model, workload), t) in tallies {
        if t.right + t.wrong + t.unknown > 0 {
            println!(
                "{model:<34} {workload:<6} {:>6} {:>6} {:>8} {:>8}",
                t.right, t.wrong, t.unknown, t.not_run
            );
        }
        for (why, n) in &t.why {
            println!("    {n} x {why}");
        }
        wrong += t.wrong;
    }
    ExitCode::from(u8::from(wrong > 0))
}
