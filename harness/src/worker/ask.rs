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
    /// Whether a global interpreter lock is on; absent where it did not say.
    pub gil: Option<bool>,
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
    let mut command = Command::new(path);
    command.args(&lang.ask).envs(lang.env.iter().filter(|(_, v)| !v.contains('{')));
    let text = output_within(&mut command, DISCOVERY_LIMIT).map_err(|reason| Absence {
        reason: format!("{}: {reason}", tilde(path)),
        remedy: Some("repair or remove it, or take it off PATH".to_owned()),
    })?;
    let line = text.lines().find_map(|l| Line::parse(l).ok().filter(|l| l.verb == "amdahl"));
    let version = match &line {
        Some(line) => numbers(line.opt("version").unwrap_or("")),
        None => numbers(text.lines().next().unwrap_or("")),
    };
    // What asks for a line of ours wants that line.
    let wants_line = lang.ask.iter().any(|a| a.contains("amdahl impl="));
    if version.is_empty() || wants_line && line.is_none() {
        let what = format!("not a runtime of {}: it answered {}", lang.name, quote(text.trim()));
        let reason = format!("{}: {what}", tilde(path));
        return Err(Absence { reason, remedy: None });
    }
    let opt = |key: &str| line.as_ref().and_then(|l| l.opt(key));
    let real = || std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut answer = Answer {
        path: path.to_owned(),
        real: opt("path").map_or_else(real, PathBuf::from),
        gil: opt("gil").map(|gil| gil == "1"),
        free_threaded: opt("free_threaded") == Some("1"),
        unusable: None,
        version,
    };
    if let Some(supported) = unsupported(lang, &answer.version) {
        let numbers: Vec<String> = answer.version.iter().map(u32::to_string).collect();
        let reason =
            format!("{} is {}; the worker supports {supported}", tilde(path), numbers.join("."));
        answer.unusable = Some(Absence { reason, remedy: Some(lang.remedy.clone()) });
    } else if let Some(name) = opt("impl").filter(|name| *name != "cpython") {
        let reason = format!("{} is {name}, not CPython", tilde(path));
        answer.unusable = Some(Absence { reason, remedy: None });
    }
    Ok(answer)
}

/// The first dotted number of a text: `openjdk 17.0.15 2025-04-15` is 17, 0, 15.
fn numbers(text: &str) -> Vec<u32> {
    let Some(begin) = text.find(|c: char| c.is_ascii_digit()) else { return Vec::new() };
    let rest = &text[begin..];
    let end = rest.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].split('.').map_while(|n| n.parse().ok()).collect()
}

/// Which versions the worker supports, if this is not one of them.
fn unsupported(lang: &Lang, version: &[u32]) -> Option<String> {
    let this = [*version.first()?, version.get(1).copied().unwrap_or(0)];
    let (o, n) = (lang.oldest, lang.newest);
    if this >= o && n.is_none_or(|n| this <= n) {
        return None;
    }
    Some(match n {
        Some(n) => format!("{}.{} to {}.{}", o[0], o[1], n[0], n[1]),
        None => format!("{}.{} and newer", o[0], o[1]),
    })
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
    Err(format!("{status}: {}", quote(telling(&errors))))
}

/// The line of an error output that says most: a compiler's first error, else what was said last.
fn telling(errors: &str) -> &str {
    let first_error = errors.lines().find(|l| l.contains("error: "));
    let last = || errors.lines().rev().find(|l| !l.trim().is_empty());
    first_error.or_else(last).unwrap_or("nothing on stderr")
}

fn end_group(child: &mut std::process::Child) {
    if let Some(pid) = rustix::process::Pid::from_raw(child.id() as i32) {
        let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
    }
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_dotted_number_is_the_version() {
        for (text, version) in [
            ("go version go1.26.8 linux/amd64", &[1, 26, 8][..]),
            ("openjdk 17.0.15 2025-04-15", &[17, 0, 15]),
            ("v20.20.2", &[20, 20, 2]),
            ("12", &[12]),
            ("openjdk 21-ea 2023", &[21]),
            ("no number", &[]),
        ] {
            assert_eq!(numbers(text), version, "{text}");
        }
    }

    #[test]
    fn the_line_that_says_most_is_quoted() {
        let javac = "Worker.java:674: error: unmappable character\n    x\n    ^\n3 errors\n";
        assert_eq!(telling(javac), "Worker.java:674: error: unmappable character");
        let python = "Traceback (most recent call last):\n  File x\nImportError: no y\n\n";
        assert_eq!(telling(python), "ImportError: no y");
        assert_eq!(telling(" \n"), "nothing on stderr");
    }

    #[test]
    fn versions_outside_say_what_is_supported() {
        let go = Lang { oldest: [1, 18], ..Lang::default() };
        assert_eq!(unsupported(&go, &[1, 17, 3]).as_deref(), Some("1.18 and newer"));
        assert_eq!(unsupported(&go, &[1, 26]), None);
        let python = Lang { oldest: [3, 8], newest: Some([3, 14]), ..Lang::default() };
        assert_eq!(unsupported(&python, &[3, 15, 0]).as_deref(), Some("3.8 to 3.14"));
        assert_eq!(unsupported(&python, &[3, 14, 2]), None);
    }
}
