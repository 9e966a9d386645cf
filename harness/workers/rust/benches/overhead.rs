//! What the probe costs: differences and ratios to bare loops, with 95 % intervals.
//!
//! Criterion compares a benchmark with its own past, not with its neighbour. Here the variants take
//! turns in each round, in an order that changes, and the statistic is formed within the round, so
//! that whatever drifts (frequency, neighbours) drifts for all. CPU time, not wall time: being
//! descheduled is not a cost of the loop.

mod common;

use amdahl_stats::t_interval;
use amdahl_worker::Pass;
use hdrhistogram::Histogram;

/// CPU time of one measurement of one variant, about.
const STRETCH_NS: u64 = 3_000_000;

/// ns an operation of each variant in one round; `None` where the machine has no such timer.
#[derive(Default)]
struct Round {
    bare: f64,
    throughput: f64,
    tsc: Option<f64>,
    tsc_unordered: Option<f64>,
    instant: f64,
    latency: f64,
}

fn main() {
    let rounds = if common::quick() { 30 } else { 150 };
    let mut probe = common::noop_probe();
    let mut histogram = common::histogram();
    let mut results: Vec<Round> = Vec::new();
    for k in 0..rounds + 2 {
        let mut round = Round::default();
        for variant in 0..6 {
            match (variant + k) % 6 {
                0 => round.bare = per_op(bare, 8_000_000),
                1 => round.throughput = probed(&mut probe, Pass::Throughput),
                2 => round.tsc = tsc(common::bare_tsc, &mut histogram),
                3 => round.tsc_unordered = tsc(common::bare_tsc_unordered, &mut histogram),
                4 => round.instant = per_op(|n| common::bare_instant(n, &mut histogram), 50_000),
                _ => round.latency = probed(&mut probe, Pass::Latency),
            }
        }
        results.push(round);
    }
    report(&results[2..]); // two rounds of warm-up
}

fn report(rounds: &[Round]) {
    let each = |f: &dyn Fn(&Round) -> Option<f64>| rounds.iter().map(f).collect::<Option<Vec<_>>>();
    println!("noop, {} rounds, CPU time an operation, mean [95 % interval]", rounds.len());
    line("empty loop", "ns", each(&|r| Some(r.bare)));
    line("throughput pass", "ns", each(&|r| Some(r.throughput)));
    line("two TSC reads + record", "ns", each(&|r| r.tsc));
    line("two unordered TSC reads + record", "ns", each(&|r| r.tsc_unordered));
    line("two Instant + record", "ns", each(&|r| Some(r.instant)));
    line("latency pass", "ns", each(&|r| Some(r.latency)));
    line("throughput pass - empty loop", "ns", each(&|r| Some(r.throughput - r.bare)));
    line("latency pass / two TSC reads + record", "x", each(&|r| Some(r.latency / r.tsc?)));
    line(
        "latency pass / two unordered TSC + record",
        "x",
        each(&|r| Some(r.latency / r.tsc_unordered?)),
    );
    line("latency pass / two Instant + record", "x", each(&|r| Some(r.latency / r.instant)));
}

fn line(name: &str, unit: &str, values: Option<Vec<f64>>) {
    match values.and_then(|values| t_interval(&values, 0.95)) {
        Some(x) => println!("{name:42} {:8.3} [{:.3}, {:.3}] {unit}", x.estimate, x.lo, x.hi),
        None => println!("{name:42} not available here"),
    }
}

fn per_op(work: impl FnOnce(u64), ops: u64) -> f64 {
    let begin = common::cpu_ns();
    work(ops);
    (common::cpu_ns() - begin) / ops as f64
}

fn bare(ops: u64) {
    assert_eq!(common::bare_noop(ops), ops);
}

fn tsc(work: fn(u64, &mut Histogram<u64>) -> bool, histogram: &mut Histogram<u64>) -> Option<f64> {
    let mut there = false;
    let ns = per_op(|n| there = work(n, histogram), 100_000);
    there.then_some(ns)
}

/// A window in which the probe was on a CPU for most of the time: of a short rest the crossing's own
/// system calls would be a large part.
fn probed(probe: &mut amdahl_worker::Probe, pass: Pass) -> f64 {
    loop {
        let x = common::window(probe, pass, STRETCH_NS);
        let cpu_ns = x.cpu_ns.expect("Linux has a thread clock");
        if cpu_ns > STRETCH_NS / 2 {
            return cpu_ns as f64 / x.ops as f64;
        }
    }
}
