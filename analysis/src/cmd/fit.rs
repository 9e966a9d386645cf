//! `fit`: a table of workers and throughput to its scalability laws.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};

use amdahl_stats::laws::{Break, Change, Options, Weights};

use crate::cli::{FitArgs, WeightsArg};
use crate::laws::{self, Study};
use crate::place;
use crate::render::laws as render;

/// Reads, fits, writes what was asked for, prints the answer.
pub fn run(args: &FitArgs) -> Result<()> {
    check(args)?;
    let table = laws::read(&args.data)?;
    let largest = table.samples.iter().map(|s| s.n);
    let largest = largest.filter(|n| args.end.is_none_or(|end| *n <= end)).fold(0.0, f64::max);
    if let Some(end) = args.end.filter(|_| largest == 0.0) {
        bail!("--break {end}: {} has no worker count up to it", args.data.display());
    }
    let default = || vec![laws_reach(largest)];
    let options = Options {
        weights: match args.weights {
            WeightsArg::Relative => Weights::Relative,
            WeightsArg::None => Weights::None,
        },
        unbounded: args.unbounded,
        predict: if args.predict.is_empty() { default() } else { args.predict.clone() },
        end: args.end.map(|after| Break { after, change: Change::Given }),
        ..Options::default()
    };
    let name = args.data.file_name().map_or_else(|| "table".into(), |n| n.to_string_lossy());
    let study = laws::study(name.into_owned(), &table, &options)?;
    let json = serde_json::to_string_pretty(&render::json(&study))? + "\n";
    if let Some(dir) = &args.out {
        place::place(&render::files(&study)?, dir)?;
    }
    if let Some(path) = &args.json_out {
        fs::write(path, &json).with_context(|| format!("{}: could not write", path.display()))?;
    }
    print(args, &study, &json)
}

/// How far predictions reach.
fn laws_reach(largest: f64) -> f64 {
    largest * amdahl_stats::laws::REACH
}

/// Numbers that clap takes for numbers.
fn check(args: &FitArgs) -> Result<()> {
    for n in &args.predict {
        if !(*n > 0.0 && *n <= 1e9) {
            bail!("--predict {n}: expected numbers of workers above 0 and at most 1e9");
        }
    }
    if let Some(end) = args.end.filter(|n| !(*n > 0.0 && *n <= 1e9)) {
        bail!("--break {end}: expected a number of workers above 0 and at most 1e9");
    }
    Ok(())
}

fn print(args: &FitArgs, study: &Study, json: &str) -> Result<()> {
    let last = args.out.as_deref().map(last_line);
    let mut out = std::io::stdout().lock();
    let text = if args.json {
        if let Some(last) = last {
            eprintln!("{last}");
        }
        json.to_owned()
    } else {
        let last = last.map_or_else(String::new, |l| format!("\n{l}\n"));
        render::terminal(study) + &last
    };
    match out.write_all(text.as_bytes()) {
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()), // `| head` has seen enough.
        other => other.context("stdout"),
    }
}

fn last_line(dir: &Path) -> String {
    let file = |name: &str| dir.join(name).display().to_string();
    format!("fit: {}  figure: {}", file(render::FIT_FILE), file("figures/fit.svg"))
}
