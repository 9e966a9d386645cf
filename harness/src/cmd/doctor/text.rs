//! The report for people: sections of aligned lines, `!` where something wants attention.

use std::fmt::Write as _;

use amdahl_schema::Absence;

use super::{PmuReport, Report};
use crate::topology::cpulist;

/// The whole report.
pub(super) fn render(report: &Report) -> String {
    let mut out = String::new();
    section(&mut out, "What can be told here", &abilities(report));
    section(&mut out, "Machine", &machine(report));
    section(&mut out, "State", &state(report));
    section(&mut out, "Counters", &counters(report));
    section(&mut out, "Clocks and limits", &clocks(report));
    section(&mut out, "Runtimes", &runtimes(report));
    out
}

/// A line: mark, name, text, and what to do about it on lines of its own.
struct Line {
    attention: bool,
    name: String,
    text: String,
    advice: Vec<String>,
}

impl Line {
    fn plain(name: &str, text: impl Into<String>) -> Self {
        Self { attention: false, name: name.to_owned(), text: text.into(), advice: Vec::new() }
    }

    fn absent(name: &str, why: &Absence) -> Self {
        let advice = why.remedy.iter().map(|r| format!("remedy: {r}")).collect();
        let text = format!("absent: {}", why.reason);
        Self { attention: why.remedy.is_some(), name: name.to_owned(), text, advice }
    }

    fn advised(mut self, advice: Option<&str>) -> Self {
        self.attention |= advice.is_some();
        self.advice.extend(advice.map(str::to_owned));
        self
    }
}

fn section(out: &mut String, title: &str, lines: &[Line]) {
    let width = lines.iter().map(|l| l.name.chars().count()).max().unwrap_or(0);
    let gap = if out.is_empty() { "" } else { "\n" };
    // Writing to a String can't fail.
    let _ = writeln!(out, "{gap}{title}");
    for line in lines {
        let mark = if line.attention { '!' } else { ' ' };
        let _ = writeln!(out, "{mark} {:<width$}  {}", line.name, line.text);
        for advice in &line.advice {
            let _ = writeln!(out, "  {:<width$}  -> {advice}", "");
        }
    }
}

fn abilities(report: &Report) -> Vec<Line> {
    let line = |a: &super::Ability| {
        let text = format!("{}: {}", if a.able { "yes" } else { "no" }, a.why);
        let mut line = Line::plain(a.id, text).advised(a.remedy.as_deref());
        line.attention = !a.able;
        line
    };
    report.abilities.iter().map(line).collect()
}

fn machine(report: &Report) -> Vec<Line> {
    let host = &report.host;
    let unknown = || "unknown".to_owned();
    let count = |key: fn(&amdahl_schema::CpuInfo) -> u32| {
        let mut all: Vec<u32> = host.cpus.iter().map(key).collect();
        all.sort_unstable();
        all.dedup();
        all.len()
    };
    let cpus = format!(
        "logical CPUs {}, cores {}, sockets {}, NUMA nodes {}",
        host.cpus.len(),
        count(|c| c.core),
        count(|c| c.socket),
        count(|c| c.node)
    );
    let quota = host
        .cgroup
        .quota_mcpu
        .map_or("no CPU quota".to_owned(), |q| format!("quota {:.2} CPUs", q as f64 / 1000.0));
    let memory_limit = host
        .cgroup
        .mem_bytes
        .map_or("no memory limit".to_owned(), |b| format!("memory limit {}", size(b)));
    let group = host.cgroup.version.map_or("none".to_owned(), |v| format!("v{v}"));
    let mut lines = vec![
        Line::plain("host", format!("{}, Linux {}, {}", host.name, host.kernel, host.arch)),
        Line::plain("CPU", host.cpu_model.clone().unwrap_or_else(unknown)),
        Line::plain("hypervisor", host.hypervisor.as_deref().unwrap_or("none")),
        Line::plain("topology", cpus),
        Line::plain("last-level cache", host.llc_bytes.map_or_else(unknown, size)),
        Line::plain("memory", host.mem_bytes.map_or_else(unknown, size)),
        Line::plain("affinity mask", cpulist::format(&host.affinity)),
        Line::plain("control group", format!("{group}, {quota}, {memory_limit}")),
        Line::plain("CPUs available", host.cpus_available.to_string())
            .advised(report.cpus_note.as_deref()),
        Line::plain("worker counts", list(&report.worker_counts)),
    ];
    lines.extend(report.assumed.iter().map(|a| Line::plain("assumed", a.clone())));
    lines
}

