//! `amdahl trace` on programs that stamp their own waits, and on those that go wrong. Where a kernel lets nobody trace, the tests
//! say `skipped: why`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

use amdahl_schema::{RunKind, Trace, TracedThread, read_run};

pub(crate) const MOUNT: &str =
    "mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null; exec \"$@\"";

/// In a namespace of its own a tracefs may be mounted that nobody else sees.
pub(crate) fn amdahl(dir: &Path, args: &[&str]) -> Output {
    let exe = env!("CARGO_BIN_EXE_amdahl");
    let private = ["-m", "sh", "-c", MOUNT, "sh"];
    let unshare =
        |what: &[&str]| Command::new("unshare").args(private).args(what).current_dir(dir).output();
    match unshare(&["true"]) {
        Ok(out) if out.status.success() => unshare(&[&[exe][..], args].concat()).unwrap(),
        _ => Command::new(exe).args(args).current_dir(dir).output().unwrap(),
    }
}

/// Whether this machine lets us trace; says why not.
pub(crate) fn traceable() -> bool {
    let dir = tempfile::tempdir().unwrap();
    let out = amdahl(dir.path(), &["trace", "--", "true"]);
    if out.status.code() == Some(2) {
        println!("skipped: {}", String::from_utf8_lossy(&out.stderr));
    }
    out.status.success()
}

pub(crate) fn traced(dir: &Path, options: &[&str], command: &[&str]) -> (Output, Trace) {
    let out = amdahl(dir, &[&["trace"], options, &["--"], command].concat());
    let stderr = String::from_utf8_lossy(&out.stderr).into_owned();
    let run = std::fs::canonicalize(dir.join("runs/latest")).expect(&stderr);
    let run = read_run(&run).unwrap();
    assert_eq!((run.header.kind, run.trials.len()), (RunKind::Trace, 0));
    (out, run.trace.unwrap())
}

/// One at a time: another test's threads on the same CPUs are no part of what a program stamps.
static ALONE: Mutex<()> = Mutex::new(());

/// The waits that the program counted (over 50 us) and their time, against those of its threads. How threads meet is the
/// scheduler's choice, on a busy machine an odd one; a tracer that misses waits misses them every time.
#[track_caller]
fn holds(command: &[&str], mine: impl Fn(&TracedThread) -> bool) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut last = Ok(());
    for _ in 0..3 {
        last = agrees(command, &mine);
        if last.is_ok() {
            break;
        }
    }
    assert_eq!(last, Ok(()));
}

fn agrees(command: &[&str], mine: &impl Fn(&TracedThread) -> bool) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    let (out, trace) = traced(dir.path(), &[], command);
    let stdout = String::from_utf8_lossy(&out.stdout);
    let words: Vec<f64> =
        stdout.lines().next().unwrap().split(' ').map(|w| w.parse().expect(&stdout)).collect();
    let (waits, ns) = (words[0], words[1]);
    let threads = || trace.threads.iter().filter(|t| mine(t));
    let seen = threads().map(|t| t.lock_waits).sum::<u64>() as f64;
    let seen_ns = threads().map(|t| t.lock_wait_ns).sum::<u64>() as f64;
    let told = format!("{command:?}: {seen} of {waits} waits, {seen_ns} of {ns} ns");
    println!("{told}");
    assert_eq!(trace.exit_status, Some(3), "{stdout}");
    // One wait of the program may be several calls: who is woken may find the lock taken again.
    let enough = waits > 20.0 && ns > 100e6;
    let found = seen >= 0.99 * waits && (seen_ns / ns - 1.0).abs() < 0.02;
    if enough && found && trace.lost_events == 0 {
        return Ok(());
    }
    Err(format!("{told}, {} lost: {:#?}", trace.lost_events, trace.idle))
}

fn known(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/known").join(file)
}

/// Compiles one; `None` where the compiler is missing.
pub(crate) fn built(dir: &Path, compiler: &str, args: &[&str], file: &str) -> Option<String> {
    let exe = dir.join("known");
    let made = Command::new(compiler).args(args).arg(known(file)).arg("-o").arg(&exe).output();
    match made {
        Ok(out) => {
            assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
            Some(exe.display().to_string())
        }
        Err(e) => {
            println!("skipped: {compiler}: {e}");
            None
        }
    }
}

#[test]
fn waits_that_c_stamped_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["-O1", "-g", "-fno-omit-frame-pointer", "-pthread"];
    let Some(exe) = built(dir.path(), "cc", &args, "waits.c") else { return };
    if traceable() {
        holds(&[&exe], |_| true);
    }
}

