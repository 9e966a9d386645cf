//! Rows of CPU-bound workloads: figures over the used blocks, then the verdict.

use super::blocks::{Block, Selection, Series, grouped};
use super::{
    BlockPoint, DROPPED_MAX, GAIN_MIN, LEVEL, ParallelismRow, SHARE_MIN, Verdict, karp_flatt,
};
use crate::budget::{Budget, BudgetInput, TimeUse, loss_budget};
use crate::gates::percent;
use crate::interval::{Interval, log_t_interval, t_interval};
use crate::observation::{Contest, Machine};

/// All rows of one model and workload.
pub(super) fn rows(series: &Series<'_>, machine: &Machine) -> Vec<ParallelismRow> {
    let counts = series.worker_counts();
    if counts.is_empty() {
        return vec![only_one(series, machine)];
    }
    let decisive = decisive(series, machine);
    counts
        .into_iter()
        .map(|n| {
            let mut row = row(series, n, machine);
            row.decisive = Some(n) == decisive;
            row
        })
        .collect()
}

/// The largest N that the CPUs can serve; one that was only planned yields to those attempted. Where
/// none fits, the smallest.
fn decisive(series: &Series<'_>, machine: &Machine) -> Option<u32> {
    let counts = series.worker_counts();
    let fits = |n: &&u32| **n <= machine.cpus_available;
    let attempted = |n: &&u32| series.attempted(**n);
    counts
        .iter()
        .rfind(|n| fits(n) && attempted(n))
        .or_else(|| counts.iter().find(|n| counts.iter().all(|m| !fits(&m)) && attempted(n)))
        .or_else(|| counts.iter().rfind(fits))
        .or_else(|| counts.first())
        .copied()
}

fn row(series: &Series<'_>, workers: u32, machine: &Machine) -> ParallelismRow {
    let selection = series.select(workers, true);
    let points: Vec<BlockPoint> = selection.used.iter().map(point).collect();
    let ratios = |of: fn(&BlockPoint) -> Option<f64>| {
        log_t_interval(&points.iter().filter_map(of).collect::<Vec<_>>(), LEVEL)
    };
    let values = |of: &dyn Fn(&BlockPoint) -> Option<f64>| {
        t_interval(&points.iter().filter_map(of).collect::<Vec<_>>(), LEVEL)
    };
    let budget = budget(&selection.used);
    let mut row = ParallelismRow {
        speedup: ratios(|p| Some(p.speedup)),
        ceiling: ratios(|p| p.ceiling),
        ceiling_share: ratios(|p| Some(p.speedup / p.ceiling?)),
        effective_cpus: values(&|p| p.effective_cpus),
        karp_flatt: values(&|p| Some(karp_flatt(p.speedup, workers))),
        blocks: selection.used.len() as u32,
        dropped: selection.dropped.len() as u32,
        limited_by: budget.map_or("unknown", |b| b.limited_by(workers)).to_owned(),
        budget,
        points,
        ..empty(series, workers, machine)
    };
    let (verdict, why) = decide(&row, &selection, machine);
    row.verdict = verdict;
    row.reasons.extend(why);
    row.reasons.extend(notes(&row, &selection));
    row
}

fn empty(series: &Series<'_>, workers: u32, machine: &Machine) -> ParallelismRow {
    ParallelismRow {
        model: series.model.to_owned(),
        workload: series.workload.to_owned(),
        workers,
        decisive: false,
        verdict: Verdict::Unknown,
        speedup: None,
        ceiling: None,
        ceiling_share: None,
        effective_cpus: None,
        cpus_available: machine.cpus_available,
        blocks: 0,
        dropped: 0,
        limited_by: "unknown".to_owned(),
        budget: None,
        karp_flatt: None,
        reasons: Vec::new(),
        points: Vec::new(),
    }
}

