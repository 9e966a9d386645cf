//! Streams made up by hand: what goes in is known, so what comes out must be.

use amdahl_schema::{IdleClass, Trace};
use proptest::prelude::*;

use super::classify::{Edges, classify, depth};
use super::decode::{Fields, Role, Roles, decode};
use super::event::{Call, Event, Kind, MOVES, Mapping, Move, User, WAITS, call_filter};
use super::format::Format;
use super::result::{Sight, trace};
use super::tracker::{Tracker, Waits};
use super::unwind::WITH_LINK;

const PID: u32 = 100;

fn event(time: u64, tid: u32, kind: Kind) -> Event {
    Event { time, pid: PID, tid, kind }
}

fn wait(address: u64, value: u32) -> Kind {
    Kind::Wait(Call { address, op: 9, value: Some(value), stack: vec![0x10], user: None })
}

/// Threads 100 to 102 of process 100, and what they did.
fn tracked(events: Vec<Event>) -> Tracker {
    let mut tracker = Tracker::default();
    let threads = [100, 101, 102].map(|tid| (tid, format!("t{tid}")));
    tracker.follow(PID, &threads, Vec::new(), 0);
    events.into_iter().for_each(|e| tracker.feed(e));
    tracker.end(1_000_000);
    tracker
}

fn traced(tracker: &Tracker) -> Trace {
    let sight = Sight { duration_ns: 1_000_000, wakeups: true, blind_spots: Vec::new() };
    trace(tracker, &sight, &mut |_, stack| stack.iter().map(|ip| format!("at{ip:x}")).collect())
}

#[test]
fn a_wait_lasts_from_call_to_return_and_knows_its_waker() {
    let result = traced(&tracked(vec![
        event(1_000, 101, wait(0xa0, 2)),
        event(1_500, 101, Kind::Out { preempted: false }),
        event(61_000, 102, Kind::Waking(101)),
        event(64_000, 101, Kind::In),
        event(65_000, 101, Kind::Return(0)),
    ]));
    let lock = &result.locks[0];
    assert_eq!((lock.waits, lock.wait_ns.sum, lock.wait_ns.max), (1, 64_000, 64_000));
    assert_eq!((lock.timeouts, lock.eagain, lock.waiters), (0, Some(0), Some(1)));
    assert_eq!(lock.handoff_ns.unwrap().sum, 3_000);
    let edge = lock.wakers[0];
    assert_eq!((edge.waker, edge.waiter, edge.wakes, edge.wait_ns_sum), (102, 101, 1, 64_000));
    assert_eq!(lock.callsites[0].frames, ["at10"]);
    let thread = result.threads.iter().find(|t| t.tid == 101).unwrap();
    assert_eq!((thread.name.as_str(), thread.lock_wait_ns), ("t101", 64_000));
    assert_eq!((thread.blocked_ns, thread.runnable_ns), (Some(59_500), Some(3_000)));
    assert_eq!(thread.on_cpu_ns, Some(936_000), "from its first switch in to the end");
}

#[test]
fn timeouts_and_changed_words_stand_apart() {
    let result = traced(&tracked(vec![
        event(1_000, 101, wait(0xa0, 2)),
        event(2_000, 101, Kind::Return(-i64::from(libc::ETIMEDOUT))),
        event(3_000, 101, wait(0xa0, 2)),
        event(3_100, 101, Kind::Return(-i64::from(libc::EAGAIN))),
        event(4_000, 101, wait(0xb0, 2)),
        event(4_100, 101, Kind::Return(-i64::from(libc::EAGAIN))),
    ]));
    assert_eq!(result.locks.len(), 1, "nobody waited at the other word");
    let lock = &result.locks[0];
    assert_eq!((lock.waits, lock.timeouts, lock.eagain), (1, 1, Some(1)));
    assert_eq!(lock.wait_ns.sum, 1_000);
}

