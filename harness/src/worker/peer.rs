//! The other end of the `pipe` workload: answers each worker's byte after a delay.
//!
//! A process of the harness, the same for every language, so that what differs between two models is
//! the waiting side alone.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, mknodat};

/// FIFO that carries worker `w`'s requests.
pub fn request_fifo(dir: &Path, w: u32) -> PathBuf {
    dir.join(format!("w{w}.req"))
}

/// FIFO that carries the answers to worker `w`.
pub fn response_fifo(dir: &Path, w: u32) -> PathBuf {
    dir.join(format!("w{w}.rsp"))
}

/// Makes the FIFOs of `workers` workers.
pub fn make_fifos(dir: &Path, workers: u32) -> std::io::Result<()> {
    for w in 0..workers {
        for path in [request_fifo(dir, w), response_fifo(dir, w)] {
            mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
        }
    }
    Ok(())
}

/// The verb `peer`: serves until the guard ends it.
pub fn run(dir: &Path, workers: u32, delay: Duration) -> ExitCode {
    let mut serving = Vec::new();
    for w in 0..workers {
        let pair = open(&request_fifo(dir, w)).and_then(|r| Ok((r, open(&response_fifo(dir, w))?)));
        match pair {
            Ok((req, rsp)) => serving.push(std::thread::spawn(move || serve(req, rsp, delay))),
            Err(e) => {
                eprintln!("the FIFOs of worker {w} of {workers}: {e}; for open files: ulimit -n");
                return ExitCode::from(2);
            }
        }
    }
    println!("hello v=1 lang=amdahl peer=1");
    // The harness holds stdin open for as long as it wants answers.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    drop(serving);
    ExitCode::SUCCESS
}

fn serve(mut request: File, mut response: File, delay: Duration) -> std::io::Result<()> {
    let mut byte = [0];
    loop {
        request.read_exact(&mut byte)?;
        std::thread::sleep(delay);
        byte[0] = byte[0].wrapping_mul(7).wrapping_add(3);
        response.write_all(&byte)?;
    }
}

/// For reading and writing: opening one end alone would wait for the other.
fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}
