//! Two programs, launched in turn: their wall time, or the figure that each prints.

use std::collections::BTreeSet;
use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{Read as _, Seek as _};
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use amdahl_gate::{Better, Metric};
use amdahl_stats::Margins;
use regex_lite::Regex;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::{Arm, Arms, CellSpec, Round, RoundCell, RoundPlan};
use crate::gates::{GateProbe, reading};
use crate::{Unable, stop};

/// The variable that takes up a random number of bytes.
const PAD_VARIABLE: &str = "AMDAHL_PAD";

/// So much of what a program prints is searched for its figure, and kept of its last words.
const TEXT_MAX: u64 = 1 << 20;

/// An arm that failed in each of so many first rounds will not do better.
const ROUNDS_OF_GRACE: usize = 3;

/// What to launch, what to read.
#[derive(Debug)]
pub struct Asked {
    /// Command line of A, in words.
    pub a: Vec<String>,
    /// Of B.
    pub b: Vec<String>,
    /// The figure in their output: the first group, or all that matches; wall time if there is none.
    pub figure: Option<Regex>,
    /// Which direction of it is good.
    pub better: Better,
    /// What is no change.
    pub margins: Margins,
    /// A launch that takes longer is killed and has failed.
    pub limit: Option<Duration>,
}

/// Two programs as arms; a sentinel is A once more.
pub struct Commands {
    asked: Asked,
    cells: Vec<CellSpec>,
    /// None where the figure does not depend on what else runs.
    probe: Option<GateProbe>,
    rounds: usize,
    /// Of A, the sentinel's launches among them, and of B.
    seen: [Seen; 2],
}

#[derive(Default)]
struct Seen {
    succeeded: usize,
    outputs: BTreeSet<u64>,
}

impl Commands {
    /// The programs need not be there yet: the first round tells.
    pub fn new(asked: Asked, probe: Option<GateProbe>) -> Self {
        let (name, unit) = if asked.figure.is_some() { ("metric", "") } else { ("wall_ns", "ns") };
        let metric = Metric { name: name.to_owned(), unit: unit.to_owned(), better: asked.better };
        let short = |words: &[String]| {
            let program = words[0].rsplit('/').next().unwrap_or(&words[0]);
            [&[program.to_owned()], &words[1..]].concat().join(" ")
        };
        let name = format!("{} -> {}", short(&asked.a), short(&asked.b));
        let cells = vec![CellSpec { name, metric, margins: asked.margins }];
        Self { asked, cells, probe, rounds: 0, seen: Default::default() }
    }

    fn launch(&mut self, arm: Arm, pad: u32) -> anyhow::Result<Result<f64, String>> {
        let (words, seen) = match arm {
            Arm::B => (&self.asked.b, &mut self.seen[1]),
            Arm::A | Arm::Sentinel => (&self.asked.a, &mut self.seen[0]),
        };
        let result = launch(words, pad, self.asked.limit)?.and_then(|done| {
            seen.outputs.insert(done.hash);
            match &self.asked.figure {
                None => Ok(done.wall.as_nanos() as f64),
                Some(figure) => figure_in(&done.text, figure),
            }
        });
        seen.succeeded += usize::from(result.is_ok());
        Ok(result)
    }
}

impl Arms for Commands {
    fn cells(&self) -> &[CellSpec] {
        &self.cells
    }

    fn round(&mut self, plan: &RoundPlan) -> anyhow::Result<Option<Round>> {
        let before = self.probe.as_ref().map(|p| p.take(&[]));
        let mut by_arm = Vec::new();
        for (arm, pad) in plan.order.iter().zip(&plan.env_pad_bytes) {
            by_arm.push((*arm, self.launch(*arm, *pad)?));
            if stop::asked() > 0 {
                return Ok(None);
            }
        }
        self.rounds += 1;
        let gates =
            self.probe.as_ref().zip(before).map(|(p, before)| reading(&p.since(&before, &[], &[])));
        let of = |arm: Arm| by_arm.iter().find(|(a, _)| *a == arm).map(|(_, r)| r.clone());
        let missing = || Err("not launched".to_owned());
        let (a, b) = (of(Arm::A).unwrap_or_else(missing), of(Arm::B).unwrap_or_else(missing));
        for (name, words, result, seen) in
            [("A", &self.asked.a, &a, &self.seen[0]), ("B", &self.asked.b, &b, &self.seen[1])]
        {
            if let Err(why) = result
                && self.rounds == ROUNDS_OF_GRACE
                && seen.succeeded == 0
            {
                let line = words.join(" ");
                return Err(Unable(format!("{name} failed in each of {ROUNDS_OF_GRACE} launches: {why}; try it by itself: {line}")).into());
            }
        }
        let cells = vec![RoundCell { a, b, sentinel: of(Arm::Sentinel) }];
        Ok(Some(Round { cells, gates, dropped: None }))
    }

    fn remarks(&self) -> Vec<String> {
        let [a, b] = [&self.seen[0].outputs, &self.seen[1].outputs];
        // Who prints a figure of its own prints something else each time.
        let repeat = a.len() == 1 && b.len() == 1;
        let differ = self.asked.figure.is_none() && repeat && a != b;
        let text = "A and B print different things, each the same in every launch: do they do the same work?";
        differ.then(|| text.to_owned()).into_iter().collect()
    }
}

struct Done {
    wall: Duration,
    text: String,
    /// Of all of its output.
    hash: u64,
}

