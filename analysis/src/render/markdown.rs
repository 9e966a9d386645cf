//! `report.md`: the values of a summary laid out by the template beside this file.

use amdahl_schema::Host;
use amdahl_stats::ParallelismRow;
use minijinja::{Environment, context};
use serde::Serialize;

use crate::render::tables::{self, Table};
use crate::render::{
    DATA_DIR, FIGURES_DIR, Illustration, RenderError, Section, caption, contention, format,
    has_memory, limits, locks, trace,
};
use crate::summary::{BEYOND_MIN, CpuSpeeds, RunFacts, Summary};

const TEMPLATE: &str = include_str!("report.md.j2");

/// One run's chapter, as the template sees it.
#[derive(Debug, Serialize)]
pub(super) struct Chapter {
    name: String,
    headline: String,
    locks_alone: bool,
    notices: Vec<String>,
    answer: Table,
    left_out: Vec<String>,
    glance: Vec<FigureView>,
    speedup: Vec<FigureView>,
    overlap: Vec<FigureView>,
    latency: Vec<FigureView>,
    timeline: Vec<FigureView>,
    budget: Vec<FigureView>,
    percentiles: Table,
    beyond_min: u32,
    budget_table: Table,
    limits: Vec<String>,
    counters: Table,
    absences: Table,
    parallelism: Table,
    io: Table,
    notes: Vec<String>,
    failures: Table,
    not_run: Table,
    flags: Table,
    coverage: String,
    machine: Vec<(String, String)>,
    state: Table,
    runtimes: Table,
    plan: Vec<(String, String)>,
    command: String,
    facts: String,
    serial: Vec<FigureView>,
    scaling: Vec<FigureView>,
    serial_table: Table,
    serial_words: String,
    price: Vec<FigureView>,
    price_table: Table,
    price_words: Vec<String>,
    micro: bool,
    resident: bool,
    scaling_table: Table,
    baseline: String,
    baseline_table: Table,
    memory: Table,
    start_up: Table,
    timers: Table,
    contention: Vec<FigureView>,
    trace: Option<trace::TraceView>,
    contention_table: Table,
    contention_times: Table,
    contention_words: Vec<String>,
    laws: Table,
    law: Vec<FigureView>,
    law_words: Vec<String>,
    decisions_apart: bool,
    data: String,
}

#[derive(Debug, Serialize)]
struct FigureView {
    number: u32,
    path: String,
    alt: String,
    caption: String,
    data: Vec<String>,
}

