//! `amdahl reproduce`: a recorded plan carried out here, and its verdicts compared with those found.

mod text;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use amdahl_bundle::{Opened, is_bundle, open};
use amdahl_schema::{AbsentModel, Run, RunHeader, Trial, read_run};
use amdahl_stats::{IoVerdict, Judgement, Verdict};

use super::run::measure::Here;
use super::run::{dry, nothing_to_measure};
use crate::cli::ReproduceArgs;
use crate::plan::{nearest, parse_budget};
use crate::reproduce::{Place, adapt, compare};
use crate::topology::Policy;
use crate::worker::places::{glob_match, tilde};
use crate::{Unable, answer};

/// What was recorded.
struct Recorded {
    header: RunHeader,
    judgement: Judgement,
    /// What was verified, in words.
    verified: Option<String>,
}

/// Verifies, measures, compares; or only the first, or the first and the last.
pub fn run(args: &ReproduceArgs) -> anyhow::Result<ExitCode> {
    let recorded = recorded(args)?;
    if let Some(verified) = recorded.verified.as_ref().filter(|_| !args.dry_run) {
        eprintln!("amdahl: {verified}");
    }
    if let Some(dir) = &args.with {
        let run = read_run(dir)?;
        let missing = not_planned(&recorded.header, &run.header);
        return conclude(args, &recorded, &run, missing, &[]);
    }
    let plan = &recorded.header.plan;
    let here = Here::look(&args.worker, &plan.models, args.counters, &[])?;
    let policy: Policy = plan.placement.parse().map_err(|e| Unable(format!("{e}")))?;
    let place = Place {
        models: &here.models,
        absent: &here.found.absent,
        cpus: here.topo.cpus_available,
        place: &|n| here.topo.place(policy, n),
        counter_sets: &here.counter_sets(),
    };
    let mut adapted = adapt(plan, &place, &|model, workload| wanted(args, model, workload))?;
    if let Some(budget) = &args.budget {
        let budget = parse_budget(budget).map_err(|e| Unable(format!("--budget: {e}")))?;
        adapted.plan.budget_ms = budget.map(|b| b.as_millis() as u64);
    }
    if args.dry_run {
        let (text, mut json) = dry::dry_run(&adapted.plan, &here.models, place.cpus);
        let more = text::aside(&adapted.missing, &adapted.beyond, place.cpus);
        json["verified"] = recorded.verified.clone().into();
        json["missing"] = serde_json::to_value(&adapted.missing)?;
        json["beyond_cpus"] = adapted.beyond.clone().into();
        let head = recorded.verified.map(|v| v + "\n").unwrap_or_default();
        super::emit(&args.json, &json, &format!("{head}{text}{more}"))?;
        return Ok(ExitCode::SUCCESS);
    }
    if adapted.plan.blocks.is_empty() {
        anyhow::bail!(nothing_to_measure(&adapted.missing));
    }
    let (recorder, header) =
        here.begin(adapted.plan, adapted.missing.clone(), args.out.as_deref())?;
    let dir = here.measure(recorder, &header, &[])?;
    conclude(args, &recorded, &read_run(&dir)?, adapted.missing, &adapted.beyond)
}

/// Compares, prints, and says in the exit code how it went.
fn conclude(
    args: &ReproduceArgs,
    recorded: &Recorded,
    run: &Run,
    missing: Vec<AbsentModel>,
    beyond: &[u32],
) -> anyhow::Result<ExitCode> {
    let comparison = compare(&recorded.judgement, &judged(run), &missing);
    let cpus = run.header.host.cpus_available;
    let mut text = text::table(&comparison, &recorded.header.host, &run.header.host);
    text.push_str(&text::aside(&missing, beyond, cpus));
    text.push_str(&format!("run: {}\n", tilde(&run.dir)));
    let mut json = text::json(&comparison, &recorded.header, &run.header);
    json["run"] = run.dir.display().to_string().into();
    super::emit(&args.json, &json, &text)?;
    Ok(ExitCode::from(comparison.summary().exit_code(args.strict)))
}

