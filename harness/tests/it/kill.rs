//! kill -9 of the harness at any moment: the run loads, nothing lives on, `--resume` completes it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use amdahl::plan::SplitMix;
use amdahl_schema::{Status, read_run};

const MARK: &str = "AMDAHL_TEST_MARK";

/// A worker that says hello and then keeps a child in a session of its own.
const DAEMON: &str = "daemon=sh -c 'setsid sleep 4321 & read l; \
    echo hello v=1 lang=sh runtime=1 workloads=cpu mechanisms=threads; read l; sleep 1000'";

fn amdahl(mark: &str, dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_amdahl"));
    command.env(MARK, mark).current_dir(dir);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Processes that carry the mark in their environment.
fn marked(mark: &str) -> Vec<String> {
    let wanted = format!("{MARK}={mark}");
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter(|e| {
            let environ = std::fs::read(e.path().join("environ")).unwrap_or_default();
            environ.split(|b| *b == 0).any(|v| v == wanted.as_bytes())
        })
        .map(|e| std::fs::read_to_string(e.path().join("cmdline")).unwrap_or_default())
        .collect()
}

fn the_run(dir: &Path) -> Option<PathBuf> {
    let mut entries = std::fs::read_dir(dir.join("runs")).ok()?.flatten();
    entries.find_map(|e| Some(e.path()).filter(|p| !p.is_symlink() && p.join("run.json").is_file()))
}

#[test]
fn killed_at_random_moments_a_run_loads_and_nothing_lives_on() {
    let mut rng = SplitMix::new(7);
    let mut loaded = 0;
    for round in 0..20 {
        let dir = tempfile::tempdir().unwrap();
        let mark = format!("{}-{round}", std::process::id());
        let mut run = amdahl(&mark, dir.path());
        run.args(["run", "--profile", "smoke", "--workers", "1,2", "--counters", "none"]);
        // In turn: Python processes, a fork server, a worker whose child called setsid.
        match round % 3 {
            0 => run.args(["--models", "python3*/processes-*"]),
            1 => run.args(["--models", "python3*/processes-forkserver"]),
            _ => run.args(["--models", "daemon/*", "--worker", DAEMON]),
        };
        let mut run = run.spawn().unwrap();
        // Mostly while it measures, now and then while it looks for runtimes.
        let patience = Instant::now() + Duration::from_secs(if round % 5 == 4 { 0 } else { 30 });
        while the_run(dir.path()).is_none() && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(rng.below(1500)));
        run.kill().unwrap();
        run.wait().unwrap();
        let deadline = Instant::now() + Duration::from_secs(2);
        let mut left = marked(&mark);
        while !left.is_empty() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
            left = marked(&mark);
        }
        assert!(left.is_empty(), "round {round}: still alive 2 s later: {left:?}");
        if let Some(dir) = the_run(dir.path()) {
            let read = read_run(&dir).expect("a killed run loads");
            let whole = std::fs::read_to_string(dir.join("trials.jsonl")).unwrap_or_default();
            assert_eq!(
                read.trials.len(),
                whole.matches('\n').count(),
                "every ended trial is there"
            );
            loaded += 1;
        }
    }
    assert!(loaded >= 10, "only {loaded} of 20 runs had begun when they were killed");
}

#[test]
fn a_killed_run_is_completed_by_resume() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = amdahl("resume", dir.path());
    run.args(["run", "--profile", "smoke", "--models", "rust/threads", "--workloads", "cpu"]);
    let mut run = run.args(["--seed", "5"]).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let path = loop {
        assert!(Instant::now() < deadline, "no trial within a minute");
        if let Some(path) = the_run(dir.path())
            && read_run(&path).is_ok_and(|r| r.trials.len() >= 2)
        {
            break path;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    run.kill().unwrap();
    run.wait().unwrap();
    // A torn last line, as a kill in the middle of a write leaves it.
    let trials = path.join("trials.jsonl");
    let mut text = std::fs::read_to_string(&trials).unwrap();
    text.push_str("{\"seq\":3,\"blo");
    std::fs::write(&trials, text).unwrap();
    let before = read_run(&path).unwrap();
    assert_eq!(before.torn_line, Some(before.trials.len() + 1));
    let resumed =
        amdahl("resume", dir.path()).arg("run").arg("--resume").arg(&path).status().unwrap();
    assert_eq!(resumed.code(), Some(0));
    let after = read_run(&path).unwrap();
    let regular = after.header.plan.blocks.iter().filter(|b| !b.spare);
    let mut planned = regular.flat_map(|b| &b.trials);
    assert!(planned.all(|p| after.trials.iter().any(|(_, t)| t.seq == p.seq)));
    assert_eq!(after.torn_line, None);
    assert!(after.trials.iter().all(|(_, t)| t.outcome.status != Status::NotRun));
    for ((_, a), (_, b)) in before.trials.iter().zip(&after.trials) {
        assert_eq!(a, b, "trials that had ended stay as they were");
    }
}