/// Lays out one run; figures are numbered through the whole report.
pub(super) fn chapter(
    s: &Summary,
    figures: &[Illustration],
    prefix: &str,
    number: &mut u32,
) -> Chapter {
    let mut of = |section: Section| {
        let views = figures.iter().filter(|i| i.section == section).map(|i| {
            *number += 1;
            FigureView {
                number: *number,
                path: format!("{FIGURES_DIR}/{}.svg", i.figure.name),
                alt: i.figure.title.clone(),
                caption: i.caption.clone(),
                data: i.data.iter().map(|(n, _)| format!("{DATA_DIR}/{n}.csv")).collect(),
            }
        });
        views.collect::<Vec<_>>()
    };
    Chapter {
        glance: of(Section::Glance),
        speedup: of(Section::Speedup),
        overlap: of(Section::Overlap),
        latency: of(Section::Latency),
        timeline: of(Section::Timeline),
        budget: of(Section::Budget),
        law: of(Section::Law),
        serial: of(Section::Serial),
        scaling: of(Section::Scaling),
        price: of(Section::Price),
        contention: of(Section::Contention),
        trace: trace::view(s),
        contention_table: contention::table(s),
        contention_times: contention::times(s),
        contention_words: locks::words(s),
        locks_alone: locks::alone(s),
        name: s.run.name.clone(),
        headline: locks::headline(s),
        notices: notices(s),
        answer: tables::answer(s),
        left_out: tables::left_out(s),
        percentiles: tables::percentiles(s),
        beyond_min: BEYOND_MIN as u32,
        budget_table: tables::budget(s),
        limits: limits::paragraphs(s),
        counters: tables::counters(s),
        absences: tables::absences(s),
        parallelism: tables::parallelism(s),
        io: tables::io(s),
        notes: notes(s),
        failures: tables::failures(s),
        not_run: tables::not_run(s),
        flags: tables::flags(s),
        coverage: coverage(s),
        machine: machine(s),
        state: tables::state(s),
        runtimes: tables::runtimes(s),
        plan: plan(&s.run),
        command: format::shell(&s.run.command),
        facts: caption::facts(&s.run),
        serial_table: tables::serial(s),
        serial_words: s.serial.as_ref().map_or_else(String::new, caption::serial_words),
        price_table: tables::price(s),
        price_words: tables::price_words(s),
        micro: s.price.is_some(),
        resident: has_memory(s),
        scaling_table: tables::scaling(s),
        laws: tables::laws(s),
        law_words: tables::law_words(s),
        baseline: s.baseline.as_ref().map_or_else(String::new, |b| b.model.clone()),
        baseline_table: tables::baseline(s.baseline.as_ref()),
        memory: tables::memory(s),
        start_up: tables::start_up(s),
        timers: tables::timers(s),
        decisions_apart: s.judgement.parallelism.iter().any(|r| s.has_own_table(&r.workload)),
        data: format!("{DATA_DIR}/{prefix}"),
    }
}

/// The document.
pub(super) fn report(chapters: &[Chapter]) -> Result<String, RenderError> {
    let mut env = Environment::new();
    env.set_trim_blocks(true);
    env.set_lstrip_blocks(true);
    env.set_keep_trailing_newline(true);
    env.add_filter("cell", |text: String| text.replace('|', "\\|").replace('\n', " "));
    env.add_template("report.md", TEMPLATE)?;
    let text = env.get_template("report.md")?.render(context! { chapters })?;
    Ok(text)
}

/// What a reader must know before the table.
fn notices(s: &Summary) -> Vec<String> {
    let mut notices = Vec::new();
    if s.run.anonymous {
        notices.push(
            "This report is anonymous: names of host and users, and the machine's paths, were taken out of the run."
                .to_owned(),
        );
    }
    if let Some(torn) = &s.run.torn {
        notices.push(format!(
            "The last line of the run is torn (`{torn}`): the program was killed while it wrote it. That trial \
             is missing here; `amdahl run --resume` measures it."
        ));
    }
    if let Some(selection) = &s.run.selection {
        notices.push(format!("This report is restricted to {selection}."));
    }
    notices
}

/// Reasons of every decision that has some; of what was not run, *Trials* tells.
fn notes(s: &Summary) -> Vec<String> {
    let line = |workload: &str, model: &str, n: u32, reasons: &[String]| {
        (!reasons.is_empty())
            .then(|| format!("`{model}` on `{workload}`, N = {n}: {}.", reasons.join("; ")))
    };
    let told = |r: &&ParallelismRow| r.blocks + r.dropped > 0 && !s.has_own_table(&r.workload);
    let cpu = s.judgement.parallelism.iter().filter(told);
    let io = s.judgement.io_overlap.iter().filter(|r| r.blocks > 0);
    cpu.filter_map(|r| line(&r.workload, &r.model, r.workers, &r.reasons))
        .chain(io.filter_map(|r| line(&r.workload, &r.model, r.workers, &r.reasons)))
        .collect()
}

fn coverage(s: &Summary) -> String {
    format!(
        "{} trials were planned; {} gave usable numbers.",
        s.coverage.planned, s.coverage.usable
    )
}

