//! `history`: series of a table, of runs, of archives or of files of other tools, and where their level changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use amdahl_schema::{HEADER_FILE, RunKind, read_run};

use crate::archive;
use crate::cli::{BetterArg, HistoryArgs};
use crate::cmd::say;
use crate::history::{self, Better, History, RunPoint, Series};
use crate::place;
use crate::render::history as render;

/// Reads, judges, writes what was asked for, prints the answer: 1 if a series changed for the worse last.
pub fn run(args: &HistoryArgs) -> Result<ExitCode> {
    if !(0.0..1000.0).contains(&args.margin) {
        bail!("--margin {}: expected per cent from 0 to below 1000", args.margin);
    }
    let Source { name, series, note } = read(&args.from)?;
    let asked = args.better.map(|b| match b {
        BetterArg::Higher => Better::Higher,
        BetterArg::Lower => Better::Lower,
    });
    let mut history = history::judge(name, series, args.margin / 100.0, asked);
    history.note = note;
    let json = serde_json::to_string_pretty(&render::json(&history))? + "\n";
    let mut last = None;
    if let Some(dir) = &args.out {
        let rendered = render::files(&history)?;
        place::place(&rendered, dir)?;
        let text = dir.join(render::TEXT_FILE);
        let figure = rendered.first_figure.map_or_else(
            || "no figure: nothing changed".to_owned(),
            |f| format!("first figure: {}", dir.join(f).display()),
        );
        last = Some(format!("history: {}  {figure}", text.display()));
    }
    if let Some(path) = &args.json_out {
        fs::write(path, &json).with_context(|| format!("{}: could not write", path.display()))?;
    }
    print(args, &history, &json, last.as_deref())?;
    let regressed = history.regressed().next().is_some();
    Ok(if regressed { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn print(args: &HistoryArgs, history: &History, json: &str, last: Option<&str>) -> Result<()> {
    if args.json {
        last.iter().for_each(|l| eprintln!("{l}"));
        return say(json);
    }
    say(&(render::markdown(history) + &last.map_or_else(String::new, |l| format!("\n{l}\n"))))
}

struct Source {
    name: String,
    series: Vec<Series>,
    note: Option<String>,
}

/// What the arguments name: one table; any number of runs, directories of runs and archives; or files of another tool, each a run.
fn read(from: &[PathBuf]) -> Result<Source> {
    let joined = || from.iter().map(|p| name(p)).collect::<Vec<_>>().join(", ");
    if let [table] = from
        && !table.is_dir()
    {
        return Ok(Source { name: joined(), series: history::read(table)?, note: None });
    }
    if !from.iter().any(|p| holds_runs(p)) {
        let (series, note) = history::read_tools(from)?;
        return Ok(Source { name: joined(), series, note: Some(note) });
    }
    let mut points = Vec::new();
    for dir in from {
        points.extend(points_of(dir)?);
    }
    if points.is_empty() {
        bail!(
            "{}: no trial of a model's throughput in any run; measure some with `amdahl run`",
            from.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ")
        );
    }
    Ok(Source { name: joined(), series: history::series_of(points), note: None })
}

/// Whether a path is a run of ours, a directory of runs, or an archive.
fn holds_runs(dir: &Path) -> bool {
    dir.join(HEADER_FILE).exists()
        || archive::is_archive(dir)
        || runs_in(dir).is_ok_and(|runs| !runs.is_empty())
}

/// The runs of a directory. Links are other names of runs that are there: `latest`.
fn runs_in(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut runs: Vec<PathBuf> = fs::read_dir(dir)?
        .filter_map(|e| e.ok())
        .filter(|e| e.file_type().is_ok_and(|t| t.is_dir()))
        .map(|e| e.path())
        .filter(|p| p.join(HEADER_FILE).exists())
        .collect();
    runs.sort();
    Ok(runs)
}

fn points_of(dir: &Path) -> Result<Vec<RunPoint>> {
    if dir.join(HEADER_FILE).exists() {
        return run_points(dir);
    }
    if archive::is_archive(dir) {
        return Ok(archive::read(dir)?);
    }
    if !dir.is_dir() {
        bail!(
            "{}: no directory, as runs are; files of other tools stand among themselves, a table alone",
            dir.display()
        );
    }
    let runs = runs_in(dir).with_context(|| dir.display().to_string())?;
    if runs.is_empty() {
        bail!(
            "{}: neither a run (no {HEADER_FILE}), nor a directory of runs, nor an archive (no host=… in it); \
             runs are made by `amdahl run`, archives by `amdahl archive RUN… --into DIR`",
            dir.display()
        );
    }
    let mut points = Vec::new();
    for run in &runs {
        points.extend(run_points(run)?);
    }
    Ok(points)
}

fn run_points(dir: &Path) -> Result<Vec<RunPoint>> {
    let run = read_run(dir)?;
    if run.header.kind == RunKind::Trace {
        eprintln!("amdahl: {}: a trace has no rates; left out", dir.display());
        return Ok(Vec::new());
    }
    Ok(history::points_of(&run))
}

/// The last part of a path: no path of this machine is in what is written.
fn name(path: &Path) -> String {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    real.file_name().map_or_else(|| "runs".to_owned(), |n| n.to_string_lossy().into_owned())
}
