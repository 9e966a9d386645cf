//! A lock of the user's, from the page that teaches it to the verdict on it: the one that works, and those that do not.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use amdahl_schema::{Pass, Status, Trial, read_run};

use crate::bad_workers::trial_of;
use crate::fake::Quiet;

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../CONTRIBUTING.md");
    std::fs::read_to_string(path).unwrap()
}

/// The first block of code in a language.
fn block(page: &str, lang: &str) -> String {
    let (_, rest) = page.split_once("## A lock of your own").unwrap();
    let (_, rest) = rest.split_once(&format!("```{lang}\n")).unwrap();
    rest.split("```").next().unwrap().to_owned()
}

/// The C compiler is the page's requirement; where there is none, this is not tested.
fn library(dir: &Path, name: &str, source: &str) -> Option<PathBuf> {
    let (file, library) = (dir.join(format!("{name}.c")), dir.join(format!("{name}.so")));
    std::fs::write(&file, source).unwrap();
    let flags = ["-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o"];
    let cc = Command::new("cc").args(flags).arg(&library).arg(&file).output();
    let Ok(out) = cc else {
        eprintln!("not tested: no `cc` here");
        return None;
    };
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    Some(library)
}

struct Ran {
    code: Option<i32>,
    out: String,
    trials: Vec<Trial>,
}

/// A short run of one lock, with two workers.
fn run(dir: &Path, name: &str, lib: &str, more: &[&str]) -> Ran {
    let runs = dir.join(format!("runs-{name}"));
    let out = Command::new(env!("CARGO_BIN_EXE_amdahl"))
        .args(["run", "lock", "--models", "rust/threads", "--workers", "2", "--blocks", "1"])
        .args(["--lock", &format!("{name}={lib}"), "--param", &format!("lock.lock={name}")])
        .args(["--out".as_ref(), runs.as_os_str()])
        .args(more)
        .output()
        .unwrap();
    let text = [out.stdout, out.stderr].concat();
    let found = std::fs::read_dir(&runs).into_iter().flatten().flatten().next();
    let trials = found.map(|d| read_run(&d.path()).unwrap().trials).unwrap_or_default();
    Ran {
        code: out.status.code(),
        out: String::from_utf8_lossy(&text).into_owned(),
        trials: trials.into_iter().map(|(_, t)| t).collect(),
    }
}

#[test]
fn the_page_s_lock_in_c_is_measured_like_any_other() {
    let dir = tempfile::tempdir().unwrap();
    let source = block(&page(), "c");
    assert!(source.lines().filter(|l| !l.is_empty()).count() <= 20, "20 lines are promised");
    let Some(lib) = library(dir.path(), "ttas", &source) else { return };
    let ran = run(dir.path(), "my-ttas", lib.to_str().unwrap(), &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.out);
    assert!(ran.trials.iter().all(Trial::usable), "{}", ran.out);
    assert!(ran.out.contains("  lock: `amdahl report` compares the locks"), "{}", ran.out);
    let row = ran.out.lines().find(|l| l.starts_with("rust/threads")).unwrap();
    assert!(!row.contains(char::is_numeric), "a lock is no verdict on the model: {row}");
    let timed = ran.trials.iter().find(|t| t.pass == Pass::Latency && t.workers == 2).unwrap();
    assert_eq!(timed.params["lock"], "my-ttas");
    assert!(timed.guarded.unwrap() > 0 && timed.owners.is_some());
    for name in ["wait", "hold"] {
        assert!(timed.histograms.iter().any(|h| h.name == name), "{name}");
    }
}

#[test]
fn the_page_s_lock_in_rust_is_the_example_and_works() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("workers/rust/examples/own_lock.rs");
    let example = std::fs::read_to_string(example).unwrap();
    let source = block(&page().replace("\r", ""), "rust");
    assert!(example.ends_with(&source), "the page and examples/own_lock.rs differ");
    let lock = source.split("unsafe impl").nth(1).unwrap().split("\n}\n").next().unwrap();
    assert!(lock.lines().filter(|l| !l.is_empty()).count() <= 15, "15 lines are promised");
}

