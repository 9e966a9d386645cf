//! The worker's lines into the trial's figures.

use std::time::{Duration, Instant};

use amdahl_schema::{
    Carrier, CarrierWindow, Histogram, Owners, Pass, ProcDelta, Span, Trial, Window, WorkerTotal,
    bucket_index, bucket_lowest,
};
use base64::Engine as _;
use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};

use super::Failure;
use crate::worker::link::{Link, LinkError, unexpected};
use crate::worker::wire::{Line, WireError};

/// More workers than a plan may have; more operations in an interval than 2^50.
const WORKERS_MAX: u32 = 1 << 16;
const OPS_MAX: u64 = 1 << 50;

/// What `ready` said.
pub(crate) struct Ready {
    pub(crate) carriers: Vec<Carrier>,
    pub(crate) op_ns: u64,
    pub(crate) gil: Option<bool>,
    pub(crate) turns: Option<bool>,
    pub(crate) switch_ns: Option<u64>,
    pub(crate) chosen: Vec<(String, String)>,
}

/// Keys of `ready` that are not parameters.
const READY_KEYS: [&str; 8] =
    ["id", "carriers", "map", "setup_ns", "op_ns", "gil", "turns", "switch_ns"];

fn garbage(when: &str) -> impl Fn(WireError) -> Failure + '_ {
    move |source| Failure::Link(LinkError::Garbage { when: when.to_owned(), source })
}

/// Reads `ready`; in a ceiling, process `k` carries worker `k`.
pub(crate) fn ready(line: &Line, k: u32) -> Result<Ready, Failure> {
    let read = || -> Result<Ready, WireError> {
        let map: Vec<(u32, u32)> = line
            .list("map")
            .iter()
            .map(|pair| {
                let (w, tid) =
                    pair.split_once(':').ok_or_else(|| line.wrong("`map` wants w:tid"))?;
                let number = |t: &str| t.parse().map_err(|_| line.wrong("`map` wants numbers"));
                Ok((number(w)?, number(tid)?))
            })
            .collect::<Result<_, WireError>>()?;
        let mut carriers = line
            .list("carriers")
            .iter()
            .map(|tid| {
                let tid = tid.parse().ok().filter(|t| *t > 0);
                let tid = tid.ok_or_else(|| line.wrong("`carriers` wants thread ids"))?;
                let w = map.iter().find(|(_, t)| *t == tid).map(|(w, _)| w + k);
                Ok(Carrier {
                    tid,
                    w,
                    pinned: None,
                    proc: ProcDelta::default(),
                    windows: Vec::new(),
                })
            })
            .collect::<Result<Vec<_>, WireError>>()?;
        carriers.sort_by_key(|c| c.w);
        let chosen = line.pairs.iter().filter(|(key, _)| !READY_KEYS.contains(&key.as_str()));
        Ok(Ready {
            carriers,
            op_ns: line.opt_num("op_ns")?.unwrap_or(0),
            gil: line.opt_num::<u8>("gil")?.map(|on| on != 0),
            turns: line.opt_num::<u8>("turns")?.map(|on| on != 0),
            switch_ns: line.opt_num("switch_ns")?,
            chosen: chosen.cloned().collect(),
        })
    };
    read().map_err(garbage("at prepare"))
}

/// Reads everything from `collect` to `done` of process `k`.
pub(crate) fn figures(
    link: &mut dyn Link,
    trial: &mut Trial,
    k: u32,
    limit: Duration,
) -> Result<(), Failure> {
    let when = "at collect";
    let end = Instant::now() + limit;
    // Every worker hands in a window, a histogram and little else per interval; so do carriers.
    let each = trial.workers as usize + trial.carriers.len();
    let most = 64 + 16 * (trial.windows_n as usize + 8) * each;
    for lines in 0.. {
        let line = link.recv(when, end.saturating_duration_since(Instant::now()))?;
        if lines > most {
            let source = line.wrong(format!("over {most} lines, and no `done`"));
            return Err(LinkError::Garbage { when: when.to_owned(), source }.into());
        }
        if line.verb == "done" {
            return complete(trial, k).map_err(|what| garbage(when)(line.wrong(what)));
        }
        if !take(&line, trial, k).map_err(garbage(when))? {
            return Err(unexpected(&line, "done", when).into());
        }
    }
    unreachable!("the numbers do not end")
}

