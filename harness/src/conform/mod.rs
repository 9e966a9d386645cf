//! The protocol's promises, one check each; what a new worker must pass to be finished.

mod raw;

use std::collections::BTreeMap;

use amdahl_schema::{Arm, Pass, Placement, PlannedBlock, PlannedTrial, Trial};

use crate::plan::io_bound;
use crate::trial::Stage;
use crate::worker::discover::Found;
use crate::worker::golden::MICRO_KINDS;

/// Trials more, where the workers did not meet.
const RETRIES: u32 = 5;

/// One check; `why` is what went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was checked.
    pub name: String,
    /// Absent if it holds.
    pub why: Option<String>,
}

fn check(name: impl Into<String>, result: Result<(), String>) -> Check {
    Check { name: name.into(), why: result.err() }
}

/// All checks of a model.
pub fn check_model(stage: &Stage<'_>, found: &Found, model: &str, pair: Placement) -> Vec<Check> {
    let mechanism = found.mechanism(model).unwrap_or("threads").to_owned();
    let mut checks = vec![
        check("ping lies inside the harness's bracket, 64 times", raw::clock(stage, found)),
        check("an unknown key is ignored", raw::unknown_key(stage, found, &mechanism)),
        check("an unknown `require` is refused", raw::unknown_require(stage, found)),
        check("an unknown verb is refused", raw::unknown_verb(stage, found)),
        check("the end of stdin ends it with status 0", raw::end_of_input(stage, found)),
    ];
    if found.hello.features.iter().any(|f| f == "alternate") {
        let result = raw::alternate(stage, found, &mechanism);
        checks.push(check("two cells alternate in one process", result));
    }
    // The same operations whatever the number of workers.
    let counts = if found.hello.workloads.iter().any(|w| w == "cpu") { &[1, 4][..] } else { &[] };
    for workers in counts.iter().copied() {
        let any = Placement { cpus: Vec::new(), ..pair.clone() };
        let cell = cell("cpu", &BTreeMap::new(), model, workers, Pass::Throughput);
        let trial = met(cell, |cell| execute(stage, found, cell, &any));
        let result = judge(&trial, "cpu", Pass::Throughput);
        checks.push(check(format!("cpu: throughput pass with {workers} workers"), result));
    }
    for workload in found.hello.workloads_of(&mechanism) {
        for (k, params) in params(found, &workload).into_iter().enumerate() {
            // The kinds of `micro` differ in their operation alone, locks in what is seen of them in the latency pass:
            // the first stands for all in the other passes.
            let passes = [Pass::Throughput, Pass::Latency, Pass::Counters];
            let told = match workload.as_str() {
                "micro" if k > 0 => &passes[..1],
                "lock" if k > 0 => &passes[1..2],
                _ => &passes[..],
            };
            for pass in told.iter().copied() {
                let cell = cell(&workload, &params, model, 2, pass);
                let trial = met(cell, |cell| execute(stage, found, cell, &pair));
                let told: Vec<&str> = match workload.as_str() {
                    "sleep" | "pipe" => Vec::new(),
                    _ => params.values().map(String::as_str).collect(),
                };
                let name = [&[workload.as_str()], &told[..]].concat().join(" ");
                let result = judge(&trial, &workload, pass);
                checks.push(check(format!("{name}: {} pass", pass_name(pass)), result));
            }
        }
    }
    checks
}

/// The parameters a workload is checked with. Tables small enough to be made at once; a lock never, half of the
/// time and always held; and every lock that the worker names.
fn params(found: &Found, workload: &str) -> Vec<BTreeMap<String, String>> {
    let set = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    };
    match workload {
        "sleep" => vec![set(&[("sleep_ns", "1000000")])],
        "pipe" => vec![set(&[("delay_ns", "1000000")])],
        "mem" => vec![
            set(&[("kind", "chase"), ("bytes", "4194304")]),
            set(&[("kind", "stream"), ("bytes", "4194304")]),
        ],
        "serial" => ["0", "500", "1000"].map(|p| set(&[("permille", p)])).to_vec(),
        "lock" => {
            let own = found.hello.locks.iter().map(|lock| set(&[("lock", lock)]));
            let first = found.hello.locks.first();
            let of = |key, value| first.map(|lock| set(&[("lock", lock.as_str()), (key, value)]));
            let more = [of("readers", "900"), of("locks", "4"), of("layout", "packed")];
            own.chain(more.into_iter().flatten()).collect()
        }
        "micro" => MICRO_KINDS.map(|kind| set(&[("kind", kind)])).to_vec(),
        _ => vec![BTreeMap::new()],
    }
}

fn pass_name(pass: Pass) -> &'static str {
    match pass {
        Pass::Throughput => "throughput",
        Pass::Latency => "latency",
        Pass::Counters => "counters",
    }
}

