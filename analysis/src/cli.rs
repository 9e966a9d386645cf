//! Arguments in, exit code out. Decides nothing else.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

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
    /// Fit scalability laws to a table of workers and throughput: parameters, intervals, peak, predictions.
    Fit(FitArgs),
    /// Where did the level of a series change, over many runs or in any table?
    History(HistoryArgs),
    /// Did the throughput of a recorded run change against another one?
    Compare(CompareArgs),
    /// Keep runs as Parquet, by host, year and month; `history` reads it, and so does any other engine.
    Archive(ArchiveArgs),
}

/// How residuals are weighted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WeightsArg {
    /// By 1 / fit²: noise of constant relative size, as measurements of time have it.
    Relative,
    /// All alike, as most published fits have it.
    None,
}

/// Arguments of `fit`.
#[derive(Debug, Clone, clap::Args)]
pub struct FitArgs {
    /// A table with a header: `n` or `workers` (may be fractional), `throughput`; if there, `trial` (which repetition)
    /// and `ceiling` (throughput of N workers that share nothing but the machine).
    #[arg(value_name = "DATA.csv")]
    pub data: PathBuf,
    /// Weights of the residuals.
    #[arg(long, value_enum, default_value = "relative")]
    pub weights: WeightsArg,
    /// Without the bounds alpha, beta >= 0.
    #[arg(long)]
    pub unbounded: bool,
    /// Worker counts to predict [default: twice the largest].
    #[arg(long, value_name = "N", value_delimiter = ',')]
    pub predict: Vec<f64>,
    /// The machine changes above this N (SMT, another socket, more workers than CPUs): fit no further.
    #[arg(long = "break", value_name = "N")]
    pub end: Option<f64>,
    /// Write fit.json, a figure and the points of its curves to this directory.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print JSON on stdout instead of the table.
    #[arg(long)]
    pub json: bool,
    /// Write the JSON to a file too.
    #[arg(long, value_name = "FILE")]
    pub json_out: Option<PathBuf>,
}

/// Which way is for the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BetterArg {
    /// Throughput, speed.
    Higher,
    /// Time, memory.
    Lower,
}

/// Arguments of `history`.
#[derive(Debug, Clone, clap::Args)]
pub struct HistoryArgs {
    /// A table with the columns series, index and value; or runs, directories of runs, archives; or files (or directories of Criterion) of
    /// another benchmark tool, each a run, oldest first.
    #[arg(required = true, value_name = "DIR/FILE/CSV")]
    pub from: Vec<PathBuf>,
    /// Which way is for the better: the exit code is 1 where a series changed for the worse last [default for runs: higher;
    /// for files of other tools: as their unit says; for a table: not known, so never 1].
    #[arg(long, value_enum)]
    pub better: Option<BetterArg>,
    /// The smallest change worth telling, per cent of the level before.
    #[arg(long, value_name = "PCT", default_value_t = 1.0)]
    pub margin: f64,
    /// Write history.md, history.json, a figure for each changed series and all points to this directory.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print JSON on stdout instead of Markdown.
    #[arg(long)]
    pub json: bool,
    /// Write the JSON to a file too.
    #[arg(long, value_name = "FILE")]
    pub json_out: Option<PathBuf>,
}

/// Arguments of `compare`.
#[derive(Debug, Clone, clap::Args)]
pub struct CompareArgs {
    /// The run that counts as before.
    #[arg(value_name = "BASE")]
    pub base: PathBuf,
    /// The run that counts as after.
    #[arg(value_name = "NEW")]
    pub new: PathBuf,
    /// Compare runs of different machines too, and say so.
    #[arg(long)]
    pub force_host: bool,
    /// Exit with 0 where BASE does not exist.
    #[arg(long)]
    pub allow_missing_base: bool,
    /// A change within this is none, per cent.
    #[arg(long, value_name = "PCT", default_value_t = 1.0)]
    pub margin: f64,
    /// Equivalent is what is shown to lie within this, per cent.
    #[arg(long, value_name = "PCT", default_value_t = 3.0)]
    pub equivalence: f64,
    /// Exit with 3 where anything is left open.
    #[arg(long)]
    pub strict: bool,
    /// Also write the verdict in a form: json, markdown, annotations, bmf, … (as `amdahl ab` has them).
    #[arg(long, value_name = "FORM=FILE")]
    pub write: Vec<String>,
    /// Write compare.md, verdicts.json, the figure and all rates to this directory.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print JSON on stdout instead of the table.
    #[arg(long)]
    pub json: bool,
    /// Write the JSON to a file too.
    #[arg(long, value_name = "FILE")]
    pub json_out: Option<PathBuf>,
}

/// Arguments of `archive`.
#[derive(Debug, Clone, clap::Args)]
pub struct ArchiveArgs {
    /// Run directories, as `amdahl run` writes them.
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// The archive; made if it is not there.
    #[arg(long, value_name = "DIR")]
    pub into: PathBuf,
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
    /// Compare every model's rate with this one's (`rust/threads`).
    #[arg(long, value_name = "MODEL")]
    pub baseline: Option<String>,
    /// Without the names of host and users, and without the machine's paths, in any file.
    #[arg(long)]
    pub anonymous: bool,
    /// Beside the report an archive of it, the runs and a manifest with hashes: NAME.bundle.tar.gz.
    #[arg(long)]
    pub bundle: bool,
    /// Print the decisions (verdicts.json) on stdout instead of the answer table.
    #[arg(long)]
    pub json: bool,
    /// Write the decisions to a file too.
    #[arg(long, value_name = "FILE")]
    pub json_out: Option<PathBuf>,
}

/// Parses the command line and carries it out: 0 done, 1 a regression, 2 could not (bad input, no permission).
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match &cli.verb {
        Verb::Report(args) => cmd::report::run(args).map(|()| ExitCode::SUCCESS),
        Verb::Fit(args) => cmd::fit::run(args).map(|()| ExitCode::SUCCESS),
        Verb::History(args) => cmd::history::run(args),
        Verb::Compare(args) => cmd::compare::run(args),
        Verb::Archive(args) => cmd::archive::run(args).map(|()| ExitCode::SUCCESS),
    };
    match result {
        Ok(code) => code,
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
