//! Workloads on both mechanisms, counted and proven.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::path::Path;

use crate::worker::{Worker, int, minstd};

const MECHANISMS: [&str; 2] = ["threads", "processes"];

fn prepare(
    worker: &mut Worker,
    workload: &str,
    mechanism: &str,
    workers: i64,
    more: &str,
) -> BTreeSet<String> {
    let text = format!(
        "prepare id=7 workload={workload} mechanism={mechanism} workers={workers} seed=1 {more}"
    );
    let ready = worker.expect(&text, "ready");
    assert!(int(&ready, "setup_ns") > 0 && int(&ready, "op_ns") > 0, "{ready}");
    let carriers: Vec<String> = ready.list("carriers").map(str::to_owned).collect();
    let map: Vec<String> =
        carriers.iter().enumerate().map(|(w, tid)| format!("{w}:{tid}")).collect();
    assert_eq!(ready.list("map").collect::<Vec<_>>(), map);
    carriers.into_iter().collect()
}

#[test]
fn cpu_is_proven_window_by_window_and_workers_meet() {
    for mechanism in MECHANISMS {
        let mut worker = Worker::spawn();
        let carriers = prepare(&mut worker, "cpu", mechanism, 2, "steps=5000");
        assert_eq!(carriers.len(), 2, "{mechanism}: carriers are distinct");
        // A busy machine may keep a worker away for a window; not every time.
        let met = (0..50).any(|_| {
            let release = worker.go(7, "pass=throughput");
            (0..2).for_each(|w| release.prove(w, minstd(5000)));
            let extra = ["hist", "span"];
            assert!(!release.lines.iter().any(|line| extra.contains(&line.verb())));
            (0..2).all(|w| release.windows(w).iter().all(|x| int(x, "ops") > 0))
        });
        assert!(met, "{mechanism}: never did both work in every interval");
        assert!(worker.end().success());
    }
}

#[test]
fn carriers_are_threads_or_processes() {
    let mut worker = Worker::spawn();
    let pid = worker.child.id();
    for tid in prepare(&mut worker, "cpu", "threads", 2, "") {
        assert!(Path::new(&format!("/proc/{pid}/task/{tid}")).exists());
    }
    for child in prepare(&mut worker, "cpu", "processes", 2, "") {
        let status = std::fs::read_to_string(format!("/proc/{child}/status")).unwrap();
        assert!(status.contains(&format!("PPid:\t{pid}\n")), "{status}");
    }
}

#[test]
fn cpu_chooses_its_steps_once_and_for_all() {
    let mut worker = Worker::spawn();
    let chosen = |worker: &mut Worker, mechanism: &str| {
        let ready = worker
            .expect(&format!("prepare id=1 workload=cpu mechanism={mechanism} workers=1"), "ready");
        int(&ready, "steps")
    };
    let steps = chosen(&mut worker, "threads");
    assert_eq!(chosen(&mut worker, "processes"), steps);
    let ready =
        worker.expect("prepare id=2 workload=cpu mechanism=threads workers=1 steps=17", "ready");
    assert_eq!(int(&ready, "steps"), 17);
}

#[test]
fn noop_counts_itself() {
    let mut worker = Worker::spawn();
    prepare(&mut worker, "noop", "threads", 1, "batch=100");
    let release = worker.go(7, "");
    for x in release.windows(0) {
        assert_eq!(int(x, "ops") % 100, 0, "whole batches: {x}");
        assert_eq!(int(x, "check") as u64, int(x, "ops") as u64 % crate::worker::M);
    }
    assert!(int(release.total(0), "ops") > 10_000);
}

#[test]
fn sleeps_overlap_and_are_no_shorter_than_asked() {
    for mechanism in MECHANISMS {
        let mut worker = Worker::spawn();
        prepare(&mut worker, "sleep", mechanism, 8, "sleep_ns=2000000");
        let release = worker.go(7, "");
        for w in 0..8 {
            release.prove(w, |_| 1);
            let total = release.total(w);
            let span = int(total, "ended_ns") - int(total, "entered_ns");
            assert!(int(total, "ops") <= span / 2_000_000, "{total}");
            assert!(int(total, "ops") >= 1);
            let cpu: i64 = release.windows(w).iter().map(|x| int(x, "cpu_ns")).sum();
            assert!(cpu < span / 2, "{mechanism}: asleep, and {cpu} of {span} ns on a CPU");
        }
    }
}

