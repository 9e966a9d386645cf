//! What became of the trials, the machine's state and the runtimes' receipts.

use super::Align::{Left, Right};
use super::{Table, grouped};
use crate::render::format::UNKNOWN;
use crate::summary::{NotRun, Summary};

/// Trials that failed, timed out or may not be used.
pub(crate) fn failures(s: &Summary) -> Table {
    let mut table = Table::new(&[
        ("model", Left),
        ("workload", Left),
        ("N", Right),
        ("arm", Left),
        ("pass", Left),
        ("how", Left),
        ("reason", Left),
        ("trials", Right),
        ("first at", Left),
    ]);
    let row = |f: &crate::summary::Failure| {
        vec![
            format!("`{}`", f.model),
            format!("`{}`", f.workload),
            f.workers.to_string(),
            f.arm.clone(),
            f.pass.clone(),
            format!("{}: {}", f.status.replace('_', " "), f.kind),
            f.reason.clone(),
            f.count.to_string(),
            format!("trials.jsonl:{}", f.line),
        ]
    };
    table.rows = s.coverage.failures.iter().map(row).collect();
    table
}

/// What the budget, or an interruption, left out; models that miss as many trials for the same reason share a row.
pub(crate) fn not_run(s: &Summary) -> Table {
    let mut table = Table::new(&[
        ("models", Left),
        ("workload", Left),
        ("trials of each", Right),
        ("not run", Left),
    ]);
    let mut groups: Vec<(&NotRun, Vec<&str>)> = Vec::new();
    for n in &s.coverage.not_run {
        let same = |k: &NotRun| (&k.workload, k.count, &k.why) == (&n.workload, n.count, &n.why);
        match groups.iter_mut().find(|(known, _)| same(known)) {
            Some((_, models)) => models.push(&n.model),
            None => groups.push((n, vec![&n.model])),
        }
    }
    let row = |(n, models): (&NotRun, Vec<&str>)| {
        vec![
            grouped(models),
            format!("`{}`", n.workload),
            n.count.to_string(),
            format!("not run: {}", n.why),
        ]
    };
    table.rows = groups.into_iter().map(row).collect();
    table
}

/// Usable trials with a flag.
pub(crate) fn flags(s: &Summary) -> Table {
    let mut table = Table::new(&[
        ("flag", Left),
        ("model", Left),
        ("workload", Left),
        ("pass", Left),
        ("trials", Right),
    ]);
    let row = |f: &crate::summary::Flagged| {
        vec![
            format!("`{}`", f.flag),
            format!("`{}`", f.model),
            format!("`{}`", f.workload),
            f.pass.clone(),
            f.count.to_string(),
        ]
    };
    table.rows = s.coverage.flags.iter().map(row).collect();
    table
}

/// The machine's state with advice.
pub(crate) fn state(s: &Summary) -> Table {
    let mut table = Table::new(&[("item", Left), ("value", Left), ("advice", Left)]);
    for item in &s.run.state.items {
        let value = match (&item.value, &item.absent) {
            (Some(v), _) => v.clone(),
            (None, Some(a)) => format!("unknown: {}", a.reason),
            (None, None) => UNKNOWN.to_owned(),
        };
        let remedy = item.absent.as_ref().and_then(|a| a.remedy.clone());
        let advice = item.advice.clone().or(remedy).unwrap_or_default();
        table.rows.push(vec![format!("`{}`", item.id), value, advice]);
    }
    table
}

/// Receipts of the runtimes.
pub(crate) fn runtimes(s: &Summary) -> Table {
    let mut table = Table::new(&[
        ("runtime", Left),
        ("version", Left),
        ("global lock", Left),
        ("binary", Left),
        ("hash", Left),
        ("it also said", Left),
    ]);
    for r in &s.run.runtimes {
        let lock = match r.gil {
            Some(true) => "on",
            Some(false) => "off",
            None => "has none",
        };
        let details: Vec<String> = r.details.iter().map(|(k, v)| format!("{k}={v}")).collect();
        table.rows.push(vec![
            format!("`{}`", r.id),
            r.version.clone(),
            lock.to_owned(),
            format!("`{}`", r.path),
            r.hash.as_ref().map_or_else(|| UNKNOWN.to_owned(), |h| format!("`{h}`")),
            details.join(", "),
        ]);
    }
    table
}
