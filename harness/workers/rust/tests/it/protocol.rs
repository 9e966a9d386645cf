//! Verbs, errors and ends.

use std::io::{Read, Write};

use amdahl_worker::now_ns;

use crate::worker::{Worker, int};

#[test]
fn hello_says_what_it_is() {
    let mut worker = Worker::spawn();
    let hello = worker.expect("hello v=1 colour=blue require=alternate,spans", "hello");
    assert_eq!(hello.text("lang"), Some("rust"));
    assert_eq!(hello.text("clock"), Some("CLOCK_MONOTONIC"));
    assert_eq!(hello.text("gil"), None);
    assert_eq!(int(&hello, "pid"), i64::from(worker.child.id()));
    assert!(int(&hello, "timer_cost_ps") > 0 && int(&hello, "lead_ns") > 0);
    assert!(hello.text("runtime").unwrap().starts_with("1."), "{hello}");
    assert_eq!(hello.text("workloads"), Some("noop,cpu,sleep,pipe,mem,serial,lock"));
    assert_eq!(hello.text("mechanisms"), Some("threads,processes,rayon,tokio"));
    let threads_only = ["serial", "lock"].map(|w| format!("processes:{w},rayon:{w},tokio:{w}"));
    assert_eq!(hello.text("except"), Some(threads_only.join(",").as_str()));
    assert!(hello.list("locks").any(|lock| lock == "mutex"), "{hello}");
    for runtime in ["rayon", "tokio"] {
        assert!(hello.text(runtime).unwrap().starts_with("1."), "{hello}");
    }
    assert_eq!(hello.text("features"), Some("alternate,spans"));
}

#[test]
fn pong_lies_inside_the_bracket() {
    let mut worker = Worker::spawn();
    let before = now_ns();
    let pong = worker.expect("ping n=41", "pong");
    let at = int(&pong, "now_ns") as u64;
    assert_eq!(int(&pong, "n"), 41);
    assert!((before..=now_ns()).contains(&at));
}

/// One worker, many mistakes: each is answered, and it stays usable.
#[test]
fn mistakes_are_answered_and_survived() {
    let mut worker = Worker::spawn();
    let cases = [
        ("hello v=2", "unsupported"),
        ("hello v=1 require=spans,teleport", "unsupported"),
        ("dance id=1", "unsupported"),
        ("prepare id=1 workload=cpu mechanism=threads workers=2 require=teleport", "unsupported"),
        ("prepare id=1 workload=dance mechanism=threads workers=2", "unsupported"),
        ("prepare id=1 workload=cpu mechanism=fibres workers=2", "unsupported"),
        ("prepare id=1 workload=cpu mechanism=inline workers=1", "unsupported"),
        ("prepare id=1 workload=cpu mechanism=threads workers=0", "unsupported"),
        ("prepare id=1 workload=cpu mechanism=threads workers=99999", "unsupported"),
        ("prepare id=1 workload=cpu mechanism=threads workers=2 steps=many", "unsupported"),
        ("prepare id=1 workload=noop mechanism=threads workers=1 batch=0", "unsupported"),
        ("prepare id=1 workload=pipe mechanism=threads workers=1", "unsupported"),
        ("prepare id=1 workload=pipe mechanism=threads workers=2 dir=/nowhere", "internal"),
        ("prepare id=1 workload=pipe mechanism=processes workers=2 dir=/nowhere", "internal"),
        ("prepare id=1 workload=pipe mechanism=rayon workers=2 dir=/nowhere", "internal"),
        ("prepare id=1 workload=pipe mechanism=tokio workers=2 dir=/nowhere", "internal"),
        ("prepare id=1 workload=cpu mechanism=rayon workers=99999", "unsupported"),
        ("prepare id=1 workload=cpu mechanism=tokio workers=99999", "unsupported"),
        ("prepare id=1 workload=mem mechanism=threads workers=1", "unsupported"),
        ("prepare id=1 workload=mem mechanism=threads workers=1 kind=hop", "unsupported"),
        ("prepare id=1 workload=serial mechanism=threads workers=1", "unsupported"),
        ("prepare id=1 workload=serial mechanism=processes workers=1 permille=1", "unsupported"),
        ("prepare id=1 workload=serial mechanism=rayon workers=1 permille=1", "unsupported"),
        ("prepare id=1 workload=serial mechanism=tokio workers=1 permille=1", "unsupported"),
        ("go id=1 start_ns=1 window_ns=1 windows=1", "unsupported"),
        ("collect id=1", "unsupported"),
        ("go 1", "unsupported"),
    ];
    for (text, kind) in cases {
        let error = worker.expect(text, "error");
        assert_eq!(error.text("kind"), Some(kind), "{text}: {error}");
        assert!(error.text("msg").is_some_and(|msg| msg.len() > 10), "{error}");
        if text.contains("id=1") {
            assert_eq!(error.text("phase"), text.split(' ').next(), "{error}");
            assert_eq!(error.text("id"), Some("1"));
        }
    }
    worker.expect("ping", "pong");
}

#[test]
fn garbage_and_overlong_lines_do_not_end_it() {
    let mut worker = Worker::spawn();
    let mut garbage = vec![b'x'; 3 << 20];
    garbage.extend_from_slice(b"\n\xff\xfe\n\n");
    worker.input.as_mut().unwrap().write_all(&garbage).unwrap();
    assert_eq!(worker.receive().verb(), "error");
    assert_eq!(worker.receive().verb(), "error");
    worker.expect("ping", "pong");
}

#[test]
fn the_end_of_stdin_and_quit_end_it_with_0() {
    let mut worker = Worker::spawn();
    worker.expect("prepare id=1 workload=sleep mechanism=threads workers=3", "ready");
    worker.expect("prepare id=2 workload=sleep mechanism=processes workers=2", "ready");
    assert!(worker.end().success());

    let mut worker = Worker::spawn();
    worker.send("quit");
    let mut rest = String::new();
    worker.output.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
    assert!(worker.end().success());
}
