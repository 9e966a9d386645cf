//! One file a verb; each ends in an exit code: 0 fine, 1 a regression, failed conformance or a verdict
//! that differs, 2 could not do it, 3 undecided (only where `--strict` asks for it).

pub mod ab;
pub mod conform;
pub mod doctor;
pub mod list;
pub mod reproduce;
pub mod run;
mod sibling;
pub mod trace;

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;

use crate::cli::{Cli, JsonArgs, Verb, WorkerArgs};
use crate::worker::discover::{Discovery, discover};
use crate::worker::process::ProcessLauncher;
use crate::worker::{guard, peer};

/// Does what was asked.
pub fn dispatch(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.verb {
        Verb::Doctor(args) if args.clean => doctor::clean(&args.json),
        Verb::Doctor(args) => {
            let found = find(&args.worker, &[])?;
            let receipts: Vec<_> = found.found.iter().map(|f| f.runtime.clone()).collect();
            doctor::run(&args.json, &receipts, &found.absent)
        }
        Verb::List(args) => list::run(&args),
        Verb::Run(args) => run::run(&args),
        Verb::Conform(args) => conform::run(&args),
        Verb::Reproduce(args) => reproduce::run(&args),
        Verb::Trace(args) => trace::run(&args),
        Verb::Ab(args) => ab::run(&args),
        Verb::Report(args) => sibling::run("report", &args.args),
        Verb::Fit(args) => sibling::run("fit", &args.args),
        Verb::History(args) => sibling::run("history", &args.args),
        Verb::Compare(args) => sibling::run("compare", &args.args),
        Verb::Archive(args) => sibling::run("archive", &args.args),
        Verb::Guard(args) => Ok(guard::run(args.fd, &args.command)),
        Verb::Peer(args) => {
            Ok(peer::run(&args.dir, args.workers, Duration::from_nanos(args.delay_ns)))
        }
    }
}

/// Discovers runtimes and workers that the patterns may mean.
fn find(args: &WorkerArgs, wanted: &[String]) -> anyhow::Result<Discovery> {
    let launcher = ProcessLauncher::new().context("where this program lies")?;
    Ok(discover(&launcher, &args.workers_own, &args.runtimes, &args.locks, wanted)?)
}

/// Prints the result: JSON on stdout or in a file, text on stdout.
fn emit(args: &JsonArgs, json: &serde_json::Value, text: &str) -> anyhow::Result<()> {
    let pretty = || serde_json::to_string_pretty(json).map(|t| t + "\n");
    if let Some(path) = &args.json_out {
        std::fs::write(path, pretty()?).with_context(|| path.display().to_string())?;
    }
    let shown = if args.json { pretty()? } else { text.to_owned() };
    std::io::stdout().lock().write_all(shown.as_bytes())?;
    Ok(())
}
