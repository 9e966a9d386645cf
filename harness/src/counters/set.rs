//! One set of events, open as a group on every carrier, read as one sum an event.

use std::os::fd::{AsFd, OwnedFd};

use amdahl_schema::{Absence, Counter, CounterValue};

use super::calls::{Calls, Code, Request};
use super::event::RawEvent;
use super::metric::{DENOMINATORS, KernelPart, METRICS, Metric, RAW_SET};
use super::reason::{self, Context};

/// An event of a set.
#[derive(Debug, Clone)]
pub struct Event {
    /// Id in the record.
    pub id: String,
    code: Code,
    kernel: KernelPart,
}

/// Events that are open together.
#[derive(Debug, Clone)]
pub struct EventSet {
    /// Its number in the record.
    pub index: u32,
    /// What is opened.
    pub events: Vec<Event>,
    /// Rows known to be absent before anything is opened; added to what is read.
    pub absent: Vec<Counter>,
}

impl Event {
    /// A named or raw event.
    pub(super) fn new(id: &str, code: Code, kernel: KernelPart) -> Self {
        Self { id: id.to_owned(), code, kernel }
    }
}

/// A set open on the carriers of a trial, stopped until [`CounterSet::enable`].
pub struct CounterSet<'a> {
    calls: &'a dyn Calls,
    index: u32,
    slots: Vec<Slot>,
    groups: Vec<Group>,
    known_absent: Vec<Counter>,
}

/// An event over all carriers.
struct Slot {
    id: String,
    /// Why it has no count; the first reason stands.
    absent: Option<Absence>,
    /// Why the kernel's part is missing, once a carrier's counter was opened without it.
    user_only: Option<Absence>,
    /// Carriers it is open on.
    opened: usize,
}

/// One carrier's descriptors; the first is the leader. `slots` are the events behind them.
#[derive(Default)]
struct Group {
    fds: Vec<OwnedFd>,
    slots: Vec<usize>,
    hardware: bool,
}

/// The sets of the table and, last, the raw ones, two codes each.
pub(super) fn all(raw: &[RawEvent]) -> Vec<EventSet> {
    let of = |m: &Metric| Some(Event::new(m.id, Code::Named(m.code.clone()?), m.kernel));
    let denominators = || METRICS.iter().filter(|m| DENOMINATORS.contains(&m.id)).filter_map(of);
    let mut sets: Vec<EventSet> = (0..RAW_SET)
        .map(|index| {
            let mut events: Vec<Event> =
                if index > 1 { denominators().collect() } else { Vec::new() };
            events.extend(METRICS.iter().filter(|m| m.set == Some(index)).filter_map(of));
            EventSet { index, events, absent: Vec::new() }
        })
        .collect();
    for (index, codes) in (RAW_SET..).zip(raw.chunks(2)) {
        let mut events: Vec<Event> = denominators().collect();
        let of = |raw: &RawEvent| Event::new(&raw.name, Code::Raw(raw.code), KernelPart::Some);
        events.extend(codes.iter().map(of));
        sets.push(EventSet { index, events, absent: Vec::new() });
    }
    sets
}

impl<'a> CounterSet<'a> {
    /// Opens `set` on every carrier. Never fails: what can't be opened is absent with its reason.
    pub fn open(calls: &'a dyn Calls, context: &Context, set: &EventSet, tids: &[u32]) -> Self {
        let slot = |e: &Event| Slot { id: e.id.clone(), absent: None, user_only: None, opened: 0 };
        let mut open = Self {
            calls,
            index: set.index,
            slots: set.events.iter().map(slot).collect(),
            groups: Vec::with_capacity(tids.len()),
            known_absent: set.absent.clone(),
        };
        for &tid in tids {
            let mut group = Group::default();
            for (index, event) in set.events.iter().enumerate() {
                if open.slots[index].absent.is_none() {
                    open.join(&mut group, context, event, index, tid);
                }
            }
            if !group.fds.is_empty() {
                open.groups.push(group);
            }
        }
        open
    }

    /// Starts counting, a call a carrier.
    pub fn enable(&mut self) {
        self.control(true);
    }

    /// Stops counting.
    pub fn disable(&mut self) {
        self.control(false);
    }

    /// Every event's sum over the carriers, absent ones included.
    pub fn read(&mut self) -> Vec<Counter> {
        let mut sums = vec![
            CounterValue { count: 0, enabled_ns: Some(0), running_ns: Some(0) };
            self.slots.len()
        ];
        for group in &self.groups {
            match self.calls.read(group.fds[0].as_fd(), group.fds.len()) {
                Ok(words) => add(&mut sums, group, &words),
                Err(e) => {
                    for &slot in &group.slots {
                        self.slots[slot].absent.get_or_insert_with(|| reason::unreadable(&e));
                    }
                }
            }
        }
        let mut counters = self.known_absent.clone();
        for (slot, sum) in self.slots.iter().zip(sums) {
            counters.extend(slot.counters(self.index, sum));
        }
        counters
    }

