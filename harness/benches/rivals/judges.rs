//! Who judges: each is given two subjects and so many seconds, and says whether the second takes longer.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use amdahl_stats::log_welch_interval;
use serde_json::Value;

use crate::build::{Subject, output};

/// What a judge says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    Slower,
    Faster,
    /// Shown to be the same.
    Same,
    /// Nothing; also where a program has no word for it.
    Nothing,
}

pub(crate) struct Judge {
    pub(crate) name: &'static str,
    pub(crate) judge: fn(&Subject, &Subject, f64, &Path) -> Result<Said, String>,
}

pub(crate) const JUDGES: [Judge; 5] = [
    Judge { name: "amdahl ab --models", judge: alternating },
    Judge { name: "amdahl ab --a --b", judge: whole_process },
    Judge { name: "criterion, saved baseline", judge: criterion },
    Judge { name: "hyperfine, Welch's t", judge: hyperfine },
    Judge { name: "tango compare", judge: tango },
];

/// The first so many are ours.
pub(crate) const OURS: usize = 2;

/// Operations of the subject as a process: some 20 ms at 10,000 steps.
const OPERATIONS: u64 = 600;

fn amdahl(args: &[String]) -> Result<Said, String> {
    let text =
        Command::new(env!("CARGO_BIN_EXE_amdahl")).arg("ab").args(args).arg("--json").output();
    let out = text.map_err(|e| e.to_string())?;
    let json: Value = serde_json::from_slice(&out.stdout)
        .map_err(|e| format!("{e}: {}", String::from_utf8_lossy(&out.stderr)))?;
    Ok(match json["verdict"].as_str() {
        Some("regressed") => Said::Slower,
        Some("improved") => Said::Faster,
        Some("equivalent") => Said::Same,
        _ => Said::Nothing,
    })
}

fn alternating(a: &Subject, b: &Subject, seconds: f64, _: &Path) -> Result<Said, String> {
    let words = "--models rust/threads,rust/threads --workload cpu --workers 1";
    let mut args: Vec<String> = words.split(' ').map(str::to_owned).collect();
    args.extend([
        "--a-param".into(),
        format!("steps={}", a.steps),
        "--b-param".into(),
        format!("steps={}", b.steps),
    ]);
    args.extend(["--budget".to_owned(), format!("{seconds}s")]);
    amdahl(&args)
}

fn whole_process(a: &Subject, b: &Subject, seconds: f64, _: &Path) -> Result<Said, String> {
    let command = |s: &Subject| format!("{} {OPERATIONS}", s.process.display());
    amdahl(&[
        "--a".into(),
        command(a),
        "--b".into(),
        command(b),
        "--budget".into(),
        format!("{seconds}s"),
    ])
}

/// A warm-up and two measurements: a sixth of the time each for warming up, a third for measuring.
fn criterion(a: &Subject, b: &Subject, seconds: f64, dir: &Path) -> Result<Said, String> {
    let home = dir.join("criterion");
    let _ = std::fs::remove_dir_all(&home);
    let mut said = String::new();
    for (subject, baseline) in [(a, "--save-baseline"), (b, "--baseline")] {
        let mut command = Command::new(&subject.criterion);
        command.args(["--bench", "--noplot", baseline, "base"]);
        command.args(["--warm-up-time", &(seconds / 6.0).to_string()]);
        command.args(["--measurement-time", &(seconds / 3.0).to_string()]);
        said = output(command.env("CRITERION_HOME", &home))?;
    }
    Ok(if said.contains("Performance has regressed") {
        Said::Slower
    } else if said.contains("Performance has improved") {
        Said::Faster
    } else {
        Said::Nothing
    })
}

/// As many runs as fit, one program after the other, and the t test that its scripts offer, at 5 %.
fn hyperfine(a: &Subject, b: &Subject, seconds: f64, dir: &Path) -> Result<Said, String> {
    let command = |s: &Subject| format!("{} {OPERATIONS}", s.process.display());
    let begin = Instant::now();
    output(Command::new(&a.process).arg(OPERATIONS.to_string()))?;
    let runs = (seconds / 2.0 / begin.elapsed().as_secs_f64()).max(3.0) as u64;
    let file = dir.join("hyperfine.json");
    let mut run = Command::new("hyperfine");
    run.args(["-N", "--style", "none", "--runs", &runs.to_string(), "--export-json"]).arg(&file);
    output(run.args([command(a), command(b)]))?;
    let text = std::fs::read_to_string(&file).map_err(|e| e.to_string())?;
    let json: Value = serde_json::from_str(&text).map_err(|e| e.to_string())?;
    let times = |k: usize| -> Vec<f64> {
        json["results"][k]["times"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_f64)
            .collect()
    };
    let i = log_welch_interval(&times(1), &times(0), 0.95).ok_or("hyperfine: no times")?;
    Ok(match (i.lo > 1.0, i.hi < 1.0) {
        (true, _) => Said::Slower,
        (_, true) => Said::Faster,
        _ => Said::Nothing,
    })
}

/// An asterisk marks what it calls significant.
fn tango(a: &Subject, b: &Subject, seconds: f64, _: &Path) -> Result<Said, String> {
    let mut command = Command::new(&b.tango);
    command.arg("compare").arg(&a.tango).args(["-t", &seconds.to_string()]);
    let text = output(command.args(["--color", "never"]))?;
    let row = text
        .lines()
        .find(|l| l.contains("work") && l.contains('%'))
        .ok_or(format!("tango: {text}"))?;
    Ok(
        match (
            row.contains("%*"),
            row.rsplit(' ').next().is_some_and(|change| change.starts_with('-')),
        ) {
            (false, _) => Said::Nothing,
            (true, false) => Said::Slower,
            (true, true) => Said::Faster,
        },
    )
}
