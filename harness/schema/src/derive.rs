//! Measures derived from a trial: the one place where rate, effective CPUs and shares are defined.

use crate::trial::{CarrierWindow, CpuSpeed, Gates, Status, Trial, Window};

/// How one worker spent its time in the windows; the parts add up to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WorkerShare {
    /// On a CPU.
    pub cpu: f64,
    /// Runnable, waiting for a CPU.
    pub run_queue: f64,
    /// Neither: blocked in the kernel (or stolen by a hypervisor that hides it).
    pub blocked: f64,
    /// Waiting for the others at the end of a shared job.
    pub idle: f64,
    /// Outside its loop: it started late or ended early.
    pub outside: f64,
}

/// Did the workers really work at the same time?
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contest {
    /// Every worker completed an operation before the first window, in each, and after the last.
    Held,
    /// Under a GIL or cooperatively: some worker was starved. A fairness result, never invalidity.
    Starved {
        /// Workers with an empty window, ramp or tail.
        workers: Vec<u32>,
    },
    /// Without a GIL: the workers did not overlap, so the trial proves nothing.
    Broken {
        /// Which worker, and where it was missing.
        what: String,
    },
}

/// Sums over one worker's windows (ramp and tail excluded).
struct Stretch {
    ops: u64,
    span_ns: u64,
    cpu_ns: Option<u64>,
    delay_ns: Option<u64>,
    idle_ns: u64,
    outside: f64,
}

impl Trial {
    /// Whether its numbers may be used.
    pub fn usable(&self) -> bool {
        self.outcome.status == Status::Ok
    }

    /// Nominal begin and end of the windows, CLOCK_MONOTONIC ns.
    pub fn nominal_ns(&self) -> Option<(u64, u64)> {
        let begin = self.start_ns? + self.ramp_ns;
        Some((begin, begin + self.window_ns * u64::from(self.windows_n)))
    }

    /// Whether its workers take turns: under a lock of the interpreter, or on fewer carriers.
    pub fn takes_turns(&self) -> bool {
        self.gil == Some(true) || self.turns == Some(true)
    }

    /// What an operation is of the unit that rates count: 1, or under strong scaling (`scaling=strong`: each worker
    /// does its share of one job) 1 / N, so that rates count jobs at every N.
    fn unit(&self) -> f64 {
        match self.params.get("scaling").map(String::as_str) {
            Some("strong") => 1.0 / f64::from(self.workers.max(1)),
            _ => 1.0,
        }
    }

    /// Operations a second of all workers over the windows.
    ///
    /// Sum over workers of ops / (last crossing - first crossing), times the share of the windows
    /// that the worker was in its loop; a worker that completed nothing adds 0.
    pub fn rate(&self) -> Option<f64> {
        if !self.usable() || self.windows.is_empty() {
            return None;
        }
        let mut rate = 0.0;
        for w in self.worker_ids() {
            if let Some(s) = self.stretch(w)
                && s.span_ns > 0
            {
                rate += s.ops as f64 * 1e9 / s.span_ns as f64 * (1.0 - s.outside);
            }
        }
        (rate > 0.0).then_some(rate * self.unit())
    }

    /// Operations a second of one worker over the windows; 0 if it completed nothing.
    pub fn worker_rate(&self, w: u32) -> Option<f64> {
        let s = self.stretch(w)?;
        if s.span_ns == 0 {
            return Some(0.0);
        }
        Some(s.ops as f64 * 1e9 / s.span_ns as f64 * (1.0 - s.outside) * self.unit())
    }

    /// Operations a second of all workers, window by window.
    pub fn window_rates(&self) -> Vec<f64> {
        (0..self.windows_n as i32)
            .map(|i| self.windows.iter().filter(|x| x.i == i && !x.tail).map(window_rate).sum())
            .collect()
    }

    /// CPU time of the carriers per second of wall time, over the windows where workers keep their
    /// carrier and have a thread clock; else from /proc over the whole loop. `None` where neither is
    /// known.
    pub fn effective_cpus(&self) -> Option<f64> {
        if !self.usable() {
            return None;
        }
        let inside: Option<Vec<f64>> = self
            .worker_ids()
            .map(|w| {
                let s = self.stretch(w)?;
                let share = s.cpu_ns? as f64 / (s.span_ns.max(1)) as f64;
                Some(share * (1.0 - s.outside))
            })
            .collect();
        inside
            .map(|v| v.iter().sum())
            .or_else(|| self.effective_cpus_carriers())
            .or_else(|| self.effective_cpus_proc())
    }

    /// CPU time an operation, ns; `None` where either is unknown.
    pub fn cpu_per_op_ns(&self) -> Option<f64> {
        Some(self.effective_cpus()? * 1e9 / self.rate()?)
    }

