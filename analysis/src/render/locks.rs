//! Locks in sentences: which does most, who is served, and where each is in its bracket.

use amdahl_stats::{Bracket, BracketPlace};

use super::format;
use crate::plot::contention::View;
use crate::plot::decision::ranked;
use crate::summary::{AnswerState, LockCell, LockCondition, LockRow, Summary};

/// Locks named in one sentence; the tables name all.
const NAMED_MAX: usize = 6;

/// Whether the run asks about locks alone: nothing was measured that tells whether a model is parallel.
pub(super) fn alone(s: &Summary) -> bool {
    let asked = |state: &AnswerState| matches!(state, AnswerState::Judged { .. });
    !s.contention.is_empty() && s.answers.iter().all(|a| !asked(&a.state) && a.io.is_empty())
}

/// What a report and the terminal say first.
pub(super) fn headline(s: &Summary) -> String {
    let locks = answer(s);
    match (alone(s), locks.is_empty()) {
        (true, false) => locks,
        (_, true) => s.headline.clone(),
        (false, false) => format!("{}\n\n{locks}", s.headline),
    }
}

/// The answer about locks; nothing where fewer than two were measured.
fn answer(s: &Summary) -> String {
    let of = |c: &LockCondition| [throughput(c), turns(&View::Fairness.seen(c))];
    s.contention.iter().flat_map(of).flatten().collect::<Vec<_>>().join(" ")
}

/// Most and fewest operations, and who can't be told from the first.
fn throughput(c: &LockCondition) -> Option<String> {
    let rows = ranked(c);
    let [first, others @ ..] = rows.as_slice() else { return None };
    let last = others.last()?;
    let rate = |r: &LockRow| c.shown(r)?.rate.map(|e| format::count_estimate(&e));
    let like: Vec<&LockRow> = others.iter().copied().filter(|r| share(first, r)).collect();
    let same = match like.len() {
        0 => String::new(),
        n if n == others.len() => "; none of the others can be told from it".to_owned(),
        _ => format!("; {} can't be told from it", names(&like)),
    };
    let fewest = if share(first, last) {
        String::new()
    } else {
        format!("; fewest with `{}`, {}", last.label, rate(last)?)
    };
    let most = format!("most operations a second with `{}`, {}", first.label, rate(first)?);
    Some(format!("Of {} locks at {}: {most}{same}{fewest}.", rows.len(), at(c)))
}

fn share(a: &LockRow, b: &LockRow) -> bool {
    a.group.split(',').any(|letter| b.group.split(',').any(|other| other == letter))
}

/// Under which locks every worker has its turn, and under which the fewest have one; nothing where all are alike.
fn turns(c: &LockCondition) -> Option<String> {
    let lwss = |r: &LockRow| c.shown(r).and_then(|x| x.lwss_100).map(|e| e.value);
    let mut rows: Vec<(&LockRow, f64)> =
        c.locks.iter().filter_map(|r| Some((r, lwss(r)?))).collect();
    rows.sort_by(|a, b| b.1.total_cmp(&a.1));
    let (last, fewest) = *rows.last()?;
    let every = f64::from(c.workers) - 0.005;
    let fair: Vec<&LockRow> = rows.iter().filter(|(_, v)| *v >= every).map(|(r, _)| *r).collect();
    if c.workers < 2 || fewest >= every {
        return None;
    }
    let all = match fair.len() {
        0 => "no lock gives every worker a turn in 100 acquisitions".to_owned(),
        _ => format!("every worker has a turn in 100 acquisitions under {}", names(&fair)),
    };
    let jain = c
        .shown(last)
        .and_then(|x| x.jain)
        .map_or_else(String::new, |j| format!(", Jain's index {}", format::two_digits(j.value)));
    let least = format!("`{}`: {} workers{jain}", last.label, format::two_digits(fewest));
    Some(format!("With N = {}{}, {all}; the fewest have one under {least}.", c.workers, under(c)))
}

fn names(rows: &[&LockRow]) -> String {
    let shown: Vec<String> =
        rows.iter().take(NAMED_MAX).map(|r| format!("`{}`", r.label)).collect();
    match (rows.len() - shown.len(), shown.split_last()) {
        (0, Some((last, head))) if !head.is_empty() => format!("{} and {last}", head.join(", ")),
        (0, _) => shown.concat(),
        (more, _) => format!("{} and {more} more", shown.join(", ")),
    }
}

fn under(c: &LockCondition) -> String {
    if c.condition.is_empty() { String::new() } else { format!(" under `{}`", c.condition) }
}

fn at(c: &LockCondition) -> String {
    let p = c.p.map_or_else(String::new, |p| format!(" with p = {p}"));
    format!("N = {}{p}{}", c.workers, under(c))
}

/// Where each lock is with respect to its bracket: those inside in one sentence, each other in one of its own.
pub(super) fn words(s: &Summary) -> Vec<String> {
    s.contention.iter().flat_map(places).collect()
}

fn places(c: &LockCondition) -> Vec<String> {
    let placed = c.locks.iter().filter_map(|r| {
        let cell = c.shown(r)?;
        Some((r, cell, cell.bracket?, cell.place?))
    });
    let (mut inside, mut apart, mut bounds) = (Vec::new(), Vec::new(), None);
    for (row, cell, bracket, place) in placed {
        let Some(measured) = cell.speedup.as_ref().map(format::ratio) else { continue };
        match place {
            BracketPlace::Inside { share } => {
                inside.push(format!("`{}` {measured}, {:.0} %", row.label, 100.0 * share));
                bounds = Some(bracket);
            }
            _ => apart.push(format!(
                "At {}, `{}`: {}",
                at(c),
                row.label,
                outside(cell, &bracket, place)
            )),
        }
    }
    let together = bounds.map(|b| {
        format!(
            "At {}, speed-ups within the bracket ({}), and how far on the way from workers that always collide to workers in step: {}.",
            at(c),
            span(&b),
            inside.join("; ")
        )
    });
    together.into_iter().chain(apart).collect()
}

fn span(b: &Bracket) -> String {
    format!("{} to {}", format::two_digits(b.lo), format::two_digits(b.hi))
}

fn outside(cell: &LockCell, bracket: &Bracket, place: BracketPlace) -> String {
    let measured = cell.speedup.as_ref().map_or_else(String::new, format::ratio);
    let bracket = span(bracket);
    match place {
        BracketPlace::Below { handoff_ns } => format!(
            "speed-up {measured} is below the bracket ({bracket}): an operation costs {} more than even workers that always \
             collide would pay. That is the price of handing the lock over.",
            format::time_ns(handoff_ns)
        ),
        _ => format!(
            "speed-up {measured} is above the bracket ({bracket}): less of an operation is under the lock than planned."
        ),
    }
}
