//! `amdahl-analysis`: the analysing half of `amdahl`, which executes it for `report`.

use std::process::ExitCode;

fn main() -> ExitCode {
    amdahl_analysis::cli::main()
}
