//! The command line as typed; what it means is `plan.rs`'s business.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Can several threads of one process run in parallel on several cores here, how far does it scale,
/// and what stops it?
#[derive(Debug, Parser)]
#[command(name = "amdahl", version, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs; a test holds this tree against the README's command table.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// What this machine can measure, its state, what is missing, and the remedy for each.
    Doctor(DoctorArgs),
    /// Models x workloads: available, or why not.
    List(ListArgs),
    /// Measure, record, print the answer.
    Run(Box<RunArgs>),
    /// Does a worker keep the protocol and do the work?
    Conform(ConformArgs),
    /// Run a recorded plan here, and compare verdicts, not numbers.
    Reproduce(Box<ReproduceArgs>),
    /// Lock contention of an unmodified program, as a run.
    Trace(TraceArgs),
    /// A against B in interleaved pairs: regressed, improved, equivalent, or can't tell.
    Ab(Box<AbArgs>),
    /// Draw recorded runs: Markdown, SVG, CSV, verdicts (done by amdahl-analysis).
    #[command(disable_help_flag = true)]
    Report(SiblingArgs),
    /// Fit scalability laws to a table of workers and throughput (done by amdahl-analysis).
    #[command(disable_help_flag = true)]
    Fit(SiblingArgs),
    /// Where did the level of a series change, over many runs or in any table (done by amdahl-analysis)?
    #[command(disable_help_flag = true)]
    History(SiblingArgs),
    /// Did the throughput of a recorded run change against another one (done by amdahl-analysis)?
    #[command(disable_help_flag = true)]
    Compare(SiblingArgs),
    /// Keep runs as Parquet, by host, year and month (done by amdahl-analysis).
    #[command(disable_help_flag = true)]
    Archive(SiblingArgs),
    /// Between harness and worker: kills every descendant when either ends.
    #[command(hide = true)]
    Guard(GuardArgs),
    /// The other end of the `pipe` workload.
    #[command(hide = true)]
    Peer(PeerArgs),
}

/// Output that programs read.
#[derive(Debug, Clone, Default, Args)]
pub struct JsonArgs {
    /// Print the result as JSON on stdout.
    #[arg(long)]
    pub json: bool,
    /// Write the JSON here, beside the normal output.
    #[arg(long, value_name = "FILE")]
    pub json_out: Option<PathBuf>,
}

/// Where runtimes and workers come from, besides discovery.
#[derive(Debug, Clone, Default, Args)]
pub struct WorkerArgs {
    /// A worker of your own: its models are NAME/mechanism.
    #[arg(long = "worker", value_name = "NAME=CMD")]
    pub workers_own: Vec<String>,
    /// A runtime that discovery does not find, e.g. python=./my/python.
    #[arg(long = "runtime", value_name = "LANG=PATH")]
    pub runtimes: Vec<String>,
    /// A lock of your own for the workload `lock`: a shared library with `lock_size`, `lock_init`, `lock_acquire`, `lock_release`.
    #[arg(long = "lock", value_name = "NAME=LIB.so")]
    pub locks: Vec<String>,
}

/// `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Remove the workers that were unpacked and built in your cache, and do nothing else.
    #[arg(long)]
    pub clean: bool,
    /// JSON output.
    #[command(flatten)]
    pub json: JsonArgs,
    /// Workers.
    #[command(flatten)]
    pub worker: WorkerArgs,
}

/// `list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// JSON output.
    #[command(flatten)]
    pub json: JsonArgs,
    /// Workers.
    #[command(flatten)]
    pub worker: WorkerArgs,
}

/// How carriers are placed on CPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlacementArg {
    /// One per physical core, filling a socket first.
    Cores,
    /// Over the sockets in turn.
    Spread,
    /// SMT siblings together.
    Smt,
    /// Left to the kernel.
    None,
}

/// Counters pass on or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CountersArg {
    /// Whatever this machine offers; the rest is absent with its reason.
    Auto,
    /// No counters pass.
    None,
}

