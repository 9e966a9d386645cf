//! What is shown besides the answer, on synthetic runs whose truth is known.

use amdahl_analysis::load::load;
use amdahl_analysis::render::{Rendered, render};
use amdahl_analysis::select::Selection;
use amdahl_analysis::summarise::summarise;
use amdahl_analysis::summary::{Expected, MemoryKind, Summary};
use amdahl_analysis::synth::{self, Model, Spec};
use amdahl_schema::{RunHeader, Trial};

const GIL: &str = "python3.13/threads";

fn spec(workloads: &[&str]) -> Spec {
    let models = vec![Model::parallel("cpp/threads"), Model::one_at_a_time(GIL)];
    let workloads = workloads.iter().map(|w| (*w).to_owned()).collect();
    Spec { models, workloads, workers: vec![1, 2], ..Spec::default() }
}

fn summary_of(header: &RunHeader, trials: &[Trial]) -> Summary {
    let dir = tempfile::tempdir().unwrap();
    synth::write(dir.path(), header, trials).unwrap();
    let (models, workloads) = (Selection::all("model"), Selection::all("workload"));
    summarise(&load(dir.path(), &models, &workloads).unwrap(), &models, &workloads).unwrap()
}

fn summary(spec: &Spec) -> Summary {
    let (header, trials) = synth::run(spec);
    summary_of(&header, &trials)
}

fn rendered(s: Summary) -> Rendered {
    render(&[s]).unwrap()
}

const SHARES: [&str; 5] = [
    "cpu",
    "serial permille=0",
    "serial permille=50",
    "serial permille=250",
    "serial permille=1000",
];

#[test]
fn the_injected_share_comes_back_where_threads_run_in_parallel() {
    let f = summary(&spec(&SHARES)).serial.unwrap();
    let parallel: Vec<_> = f.rows.iter().filter(|r| r.model == "cpp/threads").collect();
    assert_eq!(parallel.iter().map(|r| r.share).collect::<Vec<_>>(), [0.0, 0.05, 0.25, 1.0]);
    for r in parallel {
        // The synthetic barrier takes a hundredth of the job, which is the bias: 0.01 at every share.
        let bias = r.bias().unwrap();
        assert_eq!((r.expected, r.workers, r.blocks.len()), (Expected::Share, 2, 5));
        assert!((bias.value - 0.01).abs() < 0.02, "p = {}: {bias:?}", r.share);
    }
    let gil: Vec<_> = f.rows.iter().filter(|r| r.model == GIL).collect();
    assert_eq!(gil.len(), 4);
    for r in gil {
        assert_eq!(r.expected, Expected::One);
        assert!((r.e.unwrap().value - 1.0).abs() < 0.03, "p = {}: {:?}", r.share, r.e);
    }
}

#[test]
fn without_cpu_the_runtime_says_whether_threads_take_turns() {
    let f = summary(&spec(&SHARES[1..])).serial.unwrap();
    let expected = |model: &str| f.rows.iter().find(|r| r.model == model).unwrap().expected;
    assert_eq!((expected("cpp/threads"), expected(GIL)), (Expected::Share, Expected::One));
}

#[test]
fn serial_has_its_own_figure_and_leaves_the_others_alone() {
    let files = rendered(summary(&spec(&SHARES)));
    let figures: Vec<&String> = files.files.keys().filter(|f| f.ends_with(".svg")).collect();
    assert!(figures.contains(&&"figures/serial-share.svg".to_owned()), "{figures:?}");
    assert_eq!(figures.iter().filter(|f| f.contains("serial")).count(), 1, "{figures:?}");
    let report = files.text("report.md").unwrap();
    let decisions = report.split("## All decisions").nth(1).unwrap();
    let decisions = decisions.split("## Trials").next().unwrap();
    assert!(!decisions.contains("permille"), "{decisions}");
    assert!(files.text("verdicts.json").unwrap().contains("\"workload\": \"serial permille=250\""));
    assert!(
        files
            .text("data/decisions.csv")
            .unwrap()
            .contains("serial permille=250,cpp/threads,2,true")
    );
    let words = "one at a time, so 1 whatever p: held at";
    assert_eq!(report.matches(words).count(), 1, "a row a model, not one a share");
    assert!(!report.contains("## Strong and weak scaling"));
}

#[test]
fn strong_and_weak_scaling_are_efficiencies_of_the_same_jobs() {
    let mut spec =
        spec(&["cpu", "serial permille=0 scaling=strong", "serial permille=0 scaling=weak"]);
    (spec.workers, spec.cpus) = (vec![1, 2, 4], 4);
    let s = summary(&spec);
    assert!(s.serial.is_none(), "no share was injected");
    let f = s.scaling.unwrap();
    for n in [2, 4] {
        let row = |model: &str| f.rows.iter().find(|r| r.model == model && r.workers == n).unwrap();
        let (strong, weak) = (row("cpp/threads").strong.unwrap(), row("cpp/threads").weak.unwrap());
        // The barrier takes a hundredth of the whole job, which is more of a part of it.
        let lost = 0.01 * f64::from(n);
        assert!((strong.value - 1.0 / (1.0 + lost)).abs() < 0.01, "N = {n}: {strong:?}");
        assert!((weak.value - 1.0 / 1.01).abs() < 0.01, "N = {n}: {weak:?}");
        for e in [row(GIL).strong, row(GIL).weak] {
            assert!((e.unwrap().value - 1.0 / f64::from(n)).abs() < 0.01, "N = {n}: {e:?}");
        }
    }
}

#[test]
fn rounds_without_a_share_are_weak_scaling_where_nothing_else_shows_them() {
    let f = summary(&spec(&["cpu", "serial permille=0"])).scaling.unwrap();
    assert!(f.rows.iter().all(|r| r.strong.is_none() && r.weak.is_some()));
}

