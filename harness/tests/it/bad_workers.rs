//! Real processes that break every promise: the trial says which, and nothing is left running.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use amdahl::trial::{Limits, Stage};
use amdahl::worker::discover::Found;
use amdahl::worker::hello::Hello;
use amdahl::worker::link::WorkerSpec;
use amdahl::worker::process::ProcessLauncher;
use amdahl_schema::{Arm, Pass, Placement, PlannedBlock, PlannedTrial, Runtime, Status, Trial};

use crate::fake::Quiet;

const HELLO: &str =
    "echo hello v=1 lang=sh runtime=1 lead_ns=1000000 workloads=cpu mechanisms=threads";

/// Runs a trial of a worker that is a shell script.
fn trial(script: &str) -> Trial {
    let argv = ["sh", "-c", script].map(Into::into).to_vec();
    trial_of(argv, &Quiet::default(), "cpu", 1, &[])
}

/// Runs a short trial, with short limits, of any worker.
pub(crate) fn trial_of(
    argv: Vec<OsString>,
    outside: &Quiet,
    workload: &str,
    workers: u32,
    params: &[(&str, &str)],
) -> Trial {
    let launcher = ProcessLauncher { amdahl: PathBuf::from(env!("CARGO_BIN_EXE_amdahl")) };
    let short = Duration::from_millis(700);
    let limits =
        Limits { hello: Duration::from_secs(10), prepare: short, go: short, collect: short };
    let stage = Stage { launcher: &launcher, outside, amdahl: launcher.amdahl.clone(), limits };
    let found = Found {
        runtime: Runtime {
            id: "sh".to_owned(),
            lang: "sh".to_owned(),
            version: "1".to_owned(),
            path: "-".to_owned(),
            hash: None,
            gil: None,
            details: BTreeMap::new(),
        },
        spec: WorkerSpec { argv, env: Vec::new(), env_pad_bytes: 64 },
        hello: Hello { mechanisms: vec!["threads".to_owned()], ..Hello::default() },
        hello_ns: 1000,
    };
    let planned = PlannedTrial {
        seq: 0,
        workers,
        arm: Arm::Model,
        pass: Pass::Throughput,
        counter_set: 0,
        placement: Placement { policy: "none".to_owned(), cpus: Vec::new(), exclusive: false },
        seed: 1,
        env_pad_bytes: 64,
        window_ns: 1_000_000,
        windows_n: 1,
    };
    let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    let block = PlannedBlock {
        block: 0,
        tier: 0,
        spare: false,
        model: "sh/threads".to_owned(),
        workload: workload.to_owned(),
        params: params.iter().map(own).collect(),
        trials: vec![planned.clone()],
    };
    stage.execute(&found, &block, &planned)
}

#[track_caller]
fn fails(script: &str, status: Status, kind: &str, says: &[&str]) -> Trial {
    let t = trial(script);
    let reason = t.outcome.reason.clone().unwrap_or_default();
    assert_eq!((t.outcome.status, t.outcome.kind.as_deref()), (status, Some(kind)), "{reason}");
    for word in says {
        assert!(reason.contains(word), "`{word}` is not in: {reason}");
    }
    t
}

#[test]
fn a_crash_says_when_how_and_the_last_words() {
    let script = format!("read l; {HELLO}; read l; echo 'Segmentation of my own' >&2; exit 3");
    fails(&script, Status::Failed, "crash", &["at prepare", "exit status 3", "Segmentation"]);
    fails("read l; kill -9 $$", Status::Failed, "crash", &["at hello", "killed by signal 9"]);
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let t =
        fails("exec /no/such/worker", Status::Failed, "crash", &["at hello", "/no/such/worker"]);
    assert!(t.rate().is_none());
}

