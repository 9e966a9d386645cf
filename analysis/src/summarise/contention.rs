//! Trials of workload `lock` to one row a lock: times over trials, load, fairness, the bracket and what can be told apart.

use std::collections::{BTreeMap, BTreeSet};

use amdahl_stats::{
    Convoys, Held, Judgement, ParallelismRow, bracket, convoys, fairness, group, lock_load, lwss,
};

use super::latency::{at_shares, levels};
use super::rows::TrialRow;
use super::{geometric_estimate, mean_estimate};
use crate::load::{LockTrial, Times};
use crate::model::{ModelName, workload_key};
use crate::summary::{
    BEYOND_MIN, CcdfPoint, Estimate, LOCK_PERCENTILES, LockCell, LockCondition, LockRow, LockTimes,
    Turn,
};

/// Its id.
pub(super) const LOCK: &str = "lock";
/// Intervals of the working set size.
const INTERVALS: [u32; 7] = [4, 10, 30, 100, 300, 1000, 3000];
/// Turns of a timeline.
const TURNS: usize = 48;

type Key<'a> = (ModelName, &'a str, &'a str);

/// One a set of conditions; none where no lock was measured.
pub(super) fn conditions(
    trials: &[LockTrial],
    judgement: &Judgement,
    rates: &[TrialRow],
    cpus: u32,
) -> Vec<LockCondition> {
    let mut found: BTreeMap<String, Vec<&LockTrial>> = BTreeMap::new();
    for t in trials {
        found.entry(condition(&t.workload)).or_default().push(t);
    }
    let mut all: Vec<LockCondition> =
        found.into_iter().map(|(c, t)| one(c, &t, judgement, rates, cpus)).collect();
    if let [only] = all.as_mut_slice() {
        only.condition.clear(); // It tells nothing apart.
    }
    one_share(&mut all);
    all.sort_by_cached_key(|c| workload_key(&c.condition));
    all
}

/// Where all have the same share under their locks, it stands as p and tells no condition apart.
fn one_share(all: &mut [LockCondition]) {
    let share = |w: &&str| w.starts_with("permille=");
    let shares: BTreeSet<String> =
        all.iter().flat_map(|c| c.condition.split(' ').filter(share)).map(str::to_owned).collect();
    if shares.len() == 1 {
        for c in all {
            let rest: Vec<&str> = c.condition.split(' ').filter(|w| !share(w)).collect();
            c.condition = rest.join(" ");
        }
    }
}

/// What of a workload's name is not the lock. Locks that share cache lines or do not are compared, so layout is part of the lock.
fn condition(workload: &str) -> String {
    let lock = |w: &&str| !w.starts_with("lock=") && !w.starts_with("layout=");
    workload.split(' ').skip(1).filter(lock).collect::<Vec<_>>().join(" ")
}

/// Runtime, name, and layout where the run has several.
fn label(model: &str, lock: &str, workload: &str) -> String {
    let layout = workload.split(' ').find_map(|w| w.strip_prefix("layout="));
    let layout = layout.map_or_else(String::new, |l| format!(", {l}"));
    format!("{} {lock}{layout}", runtime(model))
}

