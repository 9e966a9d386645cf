//! `compare`: two recorded runs, cell by cell, with a verdict.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use amdahl_gate::{Wanted, check, publish};
use amdahl_schema::{Run, RunKind, read_run};
use amdahl_stats::Margins;
use anyhow::{Context, Result, anyhow, bail};

use crate::cli::CompareArgs;
use crate::cmd::say;
use crate::compare::judge;
use crate::history::host_label;
use crate::place;
use crate::render::compare::{self as render, Facts};

const RECORDED: &str = "Pairs are trials a side here. Two recorded runs were not interleaved and a change has no second sample to confirm it: `amdahl ab` measures both sides in turn and says more.";

/// Reads, judges, prints: 1 if a cell regressed.
pub fn run(args: &CompareArgs) -> Result<ExitCode> {
    let margins = margins(args)?;
    let wanted =
        Wanted::new(&args.write, |name| std::env::var(name).ok()).map_err(|e| anyhow!(e))?;
    if let Some(file) = &args.json_out {
        check(file).map_err(|e| anyhow!("--json-out: {e}"))?;
    }
    if args.allow_missing_base && !args.base.exists() {
        say(&format!(
            "{}: no such run; nothing to compare with (--allow-missing-base)\n",
            args.base.display()
        ))?;
        return Ok(ExitCode::SUCCESS);
    }
    let (base, new) = (read(&args.base)?, read(&args.new)?);
    let mut notes = vec![RECORDED.to_owned()];
    notes.extend(hosts(&base, &new, args.force_host)?);
    for (path, run) in [(&args.base, &base), (&args.new, &new)] {
        if run.torn_line.is_some() {
            notes.push(format!("{}: its last line was cut off and is left out", path.display()));
        }
    }
    let compared = judge(&base, &new, margins);
    if compared.report.cells.is_empty() {
        bail!(
            "{} and {}: no model, workload and N that both have; compare runs of one plan",
            args.base.display(),
            args.new.display()
        );
    }
    let facts = Facts { base: base.header.neutral_name(), new: new.header.neutral_name(), notes };
    let machine = serde_json::to_string_pretty(&render::json(&compared, &facts))? + "\n";
    let mut last = String::new();
    if let Some(dir) = &args.out {
        let rendered = render::files(&compared, &facts)?;
        place::place(&rendered, dir)?;
        let text = dir.join(render::TEXT_FILE);
        last = format!("comparison: {}\n", text.display());
    }
    if let Some(file) = &args.json_out {
        fs::write(file, &machine).with_context(|| file.display().to_string())?;
    }
    let lines = publish(&compared.report, &wanted).map_err(|e| anyhow!(e))?;
    if args.json {
        eprint!("{lines}{last}");
        say(&machine)?;
    } else {
        say(&(render::text(&compared, &facts) + &lines + &last))?;
    }
    Ok(ExitCode::from(compared.report.exit_code(args.strict)))
}

fn read(dir: &Path) -> Result<Run> {
    let run = read_run(dir)?;
    if run.header.kind == RunKind::Trace {
        bail!("{}: a trace has no rates; compare runs of `amdahl run`", dir.display());
    }
    Ok(run)
}

/// A note where different machines are compared because somebody insists.
fn hosts(base: &Run, new: &Run, force: bool) -> Result<Option<String>> {
    let (a, b) = (host_label(&base.header.host), host_label(&new.header.host));
    if a == b {
        return Ok(None);
    }
    let differ = format!("made on different hosts ({a}, {b})");
    if !force {
        bail!(
            "{differ}: their difference would be the machines'; measure both on one, or go on with --force-host"
        );
    }
    Ok(Some(format!("{differ}; compared by --force-host: a change may be the machine's")))
}

fn margins(args: &CompareArgs) -> Result<Margins> {
    for (flag, percent) in [("--margin", args.margin), ("--equivalence", args.equivalence)] {
        if !(0.0..100.0).contains(&percent) {
            bail!("{flag} {percent}: per cent from 0 to below 100 expected");
        }
    }
    if args.equivalence <= args.margin {
        bail!("--equivalence {} is not above --margin {}", args.equivalence, args.margin);
    }
    Ok(Margins { regression: args.margin / 100.0, equivalence: args.equivalence / 100.0 })
}
