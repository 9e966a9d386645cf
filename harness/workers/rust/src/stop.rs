//! Why an operation ends its worker's loop.

use std::io;

/// Returned by an operation that can't, or need not, go on.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// There is no work left for this worker: it leaves its loop, and that is no error.
    #[error("no work left")]
    NoWorkLeft,
    /// The release is over for all workers of the cell, by an agreement between their operations:
    /// this worker's tail ends with its last operation.
    #[error("the release is over")]
    Over,
    /// It found that a result can't be right: work was lost or done twice.
    #[error("{0}")]
    Wrong(String),
    /// The operation failed: the trial is an error.
    #[error("{0}")]
    Failed(String),
}

impl From<io::Error> for Stop {
    #[cold]
    fn from(source: io::Error) -> Self {
        Self::Failed(source.to_string())
    }
}

impl From<rustix::io::Errno> for Stop {
    #[cold]
    fn from(source: rustix::io::Errno) -> Self {
        io::Error::from(source).into()
    }
}
