//! `amdahl run`: measure, record, print the answer.

mod adapter;
pub(super) mod dry;
mod layout;
mod live;
pub(super) mod measure;

use std::collections::HashSet;
use std::path::Path;
use std::process::ExitCode;

use amdahl_schema::{AbsentModel, Host, RunHeader, Status, Trial, read_run};
use serde_json::json;

use crate::cli::{PlacementArg, RunArgs};
use crate::plan::{Site, Spec, parse_budget, plan};
use crate::record::Recorder;
use crate::topology::Policy;
use crate::worker::discover::Discovery;
use crate::worker::places::tilde;
use crate::{Unable, answer};
use measure::{Here, random_seed};

/// Runs, or shows what would be run, or goes on with a run.
pub fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let past = args.resume.as_ref().map(|dir| resume(dir, args)).transpose()?;
    let asked = spec(args);
    let wanted = match (&past, &asked) {
        (Some((_, header, _)), _) => header.plan.models.clone(),
        (None, Ok(spec)) => spec.models.clone(),
        (None, Err(_)) => Vec::new(),
    };
    let here = Here::look(&args.worker, &wanted, args.counters, &args.events)?;
    let (recorder, header, past) = if let Some((recorder, header, past)) = past {
        same_place(&header, &past, &here.host, &here.found)?;
        (recorder, header, past)
    } else {
        let spec = asked?;
        let policy: Policy = spec.placement.parse().map_err(|e| Unable(format!("{e}")))?;
        let absent: Vec<String> = here.found.absent.iter().map(|a| a.model.clone()).collect();
        let site = Site {
            models: &here.models,
            absent: &absent,
            counts: &here.topo.worker_counts(None),
            cpus: here.topo.cpus_available,
            place: &|n| here.topo.place(policy, n),
            counter_sets: &here.counter_sets(),
        };
        let seed = args.seed.unwrap_or_else(random_seed);
        let plan = plan(&spec, &site, seed)?;
        let absent = named_absences(&here.found, &spec);
        if plan.blocks.is_empty() {
            anyhow::bail!(nothing_to_measure(&absent));
        }
        if args.dry_run {
            let (text, json) = dry::dry_run(&plan, &here.models, here.topo.cpus_available);
            super::emit(&args.json, &json, &text)?;
            return Ok(ExitCode::SUCCESS);
        }
        let (recorder, header) = here.begin(plan, absent, args.out.as_deref())?;
        (recorder, header, Vec::new())
    };
    let dir = here.measure(recorder, &header, &past)?;
    conclude(args, &dir)
}

/// Reads the run back as anybody would, judges it, prints the answer.
fn conclude(args: &RunArgs, dir: &Path) -> anyhow::Result<ExitCode> {
    let run = read_run(dir)?;
    let trials: Vec<Trial> = run.trials.into_iter().map(|(_, t)| t).collect();
    let host = &run.header.host;
    let judgement = answer::Evidence::of(run.header.plan.param_labels(), &trials)
        .judge(host.cpus_available, host.cpus_note.clone());
    let count = |status| trials.iter().filter(|t| t.outcome.status == status).count();
    let mut text = answer::table(&run.header, &judgement);
    let bad = count(Status::Failed) + count(Status::TimedOut) + count(Status::Invalid);
    if bad > 0 {
        text.push_str(&format!(
            "  {bad} of {} trials failed; each is recorded with its reason:\n",
            trials.len()
        ));
        text.push_str(&failures(&trials));
    }
    let costs = adapter::costs(&trials);
    text.push_str(&adapter::text(&costs));
    let lines = layout::shared(&trials, host.cpus_available);
    text.push_str(&layout::text(&lines));
    if count(Status::NotRun) > 0 {
        text.push_str(&format!(
            "  {} trials not run: budget (raise it with --budget)\n",
            count(Status::NotRun)
        ));
    }
    let shown = tilde(dir);
    text.push_str(&format!("run: {shown}   draw it: amdahl report {shown}\n"));
    let mut json = answer::json(&judgement);
    json["run"] = json!(dir.display().to_string());
    if !costs.is_empty() {
        json["adapters"] = adapter::json(&costs);
    }
    if !lines.is_empty() {
        json["layouts"] = layout::json(&lines);
    }
    super::emit(&args.json, &json, &text)?;
    Ok(ExitCode::SUCCESS)
}

/// The first of each reason, at most five.
fn failures(trials: &[Trial]) -> String {
    let mut seen: Vec<(String, String)> = Vec::new();
    for t in trials.iter().filter(|t| !matches!(t.outcome.status, Status::Ok | Status::NotRun)) {
        let kind = t.outcome.kind.clone().unwrap_or_default();
        if !seen.iter().any(|(m, k)| *m == t.model && *k == kind) && seen.len() < 5 {
            seen.push((t.model.clone(), kind));
        }
    }
    let text = |(model, kind): &(String, String)| {
        let of = |t: &&Trial| t.model == *model && t.outcome.kind.as_ref() == Some(kind);
        let reason = trials.iter().find(of).and_then(|t| t.outcome.reason.clone());
        format!("    {model}: {kind}: {}\n", reason.unwrap_or_default())
    };
    seen.iter().map(text).collect()
}

