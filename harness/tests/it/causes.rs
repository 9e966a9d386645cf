//! Synthetic workers, one a cause, from their lines to the loss budget: the right part is blamed.

use std::collections::BTreeMap;

use amdahl::answer::Evidence;
use amdahl::plan::SplitMix;
use amdahl::trial::{Limits, Stage};
use amdahl::worker::discover::Found;
use amdahl::worker::hello::Hello;
use amdahl::worker::link::WorkerSpec;
use amdahl_schema::{Arm, Pass, Placement, PlannedBlock, PlannedTrial, Runtime, Status, Trial};
use amdahl_stats::{ParallelismRow, Verdict};

use crate::fake::{Fakes, HONEST, Quiet, Worker};

fn found() -> Found {
    let texts = |t: &str| t.split(',').map(str::to_owned).collect();
    Found {
        runtime: Runtime {
            id: "fake".to_owned(),
            lang: "fake".to_owned(),
            version: "1".to_owned(),
            path: "-".to_owned(),
            hash: None,
            gil: None,
            details: BTreeMap::new(),
        },
        spec: WorkerSpec { argv: vec!["fake".into()], env: Vec::new(), env_pad_bytes: 0 },
        hello: Hello {
            workloads: texts("cpu"),
            mechanisms: texts("all,threads"),
            ..Hello::default()
        },
        hello_ns: 1000,
    }
}

fn planned(seq: u64, workers: u32, arm: Arm, exclusive: bool) -> PlannedTrial {
    PlannedTrial {
        seq,
        workers,
        arm,
        pass: Pass::Throughput,
        counter_set: 0,
        placement: Placement {
            policy: "cores".to_owned(),
            cpus: (0..workers).collect(),
            exclusive,
        },
        seed: 1,
        env_pad_bytes: 0,
        window_ns: 50_000_000,
        windows_n: 5,
    }
}

/// Five blocks of {1, N, ceiling at N} through the real trial code.
pub(crate) fn measure(
    n: u32,
    exclusive: bool,
    behave: impl Fn(u32, u32, bool) -> Worker + Clone + 'static,
) -> Vec<Trial> {
    let quiet = Quiet::default();
    let launcher = Fakes { quiet: quiet.clone(), behave };
    let limits = Limits::default();
    let stage = Stage { launcher: &launcher, outside: &quiet, amdahl: "amdahl".into(), limits };
    let mut trials = Vec::new();
    for block in 0..5 {
        let cells = [(1, Arm::Model), (n, Arm::Model), (n, Arm::Ceiling)];
        let first = trials.len() as u64;
        let cells: Vec<PlannedTrial> = cells
            .iter()
            .enumerate()
            .map(|(k, (workers, arm))| planned(first + k as u64, *workers, *arm, exclusive))
            .collect();
        let block = PlannedBlock {
            block,
            tier: 0,
            spare: false,
            model: "fake/all".to_owned(),
            workload: "cpu".to_owned(),
            params: BTreeMap::new(),
            trials: cells.clone(),
        };
        trials.extend(cells.iter().map(|p| stage.execute(&found(), &block, p)));
    }
    trials
}

/// Judges them on a machine with `n` CPUs.
pub(crate) fn row(n: u32, trials: &[Trial]) -> ParallelismRow {
    let judgement = Evidence::of(BTreeMap::new(), trials).judge(n, None);
    judgement.parallelism.into_iter().find(|r| r.decisive).expect("one row is decisive")
}

/// A draw of noise in 1 ± 1 %.
fn noisy(rng: &mut SplitMix) -> f64 {
    0.99 + 0.02 * (rng.below(1 << 20) as f64 / f64::from(1 << 20))
}

/// 20 draws of a cause at N = 4, each with its own severity: all blamed rightly, parts add up to N.
fn blamed(
    cause: &str,
    exclusive: bool,
    worker: impl Fn(u32, u32, bool, f64) -> Worker + Copy + 'static,
) {
    for seed in 0..20 {
        let mut rng = SplitMix::new(seed);
        let severity = 0.4 + 0.03 * rng.below(10) as f64;
        let jitter = noisy(&mut rng);
        let behave = move |w: u32, n: u32, lone: bool| {
            let b = worker(w, n, lone, severity);
            Worker { rate: b.rate * jitter, ..b }
        };
        let trials = measure(4, exclusive, behave);
        let bad: Vec<_> = trials.iter().filter(|t| t.outcome.status != Status::Ok).collect();
        assert!(bad.is_empty(), "{cause}: {:?}", bad[0].outcome);
        let row = row(4, &trials);
        assert_eq!(row.limited_by, cause, "seed {seed}: {row:#?}");
        let budget = row.budget.unwrap();
        let parts = [
            budget.achieved,
            budget.hardware,
            budget.blocked,
            budget.run_queue,
            budget.steal_foreign,
            budget.imbalance,
            budget.no_progress,
            budget.unexplained,
        ];
        assert!((parts.iter().sum::<f64>() - 4.0).abs() < 1e-9, "{budget:?}");
    }
}

#[test]
fn workers_that_wait_for_a_lock_are_limited_by_blocked() {
    blamed("blocked", true, |_, n, _, s| {
        let share = if n == 1 { 1.0 } else { 1.0 - s };
        Worker { rate: HONEST.rate * share, cpu: share, ..HONEST }
    });
}