    /// How each worker spent its time; `None` where a worker's CPU time or run delay is unknown.
    pub fn shares(&self) -> Option<Vec<WorkerShare>> {
        if !self.usable() {
            return None;
        }
        let each: Option<Vec<WorkerShare>> = self.worker_ids().map(|w| self.share(w)).collect();
        each.or_else(|| self.shares_by_carriers())
    }

    /// Largest minus smallest loop start.
    pub fn skew_ns(&self) -> Option<u64> {
        let starts = self.totals.iter().map(|t| t.started_ns);
        Some(starts.clone().max()? - starts.min()?)
    }

    /// Whether the workers really worked at the same time.
    pub fn contest(&self) -> Contest {
        let mut missing: Vec<(u32, String)> = Vec::new();
        for w in self.worker_ids() {
            let of = |test: &dyn Fn(&Window) -> bool| {
                self.windows.iter().filter(|x| x.w == w && test(x)).map(|x| x.ops).sum::<u64>()
            };
            if of(&|x| x.i < 0) == 0 {
                missing.push((w, "before the first window".to_owned()));
            } else if let Some(i) = (0..self.windows_n as i32).find(|i| of(&|x| x.i == *i) == 0) {
                missing.push((w, format!("in window {i}")));
            } else if of(&|x| x.tail) == 0 {
                missing.push((w, "after the last window".to_owned()));
            }
        }
        match missing.first() {
            None => Contest::Held,
            // A lock that lets somebody starve is a finding about the lock.
            Some(_) if self.takes_turns() || self.workload == "lock" => {
                Contest::Starved { workers: missing.iter().map(|(w, _)| *w).collect() }
            }
            Some((w, place)) => {
                Contest::Broken { what: format!("worker {w} completed no operation {place}") }
            }
        }
    }

    /// Relative change of the rate over the windows by a straight line, if it exceeds three standard
    /// errors; 0 otherwise, `None` below four windows.
    pub fn drift(&self) -> Option<f64> {
        let rates = self.window_rates();
        let n = rates.len() as f64;
        let mean = rates.iter().sum::<f64>() / n;
        if rates.len() < 4 || mean <= 0.0 {
            return None;
        }
        let mid = (n - 1.0) / 2.0;
        let sxx: f64 = (0..rates.len()).map(|i| (i as f64 - mid).powi(2)).sum();
        let slope =
            rates.iter().enumerate().map(|(i, r)| (i as f64 - mid) * (r - mean)).sum::<f64>() / sxx;
        let rss: f64 = rates
            .iter()
            .enumerate()
            .map(|(i, r)| (r - mean - slope * (i as f64 - mid)).powi(2))
            .sum();
        let se = (rss / (n - 2.0) / sxx).sqrt();
        Some(if slope.abs() > 3.0 * se { slope * (n - 1.0) / mean } else { 0.0 })
    }

    /// Share of the windows that pinned carriers, each alone on its CPU, waited for it: time that
    /// somebody else ran there. `None` where carriers share CPUs or run delay is unknown.
    pub fn foreign_delay_share(&self) -> Option<f64> {
        if !self.placement.exclusive {
            return None;
        }
        let shares = self.shares()?;
        Some(shares.iter().map(|s| s.run_queue).sum::<f64>() / shares.len().max(1) as f64)
    }

    /// By how much the slowest CPU it ran on fell short of its usual speed, just before or just after:
    /// extra time as a share. `None` where that was not measured.
    pub fn cpu_slowdown(&self) -> Option<f64> {
        let one = |s: &CpuSpeed| {
            let slower = s.after_ps.unwrap_or(0).max(s.before_ps);
            Some(f64::from(slower) / f64::from(s.usual_ps?) - 1.0)
        };
        self.gates.speed.iter().filter_map(one).max_by(f64::total_cmp)
    }

    /// A figure of /proc by its id, such as `peak_rss`; `None` where it is absent.
    pub fn from_proc(&self, id: &str) -> Option<u64> {
        let counter = self.counters.iter().find(|c| c.id == id && c.source == "proc")?;
        Some(counter.value.as_ref()?.count)
    }

