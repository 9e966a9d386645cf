//! What the tracker gathered as the contract's [`Trace`]: classified, named, sorted. Pure but for the namer it is given.

use std::collections::{BTreeMap, BTreeSet};

use amdahl_schema::{
    BlindSpot, CallSite, Histogram, IdleWait, LockKind, SCHEMA_VERSION, TimeSummary, Trace,
    TracedLock, TracedThread, WakeEdge,
};
use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};

use super::blind;
use super::classify::{Edges, Verdict, classify, depth};
use super::times::Times;
use super::tracker::{Site, Tracker, Waits};

/// Names return addresses of a process, innermost first; several names an address where functions were inlined.
pub type Namer<'a> = dyn FnMut(u32, &[u64]) -> Vec<String> + 'a;

/// What the collector could see.
#[derive(Debug, Clone, Default)]
pub struct Sight {
    /// From the first instant traced to the last.
    pub duration_ns: u64,
    /// Wake-ups were traced.
    pub wakeups: bool,
    /// Blind spots that the collector knows of.
    pub blind_spots: Vec<BlindSpot>,
}

const CALLSITES_MAX: usize = 16;
const EDGES_MAX: usize = 64;

/// The result; how the program ended is for the caller to add.
pub fn trace(tracker: &Tracker, sight: &Sight, namer: &mut Namer<'_>) -> Trace {
    let frames = frames(tracker, namer);
    let verdicts = verdicts(tracker, &frames);
    let (mut locks, mut idle) = (Vec::new(), Vec::new());
    for ((pid, address, class), sites) in words(tracker, &verdicts) {
        let word = Word { pid, address, sites, frames: &frames };
        match class.idle {
            None => locks.push(word.lock(class.rule)),
            Some(_) => idle.push(word.idle(class)),
        }
    }
    locks.sort_by_key(|l: &TracedLock| std::cmp::Reverse(l.wait_ns.sum));
    idle.sort_by_key(|l: &IdleWait| std::cmp::Reverse(l.wait_ns.sum));
    locks.iter_mut().zip(1..).for_each(|(l, n)| l.id = format!("futex-{n}"));
    idle.iter_mut().zip(1..).for_each(|(l, n)| l.id = format!("idle-{n}"));
    let mut blind_spots = blind::spots(tracker, sight, &locks);
    blind_spots.extend(blind::guessed(tracker, &verdicts));
    blind_spots.extend(blind::hidden_moves(tracker));
    blind_spots.extend(sight.blind_spots.iter().cloned());
    Trace {
        schema: SCHEMA_VERSION,
        duration_ns: sight.duration_ns,
        events: tracker.events,
        lost_events: tracker.lost,
        exit_status: None,
        exit_signal: None,
        locks,
        threads: threads(tracker, sight, &verdicts),
        idle,
        blind_spots,
    }
}

type Frames = BTreeMap<(u32, u32), Vec<String>>;
/// What each site's waits are.
pub(super) type Verdicts = BTreeMap<Site, Verdict>;

/// Names of every call site that waited.
fn frames(tracker: &Tracker, namer: &mut Namer<'_>) -> Frames {
    let sites: BTreeSet<(u32, u32)> =
        tracker.sites.keys().map(|(pid, _, stack)| (*pid, *stack)).collect();
    sites.into_iter().map(|(p, s)| ((p, s), namer(p, &tracker.stacks[s as usize]))).collect()
}

/// One verdict a word and call site, with who wakes whom at all words that are waited at through the same functions in view.
fn verdicts(tracker: &Tracker, frames: &Frames) -> Verdicts {
    let kind = |pid: u32, stack: u32| {
        let frames = &frames[&(pid, stack)];
        (pid, &frames[..depth(frames)])
    };
    let mut of: BTreeMap<(u32, &[String]), Edges> = BTreeMap::new();
    for ((pid, _, stack), waits) in &tracker.sites {
        of.entry(kind(*pid, *stack)).or_default().extend(waits.edges.keys());
    }
    let verdict = |(&(pid, address, stack), word): (&Site, &Waits)| {
        let waits = classify(&frames[&(pid, stack)], word, &of[&kind(pid, stack)]);
        ((pid, address, stack), waits)
    };
    tracker.sites.iter().map(verdict).collect()
}

type Words<'a> = BTreeMap<(u32, u64, Verdict), Vec<(u32, &'a Waits)>>;

/// The same word may be a lock from one call site and a condition from another.
fn words<'a>(tracker: &'a Tracker, verdicts: &Verdicts) -> Words<'a> {
    let mut words: Words<'_> = BTreeMap::new();
    for (&(pid, address, stack), waits) in &tracker.sites {
        let verdict = verdicts[&(pid, address, stack)];
        words.entry((pid, address, verdict)).or_default().push((stack, waits));
    }
    // Calls that all found the word changed waited for nothing.
    words.retain(|_, sites| sites.iter().any(|(_, w)| w.waits > 0));
    words
}

struct Word<'a> {
    pid: u32,
    address: u64,
    sites: Vec<(u32, &'a Waits)>,
    frames: &'a Frames,
}

