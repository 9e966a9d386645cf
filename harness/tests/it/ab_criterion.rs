//! `amdahl ab --criterion` with scripts that answer as a bench of Criterion does: `--list`, and files in CRITERION_HOME.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// A bench with these ids and times; each launch notes what it was asked.
fn bench(dir: &Path, name: &str, times: &[(&str, f64)], version: &str) -> String {
    let list: String = times.iter().map(|(id, _)| format!("echo '{id}: benchmark'\n")).collect();
    let case: String = times.iter().map(|(id, ns)| format!("{id}) t={ns} ;;\n")).collect();
    let log = dir.join("asked");
    let text = format!(
        "#!/bin/sh\n# {version}\nif [ \"$2\" = --list ]; then\n{list}exit 0\nfi\n\
         for id; do :; done\necho \"{name} $id\" >> {log}\ncase $id in\n{case}*) echo 'no such bench' >&2; exit 1 ;;\nesac\n\
         n=$(wc -l < {log})\nmkdir -p $CRITERION_HOME/$id/new\n\
         awk -v t=$t -v n=$n 'BEGIN {{ t *= 1 + 0.001 * sin(7 * n); printf \"{{\\\"sampling_mode\\\":\\\"Flat\\\",\\\"iters\\\":[10,10,10],\\\"times\\\":[%f,%f,%f]}}\", 10*t, 10*t, 90*t }}' \
         > $CRITERION_HOME/$id/new/sample.json\n\
         echo '{{\"full_id\":\"'$id'\"}}' > $CRITERION_HOME/$id/new/benchmark.json\n",
        log = log.display()
    );
    script(dir, name, &text)
}

fn script(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

fn ab(dir: &Path, base: &str, head: &str, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_amdahl"));
    command
        .args(["ab", "--no-gates", "--seed", "7", "--criterion", base, head])
        .args(more)
        .current_dir(dir);
    command.output().unwrap()
}

fn judged(dir: &Path, base: &str, head: &str) -> (Value, Option<i32>) {
    let out = ab(dir, base, head, &["--json"]);
    let said = String::from_utf8_lossy(&out.stderr);
    (
        serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {said}")),
        out.status.code(),
    )
}

const V: &str = "/registry/criterion-0.8.2/src/lib.rs";

#[test]
fn every_bench_is_a_cell_and_only_what_changed_is_measured_again() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    let base =
        bench(at, "base", &[("one", 100.0), ("two", 200.0), ("three", 300.0), ("gone", 1.0)], V);
    let head =
        bench(at, "head", &[("one", 100.0), ("two", 210.0), ("three", 270.0), ("new", 1.0)], V);
    let (json, status) = judged(at, &base, &head);
    let verdicts: Vec<_> = json["cells"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| (c["name"].as_str().unwrap(), c["verdict"].as_str().unwrap()))
        .collect();
    assert_eq!(
        verdicts,
        [("one", "equivalent"), ("three", "improved"), ("two", "regressed")],
        "{json}"
    );
    assert_eq!(status, Some(1));
    let reasons = json["cells"][0]["reasons"].to_string();
    assert!(
        reasons.contains("only A has: gone") && reasons.contains("only B has: new"),
        "{reasons}"
    );
    assert!(!reasons.contains("was not checked"), "{reasons}");
    let asked = fs::read_to_string(at.join("asked")).unwrap();
    let launches = |id: &str| asked.lines().filter(|l| l.ends_with(&format!(" {id}"))).count();
    assert_eq!(
        (launches("one"), launches("two"), launches("three"), launches("gone")),
        (36, 72, 72, 0)
    );
    assert_eq!(
        json["cells"][0]["median_a"].as_f64().unwrap().round(),
        100.0,
        "the stalled third sample does not count"
    );
}

#[test]
fn two_builds_of_the_same_are_equivalent() {
    let dir = tempfile::tempdir().unwrap();
    let base = bench(dir.path(), "base", &[("one", 100.0), ("two", 7.0)], "no version here");
    let head = bench(dir.path(), "head", &[("one", 100.0), ("two", 7.0)], "no version here");
    let (json, status) = judged(dir.path(), &base, &head);
    assert_eq!((json["verdict"].as_str(), status), (Some("equivalent"), Some(0)), "{json}");
    assert!(json["cells"][0]["reasons"].to_string().contains("was not checked"));
}

#[test]
fn benches_may_be_chosen_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let times = [("group/one", 100.0), ("group/two", 7.0), ("other", 1.0)];
    let base = bench(dir.path(), "base", &times, V);
    let head = bench(dir.path(), "head", &times, V);
    let chosen = |regex: &str| ab(dir.path(), &base, &head, &["--json", "--benches", regex]);
    let json: Value = serde_json::from_slice(&chosen("^group/t").stdout).unwrap();
    let names = json["cells"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap());
    assert_eq!(names.collect::<Vec<_>>(), ["group/two"]);
    for (regex, says) in [("no such", "--benches no such: matches no bench"), ("(", "--benches:")] {
        let out = chosen(regex);
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{said}");
        assert!(said.contains(says), "{said}");
    }
}

#[test]
fn what_is_no_bench_or_of_another_version_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    let fine = bench(at, "fine", &[("one", 100.0)], V);
    let old = bench(at, "old", &[("one", 100.0)], "/registry/criterion-0.3.4/src/lib.rs");
    let other = bench(at, "other", &[("another", 100.0)], V);
    let none = script(at, "none", "#!/bin/sh\necho hello\n");
    let silent =
        script(at, "silent", "#!/bin/sh\n[ \"$2\" = --list ] && echo 'one: benchmark'\nexit 0\n");
    let cut = script(
        at,
        "cut",
        "#!/bin/sh\n[ \"$2\" = --list ] && echo 'one: benchmark' && exit 0\nmkdir -p $CRITERION_HOME/one/new\n\
         echo '{\"full_id\":\"one\"}' > $CRITERION_HOME/one/new/benchmark.json\necho '{\"iters\":[1' > $CRITERION_HOME/one/new/sample.json\n",
    );
    for (head, says) in [
        (old.as_str(), "old: built with Criterion 0.3.4; supported are 0.5, 0.6, 0.7, 0.8"),
        (&other, "no bench in common"),
        (&none, "none: no Criterion bench: --list names no benchmark"),
        (&silent, "B failed in each of 3 launches: left no sample.json of `one`"),
        (&cut, "is the file whole?"),
        ("no-such-file", "no-such-file: No such file"),
    ] {
        let out = ab(at, &fine, head, &[]);
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{said}");
        assert!(said.contains(says), "`{says}` is not in: {said}");
        assert!(out.stdout.is_empty());
    }
}
