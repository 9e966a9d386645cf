//! The program to trace: started, but held before its first instruction until the events are open; or found running.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use super::event::Mapping;
use crate::Unable;
use crate::procfs::Roots;

/// A program that is held between fork and exec.
#[derive(Debug)]
pub struct Held {
    /// Its process.
    pub pid: u32,
    gate: io::PipeWriter,
    starter: JoinHandle<io::Result<Child>>,
}

impl Held {
    /// Forks; the program goes on when [`Held::release`] says so. `quiet` sends its stdout to stderr.
    pub fn start(command: &[OsString], quiet: bool) -> io::Result<Self> {
        let (mut said, say) = io::pipe()?;
        let (hold, gate) = io::pipe()?;
        let mut program = program(command, quiet)?;
        let (say_fd, hold_fd, gate_fd) = (say.as_raw_fd(), hold.as_raw_fd(), gate.as_raw_fd());
        // SAFETY: between fork and exec only close(2), read(2) and write(2) on descriptors that this closure keeps open.
        unsafe {
            program.pre_exec(move || {
                libc::close(gate_fd);
                let pid = std::process::id().to_ne_bytes();
                libc::write(say_fd, pid.as_ptr().cast(), pid.len());
                let mut byte = 0u8;
                // At the end of file the tracer is gone: then so is the reason to start.
                match libc::read(hold_fd, (&raw mut byte).cast(), 1) {
                    1 => Ok(()),
                    _ => Err(io::Error::from_raw_os_error(libc::ECANCELED)),
                }
            });
        }
        // `spawn` returns only after exec, so another thread calls it.
        let starter = std::thread::spawn(move || {
            let child = program.spawn();
            drop((say, hold));
            child
        });
        let mut pid = [0; 4];
        match said.read_exact(&mut pid) {
            Ok(()) => Ok(Self { pid: u32::from_ne_bytes(pid), gate, starter }),
            Err(e) => Err(starter.join().expect("spawn does not panic").err().unwrap_or(e)),
        }
    }

    /// Lets it go on; the error is exec's.
    pub fn release(mut self) -> io::Result<Child> {
        self.gate.write_all(b"x")?;
        self.starter.join().expect("spawn does not panic")
    }
}

/// To be started; `quiet` sends its stdout to stderr.
pub fn program(command: &[OsString], quiet: bool) -> io::Result<Command> {
    let mut program = Command::new(&command[0]);
    program.args(&command[1..]);
    if quiet {
        let stderr: OwnedFd = rustix::io::dup(io::stderr())?;
        program.stdout(Stdio::from(stderr));
    }
    Ok(program)
}

/// What is wrong with a program that could not be started, and what to do.
pub fn not_started(command: &[OsString], error: &io::Error) -> Unable {
    let name = command[0].to_string_lossy();
    let next = match error.kind() {
        io::ErrorKind::NotFound => "no such program on PATH; give its path",
        io::ErrorKind::PermissionDenied => {
            "not executable: chmod +x, or name its interpreter first"
        }
        _ if error.raw_os_error() == Some(libc::ENOEXEC) => {
            "not a program of this machine; a script needs a first line #!"
        }
        _ => "nothing was traced",
    };
    Unable(format!("{name}: {error}; {next}"))
}

/// Threads with their names, and code where we may read it.
pub type Running = (Vec<(u32, String)>, Option<Vec<Mapping>>);

/// A running process: its threads with their names, and the code it has mapped as far as we may read that.
pub fn running(roots: &Roots, pid: u32) -> Result<Running, Unable> {
    let dir = roots.proc.join(pid.to_string());
    let tasks = std::fs::read_dir(dir.join("task")).map_err(|_| {
        Unable(format!("--pid {pid}: no such process; pgrep -a NAME lists those that run"))
    })?;
    let name = |tid: u32| roots.proc(&format!("{pid}/task/{tid}/comm")).unwrap_or_default();
    let tids = tasks.flatten().filter_map(|t| t.file_name().to_str()?.parse().ok());
    let mut threads: Vec<(u32, String)> = tids.map(|tid| (tid, name(tid))).collect();
    threads.sort_unstable();
    Ok((threads, roots.proc(&format!("{pid}/maps")).map(|maps| code(&maps))))
}

/// The executable lines of `maps`.
pub fn code(maps: &str) -> Vec<Mapping> {
    let line = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let (range, mode, offset) = (words.next()?, words.next()?, words.next()?);
        let path = words.skip(2).collect::<Vec<_>>().join(" ");
        let (start, end) = range.split_once('-')?;
        let hex = |text| u64::from_str_radix(text, 16).ok();
        let (start, offset) = (hex(start)?, hex(offset)?);
        let len = hex(end)?.checked_sub(start)?;
        mode.contains('x').then_some(Mapping { start, len, offset, path })
    };
    maps.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_what_can_be_executed() {
        let maps = "55a0-55b0 r--p 00000000 fe:00 12 /bin/a\n\
                    55b0-55f0 r-xp 00001000 fe:00 12 /bin/a b\n\
                    7f00-7f10 r-xp 00000000 00:00 0\n";
        let found = code(maps);
        let first =
            Mapping { start: 0x55b0, len: 0x40, offset: 0x1000, path: "/bin/a b".to_owned() };
        assert_eq!(found[0], first);
        assert_eq!((found.len(), found[1].path.as_str()), (2, ""));
    }

    #[test]
    fn a_held_program_runs_only_when_released_and_exec_errors_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("made");
        let held = Held::start(&["touch".into(), file.clone().into()], false).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(30));
        assert!(!file.exists(), "it did not wait");
        assert!(held.release().unwrap().wait().unwrap().success());
        assert!(file.exists());
        let held = Held::start(&["/no/such/program".into()], false).unwrap();
        assert_eq!(held.release().unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
