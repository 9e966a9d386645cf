//! What does `amdahl trace --preload` add to an uncontended mutex? `cargo bench -p amdahl --bench preload -- [ROUNDS]`
//!
//! A C program locks and unlocks one in a loop and says what a pair took: plain, counted, and with hold times, one after
//! another in every round, in a process that has a second thread and in one that has not (glibc's lock then does without an
//! atomic operation). Over 5 ns more for counting or 60 with hold times ends it with status 1. On a quiet machine only.

use std::path::Path;
use std::process::{Command, ExitCode};

use amdahl_stats::t_interval;

const PROGRAM: &str = r#"
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void *asleep(void *x) { for (;;) pause(); return x; }
static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}
int main(int argc, char **argv) {
    pthread_t other;
    double best = 1e9;
    if (argc > 1) pthread_create(&other, 0, asleep, argv);
    for (int round = 0; round < 10; round++) {
        double begin = now();
        for (int i = 0; i < 500000; i++) pthread_mutex_lock(&lock), pthread_mutex_unlock(&lock);
        double ns = (now() - begin) / 500000;
        if (ns < best) best = ns;
    }
    printf("%.4f\n", best);
    return 0;
}
"#;

const WAYS: [(&str, &[&str], f64); 3] = [
    ("plain", &[], f64::INFINITY),
    ("counted", &["trace", "--preload", "--"], 5.0),
    ("hold times", &["trace", "--preload", "--hold", "--"], 60.0),
];

fn main() -> ExitCode {
    let rounds = std::env::args().skip(1).find_map(|a| a.parse().ok()).unwrap_or(10);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let exe = dir.path().join("loop");
    let source = exe.with_extension("c");
    std::fs::write(&source, PROGRAM).expect("the directory is ours");
    let made = Command::new("cc").args(["-O2", "-pthread", "-o"]).arg(&exe).arg(&source).status();
    if !made.is_ok_and(|s| s.success()) {
        println!("skipped: cc does not compile the program");
        return ExitCode::SUCCESS;
    }
    println!(
        "ns a pair of lock and unlock, mean of {rounds} rounds and what it is more than plain, with 95 % interval"
    );
    let mut within = true;
    for (threads, arguments) in [("two threads", &["2"][..]), ("one thread", &[])] {
        // One round first that nobody counts: it compiles the library.
        let mut times: Vec<[f64; 3]> = (0..=rounds)
            .map(|_| WAYS.map(|way| pair(dir.path(), &exe, way.1, arguments)))
            .collect();
        times.remove(0);
        for (n, (name, _, limit)) in WAYS.iter().enumerate() {
            let mean = times.iter().map(|t| t[n]).sum::<f64>() / times.len() as f64;
            let more: Vec<f64> = times.iter().map(|t| t[n] - t[0]).collect();
            let Some(more) = t_interval(&more, 0.95).filter(|_| n > 0) else {
                println!("{threads:<12} {name:<11} {mean:7.2}");
                continue;
            };
            let (at, low, high) = (more.estimate, more.lo, more.hi);
            within &= at <= *limit;
            println!(
                "{threads:<12} {name:<11} {mean:7.2}  {at:+.2} [{low:.2}, {high:.2}], at most {limit}"
            );
        }
    }
    if within { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn pair(dir: &Path, exe: &Path, way: &[&str], arguments: &[&str]) -> f64 {
    let mut command = match way {
        [] => Command::new(exe),
        _ => Command::new(env!("CARGO_BIN_EXE_amdahl")),
    };
    if !way.is_empty() {
        command.args(way).arg(exe);
    }
    let out = command.args(arguments).current_dir(dir).output().expect("it starts");
    let text = String::from_utf8_lossy(&out.stdout);
    let first = text.lines().next().and_then(|l| l.parse().ok());
    first.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&out.stderr)))
}