/// Reads everything from `collect` to `done` of one process whose cells alternated; `ids` has each slot's cell, `trials` its record.
pub(crate) fn slots(
    link: &mut dyn Link,
    trials: &mut [Trial],
    ids: &[usize],
    limit: Duration,
) -> Result<(), Failure> {
    let when = "at collect";
    let end = Instant::now() + limit;
    let each =
        |t: &Trial| 16 * (t.windows_n as usize + 8) * (t.workers as usize + t.carriers.len());
    let most = 64 + trials.iter().map(each).sum::<usize>();
    for lines in 0.. {
        let line = link.recv(when, end.saturating_duration_since(Instant::now()))?;
        if lines > most {
            let source = line.wrong(format!("over {most} lines, and no `done`"));
            return Err(garbage(when)(source));
        }
        match line.verb.as_str() {
            "done" => {
                return trials
                    .iter()
                    .enumerate()
                    .try_for_each(|(k, t)| {
                        complete(t, 0).map_err(|what| format!("slot {k}: {what}"))
                    })
                    .map_err(|what| garbage(when)(line.wrong(what)));
            }
            "error" => return Err(unexpected(&line, "done", when).into()),
            _ => {}
        }
        let known = line.num::<usize>("slot").and_then(|slot| {
            let id: usize = line.num("id")?;
            let right = ids.get(slot) == Some(&id);
            right
                .then_some(slot)
                .ok_or_else(|| line.wrong(format!("slot {slot} is not of cell {id}")))
        });
        let slot = known.map_err(garbage(when))?;
        if !take(&line, &mut trials[slot], 0).map_err(garbage(when))? {
            return Err(unexpected(&line, "done", when).into());
        }
    }
    unreachable!("the numbers do not end")
}

/// A line of figures into its trial; false for any other line.
fn take(line: &Line, trial: &mut Trial, k: u32) -> Result<bool, WireError> {
    match line.verb.as_str() {
        "window" => trial.windows.push(window(line, k)?),
        "total" => trial.totals.push(total(line, k)?),
        "carrier" => carrier(line, trial)?,
        "hist" => trial.histograms.push(histogram(line, k)?),
        "span" => trial.spans.push(span(line, k)?),
        "guard" => guard(line, trial)?,
        // Of a ceiling there is no one who could have waited for another.
        "owners" if trial.arm == amdahl_schema::Arm::Ceiling => {}
        "owners" => trial.owners = Some(owners(line, trial)?),
        _ => return Ok(false),
    }
    Ok(true)
}

/// In a ceiling, process `k` has one worker, which counts as worker `k`.
fn worker(line: &Line, k: u32) -> Result<u32, WireError> {
    let w: u32 = line.num("w")?;
    w.checked_add(k).filter(|w| *w < WORKERS_MAX).ok_or_else(|| line.wrong("no such worker"))
}

fn window(line: &Line, k: u32) -> Result<Window, WireError> {
    let x = Window {
        i: line.num("i")?,
        w: worker(line, k)?,
        tail: line.opt("tail") == Some("1"),
        ops: line.num("ops")?,
        check: line.num("check")?,
        first_ns: line.opt_num("first_ns")?,
        last_ns: line.opt_num("last_ns")?,
        cpu_ns: line.opt_num("cpu_ns")?,
        delay_ns: line.opt_num("delay_ns")?,
        vcsw: line.opt_num("vcsw")?,
        ivcsw: line.opt_num("ivcsw")?,
        idle_ns: line.opt_num("idle_ns")?,
        cpu: line.opt_num("cpu")?,
    };
    if x.ops > OPS_MAX {
        return Err(line.wrong("more operations than a processor can do"));
    }
    match (x.first_ns, x.last_ns) {
        (Some(first), Some(last)) if last < first => Err(line.wrong("`last_ns` before `first_ns`")),
        _ => Ok(x),
    }
}

fn total(line: &Line, k: u32) -> Result<WorkerTotal, WireError> {
    Ok(WorkerTotal {
        w: worker(line, k)?,
        ops: line.num("ops")?,
        check: line.num("check")?,
        started_ns: line.num("started_ns")?,
        ended_ns: line.num("ended_ns")?,
        entered_ns: line.opt_num("entered_ns")?,
    })
}

fn carrier(line: &Line, trial: &mut Trial) -> Result<(), WireError> {
    let tid: u32 = line.num("tid")?;
    let x = CarrierWindow {
        i: line.num("i")?,
        cpu_ns: line.num("cpu_ns")?,
        delay_ns: line.opt_num("delay_ns")?,
    };
    let known = trial.carriers.iter_mut().find(|c| c.tid == tid);
    known.ok_or_else(|| line.wrong("`tid` is not one of the carriers"))?.windows.push(x);
    Ok(())
}

/// The counters under the locks of all processes together.
fn guard(line: &Line, trial: &mut Trial) -> Result<(), WireError> {
    let sum = trial.guarded.unwrap_or(0).checked_add(line.num("count")?);
    trial.guarded = Some(sum.ok_or_else(|| line.wrong("`count` beyond 2^64"))?);
    Ok(())
}

