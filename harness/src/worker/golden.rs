//! The result of every operation of every built-in workload, so that trials prove their work.

use std::collections::BTreeMap;

/// Modulus of all checks: 2^31 - 1.
pub const M: u64 = 2_147_483_647;

/// What an operation of `micro` may be.
pub const MICRO_KINDS: [&str; 12] = [
    "integer",
    "float",
    "call",
    "method",
    "attribute",
    "object",
    "closure",
    "list",
    "dict",
    "string",
    "exception",
    "generator",
];

/// Expected sums of results, for any stretch of a worker's operations.
#[derive(Debug, Clone)]
pub enum Golden {
    /// Every operation adds 1.
    Ones,
    /// Operation i adds `period[i mod period.len()]`.
    Periodic(Vec<u64>),
    /// Operation i follows a table of `lines` for `steps` loads and adds where it ends.
    Chase {
        /// A power of two.
        lines: u64,
        /// Loads an operation.
        steps: u64,
    },
}

impl Golden {
    /// The workload's results; `None` where the harness does not know them.
    pub fn of(workload: &str, params: &BTreeMap<String, String>) -> Option<Self> {
        match workload {
            "noop" | "sleep" => Some(Self::Ones),
            "mem" => mem(params),
            "micro" => micro(params),
            "cpu" | "serial" | "lock" => {
                let steps = params.get("steps")?.parse().ok()?;
                Some(Self::Periodic((0..64).map(|i| minstd(1 + i, steps)).collect()))
            }
            "pipe" => Some(Self::Periodic((0..251).map(|b| (7 * b + 3) % 256).collect())),
            _ => None,
        }
    }

    /// Sum modulo M of the results of operations `from .. from + ops`.
    pub fn check(&self, from: u64, ops: u64) -> u64 {
        match self {
            Self::Ones => ops % M,
            Self::Periodic(results) => {
                let n = results.len() as u64;
                let period: u64 = results.iter().sum::<u64>() % M;
                let rest: u64 = (from..from + ops % n).map(|i| results[(i % n) as usize]).sum();
                (ops / n % M * period + rest) % M
            }
            Self::Chase { lines, steps } => {
                let (jump, mask) = (Affine::NEXT.repeated(*steps), lines - 1);
                let mut k = jump.repeated(from).of(0) & mask;
                (0..ops).fold(0, |sum, _| {
                    k = jump.of(k) & mask;
                    (sum + k) % M
                })
            }
        }
    }
}

/// How many of a worker's first `ops` operations of `lock` write, where of 1000 `readers` only read.
pub fn lock_writes(ops: u64, readers: u64) -> u64 {
    // 617 and 1000 have no common divisor: within a thousand every remainder comes once.
    let write = |i: &u64| i * 617 % 1000 >= readers;
    let rest = (0..ops % 1000).filter(write).count() as u64;
    ops / 1000 * (1000 - readers.min(1000)) + rest
}

fn mem(params: &BTreeMap<String, String>) -> Option<Golden> {
    let number = |key: &str| params.get(key)?.parse::<u64>().ok().filter(|n| *n > 0);
    let bytes = number("bytes")?;
    if params.get("kind")? == "chase" {
        let lines = (bytes / 64).checked_ilog2().map(|log| 1 << log)?;
        return Some(Golden::Chase { lines, steps: number("steps")? });
    }
    let elements = number("chunk")? / 8;
    let chunks = (bytes / 8).checked_div(elements)?;
    // An arithmetic series: elements c n to (c + 1) n - 1.
    let sum = |c: u64| {
        let (first, last) = (u128::from(c * elements), u128::from((c + 1) * elements - 1));
        ((first + last) * u128::from(elements) / 2 % u128::from(M)) as u64
    };
    (1..=1 << 20).contains(&chunks).then(|| Golden::Periodic((0..chunks).map(sum).collect()))
}

/// What every kernel gives back from seed x after s steps, in closed form.
fn micro(params: &BTreeMap<String, String>) -> Option<Golden> {
    let kind = params.get("kind").filter(|k| MICRO_KINDS.contains(&k.as_str()))?;
    let steps: u64 = params.get("steps")?.parse().ok()?;
    let s = u128::from(steps);
    let pairs = s * s.saturating_sub(1) / 2;
    let of = |x: u64| match kind.as_str() {
        "integer" => u128::from(minstd(x, steps)),
        "list" => 2 * (s * u128::from(x) + pairs),
        "dict" => s * u128::from(x) + pairs,
        "string" => {
            // `x:k` for every k, and a comma between any two.
            let numbers = s * u128::from(1 + digits(x)) + digits_below(steps);
            numbers + s.saturating_sub(1)
        }
        _ => u128::from(x) + s,
    };
    let results = (1..=64).map(|x| (of(x) % u128::from(M)) as u64);
    Some(Golden::Periodic(results.collect()))
}

/// Decimal digits of n.
fn digits(n: u64) -> u64 {
    u64::from(n.checked_ilog10().unwrap_or(0)) + 1
}

/// Decimal digits of all of 0 .. n together: each has one, those from 10 on one more, and so on.
fn digits_below(n: u64) -> u128 {
    let powers = (1..20).map_while(|d| 10_u64.checked_pow(d));
    u128::from(n) + powers.map(|p| u128::from(n.saturating_sub(p))).sum::<u128>()
}

/// k -> a k + c modulo 2^64, and so modulo every power of two.
#[derive(Debug, Clone, Copy)]
struct Affine {
    a: u64,
    c: u64,
}

impl Affine {
    /// One load of the chase.
    const NEXT: Self = Self { a: 1_103_515_245, c: 12_345 };

