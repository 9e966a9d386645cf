//! Counters of the carriers, opened from outside, identically for every language.
//!
//! [`METRICS`] is the one table: what is counted, in which unit, by which code, in which set. A set
//! holds the events that are open together and fits a PMU, so ratios within one are never taken over
//! multiplexed counters. What can't be counted is a row with its reason and remedy, never 0.
//! Nothing here knows trials; derived figures (IPC, misses an operation) belong to the analysis.

mod calls;
mod event;
mod limit;
mod metric;
mod prove;
mod reason;
mod set;

use amdahl_schema::{Absence, Counter, CounterValue, ProcDelta};

use crate::procfs::Memory;

pub use calls::{Calls, Code, Kernel, Request};
pub use event::{EventSyntax, RawEvent};
pub use limit::{NofileLimit, raise_nofile_limit};
pub use metric::{Better, KernelPart, METRICS, Metric};
pub use prove::{Proof, prove_pmu};
pub use reason::Context;
pub use set::{CounterSet, Event, EventSet};

/// The sets worth a trial each: set 0 (software events) always, a further one only if something in it
/// can be counted here. What can't be is in the first set's `absent`, so it is recorded once.
///
/// Tried by opening every event on the calling thread.
pub fn plan_sets(calls: &dyn Calls, context: &Context, raw: &[RawEvent]) -> Vec<EventSet> {
    let own = rustix::thread::gettid().as_raw_nonzero().get() as u32;
    let mut planned: Vec<EventSet> = Vec::new();
    let mut pmu_answers = false;
    for wanted in set::all(raw) {
        let context = Context { pmu_answers, ..context.clone() };
        let mut open = CounterSet::open(calls, &context, &wanted, &[own]);
        pmu_answers |= wanted.index > 0 && open.counts_something();
        let (events, absent) = open.split(&wanted);
        match planned.first_mut() {
            Some(first) if events.is_empty() => first.absent.extend(absent),
            Some(first) => {
                first.absent.extend(absent);
                planned.push(EventSet { index: wanted.index, events, absent: Vec::new() });
            }
            None => planned.push(EventSet { index: wanted.index, events, absent }),
        }
    }
    planned
}

/// The figures of /proc beside those of perf, summed over the carriers; absent if one carrier's is.
pub fn proc_counters(carriers: &[ProcDelta], set: u32) -> Vec<Counter> {
    summed(carriers, set, |m| m.proc, reason::no_proc_figure)
}

/// The memory of a worker's processes, summed over them; absent if one of them does not say.
pub fn memory_counters(processes: &[Memory]) -> Vec<Counter> {
    summed(processes, 0, |m| m.process, reason::no_memory_figure)
}

/// What one carrier or process tells of a metric.
type Figure<T> = fn(&T) -> Option<u64>;

fn summed<T>(
    parts: &[T],
    set: u32,
    field: fn(&Metric) -> Option<Figure<T>>,
    why_not: fn() -> Absence,
) -> Vec<Counter> {
    METRICS
        .iter()
        .filter_map(|m| Some((m, field(m)?)))
        .map(|(m, field)| {
            let sum: Option<u64> = parts.iter().map(field).sum();
            let value = sum.filter(|_| !parts.is_empty());
            let count = |count| CounterValue { count, enabled_ns: None, running_ns: None };
            Counter {
                id: m.id.to_owned(),
                source: "proc".to_owned(),
                set,
                value: value.map(count),
                absent: value.is_none().then(why_not),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::calls::fake::{Fake, errno};
    use super::*;

    #[test]
    fn without_a_pmu_one_set_stays_and_names_what_is_missing() {
        let fake = Fake::answering(|r| if r.is_hardware() { errno(libc::ENOENT) } else { Ok(()) });
        let context = Context { hypervisor: Some("KVM".to_owned()), ..Context::default() };
        let sets = plan_sets(&fake, &context, &[]);
        assert_eq!(sets.len(), 1);
        assert_eq!(sets[0].events.len(), 5);
        let instructions =
            sets[0].absent.iter().find(|c| c.id == "instructions").expect("a row of its own");
        let absent = instructions.absent.as_ref().expect("absent");
        assert!(absent.reason.starts_with("ENOENT: no hardware PMU"), "{}", absent.reason);
        assert!(absent.remedy.as_ref().is_some_and(|r| r.contains("pmu")), "{absent:?}");
        let mut ids: Vec<_> = sets[0].absent.iter().map(|c| (&c.id, c.set)).collect();
        let all = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), all);
    }

    #[test]
    fn with_a_pmu_each_set_has_its_trial_and_a_missing_event_is_the_cpu_s() {
        let stalled = |r: &Request<'_>| r.id.starts_with("stalled_cycles_b");
        let fake = Fake::answering(move |r| if stalled(r) { errno(libc::ENOENT) } else { Ok(()) });
        let raw = ["l3_hit=r04d1".parse().expect("a raw event")];
        let sets = plan_sets(&fake, &Context::default(), &raw);
        assert!(sets.len() >= 5);
        assert!(sets.iter().all(|s| s.events.len() <= 5));
        assert_eq!(sets.last().expect("raw").events.last().expect("one").id, "l3_hit");
        let absent: Vec<_> = sets[0].absent.iter().filter_map(|c| c.absent.as_ref()).collect();
        assert_eq!(absent.len(), 1);
        assert!(absent[0].reason.contains("this CPU has no such event"), "{}", absent[0].reason);
    }

    #[test]
    fn memory_sums_over_processes_and_is_absent_if_one_is() {
        let one = Memory { peak_rss: Some(5000), pss: Some(3000) };
        let rows = memory_counters(&[one, Memory { pss: None, ..one }]);
        let ids: Vec<_> = rows.iter().map(|c| c.id.as_str()).collect();
        assert_eq!(ids, ["peak_rss", "pss"]);
        assert_eq!(rows[0].value.as_ref().map(|v| v.count), Some(10_000));
        assert!(rows[1].value.is_none() && rows[1].absent.is_some());
        assert!(memory_counters(&[]).iter().all(|c| c.absent.is_some()));
    }

    #[test]
    fn proc_sums_over_carriers_and_is_absent_if_one_is() {
        let one =
            ProcDelta { cpu_ns: Some(5), vcsw: Some(2), ivcsw: Some(1), ..ProcDelta::default() };
        let other =
            ProcDelta { cpu_ns: Some(7), vcsw: Some(4), ivcsw: None, ..ProcDelta::default() };
        let rows = proc_counters(&[one, other], 3);
        let count = |id: &str| {
            let row = rows.iter().find(|c| c.id == id).expect("a row");
            assert!(row.value.is_some() != row.absent.is_some());
            assert_eq!((row.source.as_str(), row.set), ("proc", 3));
            row.value.as_ref().map(|v| v.count)
        };
        assert_eq!(count("task_clock"), Some(12));
        assert_eq!(count("voluntary_switches"), Some(6));
        assert_eq!(count("context_switches"), None, "one carrier's part is unknown");
        assert!(proc_counters(&[], 0).iter().all(|c| c.value.is_none()));
    }
}
