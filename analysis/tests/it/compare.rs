//! `compare` from outside: a machine that drifted does not alarm, a model that lost does, and what can't be compared is refused.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use amdahl_analysis::synth::{self, Model, Spec};
use amdahl_schema::Arm;
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
