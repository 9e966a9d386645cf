//! Does what the worker said hold together? A trial whose work is not proven is never a number.

use std::time::Duration;

use amdahl_schema::{Arm, Contest, Trial, Window};

use super::Failure;
use crate::worker::golden::{Golden, M, lock_writes};

/// A start later than this is flagged.
const LATE_NS: u64 = 5_000_000;

/// Starts further apart than a window's hundredth are flagged.
const SKEW_SHARE: u64 = 100;

/// Drift of the rate over the windows from which a trial is flagged.
const DRIFT_MAX: f64 = 0.10;

/// Checks stamps and results; flags what a reader must know. `until_ns` is when the harness had
/// heard that all had stopped.
pub(crate) fn prove(trial: &mut Trial, until_ns: u64) -> Result<(), Failure> {
    work(trial, until_ns)?;
    if let Contest::Broken { what } = trial.contest() {
        return Err(Failure::Invalid {
            kind: "contest",
            reason: format!("the workers did not work at the same time: {what}"),
        });
    }
    Ok(())
}

/// The same, whether or not they worked at the same time.
pub(crate) fn work(trial: &mut Trial, until_ns: u64) -> Result<(), Failure> {
    stamps(trial, until_ns)?;
    results(trial)?;
    if trial.workload == "lock" {
        exclusion(trial)?;
    }
    if trial.arm == Arm::Model && matches!(trial.workload.as_str(), "sleep" | "pipe") {
        waits(trial)?;
    }
    flags(trial);
    Ok(())
}

fn stamps(trial: &Trial, until_ns: u64) -> Result<(), Failure> {
    let start = trial.start_ns.unwrap_or(0);
    let invalid = |reason: String| Err(Failure::Invalid { kind: "stamps", reason });
    for t in &trial.totals {
        if t.started_ns < start || t.ended_ns < t.started_ns || t.ended_ns > until_ns {
            return invalid(format!(
                "worker {} says it ran from {} to {} ns, but could only run from {start} to {until_ns}",
                t.w, t.started_ns, t.ended_ns
            ));
        }
    }
    let begin = start + trial.ramp_ns;
    for x in trial.windows.iter().filter(|x| x.i >= 0) {
        let nominal = begin + trial.window_ns * x.i as u64;
        let first_bad = x.first_ns.is_some_and(|t| t < nominal);
        let last_bad = !x.tail && x.last_ns.is_some_and(|t| t < nominal + trial.window_ns);
        if first_bad || last_bad || x.last_ns.or(x.first_ns).is_some_and(|t| t > until_ns) {
            return invalid(format!(
                "worker {}'s crossings of window {} ({:?}, {:?}) do not lie around it: its clock is not \
                 CLOCK_MONOTONIC, or it ran outside the time it was given",
                x.w, x.i, x.first_ns, x.last_ns
            ));
        }
    }
    Ok(())
}

/// Every operation is proven: the sums must be those of the operations claimed.
fn results(trial: &Trial) -> Result<(), Failure> {
    let Some(golden) = Golden::of(&trial.workload, &trial.params) else {
        // Workloads of the user's own are proven by the worker alone; ours never go unproven.
        let reason = "`ready` names no usable `steps`, so no operation can be proven".to_owned();
        let ours = matches!(trial.workload.as_str(), "cpu" | "lock" | "micro");
        return if ours { Err(Failure::Invalid { kind: "checksum", reason }) } else { Ok(()) };
    };
    for total in &trial.totals {
        let mut mine: Vec<&Window> = trial.windows.iter().filter(|x| x.w == total.w).collect();
        mine.sort_by_key(|x| x.i);
        let (mut from, mut sum) = (0, 0);
        for x in &mine {
            let expected = golden.check(from, x.ops);
            if x.check % M != expected {
                return Err(Failure::Invalid {
                    kind: "checksum",
                    reason: format!(
                        "worker {}, window {}: {} operations from {from} add up to {expected}, it says {}: \
                         work was lost or never done",
                        x.w, x.i, x.ops, x.check
                    ),
                });
            }
            from += x.ops;
            sum = (sum + x.check % M) % M;
        }
        if total.ops != from || total.check % M != sum {
            return Err(Failure::Invalid {
                kind: "checksum",
                reason: format!(
                    "worker {}: its windows hold {from} operations adding up to {sum}, its total says {} and {}",
                    total.w, total.ops, total.check
                ),
            });
        }
    }
    Ok(())
}

/// Every operation that is no reader adds one to a counter, by a plain load and a plain store under its lock: if two ever
/// held it at once, additions are missing.
fn exclusion(trial: &Trial) -> Result<(), Failure> {
    let readers = trial.params.get("readers").map_or(Some(0), |r| r.parse().ok());
    let invalid = |reason| Err(Failure::Invalid { kind: "checksum", reason });
    let (Some(readers), Some(guarded)) = (readers, trial.guarded) else {
        return invalid("no `guard` line, so nothing shows that the lock excludes".to_owned());
    };
    let writes: u64 = trial.totals.iter().map(|t| lock_writes(t.ops, readers)).sum();
    if guarded == writes {
        return Ok(());
    }
    let name = trial.params.get("lock").map_or("?", String::as_str);
    invalid(format!(
        "lock `{name}` does not exclude: {writes} additions were made under it, its counters grew by {guarded}; two \
         workers were inside at once"
    ))
}

/// A wait can't be shorter than what it waits for.
fn waits(trial: &Trial) -> Result<(), Failure> {
    let key = if trial.workload == "sleep" { "sleep_ns" } else { "delay_ns" };
    let Some(wait) = trial.params.get(key).and_then(|v| v.parse::<u64>().ok()) else {
        return Ok(());
    };
    for t in &trial.totals {
        let span = t.ended_ns - t.started_ns;
        if t.ops.saturating_mul(wait) > span + wait {
            return Err(Failure::Invalid {
                kind: "checksum",
                reason: format!(
                    "worker {} says it waited {} times {:?} within {:?}",
                    t.w,
                    t.ops,
                    Duration::from_nanos(wait),
                    Duration::from_nanos(span)
                ),
            });
        }
    }
    Ok(())
}

fn flags(trial: &mut Trial) {
    let start = trial.start_ns.unwrap_or(0);
    let latest = trial.totals.iter().max_by_key(|t| t.started_ns);
    if let Some(t) = latest.filter(|t| t.started_ns - start > LATE_NS) {
        let ms = (t.started_ns - start) as f64 / 1e6;
        trial.flags.push(format!("late: worker {} started {ms:.1} ms after the start", t.w));
    }
    // Where workers take turns, or have no CPU each, they can't start together.
    let together = trial.placement.exclusive && !trial.takes_turns();
    if let Some(skew) = trial.skew_ns().filter(|s| together && s * SKEW_SHARE > trial.window_ns) {
        let percent = skew as f64 / trial.window_ns as f64 * 100.0;
        trial.flags.push(format!("skew: the workers started {percent:.1} % of a window apart"));
    }
    if let Some(drift) = trial.drift().filter(|d| d.abs() > DRIFT_MAX) {
        trial.flags.push(format!(
            "not_steady: the rate changed by {:+.0} % over the windows (JIT, heat, or a busy machine)",
            drift * 100.0
        ));
    }
}