#[test]
fn joins_are_idle_and_what_has_not_returned_counts_up_to_the_end() {
    let result = traced(&tracked(vec![event(400_000, 100, wait(0xc0, 101))]));
    assert_eq!(result.locks, []);
    assert_eq!((result.idle[0].class, result.idle[0].wait_ns.sum), (IdleClass::Join, 600_000));
    assert!(result.idle[0].rule.contains("id of a thread"));
    assert!(result.blind_spots.iter().any(|s| s.what == "unfinished waits"));
}

#[test]
fn threads_and_children_are_followed_and_strangers_are_not() {
    let other = |pid, kind| Event { time: 10, pid, tid: pid, kind };
    let tracker = tracked(vec![
        other(200, wait(0xa0, 2)),
        event(20, 103, Kind::Fork { parent: PID }),
        Event { time: 30, pid: 300, tid: 300, kind: Kind::Fork { parent: PID } },
        Event { time: 40, pid: 300, tid: 300, kind: wait(0xa0, 2) },
        Event { time: 90, pid: 300, tid: 300, kind: Kind::Return(0) },
        Event { time: 95, pid: 300, tid: 300, kind: Kind::Exit },
    ]);
    assert_eq!(tracker.threads.keys().copied().collect::<Vec<_>>(), [100, 101, 102, 103, 300]);
    let result = traced(&tracker);
    assert_eq!(
        (result.locks.len(), result.locks[0].pid, result.locks[0].wait_ns.sum),
        (1, 300, 50)
    );
}

#[test]
fn a_new_program_has_other_code() {
    let code = |path: &str| Mapping { start: 0, len: 9, offset: 0, path: path.to_owned() };
    let tracker = tracked(vec![
        event(1, 100, Kind::Map(code("old"))),
        event(2, 100, Kind::Name { name: "new".to_owned(), exec: true }),
        event(3, 100, Kind::Map(code("new"))),
    ]);
    assert_eq!(tracker.processes[&PID], [code("new")]);
    assert_eq!(tracker.threads[&100].name, "new");
}

#[test]
fn lost_records_are_counted_bounded_and_leave_no_wait_that_never_was() {
    let result = traced(&tracked(vec![
        event(1_000, 101, wait(0xa0, 2)),
        event(2_000, 101, Kind::Lost(7)),
        event(900_000, 101, wait(0xa0, 2)),
        event(901_000, 101, Kind::Return(0)),
    ]));
    assert_eq!((result.lost_events, result.locks[0].wait_ns.sum), (7, 1_000));
    let spot = result.blind_spots.iter().find(|s| s.what == "lost records").unwrap();
    assert!(spot.hidden_ns_max.is_some() && spot.why.contains('7'));
}

#[test]
fn what_only_wakers_tell_is_told_as_a_guess_with_its_time() {
    let result = traced(&tracked(vec![
        event(1_000, 101, wait(0xb0, 7)),
        event(9_000, 100, Kind::Waking(101)),
        event(9_500, 101, Kind::Return(0)),
    ]));
    assert_eq!((result.locks.len(), result.idle.len()), (0, 1));
    let spot = result.blind_spots.iter().find(|s| s.what == "idle by who woke whom").unwrap();
    assert_eq!(spot.hidden_ns_max, Some(8_500));
}

/// A site where these waited, woken by those.
fn site(waiters: &[u32], edges: &[(u32, u32)], timeouts: u64) -> Waits {
    Waits {
        waits: waiters.len() as u64,
        timeouts,
        waiters: waiters.iter().map(|t| (*t, (1, 1))).collect(),
        edges: edges.iter().map(|e| (*e, (1, 1))).collect(),
        ..Waits::default()
    }
}

fn edges(sites: &[&Waits]) -> Edges {
    sites.iter().flat_map(|w| w.edges.keys().copied()).collect()
}

