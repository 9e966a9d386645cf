//! The worker that CONTRIBUTING.md shows: it keeps the protocol, and can be measured with a ceiling although
//! it has no threads. A machine without Perl can't tell, and says so.

use std::path::Path;
use std::process::Command;

use amdahl_schema::{Arm, Status, read_run};

fn amdahl(dir: &Path, verb: &[&str]) -> (Option<i32>, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("workers/example/worker.pl");
    let worker = format!("perl=perl {}", script.display());
    let out = Command::new(env!("CARGO_BIN_EXE_amdahl"))
        .args(verb)
        .args(["--worker", &worker])
        .current_dir(dir)
        .output()
        .unwrap();
    let text = [out.stdout, out.stderr].concat();
    (out.status.code(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn the_example_worker_conforms_and_is_measured() {
    let perl = Command::new("perl").args(["-MTime::HiRes", "-MSocket", "-e", "1"]).status();
    if !perl.is_ok_and(|s| s.success()) {
        eprintln!("not tested: no perl with Time::HiRes here (apt-get install perl)");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (code, text) = amdahl(dir.path(), &["conform"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("perl/processes: conforms"), "{text}");

    let run =
        ["run", "--models", "perl/*", "--workloads", "cpu", "--workers", "1,2", "--blocks", "1"];
    let (code, text) = amdahl(dir.path(), &run);
    assert_eq!(code, Some(0), "{text}");
    let run = read_run(&dir.path().join("runs/latest")).unwrap();
    let ceilings: Vec<_> = run.trials.iter().filter(|(_, t)| t.arm == Arm::Ceiling).collect();
    assert!(!ceilings.is_empty(), "{text}");
    for (line, t) in ceilings {
        // On a busy machine its processes may miss each other; they were asked for what they offer.
        assert!(
            matches!(t.outcome.status, Status::Ok | Status::Invalid),
            "{line}: {:?}",
            t.outcome
        );
    }
}

#[test]
fn what_contributing_shows_is_the_example() {
    let house = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(house.join("../CONTRIBUTING.md")).unwrap();
    let worker = std::fs::read_to_string(house.join("workers/example/worker.pl")).unwrap();
    let shown: Vec<&str> =
        page.split("```perl\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(shown.len(), 2);
    for part in shown {
        assert!(worker.contains(part), "not in worker.pl:\n{part}");
    }
}
