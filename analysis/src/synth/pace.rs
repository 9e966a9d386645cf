//! How fast one worker goes: the known truth of each workload.

use std::collections::BTreeMap;

use amdahl_schema::{Arm, Pass, PlannedBlock, PlannedTrial};

use super::trial::takes_turns;
use super::{Behaviour, Model, Noise, Spec};

/// Time of one operation of `cpu` alone; a round of `serial` takes ten times that.
pub(super) const CPU_OP_NS: f64 = 100_000.0;
/// Time of one operation of `sleep` or `pipe`.
const IO_OP_NS: f64 = 1_060_000.0;
/// CPU time of such an operation.
const IO_CPU_NS: f64 = 20_000.0;
/// Time of an operation of `noop`: short, but long enough for a histogram in memory.
const NOOP_NS: f64 = 4_000.0;
/// What timing an operation adds.
pub(super) const TIMER_NS: f64 = 41.0;
/// Workers' worth of a stream that the memory of the machine serves.
const STREAM_MAX: f64 = 1.3;

/// What a kernel of `micro` costs more without a lock.
pub(super) const PRICE: f64 = 1.25;

/// What one worker does in a trial.
pub(super) struct Pace {
    /// From the end of one operation to the end of the next.
    pub(super) op_ns: f64,
    /// Share of it on a CPU.
    pub(super) cpu_share: f64,
    /// Share of it in a run queue.
    pub(super) delay_share: f64,
    /// Parameters that the worker chose.
    pub(super) chosen: BTreeMap<String, String>,
}

pub(super) fn pace(
    spec: &Spec,
    model: &Model,
    block: &PlannedBlock,
    planned: &PlannedTrial,
    noise: &mut Noise,
) -> Pace {
    let n = f64::from(planned.workers);
    let wobble = noise.factor(0.01);
    let timing = if planned.pass == Pass::Latency { TIMER_NS } else { 0.0 };
    let (alone_ns, slower, chosen) = match block.workload.as_str() {
        "cpu" => (CPU_OP_NS, usl(model, planned), vec![]),
        "noop" => (NOOP_NS + timing, 1.0, vec![]),
        "serial" => serial(block, planned),
        "mem" => mem(block, n),
        "micro" => micro(model, block),
        "lock" => {
            // A ceiling's workers have a lock each.
            let n = if planned.arm == Arm::Ceiling { 1 } else { planned.workers };
            (super::lock::op_ns(block, n, noise), 1.0, vec![("steps", 1000)])
        }
        _ => {
            let op_ns = IO_OP_NS * wobble;
            let cpu_share = IO_CPU_NS / op_ns;
            return Pace { op_ns, cpu_share, delay_share: 0.0, chosen: BTreeMap::new() };
        }
    };
    let turns = takes_turns(model, planned);
    let cpus = f64::from(if spec.affinity == 0 { spec.cpus } else { spec.affinity });
    // One at a time, a lock in the work costs nothing more.
    let slower = if turns { n } else { (n / spec.capacity(planned.workers)).max(slower) };
    let share = if turns { 1.0 / n } else { (cpus / n).min(1.0) };
    Pace {
        op_ns: alone_ns * slower * wobble,
        cpu_share: share * 0.998,
        delay_share: if turns { 0.0 } else { 1.0 - share },
        chosen: chosen
            .into_iter()
            .map(|(k, v): (&str, u64)| (k.to_owned(), v.to_string()))
            .collect(),
    }
}

/// By how much each of N workers is slower than one alone; a ceiling shares nothing.
fn usl(model: &Model, planned: &PlannedTrial) -> f64 {
    let n = f64::from(planned.workers);
    match model.behaviour {
        Behaviour::Usl { alpha, beta } if planned.arm == Arm::Model => {
            1.0 + alpha * (n - 1.0) + beta * n * (n - 1.0)
        }
        _ => 1.0,
    }
}

type Work = (f64, f64, Vec<(&'static str, u64)>);

/// A share p of each round is done by one worker after the other: Amdahl's law with serial share p. Under
/// strong scaling a worker's operation is 1 / N of the job.
fn serial(block: &PlannedBlock, planned: &PlannedTrial) -> Work {
    let n = f64::from(planned.workers);
    let permille = block.params.get("permille").and_then(|p| p.parse().ok()).unwrap_or(0.0);
    let p: f64 = if planned.arm == Arm::Model { permille / 1000.0 } else { 0.0 };
    let strong = block.params.get("scaling").is_some_and(|s| s == "strong");
    let part = if strong { 1.0 / n } else { 1.0 };
    // Meeting at the barrier takes a hundredth of a whole job.
    let meets = planned.workers > 1 && planned.arm == Arm::Model;
    let barrier = if meets { 0.01 / part } else { 0.0 };
    let steps = (100_000.0 * part) as u64;
    (10.0 * CPU_OP_NS * part, 1.0 - p + p * n + barrier, vec![("steps", steps)])
}

/// Without its lock a build needs `PRICE` times as long, and calls cost it more than the rest.
fn micro(model: &Model, block: &PlannedBlock) -> Work {
    let free = model.gil == Some(false);
    let call = block.params.get("kind").is_some_and(|k| k == "call");
    let price = match (free, call) {
        (true, true) => PRICE * PRICE,
        (true, false) => PRICE,
        (false, _) => 1.0,
    };
    (0.5 * CPU_OP_NS * price, 1.0, vec![("steps", 1000)])
}

fn mem(block: &PlannedBlock, n: f64) -> Work {
    if block.params.get("kind").is_some_and(|k| k == "stream") {
        return (
            CPU_OP_NS,
            (n / STREAM_MAX).max(1.0),
            vec![("bytes", 1 << 27), ("chunk", 1 << 20)],
        );
    }
    (CPU_OP_NS, 1.0, vec![("bytes", 1 << 27), ("steps", 1024)])
}
