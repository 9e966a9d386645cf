//! Does a lock that is registered twice look like two? `cargo bench -p amdahl --bench twins -- 20 [ARGS of amdahl run]`
//!
//! This program is the worker: std's mutex stands in it as `mutex` and once more as `twin`, beside other locks. Each
//! run is a short one of the lock plan, put into groups as a report does it: by throughput over blocks and the 99th
//! percentile of waits over latency trials, with as many workers as there are CPUs. Told apart in more than one of twenty
//! runs ends it with status 1, and so do runs that tell nothing apart at all. On a quiet machine only; some 25 s a run.

use std::io::Cursor;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Mutex;

use amdahl::answer::Evidence;
use amdahl_schema::{Arm, Pass, Run, Trial, read_run};
use amdahl_stats::group;
use amdahl_worker::Program;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;

/// The word by which the bench is started as a worker.
const WORKER: &str = "worker";

/// The lock twice, and others.
const LOCKS: [&str; 8] =
    ["mutex", "twin", "parking_lot", "ttas", "ticket", "mcs", "rwlock", "tokio_mutex"];

fn main() -> ExitCode {
    // cargo adds `--bench`; without a number (as in `make bench`) two runs show that it works.
    let mut args = std::env::args().skip(1).filter(|a| a != "--bench").peekable();
    if args.peek().is_some_and(|a| a == WORKER) {
        return Program::new().lock("twin", Mutex::default).main();
    }
    let runs: u32 = args.next_if(|a| a.parse::<u32>().is_ok()).map_or(2, |n| n.parse().unwrap());
    let of: Vec<String> = args.collect();
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (mut together, mut letters) = (0, Vec::new());
    for k in 1..=runs {
        let run = one(&dir.path().join(k.to_string()), &of);
        let groups = group(&LOCKS.map(|lock| measures(&run, lock)));
        let row: Vec<String> =
            (0..LOCKS.len()).map(|i| format!("{} {}", LOCKS[i], groups.letters(i))).collect();
        eprintln!("run {k} of {runs}: {}", row.join("  "));
        together += u32::from(groups.together(0, 1));
        letters.push(groups.members.len());
    }
    let told = letters.iter().filter(|n| **n > 1).count();
    println!(
        "mutex and twin, the same lock, share a group in {together} of {runs} runs; some are told apart in {told}"
    );
    ExitCode::from(u8::from(together * 20 < runs * 19 || told == 0))
}

fn one(out: &Path, args: &[String]) -> Run {
    let own = std::env::current_exe().expect("where this program lies");
    let done = Command::new(env!("CARGO_BIN_EXE_amdahl"))
        .args(["run", "lock", "--models", "twins/threads", "--workers", "2", "--out"])
        .arg(out)
        .arg(format!("--worker=twins='{}' {WORKER}", own.display()))
        .arg(format!("--param=lock.lock={}", LOCKS.join(",")))
        .args(args)
        .output()
        .expect("amdahl runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let run = std::fs::read_dir(out).expect("a run").flatten().find(|d| d.file_name() != "latest");
    read_run(&run.expect("a run").path()).expect("a run that loads")
}

/// Throughputs by block and p99 of waits by latency trial, two workers.
fn measures(run: &Run, lock: &str) -> Vec<Vec<f64>> {
    let trials: Vec<Trial> = run.trials.iter().map(|(_, t)| t.clone()).collect();
    let host = &run.header.host;
    let judgement = Evidence::of(run.header.plan.param_labels(), &trials)
        .judge(host.cpus_available, host.cpus_note.clone());
    let used = |block: u32| {
        let mut rows = judgement.parallelism.iter().filter(|r| r.workers == 2);
        let own =
            rows.find(|r| r.workload.split(' ').any(|w| w.strip_prefix("lock=") == Some(lock)));
        own.is_none_or(|r| r.points.iter().any(|p| p.block == block))
    };
    let mine = |t: &&Trial| {
        let cell = (t.arm, t.workers, t.params.get("lock").map(String::as_str));
        t.usable() && cell == (Arm::Model, 2, Some(lock))
    };
    let of = |pass: Pass| trials.iter().filter(mine).filter(move |t| t.pass == pass);
    let rates = of(Pass::Throughput).filter(|t| used(t.block)).filter_map(Trial::rate);
    vec![rates.collect(), of(Pass::Latency).filter_map(p99).collect()]
}

fn p99(trial: &Trial) -> Option<f64> {
    let mut all = Histogram::<u64>::new(3).ok()?;
    for h in trial.histograms.iter().filter(|h| h.name == "wait") {
        let bytes = STANDARD.decode(&h.hdr).ok()?;
        all.add(Deserializer::new().deserialize::<u64, _>(&mut Cursor::new(bytes)).ok()?).ok()?;
    }
    (!all.is_empty()).then(|| all.value_at_quantile(0.99) as f64)
}
