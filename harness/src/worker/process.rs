//! A real worker process behind its guard.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::guard::TERM_GRACE;
use super::link::{Exit, Launcher, Link, LinkError, WorkerSpec};
use super::wire::{LINE_BYTES_MAX, Line, quote};

/// Kept of a worker's stderr.
const STDERR_BYTES_MAX: usize = 8192;

/// Lines read ahead; a worker that floods us waits on its pipe.
const LINES_MAX: usize = 64;

/// Starts one at a time: a process started meanwhile would inherit the other's end of the lifeline.
static STARTING: Mutex<()> = Mutex::new(());

/// Environment variable that carries the padding; its length is all that matters.
const PAD_VARIABLE: &str = "AMDAHL_PAD";

/// Starts real processes.
#[derive(Debug, Clone)]
pub struct ProcessLauncher {
    /// This program, which is also the guard.
    pub amdahl: PathBuf,
}

impl ProcessLauncher {
    /// With the running program as the guard.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self { amdahl: std::env::current_exe()? })
    }
}

impl Launcher for ProcessLauncher {
    fn launch(&self, spec: &WorkerSpec) -> Result<Box<dyn Link>, LinkError> {
        let program = spec.argv[0].to_string_lossy().into_owned();
        ProcessLink::start(self, spec)
            .map(|link| Box::new(link) as Box<dyn Link>)
            .map_err(|source| LinkError::Spawn { program, source })
    }
}

/// What the reading thread passes on.
enum Heard {
    Line(String),
    OverLong(String),
    NotText(String),
}

struct ProcessLink {
    guard: Child,
    lifeline: UnixStream,
    stdin: Option<ChildStdin>,
    lines: Receiver<Heard>,
    stderr: Arc<Mutex<VecDeque<u8>>>,
    gathering: thread::JoinHandle<()>,
    exit: Option<Exit>,
}

impl ProcessLink {
    fn start(launcher: &ProcessLauncher, spec: &WorkerSpec) -> std::io::Result<Self> {
        let starting = STARTING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (ours, theirs) = UnixStream::pair()?;
        // Inherited by the guard alone, and closed here as soon as it runs.
        rustix::io::fcntl_setfd(&theirs, rustix::io::FdFlags::empty())?;
        let mut command = Command::new(&launcher.amdahl);
        command.arg("guard").arg("--fd").arg(theirs.as_raw_fd().to_string()).arg("--");
        command.args(&spec.argv).envs(spec.env.iter().map(|(k, v)| (k, v)));
        command.env(PAD_VARIABLE, "x".repeat(spec.env_pad_bytes as usize));
        // A process group of its own: Ctrl-C ends the harness, and the guard then ends the rest.
        command.process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut guard = command.spawn()?;
        drop(theirs);
        drop(starting);
        let stdin = guard.stdin.take();
        let stdout = guard.stdout.take().expect("stdout is piped");
        let pipe = guard.stderr.take().expect("stderr is piped");
        let stderr = Arc::new(Mutex::new(VecDeque::new()));
        let (heard, lines) = sync_channel(LINES_MAX);
        let keep = Arc::clone(&stderr);
        let threads = thread::Builder::new().name("worker-stdout".into());
        threads.spawn(move || listen(stdout, &heard))?;
        let errors = thread::Builder::new().name("worker-stderr".into());
        let gathering = errors.spawn(move || gather(pipe, &keep))?;
        Ok(Self { guard, lifeline: ours, stdin, lines, stderr, gathering, exit: None })
    }

    /// Waits for the guard's last word; the guard is told first if the worker should not go on.
    fn wait_exit(&mut self, terminate: bool) -> Exit {
        if let Some(exit) = &self.exit {
            return exit.clone();
        }
        if terminate {
            let _ = self.lifeline.write_all(b"T");
        }
        let patience = TERM_GRACE + Duration::from_secs(8);
        let _ = self.lifeline.set_read_timeout(Some(patience));
        let mut word = String::new();
        let _ = BufReader::new(&self.lifeline).read_line(&mut word);
        // Whatever it said or did not say: closing the lifeline ends all that is left.
        let _ = self.lifeline.shutdown(std::net::Shutdown::Both);
        let _ = self.guard.wait();
        let exit = parse_exit(&word);
        self.exit = Some(exit.clone());
        exit
    }

