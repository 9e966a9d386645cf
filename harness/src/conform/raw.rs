//! Checks that speak the protocol line by line.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::trial::Stage;
use crate::worker::discover::Found;
use crate::worker::golden::Golden;
use crate::worker::link::{Link, LinkError};
use crate::worker::wire::Line;

type Checked = Result<(), String>;

fn greet(stage: &Stage<'_>, found: &Found) -> Result<Box<dyn Link>, String> {
    let mut link = stage.launcher.launch(&found.spec).map_err(text)?;
    link.send(&Line::new("hello").with("v", 1).with("unheard_of", "x y"));
    link.expect("hello", "at hello", stage.limits.hello).map_err(text)?;
    Ok(link)
}

fn text(e: LinkError) -> String {
    e.to_string()
}

/// 64 exchanges: the worker's clock must lie between our sending and our receiving.
pub(super) fn clock(stage: &Stage<'_>, found: &Found) -> Checked {
    let mut link = greet(stage, found)?;
    for n in 0..64 {
        let sent = stage.outside.now_ns();
        link.send(&Line::new("ping").with("n", n));
        let pong = link.expect("pong", "at ping", stage.limits.hello).map_err(text)?;
        let received = stage.outside.now_ns();
        let now: u64 = pong.num("now_ns").map_err(|e| e.to_string())?;
        if pong.opt("n") != Some(n.to_string().as_str()) {
            return Err(format!("ping {n} was answered with {pong}"));
        }
        if !(sent..=received).contains(&now) {
            return Err(format!(
                "now_ns={now} is not between {sent} and {received}: not CLOCK_MONOTONIC"
            ));
        }
    }
    ended_well(link)
}

fn ended_well(mut link: Box<dyn Link>) -> Checked {
    let exit = link.finish(false);
    if exit.code == Some(0) && exit.leftover == 0 {
        Ok(())
    } else {
        Err(format!("it ended with {exit:?}"))
    }
}

/// The end of stdin, without `quit`, is the same as `quit`.
pub(super) fn end_of_input(stage: &Stage<'_>, found: &Found) -> Checked {
    let mut link = greet(stage, found)?;
    link.close_input();
    ended_well(link)
}

pub(super) fn unknown_key(stage: &Stage<'_>, found: &Found, mechanism: &str) -> Checked {
    let mut link = greet(stage, found)?;
    link.send(&prepare(1, found, mechanism).with("colour", "blue").with("x.y", "%").with("é", "ü"));
    link.expect("ready", "at prepare", stage.limits.prepare).map_err(text)?;
    ended_well(link)
}

fn prepare(id: u32, found: &Found, mechanism: &str) -> Line {
    let offers = |w: &str| found.hello.workloads.iter().any(|o| o == w);
    let workload =
        if offers("cpu") { "cpu" } else { found.hello.workloads.first().map_or("cpu", |w| w) };
    let line = Line::new("prepare").with("id", id).with("workload", workload);
    line.with("mechanism", mechanism).with("workers", 2).with("seed", id)
}

fn refused(line: Result<Line, LinkError>, what: &str) -> Checked {
    match line {
        Ok(line) if line.verb == "error" && line.opt("kind") == Some("unsupported") => Ok(()),
        Ok(line) => {
            Err(format!("{what} was answered with {line}, `error kind=unsupported` expected"))
        }
        Err(e) => Err(text(e)),
    }
}

pub(super) fn unknown_require(stage: &Stage<'_>, found: &Found) -> Checked {
    let mut link = greet(stage, found)?;
    link.send(&prepare(1, found, "threads").with("require", "time-travel"));
    refused(link.recv("at prepare", stage.limits.prepare), "require=time-travel")?;
    ended_well(link)
}

pub(super) fn unknown_verb(stage: &Stage<'_>, found: &Found) -> Checked {
    let mut link = greet(stage, found)?;
    link.send(&Line::new("levitate").with("id", 1));
    refused(link.recv("at an unknown verb", stage.limits.hello), "`levitate`")?;
    ended_well(link)
}

