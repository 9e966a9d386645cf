//! `history` and `archive` from outside: the JSON contract, what is written, exit codes, and what is refused with its place.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use amdahl_analysis::synth::{self, Model, Spec};
use serde_json::Value;

use crate::contents;
use crate::golden::{compare, golden_dir};

fn amdahl(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_amdahl-analysis"))
        .args(args)
        .current_dir(dir)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", text(&output.stderr)))
}

/// 24 runs of one model, of which those from the 12th on do three quarters of the work; their names in order.
fn runs(dir: &Path) -> Vec<String> {
    let make = |k: u64| {
        let models = vec![Model::parallel("rust/threads")];
        let workloads = vec!["cpu".to_owned()];
        let spec =
            Spec { seed: k, models, workloads, workers: vec![1, 2], blocks: 1, ..Spec::default() };
        let (mut header, mut trials) = synth::run(&spec);
        header.started_utc = format!("2026-01-{:02}T03:04:05Z", k + 1);
        header.id = format!("{k:08x}");
        if k >= 12 {
            for w in trials.iter_mut().flat_map(|t| &mut t.windows) {
                w.ops = w.ops * 3 / 4;
            }
        }
        let name = format!("r{k:02}");
        synth::write(&dir.join(&name), &header, &trials).unwrap();
        name
    };
    (0..24).map(make).collect()
}

#[test]
fn a_table_gives_the_golden_text_and_json() {
    let golden = golden_dir("history");
    let said = amdahl(&golden, &["history", "table.csv", "--better", "lower"]);
    compare("history", "history.md", &text(&said.stdout));
    let machine = amdahl(&golden, &["history", "table.csv", "--better", "lower", "--json"]);
    compare("history", "history.json", &text(&machine.stdout));
    assert_eq!((said.status.code(), machine.status.code()), (Some(1), Some(1)));
    let machine = json(&machine);
    let series = machine["series"].as_array().unwrap();
    let places = |name: &str| -> Vec<u64> {
        let of = series.iter().find(|s| s["name"] == name).unwrap();
        of["changes"].as_array().unwrap().iter().map(|c| c["position"].as_u64().unwrap()).collect()
    };
    // As the table was made.
    assert_eq!(places("alloc"), [20, 45]);
    assert_eq!((places("parse/json"), places("tags")), (vec![42], vec![25]));
    assert!(places("spikes").is_empty() && places("quiet | with a bar").is_empty());
    assert_eq!(machine["detectable"]["points_after"], 15);
}

/// Higher is not better by itself: only who says so gets exit code 1.
#[test]
fn the_exit_code_is_1_where_the_last_change_is_for_the_worse() {
    let dir = tempfile::tempdir().unwrap();
    let rows: String = (0..40).map(|i| format!("s,{i},{}\n", 10 + i % 3 + i / 20 * 9)).collect();
    fs::write(dir.path().join("t.csv"), format!("series,index,value\n{rows}")).unwrap();
    let code = |args: &[&str]| {
        amdahl(dir.path(), &[&["history", "t.csv"], args].concat()).status.code().unwrap()
    };
    assert_eq!([code(&[]), code(&["--better", "higher"]), code(&["--better", "lower"])], [0, 0, 1]);
    assert_eq!(code(&["--better", "lower", "--margin", "100"]), 0);
}

#[test]
fn runs_and_their_archive_say_the_same_and_where_it_begins() {
    let dir = tempfile::tempdir().unwrap();
    let names = runs(&dir.path().join("runs"));
    let direct = amdahl(dir.path(), &["history", "runs", "--json", "--margin", "5"]);
    assert_eq!(direct.status.code(), Some(1), "{}", text(&direct.stderr));
    let found = json(&direct);
    let change = &found["series"][0]["changes"][0];
    assert_eq!(change["run"], "20260113T030405Z-0000000c");
    assert!((change["ratio"].as_f64().unwrap() - 0.75).abs() < 0.03 && change["worse"] == true);
    let of: Vec<String> = names.iter().map(|n| format!("runs/{n}")).collect();
    let mut args = vec!["archive"];
    args.extend(of.iter().map(String::as_str));
    args.extend(["--into", "kept"]);
    let first = amdahl(dir.path(), &args);
    assert_eq!(text(&first.stdout).matches("archived: kept/host=").count(), 24);
    let kept = contents(&dir.path().join("kept"));
    assert!(kept.keys().all(|k| k.contains("/year=2026/month=01/202601")), "{:?}", kept.keys());
    let again = amdahl(dir.path(), &args);
    assert_eq!(text(&again.stdout).matches("unchanged: ").count(), 24);
    assert!(contents(&dir.path().join("kept")) == kept, "the same runs, the same bytes");
    let archived = amdahl(dir.path(), &["history", "kept", "--json", "--margin", "5"]);
    assert_eq!(json(&archived), found, "{}", text(&archived.stderr));
    // Runs that are named twice, or lie in an archive too, count once.
    let both = amdahl(dir.path(), &["history", "kept", "runs", "--json", "--margin", "5"]);
    assert_eq!(json(&both), found);
}