/// On a busy machine a worker may miss a window through no fault of its own: each further trial has windows twice as long, in
/// which every scheduler gives each its turn.
fn met(mut cell: PlannedBlock, mut trial: impl FnMut(PlannedBlock) -> Trial) -> Trial {
    let mut last = trial(cell.clone());
    for _ in 0..RETRIES {
        if last.outcome.kind.as_deref() == Some("contest") {
            cell.trials[0].window_ns *= 2;
            last = trial(cell.clone());
        }
    }
    last
}

/// A block of one trial; where it runs is still open.
fn cell(
    workload: &str,
    params: &BTreeMap<String, String>,
    model: &str,
    workers: u32,
    pass: Pass,
) -> PlannedBlock {
    let planned = PlannedTrial {
        seq: 0,
        workers,
        arm: Arm::Model,
        pass,
        counter_set: 0,
        placement: Placement { policy: "none".to_owned(), cpus: Vec::new(), exclusive: false },
        seed: 1,
        env_pad_bytes: 0,
        window_ns: 50_000_000,
        windows_n: 3,
    };
    PlannedBlock {
        block: 0,
        tier: 0,
        spare: false,
        model: model.to_owned(),
        workload: workload.to_owned(),
        params: params.clone(),
        trials: vec![planned],
    }
}

/// The trial, proven like any other.
fn execute(stage: &Stage<'_>, found: &Found, mut block: PlannedBlock, on: &Placement) -> Trial {
    block.trials[0].placement = on.clone();
    stage.execute(found, &block, &block.trials[0])
}

fn judge(trial: &Trial, workload: &str, pass: Pass) -> Result<(), String> {
    if !trial.usable() {
        return Err(trial.outcome.reason.clone().unwrap_or_default());
    }
    if let Some(flag) =
        trial.flags.iter().find(|f| f.starts_with("leftover") || f.starts_with("exit"))
    {
        return Err(flag.clone());
    }
    if pass == Pass::Latency {
        histograms(trial)?;
        if workload == "lock" {
            acquisitions(trial)?;
        }
        if io_bound(workload) {
            // A wait of 1 ms: never shorter, and in the mean within the host's own lateness.
            let (n, sum, min) = trial
                .histograms
                .iter()
                .fold((0, 0, u64::MAX), |(n, s, m), h| (n + h.n, s + h.sum, m.min(h.min)));
            let mean = sum as f64 / n.max(1) as f64;
            if min < 990_000 || mean > 20e6 {
                return Err(format!(
                    "waits of 1 ms are recorded with a minimum of {min} ns and a mean of {mean:.0} ns"
                ));
            }
        }
    }
    Ok(())
}

/// Every acquisition of the windows is in the histograms of waits; what has an owner has it for a while; owners follow one
/// another.
fn acquisitions(trial: &Trial) -> Result<(), String> {
    let n = |w: u32, names: [&str; 2]| -> u64 {
        let mine = trial.histograms.iter().filter(|h| h.w == Some(w));
        mine.filter(|h| names.contains(&h.name.as_str())).map(|h| h.n).sum()
    };
    for w in 0..trial.workers {
        let (ops, waits) = (n(w, ["op", "op"]), n(w, ["wait", "read_wait"]));
        if ops != waits {
            return Err(format!("worker {w}: {ops} operations in `op`, {waits} in `wait`"));
        }
        let holds = n(w, ["hold", "read_hold"]);
        if holds != waits && holds != 0 {
            return Err(format!("worker {w}: {waits} in `wait`, {holds} in `hold`"));
        }
        if n(w, ["handoff", "handoff"]) > waits {
            return Err(format!("worker {w}: more in `handoff` than in `wait`"));
        }
    }
    let Some(owners) = &trial.owners else { return Ok(()) };
    let all: Vec<_> = owners.acquisitions().collect();
    match all.windows(2).position(|pair| pair[1].acquired_ns < pair[0].released_ns) {
        Some(k) => Err(format!("`owners` {k} and {} hold the lock at once", k + 1)),
        None => Ok(()),
    }
}

/// Every operation of the windows is in the histograms, none besides.
fn histograms(trial: &Trial) -> Result<(), String> {
    let windows = 0..trial.windows_n as i32;
    for w in 0..trial.workers {
        let mine = trial.windows.iter().filter(|x| x.w == w && windows.contains(&x.i) && !x.tail);
        let ops: u64 = mine.map(|x| x.ops).sum();
        let timed: u64 =
            trial.histograms.iter().filter(|h| h.w == Some(w) && h.name == "op").map(|h| h.n).sum();
        if ops != timed {
            return Err(format!(
                "worker {w}: {ops} operations in the windows, {timed} in the histograms"
            ));
        }
    }
    Ok(())
}
