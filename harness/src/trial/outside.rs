//! The machine as a trial touches it, so that tests can put a fake in its place.

use amdahl_schema::{Counter, CpuSpeed, Gates};
use rustix::thread::{CpuSet, sched_setaffinity};

use crate::counters::{Context, CounterSet, EventSet, Kernel};
use crate::gates::{GateProbe, Reading};
use crate::procfs::{Memory, ProcSample, Roots, tree};
use crate::speed::{Settled, SpeedProbe};

/// Counters open on some carriers.
pub trait CounterSession {
    /// Starts counting.
    fn start(&mut self);
    /// Stops, and gives every metric of the set: its count, or why there is none.
    fn stop(&mut self) -> Vec<Counter>;
}

/// Everything a trial does to the machine or reads from it.
pub trait Outside {
    /// CLOCK_MONOTONIC.
    fn now_ns(&self) -> u64;
    /// Pins a thread to a CPU.
    fn pin(&self, tid: u32, cpu: u32) -> Result<(), String> {
        self.confine(tid, &[cpu])
    }
    /// Confines a thread to some CPUs.
    fn confine(&self, tid: u32, cpus: &[u32]) -> Result<(), String>;
    /// A thread's figures so far.
    fn sample(&self, tid: u32) -> ProcSample;
    /// A reading of external causes; `roots` are the process trees of ours.
    fn gate(&self, roots: &[u32]) -> Reading;
    /// What happened since.
    fn gates_since(&self, before: &Reading, roots: &[u32], cpus: &[u32]) -> Gates;
    /// Memory of everything below these guards.
    fn memory(&self, guards: &[u32]) -> Vec<Memory>;
    /// Waits until these CPUs run as fast as they usually do, within limits.
    fn settle(&self, cpus: &[u32]) -> Settled;
    /// How fast they run now, after the trial.
    fn speed_after(&self, before: Settled) -> Vec<CpuSpeed>;
    /// Opens a set of counters on threads.
    fn counters(&self, set: u32, tids: &[u32]) -> Box<dyn CounterSession + '_>;
}

/// This machine.
pub struct Machine {
    /// Where /proc and /sys are.
    pub roots: Roots,
    /// External causes.
    pub probe: GateProbe,
    /// The speed of CPUs, where a hypervisor hides who shares them.
    pub speed: Option<SpeedProbe>,
    /// Sets of counters that are worth a trial here.
    pub sets: Vec<EventSet>,
    /// What the kernel lets us count.
    pub context: Context,
}

impl CounterSession for CounterSet<'_> {
    fn start(&mut self) {
        self.enable();
    }

    fn stop(&mut self) -> Vec<Counter> {
        self.disable();
        self.read()
    }
}

/// No set of that number: nothing is counted.
impl CounterSession for () {
    fn start(&mut self) {}

    fn stop(&mut self) -> Vec<Counter> {
        Vec::new()
    }
}

impl Outside for Machine {
    fn now_ns(&self) -> u64 {
        let t = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
    }

    fn confine(&self, tid: u32, cpus: &[u32]) -> Result<(), String> {
        // No pid would mean the calling thread: ours.
        let pid = rustix::process::Pid::from_raw(tid as i32);
        let pid = Some(pid.ok_or_else(|| format!("{tid} is no thread"))?);
        let mut set = CpuSet::new();
        for cpu in cpus {
            if *cpu as usize >= CpuSet::MAX_CPU {
                return Err(format!("CPU {cpu} is beyond the {} a mask holds", CpuSet::MAX_CPU));
            }
            set.set(*cpu as usize);
        }
        sched_setaffinity(pid, &set).map_err(|e| format!("thread {tid} to CPU {cpus:?}: {e}"))
    }

    fn sample(&self, tid: u32) -> ProcSample {
        ProcSample::take(&self.roots, tid)
    }

    fn gate(&self, roots: &[u32]) -> Reading {
        self.probe.take(roots)
    }

    fn gates_since(&self, before: &Reading, roots: &[u32], cpus: &[u32]) -> Gates {
        self.probe.since(before, roots, cpus)
    }

    fn memory(&self, guards: &[u32]) -> Vec<Memory> {
        let workers = tree(&self.roots, guards).into_iter().filter(|pid| !guards.contains(pid));
        workers.filter_map(|pid| Memory::take(&self.roots, pid)).collect()
    }

    fn settle(&self, cpus: &[u32]) -> Settled {
        self.speed.as_ref().map(|s| s.settle(cpus)).unwrap_or_default()
    }

    fn speed_after(&self, before: Settled) -> Vec<CpuSpeed> {
        self.speed.as_ref().map(|s| s.after(before)).unwrap_or_default()
    }

    fn counters(&self, set: u32, tids: &[u32]) -> Box<dyn CounterSession + '_> {
        match self.sets.iter().find(|s| s.index == set) {
            Some(set) => Box::new(CounterSet::open(&Kernel, &self.context, set, tids)),
            None => Box::new(()),
        }
    }
}