fn one(
    condition: String,
    trials: &[&LockTrial],
    judgement: &Judgement,
    rates: &[TrialRow],
    cpus: u32,
) -> LockCondition {
    let counts: BTreeSet<u32> = trials.iter().map(|t| t.workers).collect();
    let served = counts.iter().copied().filter(|n| *n > 1 && *n <= cpus).max();
    let workers = served.or_else(|| counts.last().copied()).unwrap_or(1);
    let mut of: BTreeMap<Key<'_>, BTreeMap<u32, Vec<&LockTrial>>> = BTreeMap::new();
    for t in trials {
        let key = (ModelName::parse(&t.model), t.lock.as_str(), t.workload.as_str());
        of.entry(key).or_default().entry(t.workers).or_default().push(t);
    }
    let mut rows = Vec::new();
    let mut measures = Vec::new();
    for ((model, lock, workload), by_n) in &of {
        let mine = |r: &&TrialRow| r.model == model.id && r.workload == *workload;
        let rates: Vec<&TrialRow> =
            rates.iter().filter(|r| r.throughput && !r.ceiling).filter(mine).collect();
        let judged = |n: u32| {
            let found = judgement.parallelism.iter();
            found
                .into_iter()
                .find(|r| r.model == model.id && r.workload == *workload && r.workers == n)
        };
        let cells = by_n.iter().map(|(n, t)| cell((*n, cpus), t, &rates, judged(*n))).collect();
        let p99 = by_n
            .get(&workers)
            .into_iter()
            .flatten()
            .filter_map(|t| Some(at_shares(&t.wait.as_ref()?.histogram, &[0.01])[0]));
        measures.push(vec![block_rates(workers, &rates, judged(workers)), p99.collect()]);
        rows.push(LockRow {
            label: label(&model.id, lock, workload),
            model: model.id.clone(),
            lock: (*lock).to_owned(),
            group: String::new(),
            cells,
        });
    }
    let groups = group(&measures);
    for (k, row) in rows.iter_mut().enumerate() {
        row.group = groups.letters(k);
    }
    LockCondition {
        condition,
        p: trials.iter().find_map(|t| t.p),
        workers,
        cpus_available: cpus,
        locks: rows,
    }
}

fn runtime(model: &str) -> &str {
    model.split('/').next().unwrap_or(model)
}

/// Rates of the blocks that the judge used.
fn block_rates(n: u32, rates: &[&TrialRow], judged: Option<&ParallelismRow>) -> Vec<f64> {
    let used =
        |block: u32| n == 1 || judged.is_none_or(|r| r.points.iter().any(|p| p.block == block));
    let here = rates.iter().filter(|r| r.workers == n && used(r.block));
    here.filter_map(|r| r.rate).collect()
}

fn cell(
    (n, cpus): (u32, u32),
    trials: &[&LockTrial],
    rates: &[&TrialRow],
    judged: Option<&ParallelismRow>,
) -> LockCell {
    let speedup = judged.and_then(|r| r.speedup).map(Estimate::from);
    let lone = geometric_estimate(&block_rates(1, rates, None));
    let bracket = trials.iter().find_map(|t| t.p).and_then(|p| bracket(p, n, cpus));
    let place = bracket
        .zip(speedup)
        .zip(lone)
        .and_then(|((b, s), one)| Some(b.place(s.value, s.ci95?, 1e9 / one.value)));
    let load: Vec<_> = trials
        .iter()
        .filter_map(|t| {
            let waits: Vec<u64> =
                [&t.wait, &t.read_wait].into_iter().flatten().map(|w| w.sum_ns).collect();
            let (waited, hold) =
                ((!waits.is_empty()).then(|| waits.iter().sum())?, t.hold.as_ref());
            let load = lock_load(waited, hold.map_or(0, |h| h.sum_ns), t.span_ns, n, t.locks);
            Some((load?, hold.is_some()))
        })
        .collect();
    let fair: Vec<_> = trials.iter().filter_map(|t| fairness(&owners(t), n)).collect();
    let of = |values: Vec<f64>| mean_estimate(&values);
    let convoys: Vec<Convoys> = trials.iter().filter_map(|t| convoys(&held(t))).collect();
    let contended = trials.iter().filter_map(|t| {
        let handoffs = t.handoff.as_ref().map_or(0, |h| h.histogram.len());
        Some(handoffs as f64 / t.wait.as_ref()?.histogram.len() as f64)
    });
    LockCell {
        workers: n,
        rate: geometric_estimate(&block_rates(n, rates, judged)),
        speedup,
        bracket,
        place,
        wait: times(trials, |t| t.wait.as_ref()),
        hold: times(trials, |t| t.hold.as_ref()),
        read_wait: times(trials, |t| t.read_wait.as_ref()),
        read_hold: times(trials, |t| t.read_hold.as_ref()),
        handoff: times(trials, |t| t.handoff.as_ref()),
        // Without holds there is no lock, and so no hand-over that could be counted.
        contended: of(contended.collect()).filter(|_| load.iter().any(|l| l.1)),
        utilisation: of(load.iter().filter(|l| l.1).map(|l| l.0.utilisation).collect()),
        mean_waiters: of(load.iter().map(|l| l.0.mean_waiters).collect()),
        blocked_share: of(load.iter().map(|l| l.0.blocked_share).collect()),
        owner_changes: of(fair.iter().filter_map(|f| f.owner_changes).collect()),
        jain: of(fair.iter().map(|f| f.jain).collect()),
        lwss_100: of(fair.iter().filter_map(|f| f.lwss_100).collect()),
        mttr: of(fair.iter().filter_map(|f| f.mttr).collect()),
        convoys: (!convoys.is_empty()).then(|| convoys.iter().map(|c| c.count as u64).sum()),
        sampled: trials.iter().map(|t| t.owners.len() as u64).sum(),
        lwss: INTERVALS.iter().filter_map(|i| Some((*i, lwss_of(trials, *i)?))).collect(),
        owners: trials.iter().find(|t| !t.owners.is_empty()).map_or_else(Vec::new, |t| turns(t)),
    }
}