    fn of(self, k: u64) -> u64 {
        self.a.wrapping_mul(k).wrapping_add(self.c)
    }

    /// `self` done n times, by squaring.
    fn repeated(self, n: u64) -> Self {
        let then = |f: Self, g: Self| Self { a: g.a.wrapping_mul(f.a), c: g.of(f.c) };
        let (mut power, mut base, mut left) = (Self { a: 1, c: 0 }, self, n);
        while left > 0 {
            if left & 1 == 1 {
                power = then(power, base);
            }
            base = then(base, base);
            left >>= 1;
        }
        power
    }
}

/// MINSTD: `steps` times x = x * 48271 mod 2^31 - 1 (Park, Miller, Stockmeyer 1993).
fn minstd(seed: u64, steps: u64) -> u64 {
    // x * 48271^steps, by squaring: the harness need not do the work to know the answer.
    let (mut power, mut base, mut left) = (1, 48271, steps);
    while left > 0 {
        if left & 1 == 1 {
            power = power * base % M;
        }
        base = base * base % M;
        left >>= 1;
    }
    seed * power % M
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn minstd_10000_is_the_value_of_the_cpp_standard() {
        // [rand.predef]: the 10000th invocation of a default minstd_rand yields 399268537.
        assert_eq!(minstd(1, 10_000), 399_268_537);
    }

    fn params(pairs: &[(&str, u64)], kind: &str) -> BTreeMap<String, String> {
        let pairs = pairs.iter().map(|(k, v)| ((*k).to_owned(), v.to_string()));
        pairs.chain([("kind".to_owned(), kind.to_owned())]).collect()
    }

    #[test]
    fn readers_are_spread_and_counted() {
        for readers in [0, 1, 500, 999, 1000] {
            for ops in [0, 1, 2, 999, 1000, 1001, 12_345] {
                let one_by_one = (0..ops).filter(|i| i * 617 % 1000 >= readers).count() as u64;
                assert_eq!(lock_writes(ops, readers), one_by_one, "{ops} {readers}");
            }
        }
        assert_eq!(lock_writes(100, 500), 50, "also within a few operations");
    }

    #[test]
    fn the_chase_visits_every_line_once() {
        let of = params(&[("bytes", 64 * 100), ("steps", 1)], "chase");
        let golden = Golden::of("mem", &of).unwrap();
        let visited: std::collections::BTreeSet<u64> =
            (0..64).map(|i| golden.check(i, 1)).collect();
        assert_eq!(visited.len(), 64, "100 lines are rounded down to 64");
    }

    #[test]
    fn a_stream_adds_its_elements() {
        let of = params(&[("bytes", 8 * 12), ("chunk", 8 * 4)], "stream");
        let golden = Golden::of("mem", &of).unwrap();
        assert_eq!([0, 1, 2, 3].map(|i| golden.check(i, 1)), [6, 22, 38, 6]);
        assert!(Golden::of("mem", &params(&[("bytes", 8)], "stream")).is_none());
    }

    /// The kernels as harness/workers/python/micro.py has them, done step by step.
    fn stepped(kind: &str, seed: u64, steps: u64) -> u64 {
        match kind {
            "integer" => (0..steps).fold(seed, |x, _| x * 48271 % M),
            "list" => {
                let items: Vec<u64> = (0..steps).map(|k| seed + k).collect();
                items.iter().sum::<u64>() + (0..steps).map(|k| items[k as usize]).sum::<u64>()
            }
            "dict" => (0..steps).map(|k| seed + k).sum(),
            "string" => {
                let words: Vec<String> = (0..steps).map(|k| format!("{seed}:{k}")).collect();
                words.join(",").len() as u64
            }
            _ => (0..steps).fold(seed, |x, _| x + 1),
        }
    }

    #[test]
    fn every_kind_of_micro_is_what_its_steps_give() {
        for (kind, steps) in MICRO_KINDS.iter().flat_map(|k| [0, 1, 9, 101, 1000].map(|s| (k, s))) {
            let golden = Golden::of("micro", &params(&[("steps", steps)], kind)).unwrap();
            for i in [0, 8, 9, 63] {
                assert_eq!(golden.check(i, 1), stepped(kind, 1 + i, steps), "{kind} {steps}");
            }
        }
        assert!(Golden::of("micro", &params(&[("steps", 9)], "hope")).is_none());
    }

    proptest! {
        #[test]
        fn the_chase_s_stretches_add_up(from in 0u64..1000, a in 0u64..300, b in 0u64..300, steps in 1u64..500) {
            let g = Golden::of("mem", &params(&[("bytes", 1 << 16), ("steps", steps)], "chase")).unwrap();
            let k = (0..(from + 1) * steps).fold(0u64, |k, _| (1_103_515_245 * k + 12_345) % 1024);
            prop_assert_eq!(g.check(from, 1), k);
            prop_assert_eq!((g.check(from, a) + g.check(from + a, b)) % M, g.check(from, a + b));
        }

        #[test]
        fn stretches_add_up(from in 0u64..1000, a in 0u64..1000, b in 0u64..1000, steps in 1u64..500) {
            let params = BTreeMap::from([("steps".to_owned(), steps.to_string())]);
            for workload in ["noop", "cpu", "sleep", "pipe"] {
                let g = Golden::of(workload, &params).unwrap();
                prop_assert_eq!((g.check(from, a) + g.check(from + a, b)) % M, g.check(from, a + b));
            }
        }

        #[test]
        fn squaring_agrees_with_stepping(seed in 1u64..65, steps in 0u64..300) {
            let stepped = (0..steps).fold(seed, |x, _| x * 48271 % M);
            prop_assert_eq!(minstd(seed, steps), stepped);
        }
    }
}
