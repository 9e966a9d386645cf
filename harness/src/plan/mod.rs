//! Arguments and TOML -> ordered blocks: pure, seeded, costed. Measures nothing, reads no machine.

mod cell;
mod check;
mod cost;
mod locate;
mod spec;

use std::collections::{BTreeMap, BTreeSet};

use amdahl_schema::{Arm, Pass, Placement, Plan, PlannedBlock, PlannedTrial};

pub use amdahl_stats::SplitMix;
pub use cell::check_cell;
pub use check::{Wrong, reserved_key};
pub use cost::{block_cost, trial_cost, window_needed_ns};
pub use spec::{Counts, Params, Places, Spec, Values, nearest, parse_budget};

use crate::Unable;
use crate::worker::golden::MICRO_KINDS;
use crate::worker::places::glob_match;

/// A model as the plan sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelInfo {
    /// Id.
    pub id: String,
    /// Mechanism.
    pub mechanism: String,
    /// Language.
    pub lang: String,
    /// The first mechanism of its runtime, and the runtime as it is by itself.
    pub main: bool,
    /// Stands for its kind: measured before others of the kind.
    pub representative: bool,
    /// Order among those that are not.
    pub rank: u32,
    /// Workloads its worker offers.
    pub workloads: Vec<String>,
    /// Locks that its worker has for the workload `lock`.
    pub locks: Vec<String>,
    /// Switch interval, where a lock lets one thread run at a time.
    pub switch_ns: Option<u64>,
    /// Spawn to hello, as discovery saw it.
    pub hello_ns: u64,
    /// Lead it wants before the start.
    pub lead_ns: u64,
}

/// What the plan must know of the place.
pub struct Site<'a> {
    /// Models that can be measured, in the order of the table.
    pub models: &'a [ModelInfo],
    /// Ids of models that can't.
    pub absent: &'a [String],
    /// Powers of two and breaks of the topology, ascending, from 1 to twice the CPUs.
    pub counts: &'a [u32],
    /// CPUs available.
    pub cpus: u32,
    /// Puts n carriers on CPUs.
    pub place: &'a dyn Fn(u32) -> Placement,
    /// Sets of counters, by number; none is no counters pass.
    pub counter_sets: &'a [u32],
}

/// Workloads that wait rather than compute; judged by overlap, without a ceiling.
pub fn io_bound(workload: &str) -> bool {
    matches!(workload, "sleep" | "pipe")
}

/// Makes the plan.
pub fn plan(spec: &Spec, site: &Site<'_>, seed: u64) -> Result<Plan, Unable> {
    let mut rng = SplitMix::new(seed);
    let mut blocks = Vec::new();
    for (model, workload) in selected(spec, site)? {
        for params in params(spec, model, &workload) {
            add_blocks(&mut blocks, spec, site, model, &workload, &params);
        }
    }
    rng.shuffle(&mut blocks);
    let meeting = meetings(&blocks);
    // Stable: the shuffled order stands within a tier, whose spare blocks come last.
    blocks.sort_by_cached_key(|b| (b.tier, b.spare, meeting(b)));
    let mut seq = 0;
    for block in &mut blocks {
        rng.shuffle(&mut block.trials);
        for trial in &mut block.trials {
            trial.seq = seq;
            trial.seed = rng.below(1 << 31);
            trial.env_pad_bytes = rng.below(4096) as u32;
            seq += 1;
        }
    }
    let info = |id: &str| site.models.iter().find(|m| m.id == id).expect("planned from this list");
    let cost = |b: &PlannedBlock| block_cost(b, info(&b.model), site.cpus).as_millis() as u64;
    let predicted = blocks.iter().filter(|b| !b.spare).map(cost).sum();
    let planned = |m: &&ModelInfo| blocks.iter().any(|b| b.model == m.id);
    let models = site.models.iter().filter(planned).map(|m| m.id.clone()).collect();
    Ok(Plan {
        models,
        profile: spec.name.clone(),
        seed,
        budget_ms: spec.budget.map(|b| b.as_millis() as u64),
        placement: spec.placement.clone(),
        predicted_ms: predicted,
        blocks,
    })
}

/// What is wrong with a name, and where the plan file has it, if it has.
fn named(places: &BTreeMap<String, String>, name: &str, what: &str) -> Unable {
    Unable(places.get(name).map_or_else(|| what.to_owned(), |at| format!("{at}: {what}")))
}

/// No pattern names everything.
fn named_by(patterns: &[String], id: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|p| glob_match(p, id))
}

