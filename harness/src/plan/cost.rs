//! What a trial will take, from what discovery measured; `--dry-run` prints it, the budget uses it.

use std::time::Duration;

use amdahl_schema::{Arm, Pass, PlannedBlock, PlannedTrial};

use super::ModelInfo;

/// Length of a window: at least as planned, ten switch intervals of the model's lock, and twenty
/// operations as they run with `workers` in turn (METHODOLOGY, windows).
pub fn window_needed_ns(planned_ns: u64, switch_ns: Option<u64>, op_ns: u64, turns: u32) -> u64 {
    let (switches, operations) =
        (switch_ns.unwrap_or(0), op_ns.saturating_mul(turns.max(1).into()));
    planned_ns.max(switches.saturating_mul(10)).max(operations.saturating_mul(20))
}

/// Expected time of one trial.
pub fn trial_cost(trial: &PlannedTrial, model: &ModelInfo, workload: &str, cpus: u32) -> Duration {
    let op_ns = if super::io_bound(workload) { 1_100_000 } else { 120_000 };
    let window = window_needed_ns(trial.window_ns, model.switch_ns, op_ns, 1);
    let timed = window * u64::from(trial.windows_n + 1) + window.min(20_000_000) + model.lead_ns;
    let waves = |n: u32| u64::from(n.div_ceil(cpus.max(1)));
    let start = match trial.arm {
        Arm::Model => model.hello_ns,
        Arm::Ceiling => model.hello_ns * waves(trial.workers),
    };
    let per_worker = match (trial.arm, model.mechanism.as_str()) {
        (Arm::Ceiling, _) | (_, "threads") => 0,
        // A fresh interpreter for each.
        (_, "processes-spawn") => model.hello_ns,
        (_, "processes-forkserver") => model.hello_ns / 4,
        (_, "processes-fork") => model.hello_ns / 8,
        _ => model.hello_ns,
    };
    let fixed = if model.mechanism == "processes-forkserver" && trial.arm == Arm::Model {
        model.hello_ns
    } else {
        0
    };
    let collect = if trial.pass == Pass::Latency { 10_000_000 } else { 2_000_000 };
    let warm_and_quit = model.hello_ns / 3 + 6_000_000;
    Duration::from_nanos(
        timed + start + fixed + per_worker * waves(trial.workers) + collect + warm_and_quit,
    )
}

/// Expected time of a block.
pub fn block_cost(block: &PlannedBlock, model: &ModelInfo, cpus: u32) -> Duration {
    block.trials.iter().map(|t| trial_cost(t, model, &block.workload, cpus)).sum()
}
