//! What `judge` does to many noisy runs whose truth is known: it may not know, but may not be wrong.

use proptest::prelude::*;

use super::*;
use crate::observation::Shares;
use crate::synthetic::{Noise, machine, row_of, trial};

/// Three blocks at N = 2 and 4; every rate and share with relative noise, each block with a drift of the
/// machine of its own, as turbo and neighbours make it.
fn noisy_run(seed: u64, blocks: u32, sd: f64, truth: fn(f64) -> (f64, f64)) -> Vec<Observation> {
    let mut noise = Noise::new(seed);
    let mut run = Vec::new();
    for id in 0..blocks {
        let base = noise.around(1000.0, 0.1);
        for n in [1_u32, 2, 4] {
            let ideal = f64::from(n);
            let (speedup, busy) = if n == 1 { (1.0, 1.0) } else { truth(ideal) };
            let shares = Shares { cpu: busy, blocked: ideal - busy, ..Shares::default() };
            let shares = noise.shares(shares, ideal, sd);
            run.push(trial(id, n, false, noise.around(base * speedup, sd), shares));
            let alone = noise.shares(Shares { cpu: ideal, ..Shares::default() }, ideal, sd);
            run.push(trial(id, n, true, noise.around(base * ideal, sd), alone));
        }
    }
    run
}

/// Right, undecided and wrong verdicts of the decisive row in 200 runs.
fn tally(sd: f64, truth: fn(f64) -> (f64, f64), right: Verdict) -> (usize, usize, usize) {
    let mut count = (0, 0, 0);
    for seed in 0..200 {
        let rows = judge(&noisy_run(seed, 3, sd, truth), &[], &machine(4)).parallelism;
        let row = rows.iter().find(|r| r.decisive).expect("a decisive row");
        assert_eq!(row.workers, 4);
        match row.verdict {
            v if v == right => count.0 += 1,
            Verdict::Unknown => {
                assert!(row.reasons[0].contains("both sides") || row.reasons[0].contains("bound"));
                count.1 += 1;
            }
            _ => count.2 += 1,
        }
    }
    count
}

#[test]
fn parallel_is_found_and_never_mistaken() {
    for sd in [0.02, 0.03] {
        let (right, unknown, wrong) = tally(sd, |n| (n * 0.98, n), Verdict::Parallel);
        assert!(
            wrong == 0 && right >= 190,
            "sd {sd}: {right} right, {unknown} unknown, {wrong} wrong"
        );
    }
}

#[test]
fn serial_is_found_and_never_mistaken() {
    for (sd, least) in [(0.02, 180), (0.03, 150)] {
        let (right, unknown, wrong) = tally(sd, |_| (1.0, 1.0), Verdict::Serial);
        assert!(
            wrong == 0 && right >= least,
            "sd {sd}: {right} right, {unknown} unknown, {wrong} wrong"
        );
    }
}

#[test]
fn half_way_is_partly_and_never_mistaken() {
    let (right, unknown, wrong) = tally(0.03, |n| (n * 0.5, n * 0.5), Verdict::Partly);
    assert!(wrong == 0 && right >= 180, "{right} right, {unknown} unknown, {wrong} wrong");
}

/// More blocks turn "not decided" into a decision.
#[test]
fn five_blocks_decide_what_three_leave_open() {
    let decided = |blocks| {
        let serial = |seed| {
            let rows = judge(&noisy_run(seed, blocks, 0.03, |_| (1.0, 1.0)), &[], &machine(4));
            rows.parallelism[1].verdict == Verdict::Serial
        };
        (0..100).filter(|seed| serial(*seed)).count()
    };
    let (three, five) = (decided(3), decided(5));
    assert!(five >= 97 && five > three, "3 blocks: {three}, 5 blocks: {five}");
}

/// Nominal 95 % intervals of the speed-up over three blocks hold the truth about 95 times in 100.
#[test]
fn intervals_cover_the_truth() {
    let mut held = 0;
    for seed in 0..1000 {
        let rows = judge(&noisy_run(seed, 3, 0.03, |_| (1.0, 1.0)), &[], &machine(4)).parallelism;
        let s = rows[1].speedup.expect("three blocks");
        held += usize::from(s.lo <= 1.0 && 1.0 <= s.hi);
    }
    assert!((930..=970).contains(&held), "{held} of 1000");
}

