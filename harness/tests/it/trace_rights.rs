//! `amdahl trace` with few rights: what it can still show, and what it says of the rest. Needs root, which gives its rights away.

use std::path::Path;
use std::process::{Command, Output};

use amdahl_schema::{Trace, read_run};

/// Root of a namespace with a tracefs mounted so; then `$AS_NOBODY COMMAND` or `$WITH_PERFMON COMMAND`.
fn with_tracefs(dir: &Path, options: &str, script: &str) -> Output {
    let nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups";
    let script = format!(
        "mount -t tracefs -o '{options}' tracefs /sys/kernel/tracing || exit 90
         AS_NOBODY='{nobody} --inh-caps=-all --bounding-set=-all'
         WITH_PERFMON='{nobody} --inh-caps=-all,+perfmon --ambient-caps=-all,+perfmon'
         AMDAHL='{}'
         $AS_NOBODY \"$AMDAHL\" --version >/dev/null || exit 91
         {script}",
        env!("CARGO_BIN_EXE_amdahl")
    );
    let mut command = Command::new("unshare");
    command.args(["-m", "bash", "-c", &script]).current_dir(dir).output().expect("unshare")
}

/// A directory that nobody can write to, if this machine lets us try.
fn place() -> Option<tempfile::TempDir> {
    let dir = tempfile::tempdir().unwrap();
    let open = Command::new("chmod").arg("777").arg(dir.path()).status();
    assert!(open.unwrap().success());
    let out = match Command::new("unshare").arg("--version").output() {
        Ok(_) => with_tracefs(dir.path(), "mode=755", "$WITH_PERFMON true"),
        Err(e) => {
            println!("skipped: unshare: {e}");
            return None;
        }
    };
    if out.status.success() {
        return Some(dir);
    }
    println!("skipped: {}", String::from_utf8_lossy(&out.stderr));
    None
}

fn latest(dir: &Path) -> Trace {
    let run = std::fs::canonicalize(dir.join("runs/latest")).expect("a run");
    read_run(&run).unwrap().trace.unwrap()
}

fn stderr(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

/// Two shells' worth of waits: Python is there wherever the tests run.
const WAITS: &str = "python3 -c 'import threading as t; x=t.Thread(target=lambda: sum(range(10**6))); x.start(); x.join()'";

#[test]
fn a_closed_tracefs_is_named_with_the_command_that_opens_it() {
    let Some(dir) = place() else { return };
    let out = with_tracefs(dir.path(), "mode=700", "$WITH_PERFMON $AMDAHL trace -- true");
    let remedy = "sudo mount -o remount,mode=755,gid=65534 /sys/kernel/tracing";
    assert_eq!(out.status.code(), Some(2), "{}", stderr(&out));
    assert!(stderr(&out).contains(remedy), "{}", stderr(&out));
}

#[test]
fn the_command_that_opens_tracefs_does() {
    let Some(dir) = place() else { return };
    let script = "mount -o remount,mode=755,gid=65534 /sys/kernel/tracing; $WITH_PERFMON $AMDAHL trace -- true";
    let out = with_tracefs(dir.path(), "mode=700", script);
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
}

#[test]
fn with_cap_perfmon_alone_everybody_is_seen_but_names_of_others_code() {
    let Some(dir) = place() else { return };
    let own = format!("$WITH_PERFMON $AMDAHL trace -- {WAITS}");
    let out = with_tracefs(dir.path(), "mode=755,gid=65534", &own);
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
    let trace = latest(dir.path());
    assert!(trace.blind_spots.iter().all(|s| s.what != "who woke whom"), "{:?}", trace.blind_spots);
    assert!(trace.threads.iter().all(|t| t.blocked_ns.is_some()), "{:?}", trace.threads);
    let other = "sleep 3 & P=$!; $WITH_PERFMON cat /proc/$P/maps >/dev/null 2>&1 && touch readable
                 $WITH_PERFMON $AMDAHL trace --pid $P --duration 100ms; E=$?; kill $P; exit $E";
    let out = with_tracefs(dir.path(), "mode=755,gid=65534", other);
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
    let spots = latest(dir.path()).blind_spots;
    let told = spots.iter().any(|s| s.what == "functions" && s.why.contains("maps"));
    // Newer kernels show it to who has CAP_PERFMON.
    assert_eq!(told, !dir.path().join("readable").exists(), "{spots:?}");
}

#[test]
fn without_any_right_ones_own_program_is_seen_without_wakers_and_anothers_not_at_all() {
    let Some(dir) = place() else { return };
    let paranoid: i32 = std::fs::read_to_string("/proc/sys/kernel/perf_event_paranoid")
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    let own = format!("$AS_NOBODY $AMDAHL trace -- {WAITS}");
    let out = with_tracefs(dir.path(), "mode=755,gid=65534", &own);
    if paranoid > 2 {
        assert_eq!(out.status.code(), Some(2), "{}", stderr(&out));
        assert!(stderr(&out).contains("setcap cap_perfmon+ep"), "{}", stderr(&out));
        return println!("skipped in part: perf_event_paranoid is {paranoid}");
    }
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
    let spots = latest(dir.path()).blind_spots;
    let who = spots.iter().find(|s| s.what == "who woke whom").expect("told");
    assert!(who.remedy.as_ref().unwrap().contains("CAP_PERFMON"), "{who:?}");
    let other = "sleep 3 & P=$!; $AS_NOBODY $AMDAHL trace --pid $P --duration 100ms; E=$?; kill $P; exit $E";
    let out = with_tracefs(dir.path(), "mode=755,gid=65534", other);
    assert_eq!(out.status.code(), Some(2), "{}", stderr(&out));
    assert!(stderr(&out).contains("setcap cap_perfmon+ep"), "{}", stderr(&out));
}
