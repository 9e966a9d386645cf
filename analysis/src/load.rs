//! Files to frames: a run directory in, polars frames and what does not fit a table out.
//!
//! Every error names file and line. Integers stay integers; the derived measures are methods of the
//! schema's `Trial`, defined nowhere else. Nothing here averages, judges or formats.

mod decode;
mod locks;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use amdahl_schema::{
    Arm, Contest, Pass, Plan, ReadError, Run, RunHeader, Stage, Status, TRIALS_FILE, Trial,
    read_run,
};
use polars::prelude::*;
use thiserror::Error;

use crate::select::Selection;
pub use decode::{LatencyTrial, SpanTrial, Times};
pub use locks::LockTrial;

/// Why a run can't be reported.
#[derive(Debug, Error)]
pub enum LoadError {
    /// Not a run of ours, or damaged.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A histogram that can't be what was measured.
    #[error(
        "{}:{line}: histogram {name} of worker {worker}: {what}; the line was changed after it was \
         written: restore it, or delete it to go on without its trial",
        path.display()
    )]
    Histogram {
        /// The trials file.
        path: PathBuf,
        /// Line from 1.
        line: usize,
        /// Its name (`op`).
        name: String,
        /// Its worker, `all` where merged.
        worker: String,
        /// What is wrong.
        what: String,
    },
    /// polars refused a frame; a defect of this program.
    #[error("{}: could not build a frame: {source}; please report this", path.display())]
    Frame {
        /// The trials file.
        path: PathBuf,
        /// What polars said.
        source: PolarsError,
    },
}

/// One run in memory.
#[derive(Debug)]
pub struct RunFrames {
    /// Name of its directory.
    pub name: String,
    /// The header, reduced to the selection; the workloads of its blocks are named as in the frames.
    pub header: RunHeader,
    /// `trials.jsonl:LINE` of a torn last line.
    pub torn: Option<String>,
    /// One row a trial: what was run, how it ended, and the derived measures. A workload that was planned
    /// with several sets of parameters is named with them (`mem kind=chase`), here and in all that follows.
    pub trials: DataFrame,
    /// One row a trial and counter.
    pub counters: DataFrame,
    /// Latency histograms, merged within their trial only.
    pub latencies: Vec<LatencyTrial>,
    /// Ends of the first operations of each worker.
    pub spans: Vec<SpanTrial>,
    /// What `amdahl trace` saw, where the run is of a trace.
    pub trace: Option<amdahl_schema::Trace>,
    /// What the trials of workload `lock` recorded of each acquisition.
    pub locks: Vec<LockTrial>,
    /// Planned parameters of each workload as it is named.
    pub params: BTreeMap<String, BTreeMap<String, String>>,
}

/// Reads a run and keeps what is selected.
pub fn load(dir: &Path, models: &Selection, workloads: &Selection) -> Result<RunFrames, LoadError> {
    frames(read_run(dir)?, models, workloads)
}

/// A run's frames, reduced to what is selected.
pub fn frames(run: Run, models: &Selection, workloads: &Selection) -> Result<RunFrames, LoadError> {
    let name = run_name(&run);
    let path = run.dir.join(TRIALS_FILE);
    let mut header = run.header;
    header.plan.blocks.retain(|b| models.holds(&b.model) && workloads.holds(&b.workload));
    // A spare block that was not needed was never meant to run.
    let recorded: HashSet<u64> = run.trials.iter().map(|(_, t)| t.seq).collect();
    header.plan.blocks.retain(|b| !b.spare || b.trials.iter().any(|t| recorded.contains(&t.seq)));
    header.absent.retain(|a| models.holds(&a.model));
    let mut trials: Vec<(usize, Trial)> = run
        .trials
        .into_iter()
        .filter(|(_, t)| models.holds(&t.model) && workloads.holds(&t.workload))
        .collect();
    name_workloads(&mut header.plan, &mut trials);
    let mut latencies = Vec::new();
    let (mut spans, mut locks) = (Vec::new(), Vec::new());
    for (line, trial) in &trials {
        latencies.extend(decode::latency(&path, *line, trial)?);
        spans.extend(decode::spans(trial));
        locks.extend(locks::lock(&path, *line, trial)?);
    }
    let frame_error = |source| LoadError::Frame { path: path.clone(), source };
    Ok(RunFrames {
        name,
        torn: run.torn_line.map(|line| format!("{TRIALS_FILE}:{line}")),
        trials: trials_frame(&trials).map_err(frame_error)?,
        counters: counters_frame(&trials).map_err(frame_error)?,
        latencies,
        spans,
        locks,
        trace: run.trace,
        params: header.plan.blocks.iter().map(|b| (b.workload.clone(), b.params.clone())).collect(),
        header,
    })
}