#[test]
fn callers_behind_code_without_frame_pointers_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["-O2", "-g", "-fomit-frame-pointer", "-pthread"];
    let Some(exe) = built(dir.path(), "cc", &args, "waits.c") else { return };
    if !traceable() {
        return;
    }
    let (_, trace) = traced(dir.path(), &[], &[&exe]);
    let sites = trace.locks.iter().flat_map(|l| &l.callsites);
    let named: u64 = sites
        .clone()
        .filter(|c| c.frames.iter().any(|f| f.starts_with("work (waits.c:")))
        .map(|c| c.waits)
        .sum();
    let all: u64 = sites.map(|c| c.waits).sum();
    assert!(all > 20 && named >= all * 9 / 10, "{named} of {all}: {:#?}", trace.locks);
}

#[test]
fn waits_that_rust_stamped_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["-O", "-g", "--edition=2024", "-Cforce-frame-pointers=yes"];
    let Some(exe) = built(dir.path(), "rustc", &args, "waits.rs") else { return };
    if traceable() {
        holds(&[&exe], |_| true);
    }
}

#[test]
fn waits_that_python_stamped_are_found() {
    if traceable() {
        holds(&["python3", known("waits.py").to_str().unwrap()], |t| t.tid != t.pid);
    }
}

#[test]
fn waits_that_java_stamped_are_found() {
    if Command::new("java").arg("-version").output().is_err() {
        return println!("skipped: no java");
    }
    if traceable() {
        holds(&["java", known("Waits.java").to_str().unwrap()], |t| t.name.starts_with("known-"));
    }
}

#[test]
fn a_program_that_can_t_start_is_named_and_leaves_nothing() {
    if !traceable() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("text"), "no program").unwrap();
    for (program, says) in
        [("/no/such", "no such program"), ("./text", "not executable"), (".", "not executable")]
    {
        let out = amdahl(dir.path(), &["trace", "--", program]);
        let stderr = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(says) && stderr.contains(program), "{stderr}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "half-written");
}

#[test]
fn how_a_program_ends_is_told_and_passed_on_only_when_asked() {
    if !traceable() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (out, trace) = traced(dir.path(), &[], &["sh", "-c", "exit 7"]);
    assert_eq!((out.status.code(), trace.exit_status), (Some(0), Some(7)));
    let (out, _) = traced(dir.path(), &["--forward-exit"], &["sh", "-c", "exit 7"]);
    assert_eq!(out.status.code(), Some(7));
    let (out, trace) = traced(dir.path(), &["--forward-exit"], &["sh", "-c", "kill -9 $$"]);
    assert_eq!((out.status.code(), trace.exit_status), (Some(137), None));
    assert_eq!(trace.exit_signal, Some(9));
}

#[test]
fn what_a_program_leaves_behind_is_a_blind_spot_and_the_time_ends_a_trace() {
    if !traceable() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (_, trace) = traced(dir.path(), &[], &["sh", "-c", "sleep 1 >/dev/null 2>&1 & exit 0"]);
    assert!(trace.blind_spots.iter().any(|s| s.what == "processes left behind"), "{trace:#?}");
    let (out, trace) = traced(dir.path(), &["--duration", "200ms"], &["sleep", "1"]);
    assert_eq!((out.status.code(), trace.exit_status), (Some(0), None));
    assert!(trace.duration_ns < 900_000_000, "{}", trace.duration_ns);
}

#[test]
fn a_running_process_is_followed_and_one_that_is_not_there_is_named() {
    if !traceable() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new("sleep").arg("5").spawn().unwrap();
    let pid = child.id().to_string();
    let out = amdahl(dir.path(), &["trace", "--pid", &pid, "--duration", "100ms", "--json"]);
    child.kill().unwrap();
    child.wait().unwrap();
    let trace: Trace = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(trace.threads[0].name, "sleep");
    let out = amdahl(dir.path(), &["trace", "--pid", "4000000"]);
    let stderr = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.code() == Some(2) && stderr.contains("no such process"), "{stderr}");
}

#[test]
fn tracefs_is_left_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let state = "cd /sys/kernel/tracing && cat tracing_on current_tracer set_event kprobe_events \
                 events/syscalls/enable events/sched/enable events/syscalls/sys_enter_futex/filter; ls instances";
    let script = format!(
        "{{ {state}; }} > before 2>/dev/null; '{}' trace --out '{}' -- true >/dev/null 2>&1; {{ {state}; }} > after 2>/dev/null",
        env!("CARGO_BIN_EXE_amdahl"),
        dir.path().display()
    );
    let script = script.replace("> before", &format!("> {}/before", dir.path().display()));
    let script = script.replace("> after", &format!("> {}/after", dir.path().display()));
    let mut made = Command::new("unshare");
    made.args(["-m", "sh", "-c", MOUNT, "sh", "sh", "-c", &script]).current_dir(dir.path());
    let made = made.output();
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap_or_default();
    if made.is_err() || read("before").is_empty() {
        return println!("skipped: no tracefs to compare");
    }
    assert_eq!(read("before"), read("after"));
}
