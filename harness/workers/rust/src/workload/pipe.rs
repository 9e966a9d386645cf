//! `pipe`: a request of one byte to another process and its answer, over a pair of FIFOs.
//!
//! The peer is the harness's: it answers b with (7 b + 3) mod 256. Both FIFOs are there before the
//! worker is prepared.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use crate::cell::Cell;
use crate::error::Error;
use crate::stop::Stop;
use crate::workload::{Op, Workload};

#[derive(Debug)]
pub(crate) struct Pipe {
    dir: PathBuf,
    first: u32,
}

impl Pipe {
    pub(crate) fn new(cell: &Cell) -> Result<Self, Error> {
        let dir = cell.text("dir").ok_or_else(|| Error::MissingKey {
            verb: "prepare workload=pipe".to_owned(),
            key: "dir".to_owned(),
        })?;
        Ok(Self { dir: dir.into(), first: cell.int("first")?.unwrap_or(0) })
    }
}

impl Workload for Pipe {
    type Op = Request;

    fn op(&self, w: u32) -> Result<Request, Error> {
        let open = |end: &str| {
            let number = u64::from(self.first) + u64::from(w);
            open(&self.dir.join(format!("w{number}.{end}")), w)
        };
        Ok(Request { request: open("req")?, response: open("rsp")? })
    }
}

/// Read and write: opening then waits for nobody, and a dead peer gives no SIGPIPE.
fn open(path: &Path, w: u32) -> Result<File, Error> {
    OpenOptions::new().read(true).write(true).open(path).map_err(|source| Error::Open {
        w,
        path: path.display().to_string(),
        source,
    })
}

#[derive(Debug)]
pub(crate) struct Request {
    request: File,
    response: File,
}

impl Op for Request {
    fn run(&mut self, i: u64) -> Result<u32, Stop> {
        self.request.write_all(&[(i % 251) as u8])?;
        let mut answer = [0];
        self.response.read_exact(&mut answer)?;
        Ok(u32::from(answer[0]))
    }
}
