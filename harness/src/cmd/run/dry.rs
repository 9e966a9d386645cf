//! `--dry-run`: cells, order and time of a plan; measures nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use amdahl_schema::{Plan, PlannedBlock};
use serde_json::{Value, json};

use crate::plan::{ModelInfo, block_cost, tier_text};

/// What would be measured, for people and for programs.
pub(in crate::cmd) fn dry_run(plan: &Plan, models: &[ModelInfo], cpus: u32) -> (String, Value) {
    let cost = |b: &PlannedBlock| {
        let info = models.iter().find(|m| m.id == b.model).expect("planned from this list");
        block_cost(b, info, cpus)
    };
    let mut tiers: BTreeMap<&str, (usize, Duration)> = BTreeMap::new();
    let mut order = Vec::new();
    let mut cells: BTreeMap<(String, String), (usize, usize, Duration)> = BTreeMap::new();
    for b in plan.blocks.iter().filter(|b| !b.spare) {
        let text = tier_text(b.tier);
        if !order.contains(&text) {
            order.push(text);
        }
        let tier = tiers.entry(text).or_default();
        *tier = (tier.0 + b.trials.len(), tier.1 + cost(b));
        let cell = cells.entry((b.model.clone(), b.workload.clone())).or_default();
        *cell = (cell.0 + 1, cell.1 + b.trials.len(), cell.2 + cost(b));
    }
    let regular = || plan.blocks.iter().filter(|b| !b.spare);
    let trials: usize = regular().map(|b| b.trials.len()).sum();
    let seconds = |d: Duration| format!("{:.1} s", d.as_secs_f64());
    let total = Duration::from_millis(plan.predicted_ms);
    let mut text =
        format!("{} blocks, {trials} trials, about {}", regular().count(), seconds(total));
    if let Some(budget) = plan.budget_ms {
        text.push_str(&format!(", budget {}", seconds(Duration::from_millis(budget))));
    }
    text.push_str("; spare blocks replace those that a busy machine spoils\n\nin this order:\n");
    let mut sum = Duration::ZERO;
    for tier in order {
        let (n, time) = tiers[tier];
        sum += time;
        let over = plan.budget_ms.is_some_and(|b| sum > Duration::from_millis(b));
        let over = if over { "  (beyond the budget: rows `not run: budget`)" } else { "" };
        text.push_str(&format!("  {n:>5} trials {:>9}  {tier}{over}\n", seconds(time)));
    }
    text.push_str("\ncells:\n");
    for ((model, workload), (blocks, trials, time)) in &cells {
        text.push_str(&format!(
            "  {model:<28} {workload:<8} {blocks:>4} blocks {trials:>5} trials {:>9}\n",
            seconds(*time)
        ));
    }
    let json =
        json!({"schema": 1, "predicted_ms": plan.predicted_ms, "trials": trials, "plan": plan});
    (text, json)
}
