//! The answer: a row a model, and below it those of which nothing was measured.

use std::collections::{BTreeMap, BTreeSet};

use amdahl_schema::Absence;
use amdahl_stats::IoVerdict;

use super::Align::{Left, Right};
use super::{Table, grouped};
use crate::model::workload_id;
use crate::render::format::{self, UNKNOWN};
use crate::summary::{Answer, AnswerState, IoAnswer, Summary};

/// The wait at which an I/O-bound workload answers where a run has several: what it is if a plan says nothing.
const USUAL: [&str; 2] = ["sleep_ns=1000000", "delay_ns=1000000"];
/// Workloads named in one cell.
const NAMED_MAX: usize = 3;

/// The answer: one row a model, but those that [`left_out`] tells of.
pub(crate) fn answer(s: &Summary) -> Table {
    let n = common_n(s);
    let speedup = n.map_or_else(|| "speed-up at N".to_owned(), |n| format!("speed-up at N = {n}"));
    let mut table = Table::new(&[
        ("model", Left),
        ("parallel on CPU-bound work?", Left),
        (&format!("{speedup} [95 % interval]"), Right),
        ("share of ceiling", Right),
        ("effective CPUs", Right),
        ("limited by", Left),
        ("I/O-bound work overlaps?", Left),
    ]);
    let apart: BTreeSet<&str> = shared(s).into_iter().flat_map(|(_, models)| models).collect();
    let asked = |a: &&Answer| a.state != AnswerState::NotAsked || s.contention.is_empty();
    let shown = s.answers.iter().filter(|a| !apart.contains(a.model.as_str())).filter(asked);
    table.rows = shown.map(|a| row(a, n)).collect();
    table
}

/// Models of which nothing was measured, a line for each reason that several share; where the budget is the
/// reason that can be forty of them, and a row for each would bury the answer.
pub(crate) fn left_out(s: &Summary) -> Vec<String> {
    let line = |(state, models): (&AnswerState, Vec<&str>)| {
        let (n, names) = (models.len(), grouped(models));
        match state {
            AnswerState::Absent(why) => format!("Absent, {n} models: {names}: {}.", lack(why)),
            AnswerState::NotRun { why } => format!("Not run ({why}), {n} models: {names}."),
            _ => String::new(),
        }
    };
    shared(s).into_iter().map(line).collect()
}

/// What keeps two or more models from a measurement, with those models, in order of first appearance.
fn shared(s: &Summary) -> Vec<(&AnswerState, Vec<&str>)> {
    let mut reasons: Vec<(&AnswerState, Vec<&str>)> = Vec::new();
    for a in s.answers.iter().filter(|a| unmeasured(a)) {
        match reasons.iter_mut().find(|(state, _)| **state == a.state) {
            Some((_, models)) => models.push(&a.model),
            None => reasons.push((&a.state, vec![&a.model])),
        }
    }
    reasons.retain(|(_, models)| models.len() > 1);
    reasons
}

/// Whether nothing of a model was measured, waiting included.
fn unmeasured(a: &Answer) -> bool {
    matches!(a.state, AnswerState::NotRun { .. } | AnswerState::Absent(_))
        && a.io.iter().all(|io| io.not_run.is_some())
}

fn lack(why: &Absence) -> String {
    let remedy = why.remedy.as_ref().map_or_else(String::new, |r| format!("; {r}"));
    format!("{}{remedy}", why.reason)
}

fn row(a: &Answer, common: Option<u32>) -> Vec<String> {
    let blank = || UNKNOWN.to_owned();
    let mut row = vec![format!("`{}`", a.model)];
    match &a.state {
        AnswerState::Judged {
            verdict,
            workers,
            speedup,
            ceiling_share,
            effective_cpus,
            limited_by,
            why,
        } => {
            row.push(match why {
                Some(why) => format!("unknown: {why}"),
                None => format::verdict_in_words(*verdict).to_owned(),
            });
            let at = if common.is_none() { format!(" at N = {workers}") } else { String::new() };
            row.push(speedup.map_or_else(blank, |s| format::ratio(&s) + &at));
            row.push(format::maybe_percent(*ceiling_share));
            row.push(format::maybe_ratio(*effective_cpus));
            row.push(speedup.map_or_else(blank, |_| limited_by.replace('_', " ")));
        }
        AnswerState::NotRun { why } => {
            row.push(format!("not run: {why}"));
            row.extend([blank(), blank(), blank(), blank()]);
        }
        AnswerState::NotAsked => {
            row.push("not asked: `cpu` is not in this run for it".to_owned());
            row.extend([blank(), blank(), blank(), blank()]);
        }
        AnswerState::Absent(why) => {
            row.push(format!("absent: {}", lack(why)));
            row.extend([blank(), blank(), blank(), blank()]);
        }
    }
    row.push(io_cell(a));
    row
}