/// The profile or plan file, with the command line on top.
fn spec(args: &RunArgs) -> Result<Spec, Unable> {
    let mut spec = match &args.plan {
        Some(path) => Spec::file(path)?,
        None => Spec::profile(args.profile.as_deref().unwrap_or("standard"))?,
    };
    if !args.models.is_empty() {
        spec.models.clone_from(&args.models);
        spec.places.models.clear();
    }
    if !args.workloads.is_empty() {
        spec.workloads.clone_from(&args.workloads);
        spec.places.workloads.clear();
    }
    if !args.workers.is_empty() {
        spec.workers = Some(args.workers.clone());
    }
    if let Some(placement) = args.placement {
        spec.placement = match placement {
            PlacementArg::Cores => "cores",
            PlacementArg::Spread => "spread",
            PlacementArg::Smt => "smt",
            PlacementArg::None => "none",
        }
        .to_owned();
    }
    if let Some(blocks) = args.blocks {
        (spec.blocks, spec.other_blocks, spec.io_blocks) = (blocks, blocks, blocks);
    }
    if let Some(budget) = &args.budget {
        spec.budget = parse_budget(budget).map_err(|e| Unable(format!("--budget: {e}")))?;
    }
    for param in &args.params {
        let (key, value) = param
            .split_once('=')
            .filter(|(k, v)| !k.is_empty() && !v.is_empty())
            .ok_or_else(|| Unable(format!("--param {param}: K=V expected, e.g. steps=2000")))?;
        let (workload, key) = key.split_once('.').unwrap_or(("", key));
        let of = spec.params.entry(workload.to_owned()).or_default();
        of.insert(key.to_owned(), value.split(',').map(str::to_owned).collect());
        // Who says what to measure wants that, and not the plan's further cells.
        spec.also.retain(|other, _| !workload.is_empty() && other != workload);
    }
    spec.check().map_err(|e| Unable(e.what))?;
    Ok(spec)
}

/// A recorded run to go on with: its recorder, its header with the budget of now, the trials that ran.
fn resume(dir: &Path, args: &RunArgs) -> anyhow::Result<(Recorder, RunHeader, Vec<Trial>)> {
    let run = read_run(dir)?;
    if let Some(line) = run.torn_line {
        eprintln!("amdahl: {}: line {line} was torn; its trial is run again", dir.display());
    }
    let past = run.trials.into_iter().map(|(_, t)| t);
    let past = past.filter(|t| t.outcome.status != Status::NotRun).collect();
    let mut header = run.header;
    if let Some(budget) = &args.budget {
        let budget = parse_budget(budget).map_err(|e| Unable(format!("--budget: {e}")))?;
        header.plan.budget_ms = budget.map(|b| b.as_millis() as u64);
    }
    Ok((Recorder::open(dir)?, header, past))
}

/// Two machines, or two builds of a worker, must not be mixed in one run; nor may a model that is not here
/// just now be recorded as failed.
fn same_place(
    header: &RunHeader,
    past: &[Trial],
    host: &Host,
    found: &Discovery,
) -> Result<(), Unable> {
    let then = &header.host;
    if (&then.name, &then.cpu_model, &then.cpus) != (&host.name, &host.cpu_model, &host.cpus) {
        return Err(Unable(format!(
            "the run began on {} ({} CPUs), this is {} ({} CPUs): resume it there, or begin a new one",
            then.name,
            then.cpus.len(),
            host.name,
            host.cpus.len()
        )));
    }
    let done: HashSet<u64> = past.iter().map(|t| t.seq).collect();
    let missing = header.plan.blocks.iter().filter(|b| !b.spare);
    for block in missing.filter(|b| b.trials.iter().any(|t| !done.contains(&t.seq))) {
        let model = &block.model;
        let Some(now) = found.of(model) else {
            return Err(Unable(format!(
                "{model} is in the run's plan but not found now: give the same --worker or --runtime again"
            )));
        };
        let began = header.runtimes.iter().find(|r| r.id == now.runtime.id);
        if began.is_some_and(|r| r.hash != now.runtime.hash) {
            return Err(Unable(format!(
                "{} is not the program that the run began with (its hash differs): begin a new run",
                now.runtime.path
            )));
        }
    }
    Ok(())
}

/// Absences that belong in this run: all, or those its patterns name.
fn named_absences(found: &Discovery, spec: &Spec) -> Vec<AbsentModel> {
    let named = |id: &str| {
        spec.models.is_empty()
            || spec.models.iter().any(|p| crate::worker::places::glob_match(p, id))
    };
    found.absent.iter().filter(|a| named(&a.model)).cloned().collect()
}

pub(super) fn nothing_to_measure(absent: &[AbsentModel]) -> String {
    if absent.is_empty() {
        return "nothing to measure: the models and workloads asked for have nothing in common; \
                `amdahl list` shows which offers which"
            .to_owned();
    }
    let why: Vec<String> = absent
        .iter()
        .map(|a| {
            let remedy = a.why.remedy.as_ref().map(|r| format!(" ({r})")).unwrap_or_default();
            format!("{}: {}{remedy}", a.model, a.why.reason)
        })
        .collect();
    format!("nothing to measure: {}", why.join("; "))
}