#[test]
fn the_adapters_cost_is_printed_where_both_ways_were_measured() {
    let dir = tempfile::tempdir().unwrap();
    let out = Command::new(env!("CARGO_BIN_EXE_amdahl"))
        .args(["run", "lock", "--workers", "1", "--blocks", "2", "--json", "--out"])
        .arg(dir.path())
        .args(["--param", "lock.lock=mutex,mutex-raw,mutex-c", "--param", "lock.steps=0"])
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    let json: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let ways: Vec<_> = json["adapters"].as_array().unwrap().iter().map(|a| &a["lock"]).collect();
    assert_eq!(ways, ["mutex-raw", "mutex-c"]);
    for adapter in json["adapters"].as_array().unwrap() {
        let of = |key: &str| adapter["ns_per_op"][key].as_f64().unwrap();
        assert!(of("lo") <= of("estimate") && of("estimate") <= of("hi"), "{adapter}");
    }
}

#[test]
fn counters_that_share_lines_are_measured_beside_those_that_do_not() {
    let dir = tempfile::tempdir().unwrap();
    let out = Command::new(env!("CARGO_BIN_EXE_amdahl"))
        .args(["run", "lock", "--workers", "2", "--blocks", "2", "--json", "--out"])
        .arg(dir.path())
        .args(["--param", "lock.lock=sharded", "--param", "lock.layout=packed,padded"])
        .args(["--param", "lock.steps=0"])
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    let json: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let [one] = json["layouts"].as_array().unwrap().as_slice() else { panic!("{json}") };
    assert_eq!((&one["model"], &one["workers"]), (&"rust/threads".into(), &2.into()));
    assert!(one["cell"].as_str().unwrap().contains("lock=sharded"), "{one}");
    let of = |key: &str| one["packed_over_padded"][key].as_f64().unwrap();
    assert!(0.0 < of("lo") && of("lo") <= of("estimate") && of("estimate") <= of("hi"), "{one}");
}

const OPEN: &str = "#include <stddef.h>
size_t lock_size(void) { return 1; }
void lock_init(void *l) { (void)l; }
void lock_acquire(void *l) { (void)l; }
void lock_release(void *l) { (void)l; }
";

/// What it does, and what its trials say; the program itself has done what it could, and ends with 0.
#[test]
fn locks_that_do_not_work_say_how() {
    let dir = tempfile::tempdir().unwrap();
    let crash = OPEN.replace(
        "lock_acquire(void *l) { (void)l;",
        "lock_acquire(void *l) { *(volatile int *)0 = l != 0;",
    );
    let lacks = OPEN.replace("lock_release", "lock_give_back");
    let nothing = OPEN.replace("return 1", "return 0");
    let cases = [
        ("open", OPEN.to_owned(), "checksum", &["lock `open` does not exclude", "additions"][..]),
        ("crash", crash, "crash", &["killed by signal 11", "it was measuring lock `crash`"]),
        ("lacks", lacks, "unsupported", &["has no `lock_release`", "lock `lacks`"]),
        ("nothing", nothing, "unsupported", &["lock_size() says 0"]),
    ];
    for (name, source, kind, says) in cases {
        let Some(lib) = library(dir.path(), name, &source) else { return };
        let ran = run(dir.path(), name, lib.to_str().unwrap(), &["--param", "lock.permille=1000"]);
        assert_eq!(ran.code, Some(0), "{name}: {}", ran.out);
        let bad = ran.trials.iter().find(|t| t.outcome.status != Status::Ok);
        let bad = bad.unwrap_or_else(|| panic!("{name}: all went well: {}", ran.out));
        let reason = bad.outcome.reason.clone().unwrap();
        assert_eq!(bad.outcome.kind.as_deref(), Some(kind), "{name}: {reason}");
        for word in says {
            assert!(reason.contains(word), "{name}: `{word}` is not in: {reason}");
        }
        let fast =
            ran.trials.iter().filter(|t| t.workers > 1 && t.arm == amdahl_schema::Arm::Model);
        assert!(fast.clone().all(|t| t.rate().is_none()), "{name} is never a speed");
        assert!(fast.count() > 0);
    }
}

/// Who finds it taken sleeps for ever.
const SLEEPY: &str = "#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>
size_t lock_size(void) { return sizeof(atomic_int); }
void lock_init(void *l) { atomic_init((atomic_int *)l, 0); }
void lock_acquire(void *l) { if (atomic_exchange((atomic_int *)l, 1)) for (;;) pause(); }
void lock_release(void *l) { atomic_store((atomic_int *)l, 0); }
";

