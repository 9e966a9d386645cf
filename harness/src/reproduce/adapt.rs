//! A recorded plan as it can be carried out here: the same blocks, trials, seeds and order, on these CPUs.

use std::collections::BTreeSet;

use amdahl_schema::{Absence, AbsentModel, Pass, Placement, Plan, PlannedBlock, PlannedTrial};

use crate::Unable;
use crate::plan::{ModelInfo, block_cost, reserved_key};

/// Most that a plan of ours can hold: whoever sends a run may have written anything into it.
const WORKERS_MAX: u32 = 4096;
const WINDOWS_MAX: u32 = 1000;
const WINDOW_NS_MAX: u64 = 60_000_000_000;
const PAD_BYTES_MAX: u32 = 4096;

/// What must be known of the machine.
pub struct Place<'a> {
    /// Models that can be measured.
    pub models: &'a [ModelInfo],
    /// Models that can't, with reasons.
    pub absent: &'a [AbsentModel],
    /// CPUs available.
    pub cpus: u32,
    /// Puts n carriers on CPUs, by the plan's own policy.
    pub place: &'a dyn Fn(u32) -> Placement,
    /// Sets of counters, by number.
    pub counter_sets: &'a [u32],
}

/// A plan for this machine, and what it had to leave out.
#[derive(Debug, Clone, PartialEq)]
pub struct Adapted {
    /// The plan; trials keep their numbers.
    pub plan: Plan,
    /// Recorded models that can't be measured here.
    pub missing: Vec<AbsentModel>,
    /// Recorded worker counts above the CPUs here, ascending.
    pub beyond: Vec<u32>,
}

/// Keeps the blocks that `wanted` says of model and workload, of models that are here.
pub fn adapt(
    recorded: &Plan,
    here: &Place<'_>,
    wanted: &dyn Fn(&str, &str) -> bool,
) -> Result<Adapted, Unable> {
    let mut missing: Vec<AbsentModel> = Vec::new();
    let mut blocks = Vec::new();
    for block in recorded.blocks.iter().filter(|b| wanted(&b.model, &b.workload)) {
        possible(block)?;
        let model = here.models.iter().find(|m| m.id == block.model);
        match model {
            Some(model) if model.workloads.contains(&block.workload) => {
                blocks.extend(moved(block, here));
            }
            _ if missing.iter().any(|a| a.model == block.model) => {}
            Some(_) => missing.push(AbsentModel {
                model: block.model.clone(),
                why: Absence {
                    reason: format!("its worker here does not offer `{}`", block.workload),
                    remedy: None,
                },
            }),
            None => missing.push(AbsentModel {
                model: block.model.clone(),
                why: why_missing(&block.model, here),
            }),
        }
    }
    let info = |id: &str| here.models.iter().find(|m| m.id == id).expect("kept because it is here");
    let cost = |b: &PlannedBlock| block_cost(b, info(&b.model), here.cpus).as_millis() as u64;
    let predicted_ms = blocks.iter().filter(|b| !b.spare).map(cost).sum();
    let planned: BTreeSet<&str> = blocks.iter().map(|b| b.model.as_str()).collect();
    let models = recorded.models.iter().filter(|m| planned.contains(m.as_str())).cloned().collect();
    let counts = blocks.iter().flat_map(|b| b.trials.iter().map(|t| t.workers));
    let beyond: BTreeSet<u32> = counts.filter(|n| *n > here.cpus).collect();
    let plan = Plan { models, predicted_ms, blocks, ..recorded.clone() };
    Ok(Adapted { plan, missing, beyond: beyond.into_iter().collect() })
}

/// A block on the CPUs of this machine; counters that it does not have are left out, and with the last trial the block.
fn moved(block: &PlannedBlock, here: &Place<'_>) -> Option<PlannedBlock> {
    let counted =
        |t: &&PlannedTrial| t.pass != Pass::Counters || here.counter_sets.contains(&t.counter_set);
    let trials: Vec<PlannedTrial> = block
        .trials
        .iter()
        .filter(counted)
        .map(|t| PlannedTrial { placement: (here.place)(t.workers), ..t.clone() })
        .collect();
    (!trials.is_empty()).then(|| PlannedBlock { trials, ..block.clone() })
}

