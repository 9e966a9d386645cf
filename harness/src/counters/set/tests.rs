//! Every way to open and read a set that ends without a number, and one on the running kernel.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use super::super::calls::Kernel;
use super::super::calls::fake::{Fake, errno};
use super::*;
use crate::procfs::Roots;

fn software() -> EventSet {
    all(&[]).remove(0)
}

fn hardware() -> EventSet {
    all(&[]).remove(1)
}

fn opened(fake: &Fake, set: &EventSet, tids: &[u32]) -> Vec<Counter> {
    let context = Context { paranoid: Some(2), ..Context::default() };
    let mut open = CounterSet::open(fake, &context, set, tids);
    open.enable();
    open.disable();
    open.read()
}

fn row<'a>(counters: &'a [Counter], id: &str) -> &'a Counter {
    counters.iter().find(|c| c.id == id).unwrap_or_else(|| panic!("no row {id} in {counters:?}"))
}

fn reason_of<'a>(counters: &'a [Counter], id: &str) -> &'a str {
    &row(counters, id).absent.as_ref().expect("absent").reason
}

fn count_of(counters: &[Counter], id: &str) -> Option<u64> {
    Some(row(counters, id).value.as_ref()?.count)
}

#[test]
fn counts_and_times_are_summed_over_carriers() {
    let counters = opened(&Fake::answering(|_| Ok(())), &hardware(), &[5, 6, 7]);
    assert_eq!(counters.len(), 4);
    let value = row(&counters, "cycles").value.as_ref().expect("counted");
    assert_eq!((value.count, value.enabled_ns, value.running_ns), (30, Some(300), Some(300)));
    assert!(counters.iter().all(|c| c.source == "perf" && c.set == 1));
    assert!(opened(&Fake::answering(|_| Ok(())), &hardware(), &[]).is_empty());
}

#[test]
fn without_the_kernel_s_part_switches_are_absent_and_the_rest_says_so() {
    let fake = Fake::answering(|r| if r.kernel { errno(libc::EACCES) } else { Ok(()) });
    let counters = opened(&fake, &software(), &[5, 6]);
    assert_eq!(count_of(&counters, "task_clock"), Some(20), "counted whole in any case");
    for id in ["context_switches", "cpu_migrations"] {
        assert!(reason_of(&counters, id).contains("perf_event_paranoid 2"));
        let absent = row(&counters, id).absent.as_ref().expect("absent");
        assert!(absent.remedy.as_ref().is_some_and(|r| r.contains("CAP_PERFMON")));
    }
    assert!(reason_of(&counters, "minor_faults").starts_with("EACCES"));
    assert_eq!(count_of(&counters, "minor_faults:u"), Some(20));
    assert!(!counters.iter().any(|c| c.id == "context_switches:u"));
}

#[test]
fn each_errno_is_named_with_what_it_means() {
    let cases = [
        (libc::ENOENT, "no hardware PMU"),
        (libc::ENODEV, "no hardware PMU"),
        (libc::EACCES, "does not allow"),
        (libc::EPERM, "does not allow"),
        (libc::EMFILE, "open files"),
        (libc::ESRCH, "carrier 5 had ended"),
        (libc::EBUSY, "taken"),
        (libc::ENOSYS, "no perf_event_open"),
        (libc::E2BIG, "E2BIG"),
    ];
    for (code, words) in cases {
        let counters = opened(&Fake::answering(move |_| errno(code)), &hardware(), &[5]);
        assert_eq!(counters.len(), 4);
        for c in &counters {
            assert!(c.value.is_none(), "{}: an unknown count is never a number", c.id);
            assert!(reason_of(&counters, &c.id).contains(words), "{code}: {c:?}");
        }
    }
}

#[test]
fn an_event_that_one_carrier_lacks_has_no_sum_but_the_others_do() {
    let fake = Fake::answering(|r| match (r.tid, r.id) {
        (6, "branches") => errno(libc::EINVAL),
        (6, "branch_misses") => errno(libc::ENOENT),
        _ => Ok(()),
    });
    let counters = opened(&fake, &hardware(), &[5, 6, 7]);
    assert_eq!(count_of(&counters, "cycles"), Some(30));
    assert!(reason_of(&counters, "branches").contains("together with the rest"));
    assert!(reason_of(&counters, "branch_misses").contains("this CPU has no such event"));
}

