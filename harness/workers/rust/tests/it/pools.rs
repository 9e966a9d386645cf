//! Mechanisms whose workers share a pool of threads: `rayon` and `tokio`.

use std::collections::BTreeSet;
use std::path::Path;

use amdahl_worker::Line;

use crate::cells::peer;
use crate::worker::{Release, WINDOWS, Worker, int, minstd};

const POOLS: [&str; 2] = ["rayon", "tokio"];

/// Prepares cell 7; its carriers, which belong to no worker.
fn prepare(worker: &mut Worker, text: &str, workers: usize) -> BTreeSet<String> {
    let ready = worker.expect(&format!("prepare id=7 workers={workers} {text}"), "ready");
    assert!(int(&ready, "setup_ns") > 0 && int(&ready, "op_ns") > 0, "{ready}");
    assert_eq!((ready.text("map"), ready.text("turns")), (None, None), "{ready}");
    let carriers: BTreeSet<String> = ready.list("carriers").map(str::to_owned).collect();
    assert_eq!(carriers.len(), workers, "{ready}");
    let pid = worker.child.id();
    for tid in &carriers {
        assert!(Path::new(&format!("/proc/{pid}/task/{tid}")).exists(), "{tid} of {pid}");
    }
    carriers
}

/// One line a carrier and interval; what they used is about what went by.
fn check_carriers(release: &Release, carriers: &BTreeSet<String>) {
    let lines: Vec<&Line> = release.of("carrier").collect();
    let expected = (-1..=WINDOWS).flat_map(|i| carriers.iter().map(move |tid| (i, tid.clone())));
    let seen = lines.iter().map(|x| (int(x, "i"), x.text("tid").unwrap().to_owned()));
    assert_eq!(seen.collect::<BTreeSet<_>>(), expected.collect::<BTreeSet<_>>());
    assert_eq!(lines.len(), carriers.len() * (WINDOWS as usize + 2));
    assert!(lines.iter().all(|x| int(x, "cpu_ns") >= 0 && int(x, "delay_ns") >= 0));
}

#[test]
fn cpu_is_proven_also_with_more_workers_than_cpus_and_the_carriers_paid_for_it() {
    for pool in POOLS {
        for workers in [1, 2, 4] {
            let mut worker = Worker::spawn();
            let text = format!("workload=cpu mechanism={pool} steps=5000");
            let carriers = prepare(&mut worker, &text, workers);
            for pass in ["throughput", "latency"] {
                let release = worker.go(7, &format!("pass={pass} spans=5"));
                (0..workers as i64).for_each(|w| release.prove(w, minstd(5000)));
                check_carriers(&release, &carriers);
                let ops: i64 = release.of("window").map(|x| int(x, "ops")).sum();
                assert!(ops > 0, "{pool} {workers}");
                // An operation of 5000 steps takes more than 1 us on any CPU.
                let used: i64 = release.of("carrier").map(|x| int(x, "cpu_ns")).sum();
                assert!(used > ops * 1000 * 9 / 10 - 1_000_000, "{used} ns for {ops} operations");
                let timed: i64 = release.of("hist").map(|x| int(x, "n")).sum();
                let inside = release.of("window").filter(|x| (0..WINDOWS).contains(&int(x, "i")));
                let inside: i64 = inside.map(|x| int(x, "ops")).sum();
                assert_eq!(timed, if pass == "latency" { inside } else { 0 }, "{pool}");
                assert_eq!(release.of("span").count(), workers);
            }
            assert!(worker.end().success());
        }
    }
}

#[test]
fn workers_meet() {
    for pool in POOLS {
        let mut worker = Worker::spawn();
        prepare(&mut worker, &format!("workload=cpu mechanism={pool} steps=5000"), 2);
        // A busy machine may keep a worker away for a window; not every time.
        let met = (0..50).any(|_| {
            let release = worker.go(7, "pass=throughput");
            (0..2).all(|w| release.windows(w).iter().all(|x| int(x, "ops") > 0))
        });
        assert!(met, "{pool}: never did both work in every interval");
    }
}

