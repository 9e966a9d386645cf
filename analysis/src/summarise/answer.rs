//! The answer: one row a model, and one sentence that sums them up. Decides nothing: the verdicts
//! come from `amdahl_stats`.

use amdahl_schema::AbsentModel;
use amdahl_stats::{IoVerdict, Judgement, ParallelismRow, Verdict};

use crate::model::{ModelName, Sharing, workload_id};
use crate::summary::{Answer, AnswerState, Coverage, Estimate, IoAnswer, RunFacts};

/// The workload whose verdict is the model's.
pub(super) const DECIDING: &str = "cpu";
/// Said once, since a number in prose has an interval or says where it is.
const RANGES: &str =
    " (speed-ups of several models are given as a range; the table has each with its interval)";
/// Models named in one clause of the sentence; the table names all.
const NAMED_MAX: usize = 4;

/// One row a model: those that were measured in the order given, then those that can't be, then those
/// the budget did not reach. Every model keeps its row.
pub(super) fn answers(
    models: &[String],
    judgement: &Judgement,
    absent: &[AbsentModel],
    coverage: &Coverage,
) -> Vec<Answer> {
    let mut answers: Vec<Answer> = models
        .iter()
        .map(|model| Answer {
            model: model.clone(),
            state: state(model, judgement, absent, coverage),
            io: io(model, judgement, coverage),
        })
        .collect();
    // Stable: the order given stands within a group.
    answers.sort_by_key(|a| match a.state {
        AnswerState::Judged { .. } => 0,
        AnswerState::NotAsked => 1,
        AnswerState::Absent(_) => 2,
        AnswerState::NotRun { .. } => 3,
    });
    answers
}

/// The answer in one sentence, or a line for each way to share, threads of one process first.
pub(super) fn headline(run: &RunFacts, answers: &[Answer]) -> String {
    let mut clauses = match run.host.cpus_available {
        0 | 1 => vec!["nothing can be told about parallelism".to_owned()],
        _ => parallelism_clauses(answers),
    };
    clauses.extend(io_clause(answers));
    let cpus = run.host.cpus_available;
    let note = run.cpus_note.as_ref().map_or_else(String::new, |n| format!(" ({n})"));
    let plural = if cpus == 1 { "" } else { "s" };
    if clauses.is_empty() {
        clauses.push("nothing can be said: no workload that decides was measured".to_owned());
    }
    let available = format!("With {cpus} CPU{plural} available{note}");
    match clauses.as_slice() {
        [one] => format!("{available}, {one}."),
        all => {
            let ranges = if all.iter().any(|c| c.contains("speed-ups ")) { RANGES } else { "" };
            format!("{available}{ranges}:\n\n- {}.", all.join(";\n- "))
        }
    }
}

fn parallelism_clauses(answers: &[Answer]) -> Vec<String> {
    let subjects = [
        (Sharing::Threads, "threads of one process"),
        (Sharing::Other, "other models in one process"),
        (Sharing::Processes, "processes"),
    ];
    let clause = |(sharing, subject): (Sharing, &str)| {
        let group: Vec<&Answer> = answers
            .iter()
            .filter(|a| ModelName::parse(&a.model).sharing() == sharing)
            .filter(|a| matches!(a.state, AnswerState::Judged { .. }))
            .collect();
        (!group.is_empty()).then(|| format!("{subject} {}", by_verdict(&group)))
    };
    subjects.into_iter().filter_map(clause).collect()
}

fn state(
    model: &str,
    judgement: &Judgement,
    absent: &[AbsentModel],
    coverage: &Coverage,
) -> AnswerState {
    let rows = judgement.parallelism.iter().filter(|r| r.model == model);
    let mut rows = rows.filter(|r| workload_id(&r.workload) == DECIDING);
    if let Some(row) = rows.find(|r| r.decisive) {
        return judged(row, coverage);
    }
    if let Some(a) = absent.iter().find(|a| a.model == model) {
        return AnswerState::Absent(a.why.clone());
    }
    match coverage.not_run.iter().find(|n| n.model == model) {
        Some(n) if judgement.io_overlap.iter().all(|r| r.model != model) => {
            AnswerState::NotRun { why: n.why.clone() }
        }
        _ => AnswerState::NotAsked,
    }
}

fn judged(row: &ParallelismRow, coverage: &Coverage) -> AnswerState {
    let not_run = not_run(coverage, &row.model, &row.workload);
    if let (0, 0, Some(why)) = (row.blocks, row.dropped, not_run) {
        return AnswerState::NotRun { why };
    }
    AnswerState::Judged {
        verdict: row.verdict,
        workers: row.workers,
        speedup: row.speedup.map(Estimate::from),
        ceiling_share: row.ceiling_share.map(Estimate::from),
        effective_cpus: row.effective_cpus.map(Estimate::from),
        limited_by: row.limited_by.clone(),
        why: (row.verdict == Verdict::Unknown).then(|| row.reasons.first().cloned()).flatten(),
    }
}

/// Why trials of a model and workload were not run, where some were not.
fn not_run(coverage: &Coverage, model: &str, workload: &str) -> Option<String> {
    let here = coverage.not_run.iter().find(|n| n.model == model && n.workload == workload);
    here.map(|n| n.why.clone())
}

