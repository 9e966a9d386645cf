//! Golden reports of contention: locks of known truth, and a program traced.

use std::fs;

use amdahl_analysis::synth::{self, Model, Spec};
use amdahl_schema::{Pass, RunKind};

use crate::golden::{
    Made, compare, golden_dir, input, report, reports_as_expected, tiny, updating,
};

fn traced() -> Made {
    let (mut header, _) = synth::run(&tiny());
    header.kind = RunKind::Trace;
    header.command = ["amdahl", "trace", "--", "store"].map(str::to_owned).to_vec();
    header.plan.blocks.clear();
    header.runtimes.clear();
    header.absent.clear();
    (header, Vec::new())
}

/// Four locks of known policy and price, one of them twice; runs go into git, so they are short.
fn locks() -> Made {
    let locks = ["ticket", "twin", "ttas", "sleepy"];
    let (header, mut trials) = synth::run(&Spec {
        models: vec![Model::parallel("rust/threads")],
        workloads: locks.map(|l| format!("lock permille=500 lock={l}")).to_vec(),
        workers: vec![1, 2, 4],
        cpus: 4,
        blocks: 4,
        ..Spec::default()
    });
    trials.retain(|t| t.pass != Pass::Counters);
    for t in &mut trials {
        t.spans.clear();
        t.histograms.retain(|h| h.name != "op");
    }
    (header, trials)
}

/// A run of `amdahl trace`: the contract's own fixture, with its two locks, three threads, a join and a blind spot.
#[test]
fn a_traced_program_has_a_report_of_its_own() {
    let run = input("trace", traced, |h, t| (h, t));
    if updating() {
        let trace = include_str!("../../../harness/schema/tests/contract/trace.json");
        fs::write(run.join("trace.json"), trace).unwrap();
    }
    let done = report(&run);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let read = |name: &str| fs::read_to_string(done.out.path().join("made").join(name)).unwrap();
    let (text, json) = (read("report.md"), read("verdicts.json"));
    compare("trace", "report.md", &text);
    compare("trace", "verdicts.json", &json);
    for part in [
        "# Lock contention of `store`",
        "waited 8 times for 2 locks, of 2 that were taken 1000 times, 2.85 ms in sum",
        "3 records were lost",
        "`store::Cache::insert (cache.rs:42)`",
        "the kernel woke the waiter as a thread ended",
        "## Blind spots",
        "| spinning |",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("speed-up"), "what is of models is not here: {text}");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["contention"][0]["wait_ns"]["sum"], 2_805_000);
}

/// Known truth: the same lock twice shares a group, first come first served takes turns, who came last starves others, and
/// waking up costs more than the bracket knows.
#[test]
fn contention_for_locks_is_told_lock_by_lock() {
    reports_as_expected("locks", locks);
    let read = |name: &str| fs::read_to_string(golden_dir("locks").join(name)).unwrap();
    let text = read("report.md");
    assert!(text.starts_with("# Locks under contention\n\nOf 4 locks at N = 4"), "{text}");
    assert!(text.contains("## Lock contention") && text.contains("is below the bracket"), "{text}");
    assert!(!text.contains("speedup-lock"), "locks have figures of their own");
    let json: serde_json::Value = serde_json::from_str(&read("verdicts.json")).unwrap();
    let at_four = |lock: &str| {
        let rows = json["contention"].as_array().unwrap().iter();
        rows.clone().find(|r| r["lock"] == lock && r["workers"] == 4).unwrap().clone()
    };
    let (ticket, twin, ttas, sleepy) =
        (at_four("ticket"), at_four("twin"), at_four("ttas"), at_four("sleepy"));
    assert_eq!(ticket["groups"], twin["groups"]);
    assert_ne!(ticket["groups"], sleepy["groups"]);
    let number = |v: &serde_json::Value| v.as_f64().unwrap();
    assert!(number(&ticket["mttr"]["estimate"]) == 3.0, "{ticket}");
    assert!(number(&ticket["jain"]["estimate"]) > number(&ttas["jain"]["estimate"]), "{ttas}");
    assert_eq!(sleepy["in_bracket"]["place"], "below");
    assert_eq!(ticket["in_bracket"]["place"], "inside");
    let p50 = number(&sleepy["handoff_ns"]["p50"]);
    assert!((7_500.0..8_500.0).contains(&p50), "{p50}");
    assert!((number(&ticket["utilisation"]["estimate"]) - 0.98).abs() < 0.01, "{ticket}");
}

/// Waits in shared mode stand beside the others, and count as waiting.
#[test]
fn readers_waits_are_shown_and_counted() {
    let (header, mut trials) = locks();
    for histogram in trials.iter_mut().flat_map(|t| &mut t.histograms) {
        histogram.name.insert_str(0, if histogram.name == "handoff" { "" } else { "read_" });
    }
    let dir = tempfile::tempdir().unwrap();
    synth::write(&dir.path().join("run"), &header, &trials).unwrap();
    let done = report(&dir.path().join("run"));
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let read = |name: &str| fs::read_to_string(done.out.path().join("made").join(name)).unwrap();
    let text = read("report.md");
    assert!(text.contains("| wait to read |") && text.contains("| hold to read |"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&read("verdicts.json")).unwrap();
    let row = json["contention"].as_array().unwrap().iter();
    let row = row.clone().find(|r| r["lock"] == "sleepy" && r["workers"] == 4).unwrap();
    assert!(row["read_wait_ns"]["count"].as_u64() > Some(0) && row["wait_ns"].is_null(), "{row}");
    assert!(row["blocked_share"]["estimate"].as_f64() > Some(0.1), "{row}");
    assert!(row["utilisation"].is_null(), "held by several at a time: {row}");
}

/// Packed and padded stand side by side, by name.
#[test]
fn layouts_of_one_lock_are_compared() {
    let (header, mut trials) = locks();
    trials.retain(|t| ["ticket", "ttas"].contains(&t.params["lock"].as_str()));
    for t in &mut trials {
        let layout = if t.params["lock"] == "ticket" { "padded" } else { "packed" };
        t.params.insert("lock".to_owned(), "sharded".to_owned());
        t.params.insert("layout".to_owned(), layout.to_owned());
        t.workload = format!("lock layout={layout} lock=sharded permille=500");
    }
    let dir = tempfile::tempdir().unwrap();
    synth::write(&dir.path().join("run"), &header, &trials).unwrap();
    let done = report(&dir.path().join("run"));
    let text = fs::read_to_string(done.out.path().join("made/report.md")).unwrap();
    assert!(text.starts_with("# Locks under contention\n\nOf 2 locks at N = 4"), "{text}");
    assert!(
        text.contains("`rust sharded, packed`") && text.contains("`rust sharded, padded`"),
        "{text}"
    );
}
