//! One launch of a program: started, waited for, timed; how it ended and what it printed.

use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{Read as _, Seek as _};
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use crate::{Unable, stop};

/// The variable that takes up a random number of bytes.
const PAD_VARIABLE: &str = "AMDAHL_PAD";

/// So much of what a program prints is searched for its figure, and kept of its last words.
const TEXT_MAX: u64 = 1 << 20;

/// An arm that failed in each of so many first rounds will not do better.
const ROUNDS_OF_GRACE: usize = 3;

/// After the first rounds: an arm without a single figure ends it.
pub(super) fn end_of_grace(
    arm: &str,
    rounds: usize,
    succeeded: usize,
    why: &str,
    line: &str,
) -> Result<(), Unable> {
    if rounds < ROUNDS_OF_GRACE || succeeded > 0 {
        return Ok(());
    }
    Err(Unable(format!(
        "{arm} failed in each of {ROUNDS_OF_GRACE} launches: {why}; try it by itself: {line}"
    )))
}

/// A program and how it is to be started.
pub(super) struct Launch<'a> {
    pub(super) words: &'a [String],
    pub(super) env: &'a [(String, String)],
    /// Bytes of environment: layout is noise to be sampled.
    pub(super) pad: u32,
    /// When it takes longer it is killed and has failed.
    pub(super) limit: Option<Duration>,
}

/// A program that ended well.
pub(super) struct Done {
    pub(super) wall: Duration,
    /// The begin of what it printed.
    pub(super) text: String,
    /// Of all of it.
    pub(super) hash: u64,
}

/// From before the program is started until it has ended. The outer error is one that the next launch would have, too.
pub(super) fn launch(asked: &Launch<'_>) -> anyhow::Result<Result<Done, String>> {
    let Launch { words, env, pad, limit } = *asked;
    // Files, not pipes: nobody has to read while the program runs, and it never waits for a reader.
    let (stdout, stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
    let mut command = Command::new(&words[0]);
    command
        .args(&words[1..])
        .envs(env.iter().map(|(k, v)| (k, v)))
        .env(PAD_VARIABLE, "x".repeat(pad as usize))
        .process_group(0);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_launch_tells_how_it_ended() {
        let launch = |line: &str, limit| {
            let words = shlex::split(line).unwrap();
            launch(&Launch { words: &words, env: &[], pad: 10, limit })
        };
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
}