/// The largest N of each I/O-bound workload.
fn io(model: &str, judgement: &Judgement, coverage: &Coverage) -> Vec<IoAnswer> {
    let mut answers: Vec<IoAnswer> = Vec::new();
    for row in judgement.io_overlap.iter().filter(|r| r.model == model) {
        let answer = IoAnswer {
            workload: row.workload.clone(),
            workers: row.workers,
            verdict: row.verdict,
            ratio: row.throughput_ratio.map(Estimate::from),
            not_run: not_run(coverage, &row.model, &row.workload).filter(|_| row.blocks == 0),
            // What to do about it stands in the notes.
            why: (row.verdict == IoVerdict::Unknown)
                .then(|| row.reasons.first().map(|why| first_clause(why).to_owned()))
                .flatten(),
        };
        match answers.iter_mut().find(|a| a.workload == row.workload) {
            Some(a) if row.blocks > 0 || a.ratio.is_none() => *a = answer,
            Some(_) => {}
            None => answers.push(answer),
        }
    }
    answers
}

fn by_verdict(group: &[&Answer]) -> String {
    let phrases = [
        (Verdict::Parallel, "**run in parallel** with"),
        (Verdict::Partly, "**run partly in parallel** with"),
        (Verdict::Serial, "**run one at a time** with"),
        (Verdict::Unknown, "are **undecided** with"),
    ];
    let clause = |(verdict, phrase): (Verdict, &str)| {
        let of = |a: &&&Answer| matches!(a.state, AnswerState::Judged { verdict: v, .. } if v == verdict);
        let members: Vec<&Answer> = group.iter().filter(of).copied().collect();
        (!members.is_empty())
            .then(|| format!("{phrase} {} ({})", names(&members), evidence(&members)))
    };
    let clauses: Vec<String> = phrases.into_iter().filter_map(clause).collect();
    match clauses.split_last() {
        Some((last, head)) if !head.is_empty() => format!("{}, and {last}", head.join(", ")),
        _ => clauses.concat(),
    }
}

fn names(members: &[&Answer]) -> String {
    let shown: Vec<String> =
        members.iter().take(NAMED_MAX).map(|a| format!("`{}`", a.model)).collect();
    match members.len() - shown.len() {
        0 => match shown.split_last() {
            Some((last, [])) => last.clone(),
            Some((last, head)) => format!("{} and {last}", head.join(", ")),
            None => String::new(),
        },
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// The speed-up of one model with its interval, the range of several, or why nothing was decided.
fn evidence(members: &[&Answer]) -> String {
    let mut speedups: Vec<(Estimate, u32)> = Vec::new();
    let mut limits: Vec<&str> = Vec::new();
    let mut whys: Vec<&str> = Vec::new();
    for a in members {
        if let AnswerState::Judged { speedup, workers, limited_by, why, verdict, .. } = &a.state {
            speedups.extend(speedup.map(|s| (s, *workers)));
            limits.extend((*verdict != Verdict::Parallel).then_some(limited_by.as_str()));
            whys.extend(why.as_deref());
        }
    }
    limits.dedup();
    whys.dedup();
    if let Some(why) = whys.first() {
        let more = if whys.len() > 1 { "; the table gives the other reasons" } else { "" };
        return format!("{}{more}", first_clause(why));
    }
    let limited = match limits[..] {
        ["blocked"] => ", limited by being blocked".to_owned(),
        [one] if one != "nothing" => format!(", limited by {}", one.replace('_', " ")),
        _ => String::new(),
    };
    speedup_words(&speedups) + &limited
}

/// A reason up to its first colon or semicolon outside parentheses.
pub(super) fn first_clause(why: &str) -> &str {
    let mut depth = 0;
    let end = why.char_indices().find(|(_, c)| {
        depth += i32::from(*c == '(') - i32::from(*c == ')');
        depth == 0 && matches!(c, ':' | ';')
    });
    end.map_or(why, |(at, _)| &why[..at])
}

fn speedup_words(speedups: &[(Estimate, u32)]) -> String {
    match speedups {
        [] => "no speed-up known".to_owned(),
        [(s, n)] => match s.ci95 {
            Some((lo, hi)) => {
                format!("speed-up {:.2}, 95 % interval {lo:.2} to {hi:.2}, at N = {n}", s.value)
            }
            None => format!("speed-up {:.2} at N = {n}, one block, so no interval", s.value),
        },
        _ => {
            let lo = speedups.iter().map(|(s, _)| s.value).fold(f64::INFINITY, f64::min);
            let hi = speedups.iter().map(|(s, _)| s.value).fold(0.0, f64::max);
            format!("speed-ups {lo:.2} to {hi:.2}")
        }
    }
}

fn io_clause(answers: &[Answer]) -> Option<String> {
    let rows: Vec<&IoAnswer> =
        answers.iter().flat_map(|a| &a.io).filter(|a| a.verdict != IoVerdict::Unknown).collect();
    let overlapping = rows.iter().filter(|a| a.verdict == IoVerdict::Overlaps).count();
    if rows.is_empty() {
        return None;
    }
    let mut workloads: Vec<&str> = rows.iter().map(|a| workload_id(&a.workload)).collect();
    workloads.sort_unstable();
    workloads.dedup();
    let of = if rows.len() == 1 { "case" } else { "cases" };
    Some(format!(
        "I/O-bound work ({}) overlaps in {overlapping} of {} decided {of}",
        workloads.join(", "),
        rows.len()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_cut_outside_its_parentheses() {
        let why = "1 CPU is available (1 of 2: taskset): nothing can be told; run without it";
        assert_eq!(first_clause(why), "1 CPU is available (1 of 2: taskset)");
        assert_eq!(first_clause("whole"), "whole");
    }
}
