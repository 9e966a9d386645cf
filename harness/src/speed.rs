//! How fast a CPU runs just now, which a guest can read nowhere.
//!
//! In a virtual machine the other hardware thread of a core may belong to another guest. When that one
//! works, ours keeps running (no steal, full CPU time) and gets less done: code that fills the core, an
//! interpreter's for one, loses 10 to 40 %, a dependent chain almost nothing. Such times last tenths of a
//! second, as long as a trial. So before a trial each of its CPUs is timed on a fixed piece of work; while one
//! is slower than usual the trial waits, and what was seen before and after it is recorded. The decision is
//! made before the trial and from outside it: no trial is chosen by its own figures.
//!
//! On bare metal every hardware thread is ours and /proc/stat shows who uses it, so nothing is timed there.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use amdahl_schema::CpuSpeed;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// More CPUs than this are not timed: one after the other, that would take longer than what it may reveal.
const CPUS_MAX: usize = 64;
/// A CPU that needs so much longer than usual is slow.
const SLOW: f64 = 1.10;
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(15);
/// Longest wait for one trial.
const WAIT_MAX: Duration = Duration::from_millis(400);
/// Largest part of the run spent waiting: 1 / this.
const WAIT_PART: u32 = 6;
/// Readings per CPU before there is a usual speed.
const FEW: usize = 8;

/// Times CPUs, and waits for slow ones.
#[derive(Debug)]
pub struct SpeedProbe {
    past: RefCell<Past>,
}

#[derive(Debug)]
struct Past {
    begin: Instant,
    waited: Duration,
    /// By CPU, the reading before each trial.
    readings: BTreeMap<u32, Vec<u32>>,
}

/// What was found before a trial.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settled {
    /// The CPUs' speed; `after_ps` still absent.
    pub speed: Vec<CpuSpeed>,
    /// Time waited for slow CPUs; `None` where none was timed.
    pub waited: Option<Duration>,
}

impl Default for SpeedProbe {
    fn default() -> Self {
        let past =
            Past { begin: Instant::now(), waited: Duration::ZERO, readings: BTreeMap::new() };
        Self { past: RefCell::new(past) }
    }
}

impl SpeedProbe {
    /// Times `cpus`, and again while one of them is slow and there is time to wait.
    pub fn settle(&self, cpus: &[u32]) -> Settled {
        let mut past = self.past.borrow_mut();
        let may_wait = (past.begin.elapsed() / WAIT_PART).saturating_sub(past.waited).min(WAIT_MAX);
        let begin = Instant::now();
        let mut cpus = cpus.to_vec();
        cpus.sort_unstable();
        cpus.dedup();
        if cpus.is_empty() || cpus.len() > CPUS_MAX {
            return Settled::default();
        }
        let speed = settle(&mut past.readings, &cpus, &mut picoseconds, &mut || {
            let more = begin.elapsed() + PAUSE <= may_wait;
            if more {
                std::thread::sleep(PAUSE);
            }
            more
        });
        let waited = begin.elapsed();
        past.waited += waited;
        Settled { speed, waited: Some(waited) }
    }

    /// Times the same CPUs once more, after the trial.
    pub fn after(&self, mut settled: Settled) -> Vec<CpuSpeed> {
        for s in &mut settled.speed {
            s.after_ps = picoseconds(s.cpu);
        }
        settled.speed
    }
}

/// Reads all CPUs until none is slow or `wait` says that it is enough. The first reading of each CPU joins the
/// past: later ones were taken because it was slow, and would make slow look usual.
fn settle(
    past: &mut BTreeMap<u32, Vec<u32>>,
    cpus: &[u32],
    read: &mut dyn FnMut(u32) -> Option<u32>,
    wait: &mut dyn FnMut() -> bool,
) -> Vec<CpuSpeed> {
    let mut first = true;
    loop {
        let mut speeds = Vec::new();
        for cpu in cpus {
            let Some(before_ps) = read(*cpu) else { continue };
            let readings = past.entry(*cpu).or_default();
            if first || readings.len() < FEW {
                readings.push(before_ps);
            }
            speeds.push(CpuSpeed {
                cpu: *cpu,
                usual_ps: usual(readings),
                before_ps,
                after_ps: None,
            });
        }
        first = false;
        let slow =
            |s: &CpuSpeed| s.usual_ps.is_some_and(|u| f64::from(s.before_ps) > SLOW * f64::from(u));
        let few = past.values().any(|r| r.len() < FEW);
        if !(speeds.iter().any(slow) || few) || !wait() {
            return speeds;
        }
    }
}

/// The fast side of what was seen: the fifth part of the readings is faster. A CPU that is slow most of the
/// time still has its own full speed as the measure, and one lucky reading is not it.
fn usual(readings: &[u32]) -> Option<u32> {
    let mut sorted = readings.to_vec();
    sorted.sort_unstable();
    (sorted.len() >= FEW).then(|| sorted[sorted.len() / 5])
}