#[test]
fn memory_is_told_in_its_units_and_the_hardware_is_named() {
    let s = summary(&spec(&["cpu", "mem kind=chase", "mem kind=stream"]));
    let row = |kind| {
        let found =
            s.memory.iter().find(|r| r.kind == kind && r.model == "cpp/threads" && r.decisive);
        found.unwrap()
    };
    let (chase, stream) = (row(MemoryKind::Chase), row(MemoryKind::Stream));
    // 1024 loads in 100 µs; 1 MiB in 100 µs.
    assert!((chase.one.unwrap().value / (100_000.0 / 1024.0) - 1.0).abs() < 0.02);
    assert!((chase.all.unwrap().value / (50_000.0 / 1024.0) - 1.0).abs() < 0.02);
    assert!((stream.one.unwrap().value / (1e4 * f64::from(1 << 20)) - 1.0).abs() < 0.02);
    assert!((stream.speedup.unwrap().value - 1.3).abs() < 0.02);
    assert_eq!(stream.limited_by, "hardware");
    assert_eq!(stream.bytes, Some(1 << 27));
    let mut names: Vec<_> = s.latencies.iter().map(|f| f.workload.clone()).collect();
    names.retain(|n| n.starts_with("mem"));
    assert_eq!(names, ["mem kind=chase", "mem kind=stream"], "latencies of two kinds are not one");
    let files = rendered(s);
    let report = files.text("report.md").unwrap();
    assert!(report.contains("hardware: the machine serves 1.30 of 2 workers"));
    assert!(report.contains("128.0 MiB, 4.0 × 32.0 MiB"), "table beyond the cache");
}

#[test]
fn a_table_that_the_cache_holds_is_said_to_be_no_memory() {
    let (mut header, trials) = synth::run(&spec(&["mem kind=chase", "mem kind=stream"]));
    header.host.llc_bytes = Some(1 << 30);
    let files = rendered(summary_of(&header, &trials));
    let report = files.text("report.md").unwrap();
    assert!(report.contains("**not beyond** the cache of 1.0 GiB"));
    header.host.llc_bytes = None;
    let files = rendered(summary_of(&header, &trials));
    let report = files.text("report.md").unwrap();
    assert!(report.contains("128.0 MiB, the cache's size is unknown"));
}

#[test]
fn start_up_counts_the_model_s_own_trials_and_every_worker() {
    let (header, mut trials) = synth::run(&spec(&["sleep", "cpu"]));
    for t in &mut trials {
        let ceiling = t.arm == amdahl_schema::Arm::Ceiling;
        t.spawn_ns = Some(if ceiling { 9_000_000_000 } else { 20_000_000 });
        t.setup_ns =
            Some(u64::from(t.workers) * if t.workload == "cpu" { 3_000_000 } else { 7_000 });
    }
    let s = summary_of(&header, &trials);
    let row = &s.start_up[0];
    assert_eq!(row.model, "cpp/threads");
    let spawn = row.spawn.unwrap();
    assert_eq!((spawn.median, spawn.lo, spawn.hi, spawn.n), (20e6, 20e6, 20e6, 60));
    let shown: Vec<_> =
        row.setups.iter().filter(|x| x.shown).map(|x| (x.workload.as_str(), x.workers)).collect();
    assert_eq!(shown, [("cpu", 1), ("cpu", 2)], "the workload of the answer");
    let files = rendered(s);
    assert!(
        files
            .text("report.md")
            .unwrap()
            .contains("| 6.00 ms (6.00 ms to 6.00 ms) (N = 2) | 3.00 ms |")
    );
    assert!(
        files
            .text("data/start-up.csv")
            .unwrap()
            .contains("cpp/threads,setup,sleep,2,14000,14000,14000,7000,")
    );
}

#[test]
fn what_timing_adds_to_nothing_stands_beside_what_the_worker_measured() {
    let s = summary(&spec(&["cpu", "noop"]));
    let row = s.timers.iter().find(|r| r.runtime == "cpp").unwrap();
    let (cost, noop) = (row.cost.unwrap(), row.noop.as_ref().unwrap());
    assert_eq!((cost.lo, cost.median, cost.hi), (41.0, 41.5, 42.0));
    assert_eq!((noop.model.as_str(), noop.added.n), ("cpp/threads", 5));
    // Trials differ by 1 % of 4 µs, so the difference is known no better than that.
    let (lo, hi) = noop.added.ci95.unwrap();
    assert!(lo < 41.0 && 41.0 < hi && hi - lo < 150.0, "{:?}", noop.added);
}

#[test]
fn the_speed_of_the_cpus_is_told_or_why_not() {
    let (mut header, mut trials) = synth::run(&spec(&["cpu"]));
    let s = summary_of(&header, &trials);
    assert_eq!((s.cpu_speeds.trials, s.cpu_speeds.timed, s.cpu_speeds.compared), (80, 80, 72));
    assert_eq!((s.cpu_speeds.slow, s.cpu_speeds.settle_ns), (5, 160_000_000));
    let files = rendered(s);
    let report = files.text("report.md").unwrap();
    assert!(report.contains("in 5 of the 72 with a usual speed to compare with (7 %)"));
    trials.iter_mut().for_each(|t| t.gates.speed.clear());
    let files = rendered(summary_of(&header, &trials));
    let report = files.text("report.md").unwrap();
    assert!(
        report.contains("| CPU speed | not recorded: CPUs are timed around trials that are pinned")
    );
    header.host.hypervisor = None;
    let files = rendered(summary_of(&header, &trials));
    let report = files.text("report.md").unwrap();
    assert!(report.contains("| CPU speed | not timed: on bare metal"));
}