/// The recorded run, verified if it is a bundle's, with verdicts by the rule of this program.
fn recorded(args: &ReproduceArgs) -> anyhow::Result<Recorded> {
    let path = &args.recorded;
    let (run, verified) = if is_bundle(path) {
        let scratch = tempfile::tempdir()?;
        let opened = open(path, scratch.path())?;
        let dir = bundled(args, &opened)?;
        let (n, s) = (opened.files, if opened.files == 1 { "" } else { "s" });
        let text = format!("{}: {n} file{s} verified, all as the manifest says", path.display());
        (read_run(&dir)?, Some(text))
    } else {
        if let Some(name) = &args.run {
            let text = format!("--run {name}: {} is a run, no bundle of several", path.display());
            return Err(Unable(text).into());
        }
        (read_run(path)?, None)
    };
    let header = &run.header;
    for (patterns, what) in [(&args.models, "model"), (&args.workloads, "workload")] {
        let ids: Vec<&str> = header
            .plan
            .blocks
            .iter()
            .map(|b| if what == "model" { b.model.as_str() } else { b.workload.as_str() })
            .collect();
        if let Some(p) = patterns.iter().find(|p| !ids.iter().any(|id| glob_match(p, id))) {
            let close = nearest(p, ids.iter().copied());
            return Err(Unable(format!("no {what} `{p}` in the recorded plan{close}")).into());
        }
    }
    let mut judgement = judged(&run);
    // A workload is named with its parameters where there are several sets of them.
    let mine = |model: &str, workload: &str| {
        wanted(args, model, workload.split(' ').next().unwrap_or(workload))
    };
    judgement.parallelism.retain(|r| mine(&r.model, &r.workload));
    judgement.io_overlap.retain(|r| mine(&r.model, &r.workload));
    let decided = judgement.parallelism.iter().any(|r| r.verdict != Verdict::Unknown)
        || judgement.io_overlap.iter().any(|r| r.verdict != IoVerdict::Unknown);
    if !decided {
        return Err(Unable(format!(
            "{}: no verdict was decided in it, so there is nothing to reproduce; `amdahl report` says why",
            path.display()
        ))
        .into());
    }
    Ok(Recorded { header: run.header, judgement, verified })
}

/// The directory of the run that is meant.
fn bundled(args: &ReproduceArgs, opened: &Opened) -> Result<PathBuf, Unable> {
    let runs = &opened.manifest.runs;
    let names: Vec<&str> = runs.iter().map(|r| r.name.as_str()).collect();
    let run = match (&args.run, runs.as_slice()) {
        (None, [one]) => one,
        (None, _) => {
            let names = names.join(", ");
            return Err(Unable(format!(
                "the bundle holds {} runs: choose one with --run: {names}",
                runs.len()
            )));
        }
        (Some(name), _) => runs.iter().find(|r| r.name == *name).ok_or_else(|| {
            let close = nearest(name, names.iter().copied());
            Unable(format!(
                "--run {name}: no such run in the bundle{close}; it has {}",
                names.join(", ")
            ))
        })?,
    };
    Ok(opened.root.join(Path::new(&run.dir)))
}

fn judged(run: &Run) -> Judgement {
    let host = &run.header.host;
    let trials: Vec<&Trial> = run.trials.iter().map(|(_, t)| t).collect();
    answer::Evidence::of(run.header.plan.param_labels(), trials)
        .judge(host.cpus_available, host.cpus_note.clone())
}

fn wanted(args: &ReproduceArgs, model: &str, workload: &str) -> bool {
    let named = |patterns: &[String], id: &str| {
        patterns.is_empty() || patterns.iter().any(|p| glob_match(p, id))
    };
    named(&args.models, model) && named(&args.workloads, workload)
}

/// Recorded models that another run did not plan, with its reason where it has one.
fn not_planned(recorded: &RunHeader, other: &RunHeader) -> Vec<AbsentModel> {
    let missing = recorded.plan.models.iter().filter(|m| !other.plan.models.contains(m));
    missing.filter_map(|m| other.absent.iter().find(|a| a.model == *m).cloned()).collect()
}