impl Word<'_> {
    fn sum(&self, f: impl Fn(&Waits) -> u64) -> u64 {
        self.sites.iter().map(|(_, w)| f(w)).sum()
    }

    fn merged(&self, of: impl Fn(&Waits) -> &Times) -> Times {
        let mut all = Times::default();
        self.sites.iter().for_each(|(_, w)| all.add(of(w)));
        all
    }

    fn lock(&self, rule: &str) -> TracedLock {
        let (wait, handoff) = (self.merged(|w| &w.wait), self.merged(|w| &w.handoff));
        let mut histograms = vec![histogram("wait", &wait)];
        if handoff.n > 0 {
            histograms.push(histogram("handoff", &handoff));
        }
        let waiters: BTreeSet<u32> =
            self.sites.iter().flat_map(|(_, w)| w.waiters.keys().copied()).collect();
        TracedLock {
            id: String::new(),
            kind: LockKind::Futex,
            pid: self.pid,
            address: format!("{:#x}", self.address),
            rule: Some(rule.to_owned()),
            waits: self.sum(|w| w.waits),
            timeouts: self.sum(|w| w.timeouts),
            eagain: Some(self.sum(|w| w.eagain)),
            wait_ns: summary(&wait),
            handoff_ns: (handoff.n > 0).then(|| summary(&handoff)),
            waiters: Some(waiters.len() as u64),
            histograms,
            callsites: self.callsites(),
            wakers: self.edges(),
            ..TracedLock::default()
        }
    }

    fn idle(&self, class: Verdict) -> IdleWait {
        IdleWait {
            id: String::new(),
            pid: self.pid,
            address: format!("{:#x}", self.address),
            class: class.idle.unwrap_or_default(),
            rule: class.rule.to_owned(),
            waits: self.sum(|w| w.waits),
            timeouts: self.sum(|w| w.timeouts),
            wait_ns: summary(&self.merged(|w| &w.wait)),
            callsites: self.callsites(),
            wakers: self.edges(),
        }
    }

    fn callsites(&self) -> Vec<CallSite> {
        // Two stacks may have the same names.
        let mut by_frames: BTreeMap<&[String], (u64, u64)> = BTreeMap::new();
        for (stack, w) in &self.sites {
            let sum = by_frames.entry(&self.frames[&(self.pid, *stack)]).or_default();
            *sum = (sum.0 + w.waits, sum.1 + w.wait.sum);
        }
        let site = |(frames, (waits, ns)): (&[String], _)| CallSite {
            frames: frames.to_vec(),
            waits,
            wait_ns_sum: ns,
        };
        let mut sites: Vec<CallSite> = by_frames.into_iter().map(site).collect();
        sites.sort_by_key(|s| std::cmp::Reverse(s.wait_ns_sum));
        sites.truncate(CALLSITES_MAX);
        sites
    }

    fn edges(&self) -> Vec<WakeEdge> {
        let mut all: BTreeMap<(u32, u32), (u64, u64)> = BTreeMap::new();
        for (key, (wakes, ns)) in self.sites.iter().flat_map(|(_, w)| &w.edges) {
            let sum = all.entry(*key).or_default();
            *sum = (sum.0 + wakes, sum.1 + ns);
        }
        let edge =
            |((waker, waiter), (wakes, ns))| WakeEdge { waker, waiter, wakes, wait_ns_sum: ns };
        let mut edges: Vec<WakeEdge> = all.into_iter().map(edge).collect();
        edges.sort_by_key(|e| std::cmp::Reverse(e.wait_ns_sum));
        edges.truncate(EDGES_MAX);
        edges
    }
}

/// In short.
pub fn summary(times: &Times) -> TimeSummary {
    TimeSummary {
        n: times.n,
        sum: times.sum,
        p50: times.at(0.5),
        p90: times.at(0.9),
        p99: times.at(0.99),
        p999: times.at(0.999),
        max: times.max,
    }
}

/// In full, as other readers of HdrHistogram know it.
pub fn histogram(name: &str, times: &Times) -> Histogram {
    use base64::Engine as _;
    let mut bytes = Vec::new();
    let all = V2DeflateSerializer::new().serialize(&times.histogram(), &mut bytes);
    all.expect("memory takes every byte");
    Histogram {
        name: name.to_owned(),
        unit: "ns".to_owned(),
        i: None,
        w: None,
        n: times.n,
        min: times.min,
        max: times.max,
        sum: times.sum,
        hdr: base64::engine::general_purpose::STANDARD.encode(bytes),
    }
}

fn threads(tracker: &Tracker, sight: &Sight, verdicts: &Verdicts) -> Vec<TracedThread> {
    let mut waits: BTreeMap<u32, (u64, u64, u64)> = BTreeMap::new();
    for (site, of) in &tracker.sites {
        let is_lock = verdicts[site].idle.is_none();
        for (tid, (n, ns)) in &of.waiters {
            let sum = waits.entry(*tid).or_default();
            *sum =
                if is_lock { (sum.0 + n, sum.1 + ns, sum.2) } else { (sum.0, sum.1, sum.2 + ns) };
        }
    }
    let row = |(tid, t): (&u32, &super::tracker::Thread)| {
        let (lock_waits, lock_wait_ns, idle_wait_ns) = waits.get(tid).copied().unwrap_or_default();
        let seen = |ns| t.switched.then_some(ns);
        TracedThread {
            tid: *tid,
            pid: t.pid,
            name: t.name.clone(),
            on_cpu_ns: seen(t.on_cpu_ns),
            // Without wake-ups a thread is not seen to become runnable: the rest is one sum.
            blocked_ns: seen(t.blocked_ns).filter(|_| sight.wakeups),
            runnable_ns: seen(t.runnable_ns).filter(|_| sight.wakeups),
            lock_waits,
            lock_wait_ns,
            idle_wait_ns,
        }
    };
    tracker.threads.iter().map(row).collect()
}
