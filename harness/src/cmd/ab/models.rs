//! `ab --models`: what was typed to two cells that are there.

use std::collections::BTreeMap;

use amdahl_stats::Margins;

use crate::Unable;
use crate::ab::models::{Contestant, Duel, Models, Site};
use crate::cli::{AbArgs, CountersArg};
use crate::cmd::run::measure::Here;
use crate::counters::raise_nofile_limit;
use crate::plan::check_cell;
use crate::topology::Policy;
use crate::worker::process::ProcessLauncher;

/// Files that a worker may need: its FIFOs and those of its carrier, at either end.
const FILES_A_WORKER: u64 = 8;

/// Asks the runtimes that are named, and nothing else of the machine.
pub(super) fn arms(args: &AbArgs, margins: Margins, seed: u64) -> anyhow::Result<Models> {
    let (a, b) = match args.models.as_slice() {
        [both] => (both, both),
        [a, b] => (a, b),
        many => {
            let text = format!("--models {}: two are compared, A,B", many.join(","));
            return Err(Unable(text).into());
        }
    };
    let workload = args.workload.clone().unwrap_or_default();
    let here = Here::look(&args.worker, &[a.clone(), b.clone()], CountersArg::None, &[])?;
    let contestant = |model: &str, flag: &str, own: &[String]| -> anyhow::Result<Contestant> {
        let mut params = pairs("--param", &args.params)?;
        params.extend(pairs(flag, own)?);
        check_cell(&here.models, &here.found.absent, model, &workload, &params)?;
        let found = here.found.of(model).expect("it is among the models").clone();
        Ok(Contestant { found, model: model.to_owned(), params })
    };
    let workers = args.workers.unwrap_or(1);
    raise_nofile_limit(256 + FILES_A_WORKER * u64::from(workers));
    let duel = Duel {
        a: contestant(a, "--a-param", &args.a_params)?,
        b: contestant(b, "--b-param", &args.b_params)?,
        workload,
        workers,
        placement: here.topo.place(Policy::Cores, workers),
        margins,
        seed,
        gates: !args.no_gates,
    };
    let launcher = ProcessLauncher::new()?;
    let amdahl = launcher.amdahl.clone();
    let site = Site { launcher: Box::new(launcher), outside: Box::new(here.machine()), amdahl };
    Ok(Models::new(duel, site))
}

fn pairs(flag: &str, typed: &[String]) -> Result<BTreeMap<String, String>, Unable> {
    let pair = |text: &String| {
        let pair = text.split_once('=').filter(|(k, v)| !k.is_empty() && !v.is_empty());
        let (key, value) =
            pair.ok_or_else(|| Unable(format!("{flag} {text}: K=V expected, e.g. steps=2000")))?;
        Ok((key.to_owned(), value.to_owned()))
    };
    typed.iter().map(pair).collect()
}