/// A lock that is never given back hangs its first user; one whose waiters are not woken hangs two.
#[test]
fn a_lock_that_deadlocks_is_a_trial_that_hangs_and_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let kept = SLEEPY.replace("atomic_store((atomic_int *)l, 0)", "(void)l");
    let begin = Instant::now();
    for (name, source, workers) in [("kept", kept, 1), ("sleepy", SLEEPY.to_owned(), 2)] {
        let Some(lib) = library(dir.path(), name, &source) else { return };
        let lock = format!("{name}={}", lib.display());
        let argv = [env!("CARGO_BIN_EXE_amdahl"), "worker", "--lock", &lock];
        let argv = argv.map(OsString::from).to_vec();
        let outside = Quiet::by_the_clock();
        // Held for most of a millisecond at a time: two workers meet even where they share a CPU.
        let params = [("lock", name), ("permille", "1000"), ("steps", "200000")];
        let trial = trial_of(argv, &outside, "lock", workers, &params);
        let reason = trial.outcome.reason.clone().unwrap_or_default();
        assert_eq!(trial.outcome.status, Status::TimedOut, "{name}: {reason}");
        assert_eq!(trial.outcome.kind.as_deref(), Some("hang"), "{name}: {reason}");
        for word in [name, "was never released, or whoever waited for it was not woken"] {
            assert!(reason.contains(word), "`{word}` is not in: {reason}");
        }
        assert!(trial.rate().is_none(), "{name} is never a speed");
    }
    assert!(begin.elapsed() < Duration::from_secs(30), "the limits hold, and it is killed");
}

/// The page's way: a crate of the user's, a target of `cargo bench` in it, this package by its path.
#[test]
fn a_crate_of_the_user_s_measures_its_lock_by_cargo_bench() {
    let dir = tempfile::tempdir().unwrap();
    let worker = Path::new(env!("CARGO_MANIFEST_DIR")).join("workers/rust");
    let manifest = format!(
        "[package]\nname = \"locksmith\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n\
         [dev-dependencies]\namdahl-worker = {{ path = {worker:?} }}\n\
         [[bench]]\nname = \"locks\"\nharness = false\n[profile.bench]\nopt-level = 1\n"
    );
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    file("Cargo.toml", &manifest);
    file("src/lib.rs", "");
    file("benches/locks.rs", &block(&page(), "rust"));
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
    std::fs::copy(ours, dir.path().join("Cargo.lock")).unwrap();
    let out = Command::new(env!("CARGO"))
        .args(["bench", "--bench", "locks", "--target-dir"])
        // Kept, so that what it depends on is built once.
        .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("locksmith"))
        .args([
            "--",
            "--workers=2",
            "--blocks=2",
            "--param=lock.lock=mutex,my-ttas",
            "--out=runs",
            "--json",
        ])
        .current_dir(dir.path())
        .env("AMDAHL", env!("CARGO_BIN_EXE_amdahl"))
        .env("CARGO_NET_OFFLINE", "true")
        .env_remove("CARGO_TARGET_DIR")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{said}");
    let json: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let run = read_run(&dir.path().join(json["run"].as_str().unwrap())).unwrap();
    for lock in ["mutex", "my-ttas"] {
        let mine = |t: &&Trial| t.params.get("lock").map(String::as_str) == Some(lock);
        let trials: Vec<&Trial> = run.trials.iter().map(|(_, t)| t).filter(mine).collect();
        assert!(trials.iter().any(|t| t.usable() && t.workers == 2), "{lock}: {said}");
        assert!(trials.iter().all(|t| t.model == "locks/threads"), "{lock}");
    }
}

#[test]
fn what_is_wrong_with_the_flag_is_said_before_anything_is_measured() {
    let dir = tempfile::tempdir().unwrap();
    for (name, lib, says) in [
        ("mine", "/nowhere/lock.so", "No such file"),
        ("mutex", "/bin/sh", "the name is taken"),
        ("my lock", "/bin/sh", "a name has letters"),
    ] {
        let ran = run(dir.path(), name, lib, &[]);
        assert_eq!(ran.code, Some(2), "{}", ran.out);
        assert!(ran.out.contains(says), "{}", ran.out);
        assert!(ran.trials.is_empty());
    }
}
