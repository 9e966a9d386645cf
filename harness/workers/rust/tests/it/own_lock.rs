//! The example of a lock of one's own, as a worker and as a target of `cargo bench`.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use amdahl_worker::Line;

/// Cargo builds a package's examples with its tests.
fn example() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    own.ancestors().nth(2).unwrap().join("examples/own_lock")
}

#[test]
fn the_example_s_lock_stands_beside_the_others_and_excludes() {
    let mut child = Command::new(example())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("built with the tests: cargo test -p amdahl-worker");
    let input = "hello v=1\n\
        prepare id=1 workload=lock mechanism=threads workers=2 lock=my-ttas\n\
        go id=1 pass=latency start_ns=1 window_ns=20000000 windows=1 ramp_ns=1000000 tail_ns=1000000\n\
        collect id=1\n";
    // A start long ago would be an end long ago: from now on.
    let now = amdahl_worker::now_ns() + 1_000_000_000;
    let input = input.replace("start_ns=1 ", &format!("start_ns={now} "));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success());
    let text = String::from_utf8(out.stdout).unwrap();
    let lines: Vec<Line> = text.lines().map(|line| Line::parse(line).unwrap()).collect();
    assert!(lines[0].list("locks").any(|lock| lock == "my-ttas"), "{}", lines[0]);
    assert!(lines[0].list("locks").count() > 12, "beside twelve others");
    let number = |line: &Line, key: &str| line.required::<u64>(key).unwrap();
    let of = |verb: &'static str| lines.iter().filter(move |line| line.verb() == verb);
    let made: u64 = of("total").map(|total| number(total, "ops")).sum();
    assert!(made > 0, "{text}");
    assert_eq!(of("guard").map(|guard| number(guard, "count")).sum::<u64>(), made);
}

#[test]
fn cargo_bench_hands_over_to_amdahl() {
    let dir = tempfile::tempdir().unwrap();
    let fake = dir.path().join("amdahl");
    std::fs::write(&fake, "#!/bin/sh\necho \"$@\"\nexit 3\n").unwrap();
    std::fs::set_permissions(&fake, std::fs::Permissions::from_mode(0o755)).unwrap();
    let bench = |amdahl: &std::path::Path| {
        let mut command = Command::new(example());
        command.args(["--workers=2,8", "--bench"]).env("AMDAHL", amdahl).output().unwrap()
    };
    let out = bench(&fake);
    let text = String::from_utf8(out.stdout).unwrap();
    assert_eq!(out.status.code(), Some(3), "amdahl's own exit code");
    let says = "--models=own_lock/threads --workloads=lock --workers=2,8";
    assert!(
        text.starts_with("run --worker=own_lock='/") && text.trim_end().ends_with(says),
        "{text}"
    );
    let none = bench(&dir.path().join("gone"));
    assert_eq!(none.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&none.stderr).contains("set AMDAHL="));
}
