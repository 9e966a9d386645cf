//! False alarms and power of five judges at equal wall time. `cargo bench -p amdahl --bench rivals -- ROUNDS [SECONDS] [busy] [ours]`
//!
//! In each round, in random order, each judge compares the same loop with its byte copy, with 2 % and with 5 % more work, in so many
//! seconds (3) at most. `busy` lets another program use one CPU for a random part of the time, as on a machine that others use too; `ours`
//! leaves the other programs out. A wrong word of ours (a change where there is none, or one in the wrong direction) ends it with status 1.
//! criterion and tango are built here on the fly, hyperfine is taken from PATH; what is not there is left out with the reason.

mod build;
mod judges;

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use amdahl_stats::SplitMix;
use build::Subject;
use judges::{JUDGES, OURS, Said};

const STEPS: u64 = 10_000;

/// More work of B, in percent.
const CHANGES: [u64; 3] = [0, 2, 5];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    // Without a number (as in `make bench`) one round shows that it works.
    let number = |k: usize| args.get(k).and_then(|a| a.parse::<f64>().ok());
    let (rounds, seconds) = (number(0).unwrap_or(1.0) as usize, number(1).unwrap_or(3.0));
    let has = |word: &str| args.iter().any(|a| a == word);
    let (busy, ours) = (has("busy"), has("ours"));
    let dir = tempfile::tempdir().expect("a temporary directory");
    let subjects = match subjects(dir.path()) {
        Ok(subjects) => subjects,
        Err(why) => {
            eprintln!("the subjects can't be built, so nobody is compared: {why}");
            return ExitCode::SUCCESS;
        }
    };
    // What it said, by judge and change.
    let mut said: Vec<Vec<Words>> = vec![vec![Words::default(); CHANGES.len()]; JUDGES.len()];
    let mut out: Vec<Option<String>> = vec![None; JUDGES.len()];
    if ours {
        out[OURS..].fill(Some("not asked for".to_owned()));
    }
    let mut rng = SplitMix::new(20_261_123);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        if busy {
            scope.spawn(|| neighbour(&done));
        }
        for round in 0..rounds {
            let mut order: Vec<(usize, usize)> =
                (0..JUDGES.len()).flat_map(|j| (0..CHANGES.len()).map(move |c| (j, c))).collect();
            rng.shuffle(&mut order);
            for (j, c) in order.into_iter().filter(|(j, _)| out[*j].is_none()).collect::<Vec<_>>() {
                let begin = Instant::now();
                match (JUDGES[j].judge)(&subjects[0], &subjects[c + 1], seconds, dir.path()) {
                    Ok(word) => said[j][c].add(word, begin.elapsed()),
                    Err(why) => out[j] = Some(why),
                }
            }
            eprintln!("round {} of {rounds}", round + 1);
        }
        done.store(true, Ordering::Relaxed);
    });
    table(&said, &out, seconds, busy);
    let wrong = |words: &[Words]| {
        words[0].count(&[Said::Slower, Said::Faster]) > 0
            || words[1..].iter().any(|w| w.count(&[Said::Faster]) > 0)
    };
    if said[..OURS].iter().any(|words| wrong(words)) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// A, its copy, and what has more work.
fn subjects(dir: &Path) -> Result<Vec<Subject>, String> {
    build::crate_in(dir)?;
    let mut subjects = vec![build::subject(dir, STEPS, 1)?];
    for (k, change) in CHANGES.iter().enumerate() {
        subjects.push(build::subject(dir, STEPS + STEPS * change / 100, 2 + k)?);
    }
    Ok(subjects)
}

/// What a judge said of one change, and how long it took.
#[derive(Default, Clone)]
struct Words {
    said: Vec<Said>,
    time: Duration,
}

impl Words {
    fn add(&mut self, word: Said, time: Duration) {
        self.said.push(word);
        self.time += time;
    }

    fn count(&self, of: &[Said]) -> usize {
        self.said.iter().filter(|w| of.contains(w)).count()
    }

    /// `3 of 60 (2.1 s)`.
    fn of(&self, words: &[Said]) -> String {
        let n = self.said.len();
        format!("{} of {n} ({:.1} s)", self.count(words), self.time.as_secs_f64() / n.max(1) as f64)
    }
}

fn table(said: &[Vec<Words>], out: &[Option<String>], seconds: f64, busy: bool) {
    println!(
        "at most {seconds} s each{}; in brackets the time that one took",
        if busy { ", a neighbour now and then" } else { "" }
    );
    println!(
        "| judge | same work: alarms | shown equal | +2 % found | +5 % found |\n|---|---|---|---|---|"
    );
    for ((judge, words), out) in JUDGES.iter().zip(said).zip(out) {
        if let Some(why) = out {
            eprintln!("left out: {}: {why}", judge.name);
            continue;
        }
        let alarms = words[0].of(&[Said::Slower, Said::Faster]);
        let (two, five) = (words[1].of(&[Said::Slower]), words[2].of(&[Said::Slower]));
        println!(
            "| {} | {alarms} | {} | {two} | {five} |",
            judge.name,
            words[0].count(&[Said::Same])
        );
    }
}

/// Works for half a second to four, rests as long.
fn neighbour(done: &AtomicBool) {
    let mut rng = SplitMix::new(7);
    while !done.load(Ordering::Relaxed) {
        let shell =
            Command::new("sh").args(["-c", "while :; do :; done"]).stdin(Stdio::null()).spawn();
        std::thread::sleep(Duration::from_millis(500 + rng.below(3500)));
        if let Ok(mut shell) = shell {
            let _ = shell.kill();
            let _ = shell.wait();
        }
        std::thread::sleep(Duration::from_millis(500 + rng.below(3500)));
    }
}
