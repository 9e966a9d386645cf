//! `amdahl trace --preload` on programs that know what they locked, that must not notice, and that nothing can be seen of.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use amdahl_schema::{IdleClass, IdleWait, LockKind, RunKind, Trace, TracedLock, read_run};

fn amdahl(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_amdahl")).args(args).current_dir(dir).output().unwrap()
}

#[track_caller]
fn traced(options: &[&str], command: &[&str]) -> (Output, Trace) {
    let dir = tempfile::tempdir().unwrap();
    let out = amdahl(dir.path(), &[&["trace", "--preload"], options, &["--"], command].concat());
    let stderr = String::from_utf8_lossy(&out.stderr).into_owned();
    let run = std::fs::canonicalize(dir.path().join("runs/latest")).expect(&stderr);
    let run = read_run(&run).unwrap();
    assert_eq!((run.header.kind, run.trials.len()), (RunKind::Trace, 0));
    (out, run.trace.unwrap())
}

/// Compiles one of the known programs; `None` where the compiler is missing, or can't do this.
fn built(dir: &Path, compiler: &str, args: &[&str], file: &str) -> Option<String> {
    let source: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/known").join(file);
    let exe = dir.join("known");
    let made = Command::new(compiler).args(args).arg(source).arg("-o").arg(&exe).output();
    match made {
        Ok(out) if out.status.success() => return Some(exe.display().to_string()),
        Ok(out) => println!("skipped: {compiler}: {}", String::from_utf8_lossy(&out.stderr)),
        Err(e) => println!("skipped: {compiler}: {e}"),
    }
    None
}

/// The C program that knows; it must compile where there is a compiler.
fn locks(dir: &Path) -> Option<String> {
    let exe = built(dir, "cc", &["-O1", "-g", "-pthread"], "locks.c");
    assert!(exe.is_some() || Command::new("cc").arg("--version").output().is_err());
    exe
}

fn at<'a>(trace: &'a Trace, address: &str) -> &'a TracedLock {
    let found = trace.locks.iter().find(|l| l.address == address);
    found.unwrap_or_else(|| panic!("{address} is not among {:#?}", trace.locks))
}

fn spot(trace: &Trace, what: &str) -> Option<String> {
    let spot = trace.blind_spots.iter().find(|s| s.what == what)?;
    Some(format!("{} {}", spot.why, spot.remedy.clone().unwrap_or_default()))
}

fn acquisitions(trace: &Trace) -> u64 {
    trace.locks.iter().filter_map(|l| l.acquisitions).sum()
}

fn stdout(out: &Output) -> String {
    String::from_utf8_lossy(&out.stdout).into_owned()
}

#[test]
fn every_kind_of_lock_is_counted_exactly_and_behaves_as_ever() {
    let dir = tempfile::tempdir().unwrap();
    let Some(exe) = locks(dir.path()) else { return };
    let alone = Command::new(&exe).arg("ways").output().unwrap();
    let said = |text: &str| -> Vec<String> {
        text.lines().filter(|l| l.starts_with("said")).map(str::to_owned).collect()
    };
    assert!(said(&stdout(&alone)).len() > 40, "{}", stdout(&alone));
    for options in [&[][..], &["--hold"]] {
        let (out, trace) = traced(options, &[&exe, "ways"]);
        let text = stdout(&out);
        assert_eq!(said(&text), said(&stdout(&alone)), "{options:?}");
        assert_eq!((alone.status.code(), trace.exit_status), (Some(3), Some(3)));
        assert_eq!(trace.lost_events, 0);
        let truths: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix("truth ")).collect();
        assert_eq!(truths.len(), 11, "{text}");
        for truth in truths {
            agrees(&trace, truth, !options.is_empty());
        }
        waits_are_found(&trace, &text);
        let condition = |i: &IdleWait| i.class == IdleClass::Condition && i.timeouts >= 1;
        assert!(trace.idle.iter().any(condition), "{:#?}", trace.idle);
        assert_eq!(spot(&trace, "hold times").is_none(), !options.is_empty());
    }
}

/// `ADDRESS TYPE ACQUISITIONS READS CONTENDED`.
fn agrees(trace: &Trace, truth: &str, hold: bool) {
    let words: Vec<&str> = truth.split(' ').collect();
    let lock = at(trace, words[0]);
    let number = |n: usize| words[n].parse::<u64>().ok();
    assert_eq!(lock.kind, LockKind::Preload);
    assert_eq!(lock.lock_type.as_deref(), Some(words[1]), "{truth}");
    assert_eq!(lock.acquisitions, number(2), "{truth}: {lock:#?}");
    assert_eq!(lock.reads.unwrap_or(0), number(3).unwrap(), "{truth}");
    if let Some(contended) = number(4) {
        assert_eq!(lock.contended, Some(contended), "{truth}");
    }
    assert_eq!(lock.waits, lock.wait_ns.n, "{truth}");
    assert_eq!(lock.hold_ns.is_some(), hold, "{truth}");
    if let Some(h) = lock.hold_ns {
        // Not all: owners died, one is held at the end.
        assert!(h.n + 4 >= number(2).unwrap() && h.n <= number(2).unwrap(), "{truth}: {h:?}");
    }
}

