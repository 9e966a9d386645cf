//! One file a verb: arguments to effects. Errors are anyhow here and only here.

pub mod archive;
pub mod compare;
pub mod fit;
pub mod history;
pub mod report;

use std::io::Write;

use anyhow::Context;

/// The result, on stdout; who reads only its beginning (`| head`) has seen enough.
fn say(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("stdout"),
    }
}
