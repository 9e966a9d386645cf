//! What a trace can't see, how much time that may hide, and what would show it.

use amdahl_schema::{BlindSpot, TracedLock};

use super::result::{Sight, Verdicts};
use super::tracker::{Site, Tracker, Waits};

/// A lock that parks each thread on a word of its own looks like a condition while nobody takes turns.
pub(super) fn guessed(tracker: &Tracker, verdicts: &Verdicts) -> Option<BlindSpot> {
    let of = |(site, waits): (&Site, &Waits)| verdicts[site].guess.then_some(waits.wait.sum);
    let hidden: u64 = tracker.sites.iter().filter_map(of).sum();
    (hidden > 0).then(|| BlindSpot {
        what: "idle by who woke whom".to_owned(),
        why: "no function of the call site says what these waits were for. Nobody who waited there woke the others in turn, \
              so they count as idle; a lock that one thread takes again and again while the others park looks the same"
            .to_owned(),
        hidden_ns_max: Some(hidden),
        remedy: Some("look at the idle waits; of Java, jdk.JavaMonitorEnter and jdk.ThreadPark of JFR".to_owned()),
    })
}

/// The newer call names its words in the program's memory.
pub(super) fn hidden_moves(tracker: &Tracker) -> Option<BlindSpot> {
    let n = tracker.hidden_moves;
    (n > 0).then(|| BlindSpot {
        what: "moved waiters".to_owned(),
        why: format!("{n} calls of futex_requeue moved waiters to words that the call does not show: their waits count where they began"),
        hidden_ns_max: None,
        remedy: None,
    })
}

/// What a futex trace can't see, whatever it saw.
pub(super) fn spots(tracker: &Tracker, sight: &Sight, locks: &[TracedLock]) -> Vec<BlindSpot> {
    let on_cpu = tracker.threads.values().map(|t| t.on_cpu_ns).sum();
    let waited: u64 = locks.iter().map(|l| l.wait_ns.sum).sum();
    let all = sight.duration_ns.saturating_mul(tracker.threads.len() as u64);
    let spot = |what: &str, why: String, hidden, remedy: Option<&str>| BlindSpot {
        what: what.to_owned(),
        why,
        hidden_ns_max: hidden,
        remedy: remedy.map(str::to_owned),
    };
    let mut spots = vec![
        spot(
            "spinning",
            "a thread that spins for a lock is on its CPU and calls nobody; the bound is all time on CPUs".to_owned(),
            tracker.threads.values().any(|t| t.switched).then_some(on_cpu),
            Some("perf record of the same program shows where it spins; amdahl trace --preload sees spin locks of pthread"),
        ),
        spot(
            "tasks parked in user space",
            "goroutines, virtual threads and async tasks that wait for a lock leave their thread to others: no futex call is made".to_owned(),
            None,
            Some("the runtime's own profile: Go's mutex profile, jdk.VirtualThreadPinned of JFR, tokio-console"),
        ),
    ];
    if tracker.lost > 0 {
        let why = format!("{} records were dropped because the reader was late", tracker.lost);
        let bound = all.saturating_sub(waited);
        spots.push(spot(
            "lost records",
            why,
            Some(bound),
            Some("fewer futex calls, or a shorter trace"),
        ));
    }
    let unfinished: u64 = tracker.sites.values().map(|w| w.unfinished).sum();
    if unfinished > 0 {
        let why = format!(
            "{unfinished} waits had not returned when their thread or the trace ended; they count up to then"
        );
        spots.push(spot("unfinished waits", why, None, None));
    }
    if tracker.sites.values().any(|w| w.waits > 0) {
        let why = "call chains follow .eh_frame through the first kB of a stack, and frame pointers: where both end, \
                   callers are not seen; code that a runtime made as it ran has no names";
        let remedy = "build with -fno-omit-frame-pointer (Rust: -C force-frame-pointers=yes; Java: -XX:+PreserveFramePointer)";
        spots.push(spot("callers", why.to_owned(), None, Some(remedy)));
    }
    if !sight.wakeups {
        let why =
            "wake-ups of other threads are not traced without CAP_PERFMON: no wakers, no hand-offs"
                .to_owned();
        spots.push(spot("who woke whom", why, None, Some("run as root or with CAP_PERFMON")));
    }
    spots
}
