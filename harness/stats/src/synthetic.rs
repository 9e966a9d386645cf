//! Observations made to order for tests: a machine, a cause, a seed. Reads no recorded run.

use crate::gates::GateReading;
use crate::judge::{Judgement, ParallelismRow, judge};
use crate::observation::{Contest, Machine, Missing, Observation, Shares};

/// A small linear congruential generator (Knuth's MMIX constants); its high bits are used.
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        let mut noise = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        noise.uniform();
        noise
    }

    /// Between 0 and 1.
    pub(crate) fn uniform(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Normal with mean 0 and deviation `sd`, from the sum of twelve uniforms.
    pub(crate) fn normal(&mut self, sd: f64) -> f64 {
        sd * ((0..12).map(|_| self.uniform()).sum::<f64>() - 6.0)
    }

    /// `x` with relative log-normal noise.
    pub(crate) fn around(&mut self, x: f64, sd: f64) -> f64 {
        x * self.normal(sd).exp()
    }

    /// Shares that add up to `n` again, after noise on each.
    pub(crate) fn shares(&mut self, s: Shares, n: f64, sd: f64) -> Shares {
        let mut noisy = |x: f64| self.around(x, sd) + 0.004 * n * self.uniform();
        let s = Shares {
            cpu: noisy(s.cpu),
            run_queue: noisy(s.run_queue),
            blocked: noisy(s.blocked),
            idle: noisy(s.idle),
            outside: noisy(s.outside),
        };
        let scale = n / (s.cpu + s.run_queue + s.blocked + s.idle + s.outside);
        Shares {
            cpu: s.cpu * scale,
            run_queue: s.run_queue * scale,
            blocked: s.blocked * scale,
            idle: s.idle * scale,
            outside: s.outside * scale,
        }
    }
}

/// Shares with the named parts, others 0.
pub(crate) fn cpu(cpu: f64) -> Shares {
    Shares { cpu, ..Shares::default() }
}

/// A trial of a quiet machine with two CPUs over two seconds.
pub(crate) fn trial(
    block: u32,
    workers: u32,
    ceiling: bool,
    rate: f64,
    shares: Shares,
) -> Observation {
    Observation {
        model: "m/threads".to_owned(),
        workload: "cpu".to_owned(),
        block,
        workers,
        ceiling,
        rate,
        effective_cpus: Some(shares.cpu),
        shares: Some(shares),
        foreign_delay: Some(0.0),
        cpu_slowdown: None,
        gates: GateReading {
            capacity_ticks: 400.0,
            foreign_ticks: Some(2.0),
            steal_ticks: Some(0.0),
        },
        contest: Contest::Held,
        drift: Some(0.0),
        gil: None,
    }
}

/// One block at N = 1, N = `n` and its ceiling: the model reaches `speedup` and spends `shares`.
pub(crate) fn block(
    id: u32,
    n: u32,
    speedup: f64,
    ceiling: f64,
    shares: Shares,
) -> [Observation; 3] {
    [
        trial(id, 1, false, 1000.0, cpu(1.0)),
        trial(id, n, false, 1000.0 * speedup, shares),
        trial(id, n, true, 1000.0 * ceiling, cpu(f64::from(n))),
    ]
}

/// Three blocks at N = 2 with the given speed-ups, a ceiling of 2 and the CPU time of the speed-up.
pub(crate) fn run_of(speedups: &[f64]) -> Vec<Observation> {
    (0..)
        .zip(speedups)
        .flat_map(|(id, s)| {
            let shares = Shares { cpu: *s, blocked: 2.0 - s, ..Shares::default() };
            block(id, 2, *s, 2.0, shares)
        })
        .collect()
}

pub(crate) fn machine(cpus: u32) -> Machine {
    Machine { cpus_available: cpus, note: None }
}

pub(crate) fn missing(block: u32, workers: u32, ceiling: bool, reason: &str) -> Missing {
    Missing {
        model: "m/threads".to_owned(),
        workload: "cpu".to_owned(),
        block,
        workers,
        ceiling,
        reason: reason.to_owned(),
    }
}

/// The one row of a judgement on two CPUs.
pub(crate) fn row_of(observations: &[Observation], missing: &[Missing]) -> ParallelismRow {
    let Judgement { parallelism, io_overlap } = judge(observations, missing, &machine(2));
    assert!(io_overlap.is_empty());
    let [row] = <[ParallelismRow; 1]>::try_from(parallelism).expect("one row");
    row
}