#[test]
fn workers_that_share_cpus_are_limited_by_the_run_queue() {
    blamed("run_queue", false, |_, n, _, s| {
        let share = if n == 1 { 1.0 } else { 1.0 - s };
        Worker { rate: HONEST.rate * share, cpu: share, delay: 1.0 - share, ..HONEST }
    });
}

#[test]
fn workers_that_wait_for_the_slowest_are_limited_by_imbalance() {
    blamed("imbalance", true, |w, n, _, s| {
        let idle = if n > 1 && w > 0 { s } else { 0.0 };
        Worker { idle, cpu: 1.0 - idle, rate: HONEST.rate * (1.0 - idle), ..HONEST }
    });
}

#[test]
fn workers_that_spin_are_limited_by_no_progress() {
    blamed("no_progress", true, |_, n, _, s| {
        let share = if n == 1 { 1.0 } else { 1.0 - s };
        Worker { rate: HONEST.rate * share, ..HONEST }
    });
}

#[test]
fn a_machine_that_allows_no_more_is_limited_by_hardware() {
    // The ceiling's processes are as slow as the model's threads; only a lone N = 1 is fast.
    blamed("hardware", true, |_, n, lone, s| {
        let slow = n > 1 || lone;
        Worker { rate: HONEST.rate * if slow { 1.0 - s } else { 1.0 }, ..HONEST }
    });
}

#[test]
fn workers_that_scale_are_parallel_and_limited_by_nothing() {
    let row = row(2, &measure(2, true, |_, _, _| HONEST));
    assert_eq!((row.verdict, row.limited_by.as_str()), (Verdict::Parallel, "nothing"), "{row:#?}");
}

#[test]
fn a_lying_checksum_is_invalid_and_never_a_speed() {
    let trials = measure(2, true, |w, n, _| Worker { lie: u64::from(n == 2 && w == 1), ..HONEST });
    let liars: Vec<_> = trials.iter().filter(|t| t.workers == 2 && t.arm == Arm::Model).collect();
    for t in &liars {
        assert_eq!(t.outcome.kind.as_deref(), Some("checksum"), "{:?}", t.outcome);
        assert!(t.outcome.reason.as_deref().unwrap().contains("worker 1, window 1"));
        assert_eq!(t.rate(), None);
    }
    let row = row(2, &trials);
    assert_eq!(row.verdict, Verdict::Unknown);
    assert!(row.reasons.iter().any(|r| r.contains("checksum")), "{:?}", row.reasons);
}

#[test]
fn a_late_start_is_flagged_with_the_worker() {
    let trials = measure(2, true, |w, n, _| Worker {
        late_ns: if n == 2 && w == 1 { 8_000_000 } else { 0 },
        ..HONEST
    });
    let late = |t: &&Trial| t.flags.iter().any(|f| f.starts_with("late: worker 1 started 8.0 ms"));
    assert_eq!(trials.iter().filter(late).count(), 5);
    let skewed = |t: &&Trial| {
        t.flags.iter().any(|f| f == "skew: the workers started 16.0 % of a window apart")
    };
    assert_eq!(trials.iter().filter(skewed).count(), 5, "{:?}", trials[1].flags);
}

#[test]
fn a_drift_is_flagged_and_not_pooled() {
    let trials =
        measure(2, true, |_, n, _| Worker { drift: if n == 2 { 0.5 } else { 0.0 }, ..HONEST });
    let drifts = |t: &&Trial| t.flags.iter().any(|f| f.starts_with("not_steady"));
    assert_eq!(trials.iter().filter(drifts).count(), 5, "{:?}", trials[1].flags);
    assert_eq!(row(2, &trials).verdict, Verdict::Unknown);
}

#[test]
fn workers_that_never_meet_are_invalid() {
    let trials = measure(2, true, |w, n, _| Worker {
        until: if n == 2 && w == 1 { 0.5 } else { 1.0 },
        ..HONEST
    });
    let broken = trials.iter().filter(|t| t.outcome.kind.as_deref() == Some("contest"));
    assert_eq!(broken.count(), 5);
}

#[test]
fn what_an_external_cause_spoiled_is_replaced_and_what_the_worker_failed_is_not() {
    let spoiled =
        |trials: &[Trial]| Evidence::of(BTreeMap::new(), trials).spoiled("fake/all", "cpu", 5, 2);
    let mut trials = measure(2, true, |_, _, _| HONEST);
    assert!(!spoiled(&trials));
    // Another program took half a CPU through one of the blocks.
    for t in trials.iter_mut().filter(|t| t.block == 2) {
        t.gates.busy_ticks = Some(20);
    }
    assert!(spoiled(&trials));
    // Two steady ones instead of it: five can be used, and one of seven was dropped.
    let mut spare: Vec<Trial> = trials.iter().filter(|t| t.block < 2).cloned().collect();
    spare.iter_mut().for_each(|t| t.block += 10);
    assert!(!spoiled(&[trials.clone(), spare].concat()));
    for (status, kind) in [(Status::Failed, "crash"), (Status::Invalid, "checksum")] {
        let mut trials = trials.clone();
        trials[0].outcome = amdahl_schema::Outcome::not_ok(status, kind, "it failed");
        assert!(!spoiled(&trials), "{kind}");
    }
}
