//! What happened on the machine while a trial ran, from causes outside the model.
//!
//! Two readings and their difference; whether a block may be used is judged by the statistics.
//!
//! **Own CPU time** is that of our process tree, and has to be right whether workers live, have
//! been reaped, or were born between the two readings. So a reading is a quantity that only grows and
//! that a death does not change: the CPU time of everything alive in the tree plus that of everything
//! its members have reaped. A process that dies moves from the first sum to the second, at its parent,
//! or at the guard (subreaper) if the parent is gone. The alive are read by their process CPU clock:
//! one system call a process instead of a file a thread, exact to the nanosecond, threads that have
//! ended included. The reaped come from `getrusage` for ourselves, and in whole ticks from
//! /proc/PID/stat for others: exact zero in the difference if nothing was reaped, at most 2 ticks off
//! per process that reaped something. A reading costs some 10 µs a process.

use amdahl_schema::Gates;
use amdahl_stats::GateReading;

use crate::procfs::{self, Roots, Stat};
use crate::topology::{CgroupLimits, Machine};

/// `USER_HZ` is 100 on every Linux that this program runs on.
const NS_PER_TICK: u64 = 10_000_000;

/// Takes the readings around a trial.
#[derive(Debug, Clone)]
pub struct GateProbe {
    roots: Roots,
    cgroup: CgroupLimits,
}

/// The machine's cumulated figures at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    at_ns: u64,
    cpus: Vec<CpuTicks>,
    own_ns: Option<u64>,
    throttled_ns: Option<u64>,
}

/// One online CPU's line of /proc/stat.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct CpuTicks {
    cpu: u32,
    busy: u64,
    steal: u64,
}

impl GateProbe {
    /// A probe of this machine.
    pub fn new(roots: &Roots, machine: &Machine) -> Self {
        Self { roots: roots.clone(), cgroup: machine.cgroup.clone() }
    }

    /// A reading. `pids` are roots of process trees that are ours besides the harness's own tree, which
    /// always counts (so it may be empty).
    pub fn take(&self, pids: &[u32]) -> Reading {
        // The same order both times: what we burn between the two sums cancels in the difference.
        let at_ns = monotonic_ns();
        let cpus = self.roots.proc("stat").map(|text| parse_stat(&text)).unwrap_or_default();
        let own_ns = self.own_ns(pids);
        Reading { at_ns, cpus, own_ns, throttled_ns: self.cgroup.throttled_ns() }
    }

    /// The difference between now and `before`; `cpus_used` are those whose frequency is read.
    pub fn since(&self, before: &Reading, pids: &[u32], cpus_used: &[u32]) -> Gates {
        // Frequency first: the kernel's sample of it ages while we read the rest.
        let freq_khz = mean_freq_khz(&self.roots, cpus_used);
        Gates { freq_khz, ..self.take(pids).since(before) }
    }

    fn own_ns(&self, pids: &[u32]) -> Option<u64> {
        let own = std::process::id();
        let others = procfs::tree(&self.roots, &[&[own], pids].concat());
        let others = others.into_iter().filter(|pid| *pid != own);
        Some(children_rusage_ns()? + process_cpu_ns(own)? + self.tree_ns(others))
    }

    /// CPU time of these processes and of all they have reaped.
    fn tree_ns(&self, pids: impl IntoIterator<Item = u32>) -> u64 {
        // One that is gone since the walk: the sum of whoever reaped it has it, or will have it.
        let one = |pid| {
            let reaped = self.reaped_ticks(pid).unwrap_or(0) * NS_PER_TICK;
            process_cpu_ns(pid).unwrap_or(0) + reaped
        };
        pids.into_iter().map(one).sum()
    }

    /// `cutime + cstime`.
    fn reaped_ticks(&self, pid: u32) -> Option<u64> {
        let text = self.roots.proc(&format!("{pid}/stat"))?;
        let stat = Stat::parse(&text)?;
        Some(stat.field(16)? + stat.field(17)?)
    }
}

