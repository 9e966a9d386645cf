//! `amdahl run`: measure, record, print the answer.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use amdahl_schema::{
    AbsentModel, Outcome, Pass, Plan, PlannedBlock, PlannedTrial, RunHeader, SCHEMA_VERSION,
    Status, Tool, Trial, read_run,
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use crate::cli::{CountersArg, PlacementArg, RunArgs};
use crate::counters::{Context, Kernel, RawEvent, plan_sets, raise_nofile_limit};
use crate::gates::GateProbe;
use crate::plan::{ModelInfo, Site, Spec, SplitMix, block_cost, parse_budget, plan, tier_text};
use crate::procfs::Roots;
use crate::record::{RecordError, Recorder};
use crate::run::{Bench, carry_out};
use crate::topology::{Machine as Topo, Policy};
use crate::trial::{Limits, Machine, Stage, blank};
use crate::worker::discover::Discovery;
use crate::worker::places::tilde;
use crate::worker::process::ProcessLauncher;
use crate::{Unable, answer, host, state};

/// Runs, or shows what would be run, or goes on with a run.
pub fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let roots = Roots::default();
    let topo = Topo::read(&roots);
    let found = super::find(&args.worker)?;
    let host = host::read(&roots, &topo);
    let context = Context::read(&roots, host.hypervisor.as_deref());
    let events =
        args.events.iter().map(|e| e.parse::<RawEvent>()).collect::<Result<Vec<_>, _>>()?;
    let sets = match args.counters {
        CountersArg::Auto => plan_sets(&Kernel, &context, &events),
        CountersArg::None => Vec::new(),
    };
    let models = infos(&found);
    let (recorder, header, past) = if let Some(dir) = &args.resume {
        resume(dir, args)?
    } else {
        let spec = spec(args)?;
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
        if args.dry_run {
            return dry_run(args, &plan, &models, topo.cpus_available);
        }
        let absent = named_absences(&found, &spec);
        if plan.blocks.is_empty() {
            anyhow::bail!(nothing_to_measure(&absent));
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
        };
        let name = format!("{}-{}-{id}", now.strftime("%Y%m%dT%H%M%SZ"), header.host.name);
        let dir = args.out.clone().unwrap_or_else(|| PathBuf::from("runs")).join(name);
        (Recorder::create(&dir, &header)?, header, Vec::new())
    };
    let trials = || header.plan.blocks.iter().flat_map(|b| &b.trials);
    let files = raise_nofile_limit(trials().map(files_needed).max().unwrap_or(0).max(256));
    let machine = Machine { probe: GateProbe::new(&roots, &topo), roots, sets, context };
    let launcher = ProcessLauncher::new()?;
    let stage = Stage {
        launcher: &launcher,
        outside: &machine,
        amdahl: launcher.amdahl.clone(),
        limits: Limits::default(),
    };
    let mut bench = Live {
        stage,
        found: &found,
        models: &models,
        cpus: topo.cpus_available,
        files: files.soft,
        plan: &header.plan,
        evidence: answer::Evidence::of(&past),
        begin: Instant::now(),
        recorder,
        bar: bar(&header.plan),
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
    let judgement =
        answer::Evidence::of(&trials).judge(host.cpus_available, host.cpus_note.clone());
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
    }
    if !args.workloads.is_empty() {
        spec.workloads.clone_from(&args.workloads);
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
        spec.blocks = blocks;
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
        of.insert(key.to_owned(), value.to_owned());
    }
    spec.check().map_err(Unable)?;
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

/// Absences that belong in this run: all, or those its patterns name.
fn named_absences(found: &Discovery, spec: &Spec) -> Vec<AbsentModel> {
    let named = |id: &str| {
        spec.models.is_empty()
            || spec.models.iter().any(|p| crate::worker::places::glob_match(p, id))
    };
    found.absent.iter().filter(|a| named(&a.model)).cloned().collect()
}

