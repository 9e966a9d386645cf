//! Verbs that another program of the family does, as git and cargo do it.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

const PROGRAM: &str = "amdahl-analysis";

/// Becomes `amdahl-analysis VERB ARGS…`.
pub(super) fn run(verb: &str, args: &[OsString]) -> anyhow::Result<ExitCode> {
    let program = find();
    let e = Command::new(&program).arg(verb).args(args).exec();
    if e.kind() == std::io::ErrorKind::NotFound {
        anyhow::bail!(
            "`amdahl {verb}` is done by {PROGRAM}, which is neither beside amdahl nor on PATH; install it: \
             cargo install --path analysis (in a checkout: make build)"
        );
    }
    Err(anyhow::Error::new(e).context(program.display().to_string()))
}

/// Beside this program; in a checkout in the profile directory it is built in; else on PATH.
fn find() -> PathBuf {
    let exe = std::env::current_exe().unwrap_or_default();
    let beside = exe.with_file_name(PROGRAM);
    let checkout = exe.ancestors().nth(2).map(|target| target.join("analysis").join(PROGRAM));
    [Some(beside), checkout]
        .into_iter()
        .flatten()
        .find(|p| p.is_file())
        .unwrap_or_else(|| PROGRAM.into())
}
