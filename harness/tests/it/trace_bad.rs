//! `amdahl trace` where something goes wrong: too many threads, no symbols, no rights, other tracers, signals.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use amdahl_schema::{Trace, read_run};

use crate::trace::{MOUNT, built, traceable, traced};

/// tracefs as another tracer would find it.
const STATE: &str = "cd /sys/kernel/tracing && cat tracing_on current_tracer set_event set_event_pid kprobe_events uprobe_events \
     dynamic_events trace_clock tracing_cpumask buffer_size_kb trace_options events/enable events/syscalls/enable events/sched/enable \
     events/syscalls/sys_enter_futex/enable events/syscalls/sys_enter_futex/filter; ls instances";

fn children(dir: &Path, script: &str) -> Command {
    let mut shell = Command::new("unshare");
    shell.args(["-m", "sh", "-c", MOUNT, "sh", "bash", "-c", script]).current_dir(dir);
    shell.env("AMDAHL", env!("CARGO_BIN_EXE_amdahl"));
    shell
}

fn shell(dir: &Path, script: &str) -> Output {
    children(dir, script).output().unwrap()
}

fn latest(dir: &Path) -> Trace {
    let run = std::fs::canonicalize(dir.join("runs/latest")).expect("a run");
    read_run(&run).unwrap().trace.unwrap()
}

fn said(out: &Output) -> String {
    String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr)
}

#[test]
fn ten_thousand_threads_that_wait_once_are_all_seen_or_the_loss_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let Some(exe) = built(dir.path(), "cc", &["-O1", "-pthread"], "threads.c") else { return };
    if !traceable() {
        return;
    }
    // What amdahl keeps for them fits; the rings are shared memory, and not counted.
    let script = format!("ulimit -d 1000000; \"$AMDAHL\" trace -- {exe} 10000");
    let out = shell(dir.path(), &script);
    let made: u64 = said(&out)
        .lines()
        .next()
        .and_then(|l| l.parse().ok())
        .unwrap_or_else(|| panic!("{}", said(&out)));
    let trace = latest(dir.path());
    let waits: u64 = trace.idle.iter().map(|i| i.waits).sum();
    println!(
        "{made} threads, {} seen, {waits} waits, {} lost",
        trace.threads.len(),
        trace.lost_events
    );
    assert!(made > 100, "{}", said(&out));
    if trace.lost_events == 0 {
        assert_eq!(trace.threads.len() as u64, made + 1);
        assert!(waits >= made && waits <= made + made / 20, "{waits} of {made}");
    } else {
        assert!(trace.blind_spots.iter().any(|s| s.what == "lost records"));
    }
}

#[test]
fn a_program_without_symbols_waits_at_a_module_and_an_offset() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["-O1", "-s", "-fno-omit-frame-pointer", "-pthread"];
    let Some(exe) = built(dir.path(), "cc", &args, "waits.c") else { return };
    if !traceable() {
        return;
    }
    let (_, trace) = traced(dir.path(), &[], &[&exe]);
    let frames = || trace.locks.iter().flat_map(|l| &l.callsites).flat_map(|c| &c.frames);
    assert!(frames().any(|f| f.contains("+0x")), "{:#?}", trace.locks);
    assert!(!frames().any(|f| f.contains('/')), "a path: {:#?}", trace.locks);
}

#[test]
fn what_ends_at_once_or_goes_on_as_a_daemon_is_told() {
    if !traceable() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (out, trace) = traced(dir.path(), &[], &["true"]);
    assert_eq!((out.status.code(), trace.exit_status), (Some(0), Some(0)));
    assert_eq!((trace.locks.len(), trace.threads.len()), (0, 1));
    let daemon = "(setsid sleep 2 >/dev/null 2>&1 </dev/null &) ; exit 4";
    let begun = Instant::now();
    let (_, trace) = traced(dir.path(), &[], &["sh", "-c", daemon]);
    assert!(begun.elapsed() < Duration::from_millis(1900), "waited for the daemon");
    assert_eq!(trace.exit_status, Some(4));
    let left = trace.blind_spots.iter().find(|s| s.what == "processes left behind").expect("told");
    assert!(left.remedy.as_ref().unwrap().starts_with("amdahl trace --pid "), "{left:?}");
}