#[test]
fn pipe_asks_its_peer() {
    for (mechanism, first) in [("threads", 0), ("processes", 3)] {
        let dir = tempfile::tempdir().unwrap();
        for k in first..first + 2 {
            peer(dir.path(), k);
        }
        let mut worker = Worker::spawn();
        let more = format!("dir={} first={first} delay_ns=0", dir.path().display());
        prepare(&mut worker, "pipe", mechanism, 2, &more);
        let release = worker.go(7, "");
        for w in 0..2 {
            release.prove(w, |i| (7 * (i % 251) + 3) % 256);
        }
    }
}

/// Answers requests of one worker until the test process ends.
pub(crate) fn peer(dir: &Path, k: u32) {
    let fifo = |end: &str| {
        let path = dir.join(format!("w{k}.{end}"));
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        )
        .unwrap();
        OpenOptions::new().read(true).write(true).open(path).unwrap()
    };
    let (mut requests, mut responses) = (fifo("req"), fifo("rsp"));
    std::thread::spawn(move || {
        let mut byte = [0];
        while requests.read_exact(&mut byte).is_ok() {
            byte[0] = byte[0].wrapping_mul(7).wrapping_add(3);
            responses.write_all(&byte).unwrap();
        }
    });
}

#[test]
fn a_cell_can_be_released_again_and_prepared_anew() {
    let mut worker = Worker::spawn();
    prepare(&mut worker, "cpu", "threads", 1, "steps=1000");
    for _ in 0..2 {
        worker.go(7, "").prove(0, minstd(1000));
    }
    prepare(&mut worker, "cpu", "threads", 1, "steps=2000");
    worker.go(7, "").prove(0, minstd(2000));
    worker.send("collect id=7");
    assert!(worker.until_done().is_empty(), "collected already");
}

/// The lines of a chase in the order of the visit.
fn chase(lines: u64) -> Vec<u64> {
    let mut k = 0;
    let next = |_| {
        k = (1_103_515_245 * k + 12_345) % lines;
        k
    };
    (0..lines).map(next).collect()
}

/// The sum of a chunk by a second implementation.
fn stream(bytes: u64, chunk: u64) -> impl Fn(u64) -> u64 {
    let (n, chunks) = (chunk / 8, bytes / chunk);
    move |i| (i % chunks * n..(i % chunks + 1) * n).sum::<u64>() % crate::worker::M
}

#[test]
fn mem_is_proven_under_every_mechanism() {
    for mechanism in ["threads", "processes", "rayon", "tokio"] {
        let mut worker = Worker::spawn();
        let prepare = |worker: &mut Worker, more: &str| {
            let text = format!("prepare id=7 workload=mem mechanism={mechanism} workers=2 {more}");
            worker.expect(&text, "ready")
        };
        // 15625 lines are rounded down to 2^13, and come again after as many steps.
        let ready = prepare(&mut worker, "kind=chase bytes=1000000 steps=1000");
        assert_eq!((int(&ready, "bytes"), int(&ready, "steps")), (1_000_000, 1000));
        let visited = chase(1 << 13);
        let release = worker.go(7, "");
        let result = |i: u64| visited[(((i + 1) * 1000 - 1) % (1 << 13)) as usize];
        (0..2).for_each(|w| release.prove(w, result));

        let ready = prepare(&mut worker, "kind=stream bytes=1048576 chunk=262144");
        assert_eq!((int(&ready, "bytes"), int(&ready, "chunk")), (1 << 20, 1 << 18));
        let sums: Vec<u64> = (0..4).map(stream(1 << 20, 1 << 18)).collect();
        let release = worker.go(7, "pass=latency");
        (0..2).for_each(|w| release.prove(w, |i| sums[(i % 4) as usize]));
        assert!(worker.end().success());
    }
}

/// Also with more workers than CPUs, and again and again: those who wait must make room.
#[test]
fn serial_is_proven_and_its_workers_keep_step() {
    for (workers, permille) in [(1, 0), (2, 250), (4, 1000)] {
        let mut worker = Worker::spawn();
        let text = format!(
            "prepare id=7 workload=serial mechanism=threads workers={workers} steps=20000 \
             permille={permille}"
        );
        let ready = worker.expect(&text, "ready");
        assert_eq!((int(&ready, "steps"), int(&ready, "permille")), (20_000, permille));
        for pass in ["throughput", "latency", "counters"] {
            let release = worker.go(7, &format!("pass={pass}"));
            let ops = int(release.total(0), "ops");
            for w in 0..workers {
                assert_eq!(int(release.total(w), "ops"), ops, "a round is a round of all");
                let mut done = 0;
                for x in release.of_worker("window", w) {
                    let n = int(x, "ops") as u64;
                    let check: u64 = (done..done + n).map(minstd(20_000)).sum();
                    assert_eq!(check % crate::worker::M, int(x, "check") as u64, "{x}");
                    done += n;
                }
            }
        }
        assert!(worker.end().success());
    }
}
