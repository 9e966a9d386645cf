//! Everything that can go wrong in a worker, with what the reader can do about it.

use std::borrow::Cow;
use std::io;

use crate::stop::Stop;
use crate::wire::WireError;

/// Why a worker could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A line that can't be read.
    #[error("unreadable line: {0}")]
    Wire(#[from] WireError),
    /// A key that the verb needs.
    #[error("`{verb}` needs {key}=…")]
    MissingKey {
        /// The line's verb.
        verb: String,
        /// The key.
        key: String,
    },
    /// A value of the wrong kind.
    #[error("{key}={value} is not {expected}")]
    BadValue {
        /// The key.
        key: String,
        /// What was sent.
        value: String,
        /// What it should have been.
        expected: Cow<'static, str>,
    },
    /// Something this worker does not know.
    #[error("unknown {what} `{name}`; this worker knows {}", known.join(", "))]
    Unknown {
        /// `verb`, `feature`, `workload`, `mechanism`, `protocol version` …
        what: &'static str,
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A pair that this worker does not offer, although it knows both.
    #[error("{workload} is not offered with {mechanism}; `except` in `hello` lists such pairs")]
    NotOffered {
        /// What was to be done.
        workload: String,
        /// By which model.
        mechanism: String,
    },
    /// Memory that a worker's data need.
    #[error("worker {w} can't have {bytes} bytes; lower bytes= or workers=")]
    Memory {
        /// The worker.
        w: u32,
        /// How much it asked for.
        bytes: u64,
    },
    /// A lock of the user's that can't be used.
    #[error("lock `{name}`: {what}")]
    Lock {
        /// Its name.
        name: String,
        /// What is wrong, and what to do.
        what: String,
    },
    /// A cell that was not prepared, or was given up after an error.
    #[error("no cell {id} is prepared; send `prepare id={id} …` first")]
    NoCell {
        /// Its id.
        id: u64,
    },
    /// A worker's thread or process could not be created.
    #[error(
        "can't create the carrier of worker {w} of {workers}: {source}; lower workers= or raise `ulimit -u` and `ulimit -n`"
    )]
    Spawn {
        /// The worker.
        w: u32,
        /// Of how many.
        workers: u32,
        /// What the kernel said.
        source: io::Error,
    },
    /// A file that a worker needs.
    #[error("worker {w} can't open {path}: {source}{}", hint(source))]
    Open {
        /// The worker.
        w: u32,
        /// The file.
        path: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// An operation failed.
    #[error("worker {w}, operation {i}: {stop}")]
    Op {
        /// The worker.
        w: u32,
        /// The operation.
        i: u64,
        /// Why.
        stop: Stop,
    },
    /// An operation or its construction panicked; the panic itself is on stderr.
    #[error("worker {w} panicked: {message}")]
    Panicked {
        /// The worker.
        w: u32,
        /// What it said.
        message: String,
    },
    /// A carrier process ended, or broke the protocol.
    #[error("the process {pid} of worker {w} {what}")]
    Carrier {
        /// The worker.
        w: u32,
        /// Its process.
        pid: u32,
        /// What happened.
        what: String,
    },
    /// A carrier process said that it could not.
    #[error("{message}")]
    Relayed {
        /// The kind it gave.
        kind: Kind,
        /// Its message.
        message: String,
    },
    /// stdin or stdout failed: nobody is left to answer.
    #[error("the pipe to the harness failed: {0}")]
    Harness(io::Error),
    /// Anything else: a workload's or a model's own words.
    #[error("{0}")]
    Other(String),
}

/// The protocol's classes of errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// This worker can't do that, here or at all.
    Unsupported,
    /// Memory, threads or processes ran out.
    Oom,
    /// A result that can't be right.
    Checksum,
    /// It should have worked.
    Internal,
}

impl Kind {
    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unsupported => "unsupported",
            Self::Oom => "oom",
            Self::Checksum => "checksum",
            Self::Internal => "internal",
        }
    }

    /// The kind of a name; what is not known here is internal.
    pub fn of(name: &str) -> Self {
        match name {
            "unsupported" => Self::Unsupported,
            "oom" => Self::Oom,
            "checksum" => Self::Checksum,
            _ => Self::Internal,
        }
    }
}

impl Error {
    /// An error in the words of a workload or a model.
    pub fn other(message: impl Into<String>) -> Self {
        Self::Other(message.into())
    }

    /// Its class on the wire.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Wire(_)
            | Self::MissingKey { .. }
            | Self::BadValue { .. }
            | Self::Unknown { .. }
            | Self::NotOffered { .. }
            | Self::Lock { .. }
            | Self::NoCell { .. } => Kind::Unsupported,
            Self::Memory { .. } => Kind::Oom,
            Self::Op { stop: Stop::Wrong(_), .. } => Kind::Checksum,
            Self::Spawn { source, .. } if ran_out(source) => Kind::Oom,
            Self::Relayed { kind, .. } => *kind,
            _ => Kind::Internal,
        }
    }
}

/// Threads, processes, descriptors or memory ran out.
fn ran_out(source: &io::Error) -> bool {
    let codes = [libc::EAGAIN, libc::ENOMEM, libc::EMFILE, libc::ENFILE];
    source.raw_os_error().is_some_and(|code| codes.contains(&code))
}

fn hint(source: &io::Error) -> &'static str {
    match source.raw_os_error() {
        Some(libc::EMFILE) => "; raise `ulimit -n`",
        _ => "",
    }
}

/// For the `?` of a workload or a model: say which file it was where that matters.
impl From<io::Error> for Error {
    fn from(source: io::Error) -> Self {
        Self::Other(source.to_string())
    }
}

/// Errors are compared by what they say, for tests.
impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        self.kind() == other.kind() && self.to_string() == other.to_string()
    }
}
