//! `compare` from outside: a machine that drifted does not alarm, a model that lost does, and what can't be compared is refused.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use amdahl_analysis::compare::judge;
use amdahl_analysis::render::compare::{Facts, files};
use amdahl_analysis::synth::{self, Model, Spec};
use amdahl_schema::{Arm, Run};
use amdahl_stats::Margins;
use serde_json::Value;

/// Writes a run of eight blocks whose models work at `model` and whose ceilings at `ceiling` times the usual rate.
fn write(dir: &Path, name: &str, seed: u64, blocks: u32, scale: (f64, f64), host: &str) {
    let models = vec![Model::parallel("rust/threads")];
    let workloads = vec!["cpu".to_owned()];
    let spec = Spec { seed, blocks, models, workloads, workers: vec![1, 2], ..Spec::default() };
    let (mut header, mut trials) = synth::run(&spec);
    header.host.name = host.to_owned();
    for trial in &mut trials {
        let by = if trial.arm == Arm::Model { scale.0 } else { scale.1 };
        trial.windows.iter_mut().for_each(|w| w.ops = (w.ops as f64 * by) as u64);
    }
    synth::write(&dir.join(name), &header, &trials).unwrap();
}

fn compare(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_amdahl-analysis"));
    command.env_remove("GITHUB_STEP_SUMMARY").env_remove("GITHUB_ACTIONS");
    command.arg("compare").args(args).current_dir(dir).output().unwrap()
}

fn verdict(dir: &Path, new: &str) -> (String, i32) {
    let output = compare(dir, &["base", new, "--json"]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    let json: Value = serde_json::from_slice(&output.stdout).expect(&error);
    (json["verdict"].as_str().unwrap().to_owned(), output.status.code().unwrap())
}

#[test]
fn a_model_that_lost_alarms_and_a_machine_that_drifted_does_not() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "base", 1, 8, (1.0, 1.0), "h");
    write(dir.path(), "lost", 2, 8, (0.7, 1.0), "h");
    assert_eq!(verdict(dir.path(), "lost"), ("regressed".into(), 1));
    for seed in 3..13 {
        write(dir.path(), "drifted", seed, 8, (0.7, 0.7), "h");
        let (said, code) = verdict(dir.path(), "drifted");
        assert!(said != "regressed" && code == 0, "seed {seed}: {said}");
    }
    let same = |_| compare(dir.path(), &["base", "lost"]).stdout;
    assert_eq!(same(0), same(1), "same runs, same bytes");
}

#[test]
fn one_trial_a_side_and_no_spread_at_all_decide_nothing_false() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "base", 1, 1, (1.0, 1.0), "h");
    write(dir.path(), "new", 2, 1, (0.5, 1.0), "h");
    assert_eq!(verdict(dir.path(), "new"), ("inconclusive".into(), 0));
    assert_eq!(compare(dir.path(), &["base", "new", "--strict"]).status.code(), Some(3));
    // A run against itself: every difference is 0.
    let (said, code) = verdict(dir.path(), "base");
    assert!(said != "regressed" && code == 0, "{said}");
}

#[test]
fn a_directory_has_the_page_the_verdicts_the_figure_and_the_rates_the_same_each_time() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "base", 1, 8, (1.0, 1.0), "h");
    write(dir.path(), "lost", 2, 8, (0.7, 1.0), "h");
    let args = ["base", "lost", "--out", "out", "--json-out", "copy.json"];
    let said = compare(dir.path(), &args);
    assert_eq!(said.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&said.stdout).ends_with("comparison: out/compare.md\n"));
    let first = crate::contents(&dir.path().join("out"));
    assert_eq!(first["verdicts.json"], fs::read(dir.path().join("copy.json")).unwrap());
    let page = String::from_utf8(first["compare.md"].clone()).unwrap();
    assert!(
        page.contains("(figures/compare-effects.svg)") && page.contains("**regressed**"),
        "{page}"
    );
    assert!(page.contains("What the machine did between the runs"), "{page}");
    let rates = String::from_utf8(first["data/rates.csv"].clone()).unwrap();
    assert_eq!(rates.lines().count(), 1 + 2 * 2 * 8, "{rates}");
    for ending in ["svg", "pdf", "png", "tex"] {
        assert!(first.contains_key(&format!("figures/compare-effects.{ending}")), "{ending}");
    }
    compare(dir.path(), &args);
    assert!(crate::contents(&dir.path().join("out")) == first, "not the same bytes");
}

