//! Captions: every figure says its N, machine, date, and what its marks are.

use crate::plot::latency::thin_lines;
use crate::plot::speedup::Kind;
use crate::plot::workloads;
use crate::render::format::{day, time_ns};
use crate::summary::{
    BudgetCurves, BudgetFigure, E_HALF_MAX, Expected, Finding, GlanceFigure, LatencyFigure,
    PriceFigure, RunFacts, ScalingFigure, SerialFigure, SerialRow, SpeedupFigure, SpeedupSeries,
    TimelineFigure,
};

/// Machine and date, the end of every caption.
pub(super) fn facts(run: &RunFacts) -> String {
    let cpu = run.host.cpu_model.as_deref().unwrap_or(&run.host.arch);
    let guest = run.host.hypervisor.as_ref().map_or_else(String::new, |h| format!(", {h} guest"));
    format!(
        "Machine: {} ({cpu}{guest}, {} of {} CPUs available), {}.",
        run.host.name,
        run.host.cpus_available,
        run.host.cpus.len(),
        day(&run.started_utc)
    )
}

pub(super) fn glance(f: &GlanceFigure, facts: &str) -> String {
    let mut n: Vec<u32> = f.rows.iter().map(|r| r.point.workers).collect();
    n.sort_unstable();
    n.dedup();
    let n: Vec<String> = n.iter().map(u32::to_string).collect();
    let blocks: Vec<u32> = f.rows.iter().map(|r| r.point.blocks.len() as u32).collect();
    let left_out = match f.left_out {
        0 => String::new(),
        1 => " One model has no usable block and is named in the table only.".to_owned(),
        k => format!(" {k} models have no usable block and are named in the table or below it."),
    };
    format!(
        "Speed-up on `{}` of every model at the N that decides, N = {}. Marker: geometric mean over \
         blocks of rate(N) / rate(1), both of one block; bar and numbers: its 95 % interval (Student's t on \
         logarithms, {}); small dots: every used block; grey bar: the ceiling, N pinned one-worker \
         processes of the same program.{left_out} {facts}",
        f.workload,
        n.join(", "),
        range_text(&blocks, "block")
    )
}

pub(super) fn speedup(f: &SpeedupFigure, facts: &str) -> String {
    format!(
        "Speed-up on `{}` against the number of workers, N = {}; both axes are logarithmic to base 2. \
         Marker: geometric mean over blocks of rate(N) / rate(1), both of one block; bar: its 95 % \
         interval (Student's t on logarithms, {}); small dots: every used block; short grey bars: the \
         ceiling, N pinned one-worker processes of the same program; dashed line: ideal, N times one; \
         grey ground: more workers than CPUs available. {facts}",
        f.workload,
        counts(&f.series),
        blocks(&f.series)
    )
}

pub(super) fn overlap(f: &SpeedupFigure, facts: &str) -> String {
    format!(
        "Throughput on `{}` over that of one worker against the number of workers, N = {}; both axes \
         are logarithmic to base 2. Marker: geometric mean over blocks of rate(N) / rate(1); bar: its \
         95 % interval ({}); small dots: every used block; dashed line: N times one. {facts}",
        f.workload,
        counts(&f.series),
        blocks(&f.series)
    )
}

pub(super) fn every_workload(figures: &[(&SpeedupFigure, Kind)], facts: &str) -> String {
    let names: Vec<String> = figures.iter().map(|(f, _)| format!("`{}`", f.workload)).collect();
    let shown = workloads::models(figures);
    let mut series = figures.iter().flat_map(|(f, _)| &f.series);
    let rest = match series.all(|s| shown.contains(&s.model.as_str())) {
        true => "",
        false => {
            " Only the models that most workloads have; the figure of each workload has them all."
        }
    };
    format!(
        "Throughput over that of one worker against the number of workers, on {}; axes are logarithmic to base 2, and each panel's \
         own. Marker: geometric mean over blocks of rate(N) / rate(1); bar: its 95 % interval; small dots: every used block; short grey bars: the \
         ceiling; dashed line: N times one.{rest} {facts}",
        names.join(", ")
    )
}