#[test]
fn a_sum_never_mixes_scopes() {
    let fake =
        Fake::answering(|r| if r.kernel && r.tid == 6 { errno(libc::EACCES) } else { Ok(()) });
    for tids in [[5, 6], [6, 5]] {
        let counters = opened(&fake, &hardware(), &tids);
        assert!(reason_of(&counters, "cycles").contains("some of the carriers"));
    }
}

#[test]
fn a_set_that_never_ran_is_absent_and_a_multiplexed_one_keeps_its_times() {
    let mut fake = Fake::answering(|_| Ok(()));
    fake.running = 0;
    assert!(reason_of(&opened(&fake, &hardware(), &[5]), "cycles").contains("never had room"));
    fake.running = 60;
    let counters = opened(&fake, &hardware(), &[5]);
    assert_eq!(row(&counters, "cycles").scaled(), Some((10.0 * 100.0 / 60.0, true)));
    fake.read_error = Some(libc::EIO);
    assert!(reason_of(&opened(&fake, &hardware(), &[5]), "cycles").starts_with("EIO"));
}

#[test]
fn rows_known_to_be_absent_are_kept() {
    let gone = Absence { reason: "ENOENT: none".to_owned(), remedy: None };
    let known = Counter {
        id: "instructions".to_owned(),
        source: "perf".to_owned(),
        set: 1,
        value: None,
        absent: Some(gone),
    };
    let set = EventSet { absent: vec![known.clone()], ..software() };
    let counters = opened(&Fake::answering(|_| Ok(())), &set, &[5]);
    assert_eq!(counters[0], known);
    assert_eq!(counters.len(), 6);
}

#[test]
fn raw_codes_are_sets_of_their_own() {
    let raw: Vec<RawEvent> = (1..=3).map(|n| RawEvent { name: format!("e{n}"), code: n }).collect();
    let sets = all(&raw);
    let ids = |s: &EventSet| s.events.iter().map(|e| e.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&sets[RAW_SET as usize]), ["cycles", "instructions", "e1", "e2"]);
    assert_eq!(ids(&sets[RAW_SET as usize + 1]), ["cycles", "instructions", "e3"]);
    for (index, set) in sets.iter().enumerate() {
        assert_eq!(set.index as usize, index);
        assert!(set.events.len() <= if index == 0 { 5 } else { 4 });
    }
}

/// A shell that sleeps `n` times once it is told to: each sleep is a child it waits for.
#[test]
fn switches_of_another_process_are_counted_while_enabled() {
    let mut child = Command::new("sh")
        .args(["-c", "read x; for i in 1 2 3 4 5; do sleep 0.01; done; echo slept; read x"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sh");
    let mut input = child.stdin.take().expect("stdin");
    let mut out = BufReader::new(child.stdout.take().expect("stdout"));
    let context = Context::read(&Roots::default(), None);
    let mut open = CounterSet::open(&Kernel, &context, &software(), &[child.id()]);
    let before = open.read();
    open.enable();
    writeln!(input, "go").expect("written");
    let mut line = String::new();
    out.read_line(&mut line).expect("slept");
    open.disable();
    let counters = open.read();
    writeln!(input, "end").expect("written");
    child.wait().expect("reaped");
    if let Some(absent) = &row(&counters, "context_switches").absent {
        eprintln!("skipped: {}", absent.reason);
        return;
    }
    assert_eq!(count_of(&before, "context_switches"), Some(0), "stopped until enabled");
    let switches = count_of(&counters, "context_switches").expect("counted");
    // One wait a sleep, the read, and what the kernel adds: far from 0 and from a busy loop's ticks.
    assert!((5..200).contains(&switches), "{switches}");
    assert!(count_of(&counters, "minor_faults").expect("counted") > 0, "fork copies pages");
    let clock = row(&counters, "task_clock").value.as_ref().expect("counted");
    assert!(clock.count > 0 && clock.enabled_ns == clock.running_ns);
}