/// What the budget left out of one run is told, and no cell of the family.
#[test]
fn a_cell_that_one_run_left_out_is_named_and_not_judged() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "base", 1, 8, (1.0, 1.0), "h");
    write(dir.path(), "new", 2, 8, (1.0, 1.0), "h");
    let file = dir.path().join("new/trials.jsonl");
    let kept: String = fs::read_to_string(&file)
        .unwrap()
        .lines()
        .filter(|l| serde_json::from_str::<Value>(l).unwrap()["workers"] != 2)
        .map(|l| format!("{l}\n"))
        .collect();
    fs::write(&file, kept).unwrap();
    let said = compare(dir.path(), &["base", "new", "--json"]);
    let json: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(json["cells"].as_array().unwrap().len(), 1, "{json}");
    let only = json["only_base"].as_array().unwrap();
    assert!(only.len() == 1 && only[0].as_str().unwrap().ends_with("N=2"), "{only:?}");
    assert_eq!(json["only_new"].as_array().unwrap().len(), 0);
}

#[test]
fn what_can_t_be_compared_is_refused_and_says_why() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "base", 1, 3, (1.0, 1.0), "h");
    write(dir.path(), "elsewhere", 1, 3, (1.0, 1.0), "other");
    write(dir.path(), "newer", 1, 3, (1.0, 1.0), "h");
    let header = dir.path().join("newer/run.json");
    let mut json: Value = serde_json::from_str(&fs::read_to_string(&header).unwrap()).unwrap();
    json["schema"] = 999.into();
    fs::write(&header, json.to_string()).unwrap();
    write(dir.path(), "empty", 1, 3, (1.0, 1.0), "h");
    fs::write(dir.path().join("empty/trials.jsonl"), "").unwrap();
    for (args, says) in [
        (["base", "elsewhere"], "--force-host"),
        (["base", "newer"], "999"),
        (["base", "empty"], "no model, workload and N that both have"),
        (["nowhere", "base"], "nowhere"),
    ] {
        let output = compare(dir.path(), &args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(says) && output.stdout.is_empty(), "{args:?}: {said}");
    }
    let forced = compare(dir.path(), &["base", "elsewhere", "--force-host"]);
    assert_eq!(forced.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&forced.stdout).contains("made on different hosts"));
    let missing = compare(dir.path(), &["nowhere", "base", "--allow-missing-base"]);
    assert_eq!(missing.status.code(), Some(0));
}

/// More cells than a page holds: all verdicts, a cell off the axis, one without spread.
pub(crate) fn pictured() -> BTreeMap<String, Vec<u8>> {
    let [base, new] = [1, 2].map(run_of_many);
    let facts = Facts { base: "base".into(), new: "new".into(), notes: Vec::new() };
    files(&judge(&base, &new, Margins::default()), &facts).unwrap().files
}

/// Models of which every third lost, every third gained, by different amounts in run 2.
fn run_of_many(seed: u64) -> Run {
    let models = (0..24).map(|k| Model::parallel(&format!("own{k}/threads"))).collect();
    let workloads = vec!["cpu".to_owned()];
    let spec = Spec { seed, blocks: 12, models, workloads, workers: vec![1, 2], ..Spec::default() };
    let (header, mut trials) = synth::run(&spec);
    for t in trials.iter_mut().filter(|t| seed == 2 && t.arm == Arm::Model) {
        let k: i32 = t.model[3..].split('/').next().unwrap().parse().unwrap();
        let by = 1.0 + f64::from((k % 3 - 1) * k) / 40.0;
        t.windows.iter_mut().for_each(|w| w.ops = (w.ops as f64 * by) as u64);
    }
    let trials = trials.into_iter().enumerate().map(|(i, t)| (i + 1, t)).collect();
    Run { dir: "r".into(), header, trials, torn_line: None, trace: None }
}
