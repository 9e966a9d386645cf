//! What it costs to call a lock of the user's through an adapter: std's mutex measured directly and through each.

use amdahl_schema::{Arm, Pass, Trial};
use amdahl_stats::{Interval, log_welch_interval};
use serde_json::{Value, json};

/// The lock that is called directly, and the same through an adapter.
const DIRECT: &str = "mutex";
const ADAPTERS: [(&str, &str); 2] =
    [("mutex-raw", "lock_api::RawMutex"), ("mutex-c", "a C library")];

/// ns an operation that one adapter adds, where nobody contends.
pub(super) struct Cost {
    lock: &'static str,
    way: &'static str,
    ns: Interval,
}

/// Of the adapters that were measured beside the direct way; none with fewer than two trials of each.
pub(super) fn costs(trials: &[Trial]) -> Vec<Cost> {
    let alone = |t: &&Trial| {
        let counted = t.arm == Arm::Model && t.pass == Pass::Throughput;
        t.workload == "lock" && t.workers == 1 && counted
    };
    let alone: Vec<&Trial> = trials.iter().filter(alone).collect();
    // Only the lock may differ: of several sets of parameters the first.
    let Some(first) = alone.iter().find(|t| lock(t) == DIRECT).map(|t| others(t)) else {
        return Vec::new();
    };
    let ns = |name: &str| -> Vec<f64> {
        let mine = alone.iter().filter(|t| lock(t) == name && others(t) == first);
        mine.filter_map(|t| Some(1e9 / t.rate()?)).collect()
    };
    let direct = ns(DIRECT);
    let mean = direct.iter().sum::<f64>() / direct.len().max(1) as f64;
    let cost = |(lock, way)| {
        let ratio = log_welch_interval(&ns(lock), &direct, 0.95)?;
        let more = |ratio: f64| (ratio - 1.0) * mean;
        let (estimate, lo, hi) = (more(ratio.estimate), more(ratio.lo), more(ratio.hi));
        Some(Cost { lock, way, ns: Interval { estimate, lo, hi, n: ratio.n } })
    };
    ADAPTERS.into_iter().filter_map(cost).collect()
}

fn lock(trial: &Trial) -> &str {
    trial.params.get("lock").map_or("", String::as_str)
}

/// The model and all parameters but the lock.
fn others(trial: &Trial) -> (&str, Vec<(&str, &str)>) {
    let params = trial.params.iter().filter(|(key, _)| *key != "lock");
    (&trial.model, params.map(|(key, value)| (key.as_str(), value.as_str())).collect())
}

/// A line each.
pub(super) fn text(costs: &[Cost]) -> String {
    let line = |c: &Cost| {
        format!(
            "  std's mutex through {} ({}) costs {:+.1} [{:+.1}, {:+.1}] ns an operation more than directly, N = 1\n",
            c.way, c.lock, c.ns.estimate, c.ns.lo, c.ns.hi
        )
    };
    costs.iter().map(line).collect()
}

/// For programs.
pub(super) fn json(costs: &[Cost]) -> Value {
    let one = |c: &Cost| {
        let Interval { estimate, lo, hi, n } = c.ns;
        json!({"lock": c.lock, "direct": DIRECT, "ns_per_op": {"estimate": estimate, "lo": lo, "hi": hi, "n": n}})
    };
    costs.iter().map(one).collect()
}
