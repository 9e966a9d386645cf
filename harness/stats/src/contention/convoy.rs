//! Convoys: queues that one long hold leaves behind, and that stay although holds are short again (Blasgen and others, 1979).

use std::collections::BTreeMap;

/// A hold of more than so many medians is a long one.
pub const LONG_HOLD: f64 = 10.0;

/// Hand-offs that a queue must outlast after the long hold.
pub const CONVOY_HANDOFFS: usize = 10;

/// One acquisition of a stream in the order of acquisition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// The worker.
    pub owner: u32,
    /// When it asked, ns on any one clock.
    pub requested_ns: i64,
    /// When it had the lock.
    pub acquired_ns: i64,
    /// When it began to release it.
    pub released_ns: i64,
}

/// What a stream says of queues.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Convoys {
    /// Convoys: a long hold found fewer than two waiting, and for at least [`CONVOY_HANDOFFS`] hand-offs of usual holds after it two or more were.
    pub count: usize,
    /// Hand-offs of the longest; 0 without one.
    pub longest_handoffs: usize,
    /// Share of releases at which two or more waited.
    pub queued_share: f64,
}

/// Workers that waited as each acquisition was released. A worker has one request at a time, so it is its next acquisition
/// that tells; one that has none in the stream can't be seen.
pub fn queues(stream: &[Held]) -> Vec<usize> {
    let mut next: BTreeMap<u32, i64> = BTreeMap::new();
    let mut queues = vec![0; stream.len()];
    for (k, held) in stream.iter().enumerate().rev() {
        let others = next.iter().filter(|(w, _)| **w != held.owner);
        queues[k] = others.filter(|(_, requested)| **requested <= held.released_ns).count();
        next.insert(held.owner, held.requested_ns);
    }
    queues
}

/// Convoys of a stream; `None` for an empty one.
pub fn convoys(stream: &[Held]) -> Option<Convoys> {
    let holds: Vec<f64> = stream.iter().map(|h| (h.released_ns - h.acquired_ns) as f64).collect();
    // A clock that is coarser than the hold makes the median 0: then one tick must not look long.
    let limit = LONG_HOLD * crate::interval::median(&holds)?.max(1.0);
    let queues = queues(stream);
    let mut convoys = Convoys {
        count: 0,
        longest_handoffs: 0,
        queued_share: queues.iter().filter(|q| **q >= 2).count() as f64 / queues.len() as f64,
    };
    for k in 1..stream.len() {
        if holds[k] <= limit || queues[k - 1] >= 2 {
            continue;
        }
        let after = (k + 1..stream.len()).take_while(|j| queues[*j] >= 2 && holds[*j] <= limit);
        let handoffs = after.count();
        if handoffs >= CONVOY_HANDOFFS {
            convoys.count += 1;
            convoys.longest_handoffs = convoys.longest_handoffs.max(handoffs);
        }
    }
    Some(convoys)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Four workers, first come first served: `think` ns outside, 100 under the lock (acquisition `long`: 10 us), and
    /// `wake` from a release to a worker that waited for it.
    fn simulate(n: usize, think: i64, wake: i64, long: Option<usize>) -> Vec<Held> {
        let mut ready: Vec<i64> = (0..4).map(|w| w * (think + 100) / 4).collect();
        let mut free = 0;
        (0..n)
            .map(|k| {
                let w = (0..4).min_by_key(|w| (ready[*w], *w)).unwrap();
                let acquired_ns = if ready[w] < free { free + wake } else { ready[w] };
                free = acquired_ns + if long == Some(k) { 10_000 } else { 100 };
                let requested_ns = std::mem::replace(&mut ready[w], free + think);
                Held { owner: w as u32, requested_ns, acquired_ns, released_ns: free }
            })
            .collect()
    }

    #[test]
    fn a_queue_is_who_asked_before_the_release() {
        let held = |owner, requested_ns, acquired_ns, released_ns| Held {
            owner,
            requested_ns,
            acquired_ns,
            released_ns,
        };
        let stream =
            [held(0, 0, 0, 10), held(1, 5, 11, 20), held(2, 10, 21, 30), held(0, 25, 31, 40)];
        assert_eq!(queues(&stream), [2, 1, 1, 0]);
    }

    /// Four times 100 ns fit into 700, four times 400 do not: once a queue makes every hand-over a wake-up, it stays.
    #[test]
    fn a_queue_that_wakes_up_every_owner_is_a_convoy() {
        let calm = convoys(&simulate(400, 600, 300, None)).unwrap();
        assert_eq!(calm, Convoys { count: 0, longest_handoffs: 0, queued_share: 0.0 });
        let hit = convoys(&simulate(400, 600, 300, Some(100))).unwrap();
        assert_eq!(hit.count, 1, "{hit:?}");
        assert!(hit.longest_handoffs > 290 && hit.queued_share > 0.7, "{hit:?}");
    }

    /// Without the price of waking up, the queue of the same long hold is gone after three.
    #[test]
    fn a_queue_that_drains_is_no_convoy() {
        let c = convoys(&simulate(400, 600, 0, Some(100))).unwrap();
        assert_eq!(c.count, 0);
        assert!(c.queued_share > 0.0 && c.queued_share < 0.02, "{c:?}");
        assert_eq!(convoys(&[]), None);
    }

    proptest! {
        #[test]
        fn queues_are_shorter_than_the_number_of_workers(think in 0..3000i64, n in 1..200usize, at in 0..200usize) {
            let stream = simulate(n, think, 300, Some(at));
            prop_assert!(queues(&stream).iter().all(|q| *q < 4));
            let c = convoys(&stream).unwrap();
            prop_assert!((0.0..=1.0).contains(&c.queued_share) && c.longest_handoffs < n);
        }
    }
}
