//! `report`: recorded runs to a report directory.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use amdahl_schema::{Run, read_run};

use crate::anonymise::Anonymiser;
use crate::bundle::{self, Input};
use crate::cli::ReportArgs;
use crate::load::{self, RunFrames};
use crate::place;
use crate::render::{PAGE_FILE, REPORT_FILE, Rendered, VERDICTS_FILE, render, terminal};
use crate::select::{Selection, nearest};
use crate::summarise::{baseline, summarise};
use crate::summary::Summary;

/// Where reports go by default.
const REPORTS_DIR: &str = "reports";

/// Writes the report; the last line of the output names it and its first figure.
pub fn run(args: &ReportArgs) -> Result<()> {
    let (inputs, runs) = read(args)?;
    let (models, workloads) = selections(args, &inputs, &runs)?;
    let against = against(args, &inputs, &runs, &models)?;
    let chapters = chapters(runs, (&models, &workloads), against.as_deref())?;
    let rendered = render(&chapters)?;
    let target = target(args, &chapters);
    place::place(&rendered, &target)?;
    link_latest(&target);
    let mut last = String::new();
    if args.bundle {
        let command = again(&inputs, (&models, &workloads), against.as_deref());
        last = bundle::write(&inputs, &rendered, &target, &command)? + "\n";
    }
    if let Some(path) = &args.json_out {
        write_json(path, &rendered)?;
    }
    last.push_str(&named(&rendered, &target));
    print(args, &chapters, &rendered, &last)
}

/// Loads and summarises every run, keeping what is selected.
pub fn summarise_all(args: &ReportArgs) -> Result<Vec<Summary>> {
    let (inputs, runs) = read(args)?;
    let (models, workloads) = selections(args, &inputs, &runs)?;
    let against = against(args, &inputs, &runs, &models)?;
    chapters(runs, (&models, &workloads), against.as_deref())
}

/// Every run as the report is to see it: with `--anonymous` names are gone before anything else looks at it.
fn read(args: &ReportArgs) -> Result<(Vec<Input>, Vec<Run>)> {
    let read = |dir: &PathBuf| {
        let mut run = read_run(dir)?;
        let anonymiser = if args.anonymous { Some(anonymise(&mut run)?) } else { None };
        let (dir, name, header) = (dir.clone(), load::run_name(&run), run.header.clone());
        Ok((Input { dir, name, header, anonymiser }, run))
    };
    args.runs.iter().map(read).collect()
}

fn anonymise(run: &mut Run) -> Result<Anonymiser> {
    let users: Vec<String> =
        ["USER", "LOGNAME", "SUDO_USER"].iter().filter_map(|v| std::env::var(v).ok()).collect();
    let anonymiser = Anonymiser::of(&run.header, run.trials.iter().map(|(_, t)| t), &users)?;
    anonymiser.header(&mut run.header)?;
    for (_, trial) in &mut run.trials {
        anonymiser.trial(trial)?;
    }
    if let Some(trace) = &mut run.trace {
        anonymiser.trace(trace)?;
    }
    Ok(anonymiser)
}

fn chapters(
    runs: Vec<Run>,
    (models, workloads): (&Selection, &Selection),
    against: Option<&str>,
) -> Result<Vec<Summary>> {
    let mut chapters = Vec::new();
    for run in runs {
        let dir = run.dir.clone();
        let frames = load::frames(run, models, workloads)?;
        warn_torn(&dir, &frames);
        let defect = || format!("{}: summarising; please report this", dir.display());
        let mut summary = summarise(&frames, models, workloads).with_context(defect)?;
        if let Some(model) = against {
            summary.baseline = baseline(&frames, &summary.judgement, model).with_context(defect)?;
        }
        chapters.push(summary);
    }
    Ok(chapters)
}

/// What is asked for, in the names that the runs have now.
fn selections(args: &ReportArgs, inputs: &[Input], runs: &[Run]) -> Result<(Selection, Selection)> {
    let of = |noun, patterns: &[String]| {
        Selection::new(noun, &patterns.iter().map(|p| renamed(inputs, p)).collect::<Vec<_>>())
    };
    let (models, workloads) = (of("model", &args.models)?, of("workload", &args.workloads)?);
    let (mut all_models, mut all_workloads) = (BTreeSet::new(), BTreeSet::new());
    for run in runs {
        let (m, w) = load::ids(run);
        all_models.extend(m);
        all_workloads.extend(w);
    }
    models.check(&all_models.into_iter().collect::<Vec<_>>())?;
    workloads.check(&all_workloads.into_iter().collect::<Vec<_>>())?;
    Ok((models, workloads))
}