/// The program's own stamps of its waits, and where they were.
fn waits_are_found(trace: &Trace, text: &str) {
    let line = text.lines().find_map(|l| l.strip_prefix("waited ")).unwrap();
    let (address, ns) = line.split_once(' ').unwrap();
    let ns: f64 = ns.parse().unwrap();
    let lock = at(trace, address);
    let sum = lock.wait_ns.sum as f64;
    assert!(sum <= ns && sum > 0.9 * ns, "{sum} of {ns}");
    assert_eq!((lock.timeouts, lock.owners, lock.waiters), (0, Some(2), Some(1)));
    let site = &lock.callsites[0];
    assert!(site.frames[0].contains("contended") && site.waits > 9, "{site:?}");
}

#[test]
fn what_a_program_counted_survives_its_death() {
    let dir = tempfile::tempdir().unwrap();
    let Some(exe) = locks(dir.path()) else { return };
    let (out, trace) = traced(&["--forward-exit"], &[&exe, "abort"]);
    assert_eq!((out.status.code(), trace.exit_signal), (Some(134), Some(6)));
    assert_eq!(acquisitions(&trace), 1234);
    let (out, trace) = traced(&["--hold", "--forward-exit"], &[&exe, "kill"]);
    assert_eq!((out.status.code(), trace.exit_signal), (Some(137), Some(9)));
    let lock = &trace.locks[0];
    assert_eq!((lock.acquisitions, lock.owners), (Some(20_000), Some(2)));
    assert_eq!(lock.hold_ns.unwrap().n, 20_000);
}

#[test]
fn children_and_what_is_executed_have_tables_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let Some(exe) = locks(dir.path()) else { return };
    let (_, trace) = traced(&[], &[&exe, "fork"]);
    let mut by_pid: BTreeMap<u32, u64> = BTreeMap::new();
    trace.locks.iter().for_each(|l| *by_pid.entry(l.pid).or_default() += l.acquisitions.unwrap());
    let mut counts: Vec<u64> = by_pid.into_values().collect();
    counts.sort_unstable();
    assert_eq!(counts, [5, 11]);
    let (_, trace) = traced(&[], &[&exe, "exec"]);
    let mut counts: Vec<u64> = trace.locks.iter().filter_map(|l| l.acquisitions).collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 1, 1, 1, 1, 1, 1, 10]);
    assert!(trace.locks.iter().all(|l| l.pid == trace.locks[0].pid), "exec keeps the process");
}

#[test]
fn more_locks_than_there_is_room_for_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let Some(exe) = locks(dir.path()) else { return };
    let (_, trace) = traced(&[], &[&exe, "many", "10000"]);
    assert_eq!((trace.events, trace.lost_events, trace.locks.len()), (10_000, 0, 4096));
    let unlisted = spot(&trace, "locks that are not listed").unwrap();
    assert!(unlisted.starts_with("5904 locks with 5904 acquisitions"), "{unlisted}");
    let (_, trace) = traced(&[], &[&exe, "many", "70000"]);
    assert_eq!((trace.events, trace.lost_events), (65_536, 70_000 - 65_536));
    assert!(spot(&trace, "locks beyond the table").unwrap().starts_with("4464 calls"));
}

#[test]
fn a_deadlock_is_ended_by_the_time_and_shows_who_waits() {
    let dir = tempfile::tempdir().unwrap();
    let Some(exe) = locks(dir.path()) else { return };
    let mut command = format!("'{exe}' deadlock & sleep 0.6; kill -9 $!");
    command.push_str("; exit 5");
    let (_, trace) = traced(&[], &["sh", "-c", &command]);
    assert_eq!(trace.exit_status, Some(5));
    assert!(acquisitions(&trace) == 1, "{:#?}", trace.locks);
    let unfinished = trace.blind_spots.iter().find(|s| s.what == "unfinished waits").unwrap();
    assert!(
        unfinished.why.starts_with("1 threads") && unfinished.hidden_ns_max > Some(300_000_000)
    );
    let (out, trace) = traced(&["--duration", "300ms"], &["sleep", "1"]);
    assert_eq!((out.status.code(), trace.exit_status), (Some(0), None));
    assert!(spot(&trace, "processes left behind").is_some(), "{:#?}", trace.blind_spots);
}

