//! What does tracing cost a program that waits all the time, and is anything lost? `cargo bench -p amdahl --bench trace -- [ROUNDS]`
//!
//! Two threads on one CPU wake each other by a futex, as fast as it goes and at 100,000 pairs a second: plain, under `amdahl trace`,
//! and under `perf trace -s -e futex` and `perf record` of the same calls where there is a perf, in turn in every round. Prints medians with their range,
//! what each adds to a pair (median over rounds of the difference to plain of that round), the waits that the trace has of those that the program counted, and
//! lost records. Needs a C compiler, the right to trace, and a quiet machine.

use std::path::Path;
use std::process::{Command, ExitCode};

use serde_json::Value;

/// Round trips of one run; two pairs each.
const TRIPS: u32 = 200_000;
/// Pairs a second; 0 is as fast as it goes.
const RATES: [u32; 2] = [0, 100_000];

/// One way to run the program.
struct Way {
    name: &'static str,
    before: Vec<String>,
}

/// What one run told.
struct Told {
    pair_ns: f64,
    /// Waits of the trace / the program's own count, and lost records.
    seen: Option<(f64, u64)>,
}

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1).filter(|a| a != "--bench");
    let rounds: u32 = args.next().and_then(|a| a.parse().ok()).unwrap_or(3);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let program = dir.path().join("futex_pairs");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/futex_pairs.c");
    let built =
        Command::new("cc").args(["-O2", "-pthread", "-o"]).arg(&program).arg(source).status();
    if !built.is_ok_and(|s| s.success()) {
        eprintln!("no C compiler (cc): nothing to trace");
        return ExitCode::from(2);
    }
    for rate in RATES {
        let speed = if rate == 0 {
            "as fast as it goes".to_owned()
        } else {
            format!("{rate} pairs a second")
        };
        println!("{speed}, {rounds} rounds of {} pairs:", 2 * TRIPS);
        let ways = ways();
        let mut told: Vec<Vec<Told>> = ways.iter().map(|_| Vec::new()).collect();
        for _ in 0..rounds {
            for (way, of) in ways.iter().zip(&mut told) {
                of.extend(run(way, &program, rate, dir.path()));
            }
        }
        for (way, of) in ways.iter().zip(&told) {
            print(way, of, &told[0]);
        }
    }
    ExitCode::SUCCESS
}

fn ways() -> Vec<Way> {
    let way = |name, before: &[&str]| Way {
        name,
        before: before.iter().map(|s| (*s).to_owned()).collect(),
    };
    let amdahl = env!("CARGO_BIN_EXE_amdahl");
    let mut ways = vec![
        way("plain", &[]),
        way("amdahl trace", &[amdahl, "trace", "--json-out", "trace.json", "--"]),
    ];
    if Command::new("perf").arg("--version").output().is_ok() {
        ways.push(way(
            "perf trace -s",
            &["perf", "trace", "-s", "-e", "futex", "-o", "perf.txt", "--"],
        ));
        let calls = "syscalls:sys_enter_futex,syscalls:sys_exit_futex,sched:sched_waking";
        ways.push(way(
            "perf record",
            &["perf", "record", "-q", "-g", "-e", calls, "-o", "perf.data", "--"],
        ));
    }
    ways
}

fn run(way: &Way, program: &Path, rate: u32, dir: &Path) -> Option<Told> {
    let program = program.to_str().expect("a path in UTF-8");
    let (trips, rate) = (TRIPS.to_string(), rate.to_string());
    let all: Vec<&str> =
        way.before.iter().map(String::as_str).chain([program, &trips, &rate]).collect();
    let out = Command::new(all[0]).args(&all[1..]).current_dir(dir).output().ok()?;
    let text = String::from_utf8_lossy(&out.stdout);
    let numbers = text.lines().find_map(|l| {
        let (pair, waits) = l.split_once(' ')?;
        Some((pair.parse::<f64>().ok()?, waits.parse::<f64>().ok()?))
    });
    let Some((pair_ns, waits)) = numbers else {
        eprintln!(
            "{}: {}",
            way.name,
            String::from_utf8_lossy(&out.stderr).lines().last().unwrap_or("it said nothing")
        );
        return None;
    };
    let seen = (way.name == "amdahl trace").then(|| {
        let json = std::fs::read(dir.join("trace.json")).expect("--json-out wrote it");
        let json: Value = serde_json::from_slice(&json).expect("JSON");
        let of = |key: &str| {
            json[key]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|l| l["waits"].as_u64())
                .sum::<u64>()
        };
        (
            (of("locks") + of("idle")) as f64 / waits,
            json["lost_events"].as_u64().unwrap_or(u64::MAX),
        )
    });
    Some(Told { pair_ns, seen })
}

fn print(way: &Way, of: &[Told], plain: &[Told]) {
    if of.is_empty() {
        return println!("  {:<14} could not run", way.name);
    }
    let mut pairs: Vec<f64> = of.iter().map(|t| t.pair_ns).collect();
    let mut more: Vec<f64> = of.iter().zip(plain).map(|(t, p)| t.pair_ns - p.pair_ns).collect();
    let (pair, added) = (median(&mut pairs), median(&mut more));
    print!(
        "  {:<14} {pair:8.0} ns a pair [{:.0}, {:.0}], {added:+8.0} ns [{:+.0}, {:+.0}]",
        way.name,
        pairs[0],
        pairs[pairs.len() - 1],
        more[0],
        more[more.len() - 1]
    );
    let lost: u64 = of.iter().filter_map(|t| t.seen).map(|s| s.1).sum();
    match of.iter().filter_map(|t| t.seen).map(|s| s.0).reduce(f64::min) {
        Some(least) => {
            println!(", at least {:.2} % of the waits, {lost} records lost", 100.0 * least)
        }
        None => println!(),
    }
}

/// Sorts them, too.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    f64::midpoint(values[(n - 1) / 2], values[n / 2])
}
