//! `amdahl doctor`: what this machine can measure, its state, what is missing, and the remedy for each.
//!
//! Gathers what other rooms know; judges only whether a question can be asked here at all.

mod clean;
mod clock;
mod text;

use std::process::ExitCode;

use amdahl_schema::{Absence, AbsentModel, Counter, Host, MachineState, Runtime};
use serde::Serialize;

use crate::cli::JsonArgs;
use crate::counters::{self, Context, Kernel, NofileLimit, Proof};
use crate::procfs::Roots;
use crate::topology::Machine;
use crate::worker::cache;
use crate::worker::places::tilde;
use crate::{host, state};

pub use clean::clean;
pub use clock::Clocks;

/// Everything `doctor` says; `--json` prints it as it is.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Version of this output; added keys do not raise it.
    pub schema: u32,
    /// What can be asked of this machine.
    pub abilities: Vec<Ability>,
    /// Fingerprint.
    pub host: Host,
    /// Why fewer CPUs are available than the machine has.
    pub cpus_note: Option<String>,
    /// What had to be assumed about the topology.
    pub assumed: Vec<String>,
    /// Worker counts at which this machine may change its behaviour.
    pub worker_counts: Vec<u32>,
    /// State, with advice.
    pub state: MachineState,
    /// Counters.
    pub counters: CountersReport,
    /// Clocks.
    pub clocks: Clocks,
    /// Limits.
    pub limits: Limits,
    /// Runtimes found.
    pub runtimes: Vec<Runtime>,
    /// Models that can't run here.
    pub absent: Vec<AbsentModel>,
    /// Directories that keep built workers; `doctor --clean` removes them.
    pub caches: Vec<String>,
}

/// A question, and whether this machine can answer it.
#[derive(Debug, Serialize)]
pub struct Ability {
    /// The question.
    pub id: &'static str,
    /// Whether it can be answered.
    pub able: bool,
    /// Why not, or what the answer rests on.
    pub why: String,
    /// What would help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// Counters that open, and those that do not.
#[derive(Debug, Serialize)]
pub struct CountersReport {
    /// Metrics of each set that a counters pass takes one trial for.
    pub sets: Vec<SetReport>,
    /// Absent ones with reason and remedy.
    pub absent: Vec<Counter>,
    /// The loop of known instruction count; absent without a PMU.
    pub pmu: PmuReport,
}

/// One set of counters.
#[derive(Debug, Serialize)]
pub struct SetReport {
    /// Number in the record.
    pub set: u32,
    /// Metric ids.
    pub metrics: Vec<String>,
}

/// Whether the PMU counts what it should.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PmuReport {
    /// It counted; `proven` if within 1 %.
    Counted {
        /// Instructions the loop retires.
        expected: u64,
        /// Instructions counted.
        counted: u64,
        /// Whether they agree.
        proven: bool,
    },
    /// It did not.
    Absent(Absence),
}

/// Limits of this process.
#[derive(Debug, Serialize)]
pub struct Limits {
    /// Open files now; absent is unlimited.
    pub nofile_soft: Option<u64>,
    /// Open files after raising; absent is unlimited.
    pub nofile_hard: Option<u64>,
}

/// Prints the report.
pub fn run(
    args: &JsonArgs,
    runtimes: &[Runtime],
    absent: &[AbsentModel],
) -> anyhow::Result<ExitCode> {
    let report = examine(&Roots::default(), runtimes, absent);
    super::emit(args, &serde_json::to_value(&report)?, &text::render(&report))?;
    Ok(ExitCode::SUCCESS)
}

/// Looks at everything; takes some 50 ms, most of it the clocks and the PMU's proof.
pub fn examine(roots: &Roots, runtimes: &[Runtime], absent: &[AbsentModel]) -> Report {
    let machine = Machine::read(roots);
    let host = host::read(roots, &machine);
    let state = state::read(roots, &machine, &host);
    let counters = counters(&Context::read(roots, host.hypervisor.as_deref()));
    let limit = NofileLimit::read();
    Report {
        schema: 1,
        abilities: abilities(&machine, &counters),
        cpus_note: machine.note.clone(),
        assumed: machine.topology.assumed.clone(),
        worker_counts: machine.worker_counts(None),
        clocks: Clocks::measure(roots, host.clocksource.clone()),
        limits: Limits { nofile_soft: limit.soft, nofile_hard: limit.hard },
        host,
        state,
        counters,
        runtimes: runtimes.to_vec(),
        absent: absent.to_vec(),
        caches: caches(),
    }
}

