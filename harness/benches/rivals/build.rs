//! The subjects: one crate with three programs, built here once for each amount of work.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What the comparison is made with; newer ones are taken by changing these lines.
pub(crate) const CRITERION: &str = "0.8.2";
pub(crate) const TANGO: &str = "0.9.0";

/// One amount of work, in the form that each of the programs wants.
pub(crate) struct Subject {
    pub(crate) steps: u64,
    pub(crate) process: PathBuf,
    pub(crate) criterion: PathBuf,
    pub(crate) tango: PathBuf,
}

const SOURCES: [(&str, &str); 4] = [
    ("work.rs", include_str!("work.rs")),
    ("process.rs", include_str!("process.rs")),
    ("with_criterion.rs", include_str!("with_criterion.rs")),
    ("with_tango.rs", include_str!("with_tango.rs")),
];

pub(crate) fn crate_in(dir: &Path) -> Result<(), String> {
    let manifest = format!(
        "[package]\nname = \"rivals\"\nversion = \"0.0.0\"\nedition = \"2021\"\n[workspace]\n\
        [dependencies]\ncriterion = {{ version = \"={CRITERION}\", default-features = false }}\n\
        tango-bench = {{ version = \"={TANGO}\", default-features = false }}\n\
        [[bin]]\nname = \"process\"\npath = \"process.rs\"\n\
        [[bin]]\nname = \"with_criterion\"\npath = \"with_criterion.rs\"\n\
        [[bin]]\nname = \"with_tango\"\npath = \"with_tango.rs\"\n"
    );
    std::fs::write(dir.join("Cargo.toml"), manifest).map_err(|e| e.to_string())?;
    for (name, text) in SOURCES {
        std::fs::write(dir.join(name), text).map_err(|e| e.to_string())?;
    }
    Ok(())
}

/// Builds all programs for `steps` and puts them aside under names as long as everybody else's.
pub(crate) fn subject(dir: &Path, steps: u64, place: usize) -> Result<Subject, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--release", "--target-dir", "target"]);
    build.env("RIVAL_STEPS", steps.to_string()).current_dir(dir);
    output(&mut build)?;
    let aside = dir.join(format!("subject-{place}"));
    std::fs::create_dir_all(&aside).map_err(|e| e.to_string())?;
    let keep = |name: &str| -> Result<PathBuf, String> {
        let (from, to) = (dir.join("target/release").join(name), aside.join(name));
        std::fs::copy(&from, &to).map_err(|e| format!("{}: {e}", from.display()))?;
        Ok(to)
    };
    Ok(Subject {
        steps,
        process: keep("process")?,
        criterion: keep("with_criterion")?,
        tango: keep("with_tango")?,
    })
}

/// What a program printed, standard error behind standard output.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let out = command.output().map_err(|e| format!("`{program}`: {e}"))?;
    let text = [out.stdout, out.stderr].map(|b| String::from_utf8_lossy(&b).into_owned()).concat();
    // 1 is how some of them say that something changed.
    if out.status.code().is_none_or(|c| c > 1) {
        let last: Vec<&str> = text.lines().rev().filter(|l| !l.trim().is_empty()).take(2).collect();
        return Err(format!("`{program}` failed ({}): {}", out.status, last.join("; ")));
    }
    Ok(text)
}
