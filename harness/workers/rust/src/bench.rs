//! `cargo bench` of a user's crate: hands over to `amdahl run`, which starts this very program as a worker.
//! Measures nothing itself.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};

/// What Cargo says to a target of `cargo bench`.
pub(crate) const ARG: &str = "--bench";

/// Names the program `amdahl` where it is not on PATH.
const AMDAHL: &str = "AMDAHL";

/// Becomes `amdahl run`, with the arguments behind `cargo bench --`; returns only if that can't be started.
pub(crate) fn run(args: Vec<String>, locks: &[String]) -> ExitCode {
    let amdahl = std::env::var_os(AMDAHL).unwrap_or_else(|| "amdahl".into());
    let error = match std::env::current_exe() {
        Ok(own) => {
            let args = arguments(&own, args, locks);
            Command::new(&amdahl).args(args).exec().to_string()
        }
        Err(error) => format!("where this program lies: {error}"),
    };
    eprintln!(
        "amdahl-worker: can't start {}: {error}; `cargo install` the package amdahl, or set {AMDAHL}=/path/to/amdahl",
        amdahl.display()
    );
    ExitCode::from(2)
}

/// The workload `lock` on this program's threads, unless the user asks for another.
fn arguments(own: &Path, args: Vec<String>, locks: &[String]) -> Vec<String> {
    let name = name(own);
    let path = own.display().to_string().replace('\'', r"'\''");
    let mut all = vec!["run".to_owned(), format!("--worker={name}='{path}'")];
    let asks = |key: &str| args.iter().any(|a| a == key || a.starts_with(&format!("{key}=")));
    if !asks("--models") {
        all.push(format!("--models={name}/threads"));
    }
    if !asks("--workloads") && !locks.is_empty() {
        all.push("--workloads=lock".to_owned());
    }
    all.extend(args.into_iter().filter(|arg| arg != ARG));
    all
}

/// The target's name: the file's without the hash that Cargo adds.
fn name(own: &Path) -> String {
    let stem = own.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    match stem.rsplit_once('-') {
        Some((name, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
            name.to_owned()
        }
        _ => stem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_measures_its_own_locks_unless_told_otherwise() {
        let own = Path::new("/tmp/it's/own_locks-0123456789abcdef");
        let run = |args: &[&str]| {
            let args = args.iter().map(|a| (*a).to_owned()).collect();
            arguments(own, args, &["mine".to_owned()])
        };
        let worker = r"--worker=own_locks='/tmp/it'\''s/own_locks-0123456789abcdef'";
        assert_eq!(
            run(&["--bench", "--workers=2"]),
            ["run", worker, "--models=own_locks/threads", "--workloads=lock", "--workers=2"]
        );
        let told = ["--models", "*/threads", "--workloads=cpu", "--bench"];
        assert_eq!(run(&told), ["run", worker, "--models", "*/threads", "--workloads=cpu"]);
        assert_eq!(name(Path::new("/x/own-locks")), "own-locks");
    }
}
