//! `amdahl`: parse, do the verb, say how it ended in the exit code.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = amdahl::cli::Cli::parse();
    match amdahl::cmd::dispatch(cli) {
        Ok(code) => code,
        Err(e) if is_closed_pipe(&e) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("amdahl: {e:#}");
            ExitCode::from(2)
        }
    }
}

/// `amdahl list | head` is not an error.
fn is_closed_pipe(e: &anyhow::Error) -> bool {
    e.chain().any(|c| {
        c.downcast_ref::<std::io::Error>()
            .is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    })
}