/// Two cells in slots 0 1 1 0: each slot's figures belong to its cell, and its work is proven.
pub(super) fn alternate(stage: &Stage<'_>, found: &Found, mechanism: &str) -> Checked {
    const WINDOW_NS: u64 = 20_000_000;
    const ORDER: &str = "0110";
    let ids = [7_u32, 8];
    let mut link = greet(stage, found)?;
    let mut params: BTreeMap<u32, BTreeMap<String, String>> = BTreeMap::new();
    for id in ids {
        link.send(&prepare(id, found, mechanism));
        let ready = link.expect("ready", "at prepare", stage.limits.prepare).map_err(text)?;
        params.insert(id, ready.pairs.iter().cloned().collect());
    }
    let lead = found.hello.lead_ns.max(20_000_000);
    let start = stage.outside.now_ns() + lead;
    let gap = lead;
    let go = Line::new("go").with("ids", "7,8").with("order", ORDER).with("pass", "throughput");
    let go = go.with("gap_ns", gap).with("start_ns", start).with("spin_ns", 0);
    let go = go.with("ramp_ns", WINDOW_NS).with("window_ns", WINDOW_NS).with("windows", 1);
    link.send(&go.with("tail_ns", WINDOW_NS).with("require", "alternate"));
    let slot_ns = 3 * WINDOW_NS + gap;
    let timed = Duration::from_nanos(lead + 4 * slot_ns) + stage.limits.go;
    link.expect("stopped", "after go", timed).map_err(text)?;
    link.send(&Line::new("collect").with("ids", "7,8"));
    let mut slots = [0_u32; ORDER.len()];
    loop {
        let line = link.recv("at collect", stage.limits.collect).map_err(text)?;
        match line.verb.as_str() {
            "done" => break,
            "window" => {
                let slot = slot_of(&line, &ids, ORDER, start, slot_ns)?;
                let i: i32 = line.num("i").map_err(|e| e.to_string())?;
                if i == 0 {
                    slots[slot] += 1;
                }
                let id: u32 = line.num("id").map_err(|e| e.to_string())?;
                proven(&line, i, &params[&id])?;
            }
            "error" => return Err(line.to_string()),
            _ => {}
        }
    }
    if slots != [2; ORDER.len()] {
        return Err(format!(
            "window 0 came from {slots:?} workers in the slots, 2 expected in each"
        ));
    }
    ended_well(link)
}

fn slot_of(
    line: &Line,
    ids: &[u32; 2],
    order: &str,
    start: u64,
    slot_ns: u64,
) -> Result<usize, String> {
    let number = |key| line.num::<u64>(key).map_err(|e| e.to_string());
    let slot = number("slot")? as usize;
    let cell = order.as_bytes().get(slot).map(|b| ids[usize::from(b - b'0')]);
    if cell.map(u64::from) != Some(number("id")?) {
        return Err(format!("slot {slot} does not belong to that cell: {line}"));
    }
    let begin = start + slot_ns * slot as u64;
    let first: Option<u64> = line.opt_num("first_ns").map_err(|e| e.to_string())?;
    match first {
        Some(t) if t < begin => {
            Err(format!("an operation before its slot began at {begin}: {line}"))
        }
        _ => Ok(slot),
    }
}

/// The earliest interval starts at operation 0 of the slot; it alone can be proven without the others.
fn proven(line: &Line, i: i32, params: &BTreeMap<String, String>) -> Checked {
    let number = |key| line.num::<u64>(key).map_err(|e| e.to_string());
    let golden = Golden::of("cpu", params);
    match golden {
        Some(golden) if i == -1 => {
            let (ops, check) = (number("ops")?, number("check")?);
            let expected = golden.check(0, ops);
            if check == expected {
                Ok(())
            } else {
                Err(format!("check {expected} expected: {line}"))
            }
        }
        _ => Ok(()),
    }
}