/// Models x workloads that the patterns name; a pattern that names nothing is an error.
fn selected<'a>(spec: &Spec, site: &Site<'a>) -> Result<Vec<(&'a ModelInfo, String)>, Unable> {
    let ids: Vec<&str> = site.models.iter().map(|m| m.id.as_str()).collect();
    for pattern in &spec.models {
        if ids.iter().any(|id| glob_match(pattern, id)) {
            continue;
        }
        let absent: Vec<&str> = site.absent.iter().map(String::as_str).collect();
        if !absent.iter().any(|id| glob_match(pattern, id)) {
            let close = nearest(pattern, ids.iter().chain(&absent).copied());
            let what = format!("no model `{pattern}`{close}; `amdahl list` shows all");
            return Err(named(&spec.places.models, pattern, &what));
        }
    }
    let mut offered: Vec<&str> =
        site.models.iter().flat_map(|m| m.workloads.iter().map(String::as_str)).collect();
    offered.sort_unstable();
    offered.dedup();
    for workload in spec.params.keys().filter(|w| !w.is_empty() && !offered.is_empty()) {
        if !offered.contains(&workload.as_str()) {
            let close = nearest(workload, offered.iter().copied());
            let what = format!("parameters of `{workload}`: no such workload{close}");
            return Err(named(&spec.places.params, workload, &what));
        }
    }
    let chosen: Vec<&str> =
        offered.iter().copied().filter(|w| named_by(&spec.workloads, w)).collect();
    for key in spec.params.get("").into_iter().flat_map(BTreeMap::keys) {
        if let Some(what) = check::unknown_param(&chosen, key) {
            return Err(Unable(what));
        }
    }
    for pattern in &spec.workloads {
        if !offered.is_empty() && !offered.iter().any(|w| glob_match(pattern, w)) {
            let close = nearest(pattern, offered.iter().copied());
            let what = format!("no workload `{pattern}`{close}; `amdahl list` shows all");
            return Err(named(&spec.places.workloads, pattern, &what));
        }
    }
    let models = || site.models.iter().filter(|m| named_by(&spec.models, &m.id));
    if chosen.contains(&"lock") {
        let params = ["", "lock"].iter().filter_map(|of| spec.params.get(*of));
        locks_exist(spec, params, models())?;
        // A plan's further cells are left out of a run of models that have no such lock.
        locks_exist(spec, spec.also.get("lock").into_iter().flatten(), site.models.iter())?;
    }
    Ok(models()
        .flat_map(|m| {
            let mine = m.workloads.iter().filter(|w| named_by(&spec.workloads, w));
            mine.map(move |w| (m, w.clone()))
        })
        .collect())
}

/// Each language has locks of its own, so a lock that one model has and others have not is fine; one that nobody has
/// is a typing error.
fn locks_exist<'c, 'm>(
    spec: &Spec,
    cells: impl Iterator<Item = &'c Values>,
    models: impl Iterator<Item = &'m ModelInfo>,
) -> Result<(), Unable> {
    let known: BTreeSet<&str> = models.flat_map(|m| &m.locks).map(String::as_str).collect();
    let mut asked = cells.filter_map(|values| values.get("lock")).flatten();
    let unknown = asked.find(|lock| !known.contains(lock.as_str()) && !known.is_empty());
    unknown.map_or(Ok(()), |lock| {
        let close = nearest(lock, known.iter().copied());
        let what = format!("no lock `{lock}`{close}; `amdahl list` shows all");
        Err(named(&spec.places.params, "lock", &what))
    })
}

/// Workloads whose models are compared with each other, block by block, not with their own N = 1.
pub fn across_models(workload: &str) -> bool {
    workload == "micro"
}

/// Where models are compared with each other their blocks of one number and parameters meet in time, so that a machine
/// that drifts changes both: all parameters of block 0, in random order, the models of each side by side; then block 1.
fn meetings(blocks: &[PlannedBlock]) -> impl Fn(&PlannedBlock) -> (u32, usize) + use<> {
    let mut first: BTreeMap<(u32, BTreeMap<String, String>), usize> = BTreeMap::new();
    for (k, b) in blocks.iter().enumerate().filter(|(_, b)| across_models(&b.workload)) {
        first.entry((b.block, b.params.clone())).or_insert(k);
    }
    move |b| match first.get(&(b.block, b.params.clone())) {
        Some(at) if across_models(&b.workload) => (b.block, *at),
        _ => (0, 0),
    }
}

