//! What became of the planned trials: failures, what was not run, and flags. Nothing is dropped.

use std::collections::{BTreeMap, HashSet};

use amdahl_schema::Plan;

use crate::model::ModelName;
use crate::summarise::rows::OutcomeGroup;
use crate::summary::{Coverage, Failure, Flagged, NotRun};

/// Groups trials that did not give usable numbers, or that carry a flag; `recorded` are the numbers
/// of the trials that left a record.
pub(super) fn coverage(plan: &Plan, groups: &[OutcomeGroup], recorded: &HashSet<u64>) -> Coverage {
    Coverage {
        planned: plan.blocks.iter().map(|b| b.trials.len() as u64).sum(),
        usable: groups.iter().filter(|g| g.status == "ok").map(|g| g.count).sum(),
        failures: failures(groups),
        not_run: not_run(plan, groups, recorded),
        flags: flags(groups),
    }
}

fn failures(groups: &[OutcomeGroup]) -> Vec<Failure> {
    let mut found: Vec<Failure> = Vec::new();
    for g in groups.iter().filter(|g| g.status != "ok" && g.status != "not_run") {
        let same = |f: &&mut Failure| {
            (f.model == g.model && f.workload == g.workload && f.workers == g.workers)
                && (f.arm == g.arm && f.pass == g.pass && f.status == g.status && f.kind == g.kind)
        };
        match found.iter_mut().find(same) {
            Some(f) => f.count += g.count,
            None => found.push(Failure {
                model: g.model.clone(),
                workload: g.workload.clone(),
                workers: g.workers,
                arm: g.arm.clone(),
                pass: g.pass.clone(),
                status: g.status.clone(),
                kind: g.kind.clone(),
                reason: g.reason.clone(),
                count: g.count,
                line: g.line,
            }),
        }
    }
    found.sort_by_cached_key(|f| (ModelName::parse(&f.model), f.workload.clone(), f.line));
    found
}

fn not_run(plan: &Plan, groups: &[OutcomeGroup], recorded: &HashSet<u64>) -> Vec<NotRun> {
    let mut counts: BTreeMap<(ModelName, String, String), u64> = BTreeMap::new();
    for g in groups.iter().filter(|g| g.status == "not_run") {
        let why = if g.reason.is_empty() { g.kind.clone() } else { g.reason.clone() };
        let why = if g.kind == "budget" { "budget".to_owned() } else { why };
        *counts.entry((ModelName::parse(&g.model), g.workload.clone(), why)).or_default() +=
            g.count;
    }
    for block in &plan.blocks {
        let lost = block.trials.iter().filter(|t| !recorded.contains(&t.seq)).count() as u64;
        if lost > 0 {
            let why = "interrupted; `amdahl run --resume` completes it".to_owned();
            let key = (ModelName::parse(&block.model), block.workload.clone(), why);
            *counts.entry(key).or_default() += lost;
        }
    }
    counts
        .into_iter()
        .map(|((model, workload, why), count)| NotRun { model: model.id, workload, count, why })
        .collect()
}

fn flags(groups: &[OutcomeGroup]) -> Vec<Flagged> {
    let mut counts: BTreeMap<(String, ModelName, String, String), u64> = BTreeMap::new();
    for g in groups.iter().filter(|g| g.status == "ok") {
        for flag in g.flags.lines() {
            let flag = flag.split(':').next().unwrap_or(flag).to_owned();
            let key = (flag, ModelName::parse(&g.model), g.workload.clone(), g.pass.clone());
            *counts.entry(key).or_default() += g.count;
        }
    }
    counts
        .into_iter()
        .map(|((flag, model, workload, pass), count)| Flagged {
            flag,
            model: model.id,
            workload,
            pass,
            count,
        })
        .collect()
}
