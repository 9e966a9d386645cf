//! `amdahl run`: measure, record, print the answer.

mod dry;
mod live;

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use amdahl_schema::{AbsentModel, Host, RunHeader, SCHEMA_VERSION, Status, Tool, Trial, read_run};
use serde_json::json;

use crate::cli::{CountersArg, PlacementArg, RunArgs};
use crate::counters::{Context, Kernel, RawEvent, plan_sets, raise_nofile_limit};
use crate::gates::GateProbe;
use crate::plan::{ModelInfo, Site, Spec, SplitMix, parse_budget, plan};
use crate::procfs::Roots;
use crate::record::Recorder;
use crate::run::carry_out;
use crate::speed::SpeedProbe;
use crate::topology::{Machine as Topo, Policy};
use crate::trial::{Limits, Machine, Stage};
use crate::worker::discover::Discovery;
use crate::worker::places::tilde;
use crate::worker::process::ProcessLauncher;
use crate::{Unable, answer, host, state};

/// Runs, or shows what would be run, or goes on with a run.
pub fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let roots = Roots::default();
    let topo = Topo::read(&roots);
    let past = args.resume.as_ref().map(|dir| resume(dir, args)).transpose()?;
    let asked = spec(args);
    let wanted = match (&past, &asked) {
        (Some((_, header, _)), _) => header.plan.models.clone(),
        (None, Ok(spec)) => spec.models.clone(),
        (None, Err(_)) => Vec::new(),
    };
    let found = super::find(&args.worker, &wanted)?;
    let host = host::read(&roots, &topo);
    let context = Context::read(&roots, host.hypervisor.as_deref());
    let speed = host.hypervisor.is_some().then(SpeedProbe::default);
    let events =
        args.events.iter().map(|e| e.parse::<RawEvent>()).collect::<Result<Vec<_>, _>>()?;
    let sets = match args.counters {
        CountersArg::Auto => plan_sets(&Kernel, &context, &events),
        CountersArg::None => Vec::new(),
    };
    let models = infos(&found);
    let (recorder, header, past) = if let Some((recorder, header, past)) = past {
        same_place(&header, &past, &host, &found)?;
        (recorder, header, past)
    } else {
        let spec = asked?;
        let policy: Policy = spec.placement.parse().map_err(|e| Unable(format!("{e}")))?;
        let absent: Vec<String> = found.absent.iter().map(|a| a.model.clone()).collect();
        let site = Site {
            models: &models,
            absent: &absent,
            counts: &topo.worker_counts(None),
            cpus: topo.cpus_available,
            place: &|n| topo.place(policy, n),
            counter_sets: &sets.iter().map(|s| s.index).collect::<Vec<_>>(),
        };
        let seed = args.seed.unwrap_or_else(random_seed);
        let plan = plan(&spec, &site, seed)?;
        let absent = named_absences(&found, &spec);
        if plan.blocks.is_empty() {
            anyhow::bail!(nothing_to_measure(&absent));
        }
        if args.dry_run {
            return dry::dry_run(args, &plan, &models, topo.cpus_available);
        }
        let id = format!("{:08x}", SplitMix::new(random_seed()).below(1 << 32));
        let now = jiff::Timestamp::now();
        let header = RunHeader {
            schema: SCHEMA_VERSION,
            tool: Tool { name: "amdahl".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
            id: id.clone(),
            started_utc: now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            command: std::env::args().map(|a| tilde(Path::new(&a))).collect(),
            plan,
            state: state::read(&roots, &topo, &host),
            host,
            runtimes: found.found.iter().map(|f| f.runtime.clone()).collect(),
            absent,
            anonymous: false,
        };
        let name = format!("{}-{}-{id}", now.strftime("%Y%m%dT%H%M%SZ"), header.host.name);
        let dir = args.out.clone().unwrap_or_else(|| PathBuf::from("runs")).join(name);
        (Recorder::create(&dir, &header)?, header, Vec::new())
    };
    let needs = header.plan.blocks.iter();
    let needs = needs.flat_map(|b| b.trials.iter().map(|t| live::files_needed(&b.workload, t)));
    let files = raise_nofile_limit(needs.max().unwrap_or(0).max(256));
    let machine = Machine { probe: GateProbe::new(&roots, &topo), speed, roots, sets, context };
    let launcher = ProcessLauncher::new()?;
    let stage = Stage {
        launcher: &launcher,
        outside: &machine,
        amdahl: launcher.amdahl.clone(),
        limits: Limits::default(),
    };
    let mut bench = live::Live {
        stage,
        found: &found,
        models: &models,
        cpus: topo.cpus_available,
        files: files.soft,
        plan: &header.plan,
        evidence: answer::Evidence::of(header.plan.param_labels(), &past),
        begin: Instant::now(),
        recorder,
        bar: live::bar(&header.plan),
        open: BTreeMap::new(),
        hung: Vec::new(),
    };
    let done: HashSet<u64> = past.iter().map(|t| t.seq).collect();
    carry_out(&header.plan, &done, &mut bench)?;
    bench.recorder.sync()?;
    bench.bar.finish_and_clear();
    point_latest(bench.recorder.dir());
    conclude(args, bench.recorder.dir())
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
    super::emit(&args.json, &json, &text)?;
    Ok(ExitCode::SUCCESS)
}

/// `latest` beside the run's directory; a convenience, so a file system without links is no error.
fn point_latest(dir: &Path) {
    let (Some(parent), Some(name)) = (dir.parent(), dir.file_name()) else { return };
    let (link, new) = (parent.join("latest"), parent.join(".latest-new"));
    if link.symlink_metadata().is_ok_and(|m| !m.is_symlink()) {
        return;
    }
    let _ = std::fs::remove_file(&new);
    if std::os::unix::fs::symlink(name, &new).is_ok() {
        let _ = std::fs::rename(&new, &link);
    }
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

fn nothing_to_measure(absent: &[AbsentModel]) -> String {
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

/// Models in the order of discovery; one CPython per GIL class stands for the others.
fn infos(found: &Discovery) -> Vec<ModelInfo> {
    let mut classes: Vec<(String, Option<bool>)> = Vec::new();
    let mut rank = 0;
    let mut representative = true;
    let mut infos = Vec::new();
    for f in &found.found {
        // A variant follows the runtime it is made of; of languages without a lock the newest stands for them.
        let class = (f.runtime.lang.clone(), f.hello.gil);
        let variant = f.runtime.id.contains('+');
        if !variant {
            representative = !classes.contains(&class);
            classes.push(class);
            rank += u32::from(!representative);
        }
        for (k, (id, mechanism)) in f.models().zip(&f.hello.mechanisms).enumerate() {
            infos.push(ModelInfo {
                id,
                mechanism: mechanism.clone(),
                lang: f.runtime.lang.clone(),
                main: k == 0 && !variant,
                representative,
                rank,
                workloads: f.hello.workloads_of(mechanism),
                switch_ns: f.hello.switch_ns.filter(|_| f.hello.gil == Some(true)),
                hello_ns: f.hello_ns,
                lead_ns: f.hello.lead_ns,
            });
        }
    }
    infos
}

/// From the clock and the address space: differs from run to run, and is recorded.
fn random_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    let state = std::collections::hash_map::RandomState::new();
    state.build_hasher().finish() >> 16
}
