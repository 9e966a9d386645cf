//! `amdahl ab`: A against B in interleaved pairs, with a verdict.

mod models;

use std::process::ExitCode;

use amdahl_gate::{Better, Wanted, check, publish, report_json, terminal};
use amdahl_stats::Margins;
use indicatif::{ProgressBar, ProgressStyle};
use regex_lite::Regex;

use super::run::measure::random_seed;
use crate::ab::command::{Asked, Commands};
use crate::ab::criterion::Benches;
use crate::ab::{Arms, Progress, Settings, judge};
use crate::cli::{AbArgs, BetterArg};
use crate::gates::GateProbe;
use crate::plan::parse_budget;
use crate::procfs::Roots;
use crate::topology::Machine;
use crate::{Unable, stop};

/// Measures, judges, prints.
pub fn run(args: &AbArgs) -> anyhow::Result<ExitCode> {
    let settings = settings(args)?;
    let wanted = Wanted::new(&args.write, |name| std::env::var(name).ok()).map_err(Unable)?;
    if let Some(file) = &args.json.json_out {
        check(file).map_err(|e| Unable(format!("--json-out: {e}")))?;
    }
    let mut arms = arms(args, &settings)?;
    stop::catch();
    let bar = ProgressBar::no_length();
    bar.set_style(ProgressStyle::with_template("{msg}").expect("the template is ours"));
    let mut watch = |p: Progress| {
        let stage = if p.confirming { ", confirming" } else { "" };
        bar.set_message(format!("{} of {} pairs{stage}", p.rounds.min(p.of), p.of));
        bar.tick();
    };
    let report = judge(&mut *arms, &settings, &mut watch)?;
    bar.finish_and_clear();
    let mut json = report_json(&report);
    json["seed"] = settings.seed.into();
    let mut text = terminal(&report) + &format!("seed: {}\n", settings.seed);
    // JSON on stdout stays JSON: then the lines for a job's log go where its runner looks too.
    let lines = publish(&report, &wanted).map_err(Unable)?;
    if args.json.json {
        eprint!("{lines}")
    } else {
        text.push_str(&lines)
    }
    super::emit(&args.json, &json, &text)?;
    Ok(ExitCode::from(report.exit_code(args.strict)))
}

fn settings(args: &AbArgs) -> Result<Settings, Unable> {
    let budget = args.budget.as_deref().map(parse_budget).transpose();
    if args.blocks == Some(0) {
        return Err(Unable(
            "--blocks 0: at least one pair is needed, and six to show anything".to_owned(),
        ));
    }
    Ok(Settings {
        pairs: args.blocks,
        budget: budget.map_err(|e| Unable(format!("--budget: {e}")))?.flatten(),
        sentinel: !args.no_sentinel,
        seed: args.seed.unwrap_or_else(random_seed),
    })
}

fn arms(args: &AbArgs, settings: &Settings) -> anyhow::Result<Box<dyn Arms>> {
    let margins = margins(args)?;
    if !args.models.is_empty() {
        return Ok(Box::new(models::arms(args, margins, settings.seed)?));
    }
    let roots = Roots::default();
    let probe = (!args.no_gates).then(|| GateProbe::new(&roots, &Machine::read(&roots)));
    if let [base, head] = args.criterion.as_slice() {
        let only = args.benches.as_deref().map(Regex::new).transpose();
        let only = only.map_err(|e| Unable(format!("--benches: {e}")))?;
        let both = (base.as_path(), head.as_path());
        return Ok(Box::new(Benches::new(both, only.as_ref(), margins, probe, settings.budget)?));
    }
    Ok(Box::new(Commands::new(asked(args, margins, settings)?, probe)))
}

/// Two programs.
fn asked(args: &AbArgs, margins: Margins, settings: &Settings) -> Result<Asked, Unable> {
    let words = |flag: &str, line: &str| match shlex::split(line) {
        Some(words) if !words.is_empty() => Ok(words),
        Some(_) => Err(Unable(format!("{flag}: no program is named"))),
        None => Err(Unable(format!("{flag} {line}: a quotation mark is not closed"))),
    };
    let figure = args.metric.as_deref().map(Regex::new).transpose();
    let better = match args.better {
        Some(BetterArg::Lower) => Better::Lower,
        None if args.metric.is_none() => Better::Lower,
        Some(BetterArg::Higher) | None => Better::Higher,
    };
    Ok(Asked {
        a: words("--a", args.a.as_deref().unwrap_or_default())?,
        b: words("--b", args.b.as_deref().unwrap_or_default())?,
        figure: figure.map_err(|e| Unable(format!("--metric: {e}")))?,
        better,
        margins,
        limit: settings.budget,
    })
}

fn margins(args: &AbArgs) -> Result<Margins, Unable> {
    for (flag, percent) in [("--margin", args.margin), ("--equivalence", args.equivalence)] {
        if !(0.0..100.0).contains(&percent) {
            return Err(Unable(format!("{flag} {percent}: percent from 0 to below 100 expected")));
        }
    }
    if args.equivalence <= args.margin {
        return Err(Unable(format!(
            "--equivalence {} is not above --margin {}: equivalent has to allow for more than what is no change",
            args.equivalence, args.margin
        )));
    }
    Ok(Margins { regression: args.margin / 100.0, equivalence: args.equivalence / 100.0 })
}
