//! `--bundle`: what is in the archive, that it is the same bytes twice, and what it says of each figure.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use amdahl_analysis::synth::{self, Spec};

fn report(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_amdahl-analysis"));
    command.arg("report").args(args).current_dir(dir).output().unwrap()
}

fn bench() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().to_owned();
    for (name, seed) in [("run-a", 1), ("run-b", 2)] {
        let (header, trials) = synth::run(&Spec { seed, blocks: 3, ..Spec::default() });
        synth::write(&at.join(name), &header, &trials).unwrap();
    }
    (dir, at)
}

#[test]
fn a_bundle_lies_beside_the_report_holds_all_of_it_and_says_its_hash() {
    let (_dir, at) = bench();
    let output = report(&at, &["run-a", "--bundle"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.lines().last().unwrap().starts_with("report: "), "{said}");
    let path = at.join("reports/run-a.bundle.tar.gz");
    let hash = Command::new("sha256sum").arg(&path).output().unwrap().stdout;
    let hash = String::from_utf8(hash).unwrap();
    assert!(said.contains(hash.split(' ').next().unwrap()), "{said}");
    assert!(said.contains("bundle: reports/run-a.bundle.tar.gz"), "{said}");

    let scratch = at.join("scratch");
    fs::create_dir(&scratch).unwrap();
    let manifest = amdahl_bundle::open(&path, &scratch).unwrap().manifest;
    for file in ["run.json", "trials.jsonl"] {
        let (packed, own) = (scratch.join("runs/run-a").join(file), at.join("run-a").join(file));
        assert!(fs::read(packed).unwrap() == fs::read(own).unwrap(), "{file}");
    }
    let holds = |path: &str| manifest.files.iter().any(|f| f.path == path);
    assert!(holds("README.md") && holds("report/report.md") && holds("report/verdicts.json"));
    assert!(manifest.figures.len() > 4, "{:?}", manifest.figures);
    for figure in &manifest.figures {
        assert!(!figure.files.is_empty() && !figure.data.is_empty(), "{figure:?}");
        assert!(figure.files.iter().chain(&figure.data).all(|f| holds(f)), "{figure:?}");
        let command = figure.command.join(" ");
        assert_eq!(command, "amdahl report runs/run-a --out ../again");
    }
    let drawn = manifest.files.iter().filter(|f| f.path.starts_with("report/figures/"));
    let told: usize = manifest.figures.iter().map(|f| f.files.len()).sum();
    assert_eq!(drawn.count(), told, "a figure is not told of");
}

#[test]
fn the_same_runs_make_the_same_archive_whenever_and_by_whomever() {
    let (_dir, at) = bench();
    let path = at.join("reports/run-a+1.bundle.tar.gz");
    let make = || {
        let output = report(&at, &["run-a", "run-b", "--bundle"]);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        fs::read(&path).unwrap()
    };
    let first = make();
    // Another time of the files is another hour of packing.
    let mut touch = Command::new("touch");
    touch.args(["-d", "2001-02-03", "run-a/run.json"]).current_dir(&at);
    assert!(touch.status().unwrap().success());
    fs::remove_dir_all(at.join("reports")).unwrap();
    assert!(first == make(), "the archive differs");
    let left: Vec<_> = fs::read_dir(at.join("reports")).unwrap().flatten().collect();
    assert_eq!(left.len(), 3, "report, latest and bundle, nothing left over: {left:?}");
}

#[test]
fn the_same_run_twice_is_refused() {
    let (_dir, at) = bench();
    let output = report(&at, &["run-a", "run-a", "--bundle"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("`run-a` is given twice"), "{said}");
}