pub(super) fn latency(f: &LatencyFigure, facts: &str) -> String {
    let panels: Vec<String> = f.panel_workers.iter().map(u32::to_string).collect();
    let cost = f.curves.iter().filter_map(|c| c.timer_cost_ps).max().map_or_else(
        || "The cost of timing an operation was not recorded.".to_owned(),
        |ps| format!("Timing an operation costs up to {}.", time_ns(ps as f64 / 1000.0)),
    );
    format!(
        "Latency of one operation of `{}`, N = {}: the share of operations that took longer (closed \
         loop: an operation starts when the one before ends). Thin lines: {}, to its last \
         operation; thick: geometric mean over trials, to where 20 operations of every trial lie \
         beyond. {cost} The latency pass feeds no throughput number. {facts}",
        f.workload,
        panels.join(" and "),
        thin_lines(f)
    )
}

pub(super) fn percentiles(f: &LatencyFigure, facts: &str) -> String {
    format!(
        "The same latencies of `{}` by percentile: each step to the right leaves a tenth as many operations beyond. The rarest \
         are those of single trials, thin. {facts}",
        f.workload
    )
}

pub(super) fn timeline(f: &TimelineFigure, facts: &str) -> String {
    let mut workers: Vec<u32> = f.panels.iter().map(|p| p.workers).collect();
    workers.sort_unstable();
    workers.dedup();
    let workers: Vec<String> = workers.iter().map(u32::to_string).collect();
    format!(
        "Who ran when on `{}`, N = {}, the first {} of the first window of one trial a model (its \
         least disturbed; an illustration, so no interval). One line a worker. Bar: its operations followed \
         one another at their usual pace; hairline: one operation took more than three times the \
         model's median, so the worker waited in it. Workers in parallel show bars at the same time; \
         under a global lock bars take turns. \"Others\": other programs held its CPUs for that share \
         of the trial, so gaps are theirs too. {facts}",
        f.workload,
        workers.join(", "),
        time_ns(f.span_ns as f64)
    )
}

pub(super) fn budget(f: &BudgetFigure, facts: &str) -> String {
    let blocks: Vec<u32> = f.rows.iter().map(|r| r.blocks).collect();
    format!(
        "Loss budget on `{}` at each model's decisive N: where the ideal N went. Parts of a bar are \
         means over {} and add up to N, the tick at its end; left of 0 is what the parts \
         exceed N by. The parts have no intervals: they are shares of one sum and move together; the \
         interval of `achieved` is that of the speed-up, that of the largest loss stands in the table. {facts}",
        f.workload,
        range_text(&blocks, "block")
    )
}

pub(super) fn budget_curves(f: &BudgetCurves, facts: &str) -> String {
    let rows = || f.models.iter().flatten();
    let blocks: Vec<u32> = rows().map(|r| r.blocks).collect();
    format!(
        "Loss budget on `{}` against N = {}, as shares of N: a bar's parts are means over blocks ({}) and add up to 1. The letter in a \
         part is that of the legend. Above each panel: the largest loss at its largest N. {facts}",
        f.workload,
        list(rows().map(|r| r.workers)),
        range_text(&blocks, "block")
    )
}

pub(super) fn serial(f: &SerialFigure, facts: &str) -> String {
    let blocks: Vec<u32> = f.rows.iter().map(|r| r.blocks.len() as u32).collect();
    format!(
        "Serial share found against the share p that was injected into `serial`, at each model's decisive N, N = {}. \
         Marker: mean over blocks of Karp and Flatt's e(N) = (N / speed-up - 1) / (N - 1); bar: its 95 % \
         interval (Student's t, {}); small dots: every used block; models stand side by side at each share. Dashed \
         line: what is expected, e = p where threads run in parallel otherwise, e = 1 where they run one at a \
         time. {facts}",
        list(f.rows.iter().map(|r| r.workers)),
        range_text(&blocks, "block")
    )
}