/// One workload of several parameters is told at those that decide, and how it came out at the others.
fn io_cell(a: &Answer) -> String {
    if a.io.is_empty() {
        return UNKNOWN.to_owned();
    }
    let run: Vec<&IoAnswer> = a.io.iter().filter(|io| io.not_run.is_none()).collect();
    let mut ids: Vec<&str> = run.iter().map(|io| workload_id(&io.workload)).collect();
    ids.dedup();
    let of =
        |id: &&str| run.iter().filter(|io| workload_id(&io.workload) == *id).copied().collect();
    let mut told: Vec<(bool, String)> = ids.iter().filter_map(|id| io_workload(of(id))).collect();
    // Stable: what is decided comes first, else in the order of the run.
    told.sort_by_key(|(undecided, _)| *undecided);
    let mut parts: Vec<String> = told.into_iter().map(|(_, text)| text).collect();
    let mut not_run: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for io in &a.io {
        if let Some(why) = &io.not_run {
            not_run.entry(why).or_default().push(format!("`{}`", io.workload));
        }
    }
    parts.extend(not_run.iter().map(|(why, names)| match names.as_slice() {
        names if names.len() > NAMED_MAX => format!("not run: {why} ({} others)", names.len()),
        names => format!("not run: {why} ({})", names.join(", ")),
    }));
    parts.join("; ")
}

/// Whether it is undecided, and what is said.
fn io_workload(sets: Vec<&IoAnswer>) -> Option<(bool, String)> {
    let usual = sets.iter().find(|io| io.workload.split(' ').any(|p| USUAL.contains(&p)));
    let shown = usual.or(sets.first())?;
    let undecided = shown.verdict == IoVerdict::Unknown;
    let others: Vec<&&IoAnswer> = sets.iter().filter(|io| !std::ptr::eq(**io, *shown)).collect();
    if others.is_empty() {
        return Some((undecided, io_words(shown)));
    }
    let same = others.iter().filter(|io| io.verdict == shown.verdict).count();
    let rest = match (same, others.len() - same) {
        (n, 0) => format!("the same at {n} more"),
        (0, m) => format!("otherwise at {m} more"),
        (n, m) => format!("the same at {n} more, otherwise at {m}"),
    };
    Some((undecided, format!("{} ({rest}: *All decisions*)", io_words(shown))))
}

fn io_words(io: &IoAnswer) -> String {
    let what = match io.verdict {
        IoVerdict::Overlaps => "yes",
        IoVerdict::DoesNot => "no",
        IoVerdict::Unknown => "unknown",
    };
    let ratio = io.ratio.map(|r| format!(" × {} at N = {}", format::ratio(&r), io.workers));
    let why = io.why.as_ref().map_or_else(String::new, |w| format!(" ({w})"));
    format!("{what}: `{}`{}{why}", io.workload, ratio.unwrap_or_default())
}

/// The N of every judged row, where they agree.
fn common_n(s: &Summary) -> Option<u32> {
    let mut counts: Vec<u32> = s
        .answers
        .iter()
        .filter_map(|a| match a.state {
            AnswerState::Judged { workers, .. } => Some(workers),
            _ => None,
        })
        .collect();
    counts.sort_unstable();
    counts.dedup();
    (counts.len() == 1).then(|| counts[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn io(workload: &str, verdict: IoVerdict) -> IoAnswer {
        let workload = workload.to_owned();
        IoAnswer { workload, workers: 32, verdict, ratio: None, why: None, not_run: None }
    }

    fn cell(io: Vec<IoAnswer>) -> String {
        io_cell(&Answer { model: "m/threads".to_owned(), state: AnswerState::NotAsked, io })
    }

    #[test]
    fn what_is_decided_comes_before_what_is_not() {
        let text = cell(vec![io("pipe", IoVerdict::Unknown), io("sleep", IoVerdict::Overlaps)]);
        assert_eq!(text, "yes: `sleep`; unknown: `pipe`");
    }

    #[test]
    fn models_of_one_reason_are_grouped_by_runtime() {
        let models = ["python3.8/asyncio", "rust/threads", "python3.8/threads@pyenv", "perl"];
        assert_eq!(grouped(models), "`python3.8/{asyncio, threads@pyenv}`, `rust/threads`, `perl`");
    }

    #[test]
    fn of_several_waits_the_usual_one_is_told_and_the_others_counted() {
        use IoVerdict::{DoesNot, Overlaps};
        assert_eq!(cell(vec![io("sleep", Overlaps)]), "yes: `sleep`");
        let waits = ["sleep sleep_ns=100000", "sleep sleep_ns=1000000", "sleep sleep_ns=50000000"];
        let all = |verdicts: [IoVerdict; 3]| {
            cell(waits.iter().zip(verdicts).map(|(w, v)| io(w, v)).collect())
        };
        let told = "yes: `sleep sleep_ns=1000000` (";
        let same = all([Overlaps, Overlaps, Overlaps]);
        assert_eq!(same, format!("{told}the same at 2 more: *All decisions*)"));
        let one = all([DoesNot, Overlaps, Overlaps]);
        assert!(
            one.starts_with(told) && one.contains("the same at 1 more, otherwise at 1"),
            "{one}"
        );
        let pipe = cell(vec![io("pipe delay_ns=5", DoesNot), io("pipe delay_ns=7", Overlaps)]);
        assert!(pipe.starts_with("no: `pipe delay_ns=5` (otherwise at 1 more"), "{pipe}");
    }

    #[test]
    fn what_was_not_run_is_named_up_to_a_few() {
        let left = |n: usize| {
            let one = |k| IoAnswer {
                not_run: Some("budget".to_owned()),
                ..io(&format!("sleep sleep_ns={k}"), IoVerdict::Unknown)
            };
            cell((0..n).map(one).collect())
        };
        assert_eq!(left(1), "not run: budget (`sleep sleep_ns=0`)");
        assert_eq!(left(4), "not run: budget (4 others)");
    }
}