fn machine(s: &Summary) -> Vec<(String, String)> {
    let (run, h) = (&s.run, &s.run.host);
    let mut rows = vec![("host".to_owned(), h.name.clone())];
    let mut row = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            rows.push((name.to_owned(), value));
        }
    };
    row("processor", h.cpu_model.as_ref().map(|m| format!("{m} ({})", h.arch)));
    row("hypervisor", Some(h.hypervisor.clone().unwrap_or_else(|| "none seen".to_owned())));
    row("kernel", Some(h.kernel.clone()));
    row("CPUs", Some(topology(run)));
    row(
        "CPUs available",
        Some(match &run.cpus_note {
            Some(note) => format!("{} ({note})", h.cpus_available),
            None => h.cpus_available.to_string(),
        }),
    );
    row("memory", h.mem_bytes.map(format::bytes));
    row("last-level cache", h.llc_bytes.map(format::bytes));
    row("CPU speed", Some(cpu_speed(h, &s.cpu_speeds)));
    row("clock source", h.clocksource.clone());
    row("control group", Some(cgroup(run)));
    rows
}

/// What other guests take from a core without a tick of steal.
fn cpu_speed(host: &Host, speeds: &CpuSpeeds) -> String {
    if host.hypervisor.is_none() {
        return "not timed: on bare metal no other guest shares a core unseen; /proc/stat shows who runs"
            .to_owned();
    }
    let CpuSpeeds { trials, timed, compared, slow, settle_ns } = *speeds;
    if timed == 0 {
        return "not recorded: CPUs are timed around trials that are pinned, on work that does not wait, on up to 64 CPUs"
            .to_owned();
    }
    let share = match compared {
        0 => "none of them has a usual speed to compare with".to_owned(),
        n => format!(
            "in {slow} of the {n} with a usual speed to compare with ({:.0} %) a CPU needed over 10 % more time than \
             usual",
            100.0 * slow as f64 / n as f64
        ),
    };
    format!(
        "timed just before and after {timed} of {trials} usable trials: {share}; {} in all to look, and to wait while one was slow",
        format::time_ns(settle_ns as f64)
    )
}

fn topology(run: &RunFacts) -> String {
    use std::collections::BTreeSet;
    let cpus = &run.host.cpus;
    let cores: BTreeSet<u32> = cpus.iter().map(|c| c.core).collect();
    let sockets: BTreeSet<u32> = cpus.iter().map(|c| c.socket).collect();
    let nodes: BTreeSet<u32> = cpus.iter().map(|c| c.node).collect();
    let of = |n: usize, noun: &str| format!("{n} {noun}{}", if n == 1 { "" } else { "s" });
    format!(
        "{}, {}, {}, {}",
        of(cpus.len(), "logical CPU"),
        of(cores.len(), "physical core"),
        of(sockets.len(), "socket"),
        of(nodes.len(), "NUMA node")
    )
}

fn cgroup(run: &RunFacts) -> String {
    let c = &run.host.cgroup;
    let Some(version) = c.version else { return "none".to_owned() };
    let quota = c.quota_mcpu.map_or_else(
        || "no CPU quota".to_owned(),
        |m| format!("CPU quota {}.{:03}", m / 1000, m % 1000),
    );
    let memory = c
        .mem_bytes
        .map_or_else(|| "no memory limit".to_owned(), |b| format!("memory {}", format::bytes(b)));
    format!("v{version}, {quota}, {memory}")
}

fn plan(run: &RunFacts) -> Vec<(String, String)> {
    let p = &run.plan;
    let budget =
        p.budget_ms.map_or_else(|| "none".to_owned(), |ms| format::time_ns(ms as f64 * 1e6));
    let predicted = format::time_ns(p.predicted_ms as f64 * 1e6);
    [
        ("run", format!("`{}`, id `{}`", run.name, run.id)),
        ("started", run.started_utc.clone()),
        ("written by", run.tool.clone()),
        ("profile", format!("`{}`, placement `{}`", p.profile, p.placement)),
        ("seed", p.seed.to_string()),
        ("time allowed", format!("{budget}; predicted {predicted}")),
        ("blocks", p.blocks.len().to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}