    fn worker_ids(&self) -> impl Iterator<Item = u32> + '_ {
        0..self.workers
    }

    fn stretch(&self, w: u32) -> Option<Stretch> {
        let (begin, end) = self.nominal_ns()?;
        let total = self.totals.iter().find(|t| t.w == w)?;
        let mine = || self.windows.iter().filter(move |x| x.w == w && x.i >= 0 && !x.tail);
        let length = (end - begin).max(1) as f64;
        let late = total.started_ns.saturating_sub(begin).min(end - begin);
        let early = end.saturating_sub(total.ended_ns.max(begin));
        let outside = ((late + early) as f64 / length).min(1.0);
        let first = mine().filter_map(|x| x.first_ns).min();
        let last = mine().filter_map(|x| x.last_ns).max();
        let span_ns = match (first, last) {
            (Some(first), Some(last)) => last.saturating_sub(first),
            (Some(first), None) => total.ended_ns.saturating_sub(first),
            _ => 0,
        };
        let sum = |field: fn(&Window) -> Option<u64>| {
            mine().filter(|x| x.first_ns.is_some()).map(field).sum::<Option<u64>>()
        };
        Some(Stretch {
            ops: mine().map(|x| x.ops).sum(),
            span_ns,
            cpu_ns: if mine().next().is_some() { sum(|x| x.cpu_ns) } else { None },
            delay_ns: sum(|x| x.delay_ns),
            idle_ns: mine().filter_map(|x| x.idle_ns).sum(),
            outside,
        })
    }

    fn share(&self, w: u32) -> Option<WorkerShare> {
        let s = self.stretch(w)?;
        let inside = 1.0 - s.outside;
        let span = s.span_ns.max(1) as f64;
        let cpu = (s.cpu_ns? as f64 / span).clamp(0.0, 1.0);
        let run_queue = (s.delay_ns? as f64 / span).clamp(0.0, 1.0 - cpu);
        let idle = (s.idle_ns as f64 / span).clamp(0.0, 1.0 - cpu - run_queue);
        let blocked = 1.0 - cpu - run_queue - idle;
        Some(WorkerShare {
            cpu: cpu * inside,
            run_queue: run_queue * inside,
            blocked: blocked * inside,
            idle: idle * inside,
            outside: s.outside,
        })
    }

    /// Where workers keep no carrier: the carriers' time in equal parts, the rest is waiting for one.
    fn shares_by_carriers(&self) -> Option<Vec<WorkerShare>> {
        let n = f64::from(self.workers);
        let cpu = (self.effective_cpus_carriers()? / n).min(1.0);
        let run_queue = (self.carriers_sum(|x| x.delay_ns)? / n).min(1.0 - cpu);
        let one = |w| {
            let s = self.stretch(w)?;
            let inside = 1.0 - s.outside;
            Some(WorkerShare {
                cpu: cpu * inside,
                run_queue: run_queue * inside,
                blocked: (1.0 - cpu - run_queue) * inside,
                idle: 0.0,
                outside: s.outside,
            })
        };
        self.worker_ids().map(one).collect()
    }

    /// Seconds a second of all carriers over the windows; `None` where a carrier does not tell.
    fn carriers_sum(&self, of: fn(&CarrierWindow) -> Option<u64>) -> Option<f64> {
        let (begin, end) = self.nominal_ns()?;
        let inside = |x: &&CarrierWindow| (0..self.windows_n as i32).contains(&x.i);
        let each = || self.carriers.iter().flat_map(|c| &c.windows).filter(inside);
        let sum: u64 = each().map(of).sum::<Option<u64>>()?;
        (each().next().is_some()).then(|| sum as f64 / (end - begin).max(1) as f64)
    }

    fn effective_cpus_carriers(&self) -> Option<f64> {
        self.carriers_sum(|x| Some(x.cpu_ns))
    }

    fn effective_cpus_proc(&self) -> Option<f64> {
        let begin = self.totals.iter().map(|t| t.started_ns).min()?;
        let end = self.totals.iter().map(|t| t.ended_ns).max()?;
        if self.carriers.is_empty() || end <= begin {
            return None;
        }
        let cpu: Option<u64> = self.carriers.iter().map(|c| c.proc.cpu_ns).sum();
        Some(cpu? as f64 / (end - begin) as f64)
    }
}

fn window_rate(x: &Window) -> f64 {
    match (x.first_ns, x.last_ns) {
        (Some(first), Some(last)) if last > first => x.ops as f64 * 1e9 / (last - first) as f64,
        _ => 0.0,
    }
}

impl Gates {
    /// Ticks of the whole machine between the two readings (`USER_HZ` 100).
    pub fn capacity_ticks(&self) -> f64 {
        self.wall_ns as f64 / 1e7 * f64::from(self.cpus)
    }

    /// Busy ticks that were not ours; `None` where either is unknown.
    pub fn foreign_ticks(&self) -> Option<f64> {
        Some((self.busy_ticks? as f64 - self.own_ns? as f64 / 1e7).max(0.0))
    }

    /// Adds the readings of the next trial of the same block; a figure missing in one is missing in
    /// the sum.
    pub fn add(&mut self, other: &Self) {
        let sum = |a: Option<u64>, b: Option<u64>| Some(a? + b?);
        self.wall_ns += other.wall_ns;
        self.cpus = self.cpus.max(other.cpus);
        self.busy_ticks = sum(self.busy_ticks, other.busy_ticks);
        self.steal_ticks = sum(self.steal_ticks, other.steal_ticks);
        self.own_ns = sum(self.own_ns, other.own_ns);
        self.throttled_ns = sum(self.throttled_ns, other.throttled_ns);
        self.freq_khz = None;
    }
}
