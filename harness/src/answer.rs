//! From recorded trials to the answer table on the terminal, judged by `amdahl-stats`.

use amdahl_schema::{Arm, Contest, Pass, RunHeader, Status, Trial};
use amdahl_stats::{
    GateReading, Interval, IoVerdict, Judgement, Machine, Missing, Observation, ParallelismRow,
    Shares, Verdict, verdict_name,
};

/// The throughput pass of a run, as far as it has got.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    observations: Vec<Observation>,
    missing: Vec<Missing>,
    /// Models and workloads with a trial that the worker itself failed.
    failed: Vec<(String, String)>,
}

impl Evidence {
    /// From recorded trials.
    pub fn of<'a>(trials: impl IntoIterator<Item = &'a Trial>) -> Self {
        let mut evidence = Self::default();
        trials.into_iter().for_each(|t| evidence.add(t));
        evidence
    }

    /// One trial more; other passes are left out.
    pub fn add(&mut self, trial: &Trial) {
        if trial.pass != Pass::Throughput {
            return;
        }
        if matches!(trial.outcome.status, Status::Failed | Status::TimedOut) {
            self.failed.push((trial.model.clone(), trial.workload.clone()));
        }
        match observe(trial) {
            Some(observation) => self.observations.push(observation),
            None => self.missing.push(miss(trial)),
        }
    }

    /// All decisions.
    pub fn judge(&self, cpus_available: u32, note: Option<String>) -> Judgement {
        let machine = Machine { cpus_available, note };
        amdahl_stats::judge(&self.observations, &self.missing, &machine)
    }

    /// Whether external causes spoiled so many blocks that fewer than `planned` can be used, or more
    /// than may be dropped were. What the workers themselves failed is not repeated, and what was
    /// measured never decides about measuring more.
    pub fn spoiled(&self, model: &str, workload: &str, planned: u32, cpus_available: u32) -> bool {
        if self.failed.iter().any(|(m, w)| m == model && w == workload) {
            return false;
        }
        let of = |m: &str, w: &str| m == model && w == workload;
        let mine = Self {
            observations: self
                .observations
                .iter()
                .filter(|o| of(&o.model, &o.workload))
                .cloned()
                .collect(),
            missing: self.missing.iter().filter(|o| of(&o.model, &o.workload)).cloned().collect(),
            failed: Vec::new(),
        };
        let judgement = mine.judge(cpus_available, None);
        let short = |used: u32, dropped: u32| {
            used + dropped > 0 && (used < planned || 10 * dropped > 3 * (used + dropped))
        };
        judgement.parallelism.iter().any(|r| r.decisive && short(r.blocks, r.dropped))
            || judgement.io_overlap.iter().any(|r| short(r.blocks, 0))
    }
}

fn observe(trial: &Trial) -> Option<Observation> {
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
        workload: trial.workload.clone(),
        block: trial.block,
        workers: trial.workers,
        ceiling: trial.arm == Arm::Ceiling,
        rate: trial.rate()?,
        effective_cpus: trial.effective_cpus(),
        shares,
        foreign_delay: trial.foreign_delay_share(),
        gates: GateReading {
            capacity_ticks: trial.gates.capacity_ticks(),
            foreign_ticks: trial.gates.foreign_ticks(),
            steal_ticks: trial.gates.steal_ticks.map(|t| t as f64),
        },
        contest: match trial.contest() {
            Contest::Held => amdahl_stats::Contest::Held,
            Contest::Starved { .. } => amdahl_stats::Contest::Starved,
            Contest::Broken { what } => amdahl_stats::Contest::Broken(what),
        },
        drift: trial.drift(),
        gil: trial.gil,
    })
}

