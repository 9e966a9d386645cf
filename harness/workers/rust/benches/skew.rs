//! How closely two threads start: 100 trials, each with fresh workers, pinned as the harness does.

mod common;

use amdahl_worker::{Carrier, Cell, Error, Go, Pass, Program};
use rustix::thread::{CpuSet, Pid, sched_getaffinity, sched_setaffinity};

/// The window that the skew is held against, and the share of it that is allowed.
const WINDOW_NS: u64 = 30_000_000;
const ALLOWED_NS: u64 = WINDOW_NS / 100;

fn main() -> Result<(), Error> {
    let trials = if common::quick() { 20 } else { 100 };
    let program = Program::new();
    let mut skews = (0..trials).map(|_| trial(&program)).collect::<Result<Vec<_>, _>>()?;
    skews.sort_unstable();
    let within = skews.iter().filter(|skew| **skew <= ALLOWED_NS).count();
    let at = |share: f64| skews[((trials - 1) as f64 * share) as usize];
    println!(
        "start skew of threads, N = 2: {within} of {trials} trials within 1 % of a 30 ms window \
         (required: 95 of 100); median {} ns, p95 {} ns, max {} ns",
        at(0.5),
        at(0.95),
        at(1.0)
    );
    Ok(())
}

/// Largest minus smallest start of two fresh workers.
fn trial(program: &Program) -> Result<u64, Error> {
    let job = program.job(Cell::new("cpu", "threads", 2))?;
    let mut crew = program.launch(&job)?;
    pin(crew.carriers());
    let mut go = Go::soon(Pass::Throughput, 1, 1_000_000);
    go.spin_ns = 2_000_000;
    crew.release(&go)?;
    crew.join()?;
    let starts: Vec<u64> = crew.collect()?.iter().map(|report| report.total.started_ns).collect();
    Ok(starts.iter().max().unwrap_or(&0) - starts.iter().min().unwrap_or(&0))
}

/// One CPU each, where there are as many.
fn pin(carriers: &[Carrier]) {
    let Ok(mine) = sched_getaffinity(None) else { return };
    let cpus: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| mine.is_set(*cpu)).collect();
    if cpus.len() < carriers.len() {
        println!("{} CPU(s): not pinned", cpus.len());
        return;
    }
    for (carrier, cpu) in carriers.iter().zip(cpus) {
        let mut set = CpuSet::new();
        set.set(cpu);
        // Where it is refused the trial runs unpinned, and shows it.
        let _ = sched_setaffinity(Pid::from_raw(carrier.tid as i32), &set);
    }
}
