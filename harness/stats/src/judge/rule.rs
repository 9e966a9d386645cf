//! The rule that turns the figures of a CPU-bound row into its verdict. Computes no figure.

use super::blocks::{Selection, too_many_dropped};
use super::{GAIN_MIN, ParallelismRow, SHARE_MIN, Verdict};
use crate::interval::Interval;
use crate::observation::Machine;

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
    if used == 0 { None } else { ceiling_too_low(row) }
}

fn ceiling_too_low(row: &ParallelismRow) -> Option<String> {
    let needed = SHARE_MIN * f64::from(row.workers);
    let Some(ceiling) = row.ceiling else {
        return Some(format!(
            "fewer than 2 blocks have a ceiling ({} processes with one worker each), so what the \
             machine allows is unknown: measure it (a larger `--budget`, or `--resume` the run)",
            row.workers
        ));
    };
    (ceiling.lo < needed).then(|| {
        format!(
            "{} separate processes reached only {:.2} times one worker's rate [{:.2}, {:.2}], and the \
             lower bound must be {needed:.2}: the machine itself was not free to run them in parallel; \
             `amdahl doctor` shows limits and other load, more blocks narrow the interval",
            row.workers, ceiling.estimate, ceiling.lo, ceiling.hi
        )
    })
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