fn miss(trial: &Trial) -> Missing {
    let outcome = &trial.outcome;
    let kind = outcome.kind.as_deref().unwrap_or("no rate");
    let reason = match outcome.status {
        Status::NotRun => format!("not run: {kind}"),
        _ => format!("{kind}: {}", outcome.reason.as_deref().unwrap_or("no operation completed")),
    };
    Missing {
        model: trial.model.clone(),
        workload: trial.workload.clone(),
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

/// The answer table: a row a model, in the order of the plan, absent ones last.
pub fn table(header: &RunHeader, judgement: &Judgement) -> String {
    let mut rows = vec![
        [
            "model",
            "CPU-bound",
            "N",
            "speed-up",
            "of ceiling",
            "CPUs used",
            "limited by",
            "I/O overlaps",
        ]
        .map(str::to_owned),
    ];
    let mut notes = Vec::new();
    for model in &header.plan.models {
        let cpu = judgement.parallelism.iter().find(|r| r.model == *model && r.decisive);
        rows.push(row(model, cpu, &io_text(judgement, model)));
        let unknown = cpu.filter(|r| r.verdict == Verdict::Unknown);
        notes.extend(unknown.map(|r| format!("{model}: {}", first_reasons(&r.reasons))));
    }
    for absent in &header.absent {
        let mut cells = row(&absent.model, None, "-");
        cells[1] = "absent".to_owned();
        rows.push(cells);
        let remedy = absent.why.remedy.as_ref().map(|r| format!(" ({r})")).unwrap_or_default();
        notes.push(format!("{}: {}{remedy}", absent.model, absent.why.reason));
    }
    let mut text = aligned(&rows);
    for note in notes {
        text.push_str(&format!("  {note}\n"));
    }
    text
}

/// Enough for a terminal; all of them are in the JSON and in the report.
fn first_reasons(reasons: &[String]) -> String {
    let more = reasons.len().saturating_sub(2);
    let text = reasons.iter().take(2).cloned().collect::<Vec<_>>().join("; ");
    if more > 0 { format!("{text}; and {more} more") } else { text }
}

fn row(model: &str, cpu: Option<&ParallelismRow>, io: &str) -> [String; 8] {
    let dash = || "-".to_owned();
    let Some(r) = cpu else {
        return [model.to_owned(), dash(), dash(), dash(), dash(), dash(), dash(), io.to_owned()];
    };
    [
        model.to_owned(),
        verdict_name(r.verdict).to_owned(),
        r.workers.to_string(),
        interval_text(r.speedup),
        interval_text(r.ceiling_share),
        interval_text(r.effective_cpus),
        if r.speedup.is_some() { r.limited_by.clone() } else { dash() },
        io.to_owned(),
    ]
}

fn interval_text(interval: Option<Interval>) -> String {
    interval
        .map_or_else(|| "-".to_owned(), |i| format!("{:.2} [{:.2}, {:.2}]", i.estimate, i.lo, i.hi))
}

/// The largest N of `sleep`, else of any other I/O-bound workload.
fn io_text(judgement: &Judgement, model: &str) -> String {
    let mine = judgement.io_overlap.iter().filter(|r| r.model == model);
    let best = mine.max_by_key(|r| (r.workload == "sleep", r.workers));
    best.map_or_else(
        || "-".to_owned(),
        |r| {
            let word = match r.verdict {
                IoVerdict::Overlaps => "yes",
                IoVerdict::DoesNot => "no",
                IoVerdict::Unknown if r.blocks == 0 => "not measured",
                IoVerdict::Unknown => "unknown",
            };
            let ratio =
                r.throughput_ratio.map(|i| format!(", x{:.1} at {}", i.estimate, r.workers));
            format!("{word}{}", ratio.unwrap_or_default())
        },
    )
}

fn aligned(rows: &[[String; 8]]) -> String {
    let width = |c: usize| rows.iter().map(|r| r[c].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..8).map(width).collect();
    let line = |r: &[String; 8]| {
        let cells: Vec<String> =
            r.iter().zip(&widths).map(|(cell, w)| format!("{cell:<w$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}