/// Adds to a workload what tells it from others of the run that share its id.
fn name_workloads(plan: &mut Plan, trials: &mut [(usize, Trial)]) {
    let labels = plan.param_labels();
    let name = |workload: &mut String, seq: u64| {
        if let Some(label) = labels.get(&seq).filter(|l| !l.is_empty()) {
            *workload = format!("{workload} {label}");
        }
    };
    trials.iter_mut().for_each(|(_, t)| name(&mut t.workload, t.seq));
    for b in &mut plan.blocks {
        if let Some(first) = b.trials.first() {
            name(&mut b.workload, first.seq);
        }
    }
}

/// Models and workloads that a run knows of, for the check of a selection.
pub fn ids(run: &Run) -> (Vec<String>, Vec<String>) {
    let planned = run.header.plan.blocks.iter().map(|b| (&b.model, &b.workload));
    let tried = run.trials.iter().map(|(_, t)| (&t.model, &t.workload));
    let (mut models, mut workloads) = (BTreeSet::new(), BTreeSet::new());
    for (model, workload) in planned.chain(tried) {
        models.insert(model.clone());
        workloads.insert(workload.clone());
    }
    models.extend(run.header.absent.iter().map(|a| a.model.clone()));
    (models.into_iter().collect(), workloads.into_iter().collect())
}

/// What a run is called: as its directory, whose name has the host's in it, unless it is to be anonymous.
pub fn run_name(run: &Run) -> String {
    if run.header.anonymous { run.header.neutral_name() } else { directory_name(&run.dir) }
}

/// The last part of a directory's name, `.` and links resolved.
fn directory_name(dir: &Path) -> String {
    let real = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    real.file_name().map_or_else(|| "run".to_owned(), |n| n.to_string_lossy().into_owned())
}

fn trials_frame(trials: &[(usize, Trial)]) -> PolarsResult<DataFrame> {
    let text = |f: &dyn Fn(&Trial) -> String| trials.iter().map(|(_, t)| f(t)).collect::<Vec<_>>();
    let whole = |f: &dyn Fn(&Trial) -> u32| trials.iter().map(|(_, t)| f(t)).collect::<Vec<_>>();
    let maybe =
        |f: &dyn Fn(&Trial) -> Option<u64>| trials.iter().map(|(_, t)| f(t)).collect::<Vec<_>>();
    let real =
        |f: &dyn Fn(&Trial) -> Option<f64>| trials.iter().map(|(_, t)| f(t)).collect::<Vec<_>>();
    let param = |key: &'static str| maybe(&move |t: &Trial| t.params.get(key)?.parse().ok());
    let share = |f: fn(&amdahl_schema::WorkerShare) -> f64| {
        real(&move |t: &Trial| t.shares().map(|s| s.iter().map(f).sum()))
    };
    df!(
        "line" => trials.iter().map(|(line, _)| *line as u64).collect::<Vec<_>>(),
        "seq" => trials.iter().map(|(_, t)| t.seq).collect::<Vec<_>>(),
        "block" => whole(&|t| t.block),
        "model" => text(&|t| t.model.clone()),
        "workload" => text(&|t| t.workload.clone()),
        "workers" => whole(&|t| t.workers),
        "arm" => text(&|t| arm_id(t.arm).to_owned()),
        "pass" => text(&|t| pass_id(t.pass).to_owned()),
        "stage" => text(&|t| if t.stage == Stage::Measure { "measure" } else { "confirm" }.to_owned()),
        "status" => text(&|t| status_id(t.outcome.status).to_owned()),
        "kind" => text(&|t| t.outcome.kind.clone().unwrap_or_default()),
        "reason" => text(&|t| t.outcome.reason.clone().unwrap_or_default()),
        "flags" => text(&|t| t.flags.join("\n")),
        "gil" => trials.iter().map(|(_, t)| t.gil).collect::<Vec<_>>(),
        "trial_wall_ns" => trials.iter().map(|(_, t)| t.trial_wall_ns).collect::<Vec<_>>(),
        "window_ns" => trials.iter().map(|(_, t)| t.window_ns).collect::<Vec<_>>(),
        "windows_n" => whole(&|t| t.windows_n),
        "spawn_ns" => maybe(&|t| t.spawn_ns),
        "setup_ns" => maybe(&|t| t.setup_ns),
        "timer" => trials.iter().map(|(_, t)| t.timer.clone()).collect::<Vec<_>>(),
        "timer_cost_ps" => maybe(&|t| t.timer_cost_ps),
        "bytes" => param("bytes"),
        "steps" => param("steps"),
        "chunk" => param("chunk"),
        "skew_ns" => maybe(&Trial::skew_ns),
        "rate" => real(&Trial::rate),
        "effective_cpus" => real(&Trial::effective_cpus),
        "cpu_per_op_ns" => real(&Trial::cpu_per_op_ns),
        "share_cpu" => share(|s| s.cpu),
        "share_run_queue" => share(|s| s.run_queue),
        "share_blocked" => share(|s| s.blocked),
        "share_idle" => share(|s| s.idle),
        "share_outside" => share(|s| s.outside),
        "foreign_delay" => real(&Trial::foreign_delay_share),
        "cpu_slowdown" => real(&Trial::cpu_slowdown),
        "speed_cpus" => whole(&|t| t.gates.speed.len() as u32),
        "settle_ns" => maybe(&|t| t.gates.settle_ns),
        "peak_rss" => maybe(&|t| t.from_proc("peak_rss")),
        "pss" => maybe(&|t| t.from_proc("pss")),
        "drift" => real(&Trial::drift),
        "contest" => text(&|t| contest_id(&t.contest())),
        "capacity_ticks" => real(&|t| Some(t.gates.capacity_ticks())),
        "foreign_ticks" => real(&|t| t.gates.foreign_ticks()),
        "steal_ticks" => maybe(&|t| t.gates.steal_ticks),
    )
}