fn nothing_to_measure(absent: &[AbsentModel]) -> String {
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
    let mut classes: Vec<Option<bool>> = Vec::new();
    let mut rank = 0;
    let mut infos = Vec::new();
    for f in &found.found {
        let class = f.hello.gil;
        let representative = f.hello.lang != "python" || !classes.contains(&class);
        classes.push(class);
        rank += u32::from(!representative);
        for (id, mechanism) in f.models().zip(&f.hello.mechanisms) {
            infos.push(ModelInfo {
                id,
                mechanism: mechanism.clone(),
                representative,
                rank,
                workloads: f.hello.workloads.clone(),
                switch_ns: f.hello.switch_ns.filter(|_| class == Some(true)),
                hello_ns: f.hello_ns,
                lead_ns: f.hello.lead_ns,
            });
        }
    }
    infos
}

fn dry_run(
    args: &RunArgs,
    plan: &Plan,
    models: &[ModelInfo],
    cpus: u32,
) -> anyhow::Result<ExitCode> {
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
    super::emit(&args.json, &json, &text)?;
    Ok(ExitCode::SUCCESS)
}

/// From the clock and the address space: differs from run to run, and is recorded.
fn random_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    let state = std::collections::hash_map::RandomState::new();
    state.build_hasher().finish() >> 16
}

/// The real bench.
struct Live<'a> {
    stage: Stage<'a>,
    found: &'a Discovery,
    models: &'a [ModelInfo],
    cpus: u32,
    files: Option<u64>,
    plan: &'a Plan,
    evidence: answer::Evidence,
    begin: Instant,
    recorder: Recorder,
    bar: ProgressBar,
}

impl Bench for Live<'_> {
    fn trial(&mut self, block: &PlannedBlock, planned: &PlannedTrial) -> Trial {
        let refuse = |kind: &str, reason: String| {
            let mut trial = blank(block, planned);
            trial.outcome = Outcome::not_ok(Status::Failed, kind, reason);
            trial
        };
        let Some(found) = self.found.of(&block.model) else {
            return refuse(
                "unsupported",
                "this model is not here any more; see `amdahl list`".to_owned(),
            );
        };
        if let Some(limit) = self.files
            && files_needed(planned) > limit
        {
            let needed = files_needed(planned);
            let reason = format!(
                "needs about {needed} open files, the limit is {limit}: raise it with `ulimit -n {needed}`"
            );
            return refuse("limit", reason);
        }
        self.stage.execute(found, block, planned)
    }

    fn elapsed(&self) -> Duration {
        self.begin.elapsed()
    }

    fn expected(&self, block: &PlannedBlock) -> Duration {
        let info = self.models.iter().find(|m| m.id == block.model);
        info.map_or(Duration::ZERO, |info| block_cost(block, info, self.cpus))
    }

    fn keep(&mut self, trial: Trial) -> Result<(), RecordError> {
        self.evidence.add(&trial);
        self.recorder.append(&trial)
    }

    fn needs(&self, spare: &PlannedBlock) -> bool {
        let counts = |b: &PlannedBlock| b.trials.iter().map(|t| t.workers).max();
        let same = |b: &&PlannedBlock| {
            !b.spare
                && b.model == spare.model
                && b.workload == spare.workload
                && b.trials[0].pass == Pass::Throughput
                && counts(b) == counts(spare)
        };
        let planned = self.plan.blocks.iter().filter(same).count() as u32;
        self.evidence.spoiled(&spare.model, &spare.workload, planned, self.cpus)
    }

    fn progress(&mut self, done: usize, _of: usize, left: Duration) {
        self.bar.set_message(format!("about {} s left", left.as_secs()));
        self.bar.set_position(done as u64);
        self.bar.tick();
    }
}

/// Open files a trial needs: four a process, one a counter, and what the program has open anyway.
fn files_needed(planned: &PlannedTrial) -> u64 {
    let processes = match planned.arm {
        amdahl_schema::Arm::Ceiling => u64::from(planned.workers),
        amdahl_schema::Arm::Model => 1,
    };
    let counters = match planned.pass {
        amdahl_schema::Pass::Counters => 6 * u64::from(planned.workers),
        _ => 0,
    };
    24 + 4 * processes + counters
}

/// Drawn only between trials (no steady tick), and only on a terminal.
fn bar(plan: &Plan) -> ProgressBar {
    let n: usize = plan.blocks.iter().filter(|b| !b.spare).map(|b| b.trials.len()).sum();
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} trials, {msg}")
        .expect("the template is constant");
    ProgressBar::with_draw_target(Some(n as u64), ProgressDrawTarget::stderr()).with_style(style)
}
