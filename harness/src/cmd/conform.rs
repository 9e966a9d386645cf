//! `amdahl conform`: does a worker keep the protocol and do the work?

use std::process::ExitCode;

use serde_json::json;

use crate::Unable;
use crate::cli::ConformArgs;
use crate::conform::{Check, check_model};
use crate::counters::Context;
use crate::gates::GateProbe;
use crate::host;
use crate::plan::nearest;
use crate::procfs::Roots;
use crate::topology::{Machine as Topo, Policy};
use crate::trial::{Limits, Machine, Stage};
use crate::worker::places::glob_match;
use crate::worker::process::ProcessLauncher;

/// Checks every model asked for; exit code 1 if a check fails.
pub fn run(args: &ConformArgs) -> anyhow::Result<ExitCode> {
    let found = super::find(&args.worker, &args.models)?;
    let ids = found.models();
    for pattern in &args.models {
        if !ids.iter().any(|id| glob_match(pattern, id)) {
            let close = nearest(pattern, ids.iter().map(String::as_str));
            let absent = found.absent.iter().find(|a| glob_match(pattern, &a.model));
            let why = absent.map(|a| format!(": {}", a.why.reason)).unwrap_or_default();
            return Err(Unable(format!("no model `{pattern}`{why}{close}")).into());
        }
    }
    let roots = Roots::default();
    let topo = Topo::read(&roots);
    let hypervisor = host::read(&roots, &topo).hypervisor;
    let context = Context::read(&roots, hypervisor.as_deref());
    let probe = GateProbe::new(&roots, &topo);
    let machine = Machine { roots, probe, speed: None, sets: Vec::new(), context };
    let launcher = ProcessLauncher::new()?;
    let stage = Stage {
        launcher: &launcher,
        outside: &machine,
        amdahl: launcher.amdahl.clone(),
        limits: Limits::default(),
    };
    let mut results: Vec<(String, Vec<Check>)> = Vec::new();
    for found in &found.found {
        for model in found.models() {
            let asked = args.models.is_empty() && args.worker.workers_own.is_empty()
                || args.models.iter().any(|p| glob_match(p, &model))
                || args.models.is_empty() && is_own(args, &found.runtime.id);
            if asked {
                let checks = check_model(&stage, found, &model, topo.place(Policy::None, 2));
                results.push((model, checks));
            }
        }
    }
    // A worker that never said hello is not in `found`; if it was named, that is the failure.
    for absent in found.absent.iter().filter(|a| is_own(args, a.model.trim_end_matches("/threads")))
    {
        let check = Check { name: "hello".to_owned(), why: Some(absent.why.reason.clone()) };
        results.push((absent.model.clone(), vec![check]));
    }
    if results.is_empty() {
        let why: Vec<&str> = found.absent.iter().map(|a| a.why.reason.as_str()).collect();
        return Err(Unable(format!("no model to check: {}", why.join("; "))).into());
    }
    report(args, &results)
}

/// Whether a runtime is one given with `--worker`; with `--worker` alone only those are checked.
fn is_own(args: &ConformArgs, id: &str) -> bool {
    args.worker.workers_own.iter().any(|w| w.split_once('=').is_some_and(|(name, _)| name == id))
}

fn report(args: &ConformArgs, results: &[(String, Vec<Check>)]) -> anyhow::Result<ExitCode> {
    let mut text = String::new();
    let mut models = Vec::new();
    let mut failed = 0;
    for (model, checks) in results {
        let bad: Vec<&Check> = checks.iter().filter(|c| c.why.is_some()).collect();
        failed += bad.len();
        let word = if bad.is_empty() { "conforms" } else { "FAILS" };
        text.push_str(&format!(
            "{model}: {word}, {} of {} checks\n",
            checks.len() - bad.len(),
            checks.len()
        ));
        for check in bad {
            text.push_str(&format!("  {}: {}\n", check.name, check.why.as_deref().unwrap_or("")));
        }
        let checks: Vec<_> = checks
            .iter()
            .map(|c| json!({"check": c.name, "ok": c.why.is_none(), "why": c.why}))
            .collect();
        models.push(json!({"model": model, "checks": checks}));
    }
    let json = json!({"schema": 1, "conforms": failed == 0, "models": models});
    super::emit(&args.json, &json, &text)?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
