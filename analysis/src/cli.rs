//! Arguments in, exit code out. Decides nothing else.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::cmd;

/// Analyses recorded runs of amdahl.
#[derive(Debug, Parser)]
#[command(name = "amdahl-analysis", bin_name = "amdahl", version, about)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// The analysing verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Write a report from recorded runs: the answer, figures, tables, method and limits.
    Report(ReportArgs),
}

/// Arguments of `report`.
#[derive(Debug, Clone, clap::Args)]
pub struct ReportArgs {
    /// Run directories, as `amdahl run` writes them.
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// Directory of the report [default: reports/ and the name of the run directory].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Only models that match one of these patterns (`python*/threads`).
    #[arg(long, value_name = "GLOB", value_delimiter = ',')]
    pub models: Vec<String>,
    /// Only workloads that match one of these patterns.
    #[arg(long, value_name = "GLOB", value_delimiter = ',')]
    pub workloads: Vec<String>,
    /// Print the decisions (verdicts.json) on stdout instead of the answer table.
    #[arg(long)]
    pub json: bool,
    /// Write the decisions to a file too.
    #[arg(long, value_name = "FILE")]
    pub json_out: Option<PathBuf>,
}

/// Parses the command line and carries it out: 0 done, 2 could not (bad input, no permission).
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match &cli.verb {
        Verb::Report(args) => cmd::report::run(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("amdahl: {error:#}");
            ExitCode::from(2)
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