#[test]
fn who_calls_a_condition_of_the_c_library_tells_what_it_is_for() {
    let named = |frames: &[&str]| frames.iter().map(|f| (*f).to_owned()).collect::<Vec<_>>();
    let of = |frames: &[&str], sites: &[&Waits]| classify(&named(frames), sites[0], &edges(sites));
    let (one, other) = (site(&[1], &[(2, 1)], 0), site(&[2], &[(1, 2)], 0));
    let idle = |frames: &[&str]| of(frames, &[&one]).idle;
    let monitor = ["libc.so.6+0x9", "pthread_cond_wait", "Monitor::wait(long)"];
    assert_eq!(idle(&monitor), Some(IdleClass::Condition));
    let gil = ["libc.so.6+0x9", "pthread_cond_timedwait", "_PyEval_EvalFrameDefault", "main"];
    assert_eq!(idle(&gil), None);
    let queue = ["libc.so.6+0x9", "pthread_cond_timedwait", "take", "_PyEval_EvalFrameDefault"];
    assert_eq!(idle(&queue), Some(IdleClass::Condition));
    // Java parks for locks and for conditions: taking turns decides, else it is a guess.
    let park = ["___pthread_cond_wait (x.c:1)", "Parker::park(bool, long)", "Unsafe_Park"];
    assert_eq!(of(&park, &[&one, &other]).idle, None);
    assert!(of(&park, &[&one]).guess);
    let depths = [&gil[..], &park[..], &["main"][..], &[][..]].map(|f| depth(&named(f)));
    assert_eq!(depths, [3, 2, 1, 0]);
}

#[test]
fn who_wakes_whom_tells_locks_from_pools_conditions_and_timers() {
    let of = |sites: &[&Waits]| classify(&[], sites[0], &edges(sites)).idle;
    assert_eq!(of(&[&site(&[1, 2], &[(1, 2), (2, 1)], 0)]), None);
    // Parked each on a word of its own: the call site tells, for those who take turns alone.
    let (one, other) = (site(&[1], &[(2, 1)], 0), site(&[2], &[(1, 2)], 0));
    let pair = [&one, &other];
    let idle = site(&[3], &[(1, 3)], 0);
    assert_eq!(of(&pair), None);
    assert_eq!(of(&[&idle, pair[0], pair[1]]), Some(IdleClass::Condition));
    assert_eq!(of(&[&site(&[1, 2], &[(9, 2), (9, 1)], 0)]), Some(IdleClass::Pool));
    assert_eq!(of(&[&site(&[1], &[(9, 1)], 0)]), Some(IdleClass::Condition));
    assert_eq!(of(&[&site(&[1, 2], &[], 2)]), Some(IdleClass::Timer));
    assert_eq!(of(&[&site(&[1, 2], &[], 0)]), Some(IdleClass::Condition));
}

#[test]
fn functions_tell_before_words_and_locks_before_what_they_are_built_from() {
    let of = |frame: &str| {
        let two = Waits { expected_two: 1, ..site(&[1], &[(9, 1)], 0) };
        classify(&[frame.to_owned()], &two, &edges(&[&two])).idle
    };
    assert_eq!(of("pthread_cond_wait"), Some(IdleClass::Condition));
    assert_eq!(of("main"), None, "the word holds 2");
    let gil = ["pthread_cond_timedwait".to_owned(), "take_gil (ceval_gil.c:1)".to_owned()];
    let one = site(&[1], &[(9, 1)], 0);
    assert_eq!(classify(&gil, &one, &edges(&[&one])).idle, None);
    assert_eq!(of("std::thread::JoinHandle<T>::join"), Some(IdleClass::Join));
    assert_eq!(of("rayon_core::sleep::Sleep::sleep"), Some(IdleClass::Pool));
}

const FORMAT: &str = "name: sys_enter_futex\nID: 522\nformat:\n\
    \tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\n\
    \tfield:u32 * uaddr;\toffset:16;\tsize:8;\tsigned:0;\n\
    \tfield:int op;\toffset:24;\tsize:8;\tsigned:0;\n\
    \tfield:u32 val;\toffset:32;\tsize:8;\tsigned:0;\n\
    \tfield:const struct __kernel_timespec * utime;\toffset:40;\tsize:8;\tsigned:0;\n\
    \tfield:u32 * uaddr2;\toffset:48;\tsize:8;\tsigned:0;\n\
    \tfield:char comm[16];\toffset:56;\tsize:16;\tsigned:0;\n\nprint fmt: \"\"\n";