#[test]
fn programs_in_cpp_and_python_run_on_and_show_locks() {
    let dir = tempfile::tempdir().unwrap();
    if let Some(exe) = built(dir.path(), "c++", &["-O1", "-pthread"], "locks.cpp") {
        let (out, trace) = traced(&["--hold"], &[&exe]);
        assert_eq!(trace.exit_status, Some(0), "{}", stdout(&out));
        let words: Vec<String> =
            stdout(&out).lines().next().unwrap().split(' ').map(str::to_owned).collect();
        for (address, n) in [(&words[0], 4000), (&words[1], 2000)] {
            assert_eq!(at(&trace, address).acquisitions, Some(n));
        }
    }
    let script = "import threading\n\
                  def work():\n    for i in range(200000): pass\n\
                  threads = [threading.Thread(target=work) for _ in range(3)]\n\
                  [t.start() for t in threads]; [t.join() for t in threads]";
    if Command::new("python3").arg("--version").output().is_ok_and(|o| o.status.success()) {
        let (_, trace) = traced(&[], &["python3", "-c", script]);
        assert_eq!(trace.exit_status, Some(0));
        assert!(
            trace.locks.iter().any(|l| l.owners >= Some(2)),
            "the GIL's mutex: {:#?}",
            trace.locks
        );
        assert!(spot(&trace, "other locks").unwrap().contains("threading.Lock"));
    } else {
        println!("skipped: no python3");
    }
}

#[test]
fn calls_before_the_library_is_ready_are_answered_and_not_lost_in_silence() {
    let dir = tempfile::tempdir().unwrap();
    let flags = ["-O1", "-fno-builtin", "-pthread"];
    let Some(exe) = built(dir.path(), "cc", &flags, "alloc.c") else { return };
    for options in [&[][..], &["--hold"]] {
        let (out, trace) = traced(options, &[&exe]);
        assert_eq!(trace.exit_status, Some(0));
        let text = stdout(&out);
        let (address, calls) = text.lines().next().unwrap().split_once(' ').unwrap();
        let counted = at(&trace, address).acquisitions.unwrap();
        assert_eq!(counted + trace.lost_events, calls.parse::<u64>().unwrap());
        assert!(counted > 12_000 && trace.lost_events < 1000, "{counted} {}", trace.lost_events);
    }
}

#[test]
fn what_can_t_be_seen_is_said() {
    let dir = tempfile::tempdir().unwrap();
    if let Some(exe) = built(dir.path(), "cc", &["-O1", "-pthread", "-static"], "locks.c") {
        let (_, trace) = traced(&[], &[&exe, "many", "5"]);
        assert_eq!((trace.exit_status, trace.locks.len()), (Some(0), 0));
        let why = spot(&trace, "every lock").unwrap();
        assert!(why.contains("linked statically") && why.contains("without --preload"), "{why}");
    }
    if let Some(exe) = built(dir.path(), "rustc", &["-O", "--edition=2024"], "waits.rs") {
        let (_, trace) = traced(&[], &[&exe]);
        assert_eq!((trace.exit_status, trace.locks.len()), (Some(3), 0));
        let why = spot(&trace, "every lock").unwrap();
        assert!(why.contains("Rust's std, Go and static programs"), "{why}");
    }
    if let Some(exe) = locks(dir.path()) {
        let (_, trace) = traced(&[], &[&exe, "nothing"]);
        assert_eq!((trace.exit_status, trace.locks.len(), trace.events), (Some(0), 0, 0));
        assert!(spot(&trace, "every lock").unwrap().contains("made no pthread lock calls"));
        let (_, trace) = traced(&[], &["env", "-i", &exe, "many", "5"]);
        assert_eq!((trace.exit_status, trace.locks.len()), (Some(0), 0));
        assert!(spot(&trace, "every lock").unwrap().contains("cleared environment"));
        // Where a file may not be so large the program goes on, and the reason is told.
        let (_, trace) = traced(&[], &["sh", "-c", "ulimit -f 1000; exec \"$0\" many 5", &exe]);
        assert_eq!((trace.exit_status, trace.locks.len()), (Some(0), 0));
        assert!(
            spot(&trace, "a process").unwrap().contains("ulimit -f"),
            "{:#?}",
            trace.blind_spots
        );
    }
}

#[test]
fn what_can_t_be_done_says_why_and_what_next() {
    let dir = tempfile::tempdir().unwrap();
    let fails = |args: &[&str], says: &[&str]| {
        let out = amdahl(dir.path(), args);
        let stderr = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(2), "{stderr}");
        says.iter().for_each(|s| assert!(stderr.contains(s), "{s}: {stderr}"));
    };
    fails(
        &["trace", "--preload", "--pid", "1"],
        &["loaded as a program starts", "amdahl trace --preload -- CMD"],
    );
    fails(&["trace", "--hold", "--", "true"], &["--preload"]);
    if Command::new("cc").arg("--version").output().is_ok() {
        fails(&["trace", "--preload", "--", "/no/such"], &["/no/such", "no such program"]);
        fails(&["trace", "--preload", "--out", "/proc/x", "--", "true"], &["/proc/x", "--out"]);
    }
    let out = Command::new(env!("CARGO_BIN_EXE_amdahl"))
        .args(["trace", "--preload", "--", "/bin/true"])
        .env("PATH", dir.path())
        .current_dir(dir.path())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.code() == Some(2) && stderr.contains("apt-get install gcc"), "{stderr}");
}