/// Those that are there.
fn caches() -> Vec<String> {
    let there = cache::all().into_iter().filter(|c| c.root.is_dir());
    there.map(|c| tilde(&c.root)).collect()
}

fn counters(context: &Context) -> CountersReport {
    let sets = counters::plan_sets(&Kernel, context, &[]);
    let pmu = match counters::prove_pmu(&Kernel, context) {
        Ok(proof @ Proof { expected, counted }) => {
            PmuReport::Counted { expected, counted, proven: proof.holds() }
        }
        Err(absent) => PmuReport::Absent(absent),
    };
    let absent = sets.iter().flat_map(|s| s.absent.clone()).collect();
    let ids = |s: counters::EventSet| s.events.into_iter().map(|e| e.id).collect();
    let sets = sets.into_iter().map(|s| SetReport { set: s.index, metrics: ids(s) }).collect();
    CountersReport { sets, absent, pmu }
}

fn abilities(machine: &Machine, counters: &CountersReport) -> Vec<Ability> {
    vec![parallelism(machine), overlap(), switches(counters), hardware(counters)]
}

fn parallelism(machine: &Machine) -> Ability {
    let n = machine.cpus_available;
    let (id, able) = ("parallelism", n >= 2);
    if able {
        return Ability { id, able, why: format!("{n} cores of our own"), remedy: None };
    }
    let note = machine.note.clone().unwrap_or_else(|| "the machine has one core".to_owned());
    let why = format!("with one CPU nothing can run in parallel, whatever the model: {note}");
    let remedy = machine.note.as_ref().map(|_| "widen the mask or lift the quota".to_owned());
    Ability { id, able, why, remedy }
}

fn overlap() -> Ability {
    let why = "waiting overlaps on one CPU too, so this can be told anywhere".to_owned();
    Ability { id: "io_overlap", able: true, why, remedy: None }
}

fn switches(counters: &CountersReport) -> Ability {
    let id = "software_counters";
    let absent = counters.absent.iter().find(|c| c.id == "context_switches");
    match absent.and_then(|c| c.absent.clone()) {
        None => {
            Ability { id, able: true, why: "perf counts the carriers".to_owned(), remedy: None }
        }
        Some(a) => {
            let why = format!("{}; /proc's figures stand beside", a.reason);
            Ability { id, able: false, why, remedy: a.remedy }
        }
    }
}

fn hardware(counters: &CountersReport) -> Ability {
    let id = "hardware_counters";
    match &counters.pmu {
        PmuReport::Absent(a) => {
            Ability { id, able: false, why: a.reason.clone(), remedy: a.remedy.clone() }
        }
        PmuReport::Counted { expected, counted, proven } => {
            let told = if *proven { "agrees" } else { "does not agree: do not believe it" };
            let why = format!("a loop of {expected} instructions was counted as {counted}: {told}");
            Ability { id, able: *proven, why, remedy: None }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::procfs::tests::Fixture;

    #[test]
    fn this_machine_is_examined_quickly_and_wholly() {
        let begin = std::time::Instant::now();
        let report = examine(&Roots::default(), &[], &[]);
        assert!(begin.elapsed().as_millis() < 1000, "{:?}", begin.elapsed());
        let json = serde_json::to_value(&report).expect("serialises");
        assert_eq!(json["schema"], 1);
        assert!(json["state"]["items"].as_array().is_some_and(|i| i.len() > 10));
        let shown = text::render(&report);
        for item in &report.state.items {
            assert!(shown.contains(&item.id), "{}", item.id);
        }
        for c in &report.counters.absent {
            assert!(shown.contains(&c.id), "{}", c.id);
        }
        assert!(report.clocks.monotonic_cost_ps > 0);
    }

    #[test]
    fn one_cpu_says_why_nothing_can_be_told() {
        let f = Fixture::new().with(&[
            ("sys/devices/system/cpu/online", "0-3\n"),
            ("proc/self/status", "Cpus_allowed_list:\t2\n"),
        ]);
        let report = examine(&f.roots(), &[], &[]);
        assert!(!report.abilities[0].able && report.abilities[1].able);
        let shown = text::render(&report);
        assert!(shown.contains("taskset"), "{shown}");
    }
}
