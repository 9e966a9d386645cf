//! Asks interpreters what they are, within a limit, two at a time.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use amdahl_schema::Absence;

use super::places::{Lang, tilde};
use super::wire::{Line, quote};

/// Longest time an interpreter may take to say what it is.
pub const DISCOVERY_LIMIT: Duration = Duration::from_secs(5);

/// What an interpreter said.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// As found.
    pub path: PathBuf,
    /// With links resolved, by its own account.
    pub real: PathBuf,
    /// Version numbers; empty where it said none.
    pub version: Vec<u32>,
    /// Global interpreter lock on.
    pub gil: bool,
    /// Built without it.
    pub free_threaded: bool,
    /// Why it can't be used although it answered.
    pub unusable: Option<Absence>,
}

/// Asks all, in order.
pub fn ask_all(lang: &Lang, paths: &[(PathBuf, bool)]) -> Vec<Result<Answer, Absence>> {
    two_at_a_time(paths.iter().collect(), |(path, _)| ask(lang, path))
}

/// Maps in order, with two threads: interpreters start slowly, and most machines have two cores.
pub fn two_at_a_time<T: Send, R: Send>(items: Vec<T>, f: impl Fn(T) -> R + Sync) -> Vec<R> {
    let n = items.len();
    let queue = Mutex::new(items.into_iter().enumerate());
    let done = Mutex::new(Vec::with_capacity(n));
    std::thread::scope(|scope| {
        for _ in 0..2.min(n) {
            scope.spawn(|| {
                while let Some((i, item)) = next(&queue) {
                    let result = f(item);
                    done.lock().expect("no panic while held").push((i, result));
                }
            });
        }
    });
    let mut done = done.into_inner().expect("no panic while held");
    done.sort_by_key(|(i, _)| *i);
    done.into_iter().map(|(_, r)| r).collect()
}

fn next<I: Iterator>(queue: &Mutex<I>) -> Option<I::Item> {
    queue.lock().expect("no panic while held").next()
}

fn ask(lang: &Lang, path: &Path) -> Result<Answer, Absence> {
    let text =
        output_within(Command::new(path).args(&lang.ask_args).arg(&lang.ask), DISCOVERY_LIMIT)
            .map_err(|reason| Absence {
                reason: format!("{}: {reason}", tilde(path)),
                remedy: Some("repair or remove it, or take it off PATH".to_owned()),
            })?;
    let line = text.lines().find_map(|l| Line::parse(l).ok().filter(|l| l.verb == "amdahl"));
    let Some(line) = line else {
        let reason = format!("{}: not a CPython: it answered {}", tilde(path), quote(text.trim()));
        return Err(Absence { reason, remedy: None });
    };
    let version: Vec<u32> =
        line.opt("version").unwrap_or("").split('.').filter_map(|n| n.parse().ok()).collect();
    let flag = |key| line.opt(key) == Some("1");
    let mut answer = Answer {
        path: path.to_owned(),
        real: line.opt("path").map_or_else(|| path.to_owned(), PathBuf::from),
        gil: flag("gil"),
        free_threaded: flag("free_threaded"),
        unusable: None,
        version,
    };
    if version_outside(lang, &answer.version) {
        let numbers: Vec<String> = answer.version.iter().map(u32::to_string).collect();
        let (o, n) = (lang.oldest, lang.newest);
        answer.unusable = Some(Absence {
            reason: format!(
                "{} is {}; the worker supports {}.{} to {}.{}",
                tilde(path),
                numbers.join("."),
                o[0],
                o[1],
                n[0],
                n[1]
            ),
            remedy: None,
        });
    } else if line.opt("impl") != Some("cpython") {
        let name = line.opt("impl").unwrap_or("?");
        let reason = format!("{} is {name}, not CPython", tilde(path));
        answer.unusable = Some(Absence { reason, remedy: None });
    }
    Ok(answer)
}

fn version_outside(lang: &Lang, version: &[u32]) -> bool {
    match version {
        [major, minor, ..] => [*major, *minor] < lang.oldest || [*major, *minor] > lang.newest,
        _ => true,
    }
}

/// Standard output of a command, or why there is none, within `limit`.
pub fn output_within(command: &mut Command, limit: Duration) -> Result<String, String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().map_err(|e| e.to_string())?;
    let (mut out, mut err) = (child.stdout.take(), child.stderr.take());
    let (read, whole) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let (mut text, mut errors) = (Vec::new(), Vec::new());
        // A few lines at most are expected; an interpreter that floods is cut off.
        let _ = out.take().map(|o| o.take(1 << 16).read_to_end(&mut text));
        let _ = err.take().map(|e| e.take(1 << 16).read_to_end(&mut errors));
        let _ = read.send((text, errors));
    });
    let deadline = Instant::now() + limit;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(2)),
            Ok(None) => {
                end_group(&mut child);
                return Err(format!("no answer within {} s", limit.as_secs()));
            }
            Err(e) => return Err(e.to_string()),
        }
    };
    // A child of its that holds the pipes open must not hold us.
    let left = deadline.saturating_duration_since(Instant::now());
    let Ok((text, errors)) = whole.recv_timeout(left) else {
        end_group(&mut child);
        return Err(format!("it ended, but kept its output open for {} s", limit.as_secs()));
    };
    if status.success() {
        return Ok(String::from_utf8_lossy(&text).into_owned());
    }
    let errors = String::from_utf8_lossy(&errors).into_owned();
    let last = errors.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or("nothing on stderr");
    Err(format!("{status}: {}", quote(last)))
}

fn end_group(child: &mut std::process::Child) {
    if let Some(pid) = rustix::process::Pid::from_raw(child.id() as i32) {
        let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
    }
    let _ = child.wait();
}
