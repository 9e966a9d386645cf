//! `--baseline`: rates of models over that of one of them, on runs of known truth.

use std::process::Command;

use amdahl_analysis::load::load;
use amdahl_analysis::render::render;
use amdahl_analysis::select::Selection;
use amdahl_analysis::summarise::{baseline, summarise};
use amdahl_analysis::summary::Baseline;
use amdahl_analysis::synth::{self, Model, Spec};

fn spec() -> Spec {
    let models = vec![Model::parallel("rust/threads"), Model::one_at_a_time("python3.13/threads")];
    Spec { models, workers: vec![1, 2], ..Spec::default() }
}

fn against(model: &str) -> Option<Baseline> {
    let dir = tempfile::tempdir().unwrap();
    let (header, trials) = synth::run(&spec());
    synth::write(dir.path(), &header, &trials).unwrap();
    let (models, workloads) = (Selection::all("model"), Selection::all("workload"));
    let frames = load(dir.path(), &models, &workloads).unwrap();
    let mut summary = summarise(&frames, &models, &workloads).unwrap();
    summary.baseline = baseline(&frames, &summary.judgement, model).unwrap();
    if summary.baseline.is_some() {
        let rendered = render(&[summary.clone()]).unwrap();
        let report = rendered.text("report.md").unwrap();
        assert!(report.contains(&format!("## Against {model}")), "{report}");
        assert!(rendered.text("data/baseline.csv").unwrap().contains(&format!(",{model},2,")));
    }
    summary.baseline
}

/// Rust's two threads do twice the work of one, Python's one at a time no more than one: the ratio doubles.
#[test]
fn ratios_double_where_only_one_of_two_scales() {
    let b = against("python3.13/threads").unwrap();
    let row = b.rows.iter().find(|r| r.workload == "cpu").unwrap();
    assert_eq!((row.model.as_str(), row.workers), ("rust/threads", 2));
    let (one, many) = (row.one.unwrap(), row.many.unwrap());
    assert!((many.value / one.value - 2.0).abs() < 0.1, "{one:?} {many:?}");
    let (lo, hi) = one.ci95.unwrap();
    assert!(lo < one.value && one.value < hi && hi / lo < 1.3, "{one:?}");
    // Both ways round the same.
    let back = against("rust/threads").unwrap();
    let row = back.rows.iter().find(|r| r.workload == "cpu").unwrap();
    assert!((row.one.unwrap().value * one.value - 1.0).abs() < 1e-9);
    assert_eq!(against("go1.26/goroutines"), None);
}

#[test]
fn a_baseline_that_is_not_in_the_report_is_answered_with_the_nearest() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    std::fs::create_dir(&run).unwrap();
    let (header, trials) = synth::run(&spec());
    synth::write(&run, &header, &trials).unwrap();
    let report = |more: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_amdahl-analysis"))
            .args(["report", "run", "--out", "r"])
            .args(more)
            .current_dir(dir.path())
            .output()
            .unwrap()
    };
    let out = report(&["--baseline", "rust/thread"]);
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(2), "{text}");
    assert!(
        text.contains("--baseline rust/thread: no such model") && text.contains("rust/threads")
    );
    let out = report(&["--models", "python*", "--baseline", "rust/threads"]);
    assert_eq!(out.status.code(), Some(2), "not selected");
    assert_eq!(report(&["--baseline", "rust/threads"]).status.code(), Some(0));
    assert!(dir.path().join("r/data/baseline.csv").is_file());
}