fn add_blocks(
    blocks: &mut Vec<PlannedBlock>,
    spec: &Spec,
    site: &Site<'_>,
    model: &ModelInfo,
    workload: &str,
    params: &BTreeMap<String, String>,
) {
    if workload == "noop" && !(model.representative && model.main) {
        return;
    }
    let mut add = |first: u32, n: u32, kind: Kind, trials: Vec<PlannedTrial>| {
        for block in first..first + n {
            if !trials.is_empty() {
                blocks.push(PlannedBlock {
                    block,
                    tier: tier(model, workload, kind),
                    spare: kind == Kind::Spare,
                    model: model.id.clone(),
                    workload: workload.to_owned(),
                    params: params.clone(),
                    trials: trials.clone(),
                });
            }
        }
    };
    let one = |workers, arm, pass, set| planned(spec, site, workers, arm, pass, set);
    let cells = |counts: &[u32]| -> Vec<PlannedTrial> {
        let mut trials: Vec<_> =
            counts.iter().map(|n| one(*n, Arm::Model, Pass::Throughput, 0)).collect();
        if !io_bound(workload) && workload != "noop" {
            let ceilings = counts.iter().filter(|n| **n > 1);
            trials.extend(ceilings.map(|n| one(*n, Arm::Ceiling, Pass::Throughput, 0)));
        }
        trials
    };
    let (ends, others) = counts(spec, site, workload);
    let n = if io_bound(workload) {
        spec.io_blocks
    } else if model.representative || across_models(workload) {
        spec.blocks
    } else {
        spec.other_blocks
    };
    add(0, n, Kind::Ends, cells(&ends));
    if !across_models(workload) {
        add(2 * n, n, Kind::Spare, cells(&ends));
    }
    if !others.is_empty() {
        let with_one: Vec<u32> = [1].into_iter().chain(others).collect();
        add(n, n, Kind::Others, cells(&with_one));
    }
    let largest = telling(&ends, site.cpus, workload);
    let mut timed = vec![one(largest, Arm::Model, Pass::Latency, 0)];
    if workload == "lock" {
        // Who waits for whom, and how long, is the question itself: at every number of workers.
        timed = ends.iter().map(|n| one(*n, Arm::Model, Pass::Latency, 0)).collect();
    } else if largest > 1 && spec.latency_blocks > 1 {
        timed.push(one(1, Arm::Model, Pass::Latency, 0));
    }
    add(0, spec.latency_blocks, Kind::Passes, timed);
    if !io_bound(workload) && workload != "noop" {
        let sets = site.counter_sets.iter();
        let sets = sets.map(|set| one(largest, Arm::Model, Pass::Counters, *set));
        add(0, spec.counter_blocks, Kind::Passes, sets.collect());
    }
}

/// The worker count of the latency and counters passes: of waiting work the largest, of computing work
/// the one that decides, the largest that the CPUs can serve at once.
fn telling(counts: &[u32], cpus: u32, workload: &str) -> u32 {
    let last = *counts.last().expect("at least one worker count");
    if io_bound(workload) {
        return last;
    }
    counts.iter().copied().filter(|n| (2..=cpus).contains(n)).max().unwrap_or(last)
}

/// The worker counts measured first (1 and the decisive one), and the others.
fn counts(spec: &Spec, site: &Site<'_>, workload: &str) -> (Vec<u32>, Vec<u32>) {
    let with_one = |list: &[u32]| {
        let mut list: Vec<u32> = [1].iter().chain(list).copied().collect();
        list.sort_unstable();
        list.dedup();
        list
    };
    if across_models(workload) {
        return (vec![1], Vec::new());
    }
    if let Some(asked) = &spec.workers {
        return (with_one(asked), Vec::new());
    }
    if io_bound(workload) {
        return (with_one(&spec.io_workers), Vec::new());
    }
    let decisive = site.counts.iter().copied().filter(|n| *n >= 2 && *n <= site.cpus).max();
    let decisive = decisive.or_else(|| site.counts.iter().copied().find(|n| *n >= 2)).unwrap_or(2);
    let ends = with_one(&[decisive]);
    let others = match spec.counts {
        Counts::Ends => Vec::new(),
        Counts::All => site.counts.iter().copied().filter(|n| *n > 1 && *n != decisive).collect(),
    };
    (ends, others)
}

/// Every combination of the values of a workload's parameters; behind them those of its further cells.
fn params(spec: &Spec, model: &ModelInfo, workload: &str) -> Vec<BTreeMap<String, String>> {
    let own = |key: &str, values: &[&str]| {
        (key.to_owned(), values.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>())
    };
    let mut values = match workload {
        "sleep" => BTreeMap::from([own("sleep_ns", &["1000000"])]),
        "pipe" => BTreeMap::from([own("delay_ns", &["1000000"])]),
        "mem" => BTreeMap::from([own("kind", &["chase", "stream"])]),
        "serial" => BTreeMap::from([own("permille", &["250"])]),
        "lock" => BTreeMap::from([own("permille", &["250"])]),
        "micro" => BTreeMap::from([own("kind", &MICRO_KINDS)]),
        _ => BTreeMap::new(),
    };
    for of in ["", workload] {
        values.extend(spec.params.get(of).cloned().unwrap_or_default());
    }
    let also = spec.also.get(workload).into_iter().flatten().cloned();
    let mut sets: Vec<_> = [values]
        .into_iter()
        .chain(also)
        .flat_map(|mut values| {
            if workload == "lock" {
                let locks = values.entry("lock".to_owned()).or_insert_with(|| model.locks.clone());
                locks.retain(|lock| model.locks.contains(lock));
            }
            combinations(values)
        })
        .collect();
    let mut seen = BTreeSet::new();
    sets.retain(|set| seen.insert(set.clone()));
    sets
}