fn state(report: &Report) -> Vec<Line> {
    let line = |i: &amdahl_schema::StateItem| match (&i.value, &i.absent) {
        (None, Some(why)) => Line::absent(&i.id, why),
        (value, _) => {
            Line::plain(&i.id, value.clone().unwrap_or_default()).advised(i.advice.as_deref())
        }
    };
    report.state.items.iter().map(line).collect()
}

fn counters(report: &Report) -> Vec<Line> {
    let of = |s: &super::SetReport| Line::plain(&format!("set {}", s.set), s.metrics.join(" "));
    let mut lines: Vec<Line> = report.counters.sets.iter().map(of).collect();
    // One line a reason: without a PMU a dozen metrics share theirs.
    let mut reasons: Vec<(&Absence, Vec<&str>)> = Vec::new();
    for c in &report.counters.absent {
        let Some(why) = &c.absent else { continue };
        match reasons.iter_mut().find(|(known, _)| *known == why) {
            Some((_, ids)) => ids.push(&c.id),
            None => reasons.push((why, vec![&c.id])),
        }
    }
    for (why, ids) in reasons {
        lines.push(Line::plain("absent", ids.join(" ")));
        lines.push(Line { text: why.reason.clone(), ..Line::absent("", why) });
    }
    if let PmuReport::Counted { expected, counted, proven } = report.counters.pmu {
        let told = if proven { "proven" } else { "not to be believed" };
        let text = format!("{told}: {counted} instructions counted where {expected} were retired");
        let mut line = Line::plain("PMU", text);
        line.attention = !proven;
        lines.push(line);
    }
    lines
}

fn clocks(report: &Report) -> Vec<Line> {
    let clocks = &report.clocks;
    let cost = format!(
        "{:.1} ns a reading, steps of {} ns",
        clocks.monotonic_cost_ps as f64 / 1000.0,
        clocks.monotonic_step_ns
    );
    let flags = if clocks.tsc_flags.is_empty() {
        "no flags of a steady counter".to_owned()
    } else {
        clocks.tsc_flags.join(" ")
    };
    let files = |l: Option<u64>| l.map_or("unlimited".to_owned(), |l| l.to_string());
    let limits = &report.limits;
    vec![
        Line::plain("clock source", clocks.source.as_deref().unwrap_or("unknown")),
        Line::plain("CLOCK_MONOTONIC", cost).advised(clocks.advice.as_deref()),
        Line::plain("TSC", flags),
        Line::plain(
            "open files",
            format!(
                "{}, can be raised to {}",
                files(limits.nofile_soft),
                files(limits.nofile_hard)
            ),
        ),
    ]
}

/// What of a receipt tells how a runtime was built and how it compiles; the JSON has all of it.
const BUILT: [&str; 8] =
    ["jit", "compiler", "optimise", "opt_level", "gc", "gomaxprocs", "v8", "gil_reenabled_by"];

fn runtimes(report: &Report) -> Vec<Line> {
    let found = report.runtimes.iter().map(|r| {
        let gil = match r.gil {
            Some(true) => ", GIL on",
            Some(false) => ", GIL off",
            None => "",
        };
        let told = |key: &&str| Some(format!(", {key} {}", r.details.get(*key)?));
        let built: String = BUILT.iter().filter_map(told).collect();
        Line::plain(&r.id, format!("{} {}{gil}{built}", r.version, r.path))
    });
    let absent = report.absent.iter().map(|a| Line::absent(&a.model, &a.why));
    let mut lines: Vec<Line> = found.chain(absent).collect();
    if lines.is_empty() {
        lines.push(Line::plain("none", "no worker was found"));
    }
    let kept = |dir: &String| Line::plain("cache", format!("{dir}; `doctor --clean` empties it"));
    lines.extend(report.caches.iter().map(kept));
    lines
}

fn list(numbers: &[u32]) -> String {
    numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(" ")
}

pub(super) fn size(bytes: u64) -> String {
    let gib = bytes as f64 / f64::from(1 << 30);
    if gib >= 1.0 { format!("{gib:.1} GiB") } else { format!("{:.1} MiB", gib * 1024.0) }
}
