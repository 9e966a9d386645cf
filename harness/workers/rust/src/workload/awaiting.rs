//! Waiting in a tokio runtime: what `sleep` and `pipe` do there. Whatever they need is made with the
//! worker; an operation allocates nothing.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::time::{Instant, Sleep};

use crate::stop::Stop;
use crate::workload::TaskOp;
use crate::workload::pipe::question;

/// Sleeps by the runtime's timer wheel, whose ticks are milliseconds.
pub(super) struct TokioSleep {
    time: Duration,
    sleep: Pin<Box<Sleep>>,
    sleeps: bool,
}

impl TokioSleep {
    pub(super) fn new(time: Duration) -> Self {
        Self { time, sleep: Box::pin(tokio::time::sleep(time)), sleeps: false }
    }
}

impl TaskOp for TokioSleep {
    fn poll(&mut self, _: u64, cx: &mut Context<'_>) -> Poll<Result<u32, Stop>> {
        if !self.sleeps {
            self.sleeps = true;
            self.sleep.as_mut().reset(Instant::now() + self.time);
        }
        ready!(self.sleep.as_mut().poll(cx));
        self.sleeps = false;
        Poll::Ready(Ok(1))
    }
}

/// Asks and is answered by non-blocking reads and writes.
pub(super) struct TokioPipe {
    request: Sender,
    response: Receiver,
    asked: bool,
}

impl TokioPipe {
    pub(super) fn new(request: Sender, response: Receiver) -> Self {
        Self { request, response, asked: false }
    }
}

impl TaskOp for TokioPipe {
    fn poll(&mut self, i: u64, cx: &mut Context<'_>) -> Poll<Result<u32, Stop>> {
        if !self.asked {
            let n = ready!(Pin::new(&mut self.request).poll_write(cx, &[question(i)]))?;
            if n == 0 {
                return Poll::Ready(Err(io::Error::from(io::ErrorKind::WriteZero).into()));
            }
            self.asked = true;
        }
        let mut byte = [0];
        let mut answer = ReadBuf::new(&mut byte);
        ready!(Pin::new(&mut self.response).poll_read(cx, &mut answer))?;
        self.asked = false;
        match answer.filled() {
            [answer] => Poll::Ready(Ok(u32::from(*answer))),
            _ => Poll::Ready(Err(io::Error::from(io::ErrorKind::UnexpectedEof).into())),
        }
    }
}
