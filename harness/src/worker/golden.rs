//! The result of every operation of every built-in workload, so that trials prove their work.

use std::collections::BTreeMap;

/// Modulus of all checks: 2^31 - 1.
pub const M: u64 = 2_147_483_647;

/// Expected sums of results, for any stretch of a worker's operations.
#[derive(Debug, Clone)]
pub enum Golden {
    /// Every operation adds 1.
    Ones,
    /// Operation i adds `period[i mod period.len()]`.
    Periodic(Vec<u64>),
}

impl Golden {
    /// The workload's results; `None` where the harness does not know them.
    pub fn of(workload: &str, params: &BTreeMap<String, String>) -> Option<Self> {
        match workload {
            "noop" | "sleep" => Some(Self::Ones),
            "cpu" => {
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
        }
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

    proptest! {
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