/// Starts a trace in a process group of its own, as a shell does, and waits for the program's first line.
fn begun(dir: &Path, program: &str) -> Child {
    let script = format!("exec \"$AMDAHL\" trace -- sh -c '{program}'");
    let mut command = children(dir, &script);
    let child =
        command.process_group(0).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let since = Instant::now();
    while !dir.join("ready").exists() && since.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(dir.join("ready").exists(), "it did not begin");
    child
}

fn kill(signal: &str, whom: &str) {
    assert!(Command::new("kill").args([signal, "--", whom]).status().unwrap().success());
}

#[test]
fn ctrl_c_reaches_the_program_and_the_trace_is_kept() {
    if !traceable() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let program = "trap \"exit 5\" INT; touch ready; while :; do sleep 0.05; done";
    let mut child = begun(dir.path(), program);
    kill("-INT", &format!("-{}", child.id()));
    assert!(child.wait().unwrap().success());
    assert_eq!(latest(dir.path()).exit_status, Some(5));
}

#[test]
fn a_tracer_that_is_told_to_stop_keeps_what_it_saw_and_leaves_the_program_alone() {
    if !traceable() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut child = begun(dir.path(), "echo $$ > pid; touch ready; sleep 3; touch done");
    kill("-TERM", &child.id().to_string());
    assert!(child.wait().unwrap().success());
    let trace = latest(dir.path());
    assert_eq!((trace.exit_status, trace.exit_signal), (None, None));
    assert!(trace.threads.iter().any(|t| t.name == "sh"), "{:?}", trace.threads);
    let pid = std::fs::read_to_string(dir.path().join("pid")).unwrap();
    kill("-KILL", pid.trim());
}

#[test]
fn tracefs_is_left_as_it_was_however_a_trace_ends() {
    if !traceable() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let ended = |signal: &str| {
        format!(
            "\"$AMDAHL\" trace -- sleep 2 >/dev/null 2>&1 & P=$!; sleep 0.5; kill -{signal} $P; wait $P 2>/dev/null; true"
        )
    };
    let ways = [
        "\"$AMDAHL\" trace -- sh -c 'exit 3'".to_owned(),
        "\"$AMDAHL\" trace -- /no/such".to_owned(),
        ended("INT"),
        ended("TERM"),
        ended("KILL"),
    ];
    for way in ways {
        let at = dir.path().display();
        let script = format!(
            "({STATE}) > '{at}/before' 2>/dev/null; {way} >/dev/null 2>&1; ({STATE}) > '{at}/after' 2>/dev/null"
        );
        shell(dir.path(), &script);
        let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
        assert!(read("before").lines().count() > 8, "{}", read("before"));
        assert_eq!(read("before"), read("after"), "{way}");
    }
}

#[test]
fn two_tracers_at_once_see_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let Some(exe) = built(dir.path(), "cc", &["-O1", "-pthread"], "threads.c") else { return };
    if !traceable() {
        return;
    }
    let script = format!(
        "\"$AMDAHL\" trace --out other -- sleep 2 >/dev/null 2>&1 & \
         if perf --version >/dev/null 2>&1; then perf record -q -a -e syscalls:sys_enter_futex -o perf.data -- sleep 2 >/dev/null 2>&1 & fi; \
         sleep 0.7; \"$AMDAHL\" trace -- {exe} 200; wait; \
         if [ -e perf.data ]; then perf script -i perf.data -F comm,event 2>/dev/null | grep -c '^ *known'; else echo none; fi"
    );
    let out = shell(dir.path(), &script);
    let trace = latest(dir.path());
    let waits: u64 = trace.idle.iter().map(|i| i.waits).sum();
    assert!(waits >= 200 && trace.lost_events == 0, "{waits}: {}", said(&out));
    let other = read_run(&dir.path().join("other/latest")).unwrap().trace.unwrap();
    assert_eq!((other.exit_status, other.lost_events), (Some(0), 0));
    match said(&out).lines().last().unwrap().parse::<u64>() {
        Ok(calls) => assert!(calls >= 200, "perf saw {calls}"),
        Err(_) => println!("skipped in part: no perf"),
    }
}