fn combinations(values: Values) -> Vec<BTreeMap<String, String>> {
    values.into_iter().fold(vec![BTreeMap::new()], |sets, (key, values)| {
        let with = |set: &BTreeMap<String, String>, value: &String| {
            let mut set = set.clone();
            set.insert(key.clone(), value.clone());
            set
        };
        sets.iter().flat_map(|set| values.iter().map(move |v| with(set, v))).collect()
    })
}

fn planned(
    spec: &Spec,
    site: &Site<'_>,
    workers: u32,
    arm: Arm,
    pass: Pass,
    counter_set: u32,
) -> PlannedTrial {
    PlannedTrial {
        seq: 0,
        workers,
        arm,
        pass,
        counter_set,
        placement: (site.place)(workers),
        seed: 0,
        env_pad_bytes: 0,
        window_ns: spec.window.as_nanos() as u64,
        windows_n: spec.windows,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ends,
    Others,
    Passes,
    Spare,
}

/// Tiers below are what every run must answer: spare blocks leave time for them.
pub const ESSENTIAL: u32 = 100;

/// Priority of a block, printed by `--dry-run`: what answers the question comes first.
fn tier(model: &ModelInfo, workload: &str, kind: Kind) -> u32 {
    if kind == Kind::Spare {
        // Every other CPython is measured once before any of them is measured again.
        return match tier(model, workload, Kind::Ends) {
            10..50 => 49,
            n @ (500..600 | 700..) => n / 100 * 100 + 99,
            n => n,
        };
    }
    let main = model.main;
    let both = matches!(model.lang.as_str(), "rust" | "python");
    // Processes are the way out where there is a lock, and what threads are compared with in Rust.
    let locked = model.lang == "rust" || model.switch_ns.is_some();
    let answer = main || model.mechanism.starts_with("processes") && locked;
    match (model.representative, workload, kind) {
        // One tier for all, or they could not meet.
        (_, w, Kind::Ends) if across_models(w) => 400,
        (_, w, _) if across_models(w) => 410,
        (true, "cpu", Kind::Ends) if answer && both => 0,
        (true, "sleep", Kind::Ends) if main && both && locked => 1,
        (true, "cpu", Kind::Passes) if main && both => 2,
        (false, "cpu", Kind::Ends) if main && model.lang == "python" => 10 + model.rank.min(38),
        (true, "cpu", Kind::Ends) if main => 50,
        (false, "cpu", Kind::Ends) if main => 100,
        (true, "cpu", Kind::Ends) => 110,
        (true, "cpu", Kind::Passes) if answer => 120,
        (true, "sleep", Kind::Ends) if main => 200,
        (true, "sleep", Kind::Passes) if main => 210,
        (true, "pipe", Kind::Ends) if main => 210,
        (true, "cpu", Kind::Others) => 300,
        (true, "cpu", Kind::Passes) => 350,
        (true, _, _) if main => 400,
        (false, "sleep", Kind::Ends) if main => 500 + model.rank,
        (true, _, _) => 600,
        (false, "cpu", Kind::Ends) => 700 + model.rank,
        _ => 800 + model.rank,
    }
}

/// What a tier is for, in words.
pub fn tier_text(tier: u32) -> &'static str {
    match tier {
        0 => "cpu at 1 and all CPUs: threads and processes of rust and one CPython per GIL class",
        1 => "sleep under threads of rust and of a CPython with a GIL",
        2 => "latency and counters of cpu under threads of the same",
        10..50 => "cpu under threads of every other CPython",
        50..100 => "cpu under threads of every other language",
        100..110 => "cpu under threads of their other versions",
        110..120 => "cpu under the other mechanisms and variants",
        120..200 => "latency and counters of cpu under processes and in the other languages",
        200..210 => "sleep under threads of every language",
        210..300 => "pipe, and sleep's latency",
        300..350 => "cpu at the other worker counts",
        350..400 => "latency and counters of the other mechanisms",
        400..500 => "remaining workloads under threads",
        500..600 => "sleep under threads of every other CPython",
        600..700 => "remaining workloads under other mechanisms",
        700..800 => "cpu under the other mechanisms of every other CPython",
        _ => "the rest",
    }
}

#[cfg(test)]
mod tests;