fn counters_frame(trials: &[(usize, Trial)]) -> PolarsResult<DataFrame> {
    let rows: Vec<(&Trial, &amdahl_schema::Counter)> = trials
        .iter()
        .filter(|(_, t)| t.usable())
        .flat_map(|(_, t)| t.counters.iter().map(move |c| (t, c)))
        .collect();
    let absent = |f: fn(&amdahl_schema::Absence) -> Option<String>| {
        rows.iter().map(|(_, c)| c.absent.as_ref().and_then(f)).collect::<Vec<_>>()
    };
    let value = |f: fn(&amdahl_schema::CounterValue) -> Option<u64>| {
        rows.iter().map(|(_, c)| c.value.as_ref().and_then(f)).collect::<Vec<_>>()
    };
    df!(
        "seq" => rows.iter().map(|(t, _)| t.seq).collect::<Vec<_>>(),
        "block" => rows.iter().map(|(t, _)| t.block).collect::<Vec<_>>(),
        "model" => rows.iter().map(|(t, _)| t.model.as_str()).collect::<Vec<_>>(),
        "workload" => rows.iter().map(|(t, _)| t.workload.as_str()).collect::<Vec<_>>(),
        "workers" => rows.iter().map(|(t, _)| t.workers).collect::<Vec<_>>(),
        "arm" => rows.iter().map(|(t, _)| arm_id(t.arm)).collect::<Vec<_>>(),
        "id" => rows.iter().map(|(_, c)| c.id.as_str()).collect::<Vec<_>>(),
        "source" => rows.iter().map(|(_, c)| c.source.as_str()).collect::<Vec<_>>(),
        "count" => value(|v| Some(v.count)),
        "enabled_ns" => value(|v| v.enabled_ns),
        "running_ns" => value(|v| v.running_ns),
        "scaled" => rows.iter().map(|(_, c)| c.scaled().map(|s| s.0)).collect::<Vec<_>>(),
        "multiplexed" => rows.iter().map(|(_, c)| c.scaled().map(|s| s.1)).collect::<Vec<_>>(),
        "loop_ns" => rows.iter().map(|(t, _)| loop_ns(t)).collect::<Vec<_>>(),
        "ops" => rows.iter().map(|(t, _)| t.totals.iter().map(|w| w.ops).sum::<u64>()).collect::<Vec<_>>(),
        "absent_reason" => absent(|a| Some(a.reason.clone())),
        "absent_remedy" => absent(|a| a.remedy.clone()),
    )
}

/// From the first worker's start to the last one's end: the time that counters cover.
fn loop_ns(trial: &Trial) -> Option<u64> {
    let begin = trial.totals.iter().map(|t| t.started_ns).min()?;
    let end = trial.totals.iter().map(|t| t.ended_ns).max()?;
    end.checked_sub(begin).filter(|ns| *ns > 0)
}

fn arm_id(arm: Arm) -> &'static str {
    match arm {
        Arm::Model => "model",
        Arm::Ceiling => "ceiling",
    }
}

fn pass_id(pass: Pass) -> &'static str {
    match pass {
        Pass::Throughput => "throughput",
        Pass::Latency => "latency",
        Pass::Counters => "counters",
    }
}

fn status_id(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::Failed => "failed",
        Status::TimedOut => "timed_out",
        Status::Invalid => "invalid",
        Status::NotRun => "not_run",
    }
}

fn contest_id(contest: &Contest) -> String {
    match contest {
        Contest::Held => "held".to_owned(),
        Contest::Starved { .. } => "starved".to_owned(),
        Contest::Broken { what } => format!("broken: {what}"),
    }
}