/// `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// A plan of your own; see harness/plans for examples.
    #[arg(value_name = "PLAN.toml")]
    pub plan: Option<PathBuf>,
    /// How much to measure: smoke, standard (default) or paper.
    #[arg(long, conflicts_with = "plan")]
    pub profile: Option<String>,
    /// Models, with * as wildcard.
    #[arg(long, value_name = "GLOB,..", value_delimiter = ',')]
    pub models: Vec<String>,
    /// Workloads, with * as wildcard.
    #[arg(long, value_name = "GLOB,..", value_delimiter = ',')]
    pub workloads: Vec<String>,
    /// Worker counts.
    #[arg(long, value_name = "1,2,4", value_delimiter = ',')]
    pub workers: Vec<u32>,
    /// How carriers are placed on CPUs (default cores).
    #[arg(long, value_enum)]
    pub placement: Option<PlacementArg>,
    /// Blocks: repetitions of every model x workload.
    #[arg(long)]
    pub blocks: Option<u32>,
    /// Time for measuring, e.g. 90s, 5m, 2h; `none` for no limit.
    #[arg(long)]
    pub budget: Option<String>,
    /// Print cells and time, measure nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Parameter of a workload: steps=2000, or sleep.sleep_ns=2000000 for one workload only.
    #[arg(long = "param", value_name = "K=V")]
    pub params: Vec<String>,
    /// Workers and runtimes.
    #[command(flatten)]
    pub worker: WorkerArgs,
    /// Counters pass.
    #[arg(long, value_enum, default_value = "auto")]
    pub counters: CountersArg,
    /// A raw hardware event of your own, e.g. uops=r01c2.
    #[arg(long = "event", value_name = "NAME=CODE")]
    pub events: Vec<String>,
    /// Seed of every random choice (default: random, recorded).
    #[arg(long)]
    pub seed: Option<u64>,
    /// Directory that gets the run's directory (default runs).
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Go on with a run that was cut off: does what is missing, with its own plan.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["plan", "profile", "models", "workloads", "workers",
        "placement", "blocks", "params", "seed", "out", "dry_run"])]
    pub resume: Option<PathBuf>,
    /// JSON output.
    #[command(flatten)]
    pub json: JsonArgs,
}

/// `reproduce`.
#[derive(Debug, Args)]
pub struct ReproduceArgs {
    /// A run directory, or a bundle, packed or unpacked, whose hashes are verified first.
    #[arg(value_name = "RUN")]
    pub recorded: PathBuf,
    /// Which run of a bundle that holds several.
    #[arg(long, value_name = "NAME")]
    pub run: Option<String>,
    /// Verify, print cells and time, measure nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Compare with this run, made here before, instead of measuring.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["dry_run", "budget", "counters", "out", "workers_own", "runtimes"])]
    pub with: Option<PathBuf>,
    /// Models, with * as wildcard.
    #[arg(long, value_name = "GLOB,..", value_delimiter = ',')]
    pub models: Vec<String>,
    /// Workloads, with * as wildcard.
    #[arg(long, value_name = "GLOB,..", value_delimiter = ',')]
    pub workloads: Vec<String>,
    /// Time for measuring, e.g. 90s, 5m, 2h; `none` for no limit (default: as recorded).
    #[arg(long)]
    pub budget: Option<String>,
    /// Counters pass; no verdict depends on it.
    #[arg(long, value_enum, default_value = "none")]
    pub counters: CountersArg,
    /// Exit with 3 where a verdict could not be decided here.
    #[arg(long)]
    pub strict: bool,
    /// Workers and runtimes.
    #[command(flatten)]
    pub worker: WorkerArgs,
    /// Directory that gets the run's directory (default runs).
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// JSON output.
    #[command(flatten)]
    pub json: JsonArgs,
}

/// `trace`.
#[derive(Debug, Args)]
pub struct TraceArgs {
    /// A process that runs, instead of a program to start; ends with it, with --duration or with Ctrl-C.
    #[arg(long, conflicts_with = "command", required_unless_present = "command")]
    pub pid: Option<u32>,
    /// How long at most, e.g. 500ms, 10s, 5m (default: as long as the program).
    #[arg(long, value_name = "S")]
    pub duration: Option<String>,
    /// By a library between the program and pthread: every acquisition, uncontended ones too, without any privilege. Not of
    /// programs that lock without pthread (Rust's std, Go), nor of static ones.
    #[arg(long)]
    pub preload: bool,
    /// With --preload, how long locks are held, too.
    #[arg(long, requires = "preload")]
    pub hold: bool,
    /// Exit with the program's status, 128 + signal where one ended it.
    #[arg(long, conflicts_with = "pid")]
    pub forward_exit: bool,
    /// Directory that gets the run's directory (default runs).
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// JSON output.
    #[command(flatten)]
    pub json: JsonArgs,
    /// The program and its arguments.
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<std::ffi::OsString>,
}

/// Which direction of a figure is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BetterArg {
    /// Rates.
    Higher,
    /// Times.
    Lower,
}

