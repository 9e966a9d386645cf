//! Three threads that stamp their own waits for one mutex.
use std::sync::Mutex;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

static LOCK: Mutex<()> = Mutex::new(());

fn work() -> (u64, u64) {
    let (mut waits, mut waited_ns) = (0, 0);
    for _ in 0..100 {
        let held = LOCK.try_lock().unwrap_or_else(|_| {
            let begin = Instant::now();
            let held = LOCK.lock().unwrap();
            let ns = begin.elapsed().as_nanos() as u64;
            waited_ns += ns;
            waits += u64::from(ns > 50_000);
            held
        });
        sleep(Duration::from_millis(1));
        drop(held);
        sleep(Duration::from_millis(1));
    }
    (waits, waited_ns)
}

fn main() {
    let all = scope(|s| [0; 3].map(|_| s.spawn(work)).map(|t| t.join().unwrap()));
    let sum = |f: fn(&(u64, u64)) -> u64| all.iter().map(f).sum::<u64>();
    println!("{} {}", sum(|w| w.0), sum(|w| w.1));
    std::process::exit(3);
}
