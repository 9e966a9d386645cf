//! A lock in a closed loop, acquisition by acquisition: who comes next is the lock's policy, what handing over costs its price.
//!
//! `ticket` (and `twin`, the same once more) serves first come first, `ttas` whoever came last, `sleepy` first come first at a price
//! that no bracket knows.

use amdahl_schema::{Histogram, Owners, PlannedBlock, Trial};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};

use super::Noise;
use super::trial::{WINDOW_NS, WINDOWS};

/// Work of an operation, outside and under the lock.
const OP_NS: f64 = 10_000.0;
/// Acquisitions of a sample: runs go into git.
const SAMPLE: usize = 320;

struct Turn {
    w: usize,
    requested: f64,
    acquired: f64,
    released: f64,
    handoff: Option<f64>,
}

/// From release to the next owner where it had waited.
fn handoff_ns(lock: &str) -> f64 {
    match lock {
        "sleepy" => 8_000.0,
        "ttas" => 60.0,
        _ => 100.0,
    }
}

fn lock_and_share(block: &PlannedBlock) -> (&str, f64) {
    let permille = block.params.get("permille").and_then(|p| p.parse().ok()).unwrap_or(250.0);
    (block.params.get("lock").map_or("ticket", String::as_str), permille / 1000.0)
}

fn turns(block: &PlannedBlock, workers: u32, until: f64, noise: &mut Noise) -> Vec<Turn> {
    let (lock, p) = lock_and_share(block);
    let mut ready: Vec<f64> = (0..workers).map(|_| OP_NS * noise.unit()).collect();
    let (mut free, mut turns) = (0.0_f64, Vec::new());
    while free < until {
        let waiting = |w: &usize| ready[*w] <= free;
        let by_time = |a: &usize, b: &usize| ready[*a].total_cmp(&ready[*b]);
        let last = (0..ready.len()).filter(waiting).max_by(by_time);
        let first = (0..ready.len()).min_by(by_time);
        let Some(w) = last.filter(|_| lock == "ttas").or(first) else { break };
        let requested = ready[w];
        let price = handoff_ns(lock) * noise.factor(0.2);
        let waited = requested < free;
        let acquired = if waited { free + price } else { requested };
        let released = acquired + OP_NS * p * noise.factor(0.05);
        ready[w] = released + OP_NS * (1.0 - p) * noise.factor(0.05);
        turns.push(Turn { w, requested, acquired, released, handoff: waited.then_some(price) });
        free = released;
    }
    turns
}

/// Mean time of a worker's operation.
pub(super) fn op_ns(block: &PlannedBlock, workers: u32, noise: &mut Noise) -> f64 {
    let until = 2e7;
    until * f64::from(workers) / turns(block, workers, until, noise).len().max(1) as f64
}

/// What a latency trial records beside its operations.
pub(super) fn record(trial: &mut Trial, block: &PlannedBlock, noise: &mut Noise) {
    let until = WINDOW_NS as f64 * f64::from(WINDOWS);
    let turns = turns(block, trial.workers, until, noise);
    let waits = turns.iter().map(|t| t.acquired - t.requested);
    let holds = turns.iter().map(|t| t.released - t.acquired);
    trial.histograms.push(histogram("wait", waits));
    trial.histograms.push(histogram("hold", holds));
    trial.histograms.push(histogram("handoff", turns.iter().filter_map(|t| t.handoff)));
    let sample = &turns[..turns.len().min(SAMPLE)];
    let before = std::iter::once(0.0).chain(sample.iter().map(|t| t.acquired));
    trial.owners = Some(Owners {
        w: sample.iter().map(|t| t.w as u32).collect(),
        gap_ns: sample.iter().zip(before).map(|(t, b)| (t.acquired - b) as u64).collect(),
        wait_ns: sample.iter().map(|t| (t.acquired - t.requested) as u64).collect(),
        hold_ns: sample.iter().map(|t| (t.released - t.acquired) as u64).collect(),
    });
    trial.guarded = Some(trial.totals.iter().map(|t| t.ops).sum());
}

fn histogram(name: &str, values: impl Iterator<Item = f64>) -> Histogram {
    let mut h = hdrhistogram::Histogram::<u64>::new(3).expect("three digits are allowed");
    let (mut min, mut max, mut sum) = (u64::MAX, 0, 0);
    for ns in values.map(|v| v as u64) {
        h.record(ns).expect("the histogram resizes itself");
        (min, max, sum) = (min.min(ns), max.max(ns), sum + ns);
    }
    let mut bytes = Vec::new();
    V2DeflateSerializer::new().serialize(&h, &mut bytes).expect("writes into memory");
    let (name, unit, min) = (name.to_owned(), "ns".to_owned(), if h.is_empty() { 0 } else { min });
    Histogram {
        name,
        unit,
        i: None,
        w: None,
        n: h.len(),
        min,
        max,
        sum,
        hdr: STANDARD.encode(bytes),
    }
}