/// A cause and what it does to N: speed-up, ceiling, shares of the model at N.
type Cause = (&'static str, fn(f64) -> (f64, f64, Shares));

const CAUSES: [Cause; 7] = [
    ("blocked", |n| (1.0, n, Shares { cpu: 1.0, blocked: n - 1.0, ..Shares::default() })),
    ("run_queue", |n| {
        (n / 2.0, n, Shares { cpu: n / 2.0, run_queue: n / 2.0, ..Shares::default() })
    }),
    ("imbalance", |n| (n * 0.7, n, Shares { cpu: n * 0.7, idle: n * 0.3, ..Shares::default() })),
    ("imbalance", |n| (n * 0.7, n, Shares { cpu: n * 0.7, outside: n * 0.3, ..Shares::default() })),
    ("no_progress", |n| (n * 0.6, n, Shares { cpu: n, ..Shares::default() })),
    ("hardware", |n| (n * 0.7, n * 0.7, Shares { cpu: n, ..Shares::default() })),
    ("nothing", |n| (n, n, Shares { cpu: n, ..Shares::default() })),
];

/// One cause each at N = 2, 4 and 8 with 3 % noise on rates and shares and stray ticks in the gates:
/// blamed rightly 20 of 20 times.
#[test]
fn every_cause_is_blamed_every_time() {
    for (name, make) in CAUSES {
        for (draw, n) in (0..20).flat_map(|draw| [2_u32, 4, 8].map(|n| (draw, n))) {
            let mut noise = Noise::new(draw * 16 + u64::from(n));
            let mut run = Vec::new();
            let ideal = f64::from(n);
            let (speedup, ceiling, shares) = make(ideal);
            let alone = |n| Shares { cpu: n, ..Shares::default() };
            for id in 0..3 {
                let mut add = |n: u32, ceiling, speedup: f64, shares| {
                    let shares = noise.shares(shares, f64::from(n), 0.03);
                    let mut o = trial(id, n, ceiling, noise.around(1000.0 * speedup, 0.03), shares);
                    // The carriers share CPUs, so that their run delay is their own queue.
                    o.foreign_delay = None;
                    o.gates.steal_ticks = Some((2.0 * noise.uniform()).floor());
                    run.push(o);
                };
                add(1, false, 1.0, alone(1.0));
                add(n, false, speedup, shares);
                add(n, true, ceiling, alone(ideal));
            }
            let rows = judge(&run, &[], &machine(n)).parallelism;
            assert_eq!(rows[0].limited_by, name, "draw {draw}, N = {n}: {:?}", rows[0].budget);
        }
    }
}

/// Serial < partly < parallel; `None` where nothing was decided.
fn rank(v: Verdict) -> Option<u8> {
    match v {
        Verdict::Serial => Some(0),
        Verdict::Partly => Some(1),
        Verdict::Parallel => Some(2),
        Verdict::Unknown => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_order_of_observations_changes_nothing(seed in any::<u64>(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 60)) {
        let run = noisy_run(seed, 4, 0.05, |n| (n * 0.7, n * 0.9));
        let mut shuffled = run.clone();
        for (i, cut) in cuts.iter().enumerate() {
            let len = shuffled.len();
            shuffled.swap(i % len, cut.index(len));
        }
        prop_assert_eq!(judge(&run, &[], &machine(4)), judge(&shuffled, &[], &machine(4)));
    }

    /// A faster model with the same CPU time never loses a rank.
    #[test]
    fn faster_is_never_judged_worse(
        ratios in prop::array::uniform3(0.9..1.1f64), busy in 1.0..2.0f64,
    ) {
        let mut last = 0;
        for step in 0..40 {
            let speed = 0.8 + 0.03 * f64::from(step);
            let run: Vec<Observation> = (0..3).zip(ratios).flat_map(|(id, r)| {
                let shares = Shares { cpu: busy, blocked: 2.0 - busy, ..Shares::default() };
                crate::synthetic::block(id, 2, speed * r, 2.0, shares)
            }).collect();
            if let Some(rank) = rank(row_of(&run, &[]).verdict) {
                prop_assert!(rank >= last, "rank {rank} after {last} at {speed}");
                last = rank;
            }
        }
    }

    /// Whatever the figures, every unknown has its reason and every interval its estimate inside.
    #[test]
    fn every_unknown_says_why(
        rates in prop::collection::vec((1e-3..1e9f64, -0.3..0.3f64, 0.0..0.2f64), 9), cpus in 1..5u32,
    ) {
        let run: Vec<Observation> = rates.iter().zip(0_u32..).map(|((rate, drift, delay), i)| {
            let place = [(1, false), (2, false), (2, true)][i as usize % 3];
            let shares = Shares { cpu: f64::from(place.0), ..Shares::default() };
            let mut o = trial(i / 3, place.0, place.1, *rate, shares);
            (o.drift, o.foreign_delay) = (Some(*drift), Some(*delay));
            o
        }).collect();
        for row in judge(&run, &[], &machine(cpus)).parallelism {
            prop_assert!(row.verdict != Verdict::Unknown || !row.reasons.is_empty());
            prop_assert_eq!(row.blocks + row.dropped, 3);
            for i in [row.speedup, row.ceiling, row.ceiling_share, row.effective_cpus].into_iter().flatten() {
                prop_assert!(i.lo <= i.estimate && i.estimate <= i.hi, "{i:?}");
            }
            if let Some(b) = row.budget {
                let sum = b.achieved + b.losses().iter().map(|l| l.1).sum::<f64>();
                prop_assert!((sum - 2.0).abs() <= 1e-9 * b.achieved.max(1.0), "{b:?}");
            }
        }
    }
}
