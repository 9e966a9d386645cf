//! `pipe`: a request of one byte to another process and its answer, over a pair of FIFOs.
//!
//! The peer is the harness's: it answers b with (7 b + 3) mod 256. Both FIFOs are there before the
//! worker is prepared.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::cell::Cell;
use crate::error::Error;
use crate::stop::Stop;
use crate::workload::awaiting::TokioPipe;
use crate::workload::{Op, TaskOp, Workload};

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
        let open = |path: &Path| OpenOptions::new().read(true).write(true).open(path);
        Ok(Request { request: self.open(w, "req", open)?, response: self.open(w, "rsp", open)? })
    }

    fn awaiting_op(&self, w: u32) -> Result<Option<Box<dyn TaskOp>>, Error> {
        let mut options = tokio::net::unix::pipe::OpenOptions::new();
        options.read_write(true);
        let request = self.open(w, "req", |path| options.open_sender(path))?;
        let response = self.open(w, "rsp", |path| options.open_receiver(path))?;
        Ok(Some(Box::new(TokioPipe::new(request, response))))
    }
}

impl Pipe {
    /// Opens a FIFO of worker `w` for reading and writing: that waits for nobody, and a dead peer gives
    /// no SIGPIPE.
    fn open<T>(
        &self,
        w: u32,
        end: &str,
        open: impl FnOnce(&Path) -> io::Result<T>,
    ) -> Result<T, Error> {
        let number = u64::from(self.first) + u64::from(w);
        let path = self.dir.join(format!("w{number}.{end}"));
        open(&path).map_err(|source| Error::Open { w, path: path.display().to_string(), source })
    }
}

/// The byte that asks, for operation `i`.
pub(super) fn question(i: u64) -> u8 {
    (i % 251) as u8
}

#[derive(Debug)]
pub(crate) struct Request {
    request: File,
    response: File,
}

impl Op for Request {
    fn run(&mut self, i: u64) -> Result<u32, Stop> {
        self.request.write_all(&[question(i)])?;
        let mut answer = [0];
        self.response.read_exact(&mut answer)?;
        Ok(u32::from(answer[0]))
    }
}
