//! What the harness sees of a worker process, so that tests can put a fake in its place.

use std::time::Duration;

use super::wire::{Line, WireError};

/// Time a worker has to say hello.
pub const HELLO_LIMIT: Duration = Duration::from_secs(20);

/// How to start a worker.
#[derive(Debug, Clone)]
pub struct WorkerSpec {
    /// Program and arguments.
    pub argv: Vec<std::ffi::OsString>,
    /// Added to the environment.
    pub env: Vec<(String, String)>,
    /// Bytes of padding in the environment.
    pub env_pad_bytes: u32,
}

/// Why a worker did not answer.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The process could not be started.
    #[error("could not start {program}: {source}")]
    Spawn {
        /// What was started.
        program: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// It ended, or closed its stdout, instead of answering.
    #[error("worker ended {when}{}", ended(.exit, .stderr))]
    Ended {
        /// During what.
        when: String,
        /// How, if the guard could say.
        exit: Option<String>,
        /// The end of what it wrote on stderr.
        stderr: String,
    },
    /// Nothing came in time.
    #[error("no answer {when} within {:.1} s{}", .waited.as_secs_f64(), ended(&None, .stderr))]
    TimedOut {
        /// During what.
        when: String,
        /// How long it had.
        waited: Duration,
        /// The end of what it wrote on stderr.
        stderr: String,
    },
    /// A line longer than the protocol allows.
    #[error("line of over {max} bytes {when}, beginning {head}")]
    OverLong {
        /// During what.
        when: String,
        /// The limit.
        max: usize,
        /// Its begin.
        head: String,
    },
    /// Something that is not a line of the protocol, or not the one expected.
    #[error("protocol broken {when}: {source}")]
    Garbage {
        /// During what.
        when: String,
        /// What is wrong.
        source: WireError,
    },
    /// The worker said that it can't.
    #[error("worker refused {when}: {kind}: {msg}")]
    Refused {
        /// During what.
        when: String,
        /// `unsupported`, `oom`, `checksum`, `internal`.
        kind: String,
        /// Its own words.
        msg: String,
    },
}

fn ended(exit: &Option<String>, stderr: &str) -> String {
    let mut text = exit.as_ref().map(|e| format!(" ({e})")).unwrap_or_default();
    let last = stderr.lines().rev().find(|l| !l.trim().is_empty());
    if let Some(last) = last {
        text.push_str(&format!("; its stderr ends {}", super::wire::quote(last)));
    }
    text
}

impl LinkError {
    /// Kind for [`amdahl_schema::Outcome`].
    pub fn kind(&self) -> &str {
        match self {
            Self::Spawn { .. } => "spawn",
            Self::Ended { .. } => "crash",
            Self::TimedOut { .. } => "hang",
            Self::OverLong { .. } => "overlong",
            Self::Garbage { .. } => "protocol",
            Self::Refused { kind, .. } => match kind.as_str() {
                "unsupported" | "oom" | "checksum" => kind,
                _ => "refused",
            },
        }
    }
}

/// How a worker ended, as its guard saw it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exit {
    /// Exit status, absent if a signal ended it.
    pub code: Option<i32>,
    /// Signal.
    pub signal: Option<i32>,
    /// Descendants that were still alive and had to be killed.
    pub leftover: u32,
}

/// A started worker.
pub trait Link {
    /// Sends one line. A worker that is gone is noticed by the next [`Link::recv`].
    fn send(&mut self, line: &Line);
    /// Receives one line, waiting at most until `timeout`; `when` is for the error message.
    fn recv(&mut self, when: &str, timeout: Duration) -> Result<Line, LinkError>;
    /// Closes its stdin.
    fn close_input(&mut self);
    /// Process id of the guard, for accounting; absent for a fake.
    fn root_pid(&self) -> Option<u32>;
    /// Ends the worker (asking first unless `kill`) and everything it started; waits for it.
    fn finish(&mut self, kill: bool) -> Exit;
}

impl dyn Link + '_ {
    /// Receives the answer `verb`; `error` becomes [`LinkError::Refused`], anything else garbage.
    pub fn expect(&mut self, verb: &str, when: &str, timeout: Duration) -> Result<Line, LinkError> {
        let line = self.recv(when, timeout)?;
        if line.verb == verb { Ok(line) } else { Err(unexpected(&line, verb, when)) }
    }
}

/// The error for a line that is not the expected answer.
pub fn unexpected(line: &Line, verb: &str, when: &str) -> LinkError {
    let when = when.to_owned();
    if line.verb == "error" {
        let text = |key| line.opt(key).unwrap_or("?").to_owned();
        return LinkError::Refused { when, kind: text("kind"), msg: text("msg") };
    }
    LinkError::Garbage { when, source: line.wrong(format!("`{verb}` expected")) }
}

/// Starts workers.
pub trait Launcher {
    /// Starts one, with its guard.
    fn launch(&self, spec: &WorkerSpec) -> Result<Box<dyn Link>, LinkError>;
}
