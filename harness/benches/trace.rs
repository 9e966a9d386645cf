//! What does tracing cost a program that waits all the time, and is anything lost? `cargo bench -p amdahl --bench trace -- [ROUNDS]`
//!
//! Two threads on one CPU wake each other by a futex, as fast as it goes and at 100,000 pairs a second: plain, under `amdahl trace`, under
//! `perf trace -s -e futex`, and under `perf record` of the same events; each in every round, which begins with another one each time. Prints
//! what a pair takes, what tracing adds to it and the ratio to plain (95 % intervals over rounds, each against the plain run of its round), the
//! share of waits or calls that was seen of those that the program counted, and records lost. `plain again` shows what the method can't tell
//! apart. Needs a C compiler, the right to trace, a perf to compare with, and a quiet machine.

use std::path::Path;
use std::process::{Command, ExitCode};

use amdahl::trace::event::{RETURN_FILTER, call_filter};
use amdahl_stats::{log_t_interval, t_interval};
use serde_json::Value;

/// Round trips of one run; two pairs each.
const TRIPS: u32 = 200_000;
/// Pairs a second; 0 is as fast as it goes.
const RATES: [u32; 2] = [0, 100_000];

/// One way to run the program.
struct Way {
    name: &'static str,
    before: Vec<String>,
    trips: u32,
    /// What was seen and lost, from the files it left and the program's own counts.
    seen: Option<fn(&Path, Counts) -> Option<Seen>>,
}

/// What the program counted.
#[derive(Clone, Copy)]
struct Counts {
    waits: f64,
    calls: f64,
}

struct Seen {
    share: f64,
    lost: u64,
}

struct Told {
    pair_ns: f64,
    seen: Option<Seen>,
}

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1).filter(|a| a != "--bench");
    let rounds: usize = args.next().and_then(|a| a.parse().ok()).unwrap_or(3);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let program = dir.path().join("futex_pairs");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/futex_pairs.c");
    let mut cc = Command::new("cc");
    if !cc
        .args(["-O2", "-pthread", "-o"])
        .args([&program, &source])
        .status()
        .is_ok_and(|s| s.success())
    {
        eprintln!("no C compiler (cc): nothing to trace");
        return ExitCode::from(2);
    }
    let ways = ways();
    for rate in RATES {
        let speed = match rate {
            0 => "as fast as it goes".to_owned(),
            _ => format!("{rate} pairs a second"),
        };
        println!("{speed}, {rounds} rounds of {} pairs (perf trace: a fiftieth):", 2 * TRIPS);
        let mut told: Vec<Vec<Option<Told>>> = ways.iter().map(|_| Vec::new()).collect();
        for round in 0..rounds {
            for k in (0..ways.len()).map(|k| (k + round) % ways.len()) {
                told[k].push(run(&ways[k], &program, rate, dir.path()));
            }
        }
        ways.iter().zip(&told).for_each(|(way, of)| print(way, of, &told[0]));
    }
    ExitCode::SUCCESS
}

fn ways() -> Vec<Way> {
    let way = |name, before: &[&str], seen| Way {
        name,
        before: before.iter().map(|s| (*s).to_owned()).collect(),
        trips: TRIPS,
        seen,
    };
    let ours = [env!("CARGO_BIN_EXE_amdahl"), "trace", "--json-out", "trace.json", "--"];
    let mut ways = vec![
        way("plain", &[], None),
        way("plain again", &[], None),
        way("amdahl trace", &ours, Some(by_amdahl)),
    ];
    if Command::new("perf").arg("--version").output().is_ok_and(|o| o.status.success()) {
        let summary = ["perf", "trace", "-s", "-e", "futex", "-o", "perf.txt", "--"];
        // Some 50 times as slow.
        let slow = way("perf trace -s", &summary, Some(by_perf_trace));
        ways.push(Way { trips: TRIPS / 50, ..slow });
        let filter = call_filter();
        let record = [
            &[
                "perf",
                "record",
                "-q",
                "-a",
                "-g",
                "--user-callchains",
                "--switch-events",
                "-o",
                "perf.data",
            ][..],
            &["-e", "syscalls:sys_enter_futex", "--filter", &filter],
            &[
                "-e",
                "syscalls:sys_exit_futex",
                "--filter",
                RETURN_FILTER,
                "-e",
                "sched:sched_waking",
                "--",
            ],
        ]
        .concat();
        ways.push(way("perf record", &record, Some(by_perf_record)));
    } else {
        println!("no perf here to compare with");
    }
    ways
}

