//! The rule that turns the figures of a CPU-bound row into its verdict. Computes no figure.

use super::blocks::{Selection, too_many_dropped};
use super::{GAIN_MIN, MEMORY_BOUND, ParallelismRow, SHARE_MIN, SLOW_CPU, Verdict, first_word};
use crate::gates::{GateReading, percent};
use crate::interval::Interval;
use crate::observation::Machine;

/// Others are named as the cause of a low ceiling if they took this part of what it lacks: a quarter.
const ACCOUNTS_FOR: f64 = 0.25;

/// The verdict and, unless it is a clean one, the sentence that explains it.
///
/// Where an interval reaches over its limit nothing is proven: such a row is `unknown` and asks for more
/// blocks, so that noise is never called a verdict. `partly` claims that more than one ran at a time
/// *and* that the machine would have allowed more, so it needs a speed-up above 1.15 by its whole
/// interval and a share of the ceiling (or effective CPUs) whose estimate lies below parallel's limit.
pub(super) fn decide(
    row: &ParallelismRow,
    selection: &Selection<'_>,
    machine: &Machine,
) -> (Verdict, Option<String>) {
    if let Some(why) = undecidable(row, selection, machine) {
        return (Verdict::Unknown, Some(why));
    }
    if selection.used.is_empty() {
        return (Verdict::Unknown, None); // Nothing was run; the notes say why, block by block.
    }
    let (Some(speedup), Some(share)) = (row.speedup, row.ceiling_share) else {
        return (
            Verdict::Unknown,
            Some("the ratios over blocks have no finite interval".to_owned()),
        );
    };
    if speedup.hi <= GAIN_MIN {
        return (Verdict::Serial, None);
    }
    if speedup.lo <= GAIN_MIN {
        return (Verdict::Unknown, Some(straddles("the speed-up", &speedup, GAIN_MIN)));
    }
    let all_cpus = SHARE_MIN * f64::from(row.workers);
    if share.estimate < SHARE_MIN {
        return (Verdict::Partly, None);
    }
    let Some(cpus) = row.effective_cpus else {
        let why = "effective CPUs are unknown, without which nothing is called parallel: the worker's \
                   CPU time must be readable (`amdahl doctor`)";
        return (Verdict::Unknown, Some(why.to_owned()));
    };
    if cpus.estimate <= all_cpus {
        return (Verdict::Partly, None);
    }
    if share.lo < SHARE_MIN {
        return (Verdict::Unknown, Some(straddles("the share of the ceiling", &share, SHARE_MIN)));
    }
    if cpus.lo <= all_cpus {
        return (
            Verdict::Unknown,
            Some(straddles("the number of effective CPUs", &cpus, all_cpus)),
        );
    }
    (Verdict::Parallel, None)
}

/// Whether the model takes all of a ceiling that stays below N although nobody else was seen on the CPUs: then the
/// machine is what limits it, also where the time of its workers is not known.
pub(super) fn saturates(row: &ParallelismRow, selection: &Selection<'_>) -> bool {
    let n = f64::from(row.workers);
    let (Some(ceiling), Some(share)) = (row.ceiling, row.ceiling_share) else { return false };
    let quiet = || matches!(seen(selection, 1.0 - ceiling.estimate / n), Seen::Nobody);
    ceiling.hi < SHARE_MIN * n && share.lo >= SHARE_MIN && quiet()
}

/// Why no verdict may be given, whatever the speed-up is.
fn undecidable(
    row: &ParallelismRow,
    selection: &Selection<'_>,
    machine: &Machine,
) -> Option<String> {
    let n = row.workers;
    if machine.cpus_available < 2 {
        return Some(one_cpu(machine));
    }
    if n > machine.cpus_available {
        return Some(format!(
            "N = {n} is above the {} CPUs available: not judged, figures only",
            machine.cpus_available
        ));
    }
    if let Some(why) = too_many_dropped(selection) {
        return Some(why);
    }
    let used = selection.used.len();
    if used == 1 {
        let why = "only 1 block is usable, so there is no interval: measure at least 3 (`--blocks 3`, \
                   or `--resume` the run)";
        return Some(why.to_owned());
    }
    if used == 0 { None } else { ceiling_too_low(row, selection) }
}

