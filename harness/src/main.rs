//! `amdahl`: parse, do the verb, say how it ended in the exit code.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // The Rust worker, and what it executes itself as: before the arguments are ours to read.
    let first = std::env::args_os().nth(1).unwrap_or_default();
    if first == "worker" || first == amdahl_worker::CARRIER_ARG {
        return amdahl_worker::Program::new().main();
    }
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
