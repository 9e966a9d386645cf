//! What a preloaded library can't see of a program, whatever it saw.

use amdahl_schema::{BlindSpot, IdleWait, TracedLock};

use super::elf::{Hindrance, Origin};
use super::result::{LISTED_MAX, Sight};
use super::session::Left;

fn spot(what: &str, why: String, remedy: Option<&str>) -> BlindSpot {
    let remedy = remedy.map(str::to_owned);
    BlindSpot { what: what.to_owned(), why, hidden_ns_max: None, remedy }
}

const BY_FUTEX: &str = "amdahl trace without --preload follows their waits";

/// All of them.
pub(super) fn spots(
    left: &Left,
    sight: &Sight,
    (locks, idle): (&[TracedLock], &[IdleWait]),
) -> Vec<BlindSpot> {
    let mut spots = Vec::new();
    spots.extend(not_loaded(left, sight));
    let loaded = left.processes.contains(&sight.pid);
    let counted = !locks.is_empty() || !idle.is_empty();
    if loaded && !counted && left.failed.is_empty() {
        let why = "the program made no pthread lock calls: Rust's std, Go and static programs lock without, and what was \
                   started with a cleared environment is not seen";
        spots.push(spot("every lock", why.to_owned(), Some(BY_FUTEX)));
    } else if let (true, Some(origin)) = (loaded, sight.program.origin) {
        let (what, whose) = match origin {
            Origin::Go => ("locks of Go", "Go's runtime"),
            Origin::Rust => ("locks of Rust's std", "Rust's standard library, parking_lot too,"),
        };
        let why = format!("{whose} locks without pthread: what is shown is of C libraries");
        spots.push(spot(what, why, Some(BY_FUTEX)));
    }
    for (pid, why) in &left.failed {
        let why = format!("the locks of process {pid} were not counted: {why}");
        spots.push(spot("a process", why, None));
    }
    spots.push(spot(
        "other locks",
        "only calls of pthread's mutexes, read-write locks, spin locks and conditions are counted: not semaphores (so \
         CPython's threading.Lock), Java's monitors, locks within the C library (malloc, stdio), atomic operations"
            .to_owned(),
        Some(BY_FUTEX),
    ));
    if !sight.hold && counted {
        let why =
            "times held were not measured: that costs two readings of a clock for each acquisition";
        spots.push(spot("hold times", why.to_owned(), Some("amdahl trace --preload --hold")));
    }
    spots.extend(after_conditions(idle));
    spots.extend(full(left));
    if locks.iter().any(|l| l.owners.is_none() || l.waiters.is_none()) {
        let why = "of locks that more than 512 threads of a process took or waited for, they are not counted";
        spots.push(spot("owners and waiters", why.to_owned(), None));
    }
    spots.extend(unfinished(left, sight));
    if !sight.living.is_empty() {
        let pids: Vec<String> = sight.living.iter().map(u32::to_string).collect();
        let why = format!(
            "processes {} live on: they are counted up to the end of the trace",
            pids.join(", ")
        );
        spots.push(spot("processes left behind", why, None));
    }
    spots
}

fn not_loaded(left: &Left, sight: &Sight) -> Option<BlindSpot> {
    let why = match sight.program.hindrance {
        _ if left.processes.contains(&sight.pid) => return None,
        Some(Hindrance::Static) => {
            "the program is linked statically: nothing can be loaded into it"
        }
        Some(Hindrance::Musl) => {
            "the program is linked to musl: a library made for glibc can't be loaded into it"
        }
        Some(Hindrance::OtherMachine) => {
            "the program is of another architecture than this one's library"
        }
        Some(Hindrance::Secure) => {
            "the program gets another user's rights (set-user-id): the dynamic linker loads nothing into such"
        }
        None => {
            "the library was not loaded: the program cleared its environment, or the cache of amdahl lies on a file system \
             mounted noexec"
        }
    };
    // What it started may have been seen.
    let all = left.tables.is_empty();
    let what = if all { "every lock" } else { "locks of the program that was started" };
    Some(spot(what, why.to_owned(), Some(BY_FUTEX)))
}

/// They are acquisitions, and may have been waited for.
fn after_conditions(idle: &[IdleWait]) -> Option<BlindSpot> {
    let hidden = idle.iter().map(|i| i.wait_ns.sum).fold(0, u64::saturating_add);
    let why = "a wait for a condition ends when its mutex is taken again: what of it was waiting for the mutex can't be told";
    let spot = spot("mutexes taken again after a condition", why.to_owned(), None);
    (!idle.is_empty()).then_some(BlindSpot { hidden_ns_max: Some(hidden), ..spot })
}

fn full(left: &Left) -> Vec<BlindSpot> {
    let sum = |n: usize| left.tables.iter().map(|t| t.unseen[n]).fold(0, u64::saturating_add);
    let mut spots = Vec::new();
    if sum(0) > 0 {
        let why = format!(
            "{} calls were on locks that found no room in the table (65536 a process), or came before there was one",
            sum(0)
        );
        spots.push(spot("locks beyond the table", why, None));
    }
    if sum(1) > 0 {
        let why = format!(
            "{} times are of locks that found no room for histograms (32768 a process)",
            sum(1)
        );
        spots.push(spot("times beyond the table", why, None));
    }
    if sum(2) > 0 {
        let why = format!("{} threads found no room in the table (16384 a process)", sum(2));
        spots.push(spot("threads beyond the table", why, None));
    }
    spots
}

fn unfinished(left: &Left, sight: &Sight) -> Option<BlindSpot> {
    let threads = left.tables.iter().flat_map(|t| &t.threads);
    let since: Vec<u64> = threads.filter_map(|t| t.waiting_since_ns).collect();
    let hidden =
        since.iter().map(|s| sight.span_ns.1.saturating_sub(*s)).fold(0, u64::saturating_add);
    let n = since.len();
    let why = format!(
        "{n} threads waited for a lock or a condition when the trace ended; those waits do not count"
    );
    (n > 0)
        .then(|| BlindSpot { hidden_ns_max: Some(hidden), ..spot("unfinished waits", why, None) })
}

/// Locks that are left out of the list.
pub(super) fn unlisted(locks: &[TracedLock]) -> BlindSpot {
    let calls = locks.iter().filter_map(|l| l.acquisitions).fold(0, u64::saturating_add);
    let waited = locks.iter().map(|l| l.wait_ns.sum).fold(0, u64::saturating_add);
    let why = format!(
        "{} locks with {calls} acquisitions are not listed: the {LISTED_MAX} that were waited for longest and taken most often are",
        locks.len()
    );
    BlindSpot { hidden_ns_max: Some(waited), ..spot("locks that are not listed", why, None) }
}