    /// All writers are dead by now, so the pipe ends; should one have escaped, it must not hold us.
    fn wait_last_words(&self) {
        for _ in 0..100 {
            if self.gathering.is_finished() {
                return;
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    fn stderr_text(&self) -> String {
        let bytes = self.stderr.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        String::from_utf8_lossy(&bytes.iter().copied().collect::<Vec<u8>>()).into_owned()
    }
}

impl Link for ProcessLink {
    fn send(&mut self, line: &Line) {
        if let Some(stdin) = &mut self.stdin {
            // A broken pipe shows as the end of stdout, with the worker's own words.
            let _ = stdin.write_all(format!("{line}\n").as_bytes());
        }
    }

    fn recv(&mut self, when: &str, timeout: Duration) -> Result<Line, LinkError> {
        let when = when.to_owned();
        match self.lines.recv_timeout(timeout) {
            Ok(Heard::Line(text)) => {
                Line::parse(&text).map_err(|source| LinkError::Garbage { when, source })
            }
            Ok(Heard::OverLong(head)) => {
                Err(LinkError::OverLong { when, max: LINE_BYTES_MAX, head: quote(&head) })
            }
            Ok(Heard::NotText(line)) => {
                let source = super::wire::WireError { what: "not UTF-8".to_owned(), line };
                Err(LinkError::Garbage { when, source })
            }
            Err(RecvTimeoutError::Timeout) => {
                Err(LinkError::TimedOut { when, waited: timeout, stderr: self.stderr_text() })
            }
            Err(RecvTimeoutError::Disconnected) => {
                let exit = self.wait_exit(true);
                self.wait_last_words();
                Err(LinkError::Ended { when, exit: describe(&exit), stderr: self.stderr_text() })
            }
        }
    }

    fn close_input(&mut self) {
        drop(self.stdin.take());
    }

    fn root_pid(&self) -> Option<u32> {
        Some(self.guard.id())
    }

    fn finish(&mut self, kill: bool) -> Exit {
        if self.exit.is_none() && !kill {
            self.send(&Line::new("quit"));
        }
        self.close_input();
        if !kill {
            // A worker that ignores `quit` and the end of its stdin is ended like one that hangs.
            let _ = self.lifeline.set_read_timeout(Some(TERM_GRACE));
            let mut byte = [0];
            let waiting =
                rustix::net::recv(&self.lifeline, &mut byte, rustix::net::RecvFlags::PEEK);
            return self.wait_exit(waiting.is_err());
        }
        self.wait_exit(true)
    }
}

impl Drop for ProcessLink {
    fn drop(&mut self) {
        self.wait_exit(true);
    }
}

fn listen(stdout: impl Read, heard: &SyncSender<Heard>) {
    let mut reader = BufReader::with_capacity(1 << 16, stdout);
    loop {
        let mut bytes = Vec::new();
        let mut limited = reader.by_ref().take(LINE_BYTES_MAX as u64);
        let message = match limited.read_until(b'\n', &mut bytes) {
            Ok(0) | Err(_) => return,
            Ok(LINE_BYTES_MAX) if bytes.last() != Some(&b'\n') => {
                Heard::OverLong(String::from_utf8_lossy(&bytes[..200]).into_owned())
            }
            Ok(_) => {
                if bytes.last() == Some(&b'\n') {
                    bytes.pop();
                }
                match String::from_utf8(bytes) {
                    Ok(text) => Heard::Line(text),
                    Err(e) => Heard::NotText(String::from_utf8_lossy(e.as_bytes()).into_owned()),
                }
            }
        };
        let last = matches!(message, Heard::OverLong(_));
        if heard.send(message).is_err() || last {
            return;
        }
    }
}

fn gather(mut stderr: impl Read, keep: &Mutex<VecDeque<u8>>) {
    let mut bytes = [0; 4096];
    while let Ok(n) = stderr.read(&mut bytes) {
        if n == 0 {
            return;
        }
        let mut kept = keep.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        kept.extend(&bytes[..n]);
        let over = kept.len().saturating_sub(STDERR_BYTES_MAX);
        kept.drain(..over);
    }
}

fn parse_exit(word: &str) -> Exit {
    let Ok(line) = Line::parse(word.trim_end()) else { return Exit::default() };
    let number = |key| line.opt_num::<i32>(key).ok().flatten();
    if line.verb == "spawn" {
        // As a shell says it: 127 not found, 126 not executable.
        let code = if number("errno") == Some(2) { 127 } else { 126 };
        return Exit { code: Some(code), ..Exit::default() };
    }
    let leftover = number("leftover").unwrap_or(0).unsigned_abs();
    Exit { code: number("code"), signal: number("signal"), leftover }
}

fn describe(exit: &Exit) -> Option<String> {
    match (exit.code, exit.signal) {
        (Some(127), _) => Some("not found".to_owned()),
        (Some(126), _) => Some("not executable".to_owned()),
        (Some(code), _) => Some(format!("exit status {code}")),
        (_, Some(signal)) => Some(format!("killed by signal {signal}")),
        _ => None,
    }
}