/// Times of Go, so less is better, and nobody has to say it.
#[test]
fn files_of_another_tool_are_points_in_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..24).map(|k| format!("go{k:02}.txt")).collect();
    for (k, name) in names.iter().enumerate() {
        let ns = 50 + k * 7 % 5 + if k < 12 { 0 } else { 20 };
        fs::write(dir.path().join(name), format!("BenchmarkSum-2  100  {ns} ns/op\nPASS\n"))
            .unwrap();
    }
    let mut args = vec!["history"];
    args.extend(names.iter().map(String::as_str));
    let said = amdahl(dir.path(), &args);
    assert!(text(&said.stdout).contains("| go12.txt |"), "{}", text(&said.stdout));
    assert!(text(&said.stdout).contains("Each point is the median of a file of Go"));
    args.push("--json");
    let machine = amdahl(dir.path(), &args);
    assert_eq!((said.status.code(), machine.status.code()), (Some(1), Some(1)));
    let machine = json(&machine);
    let change = &machine["series"][0]["changes"][0];
    assert_eq!((&change["index"], &change["worse"]), (&"go12.txt".into(), &true.into()));
    assert!(machine["note"].as_str().unwrap().contains("another machine"));
}

#[test]
fn a_directory_gets_text_numbers_figures_and_points_and_the_same_each_time() {
    let dir = tempfile::tempdir().unwrap();
    fs::copy(golden_dir("history").join("table.csv"), dir.path().join("t.csv")).unwrap();
    let args = ["history", "t.csv", "--out", "out", "--json-out", "copy.json"];
    let said = amdahl(dir.path(), &args);
    let last = "history: out/history.md  first figure: out/figures/history-1-alloc.svg\n";
    assert!(text(&said.stdout).ends_with(last), "{}", text(&said.stdout));
    let first = contents(&dir.path().join("out"));
    assert_eq!(first["history.json"], fs::read(dir.path().join("copy.json")).unwrap());
    let figures = first.keys().filter(|k| k.ends_with(".svg")).count();
    assert_eq!((figures, first.keys().filter(|k| k.ends_with(".pdf")).count()), (3, 3));
    let points = text(&first["data/history.csv"]);
    assert!(points.contains("\n\"tags\",25,\"v1.25\","), "{points}");
    assert_eq!(points.lines().count(), 1 + 4 * 60 + 40 + 8);
    amdahl(dir.path(), &args);
    assert!(contents(&dir.path().join("out")) == first, "not the same bytes");
    fs::write(dir.path().join("out/report.md"), "").unwrap();
    let refused = amdahl(dir.path(), &args);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("report.md"));
}

#[test]
fn bad_input_is_refused_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("empty")).unwrap();
    fs::create_dir(dir.path().join("host=x")).unwrap();
    for (name, content) in [
        ("nan.csv", "series,index,value\na,1,1\na,2,NaN\n"),
        ("columns.csv", "a,b\n1,2\n"),
        ("binary.csv", "series,index,value\n"),
    ] {
        fs::write(dir.path().join(name), content).unwrap();
    }
    let trace = golden_dir("trace").join("run").display().to_string();
    for (args, says) in [
        (vec!["history", "nan.csv"], "nan.csv:3:5: `NaN`; expected a number"),
        (vec!["history", "columns.csv"], "columns.csv:1:1: no column `series`"),
        (vec!["history", "binary.csv"], "no rows"),
        (vec!["history", "nowhere.csv"], "nowhere.csv"),
        (vec!["history", "empty"], "nor a run (run.json)"),
        (vec!["history", "."], "."),
        (vec!["history", "nan.csv", "empty"], "a table of series,index,value is read alone"),
        (vec!["history", &trace, "nan.csv"], "nan.csv: no directory"),
        (vec!["history", "nan.csv", "--margin=-1"], "--margin -1"),
        (vec!["history", &trace], "no trial of a model"),
        (vec!["archive", "empty", "--into", "kept"], "run.json"),
        (vec!["archive", &trace, "--into", "kept"], "no trials to archive"),
    ] {
        let before = contents(dir.path());
        let mut all = args.clone();
        if args[0] == "history" {
            all.extend(["--out", "out"]);
        }
        let output = amdahl(dir.path(), &all);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(says), "{args:?}: {said} does not say {says}");
        assert!(output.stdout.is_empty() && contents(dir.path()) == before, "{args:?}");
        assert!(!dir.path().join("out").exists() && !dir.path().join("kept").exists());
    }
}

#[test]
fn the_readme_s_flags_are_those_of_history_archive_and_compare() {
    use clap::CommandFactory;
    let readme = include_str!("../../../README.md");
    let tree = amdahl_analysis::cli::Cli::command();
    for verb in ["history", "archive", "compare"] {
        let row = readme.lines().find(|l| l.starts_with(&format!("| `amdahl {verb} "))).unwrap();
        let mut documented: Vec<&str> =
            row.split(['`', ' ', '[', ']', '|']).filter_map(|w| w.strip_prefix("--")).collect();
        let arguments = tree.find_subcommand(verb).unwrap().get_arguments();
        let mut known: Vec<&str> = arguments.filter_map(clap::Arg::get_long).collect();
        documented.sort_unstable();
        known.sort_unstable();
        assert_eq!(documented, known, "{verb}");
    }
}