/// From before the program is started until it has ended. The outer error is one that the next launch would have, too.
fn launch(
    words: &[String],
    pad: u32,
    limit: Option<Duration>,
) -> anyhow::Result<Result<Done, String>> {
    // Files, not pipes: nobody has to read while the program runs, and it never waits for a reader.
    let (stdout, stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).env(PAD_VARIABLE, "x".repeat(pad as usize)).process_group(0);
    command.stdin(Stdio::null()).stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
    let begin = Instant::now();
    let mut child = command
        .spawn()
        .map_err(|e| crate::trace::program::not_started(&[words[0].clone().into()], &e))?;
    let ended = wait(&mut child, begin, limit)?;
    let wall = begin.elapsed();
    let status = child.wait()?;
    if !ended {
        let limit = limit.unwrap_or_default();
        return Ok(Err(format!("did not end within {limit:?}, killed")));
    }
    if !status.success() {
        return Ok(Err(format!("{}{}", ending(status), last_words(stderr))));
    }
    let (text, hash) = read(stdout)?;
    Ok(Ok(Done { wall, text, hash }))
}

/// Whether it ended by itself; else its process group was killed.
fn wait(child: &mut Child, begin: Instant, limit: Option<Duration>) -> anyhow::Result<bool> {
    let pid = Pid::from_child(child);
    let fd = pidfd_open(pid, PidfdFlags::empty())?;
    loop {
        let left = limit.map(|l| l.saturating_sub(begin.elapsed()));
        let millis = left.map_or(-1, |l| i64::try_from(l.as_millis()).unwrap_or(i64::MAX));
        let timeout = left.map(|_| rustix::time::Timespec {
            tv_sec: millis / 1000,
            tv_nsec: millis % 1000 * 1_000_000,
        });
        let mut fds = [PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN)];
        match poll(&mut fds, timeout.as_ref()) {
            Ok(1..) => return Ok(true),
            Err(rustix::io::Errno::INTR) if stop::asked() == 0 => {}
            Ok(0) | Err(rustix::io::Errno::INTR) => {
                let _ = kill_process_group(pid, Signal::KILL);
                return Ok(false);
            }
            Err(e) => return Err(e.into()),
        }
    }
}

fn ending(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => status.to_string(),
    }
}

/// `: the last line that it wrote`, or nothing.
fn last_words(stderr: File) -> String {
    let text = read(stderr).map(|(text, _)| text).unwrap_or_default();
    let line = text.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or_default();
    let line: String = line.trim().chars().take(200).collect();
    if line.is_empty() { line } else { format!(": {line}") }
}

/// The begin of a file as text, and a hash of all of it.
fn read(mut file: File) -> std::io::Result<(String, u64)> {
    file.rewind()?;
    let (mut hasher, mut kept, mut buffer) = (DefaultHasher::new(), Vec::new(), vec![0; 1 << 16]);
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            return Ok((String::from_utf8_lossy(&kept).into_owned(), hasher.finish()));
        }
        buffer[..n].hash(&mut hasher);
        let room = (TEXT_MAX as usize - kept.len()).min(n);
        kept.extend_from_slice(&buffer[..room]);
    }
}

/// The figure in a program's output; positive, since ratios are taken of it.
fn figure_in(text: &str, figure: &Regex) -> Result<f64, String> {
    let found = figure.captures(text).and_then(|c| c.get(1).or_else(|| c.get(0)));
    let found =
        found.ok_or_else(|| format!("--metric {figure}: nothing in its output matches"))?.as_str();
    let value: f64 =
        found.parse().map_err(|_| format!("--metric {figure}: `{found}` is not a number"))?;
    if value.is_finite() && value > 0.0 {
        Ok(value)
    } else {
        Err(format!(
            "--metric {figure}: {found} is not a positive number, so there is no ratio of it"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        shlex::split(line).unwrap()
    }

    #[test]
    fn a_launch_tells_how_it_ended() {
        let launch = |line: &str, limit| launch(&words(line), 10, limit);
        let failed =
            launch("sh -c 'echo first >&2; echo last >&2; exit 3'", None).unwrap().err().unwrap();
        assert_eq!(failed, "exit status 3: last");
        let killed = launch("sh -c 'kill -9 $$'", None).unwrap().err().unwrap();
        assert_eq!(killed, "killed by signal 9");
        let slow = launch("sleep 30", Some(Duration::from_millis(30))).unwrap().err().unwrap();
        assert!(slow.contains("did not end within 30ms"), "{slow}");
        let done = launch("sh -c 'echo ${#AMDAHL_PAD}'", None).unwrap().unwrap();
        assert_eq!(done.text, "10\n");
        let missing = launch("/no/such/program", None).err().unwrap().to_string();
        assert!(missing.contains("no such program"), "{missing}");
    }

    #[test]
    fn figures_are_positive_numbers() {
        let of = |text: &str, figure: &str| figure_in(text, &Regex::new(figure).unwrap());
        assert_eq!(of("rate: 12.5 ops", r"rate: ([0-9.]+)"), Ok(12.5));
        assert_eq!(of("a 7 b", "[0-9]"), Ok(7.0));
        assert!(
            of("rate: none", r"rate: ([0-9.]+)")
                .unwrap_err()
                .contains("nothing in its output matches")
        );
        assert!(of("rate: x", r"rate: (.*)").unwrap_err().contains("`x` is not a number"));
        for bad in ["0", "-1", "nan", "inf"] {
            assert!(
                of(&format!("rate: {bad}"), r"rate: (.*)")
                    .unwrap_err()
                    .contains("not a positive number"),
                "{bad}"
            );
        }
    }
}