/// Time of one round of the work on a CPU, ps: the median of seven slices of some 60 µs, so that an interrupt
/// in one does not count. `None` where this thread may not run there.
fn picoseconds(cpu: u32) -> Option<u32> {
    const ROUNDS: u32 = 16_384;
    let home = sched_getaffinity(None).ok()?;
    let mut there = CpuSet::new();
    if cpu as usize >= CpuSet::MAX_CPU {
        return None;
    }
    there.set(cpu as usize);
    sched_setaffinity(None, &there).ok()?;
    let mut slices = [0; 7];
    for slice in &mut slices {
        let begin = Instant::now();
        black_box(work(black_box(1), ROUNDS));
        *slice = begin.elapsed().as_nanos() as u64;
    }
    // Back to all the CPUs: what is started later inherits this thread's mask.
    sched_setaffinity(None, &home).ok()?;
    slices.sort_unstable();
    u32::try_from(slices[slices.len() / 2] * 1000 / u64::from(ROUNDS)).ok()
}

/// Six independent chains of shifts and exclusive-ors: more at once than a core can begin in a cycle, so
/// that whoever shares the core is felt. Different shifts keep them out of vector registers.
#[inline(never)]
fn work(seed: u64, rounds: u32) -> u64 {
    let mut x = [1, 2, 3, 4, 5, 6].map(|k: u64| seed.wrapping_add(k) | 1);
    for _ in 0..rounds {
        x[0] ^= x[0] << 13;
        x[1] ^= x[1] << 7;
        x[2] ^= x[2] << 17;
        x[3] ^= x[3] << 23;
        x[4] ^= x[4] << 11;
        x[5] ^= x[5] << 5;
        x[0] ^= x[0] >> 7;
        x[1] ^= x[1] >> 9;
        x[2] ^= x[2] >> 26;
        x[3] ^= x[3] >> 18;
        x[4] ^= x[4] >> 31;
        x[5] ^= x[5] >> 27;
    }
    x.iter().fold(0, |sum, v| sum ^ v)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Readings from a list; waits as often as told, counting.
    fn run(past: &mut BTreeMap<u32, Vec<u32>>, seen: &[u32], most: u32) -> (Vec<CpuSpeed>, u32) {
        let mut seen = seen.iter();
        let mut waits = 0;
        let speeds = settle(past, &[3], &mut |_| seen.next().copied(), &mut || {
            waits += 1;
            waits <= most
        });
        (speeds, waits)
    }

    #[test]
    fn a_slow_cpu_is_waited_for_and_its_slow_readings_do_not_become_usual() {
        let mut past = BTreeMap::from([(3, vec![1000; 20])]);
        let (speeds, waits) = run(&mut past, &[1400, 1390, 1380, 1010], 10);
        assert_eq!(waits, 3);
        let expected = CpuSpeed { cpu: 3, usual_ps: Some(1000), before_ps: 1010, after_ps: None };
        assert_eq!(speeds, [expected]);
        assert_eq!(past[&3].len(), 21);
        let (speeds, waits) = run(&mut past, &[1099], 10);
        assert_eq!((waits, speeds[0].before_ps), (0, 1099));
    }

    #[test]
    fn the_wait_ends_and_the_trial_says_how_slow_the_cpu_was() {
        let mut past = BTreeMap::from([(3, vec![1000; 20])]);
        let (speeds, waits) = run(&mut past, &[1400, 1400, 1400], 2);
        assert_eq!(waits, 3);
        assert_eq!(speeds[0].before_ps, 1400);
    }

    #[test]
    fn a_new_cpu_is_read_until_its_usual_speed_is_known() {
        let mut past = BTreeMap::new();
        let (speeds, _) = run(&mut past, &[1300, 1000, 1300, 1000, 1300, 1000, 1000, 1010], 20);
        assert_eq!(speeds[0].usual_ps, Some(1000));
        assert_eq!(past[&3].len(), FEW);
        // A CPU that is gone has no reading.
        assert_eq!(run(&mut BTreeMap::new(), &[], 0).0, []);
    }

    #[test]
    fn this_thread_comes_back_to_its_own_cpus() {
        let before = sched_getaffinity(None).expect("readable");
        let cpu = (0..CpuSet::MAX_CPU).find(|c| before.is_set(*c)).expect("one CPU") as u32;
        assert!(picoseconds(cpu).expect("allowed here") > 100);
        let after = sched_getaffinity(None).expect("readable");
        assert!((0..CpuSet::MAX_CPU).all(|c| before.is_set(c) == after.is_set(c)));
        assert_eq!(picoseconds(u32::MAX), None);
    }
}