impl Reading {
    /// What happened from `before` to here; what is missing in either is absent.
    pub fn since(&self, before: &Self) -> Gates {
        // A CPU that came or went has no difference; the others still tell.
        let pairs: Vec<(&CpuTicks, &CpuTicks)> = self
            .cpus
            .iter()
            .filter_map(|now| Some((now, before.cpus.iter().find(|then| then.cpu == now.cpu)?)))
            .collect();
        let sum = |field: fn(&CpuTicks) -> u64| {
            // Some kernels let a CPU's steal or idle step back by a tick or two.
            let total =
                pairs.iter().map(|(now, then)| field(now).saturating_sub(field(then))).sum();
            (!pairs.is_empty()).then_some(total)
        };
        let diff = |now: Option<u64>, then: Option<u64>| now?.checked_sub(then?);
        Gates {
            wall_ns: self.at_ns.saturating_sub(before.at_ns),
            cpus: pairs.len() as u32,
            busy_ticks: sum(|c| c.busy),
            steal_ticks: sum(|c| c.steal),
            own_ns: diff(self.own_ns, before.own_ns),
            throttled_ns: diff(self.throttled_ns, before.throttled_ns),
            ..Gates::default()
        }
    }
}

/// What the rule for gates is told of a difference of two readings.
pub fn reading(gates: &Gates) -> GateReading {
    GateReading {
        capacity_ticks: gates.capacity_ticks(),
        foreign_ticks: gates.foreign_ticks(),
        steal_ticks: gates.steal_ticks.map(|t| t as f64),
    }
}

/// Mean current frequency of `cpus`, kHz; `None` unless every one of them tells.
pub fn mean_freq_khz(roots: &Roots, cpus: &[u32]) -> Option<u64> {
    let one = |cpu: &u32| -> Option<u64> {
        roots.sys(&format!("devices/system/cpu/cpu{cpu}/cpufreq/scaling_cur_freq"))?.parse().ok()
    };
    let all: Vec<u64> = cpus.iter().map(one).collect::<Option<_>>()?;
    (!all.is_empty()).then(|| all.iter().sum::<u64>() / all.len() as u64)
}

/// Per online CPU: busy = user + nice + system + irq + softirq (guest time is inside user).
fn parse_stat(text: &str) -> Vec<CpuTicks> {
    let line = |line: &str| {
        let (name, rest) = line.split_once(' ')?;
        let cpu = name.strip_prefix("cpu")?.parse().ok()?;
        let t: Vec<u64> = rest.split_ascii_whitespace().flat_map(str::parse).collect();
        let [user, nice, system, _idle, _iowait, irq, softirq, steal, ..] = t[..] else {
            return None;
        };
        Some(CpuTicks { cpu, busy: user + nice + system + irq + softirq, steal })
    };
    text.lines().take_while(|l| l.starts_with("cpu")).filter_map(line).collect()
}

fn monotonic_ns() -> u64 {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}