    /// Whether at least one event is open on all carriers.
    pub(super) fn counts_something(&self) -> bool {
        self.slots.iter().any(|s| s.absent.is_none() && s.opened > 0)
    }

    /// The events of `set` that are open, and the rows of those that are not; a set of which only the
    /// denominators are left is not worth a trial.
    pub(super) fn split(&mut self, set: &EventSet) -> (Vec<Event>, Vec<Counter>) {
        let own = |id: &str| set.index <= 1 || !DENOMINATORS.contains(&id);
        let open = |e: &&Event| self.slots.iter().any(|s| s.id == e.id && s.absent.is_none());
        let mut events: Vec<Event> = set.events.iter().filter(open).cloned().collect();
        if !events.iter().any(|e| own(&e.id)) {
            events.clear();
        }
        let failed = self.slots.iter().filter(|s| own(&s.id));
        let row = |s: &Slot| Some(s.row(self.index, &s.id, Err(s.absent.clone()?)));
        (events, failed.filter_map(row).collect())
    }

    fn control(&mut self, on: bool) {
        for group in &self.groups {
            if let Err(e) = self.calls.control(group.fds[0].as_fd(), on) {
                for &slot in &group.slots {
                    self.slots[slot].absent.get_or_insert_with(|| reason::unreadable(&e));
                }
            }
        }
    }

    /// Opens one event on one carrier and adds it to the carrier's group.
    fn join(
        &mut self,
        group: &mut Group,
        context: &Context,
        event: &Event,
        index: usize,
        tid: u32,
    ) {
        let slot = &mut self.slots[index];
        let calls = self.calls;
        let leader = group.fds.first().map(AsFd::as_fd);
        let request = |kernel| Request { id: &event.id, code: &event.code, tid, leader, kernel };
        let pmu_answers = context.pmu_answers || group.hardware;
        let why = |r: &Request<'_>, e: &std::io::Error| context.absence(r, e, pmu_answers);
        let whole = request(event.kernel != KernelPart::Never);
        let opened = match calls.open(&whole) {
            Ok(_) if slot.user_only.is_some() => Err(reason::mixed()),
            Ok(fd) => Ok(fd),
            Err(e) if denied(&e) && event.kernel.dispensable() => {
                let user = request(false);
                match calls.open(&user) {
                    Err(e) => Err(why(&user, &e)),
                    Ok(fd) if event.kernel == KernelPart::Ignored => Ok(fd),
                    Ok(_) if slot.opened > 0 && slot.user_only.is_none() => Err(reason::mixed()),
                    Ok(fd) => {
                        slot.user_only.get_or_insert_with(|| why(&whole, &e));
                        Ok(fd)
                    }
                }
            }
            Err(e) => Err(why(&whole, &e)),
        };
        match opened {
            Ok(fd) => {
                slot.opened += 1;
                group.hardware |= whole.is_hardware();
                group.fds.push(fd);
                group.slots.push(index);
            }
            Err(absent) => slot.absent = Some(absent),
        }
    }
}

impl Slot {
    /// Its rows: one, or two where only the user's part could be counted.
    fn counters(&self, set: u32, sum: CounterValue) -> Vec<Counter> {
        if let Some(absent) = &self.absent {
            return vec![self.row(set, &self.id, Err(absent.clone()))];
        }
        // No carrier at all: there is nothing to say about, not even 0.
        if self.opened == 0 {
            return Vec::new();
        }
        let starved = sum.running_ns == Some(0) && sum.enabled_ns > Some(0);
        let value = if starved { Err(reason::never_scheduled()) } else { Ok(sum) };
        match &self.user_only {
            None => vec![self.row(set, &self.id, value)],
            Some(why) => vec![
                self.row(set, &self.id, Err(why.clone())),
                self.row(set, &format!("{}:u", self.id), value),
            ],
        }
    }

    fn row(&self, set: u32, id: &str, value: Result<CounterValue, Absence>) -> Counter {
        let (value, absent) = match value {
            Ok(value) => (Some(value), None),
            Err(absent) => (None, Some(absent)),
        };
        Counter { id: id.to_owned(), source: "perf".to_owned(), set, value, absent }
    }
}

fn add(sums: &mut [CounterValue], group: &Group, words: &[u64]) {
    let (enabled, running) = (words[1], words[2]);
    for (&slot, count) in group.slots.iter().zip(&words[3..]) {
        let sum = &mut sums[slot];
        sum.count += count;
        sum.enabled_ns = sum.enabled_ns.map(|ns| ns + enabled);
        sum.running_ns = sum.running_ns.map(|ns| ns + running);
    }
}

fn denied(error: &std::io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EACCES | libc::EPERM))
}

#[cfg(test)]
mod tests;