#[test]
fn a_hang_ends_at_its_limit_and_is_killed() {
    let begin = Instant::now();
    let script = format!("read l; {HELLO}; read l; sleep 1000");
    fails(&script, Status::TimedOut, "hang", &["at prepare", "0.7 s"]);
    // SIGTERM ends `sleep`; a worker that ignores it gets SIGKILL after two seconds.
    let deaf = format!("trap '' TERM; read l; {HELLO}; read l; while :; do sleep 1; done");
    fails(&deaf, Status::TimedOut, "hang", &["at prepare"]);
    assert!(begin.elapsed() < Duration::from_secs(30));
}

#[test]
fn garbage_is_quoted() {
    let script = format!("read l; {HELLO}; read l; echo 'Hello, World!'; sleep 9");
    fails(&script, Status::Failed, "protocol", &["at prepare", "Hello, World!"]);
    let script = format!("read l; {HELLO}; read l; printf '\\377\\376\\n'; sleep 9");
    fails(&script, Status::Failed, "protocol", &["not UTF-8"]);
    let script = format!("read l; {HELLO}; read l; echo 'ready id=1 carriers=x'; sleep 9");
    fails(&script, Status::Failed, "protocol", &["`carriers` wants thread ids"]);
    // Thread 0 would mean the harness itself, once pinned.
    let script = format!("read l; {HELLO}; read l; echo 'ready id=1 carriers=0'; sleep 9");
    fails(&script, Status::Failed, "protocol", &["`carriers` wants thread ids"]);
    let script = format!(
        "read l; {HELLO}; read l; echo 'ready id=1 carriers=9 op_ns=99999999999999'; sleep 9"
    );
    fails(&script, Status::Invalid, "window", &["a window would last"]);
    let script = format!("read l; {HELLO}; read l; echo 'stopped id=1'; sleep 9");
    fails(&script, Status::Failed, "protocol", &["`ready` expected", "stopped"]);
}

#[test]
fn an_over_long_line_is_cut_off_at_the_limit() {
    let script =
        format!("read l; {HELLO}; read l; head -c 3000000 /dev/zero | tr '\\0' x; sleep 9");
    fails(&script, Status::Failed, "overlong", &["at prepare", "1048576", "xxx"]);
}

#[test]
fn a_refusal_is_passed_on_in_the_workers_words() {
    let refuse = "echo 'error id=1 phase=prepare kind=unsupported msg=no%20such%20workload'";
    let script = format!("read l; {HELLO}; read l; {refuse}; read l");
    fails(&script, Status::Failed, "unsupported", &["no such workload"]);
}

#[test]
fn a_worker_that_never_ends_its_figures_is_cut_off() {
    let script = format!(
        "read l; {HELLO}; read l; echo ready id=1 carriers=$$ steps=10; read l; echo stopped id=1; \
         read l; while :; do echo window id=1 i=0 w=0 ops=0 check=0; done"
    );
    fails(&script, Status::Failed, "protocol", &["lines, and no `done`"]);
}

#[test]
fn figures_that_are_missing_are_named() {
    let script = format!(
        "read l; {HELLO}; read l; echo ready id=1 carriers=$$ steps=10; read l; echo stopped id=1; \
         read l; echo done id=1; read l"
    );
    fails(&script, Status::Failed, "protocol", &["`total` lines of worker 0", "at collect"]);
}

#[test]
fn a_child_that_outlives_its_worker_is_killed_and_flagged() {
    let mark = format!("{}", 70_000 + std::process::id());
    // In a session of its own, as a daemon is.
    let script = format!("setsid sleep {mark} & read l; {HELLO}; read l; exit 0");
    let t = fails(&script, Status::Failed, "crash", &["at prepare"]);
    assert!(t.flags.iter().any(|f| f.starts_with("leftover: 1 ")), "{:?}", t.flags);
    assert!(!alive(&mark), "the child lives on");
}

/// Whether any process has this argument.
fn alive(argument: &str) -> bool {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|e| std::fs::read(e.path().join("cmdline")).ok())
        .any(|cmdline| cmdline.split(|b| *b == 0).any(|a| a == argument.as_bytes()))
}
