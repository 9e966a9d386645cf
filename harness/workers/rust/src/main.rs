//! The worker program `amdahl-worker`: the library's workloads and models, served on stdin and stdout.

use std::process::ExitCode;

fn main() -> ExitCode {
    amdahl_worker::Program::new().main()
}
