//! The command line as documented: verbs, exit codes, errors that name the next step.

use std::path::Path;
use std::process::{Command, Output};

use amdahl_schema::{Arm, Pass};
use clap::CommandFactory;

fn amdahl(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_amdahl")).args(args).current_dir(dir).output().unwrap()
}

#[track_caller]
fn refused(args: &[&str], says: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let out = amdahl(dir.path(), args);
    let stderr = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{stderr}");
    for word in says {
        assert!(stderr.contains(word), "`{word}` is not in: {stderr}");
    }
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().flatten().collect();
    assert!(left.is_empty(), "half-written: {left:?}");
}

#[test]
fn the_tree_of_verbs_is_the_readmes_table() {
    let readme = include_str!("../../../README.md");
    let documented: Vec<&str> = readme
        .lines()
        .filter_map(|l| l.strip_prefix("| `amdahl "))
        .filter_map(|l| l.split(['`', ' ']).next())
        .collect();
    let tree = amdahl::cli::Cli::command();
    let verbs: Vec<&str> =
        tree.get_subcommands().filter(|c| !c.is_hide_set()).map(clap::Command::get_name).collect();
    assert_eq!(documented, verbs);
    for row in readme.lines().filter(|l| l.starts_with("| `amdahl ")) {
        let verb = row.strip_prefix("| `amdahl ").unwrap().split(['`', ' ']).next().unwrap();
        let of = tree.find_subcommand(verb).unwrap();
        for flag in
            row.split(['`', ' ', '[', ']', '|']).filter(|w| w.len() > 2 && w.starts_with("--"))
        {
            let name = flag.trim_start_matches("--");
            let known = of.get_arguments().any(|a| a.get_long() == Some(name));
            // These hand their flags on to the analysing program, whose own test holds them.
            assert!(
                known || ["report", "fit", "history", "archive", "compare"].contains(&verb),
                "README: amdahl {verb} has no {flag}"
            );
        }
    }
}

#[test]
fn unknown_names_are_refused_with_the_nearest() {
    refused(
        &["run", "--models", "rust/thread"],
        &["no model `rust/thread`", "did you mean", "rust/threads"],
    );
    refused(&["run", "--workloads", "cpuu"], &["no workload `cpuu`", "did you mean cpu"]);
    refused(&["run", "--profile", "smok"], &["no profile `smok`", "did you mean smoke"]);
    refused(&["run", "--worker", "x"], &["--worker x", "NAME=VALUE"]);
    refused(&["run", "--worker", "rust=sh"], &["--worker rust", "the name is taken"]);
    refused(&["run", "--param", "slep.sleep_ns=1"], &["no such workload", "did you mean sleep"]);
    refused(&["run", "--param", "sleep.slep_ns=1"], &["no parameter `slep_ns`", "sleep_ns?"]);
    refused(&["run", "--param", "workers=9"], &["`workers`", "the protocol itself"]);
    refused(&["run", "--param", "steps"], &["--param steps", "K=V"]);
    refused(&["run", "--budget", "soon"], &["--budget", "`soon` is not a time"]);
    refused(&["run", "--workers", "0"], &["0 is outside"]);
    refused(&["run", "--runtime", "python=/no/python"], &["/no/python"]);
    refused(&["run", "--resume", "nowhere"], &["nowhere/run.json", "No such file"]);
}

#[test]
fn a_broken_plan_names_file_line_and_column() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("p.toml"), "blocks = 3\nwindow = 30\n").unwrap();
    let out = amdahl(dir.path(), &["run", "p.toml"]);
    let stderr = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(2));
    assert!(stderr.contains("p.toml:2:10:") && stderr.contains("expected a string"), "{stderr}");
}

/// What only the machine can tell, a name that means nothing here, has its place in the file as well.
#[test]
fn a_name_in_a_plan_that_means_nothing_has_its_place() {
    let dir = tempfile::tempdir().unwrap();
    for (text, says) in [
        (
            "models = [\"rust/threads\",\n \"rust/thread\"]\n",
            "p.toml:2:2: no model `rust/thread`; did you mean rust/threads",
        ),
        (
            "workloads = [\"cpu\", \"slep\"]\n",
            "p.toml:1:21: no workload `slep`; did you mean sleep",
        ),
        (
            "[params.slep]\nsleep_ns = 5\n",
            "p.toml:1:9: parameters of `slep`: no such workload; did you mean sleep",
        ),
    ] {
        std::fs::write(dir.path().join("p.toml"), text).unwrap();
        let models: &[&str] = if text.contains("models") { &[] } else { &["--models", "rust/*"] };
        let out = amdahl(dir.path(), &[&["run", "p.toml", "--dry-run"], models].concat());
        let stderr = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.code() == Some(2) && stderr.contains(says), "{text}: {stderr}");
    }
}