pub(super) fn price(f: &PriceFigure, facts: &str) -> String {
    let rows = || f.pairs.iter().flat_map(|p| p.told());
    let blocks: Vec<u32> = rows().map(|r| r.blocks.len() as u32).collect();
    format!(
        "What one thread pays for having no global lock: time a step of each kernel of `micro` without the lock over that \
         of a like build with it, one worker. Marker: geometric mean over blocks of the ratio of partners, which were \
         measured side by side; bar: its 95 % interval (Student's t on logarithms, {}); small dots: every used \
         block. *All kinds* is the geometric mean over the kernels in each block that has them all, so its interval speaks of \
         these kernels and of no others. {facts}",
        range_text(&blocks, "block")
    )
}

/// How often the interval held what is expected, beside how often it would miss by chance.
pub(super) fn serial_words(f: &SerialFigure) -> String {
    let of = |expected: Expected, what: &str| {
        let mine = f.rows.iter().filter(|r| r.expected == expected);
        let all: Vec<Finding> = mine.filter_map(SerialRow::finding).collect();
        let told = all.iter().filter(|f| **f != Finding::TooWide).count();
        let misses: Vec<f64> = all.iter().filter_map(missed).collect();
        let furthest = misses.iter().map(|m| m.abs()).fold(0.0, f64::max);
        let by_chance = match told as f64 * 0.05 {
            n if n < 1.0 => "fewer than one".to_owned(),
            n => format!("about {n:.0}"),
        };
        let furthest = match misses.len() {
            0 => String::new(),
            _ => format!(" (the worst miss is {furthest:.3})"),
        };
        let held = format!(
            "Where {what} is expected, {} of {told} intervals hold it{furthest}; without bias {by_chance} would miss it by \
             chance.",
            told - misses.len()
        );
        let wide = format!(
            "Where {what} is expected, {} intervals reach further than {E_HALF_MAX} to either side, and tell nothing.",
            all.len() - told
        );
        let said = [(told > 0).then_some(held), (all.len() > told).then_some(wide)];
        said.into_iter().flatten().collect::<Vec<_>>().join(" ")
    };
    let parts = [of(Expected::Share, "e = p"), of(Expected::One, "e = 1")];
    parts.into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join(" ")
}

fn missed(f: &Finding) -> Option<f64> {
    match f {
        Finding::Misses(miss) => Some(*miss),
        Finding::Holds | Finding::TooWide => None,
    }
}

pub(super) fn scaling(f: &ScalingFigure, facts: &str) -> String {
    let both = f.rows.iter().flat_map(|r| [r.strong, r.weak]).flatten();
    let blocks: Vec<u32> = both.map(|e| e.n as u32).collect();
    format!(
        "Efficiency, speed-up / N, of jobs that end at a barrier, N = {}. Strong: one job split into N parts; \
         weak: a job for each worker. Marker: geometric mean over blocks; bar: its 95 % interval (Student's t \
         on logarithms, {}); dashed line: ideal; grey ground: more workers than CPUs available. {facts}",
        list(f.rows.iter().map(|r| r.workers).chain([1])),
        range_text(&blocks, "block")
    )
}

/// Each number once, ascending.
fn list(numbers: impl Iterator<Item = u32>) -> String {
    let unique: std::collections::BTreeSet<u32> = numbers.collect();
    unique.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}

fn counts(series: &[SpeedupSeries]) -> String {
    let mut n: Vec<u32> = series.iter().flat_map(|s| s.points.iter().map(|p| p.workers)).collect();
    n.push(1);
    n.sort_unstable();
    n.dedup();
    n.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}

fn blocks(series: &[SpeedupSeries]) -> String {
    let n: Vec<u32> = series
        .iter()
        .flat_map(|s| &s.points)
        .map(|p| p.speedup.map_or(p.blocks.len(), |s| s.n) as u32)
        .collect();
    range_text(&n, "block")
}

/// `5 blocks`, `3 to 5 blocks`.
fn range_text(n: &[u32], noun: &str) -> String {
    let (lo, hi) = (n.iter().min().copied().unwrap_or(0), n.iter().max().copied().unwrap_or(0));
    let plural = if hi == 1 { "" } else { "s" };
    if lo == hi { format!("{hi} {noun}{plural}") } else { format!("{lo} to {hi} {noun}s") }
}
