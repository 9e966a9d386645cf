//! Rows of CPU-bound workloads: their figures over the used blocks, and what a reader must know besides
//! the verdict, which `rule` gives.

use super::blocks::{Block, Selection, Series, grouped};
use super::rule::{decide, saturates};
use super::{BlockPoint, LEVEL, ParallelismRow, SHARE_MIN, SLOW_CPU, Verdict, karp_flatt};
use crate::budget::{Budget, BudgetInput, Limit, TimeUse, loss_budget};
use crate::gates::percent;
use crate::interval::{log_t_interval, t_interval};
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
    let budgets = budgets(&selection.used);
    let budget = Budget::mean(&budgets);
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
        limit: Limit::of(&budgets, workers),
        points,
        ..empty(series, workers, machine)
    };
    if row.limited_by == "unexplained" && saturates(&row, &selection) {
        row.limited_by = "hardware".to_owned();
    }
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
        limit: None,
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

/// Of the blocks whose shares are known; of all, unexplained, where none are.
fn budgets(blocks: &[Block<'_>]) -> Vec<Budget> {
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
    if known.is_empty() { blocks.iter().map(of).collect() } else { known }
}

fn shares_known(block: &Block<'_>) -> bool {
    block.one.shares.is_some() && block.many.shares.is_some()
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
    let slow = selection.used.iter().filter(|b| b.slowdown() > SLOW_CPU).count();
    if slow > 0 && row.verdict == Verdict::Unknown {
        notes.push(format!(
            "in {slow} of {} blocks a CPU ran more than {} slower than usual just before or after a trial, \
             while nothing else used it: in a virtual machine another guest on the same core does that; \
             measure when the host is quieter, or more blocks",
            selection.used.len(),
            percent(SLOW_CPU)
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