/// CPU time of a whole process, ended threads included; `None` once it has been reaped.
fn process_cpu_ns(pid: u32) -> Option<u64> {
    // The kernel's encoding of "process `pid`, scheduler clock", which clock_getcpuclockid(3) returns.
    const CPUCLOCK_SCHED: libc::clockid_t = 2;
    let clock = (!libc::clockid_t::try_from(pid).ok()? << 3) | CPUCLOCK_SCHED;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec to write to; an unknown clock is an error return.
    let status = unsafe { libc::clock_gettime(clock, &mut time) };
    (status == 0).then(|| time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

/// CPU time of the children we have reaped, and theirs.
fn children_rusage_ns() -> Option<u64> {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: `usage` is a valid rusage to write to.
    let status = unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr()) };
    if status != 0 {
        return None;
    }
    // SAFETY: all-zero is a valid rusage, and the call above has filled it.
    let usage = unsafe { usage.assume_init() };
    let ns = |t: libc::timeval| t.tv_sec as u64 * 1_000_000_000 + t.tv_usec as u64 * 1_000;
    Some(ns(usage.ru_utime) + ns(usage.ru_stime))
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Child, Command, Stdio};

    use super::*;
    use crate::procfs::tests::Fixture;

    fn probe(roots: &Roots) -> GateProbe {
        GateProbe::new(roots, &Machine::read(roots))
    }

    fn stat(lines: &str) -> Fixture {
        Fixture::new().with(&[("proc/stat", lines)])
    }

    #[test]
    fn ticks_are_summed_over_the_cpus_of_both_readings() {
        let before = stat(
            "cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 10 1 5 100 7 1 1 3 8 0\ncpu1 0 0 0 0 0 0 0 0 0 0\nintr 5\n",
        );
        let after =
            stat("cpu  0 0\ncpu0 30 2 8 120 9 2 3 4 9 0\ncpu2 50 0 0 0 0 0 0 50 0 0\nintr 9\n");
        let (a, b) = (before.roots(), after.roots());
        let g = probe(&b).take(&[]).since(&probe(&a).take(&[]));
        assert_eq!((g.busy_ticks, g.steal_ticks, g.cpus), (Some(27), Some(1), 1));
        assert_eq!(g.throttled_ns, Some(0));
        assert_eq!(g.freq_khz, None);
    }

    #[test]
    fn what_cannot_be_read_is_absent() {
        let f = Fixture::new();
        let p = probe(&f.roots());
        let g = p.since(&p.take(&[]), &[], &[0]);
        assert_eq!((g.busy_ticks, g.steal_ticks, g.cpus, g.freq_khz), (None, None, 0, None));
    }

    #[test]
    fn frequency_is_the_mean_of_the_cpus_used() {
        let file = |n: u32| format!("sys/devices/system/cpu/cpu{n}/cpufreq/scaling_cur_freq");
        let f = Fixture::new().with(&[(&file(0), "3000000\n"), (&file(1), "2000000\n")]);
        assert_eq!(mean_freq_khz(&f.roots(), &[0, 1]), Some(2_500_000));
        assert_eq!(mean_freq_khz(&f.roots(), &[0, 2]), None);
    }

    /// A shell whose child burns CPU, says so, waits for a line, dies; then the shell says so and waits.
    fn burner() -> Child {
        let burn = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; echo burnt; read x";
        Command::new("sh")
            .args(["-c", &format!("sh -c '{burn}'; echo reaped; read x")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh")
    }

    #[test]
    fn own_time_survives_the_death_of_who_spent_it() {
        let roots = Roots::default();
        let p = probe(&roots);
        let before = p.take(&[]);
        let mut child = burner();
        let mut out = BufReader::new(child.stdout.take().expect("stdout"));
        let mut input = child.stdin.take().expect("stdin");
        let mut wait_for = |word: &str| {
            let mut line = String::new();
            out.read_line(&mut line).expect("a line");
            assert_eq!(line.trim(), word);
            p.tree_ns(procfs::tree(&roots, &[child.id()]))
        };
        let alive = wait_for("burnt");
        writeln!(input, "die").expect("written");
        let reaped = wait_for("reaped");
        drop(input);
        child.wait().expect("reaped");
        assert!(alive > 50_000_000, "the child's time while it lives: {alive} ns");
        let lost = alive.abs_diff(reaped);
        assert!(lost < 30_000_000, "neither lost nor counted twice: {alive} -> {reaped} ns");
        let own = p.take(&[]).since(&before).own_ns.expect("known");
        assert!(own + 20_000_000 > reaped, "and ours once we have reaped it: {own} of {reaped} ns");
    }

    #[test]
    fn a_process_clock_is_the_process_s() {
        let own = process_cpu_ns(std::process::id()).expect("alive");
        assert!(own > 0);
        assert_eq!(process_cpu_ns(u32::MAX), None);
        let mut child = Command::new("true").spawn().expect("true");
        let pid = child.id();
        child.wait().expect("reaped");
        assert_eq!(process_cpu_ns(pid), None);
    }
}
