//! divan and Google Benchmark: built in a temporary directory, so that neither is a dependency of this package.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// What the comparison is made with; a newer one is taken by changing this line.
const DIVAN: &str = "0.1.21";

/// A program of others that prints a figure.
pub(crate) struct Peer {
    pub(crate) name: String,
    path: PathBuf,
    args: &'static [&'static str],
    read: fn(&str) -> Option<f64>,
}

impl Peer {
    /// On two CPUs, on which it places its threads as it likes.
    pub(crate) fn launch(&self, [a, b]: [usize; 2]) -> Result<f64, String> {
        let mut command = Command::new("taskset");
        command.args(["-c", &format!("{a},{b}")]).arg(&self.path).args(self.args);
        let text = output(&mut command)?;
        (self.read)(&text).ok_or_else(|| format!("no figure in: {text}"))
    }
}

pub(crate) fn divan(dir: &Path) -> Result<Peer, String> {
    let dir = dir.join("divan");
    let manifest = format!(
        "[package]\nname = \"atomic-divan\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\
        [dependencies]\ndivan = \"={DIVAN}\"\n\
        [[bench]]\nname = \"add\"\npath = \"add.rs\"\nharness = false\n[workspace]\n"
    );
    std::fs::create_dir_all(&dir).map_err(|e| e.to_string())?;
    std::fs::write(dir.join("add.rs"), include_str!("divan.rs")).map_err(|e| e.to_string())?;
    std::fs::write(dir.join("Cargo.toml"), manifest).map_err(|e| e.to_string())?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build
        .args(["bench", "--no-run", "--message-format=json", "--target-dir", "target"])
        .current_dir(&dir);
    let text = output(&mut build).map_err(|e| format!("divan {DIVAN}: {e}"))?;
    let messages = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let path = messages.filter_map(|m| Some(m["executable"].as_str()?.into())).next_back();
    let path = path.ok_or("divan: cargo names no executable")?;
    let name = format!("divan {DIVAN}, threads = [2]");
    Ok(Peer { name, path, args: &["--bench"], read: divan_median })
}

/// The third column of the last row: `add  7.073 ns │ 7.366 ns │ 7.138 ns │ …` are fastest, slowest, median.
fn divan_median(text: &str) -> Option<f64> {
    let row = |line: &&str| line.contains('│') && line.contains(|c: char| c.is_ascii_digit());
    let line = text.lines().rfind(row)?;
    let median = line.split('│').nth(2)?.trim();
    let (value, unit) = median.split_once(' ')?;
    let value: f64 = value.parse().ok()?;
    Some(
        value
            * match unit.trim() {
                "ps" => 1e-3,
                "ns" => 1.0,
                "µs" => 1e3,
                "ms" => 1e6,
                _ => return None,
            },
    )
}

pub(crate) fn google(dir: &Path) -> Result<Peer, String> {
    let (source, path) = (dir.join("google.cc"), dir.join("google"));
    std::fs::write(&source, include_str!("google.cc")).map_err(|e| e.to_string())?;
    let mut build = Command::new("c++");
    build
        .args(["-O2", "-std=c++17", "-o"])
        .args([&path, &source])
        .args(["-lbenchmark", "-lpthread"]);
    output(&mut build).map_err(|e| format!("Google Benchmark (Debian: libbenchmark-dev): {e}"))?;
    let args = &["--benchmark_format=json"];
    let name = "Google Benchmark, Threads(2)".to_owned();
    Ok(Peer { name, path, args, read: google_real_time })
}

fn google_real_time(text: &str) -> Option<f64> {
    let json: Value = serde_json::from_str(text).ok()?;
    let row = &json["benchmarks"][0];
    (row["time_unit"] == "ns").then(|| row["real_time"].as_f64())?
}

fn output(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let out = command.output().map_err(|e| format!("`{program}`: {e}"))?;
    if !out.status.success() {
        let said = String::from_utf8_lossy(&out.stderr);
        let last: Vec<&str> = said.lines().rev().filter(|l| !l.trim().is_empty()).take(2).collect();
        return Err(format!("`{program}` failed ({}): {}", out.status, last.join("; ")));
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}