/// The baseline, in the name that it has now; an error if no run holds it or it is not selected.
fn against(
    args: &ReportArgs,
    inputs: &[Input],
    runs: &[Run],
    models: &Selection,
) -> Result<Option<String>> {
    let Some(asked) = &args.baseline else { return Ok(None) };
    let model = renamed(inputs, asked);
    let shown: BTreeSet<String> =
        runs.iter().flat_map(|run| load::ids(run).0).filter(|id| models.holds(id)).collect();
    if !shown.contains(&model) {
        let near = nearest(&model, &shown.into_iter().collect::<Vec<_>>());
        bail!("--baseline {asked}: no such model in the report; nearest: {near}");
    }
    Ok(Some(model))
}

/// A name or pattern as the runs have it now.
fn renamed(inputs: &[Input], pattern: &str) -> String {
    let anonymisers = inputs.iter().filter_map(|i| i.anonymiser.as_ref());
    anonymisers.fold(pattern.to_owned(), |pattern, a| a.pattern(&pattern))
}

/// The command that makes this report again beside the manifest of its bundle.
fn again(
    inputs: &[Input],
    (models, workloads): (&Selection, &Selection),
    against: Option<&str>,
) -> Vec<String> {
    let mut command = vec!["amdahl".to_owned(), "report".to_owned()];
    command.extend(inputs.iter().map(Input::run_dir));
    for (flag, of) in [("--models", models), ("--workloads", workloads)] {
        if !of.patterns().is_empty() {
            command.extend([flag.to_owned(), of.patterns().join(",")]);
        }
    }
    command.extend(against.into_iter().flat_map(|m| ["--baseline".to_owned(), m.to_owned()]));
    command.extend(["--out".to_owned(), "../again".to_owned()]);
    command
}

fn warn_torn(dir: &Path, frames: &RunFrames) {
    if let Some(torn) = &frames.torn {
        eprintln!(
            "amdahl: {}/{torn}: torn last line, its trial is missing; `amdahl run --resume {}` measures it",
            dir.display(),
            dir.display()
        );
    }
}

fn target(args: &ReportArgs, chapters: &[Summary]) -> PathBuf {
    args.out.clone().unwrap_or_else(|| {
        let first = chapters.first().map_or("run", |s| s.run.name.as_str());
        let more = chapters.len().saturating_sub(1);
        let name = if more > 0 { format!("{first}+{more}") } else { first.to_owned() };
        Path::new(REPORTS_DIR).join(name)
    })
}

/// Only reports in `reports/` have a `latest`; a failure costs nobody the report.
fn link_latest(target: &Path) {
    let reports = fs::canonicalize(REPORTS_DIR).ok();
    let parent = target.parent().and_then(|p| fs::canonicalize(p).ok());
    if reports.is_none() || parent != reports {
        return;
    }
    #[cfg(unix)]
    if let Err(e) = place::link_latest(target) {
        eprintln!("amdahl: {e}");
    }
}

fn write_json(path: &Path, rendered: &Rendered) -> Result<()> {
    let text = &rendered.files[VERDICTS_FILE];
    fs::write(path, text).with_context(|| format!("{}: could not write", path.display()))
}

/// The lines that name the page, the report and its first figure.
fn named(rendered: &Rendered, target: &Path) -> String {
    let report = target.join(REPORT_FILE);
    let figure = rendered.first_figure.as_ref().map_or_else(
        || "no figure: the report says why".to_owned(),
        |f| format!("first figure: {}", target.join(f).display()),
    );
    // The last line is a contract, so the page has the one before.
    let page = target.join(PAGE_FILE);
    format!("page: {}\nreport: {}  {figure}", page.display(), report.display())
}

fn print(args: &ReportArgs, chapters: &[Summary], rendered: &Rendered, last: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let written = if args.json {
        eprintln!("{last}");
        out.write_all(&rendered.files[VERDICTS_FILE])
    } else {
        out.write_all(format!("{}{last}\n", terminal::answer(chapters)).as_bytes())
    };
    match written {
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()), // `| head` has seen enough.
        other => other.context("stdout"),
    }
}