fn run(way: &Way, program: &Path, rate: u32, dir: &Path) -> Option<Told> {
    let all: Vec<String> = way
        .before
        .iter()
        .cloned()
        .chain([program.display().to_string(), way.trips.to_string(), rate.to_string()])
        .collect();
    let out = Command::new(&all[0]).args(&all[1..]).current_dir(dir).output().ok()?;
    let text = String::from_utf8_lossy(&out.stdout);
    let numbers = text.lines().find_map(|l| {
        let words: Option<Vec<f64>> = l.split(' ').map(|w| w.parse().ok()).collect();
        words.filter(|w| w.len() == 3)
    });
    let Some(numbers) = numbers else {
        let stderr = String::from_utf8_lossy(&out.stderr);
        eprintln!("{}: {}", way.name, stderr.lines().last().unwrap_or("it said nothing"));
        return None;
    };
    let counts = Counts { waits: numbers[1], calls: numbers[2] };
    let seen = way.seen.and_then(|seen| seen(dir, counts));
    Some(Told { pair_ns: numbers[0], seen })
}

/// Waits that were not the word's change, of those that the program counted.
fn by_amdahl(dir: &Path, counts: Counts) -> Option<Seen> {
    let json: Value = serde_json::from_slice(&std::fs::read(dir.join("trace.json")).ok()?).ok()?;
    let of = |key: &str| {
        json[key].as_array().into_iter().flatten().filter_map(|l| l["waits"].as_u64()).sum::<u64>()
    };
    // The two joins are waits, too.
    let waits = (of("locks") + of("idle")) as f64;
    Some(Seen { share: waits / counts.waits, lost: json["lost_events"].as_u64()? })
}

/// Calls in its summary by thread: `futex  400002  0  812.345 ...`; what it lost it says in between.
fn by_perf_trace(dir: &Path, counts: Counts) -> Option<Seen> {
    let text = std::fs::read_to_string(dir.join("perf.txt")).ok()?;
    let after = |line: &str, word: &str| {
        line.trim_start().strip_prefix(word)?.split_whitespace().next()?.parse::<u64>().ok()
    };
    let calls: u64 = text.lines().filter_map(|l| after(l, "futex ")).sum();
    let lost = text.lines().filter_map(|l| after(l, "LOST ")).sum();
    Some(Seen { share: calls as f64 / counts.calls, lost })
}

/// Calls that waited, by `perf report --stats`.
fn by_perf_record(dir: &Path, counts: Counts) -> Option<Seen> {
    let out = Command::new("perf")
        .args(["report", "--stats", "-i", "perf.data"])
        .current_dir(dir)
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let mut lines = text.lines();
    let number = |l: &str| l.split_once(':')?.1.split_whitespace().next()?.parse::<u64>().ok();
    // What a LOST record stands for is not in the statistics; that there was one is.
    let lost = text.lines().filter(|l| l.trim_start().starts_with("LOST")).filter_map(number).sum();
    lines.find(|l| l.starts_with("syscalls:sys_enter_futex stats"))?;
    Some(Seen { share: lines.next().and_then(number)? as f64 / counts.waits, lost })
}

fn print(way: &Way, of: &[Option<Told>], plain: &[Option<Told>]) {
    let pairs: Vec<f64> = of.iter().flatten().map(|t| t.pair_ns).collect();
    if pairs.is_empty() {
        return println!("  {:<14} could not run", way.name);
    }
    let against: Vec<(f64, f64)> = of
        .iter()
        .zip(plain)
        .filter_map(|(t, p)| Some((t.as_ref()?.pair_ns, p.as_ref()?.pair_ns)))
        .collect();
    let mean = pairs.iter().sum::<f64>() / pairs.len() as f64;
    print!("  {:<14} {mean:8.0} ns a pair", way.name);
    let added: Vec<f64> = against.iter().map(|(t, p)| t - p).collect();
    let ratios: Vec<f64> = against.iter().map(|(t, p)| t / p).collect();
    if let (Some(d), Some(r)) = (t_interval(&added, 0.95), log_t_interval(&ratios, 0.95)) {
        print!(
            ", {:+6.0} ns [{:+.0}, {:+.0}], times {:.2} [{:.2}, {:.2}]",
            d.estimate, d.lo, d.hi, r.estimate, r.lo, r.hi
        );
    }
    let seen: Vec<&Seen> = of.iter().flatten().filter_map(|t| t.seen.as_ref()).collect();
    match seen.iter().map(|s| s.share).reduce(f64::min) {
        Some(least) => {
            let lost: u64 = seen.iter().map(|s| s.lost).sum();
            println!(", at least {:.2} % seen, {lost} said to be lost", 100.0 * least);
        }
        None => println!(),
    }
}