#[test]
fn offsets_are_those_of_the_format() {
    let format = Format::parse(FORMAT).unwrap();
    assert_eq!(
        (format.id, format.fields["uaddr"], format.fields["comm"]),
        (522, (16, 8), (56, 16))
    );
    let role = Role::of("syscalls/sys_enter_futex", &format).unwrap();
    assert_eq!(role, FUTEX);
    assert_eq!(Role::of("syscalls/sys_exit_futex", &format), None, "no `ret`");
    assert_eq!(Format::parse("nothing"), None);
}

const FUTEX: Role = Role::Futex(Fields { address: 16, op: 24, value: 32, limit: 40, target: 48 });

/// A sample as the kernel lays it out: ids, the tracepoint's fields, registers, stack.
fn sample(raw: &[u8], tail: &[u64]) -> Vec<u8> {
    let mut body = Vec::new();
    for word in [77u64, (u64::from(PID)) | (101 << 32), 5_000] {
        body.extend(word.to_ne_bytes());
    }
    body.extend((raw.len() as u32).to_ne_bytes());
    body.extend(raw);
    tail.iter().for_each(|word| body.extend(word.to_ne_bytes()));
    let mut record = Vec::new();
    record.extend(9u32.to_ne_bytes());
    record.extend(0u16.to_ne_bytes());
    record.extend(((body.len() + 8) as u16).to_ne_bytes());
    record.extend(body);
    record
}

fn futex(op: u64, value: u64, limit: u64) -> Vec<u8> {
    let words = [0, 0, 0xabcd, op, value, limit, 0xef00].map(u64::to_ne_bytes);
    [words.as_flattened(), &[0; 4]].concat()
}

fn roles() -> Roles {
    Roles::from([(77, FUTEX), (78, Role::Switch(8, 16))])
}

#[test]
fn a_sample_becomes_a_wait_without_flags_and_with_its_callers() {
    let decoded = |tail: &[u64]| decode(&sample(&futex(9 | 128 | 256, 2, 0), tail), &roles());
    let wait = |user: Option<User>| {
        let call = Call { address: 0xabcd, op: 9, value: Some(2), user, ..Call::default() };
        Some(Event { time: 5_000, pid: PID, tid: 101, kind: Kind::Wait(call) })
    };
    let user = |words: &[u64]| {
        let stack = words.iter().flat_map(|w| w.to_ne_bytes()).collect();
        let lr = if WITH_LINK { 0x30 } else { 0 };
        Some(User { ip: 0x10, sp: 0x2000, fp: 0x2008, lr, stack })
    };
    // Mode, then the frame pointer, the link where there is one, stack and instruction pointer.
    let registers: &[u64] =
        if WITH_LINK { &[2, 0x2008, 0x30, 0x2000, 0x10] } else { &[2, 0x2008, 0x2000, 0x10] };
    // Size, copy, and how much of it there was.
    let tail = |more: &[u64]| [registers, more].concat();
    assert_eq!(decoded(&tail(&[24, 0x2010, 0x20, 0, 16])), wait(user(&[0x2010, 0x20])));
    assert_eq!(decoded(&tail(&[0])), wait(user(&[])), "no stack");
    assert_eq!(decoded(&[0, 0]), wait(None), "no registers");
    assert_eq!(decoded(&tail(&[24, 0x2010])), wait(None), "cut off");
}

#[test]
fn calls_that_move_waiters_say_how_many_and_where_to() {
    let decoded = |op| decode(&sample(&futex(op, 1, 5), &[0, 0]), &roles()).map(|e| e.kind);
    let of = |wake| Some(Kind::Move(Move { from: 0xabcd, to: 0xef00, wake, limit: 5 }));
    assert_eq!((decoded(3 | 128), decoded(4)), (of(1), of(1)));
    assert_eq!(decoded(12 | 128), of(0), "with PI nobody is woken but with the lock");
    assert_eq!((decoded(1), decoded(8)), (None, None), "neither waits nor moves");
}