fn owners(t: &LockTrial) -> Vec<u32> {
    t.owners.iter().map(|a| a.w).collect()
}

fn held(t: &LockTrial) -> Vec<Held> {
    let of = |a: &amdahl_schema::Acquisition| Held {
        owner: a.w,
        requested_ns: a.requested_ns,
        acquired_ns: a.acquired_ns,
        released_ns: a.released_ns,
    };
    t.owners.iter().map(of).collect()
}

fn lwss_of(trials: &[&LockTrial], interval: u32) -> Option<f64> {
    let sizes: Vec<f64> =
        trials.iter().filter_map(|t| lwss(&owners(t), interval as usize)).collect();
    Some(mean_estimate(&sizes)?.value)
}

fn turns(t: &LockTrial) -> Vec<Turn> {
    let shown = &t.owners[..t.owners.len().min(TURNS)];
    let from = shown.iter().map(|a| a.acquired_ns).min().unwrap_or(0);
    let since = |ns: i64| (ns - from) as f64;
    let turn = |a: &amdahl_schema::Acquisition| Turn {
        worker: a.w,
        requested_ns: since(a.requested_ns),
        acquired_ns: since(a.acquired_ns),
        released_ns: since(a.released_ns),
    };
    shown.iter().map(turn).collect()
}

/// Percentiles within each trial, means and intervals over trials, as for the latency of operations.
fn times<'a>(
    trials: &[&'a LockTrial],
    of: impl Fn(&'a LockTrial) -> Option<&'a Times>,
) -> Option<LockTimes> {
    let times: Vec<&Times> = trials.iter().filter_map(|t| of(t)).collect();
    let enough =
        |share: f64| times.iter().all(|t| t.histogram.len() as f64 * share >= BEYOND_MIN - 1e-6);
    let over = |shares: &[f64]| -> Vec<Option<Estimate>> {
        let each: Vec<Vec<f64>> = times.iter().map(|t| at_shares(&t.histogram, shares)).collect();
        let value = |k: usize| geometric_estimate(&each.iter().map(|v| v[k]).collect::<Vec<_>>());
        shares.iter().enumerate().map(|(k, s)| value(k).filter(|_| enough(*s))).collect()
    };
    let shares = LOCK_PERCENTILES.map(|p| 1.0 - p / 100.0);
    let levels: Vec<f64> = levels().collect();
    let points = levels.iter().zip(over(&levels));
    let curve =
        points.filter_map(|(share, e)| Some(CcdfPoint { latency_ns: e?.value, share: *share }));
    let mut percentiles = [None; 4];
    percentiles.copy_from_slice(&over(&shares));
    Some(LockTimes {
        n: times.iter().map(|t| t.histogram.len()).sum(),
        percentiles,
        max_ns: times.iter().map(|t| t.max_ns).max()?,
        curve: curve.collect(),
    })
}