#[test]
fn noop_pays_for_its_jobs_in_whole_batches() {
    for pool in POOLS {
        let mut worker = Worker::spawn();
        prepare(&mut worker, &format!("workload=noop mechanism={pool} batch=10"), 2);
        let release = worker.go(7, "");
        for w in 0..2 {
            release.prove(w, |_| 1);
            assert!(release.windows(w).iter().all(|x| int(x, "ops") % 10 == 0));
        }
    }
}

#[test]
fn sleeps_are_no_shorter_than_asked_and_cost_no_cpu() {
    for pool in POOLS {
        let mut worker = Worker::spawn();
        let text = format!("workload=sleep mechanism={pool} sleep_ns=3000000");
        let carriers = prepare(&mut worker, &text, 8);
        let release = worker.go(7, "pass=latency");
        check_carriers(&release, &carriers);
        let hists: Vec<&Line> = release.of("hist").collect();
        assert!(!hists.is_empty() && hists.iter().all(|x| int(x, "min") >= 3_000_000), "{pool}");
        for w in 0..8 {
            release.prove(w, |_| 1);
            let total = release.total(w);
            let span = int(total, "ended_ns") - int(total, "entered_ns");
            assert!((1..=span / 3_000_000).contains(&int(total, "ops")), "{total}");
        }
        let used: i64 = release.of("carrier").map(|x| int(x, "cpu_ns")).sum();
        assert!(used < 8 * 40_000_000, "{pool}: asleep, and {used} ns on CPUs");
    }
}

#[test]
fn pipe_asks_its_peer() {
    for (pool, first) in [("rayon", 0), ("tokio", 3)] {
        let dir = tempfile::tempdir().unwrap();
        (first..first + 2).for_each(|k| peer(dir.path(), k));
        let mut worker = Worker::spawn();
        let text =
            format!("workload=pipe mechanism={pool} dir={} first={first}", dir.path().display());
        prepare(&mut worker, &text, 2);
        for pass in ["throughput", "latency"] {
            let release = worker.go(7, &format!("pass={pass}"));
            (0..2).for_each(|w| release.prove(w, |i| (7 * (i % 251) + 3) % 256));
        }
    }
}

#[test]
fn cells_of_a_pool_alternate_and_their_carriers_say_in_which_slot() {
    let mut worker = Worker::spawn();
    worker.expect("prepare id=1 workload=cpu mechanism=rayon workers=2 steps=1000", "ready");
    worker.expect("prepare id=2 workload=cpu mechanism=tokio workers=1 steps=1000", "ready");
    let start_ns = amdahl_worker::now_ns() + 20_000_000;
    let go = format!(
        "go ids=1,2 order=0110 gap_ns=1000000 start_ns={start_ns} ramp_ns=1000000 \
         window_ns=5000000 windows=2 tail_ns=1000000"
    );
    worker.expect(&go, "stopped");
    worker.send("collect ids=1,2");
    let lines = worker.until_done();
    let slots = |verb: &str, id: &str| -> BTreeSet<i64> {
        let mine = lines.iter().filter(|x| x.verb() == verb && x.text("id") == Some(id));
        mine.map(|x| int(x, "slot")).collect()
    };
    for verb in ["total", "carrier"] {
        assert_eq!((slots(verb, "1"), slots(verb, "2")), ([0, 3].into(), [1, 2].into()), "{verb}");
    }
}

#[test]
fn an_idle_pool_uses_no_cpu() {
    for pool in POOLS {
        let mut worker = Worker::spawn();
        let carriers = prepare(&mut worker, &format!("workload=cpu mechanism={pool}"), 4);
        let pid = worker.child.id();
        let used = || -> u64 {
            let of = |tid: &String| {
                let text = std::fs::read_to_string(format!("/proc/{pid}/task/{tid}/schedstat"));
                text.unwrap().split(' ').next().unwrap().parse::<u64>().unwrap()
            };
            carriers.iter().map(of).sum()
        };
        std::thread::sleep(std::time::Duration::from_millis(50));
        let before = used();
        std::thread::sleep(std::time::Duration::from_millis(200));
        assert!(used() - before < 10_000_000, "{pool}: parked, and {} ns", used() - before);
    }
}
