//! The program from outside: exit codes, messages, what is written and what is not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use amdahl_analysis::synth::{self, Model, Spec};
use tempfile::TempDir;

use crate::contents;

/// A directory to work in with a run in it.
struct Bench {
    dir: TempDir,
}

impl Bench {
    fn new(spec: &Spec) -> Self {
        let bench = Self { dir: tempfile::tempdir().unwrap() };
        let (header, trials) = synth::run(spec);
        synth::write(&bench.run_dir(), &header, &trials).unwrap();
        bench
    }

    fn run_dir(&self) -> PathBuf {
        self.dir.path().join("run-a")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn report(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_amdahl-analysis"))
            .arg("report")
            .args(args)
            .current_dir(self.dir.path())
            .output()
            .unwrap()
    }
}

fn small() -> Spec {
    Spec { blocks: 3, ..Spec::default() }
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_report_is_written_named_last_and_linked() {
    let bench = Bench::new(&small());
    let output = bench.report(&["run-a"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let out = stdout(&output);
    let last = out.lines().last().unwrap();
    assert!(last.contains("reports/run-a/report.md"), "{last}");
    assert_eq!(out.lines().rev().nth(1), Some("page: reports/run-a/report.html"));
    assert!(bench.path("reports/run-a/report.html").is_file());
    let figure = last.rsplit(' ').next().unwrap();
    assert!(bench.path(figure).is_file(), "{last}");
    assert!(out.contains("serial: one at a time") && out.contains("parallel: all at once"));
    let link = fs::read_link(bench.path("reports/latest")).unwrap();
    assert_eq!(link, Path::new("run-a"));
}

#[test]
fn every_link_of_the_report_leads_to_a_file_of_it() {
    let bench = Bench::new(&small());
    bench.report(&["run-a"]);
    let dir = bench.path("reports/run-a");
    let text = fs::read_to_string(dir.join("report.md")).unwrap();
    let links: Vec<&str> =
        text.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    assert!(links.len() > 10, "{links:?}");
    for link in &links {
        assert!(dir.join(link).is_file(), "{link}");
    }
    let svg = |e: &fs::DirEntry| e.path().extension().is_some_and(|e| e == "svg");
    let figures =
        fs::read_dir(dir.join("figures")).unwrap().filter(|e| svg(e.as_ref().unwrap())).count();
    assert_eq!(figures, links.iter().filter(|l| l.ends_with(".svg")).count(), "unused figures");
    let page = fs::read_to_string(dir.join("report.html")).unwrap();
    let hrefs: Vec<&str> =
        page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    for link in links.iter().chain(&["report.md", "verdicts.json"]) {
        assert!(hrefs.contains(link), "report.html does not lead to {link}");
    }
    for link in hrefs.iter().filter(|l| !l.starts_with('#') && **l != "data:,") {
        assert!(dir.join(link).is_file(), "{link}");
    }
}

#[test]
fn deleting_the_report_and_running_again_gives_the_same_bytes() {
    let bench = Bench::new(&small());
    bench.report(&["run-a"]);
    let first = contents(&bench.path("reports/run-a"));
    fs::remove_dir_all(bench.path("reports")).unwrap();
    bench.report(&["run-a"]);
    let second = contents(&bench.path("reports/run-a"));
    assert!(first.len() > 8, "{:?}", first.keys());
    assert_eq!(first.keys().collect::<Vec<_>>(), second.keys().collect::<Vec<_>>());
    for (name, bytes) in &first {
        assert!(bytes == &second[name], "{name} differs");
    }
}

#[test]
fn an_earlier_report_is_replaced_and_nothing_else_ever() {
    let bench = Bench::new(&small());
    bench.report(&["run-a"]);
    assert_eq!(bench.report(&["run-a"]).status.code(), Some(0));
    let notes = bench.path("reports/run-a/notes.txt");
    fs::write(&notes, "mine").unwrap();
    let output = bench.report(&["run-a"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("notes.txt"), "{}", stderr(&output));
    assert_eq!(fs::read_to_string(notes).unwrap(), "mine");
    let left: Vec<_> =
        fs::read_dir(bench.path("reports")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "left over: {left:?}");
}

#[test]
fn json_is_the_whole_of_stdout_and_the_same_as_the_file() {
    let bench = Bench::new(&small());
    let output = bench.report(&["run-a", "--json", "--json-out", "copy.json"]);
    let text = stdout(&output);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["schema"], 1);
    assert_eq!(fs::read_to_string(bench.path("copy.json")).unwrap(), text);
    let file = fs::read_to_string(bench.path("reports/run-a/verdicts.json")).unwrap();
    assert_eq!(file, text);
    let row = json["parallelism"]
        .as_array()
        .unwrap()
        .iter()
        .find(|r| r["model"] == "python3.13/threads" && r["workers"] == 2);
    let row = row.unwrap();
    assert_eq!((&row["verdict"], &row["limited_by"]), (&"serial".into(), &"blocked".into()));
    let parts: f64 = row["budget"].as_object().unwrap().values().map(|v| v.as_f64().unwrap()).sum();
    assert!((parts - 2.0).abs() < 1e-4, "{parts}");
    assert!(stderr(&output).contains("report.md"));
}

#[test]
fn a_selection_keeps_what_matches_and_an_unknown_name_is_answered() {
    let bench = Bench::new(&small());
    let output = bench.report(&["run-a", "--models", "rust*", "--workloads", "cpu", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    let models: Vec<_> =
        json["parallelism"].as_array().unwrap().iter().map(|r| &r["model"]).collect();
    assert!(!models.is_empty() && models.iter().all(|m| *m == "rust/threads"), "{models:?}");
    assert_eq!(json["io_overlap"].as_array().unwrap().len(), 0);
    let text = fs::read_to_string(bench.path("reports/run-a/report.md")).unwrap();
    assert!(text.contains("restricted to models rust*; workloads cpu"));
    let output = bench.report(&["run-a", "--models", "rust/thread"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("nearest: rust/threads"), "{}", stderr(&output));
}

#[test]
fn several_runs_are_judged_apart() {
    let bench = Bench::new(&small());
    let (header, trials) = synth::run(&Spec { seed: 2, ..small() });
    synth::write(&bench.path("run-b"), &header, &trials).unwrap();
    let output = bench.report(&["run-a", "run-b", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    let runs: Vec<_> = json["parallelism"].as_array().unwrap().iter().map(|r| &r["run"]).collect();
    assert!(runs.iter().any(|r| *r == "run-a") && runs.iter().any(|r| *r == "run-b"));
    assert!(bench.path("reports/run-a+1/figures/run2-speedup-cpu.svg").is_file());
}

#[test]
fn an_unwritable_place_is_an_error_and_leaves_nothing() {
    let bench = Bench::new(&small());
    fs::write(bench.path("reports"), "a file").unwrap();
    let output = bench.report(&["run-a"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("reports"), "{}", stderr(&output));
    assert_eq!(fs::read_to_string(bench.path("reports")).unwrap(), "a file");
}

#[test]
fn what_is_no_run_is_named_with_what_a_run_is() {
    let bench = Bench::new(&small());
    let output = bench.report(&["nowhere"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("nowhere/run.json"), "{}", stderr(&output));
    assert_eq!(bench.report(&[]).status.code(), Some(2));
    assert!(!bench.path("reports").exists());
}

#[test]
fn twenty_five_models_and_many_workers_make_a_whole_report() {
    let mut models = vec![Model::parallel("rust/threads"), Model::parallel("rust/processes")];
    for v in 8..15 {
        models.push(Model::one_at_a_time(&format!("python3.{v}/threads")));
        models.push(Model::parallel(&format!("python3.{v}/processes-fork")));
        models.push(Model::parallel(&format!("python3.{v}t/threads")));
    }
    let spec = Spec {
        cpus: 8,
        workers: vec![1, 8, 16],
        blocks: 2,
        models,
        workloads: vec!["cpu".to_owned()],
        all_passes: false,
        ..Spec::default()
    };
    let bench = Bench::new(&spec);
    let output = bench.report(&["run-a"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let svg = fs::read_to_string(bench.path("reports/run-a/figures/speedup-cpu.svg")).unwrap();
    for model in &spec.models {
        assert!(svg.contains(&format!("\n{}\n</text>", model.id)), "{} has no legend", model.id);
    }
}
