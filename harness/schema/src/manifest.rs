//! `MANIFEST.json` of a bundle: what is in it, with hashes, and how each figure is made again.

use serde::{Deserialize, Serialize};

use crate::header::Tool;

/// Version of the manifest written by this build; a reader refuses a newer one.
pub const MANIFEST_VERSION: u32 = 1;

/// File name of the manifest inside a bundle.
pub const MANIFEST_FILE: &str = "MANIFEST.json";

/// `MANIFEST.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this shape; first of all keys.
    pub schema: u32,
    /// Writer.
    pub tool: Tool,
    /// Whether the runs were made anonymous.
    pub anonymous: bool,
    /// The runs, in the order of the report's chapters.
    pub runs: Vec<BundledRun>,
    /// Directory of the report.
    pub report: String,
    /// The command that makes the report again, run beside this file; it writes to a directory outside.
    pub command: Vec<String>,
    /// Figures of the report.
    pub figures: Vec<BundledFigure>,
    /// Every file but this one, by path.
    pub files: Vec<BundledFile>,
}

/// A run in a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundledRun {
    /// Name of the run.
    pub name: String,
    /// Its directory.
    pub dir: String,
    /// Its id.
    pub id: String,
    /// When it began, UTC.
    pub started_utc: String,
    /// Version of the raw-data contract it was written in.
    pub schema: u32,
}

/// A figure of a bundled report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundledFigure {
    /// Name of the figure.
    pub name: String,
    /// The figure, in each of its formats.
    pub files: Vec<String>,
    /// The points behind it.
    pub data: Vec<String>,
    /// The command that makes it again.
    pub command: Vec<String>,
}

/// A file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundledFile {
    /// Path below the bundle's directory, parts joined by `/`.
    pub path: String,
    /// Length.
    pub bytes: u64,
    /// SHA-256 of the contents, 64 hexadecimal digits.
    pub sha256: String,
}