#[test]
fn an_output_directory_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    let out = amdahl(
        dir.path(),
        &["run", "--profile", "smoke", "--models", "rust/threads", "--out", "file"],
    );
    let stderr = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("file/"), "{stderr}");
}

/// A full disk, as the kernel reports it: a limit on the size of files stands in for it.
#[test]
fn a_full_disk_ends_the_run_and_keeps_what_was_there() {
    let dir = tempfile::tempdir().unwrap();
    let script = format!(
        "trap '' XFSZ; ulimit -f 40; exec {} run --profile smoke --models rust/threads --workloads cpu",
        env!("CARGO_BIN_EXE_amdahl")
    );
    let out = Command::new("bash").args(["-c", &script]).current_dir(dir.path()).output().unwrap();
    let stderr = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("trials.jsonl"), "{stderr}");
    let run = the_run(dir.path());
    let read = amdahl_schema::read_run(&run).unwrap();
    assert_eq!(read.torn_line, None);
}

#[test]
fn few_open_files_are_enough_or_the_limit_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let script = format!(
        "ulimit -n 64; exec {} run --profile smoke --models rust/threads --workloads cpu --workers 1,2,24 \
         --blocks 1 --json",
        env!("CARGO_BIN_EXE_amdahl")
    );
    let out = Command::new("bash").args(["-c", &script]).current_dir(dir.path()).output().unwrap();
    let stderr = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{stderr}");
    let run = the_run(dir.path());
    for (_, t) in amdahl_schema::read_run(&run).unwrap().trials {
        let limited = t.outcome.kind.as_deref() == Some("limit");
        let many = t.arm == Arm::Ceiling || t.pass == Pass::Counters;
        assert_eq!(limited, many && t.workers == 24, "{:?}", t.outcome);
        if limited {
            assert!(t.outcome.reason.unwrap().contains("ulimit -n"));
        }
    }
}

#[test]
fn without_python_its_row_stays_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let out = Command::new(env!("CARGO_BIN_EXE_amdahl"))
        .args(["list", "--json"])
        .current_dir(dir.path())
        .env("PATH", dir.path())
        .env("HOME", dir.path())
        .env_remove("PYENV_ROOT")
        .output()
        .unwrap();
    let json: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let models = json["models"].as_array().unwrap();
    let python: Vec<_> =
        models.iter().filter(|m| m["model"].as_str().unwrap().starts_with("python")).collect();
    // A checkout's own .tools may hold one; elsewhere there is the row of the absent.
    if python.iter().all(|m| m["available"] == false) {
        assert_eq!(python[0]["model"], "python/threads");
        assert!(python[0]["why"]["remedy"].as_str().unwrap().contains("install CPython"));
    }
}

#[test]
fn a_dry_run_measures_nothing_and_names_every_cell() {
    let dir = tempfile::tempdir().unwrap();
    let out = amdahl(dir.path(), &["run", "--dry-run", "--profile", "smoke", "--models", "rust/*"]);
    let text = String::from_utf8_lossy(&out.stdout);
    assert_eq!(out.status.code(), Some(0));
    assert!(text.contains("rust/threads") && text.contains("rust/processes"), "{text}");
    assert!(!dir.path().join("runs").exists());
}

#[test]
fn one_cpu_can_tell_nothing_about_parallelism_and_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let script = format!(
        "exec taskset -c 0 {} run --profile smoke --models rust/threads --budget 20s --json",
        env!("CARGO_BIN_EXE_amdahl")
    );
    let out = Command::new("sh").args(["-c", &script]).current_dir(dir.path()).output().unwrap();
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    let json: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    for row in json["parallelism"].as_array().unwrap() {
        assert_eq!(
            (&row["verdict"], &row["cpus_available"]),
            (&"unknown".into(), &1.into()),
            "{row}"
        );
        assert!(row["reasons"][0].as_str().unwrap().contains("1 CPU"), "{row}");
    }
    assert!(!json["io_overlap"].as_array().unwrap().is_empty());
}

fn the_run(dir: &Path) -> std::path::PathBuf {
    let entries = std::fs::read_dir(dir.join("runs")).unwrap().flatten();
    entries.map(|e| e.path()).find(|p| p.join("run.json").is_file()).expect("a run was begun")
}