/// What no plan of ours can have is refused before it becomes a process.
fn possible(block: &PlannedBlock) -> Result<(), Unable> {
    let refuse = |what: String| {
        let (model, workload) = (&block.model, &block.workload);
        Err(Unable(format!(
            "the recorded plan of {model} on {workload} can't be carried out: {what}; the run was changed after it \
             was written"
        )))
    };
    if let Some(key) = block.params.keys().find(|k| reserved_key(k)) {
        return refuse(format!("parameter `{key}` is a key of the protocol itself"));
    }
    for t in &block.trials {
        let within = (1..=WORKERS_MAX).contains(&t.workers)
            && (1..=WINDOWS_MAX).contains(&t.windows_n)
            && (1..=WINDOW_NS_MAX).contains(&t.window_ns)
            && t.env_pad_bytes <= PAD_BYTES_MAX;
        if !within {
            return refuse(format!(
                "trial {}: {} workers, {} windows of {} ns, {} bytes of padding are outside 1 to {WORKERS_MAX}, 1 to \
                 {WINDOWS_MAX}, 1 to {WINDOW_NS_MAX}, 0 to {PAD_BYTES_MAX}",
                t.seq, t.workers, t.windows_n, t.window_ns, t.env_pad_bytes
            ));
        }
    }
    Ok(())
}

