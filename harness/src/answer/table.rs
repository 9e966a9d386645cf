//! The answer table on the terminal.

use amdahl_schema::{RunHeader, by_runtime};
use amdahl_stats::{Interval, IoRow, IoVerdict, Judgement, ParallelismRow, Verdict, verdict_name};

const HEAD: [&str; 8] = [
    "model",
    "CPU-bound",
    "N",
    "speed-up",
    "of ceiling",
    "CPUs used",
    "limited by",
    "I/O overlaps",
];

/// A row a model, in the order of the plan, absent ones last; models that the budget did not reach
/// share a line, as they do in the report; verdicts.json has each.
pub fn table(header: &RunHeader, judgement: &Judgement) -> String {
    let mut rows = vec![HEAD.map(str::to_owned)];
    let (mut notes, mut not_run, mut locks) = (Vec::new(), Vec::new(), false);
    for model in &header.plan.models {
        let mut mine = judgement.parallelism.iter().filter(|r| r.model == *model);
        let cpu = mine.clone().find(|r| r.decisive && !of_lock(r));
        locks |= mine.any(of_lock);
        let io = best_io(judgement, model);
        let reached =
            cpu.is_some_and(|r| !untouched(r)) || io.is_some_and(|r| r.blocks + r.dropped > 0);
        if !reached && (cpu.is_some() || io.is_some()) {
            not_run.push(model.as_str());
            continue;
        }
        rows.push(row(model, cpu, &io_text(io)));
        let unknown = cpu.filter(|r| r.verdict == Verdict::Unknown);
        notes.extend(unknown.map(|r| format!("{model}: {}", first_reasons(&r.reasons))));
        let unknown = io.filter(|r| r.verdict == IoVerdict::Unknown && r.blocks + r.dropped > 0);
        let text = |r: &IoRow| format!("{model}: {}: {}", r.workload, first_reasons(&r.reasons));
        notes.extend(unknown.map(text));
    }
    for absent in &header.absent {
        let mut cells = row(&absent.model, None, "-");
        cells[1] = "absent".to_owned();
        rows.push(cells);
        let remedy = absent.why.remedy.as_ref().map(|r| format!(" ({r})")).unwrap_or_default();
        notes.push(format!("{}: {}{remedy}", absent.model, absent.why.reason));
    }
    if !not_run.is_empty() {
        let n = not_run.len();
        let noun = if n == 1 { "model" } else { "models" };
        let names = by_runtime(not_run).join(", ");
        notes.push(format!("not run: budget: {names} ({n} {noun}; raise --budget)"));
    }
    if locks {
        notes.push(
            "lock: `amdahl report` compares the locks, and says nothing of the model by them"
                .to_owned(),
        );
    }
    let mut text = aligned(&rows);
    for note in notes {
        text.push_str(&format!("  {note}\n"));
    }
    text
}

/// How far a lock scales tells of the lock.
fn of_lock(row: &ParallelismRow) -> bool {
    row.workload.split(' ').next() == Some("lock")
}

fn untouched(row: &ParallelismRow) -> bool {
    row.blocks == 0 && row.dropped == 0
}

/// Enough for a terminal; all of them are in the JSON and in the report.
fn first_reasons(reasons: &[String]) -> String {
    let more = reasons.len().saturating_sub(2);
    let text = reasons.iter().take(2).cloned().collect::<Vec<_>>().join("; ");
    if more > 0 { format!("{text}; and {more} more") } else { text }
}

fn row(model: &str, cpu: Option<&ParallelismRow>, io: &str) -> [String; 8] {
    let dash = || "-".to_owned();
    let Some(r) = cpu else {
        return [model.to_owned(), dash(), dash(), dash(), dash(), dash(), dash(), io.to_owned()];
    };
    [
        model.to_owned(),
        if untouched(r) { "not run".to_owned() } else { verdict_name(r.verdict).to_owned() },
        r.workers.to_string(),
        interval_text(r.speedup),
        interval_text(r.ceiling_share),
        interval_text(r.effective_cpus),
        if r.speedup.is_some() { r.limited_by.clone() } else { dash() },
        io.to_owned(),
    ]
}

fn interval_text(interval: Option<Interval>) -> String {
    interval
        .map_or_else(|| "-".to_owned(), |i| format!("{:.2} [{:.2}, {:.2}]", i.estimate, i.lo, i.hi))
}

/// The largest N of `sleep`, else of any other I/O-bound workload.
fn best_io<'a>(judgement: &'a Judgement, model: &str) -> Option<&'a IoRow> {
    let mine = judgement.io_overlap.iter().filter(|r| r.model == model);
    mine.max_by_key(|r| (r.workload == "sleep", r.workers))
}

fn io_text(row: Option<&IoRow>) -> String {
    let Some(r) = row else { return "-".to_owned() };
    let word = match r.verdict {
        IoVerdict::Overlaps => "yes",
        IoVerdict::DoesNot => "no",
        IoVerdict::Unknown if r.blocks + r.dropped == 0 => "not run",
        IoVerdict::Unknown => "unknown",
    };
    let ratio = r.throughput_ratio.map(|i| format!(", x{:.1} at {}", i.estimate, r.workers));
    format!("{word}{}", ratio.unwrap_or_default())
}

fn aligned(rows: &[[String; 8]]) -> String {
    let width = |c: usize| rows.iter().map(|r| r[c].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..8).map(width).collect();
    let line = |r: &[String; 8]| {
        let cells: Vec<String> =
            r.iter().zip(&widths).map(|(cell, w)| format!("{cell:<w$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let cells =
            |t: &str| std::array::from_fn(|i| if i == 0 { t.to_owned() } else { "x".to_owned() });
        let text = aligned(&[cells("a"), cells("long name")]);
        let at: Vec<_> = text.lines().map(|l| l.find('x').unwrap()).collect();
        assert_eq!(at[0], at[1]);
    }
}
