//! What outlives what.

use std::time::{Duration, Instant};

use crate::worker::Worker;

/// A process that has ended: gone, or not yet reaped by whoever inherited it.
fn ended(pid: &str) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return true };
    stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with(['Z', 'X']))
}

fn wait_for_end(pids: &[String]) {
    let begin = Instant::now();
    while !pids.iter().all(|pid| ended(pid)) {
        assert!(begin.elapsed() < Duration::from_secs(10), "{pids:?} outlive their worker");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn with_carriers() -> (Worker, Vec<String>) {
    let mut worker = Worker::spawn();
    let ready = worker.expect("prepare id=1 workload=cpu mechanism=processes workers=3", "ready");
    let pids: Vec<String> = ready.list("carriers").map(str::to_owned).collect();
    assert!(pids.len() == 3 && pids.iter().all(|pid| !ended(pid)));
    (worker, pids)
}

#[test]
fn carriers_end_with_a_worker_that_ends() {
    let (worker, pids) = with_carriers();
    assert!(worker.end().success());
    assert!(pids.iter().all(|pid| ended(pid)), "they end before it does");
}

#[test]
fn carriers_end_with_a_worker_that_is_killed() {
    let (mut worker, pids) = with_carriers();
    worker.child.kill().unwrap();
    wait_for_end(&pids);
}

#[test]
fn carriers_end_with_a_worker_that_is_killed_while_they_work() {
    let (mut worker, pids) = with_carriers();
    let start = amdahl_worker::now_ns();
    worker.send(&format!("go id=1 start_ns={start} window_ns=60000000000 windows=1"));
    std::thread::sleep(Duration::from_millis(50));
    worker.child.kill().unwrap();
    wait_for_end(&pids);
}

#[test]
fn a_carrier_that_dies_is_an_error_and_not_a_hang() {
    let (mut worker, pids) = with_carriers();
    let victim = rustix::process::Pid::from_raw(pids[1].parse().unwrap()).unwrap();
    rustix::process::kill_process(victim, rustix::process::Signal::KILL).unwrap();
    let start = amdahl_worker::now_ns();
    let go = format!("go id=1 start_ns={start} window_ns=1000000 windows=1");
    let error = worker.expect(&go, "error");
    assert_eq!((error.text("kind"), error.text("phase")), (Some("internal"), Some("go")));
    let msg = error.text("msg").unwrap();
    assert!(msg.contains(&pids[1]) && msg.contains("signal: 9"), "{msg}");
    // The cell is given up, the others with it; the worker goes on.
    wait_for_end(&pids);
    worker.expect(&go, "error");
    worker.expect("prepare id=1 workload=cpu mechanism=processes workers=2", "ready");
}

#[test]
fn parked_workers_use_no_cpu() {
    for mechanism in ["threads", "processes"] {
        let mut worker = Worker::spawn();
        let text = format!("prepare id=1 workload=cpu mechanism={mechanism} workers=4");
        let ready = worker.expect(&text, "ready");
        let pid = worker.child.id();
        let cpu_ns = |tid: &str| -> u64 {
            let path = match mechanism {
                "threads" => format!("/proc/{pid}/task/{tid}/schedstat"),
                _ => format!("/proc/{tid}/schedstat"),
            };
            let text = std::fs::read_to_string(path).unwrap();
            text.split_whitespace().next().unwrap().parse().unwrap()
        };
        std::thread::sleep(Duration::from_millis(20));
        let before: Vec<u64> = ready.list("carriers").map(cpu_ns).collect();
        std::thread::sleep(Duration::from_millis(100));
        let after: Vec<u64> = ready.list("carriers").map(cpu_ns).collect();
        assert_eq!(before, after, "{mechanism}");
    }
}