fn only_one(series: &Series<'_>, machine: &Machine) -> ParallelismRow {
    let selection = series.select(1, true);
    let mut row = ParallelismRow { decisive: true, ..empty(series, 1, machine) };
    row.reasons.push("only N = 1 was planned: add a second worker count (`--workers 1,2`)".into());
    row.reasons.extend(notes(&row, &selection));
    row
}

fn point(block: &Block<'_>) -> BlockPoint {
    BlockPoint {
        block: block.id,
        speedup: block.many.rate / block.one.rate,
        ceiling: block.ceiling.map(|c| c.rate / block.one.rate),
        effective_cpus: block.many.effective_cpus,
    }
}

/// Mean over the blocks whose shares are known; over all, unexplained, where none are.
fn budget(blocks: &[Block<'_>]) -> Option<Budget> {
    let of = |block: &Block<'_>| {
        loss_budget(&BudgetInput {
            workers: block.many.workers,
            speedup: block.many.rate / block.one.rate,
            one: TimeUse::from(block.one),
            many: TimeUse::from(block.many),
            ceiling_speedup: block.ceiling.map(|c| c.rate / block.one.rate),
            ceiling: block.ceiling.map(TimeUse::from).unwrap_or_default(),
        })
    };
    let known: Vec<Budget> = blocks.iter().filter(|b| shares_known(b)).map(of).collect();
    Budget::mean(&known).or_else(|| Budget::mean(&blocks.iter().map(of).collect::<Vec<_>>()))
}

fn shares_known(block: &Block<'_>) -> bool {
    block.one.shares.is_some() && block.many.shares.is_some()
}

/// The verdict and, unless it is a clean one, the sentence that explains it.
///
/// Where an interval reaches over its limit nothing is proven: such a row is `unknown` and asks for more
/// blocks, so that noise is never called a verdict. `partly` claims that more than one ran at a time
/// *and* that the machine would have allowed more, so it needs a speed-up above 1.15 by its whole
/// interval and a share of the ceiling (or effective CPUs) whose estimate lies below parallel's limit.
fn decide(
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
    let (used, dropped) = (selection.used.len(), selection.dropped.len());
    if dropped as f64 > DROPPED_MAX * (used + dropped) as f64 {
        return Some(format!(
            "{dropped} of {} blocks were dropped (at most {} may be): see to their causes below and \
             measure again",
            used + dropped,
            percent(DROPPED_MAX)
        ));
    }
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

/// What a reader must know besides the verdict.
fn notes(row: &ParallelismRow, selection: &Selection<'_>) -> Vec<String> {
    let n = row.workers;
    let mut notes = grouped(&selection.dropped, "dropped");
    notes.extend(grouped(&selection.not_run, "incomplete"));
    notes.extend(grouped(&selection.no_ceiling, "without a ceiling"));
    let starved = selection.used.iter().filter(|b| b.many.contest == Contest::Starved).count();
    if starved > 0 {
        notes.push(format!(
            "in {starved} of {} blocks a worker was starved at N = {n}: the runtime lets one thread run \
             at a time and did not take turns; a fairness result, the rates stand",
            selection.used.len()
        ));
    }
    if !selection.used.is_empty() && !selection.used.iter().any(shares_known) {
        notes.push(
            "the loss cannot be split: CPU time or run delay of a worker is unknown (`amdahl doctor` \
             says why)"
                .to_owned(),
        );
    }
    let busy = row.effective_cpus.filter(|c| c.lo > SHARE_MIN * f64::from(n));
    if let (Verdict::Serial, Some(cpus)) = (row.verdict, busy) {
        notes.push(format!(
            "{:.2} CPUs were busy, yet {n} workers did no more than one: CPU time without progress \
             (spinning, retries, one cache line passed about)",
            cpus.estimate
        ));
    }
    if let Some(s) = row.speedup.filter(|s| s.lo > 1.1 * f64::from(n)) {
        notes.push(format!(
            "the speed-up {:.2} is above N = {n}: one worker alone was slower than it should be \
             (frequency, warm-up, cache); do not read it as scaling",
            s.estimate
        ));
    }
    notes
}