fn owners(line: &Line, trial: &Trial) -> Result<Owners, WireError> {
    let number = |key: &str, t: &String| {
        t.parse::<u64>().map_err(|_| line.wrong(format!("`{key}` wants numbers")))
    };
    let numbers = |key| line.list(key).iter().map(|t| number(key, t)).collect::<Result<_, _>>();
    let w: Vec<u64> = numbers("w")?;
    let owners = Owners {
        w: w.into_iter().map(|w| u32::try_from(w).unwrap_or(u32::MAX)).collect(),
        gap_ns: numbers("gap")?,
        wait_ns: numbers("wait")?,
        hold_ns: numbers("hold")?,
    };
    match owners.check(trial.workers) {
        Ok(()) if trial.owners.is_none() => Ok(owners),
        Ok(()) => Err(line.wrong("a second `owners`")),
        Err(what) => Err(line.wrong(what)),
    }
}

fn span(line: &Line, k: u32) -> Result<Span, WireError> {
    let number = |t: &String| t.parse().map_err(|_| line.wrong("`t` wants numbers"));
    let t_ns: Vec<u64> = line.list("t").iter().map(number).collect::<Result<_, _>>()?;
    if t_ns.is_sorted() {
        Ok(Span { w: worker(line, k)?, t_ns })
    } else {
        Err(line.wrong("`t` is not ascending"))
    }
}

/// `idx:count` pairs into HdrHistogram's own form, proven against `n`, `min` and `max`.
fn histogram(line: &Line, k: u32) -> Result<Histogram, WireError> {
    let (n, min, max): (u64, u64, u64) = (line.num("n")?, line.num("min")?, line.num("max")?);
    let mut hdr = hdrhistogram::Histogram::<u64>::new_with_bounds(1, 1 << 60, 3)
        .expect("the bounds are constants");
    let mut counted = 0;
    for pair in line.list("b") {
        let parsed =
            pair.split_once(':').and_then(|(i, c)| Some((i.parse().ok()?, c.parse().ok()?)));
        let (idx, count): (u64, u64) = parsed.ok_or_else(|| line.wrong("`b` wants idx:count"))?;
        if idx > bucket_index(1 << 60) {
            return Err(line.wrong(format!("bucket {idx} is out of range")));
        }
        let value = bucket_lowest(idx);
        hdr.record_n(value, count).map_err(|e| line.wrong(e.to_string()))?;
        counted = count.checked_add(counted).ok_or_else(|| line.wrong("`b` counts beyond 2^64"))?;
    }
    if counted != n {
        return Err(line.wrong(format!("buckets hold {counted}, `n` says {n}")));
    }
    if n > 0 && (bucket_index(min) != bucket_index(hdr.min()) || max < hdr.max() >> 1 || min > max)
    {
        return Err(line.wrong("`min` or `max` is not in the buckets"));
    }
    let mut bytes = Vec::new();
    V2DeflateSerializer::new()
        .serialize(&hdr, &mut bytes)
        .map_err(|e| line.wrong(e.to_string()))?;
    Ok(Histogram {
        name: line.req("name")?.to_owned(),
        unit: line.req("unit")?.to_owned(),
        i: line.opt_num("i")?,
        w: Some(worker(line, k)?),
        n,
        min,
        max,
        sum: line.num("sum")?,
        hdr: base64::engine::general_purpose::STANDARD.encode(bytes),
    })
}

/// Every worker of process `k` must have handed in its total and its windows.
fn complete(trial: &Trial, k: u32) -> Result<(), String> {
    let workers = match trial.arm {
        amdahl_schema::Arm::Ceiling => k..k + 1,
        amdahl_schema::Arm::Model => 0..trial.workers,
    };
    for w in workers {
        let totals = trial.totals.iter().filter(|t| t.w == w).count();
        if totals != 1 {
            return Err(format!("{totals} `total` lines of worker {w}, 1 expected"));
        }
        let has = |i: i32| trial.windows.iter().filter(|x| x.w == w && x.i == i).count();
        if let Some(i) = (0..trial.windows_n as i32).find(|i| has(*i) > 1) {
            return Err(format!("window {i} of worker {w} twice"));
        }
        if has(0) == 0 {
            return Err(format!("no `window` line of worker {w} and window 0"));
        }
        // One that was starved has nothing to hand in.
        let inside = |x: &&Window| x.w == w && (0..trial.windows_n as i32).contains(&x.i);
        let worked = trial.windows.iter().filter(inside).any(|x| x.ops > 0);
        let has_hist = trial.histograms.iter().any(|h| h.w == Some(w) && h.name == "op");
        if trial.pass == Pass::Latency && worked && !has_hist {
            return Err(format!("no `hist` line of worker {w} in the latency pass"));
        }
    }
    if let Some(x) = trial.windows.iter().find(|x| x.w >= trial.workers) {
        return Err(format!("worker {} does not exist", x.w));
    }
    Ok(())
}
