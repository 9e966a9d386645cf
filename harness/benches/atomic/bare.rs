//! The reference: two pinned threads and a loop that adds, in a process of its own.

use std::hash::{BuildHasher as _, RandomState};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The word by which the bench starts itself as the bare loop.
pub(crate) const ARG: &str = "bare";

/// Both begin within some ns of each other and end within one batch: what one does alone is below a thousandth.
const TIME: Duration = Duration::from_millis(150);
const BATCH: u64 = 1024;

#[repr(align(128))]
struct Apart(AtomicU64);

/// A page of it is drawn for the counter: what two CPUs pay for a line depends on where it lies in physical memory.
static POOL: [[Apart; 32]; 256] = [const { [const { Apart(AtomicU64::new(0)) }; 32] }; 256];
static THERE: AtomicUsize = AtomicUsize::new(0);

/// The first two CPUs that this process may use.
pub(crate) fn cpus() -> [usize; 2] {
    let mine = sched_getaffinity(None).expect("the affinity of this process");
    let mut cpus = (0..CpuSet::MAX_CPU).filter(|cpu| mine.is_set(*cpu));
    match (cpus.next(), cpus.next()) {
        (Some(a), Some(b)) => [a, b],
        _ => panic!("two CPUs are needed"),
    }
}

pub(crate) fn launch(cpus: [usize; 2]) -> Result<f64, String> {
    let own = std::env::current_exe().map_err(|e| e.to_string())?;
    let out = Command::new(own)
        .arg(ARG)
        .args(cpus.map(|cpu| cpu.to_string()))
        .output()
        .map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&out.stdout);
    text.trim().parse().map_err(|_| format!("the bare loop printed `{text}`"))
}

/// Prints wall ns an addition.
pub(crate) fn main(cpus: &[String]) -> ExitCode {
    let cpus: Vec<usize> = cpus.iter().map(|cpu| cpu.parse().expect("a CPU")).collect();
    let n = cpus.len();
    // Written to, so that each has a page.
    POOL.iter().flatten().for_each(|word| word.0.store(0, Ordering::Relaxed));
    let counter = &POOL[RandomState::new().hash_one(0) as usize % POOL.len()][0].0;
    let threads: Vec<_> =
        cpus.into_iter().map(|cpu| thread::spawn(move || adding(counter, cpu, n))).collect();
    let done: Vec<(u64, Duration)> =
        threads.into_iter().map(|t| t.join().expect("no panic")).collect();
    let made: u64 = done.iter().map(|(ops, _)| ops).sum();
    assert_eq!(counter.load(Ordering::Relaxed), made, "additions were lost");
    let rate: f64 = done.iter().map(|(ops, time)| *ops as f64 / time.as_nanos() as f64).sum();
    println!("{}", 1.0 / rate);
    ExitCode::SUCCESS
}

fn adding(counter: &AtomicU64, cpu: usize, n: usize) -> (u64, Duration) {
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set).expect("a CPU of this process");
    THERE.fetch_add(1, Ordering::AcqRel);
    while THERE.load(Ordering::Acquire) < n {
        std::hint::spin_loop();
    }
    let (start, mut ops) = (Instant::now(), 0);
    loop {
        add(counter, BATCH);
        ops += BATCH;
        let time = start.elapsed();
        if time >= TIME {
            return (ops, time);
        }
    }
}

/// All there is: an addition, a counter of turns, a jump.
#[inline(never)]
fn add(counter: &AtomicU64, n: u64) {
    for _ in 0..n {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