/// `ab`.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["a", "models", "criterion"])))]
pub struct AbArgs {
    /// A, the base: a program with its arguments, in words as a shell would split them; no shell is started.
    #[arg(long, value_name = "CMD", requires = "b")]
    pub a: Option<String>,
    /// B, what may have changed.
    #[arg(long, value_name = "CMD", requires = "a")]
    pub b: Option<String>,
    /// Two builds of a Criterion bench, as `cargo bench --no-run` names them: every bench of both a cell.
    #[arg(long, num_args = 2, value_names = ["BASE_EXE", "HEAD_EXE"], conflicts_with = "a")]
    pub criterion: Vec<PathBuf>,
    /// Only those of the benches whose name this matches.
    #[arg(long, value_name = "REGEX", requires = "criterion")]
    pub benches: Option<String>,
    /// The figure that the programs print, e.g. 'rate: ([0-9.]+)'; without it their wall time is compared.
    #[arg(long, value_name = "REGEX", requires = "a")]
    pub metric: Option<String>,
    /// Which direction of --metric is good (default higher).
    #[arg(long, value_enum, requires = "metric")]
    pub better: Option<BetterArg>,
    /// Two models of ours instead, or one that is both A and B with parameters that differ.
    #[arg(long, value_name = "A,B", value_delimiter = ',', requires = "workload")]
    pub models: Vec<String>,
    /// What the models do.
    #[arg(long, value_name = "WORKLOAD", conflicts_with = "a")]
    pub workload: Option<String>,
    /// A parameter of the workload, for A and B.
    #[arg(long = "param", value_name = "K=V", conflicts_with = "a")]
    pub params: Vec<String>,
    /// For A alone.
    #[arg(long = "a-param", value_name = "K=V", conflicts_with = "a")]
    pub a_params: Vec<String>,
    /// For B alone.
    #[arg(long = "b-param", value_name = "K=V", conflicts_with = "a")]
    pub b_params: Vec<String>,
    /// Workers of each (default 1).
    #[arg(long, value_name = "N", conflicts_with = "a", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub workers: Option<u32>,
    /// Workers.
    #[command(flatten)]
    pub worker: WorkerArgs,
    /// A change is called one only if it is shown to be beyond so many percent.
    #[arg(long, value_name = "PCT", default_value = "1")]
    pub margin: f64,
    /// Equivalent means shown to lie within so many percent.
    #[arg(long, value_name = "PCT", default_value = "3")]
    pub equivalence: f64,
    /// Pairs, fixed beforehand (default: looks after 12, 24 and 48 where there is one cell, as many as its size needs for a family).
    #[arg(long, value_name = "N")]
    pub blocks: Option<usize>,
    /// Time at most, e.g. 90s, 5m; no pair is begun that would end after it.
    #[arg(long, value_name = "S")]
    pub budget: Option<String>,
    /// Seed of every random choice (default: random, printed).
    #[arg(long)]
    pub seed: Option<u64>,
    /// Do without the third arm, A once more, by which a machine that can't judge shows.
    #[arg(long)]
    pub no_sentinel: bool,
    /// Use pairs whatever else ran meanwhile: for figures that do not depend on it, such as bytes or counts.
    #[arg(long)]
    pub no_gates: bool,
    /// Exit with 3 where it could not be decided.
    #[arg(long)]
    pub strict: bool,
    /// The verdict in another form, in a file: json, markdown, annotations, bmf, customSmallerIsBetter, customBiggerIsBetter. In a GitHub
    /// job the summary and the annotations are written by themselves.
    #[arg(long = "write", value_name = "FORM=FILE")]
    pub write: Vec<String>,
    /// JSON output.
    #[command(flatten)]
    pub json: JsonArgs,
}

/// `conform`.
#[derive(Debug, Args)]
pub struct ConformArgs {
    /// Models, with * as wildcard.
    #[arg(long, value_name = "GLOB,..", value_delimiter = ',')]
    pub models: Vec<String>,
    /// Workers.
    #[command(flatten)]
    pub worker: WorkerArgs,
    /// JSON output.
    #[command(flatten)]
    pub json: JsonArgs,
}

/// Everything after the verb, for the sibling program.
#[derive(Debug, Args)]
pub struct SiblingArgs {
    /// Passed on as they are.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub args: Vec<std::ffi::OsString>,
}

/// `guard`.
#[derive(Debug, Args)]
pub struct GuardArgs {
    /// The lifeline: a socket to the harness.
    #[arg(long)]
    pub fd: i32,
    /// The worker.
    #[arg(last = true, required = true)]
    pub command: Vec<std::ffi::OsString>,
}

/// `peer`.
#[derive(Debug, Args)]
pub struct PeerArgs {
    /// Directory of the FIFOs.
    #[arg(long)]
    pub dir: PathBuf,
    /// Pairs of FIFOs.
    #[arg(long)]
    pub workers: u32,
    /// Time from request to answer.
    #[arg(long)]
    pub delay_ns: u64,
}
