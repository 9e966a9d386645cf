//! From recorded trials to decisions: which trials are evidence; `amdahl-stats` judges them.
//!
//! How the answer looks on a terminal is `table.rs`.

mod table;

use std::collections::BTreeMap;

use amdahl_schema::{Arm, Contest, Pass, Status, Trial};

use amdahl_stats::{
    IoRow, IoVerdict, Judgement, Machine, Missing, Observation, ParallelismRow, Shares, Verdict,
};

pub use table::table;

/// The throughput pass of a run, as far as it has got.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// Parameters by trial, of workloads that are measured with several sets of them.
    labels: BTreeMap<u64, String>,
    observations: Vec<Observation>,
    missing: Vec<Missing>,
    /// Models and workloads with a trial that the worker itself failed.
    failed: Vec<(String, String)>,
}

impl Evidence {
    /// From recorded trials; `labels` are those of [`Plan::param_labels`](amdahl_schema::Plan::param_labels).
    pub fn of<'a>(
        labels: BTreeMap<u64, String>,
        trials: impl IntoIterator<Item = &'a Trial>,
    ) -> Self {
        let mut evidence = Self { labels, ..Self::default() };
        trials.into_iter().for_each(|t| evidence.add(t));
        evidence
    }

    /// What a workload is called with the parameters of this trial.
    pub fn workload(&self, workload: &str, seq: u64) -> String {
        match self.labels.get(&seq) {
            Some(label) => format!("{workload} {label}"),
            None => workload.to_owned(),
        }
    }

    /// One trial more; other passes are left out.
    pub fn add(&mut self, trial: &Trial) {
        if trial.pass != Pass::Throughput {
            return;
        }
        let contest = trial.outcome.kind.as_deref() == Some("contest");
        if !contest && !matches!(trial.outcome.status, Status::Ok | Status::NotRun) {
            self.failed.push((trial.model.clone(), self.workload(&trial.workload, trial.seq)));
        }
        let workload = self.workload(&trial.workload, trial.seq);
        match observe(trial, &workload) {
            Some(observation) => self.observations.push(observation),
            None => self.missing.push(miss(trial, workload)),
        }
    }

    /// All decisions.
    pub fn judge(&self, cpus_available: u32, note: Option<String>) -> Judgement {
        let machine = Machine { cpus_available, note };
        amdahl_stats::judge(&self.observations, &self.missing, &machine)
    }

    /// Whether external causes spoiled so many blocks that fewer than `planned` can be used, or more
    /// than may be dropped were. What the workers themselves failed is not repeated.
    pub fn spoiled(&self, model: &str, workload: &str, planned: u32, cpus_available: u32) -> bool {
        if self.failed.iter().any(|(m, w)| m == model && w == workload) {
            return false;
        }
        let judgement = self.only(model, workload).judge(cpus_available, None);
        let short = |used: u32, dropped: u32| {
            used + dropped > 0 && (used < planned || 10 * dropped > 3 * (used + dropped))
        };
        judgement.parallelism.iter().any(|r| r.decisive && short(r.blocks, r.dropped))
            || judgement.io_overlap.iter().any(|r| short(r.blocks, r.dropped))
    }

    /// Whether an interval is too wide for a decision, so that more blocks could bring one.
    pub fn open(&self, model: &str, workload: &str, cpus_available: u32) -> bool {
        let judgement = self.only(model, workload).judge(cpus_available, None);
        let cpu = |r: &ParallelismRow| {
            r.decisive && r.verdict == Verdict::Unknown && r.blocks > 1 && cpus_available > 1
        };
        let io = |r: &IoRow| r.verdict == IoVerdict::Unknown && r.blocks > 1;
        judgement.parallelism.iter().any(cpu) || judgement.io_overlap.iter().any(io)
    }

    fn only(&self, model: &str, workload: &str) -> Self {
        let of = |m: &str, w: &str| m == model && w == workload;
        Self {
            observations: self
                .observations
                .iter()
                .filter(|o| of(&o.model, &o.workload))
                .cloned()
                .collect(),
            missing: self.missing.iter().filter(|o| of(&o.model, &o.workload)).cloned().collect(),
            ..Self::default()
        }
    }
}

fn observe(trial: &Trial, workload: &str) -> Option<Observation> {
    let shares = trial.shares().map(|workers| {
        workers.iter().fold(Shares::default(), |sum, w| Shares {
            cpu: sum.cpu + w.cpu,
            run_queue: sum.run_queue + w.run_queue,
            blocked: sum.blocked + w.blocked,
            idle: sum.idle + w.idle,
            outside: sum.outside + w.outside,
        })
    });
    Some(Observation {
        model: trial.model.clone(),
        workload: workload.to_owned(),
        block: trial.block,
        workers: trial.workers,
        ceiling: trial.arm == Arm::Ceiling,
        rate: trial.rate()?,
        effective_cpus: trial.effective_cpus(),
        shares,
        foreign_delay: trial.foreign_delay_share(),
        cpu_slowdown: trial.cpu_slowdown(),
        gates: crate::gates::reading(&trial.gates),
        contest: match trial.contest() {
            Contest::Held => amdahl_stats::Contest::Held,
            Contest::Starved { .. } => amdahl_stats::Contest::Starved,
            Contest::Broken { what } => amdahl_stats::Contest::Broken(what),
        },
        drift: trial.drift(),
        gil: trial.gil,
    })
}

fn miss(trial: &Trial, workload: String) -> Missing {
    let outcome = &trial.outcome;
    let kind = outcome.kind.as_deref().unwrap_or("no rate");
    let reason = match outcome.status {
        Status::NotRun => format!("not run: {kind}"),
        _ => format!("{kind}: {}", outcome.reason.as_deref().unwrap_or("no operation completed")),
    };
    Missing {
        model: trial.model.clone(),
        workload,
        block: trial.block,
        workers: trial.workers,
        ceiling: trial.arm == Arm::Ceiling,
        reason,
    }
}

/// The same decisions for programs, as in the report's `verdicts.json`.
pub fn json(judgement: &Judgement) -> serde_json::Value {
    amdahl_stats::judgement_json(judgement)
}
