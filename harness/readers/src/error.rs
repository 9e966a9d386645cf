//! Why a file was not read: which, where, what to do.

use std::path::{Path, PathBuf};

/// Nothing of such a file is used.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Not there, not readable.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Nothing in it.
    #[error("{}: holds no benchmark; was the tool ended before it wrote?", path.display())]
    Empty {
        /// Which.
        path: PathBuf,
    },
    /// JSON that ends early or is none.
    #[error("{}:{line}:{column}: {what}; is the file whole?", path.display())]
    Json {
        /// Which.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What the parser says.
        what: String,
    },
    /// A format of nobody.
    #[error(
        "{}: not a format that is known here: hyperfine --export-json, pyperf, JMH -rf json, Google Benchmark --benchmark_format=json, go test -bench, \
        or a directory target/criterion", path.display()
    )]
    Unknown {
        /// Which.
        path: PathBuf,
    },
    /// Of a known format, but not as its tool writes it.
    #[error("{}: {at}: {what}", path.display())]
    Shape {
        /// Which.
        path: PathBuf,
        /// Line or key.
        at: String,
        /// What is wrong.
        what: String,
    },
}

impl ReadError {
    pub(crate) fn unknown(path: &Path) -> Self {
        Self::Unknown { path: path.to_owned() }
    }

    pub(crate) fn shape(path: &Path, at: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Shape { path: path.to_owned(), at: at.into(), what: what.into() }
    }

    pub(crate) fn json(path: &Path, error: &serde_json::Error) -> Self {
        Self::Json {
            path: path.to_owned(),
            line: error.line(),
            column: error.column(),
            what: error.to_string(),
        }
    }
}