#[test]
fn a_thread_that_could_have_gone_on_was_preempted() {
    let decoded = |state: u64| {
        let raw = [[0; 8], state.to_ne_bytes(), 102u64.to_ne_bytes()].concat();
        let mut record = sample(&[&raw[..], &[0; 4]].concat(), &[]);
        record[8] = 78;
        decode(&record, &roles()).unwrap().kind
    };
    for (state, preempted) in [(0, true), (0x100, true), (1, false), (2, false), (0x102, false)] {
        assert_eq!(decoded(state), Kind::Switch { preempted, next: 102 }, "{state:#x}");
    }
}

#[test]
fn the_kernel_keeps_wakes_back_and_nothing_that_waits_or_moves() {
    let filter = call_filter();
    let passes = |op: u32| filter.split(" && ").all(|f| f != format!("op != {op}"));
    for op in WAITS.iter().chain(&MOVES).flat_map(|op| [0, 128, 256, 384].map(|flags| op | flags)) {
        assert!(passes(op), "{op}: {filter}");
    }
    assert!(!passes(1) && !passes(129) && !passes(138), "wakes: {filter}");
}

#[test]
fn one_switch_is_the_end_of_one_turn_and_the_begin_of_another() {
    let switch = |next, preempted| Kind::Switch { preempted, next };
    let tracker = tracked(vec![
        event(10, 100, switch(101, false)),
        event(30, 101, switch(999, true)),
        Event { time: 70, pid: 999, tid: 999, kind: switch(100, false) },
        event(100, 100, switch(999, false)),
    ]);
    let times = |tid| {
        let t = &tracker.threads[&tid];
        (t.on_cpu_ns, t.runnable_ns, t.blocked_ns)
    };
    assert_eq!(times(100), (30, 0, 60 + 999_900));
    assert_eq!(times(101), (20, 999_970, 0));
}

#[test]
fn who_is_moved_waits_at_the_condition_first_and_at_the_lock_then() {
    let moves = |wake, limit| Kind::Move(Move { from: 0xc0, to: 0xa0, wake, limit });
    let events = vec![
        event(1_000, 101, wait(0xc0, 0)),
        event(2_000, 102, wait(0xc0, 0)),
        event(5_000, 100, moves(1, u32::MAX)),
        event(5_100, 100, Kind::Waking(101)),
        event(5_500, 101, Kind::Return(0)),
        event(8_000, 100, Kind::Waking(102)),
        event(9_000, 102, Kind::Return(0)),
    ];
    let result = traced(&tracked(events.clone()));
    let lock = &result.locks[0];
    assert_eq!((lock.address.as_str(), lock.waits, lock.wait_ns.sum), ("0xa0", 1, 4_000));
    assert!(lock.rule.as_ref().unwrap().contains("moved"), "{:?}", lock.rule);
    assert_eq!((lock.wakers[0].waker, lock.wakers[0].waiter), (100, 102));
    let idle = &result.idle[0];
    assert_eq!((idle.address.as_str(), idle.waits, idle.wait_ns.sum), ("0xc0", 2, 4_500 + 3_000));

    // The call moved nobody: the word had changed.
    let mut refused = events;
    refused.insert(3, event(5_050, 100, Kind::Return(-i64::from(libc::EAGAIN))));
    let result = traced(&tracked(refused));
    assert_eq!((result.locks.len(), result.idle[0].wait_ns.sum), (0, 4_500 + 7_000));
}

#[test]
fn moves_that_name_no_words_are_a_blind_spot() {
    let result = traced(&tracked(vec![event(1, 101, Kind::HiddenMove)]));
    assert!(result.blind_spots.iter().any(|s| s.what == "moved waiters" && s.why.starts_with('1')));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), kind in 0u32..24) {
        let mut record = kind.to_ne_bytes().to_vec();
        record.extend(&bytes);
        let _ = decode(&record, &roles());
        record.splice(8.min(record.len()).., 77u64.to_ne_bytes().into_iter().chain(bytes));
        let _ = decode(&record, &roles());
    }
}