fn ceiling_too_low(row: &ParallelismRow, selection: &Selection<'_>) -> Option<String> {
    let n = row.workers;
    let needed = SHARE_MIN * f64::from(n);
    let Some(ceiling) = row.ceiling else {
        return Some(format!(
            "fewer than 2 blocks have a ceiling ({n} processes with one worker each), so what the machine \
             allows is unknown: measure it (a larger `--budget`, or `--resume` the run)"
        ));
    };
    if ceiling.lo >= needed {
        return None;
    }
    let reached = format!(
        "{n} separate processes reached only {:.2} times one worker's rate [{:.2}, {:.2}], and the lower \
         bound must be {needed:.2}",
        ceiling.estimate, ceiling.lo, ceiling.hi
    );
    let why = match seen(selection, 1.0 - ceiling.estimate / f64::from(n)) {
        Seen::Others(whom) => {
            format!(
                "the machine was not free: {whom}; `amdahl doctor` shows its state, measure when it is quiet"
            )
        }
        Seen::Unknown => {
            "whether others took its CPUs is unknown here, so it may not have been free; \
                          `amdahl doctor` shows limits and other load"
                .to_owned()
        }
        Seen::Nobody if ceiling.hi >= needed => format!(
            "nobody else was seen on the CPUs, the interval is too wide to tell; measure more blocks (`--blocks {}`)",
            2 * ceiling.n
        ),
        Seen::Nobody => format!(
            "nobody else was seen on the CPUs, so the hardware is the limit, for every model alike ({}",
            bottleneck(&row.workload)
        ),
    };
    Some(format!("{reached}: {why}"))
}

/// What a machine runs short of when N processes that share nothing else do this work, and where to look instead.
fn bottleneck(workload: &str) -> &'static str {
    if MEMORY_BOUND.contains(&first_word(workload)) {
        "memory's bandwidth or latency, or a shared cache; other guests of a virtual machine share them too): the share \
         of the ceiling tells how much of that the model reaches, `cpu` whether it runs in parallel"
    } else {
        "its clock with several CPUs busy, CPUs that share a core, memory, or a hypervisor that gives less than it \
         shows): the share of the ceiling tells how much of that the model reaches"
    }
}

/// Who else was on the CPUs while the ceilings ran.
enum Seen {
    Nobody,
    /// In a few words, with figures.
    Others(String),
    Unknown,
}

/// Looks for whoever can account for a good part of what the ceilings lacked. What the gates let pass is small, yet
/// a ceiling that lacks little may lack just that.
fn seen(selection: &Selection<'_>, lacking: f64) -> Seen {
    let ceilings: Vec<_> = selection.used.iter().filter_map(|b| b.ceiling).collect();
    let slow = ceilings.iter().filter(|c| c.cpu_slowdown.is_some_and(|s| s > SLOW_CPU)).count();
    if slow > 0 {
        return Seen::Others(format!(
            "in {slow} of {} ceilings a CPU ran more than {} slower than usual (in a virtual machine another \
             guest on its core does that)",
            ceilings.len(),
            percent(SLOW_CPU)
        ));
    }
    let reading: GateReading = ceilings.iter().map(|c| c.gates).sum();
    let (Some(foreign), Some(stolen)) = (reading.foreign_share(), reading.steal_share()) else {
        return Seen::Unknown;
    };
    if foreign + stolen > ACCOUNTS_FOR * lacking {
        return Seen::Others(format!(
            "other programs took {} of its CPU time and the hypervisor {}",
            percent(foreign),
            percent(stolen)
        ));
    }
    Seen::Nobody
}

fn one_cpu(machine: &Machine) -> String {
    let (count, verb) = match machine.cpus_available {
        1 => ("1 CPU".to_owned(), "is"),
        n => (format!("{n} CPUs"), "are"),
    };
    match &machine.note {
        Some(note) => format!(
            "{count} {verb} available ({note}): nothing can be told about parallelism; run without \
             taskset, or raise the CPU quota"
        ),
        None => format!(
            "{count} {verb} available: nothing can be told about parallelism; run on a machine with two \
             or more cores"
        ),
    }
}

fn straddles(what: &str, i: &Interval, limit: f64) -> String {
    format!(
        "{what}, {:.2} [{:.2}, {:.2}] over {} blocks, lies on both sides of {limit:.2}: not decided; \
         measure more blocks (`--blocks {}`)",
        i.estimate,
        i.lo,
        i.hi,
        i.n,
        2 * i.n
    )
}
