//! Why a bundle is refused: what, where, and the next step.

use std::fmt;
use std::io;
use std::path::PathBuf;

use amdahl_schema::{MANIFEST_FILE, MANIFEST_VERSION};

/// Problems listed in a message; the rest is counted.
const LISTED: usize = 8;

/// Why a bundle can't be packed or may not be used.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not what it was when its hash was taken.
    #[error("{}: changed while it was packed; is a run still going on? wait for its end and pack again", path.display())]
    Moving {
        /// Which file.
        path: PathBuf,
    },
    /// Not an archive, or one that was cut off.
    #[error(
        "{}: damaged after {after}: {source}; get it again (a bundle is the .tar.gz that `amdahl report RUN --bundle` writes)",
        path.display()
    )]
    Damaged {
        /// The archive.
        path: PathBuf,
        /// The last whole entry.
        after: String,
        /// What could not be read.
        source: io::Error,
    },
    /// No manifest.
    #[error("{}: no {MANIFEST_FILE} in it, so nothing says what should be there; a bundle is what `amdahl report RUN --bundle` writes", path.display())]
    NoManifest {
        /// The bundle.
        path: PathBuf,
    },
    /// The manifest is not one.
    #[error("{}:{line}: {what}; get the bundle again from where it was published", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// Line from 1.
        line: usize,
        /// What is wrong there.
        what: String,
    },
    /// Written by a newer program.
    #[error("{}: manifest {found} is newer than {MANIFEST_VERSION}, the newest this program reads; install the amdahl that wrote it", path.display())]
    Newer {
        /// The manifest.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
    /// An entry that could write or read outside the bundle.
    #[error("{}: entry `{entry}` {what}; no bundle of ours has such a thing, nothing was unpacked from it: do not trust it", path.display())]
    Unsafe {
        /// The bundle.
        path: PathBuf,
        /// Its name there, control characters escaped.
        entry: String,
        /// Why it is refused.
        what: &'static str,
    },
    /// The files are not those of the manifest.
    #[error("{}: not what its manifest says: {}; get it again from where it was published", path.display(), listed(problems))]
    Differs {
        /// The bundle.
        path: PathBuf,
        /// What differs, by path.
        problems: Vec<Problem>,
    },
}

/// A file that is not as the manifest says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Problem {
    /// Its contents have another length or hash.
    Changed(String),
    /// It is not there.
    Missing(String),
    /// The manifest does not know it.
    Added(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed(path) => write!(f, "{path} was changed"),
            Self::Missing(path) => write!(f, "{path} is missing"),
            Self::Added(path) => write!(f, "{path} was added"),
        }
    }
}

fn listed(problems: &[Problem]) -> String {
    let mut text: Vec<String> = problems.iter().take(LISTED).map(Problem::to_string).collect();
    if problems.len() > LISTED {
        text.push(format!("and {} more", problems.len() - LISTED));
    }
    text.join(", ")
}
