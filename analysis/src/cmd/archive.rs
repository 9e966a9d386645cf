//! `archive`: recorded runs into a directory of Parquet files.

use anyhow::{Result, bail};

use amdahl_schema::{Run, RunKind, read_run};

use crate::archive;
use crate::cli::ArchiveArgs;
use crate::cmd::say;

/// Archives every run; all are read before the first is written.
pub fn run(args: &ArchiveArgs) -> Result<()> {
    let runs: Vec<Run> = args.runs.iter().map(|dir| read_run(dir)).collect::<Result<_, _>>()?;
    if let Some(trace) = runs.iter().find(|r| r.header.kind == RunKind::Trace) {
        bail!(
            "{}: a run of `amdahl trace` has no trials to archive; leave it out",
            trace.dir.display()
        );
    }
    let mut said = String::new();
    for run in &runs {
        if let Some(line) = run.torn_line {
            eprintln!(
                "amdahl: {}: torn line {line} of its trials; `amdahl run --resume` measures that trial again",
                run.dir.display()
            );
        }
        let done = archive::archive(run, &args.into)?;
        let what = if done.unchanged { "unchanged" } else { "archived" };
        said.push_str(&format!("{what}: {}  {} trials\n", done.path.display(), done.trials));
    }
    say(&said)
}