/// The reason that discovery has, or what else there is of the language.
fn why_missing(model: &str, here: &Place<'_>) -> Absence {
    if let Some(known) = here.absent.iter().find(|a| a.model == model) {
        return known.why.clone();
    }
    let runtime = |id: &str| id.split(['/', '@']).next().unwrap_or(id).to_owned();
    let lang = |id: &str| -> String { id.chars().take_while(|c| c.is_alphabetic()).collect() };
    // `java/threads` stands for every Java that was not found.
    let (mine, mechanism) = (lang(model), model.split_once('/').map_or("", |(_, m)| m));
    let row = here.absent.iter().find(|a| a.model == format!("{mine}/{mechanism}"));
    if let Some(row) = row {
        return row.why.clone();
    }
    let others: BTreeSet<String> =
        here.models.iter().filter(|m| lang(&m.id) == mine).map(|m| runtime(&m.id)).collect();
    let others: Vec<String> = others.into_iter().collect();
    let found = match others.as_slice() {
        [] => "no such runtime was found here".to_owned(),
        _ => format!("not found here, where there is {}", others.join(", ")),
    };
    let remedy = "give its runtime with --runtime LANG=PATH, or its worker with --worker NAME=CMD";
    Absence { reason: found, remedy: Some(remedy.to_owned()) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use amdahl_schema::Arm;

    use super::*;

    fn info(id: &str, workloads: &[&str]) -> ModelInfo {
        ModelInfo {
            id: id.to_owned(),
            mechanism: "threads".to_owned(),
            lang: "rust".to_owned(),
            main: true,
            representative: true,
            rank: 0,
            workloads: workloads.iter().map(|w| (*w).to_owned()).collect(),
            locks: Vec::new(),
            switch_ns: None,
            hello_ns: 1_000_000,
            lead_ns: 0,
        }
    }

    fn trial(seq: u64, workers: u32, pass: Pass, counter_set: u32) -> PlannedTrial {
        PlannedTrial {
            seq,
            workers,
            arm: Arm::Model,
            pass,
            counter_set,
            placement: on(&[61, 63]),
            seed: 40 + seq,
            env_pad_bytes: 7,
            window_ns: 30_000_000,
            windows_n: 3,
        }
    }

    fn on(cpus: &[u32]) -> Placement {
        Placement { policy: "cores".to_owned(), cpus: cpus.to_vec(), exclusive: true }
    }

    fn block(model: &str, workload: &str, trials: Vec<PlannedTrial>) -> PlannedBlock {
        PlannedBlock {
            block: 0,
            tier: 0,
            spare: false,
            model: model.to_owned(),
            workload: workload.to_owned(),
            params: BTreeMap::new(),
            trials,
        }
    }

    fn plan(blocks: Vec<PlannedBlock>) -> Plan {
        Plan {
            profile: "smoke".to_owned(),
            seed: 5,
            budget_ms: Some(9),
            placement: "cores".to_owned(),
            models: vec!["java25/threads".to_owned(), "rust/threads".to_owned()],
            predicted_ms: 1,
            blocks,
        }
    }

    fn adapted(plan: &Plan, absent: &[AbsentModel]) -> Result<Adapted, Unable> {
        let models = [info("rust/threads", &["cpu"]), info("java17/threads", &["cpu"])];
        let here = Place {
            models: &models,
            absent,
            cpus: 2,
            place: &|n| on(&vec![0; n as usize]),
            counter_sets: &[0],
        };
        adapt(plan, &here, &|_, workload| workload != "mem")
    }

    #[test]
    fn what_can_be_measured_stays_as_recorded_on_these_cpus() {
        let of = |pass, set| trial(9, 4, pass, set);
        let recorded = plan(vec![
            block(
                "rust/threads",
                "cpu",
                vec![of(Pass::Throughput, 0), of(Pass::Counters, 0), of(Pass::Counters, 7)],
            ),
            block("rust/threads", "cpu", vec![of(Pass::Counters, 7)]),
            block("rust/threads", "mem", vec![of(Pass::Throughput, 0)]),
        ]);
        let a = adapted(&recorded, &[]).unwrap();
        assert_eq!(
            (a.plan.blocks.len(), a.plan.blocks[0].trials.len()),
            (1, 2),
            "{:?}",
            a.plan.blocks
        );
        let t = &a.plan.blocks[0].trials[0];
        assert_eq!((t.seq, t.seed, t.window_ns, t.env_pad_bytes), (9, 49, 30_000_000, 7));
        assert_eq!(t.placement.cpus, [0, 0, 0, 0]);
        assert_eq!(
            (a.plan.seed, a.plan.budget_ms, a.plan.models),
            (5, Some(9), vec!["rust/threads".to_owned()])
        );
        assert!(a.plan.predicted_ms > 100 && a.missing.is_empty());
        assert_eq!(a.beyond, [4]);
    }

    #[test]
    fn a_model_that_is_not_here_keeps_its_reason() {
        let one = || vec![trial(0, 1, Pass::Throughput, 0)];
        let recorded = plan(vec![
            block("java25/threads", "cpu", one()),
            block("java25/threads", "cpu", one()),
            block("go1.26/goroutines", "cpu", one()),
            block("python3.7/threads", "cpu", one()),
            block("mine/threads", "cpu", one()),
            block("rust/threads", "sleep", one()),
        ]);
        let why = |reason: &str| Absence { reason: reason.to_owned(), remedy: None };
        let absent = [
            AbsentModel { model: "go/goroutines".to_owned(), why: why("no Go") },
            AbsentModel { model: "python3.7/threads".to_owned(), why: why("too old") },
        ];
        let a = adapted(&recorded, &absent).unwrap();
        let reasons: Vec<(&str, &str)> =
            a.missing.iter().map(|m| (m.model.as_str(), m.why.reason.as_str())).collect();
        assert_eq!(
            reasons,
            [
                ("java25/threads", "not found here, where there is java17"),
                ("go1.26/goroutines", "no Go"),
                ("python3.7/threads", "too old"),
                ("mine/threads", "no such runtime was found here"),
                ("rust/threads", "its worker here does not offer `sleep`"),
            ]
        );
        assert!(a.plan.blocks.is_empty() && a.plan.models.is_empty());
    }

    #[test]
    fn a_plan_that_nobody_could_have_made_is_refused() {
        let good = || trial(3, 1, Pass::Throughput, 0);
        for bad in [
            PlannedTrial { workers: 0, ..good() },
            PlannedTrial { workers: 4_000_000_000, ..good() },
            PlannedTrial { window_ns: u64::MAX, ..good() },
            PlannedTrial { windows_n: u32::MAX, ..good() },
            PlannedTrial { env_pad_bytes: u32::MAX, ..good() },
        ] {
            let e = adapted(&plan(vec![block("rust/threads", "cpu", vec![bad])]), &[]).unwrap_err();
            assert!(e.0.contains("trial 3") && e.0.contains("outside"), "{e}");
        }
        let mut block = block("rust/threads", "cpu", vec![good()]);
        block.params.insert("require".to_owned(), "x".to_owned());
        assert!(adapted(&plan(vec![block]), &[]).unwrap_err().0.contains("`require`"));
    }
}
