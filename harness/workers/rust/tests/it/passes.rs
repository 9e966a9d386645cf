//! Histograms, spans and alternation.

use amdahl_worker::{Line, bucket_index, now_ns};

use crate::worker::{Release, WINDOW_NS, WINDOWS, Worker, int, minstd};

fn latency(workload: &str, mechanism: &str, more: &str) -> Release {
    let mut worker = Worker::spawn();
    let text = format!("prepare id=3 workload={workload} mechanism={mechanism} workers=2 {more}");
    worker.expect(&text, "ready");
    worker.go(3, "pass=latency spans=50 require=spans")
}

fn buckets(hist: &Line) -> Vec<(u64, u64)> {
    let pair = |b: &str| {
        let (idx, n) = b.split_once(':').unwrap();
        (idx.parse().unwrap(), n.parse().unwrap())
    };
    hist.list("b").map(pair).collect()
}

#[test]
fn histograms_hold_exactly_the_operations_of_their_window() {
    for (workload, mechanism, more) in [
        ("cpu", "threads", "steps=3000"),
        ("cpu", "processes", "steps=3000"),
        ("noop", "threads", ""),
        ("sleep", "threads", "sleep_ns=1000000"),
    ] {
        let release = latency(workload, mechanism, more);
        for w in 0..2 {
            let windows = release.windows(w);
            let mut hists = release.of_worker("hist", w).peekable();
            for x in
                windows.iter().filter(|x| (0..WINDOWS).contains(&int(x, "i")) && int(x, "ops") > 0)
            {
                let hist = hists.next().expect("a window without its histogram");
                assert_eq!((int(hist, "i"), int(hist, "n")), (int(x, "i"), int(x, "ops")), "{x}");
                check_hist(hist, x);
            }
            assert!(hists.next().is_none());
        }
    }
}

fn check_hist(hist: &Line, window: &Line) {
    let n = |key| int(hist, key) as u64;
    let buckets = buckets(hist);
    assert_eq!(buckets.iter().map(|b| b.1).sum::<u64>(), n("n"));
    assert!(buckets.windows(2).all(|pair| pair[0].0 < pair[1].0));
    assert_eq!(buckets[0].0, bucket_index(n("min")));
    assert_eq!(buckets[buckets.len() - 1].0, bucket_index(n("max")));
    assert!(n("min") * n("n") <= n("sum") && n("sum") <= n("max") * n("n"));
    // Closed loop: the durations fit between the crossings (the last operation may have begun before).
    let span = (int(window, "last_ns") - int(window, "first_ns")) as u64;
    assert!(n("sum") <= span + span / 500 + 10_000, "{} ns of operations in {span} ns", n("sum"));
}

#[test]
fn sleep_takes_as_long_as_it_says() {
    let release = latency("sleep", "threads", "sleep_ns=1000000");
    let hists: Vec<&Line> = release.lines.iter().filter(|l| l.verb() == "hist").collect();
    assert!(!hists.is_empty());
    for hist in hists {
        assert!(int(hist, "min") >= 999_000, "the timer runs slow: {hist}");
        assert_eq!((hist.text("name"), hist.text("unit")), (Some("op"), Some("ns")));
    }
}

#[test]
fn spans_are_the_first_ends_from_window_0_on() {
    for pass in ["throughput", "latency"] {
        let mut worker = Worker::spawn();
        worker.expect("prepare id=3 workload=cpu mechanism=threads workers=2 steps=3000", "ready");
        let release = worker.go(3, &format!("pass={pass} spans=50"));
        for w in 0..2 {
            let line = release.of_worker("span", w).next().expect("spans were asked for");
            let ends: Vec<i64> = line.list("t").map(|t| t.parse().unwrap()).collect();
            assert!(ends.windows(2).all(|pair| pair[0] <= pair[1]), "{line}");
            let windows = release.windows(w);
            let ramp = windows[0];
            let begin = (release.start_ns + WINDOW_NS) as i64;
            assert_eq!(
                ends[0],
                int(ramp, "last_ns") - begin,
                "the crossing into window 0 is the first"
            );
            let after: i64 = windows[1..].iter().map(|x| int(x, "ops")).sum();
            assert_eq!(ends.len() as i64, 50.min(after + 1), "{pass}");
        }
    }
}

#[test]
fn alternation_runs_each_slot_with_its_cell() {
    for mechanism in ["threads", "processes"] {
        let mut worker = Worker::spawn();
        for (id, steps) in [(7, 1000), (8, 2000)] {
            let text = format!(
                "prepare id={id} workload=cpu mechanism={mechanism} workers=2 steps={steps}"
            );
            worker.expect(&text, "ready");
        }
        let (start, gap) = (now_ns() + 20_000_000, 5_000_000);
        let stopped = worker.expect(
            &format!(
                "go ids=7,8 order=0110 gap_ns={gap} start_ns={start} ramp_ns={WINDOW_NS} \
                 window_ns={WINDOW_NS} windows={WINDOWS} tail_ns={WINDOW_NS} require=alternate"
            ),
            "stopped",
        );
        assert_eq!(stopped.text("ids"), Some("7,8"));
        worker.send("collect ids=7,8");
        let lines = worker.until_done();
        let length = (WINDOWS as u64 + 2) * WINDOW_NS + gap;
        for (slot, (id, steps)) in
            [(7, 1000), (8, 2000), (8, 2000), (7, 1000)].into_iter().enumerate()
        {
            let mine = |l: &&Line| int(l, "slot") == slot as i64;
            let release = Release {
                start_ns: start + slot as u64 * length,
                lines: lines.iter().filter(mine).cloned().collect(),
            };
            assert!(release.lines.iter().all(|l| int(l, "id") == id), "slot {slot}");
            for w in 0..2 {
                release.prove(w, minstd(steps));
            }
        }
    }
}

#[test]
fn alternation_refuses_an_order_it_can_not_run() {
    let mut worker = Worker::spawn();
    worker.expect("prepare id=7 workload=cpu mechanism=threads workers=1", "ready");
    for (ids, order) in [("7,8", "01"), ("7", "01"), ("7", "0x"), ("7", ""), ("7,x", "0")] {
        let text = format!("go ids={ids} order={order} start_ns=1 window_ns=1 windows=1");
        let error = worker.expect(&text, "error");
        assert_eq!(error.text("kind"), Some("unsupported"), "{text}");
    }
}
