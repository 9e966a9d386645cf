//! Is `amdahl ab --models` silent on no change, loud on a small one, and quick? `cargo bench -p amdahl --bench alternate -- 60 [ARGS of amdahl ab]`
//!
//! Four comparisons in turn, so many times each, every one by the program itself: `rust/threads` against itself in `cpu` and on a mutex that two
//! threads contend for, then with 2 % more work and with 5 % more. A table of verdicts, pairs and wall times, the program's start included. A
//! change called where there is none ends it with status 1; so do less than 80 % equivalent of those, or less than 95 % of the changes found in
//! time. For a quiet machine: beside other work all are rightly inconclusive.

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use serde_json::Value;

struct Case {
    name: &'static str,
    args: &'static [&'static str],
    /// Within which it is to be found; without one nothing changed.
    limit: Option<Duration>,
}

const CPU: &[&str] = &["--workload", "cpu", "--a-param", "steps=10000", "--b-param"];
const LOCK: &[&str] = &[
    "--workload",
    "lock",
    "--param",
    "lock=mutex",
    "--workers",
    "2",
    "--a-param",
    "steps=500",
    "--b-param",
];

const CASES: [(Case, &[&str]); 4] = [
    (Case { name: "cpu, the same", args: CPU, limit: None }, &["steps=10000"]),
    (Case { name: "mutex, the same", args: LOCK, limit: None }, &["steps=500"]),
    (
        Case { name: "cpu, +2 % work", args: CPU, limit: Some(Duration::from_secs(1)) },
        &["steps=10200"],
    ),
    (
        Case { name: "mutex, +5 % work", args: LOCK, limit: Some(Duration::from_secs(3)) },
        &["steps=525"],
    ),
];

/// What one comparison came to.
struct Seen {
    verdict: String,
    pairs: u64,
    wall: Duration,
}

fn main() -> ExitCode {
    // cargo adds `--bench`; without a number (as in `make bench`) three of each show that it works.
    let mut args = std::env::args().skip(1).filter(|a| a != "--bench").peekable();
    let times: u64 = args.next_if(|a| a.parse::<u64>().is_ok()).map_or(3, |n| n.parse().unwrap());
    let more: Vec<String> = args.collect();
    println!("start and discovery: {:.0} ms", start().as_secs_f64() * 1e3);
    let mut seen: [Vec<Seen>; CASES.len()] = Default::default();
    for seed in 1..=times {
        for ((case, b), seen) in CASES.iter().zip(&mut seen) {
            let one = compare(case, b, seed, &more);
            let (name, ms) = (case.name, one.wall.as_millis());
            eprintln!("{seed} of {times}: {name}: {}, {} pairs, {ms} ms", one.verdict, one.pairs);
            seen.push(one);
        }
    }
    println!(
        "| | changed | equivalent | inconclusive | in time | pairs, median | wall ms, median | at most |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let fine = CASES.iter().zip(&mut seen).map(|((case, _), seen)| row(case, seen));
    ExitCode::from(u8::from(fine.fold(false, |failed, fine| failed | !fine)))
}

/// The program until it knows its workers and refuses what they do not do.
fn start() -> Duration {
    let begin = Instant::now();
    let out = Command::new(env!("CARGO_BIN_EXE_amdahl"))
        .args(["ab", "--models", "rust/threads", "--workload", "none"])
        .output()
        .expect("amdahl runs");
    assert_eq!(out.status.code(), Some(2));
    begin.elapsed()
}

fn compare(case: &Case, b: &[&str], seed: u64, more: &[String]) -> Seen {
    let begin = Instant::now();
    let out = Command::new(env!("CARGO_BIN_EXE_amdahl"))
        .args(["ab", "--json", "--models", "rust/threads", "--seed", &seed.to_string()])
        .args(case.args)
        .args(b)
        .args(more)
        .output()
        .expect("amdahl runs");
    let wall = begin.elapsed();
    let said = String::from_utf8_lossy(&out.stderr);
    let json: Value = serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {said}"));
    let verdict = json["verdict"].as_str().expect("a verdict").to_owned();
    Seen { verdict, pairs: json["cells"][0]["pairs"].as_u64().unwrap_or(0), wall }
}

/// Prints what a case came to; whether that is as it should be.
fn row(case: &Case, seen: &mut [Seen]) -> bool {
    let count = |test: &dyn Fn(&Seen) -> bool| seen.iter().filter(|s| test(s)).count();
    let changed = count(&|s| s.verdict == "regressed" || s.verdict == "improved");
    let equivalent = count(&|s| s.verdict == "equivalent");
    let open = count(&|s| s.verdict == "inconclusive");
    let in_time = case.limit.map(|l| count(&|s| s.verdict == "regressed" && s.wall <= l));
    seen.sort_by_key(|s| s.pairs);
    let (n, middle) = (seen.len(), seen.len() / 2);
    let pairs = seen.get(middle).map_or(0, |s| s.pairs);
    seen.sort_by_key(|s| s.wall);
    let ms = |s: Option<&Seen>| s.map_or(0, |s| s.wall.as_millis());
    println!(
        "| {} | {changed} of {n} | {equivalent} | {open} | {} | {pairs} | {} | {} |",
        case.name,
        in_time.map_or("-".to_owned(), |k| k.to_string()),
        ms(seen.get(middle)),
        ms(seen.last())
    );
    match in_time {
        None => changed == 0 && equivalent * 5 >= n * 4,
        Some(found) => found * 20 >= n * 19,
    }
}
