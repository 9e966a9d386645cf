//! The scripts for CI systems, as far as they can be run without a network: a repository of two commits, and a second one to push to.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/ci")
}

fn git(dir: &Path, args: &[&str]) -> String {
    let config =
        ["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "init.defaultBranch=main"];
    let out = Command::new("git").args(config).args(args).current_dir(dir).output().expect("git");
    assert!(out.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}

/// A program that prints its rate, and is "built" by copying it; on `main` 100, on the branch `rate`.
fn repository(rate: u32) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    git(at, &["init", "-q"]);
    let commit = |rate: u32, message: &str| {
        fs::write(at.join("app.sh"), format!("#!/bin/sh\necho rate {rate}\n")).unwrap();
        git(at, &["add", "app.sh"]);
        git(at, &["commit", "-qm", message, "--allow-empty"]);
    };
    commit(100, "base");
    git(at, &["checkout", "-qb", "work"]);
    commit(rate, "change");
    dir
}

fn compare(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(scripts().join("compare-with-base.sh"));
    command.args(args).current_dir(dir).env("AMDAHL", env!("CARGO_BIN_EXE_amdahl"));
    command.output().unwrap()
}

const BUILD: [&str; 4] =
    ["--build", "mkdir bin && cp app.sh bin/app && chmod +x bin/app", "--run", "{dir}/bin/app"];
const AB: [&str; 6] =
    ["--", "--no-gates", "--metric", "rate ([0-9]+)", "--json-out", "verdict.json"];

#[test]
fn a_branch_is_judged_against_where_it_began() {
    for (rate, verdict, code) in
        [(90, "regressed", 1), (100, "equivalent", 0), (120, "improved", 0)]
    {
        let dir = repository(rate);
        let out = compare(dir.path(), &[&["--base", "main"], &BUILD[..], &AB[..]].concat());
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(code), "{said}");
        let json: Value =
            serde_json::from_str(&fs::read_to_string(dir.path().join("verdict.json")).unwrap())
                .unwrap();
        assert_eq!(json["verdict"], verdict, "{json}");
        assert_eq!(git(dir.path(), &["worktree", "list"]).lines().count(), 1, "worktrees are gone");
        assert!(!dir.path().join("bin").exists(), "the checkout itself is not built in");
    }
}

#[test]
fn what_can_t_be_compared_says_why() {
    let dir = repository(90);
    for (args, says) in [
        (vec!["--base", "no-such-branch", "--run", "{dir}/app.sh"], "no commit no-such-branch"),
        (vec!["--base", "main", "--run", "app.sh"], "has no {dir}"),
        (
            vec!["--base", "main", "--build", "exit 7", "--run", "{dir}/app.sh"],
            "does not build with: exit 7",
        ),
        (vec!["--base", "main"], "compare-with-base.sh --base"),
        (
            vec!["--base", "main", "--run", "{dir}/app.sh", "--criterion", "{dir}/bench"],
            "compare-with-base.sh --base",
        ),
        (vec!["--base", "main", "--criterion", "{dir}/bench"], "base/bench"),
    ] {
        let out = compare(dir.path(), &args);
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{said}");
        assert!(said.contains(says), "`{says}` is not in: {said}");
    }
}

/// A first commit, a shallow clone, a bench that is new: nothing to compare with is no fault of HEAD, if that is asked for.
#[test]
fn a_base_that_is_not_there_may_be_allowed() {
    let dir = repository(90);
    let only_head = "grep -q 90 app.sh && cp app.sh app && chmod +x app";
    for (base, build, says) in
        [("no-such-branch", only_head, "no commit"), ("main", only_head, "base (")]
    {
        let args = ["--base", base, "--build", build, "--run", "{dir}/app"];
        for (allow, code) in [(&[][..], 2), (&["--allow-missing-base"][..], 0)] {
            let out = compare(dir.path(), &[&args[..], allow, &AB[..]].concat());
            let said = String::from_utf8_lossy(&out.stderr);
            assert_eq!(out.status.code(), Some(code), "{said}");
            assert!(said.contains(says), "{said}");
            assert_eq!(said.contains("nothing compared"), code == 0, "{said}");
        }
    }
    let head = ["--base", "main", "--allow-missing-base", "--build", "! grep -q 90 app.sh"];
    let out = compare(dir.path(), &[&head[..], &["--run", "{dir}/app"]].concat());
    assert_eq!(out.status.code(), Some(2), "HEAD has to build");
}

#[test]
fn figures_are_kept_on_a_branch_of_their_own() {
    let dir = repository(90);
    let remote = tempfile::tempdir().unwrap();
    git(remote.path(), &["init", "-q", "--bare"]);
    git(dir.path(), &["remote", "add", "origin", remote.path().to_str().unwrap()]);
    let verdict = dir.path().join("verdict.json");
    for (value, rows) in [(5.0, 2), (6.0, 3)] {
        let json = serde_json::json!({"cells": [{"name": "a, b", "metric": "wall_ns", "median_b": value}, {"name": "c", "metric": "x", "median_b": null}]});
        fs::write(&verdict, json.to_string()).unwrap();
        let mut command = Command::new(scripts().join("append-history.sh"));
        command.arg(&verdict).args(["figures", "origin"]).current_dir(dir.path());
        for who in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{who}_NAME"), "t")
                .env(format!("GIT_{who}_EMAIL"), "t@localhost");
        }
        let out = command.output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let csv = git(remote.path(), &["show", "figures:history.csv"]);
        assert_eq!(csv.lines().count(), rows, "{csv}");
        assert!(csv.starts_with("series,index,value\n\"a, b wall_ns\",2,5.0"), "{csv}");
    }
    assert_eq!(
        git(remote.path(), &["ls-tree", "--name-only", "figures"]),
        "history.csv",
        "an orphan branch"
    );
    assert_eq!(git(dir.path(), &["branch", "--show-current"]), "work");
}

/// The example is YAML of the shape that it should have, and names scripts that are there.
#[test]
fn the_example_workflow_reads_only_and_calls_what_is_there() {
    let text = fs::read_to_string(scripts().join("example-workflow.yml")).unwrap();
    assert!(text.contains("permissions:\n  contents: read\n") && text.contains("timeout-minutes:"));
    let called: Vec<&str> =
        text.split("scripts/ci/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(called.len(), 2);
    for script in called {
        assert!(scripts().join(script).exists(), "{script}");
    }
    assert!(!text.contains('\t'));
}
