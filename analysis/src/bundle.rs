//! What goes into a bundle: the runs, the report made from them, and how each figure is made again.
//!
//! The archive and its hashes are `amdahl-bundle`'s business. Here nothing is rendered or judged.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use amdahl_bundle::{BundleError, EXTENSION, Packed, Source, is_plain, pack};
use amdahl_schema::{
    BundledFigure, BundledRun, HEADER_FILE, MANIFEST_VERSION, Manifest, RunHeader, SCHEMA_VERSION,
    TRACE_FILE, TRIALS_FILE, Tool,
};
use thiserror::Error;

use crate::anonymise::{self, AnonymiseError, Anonymiser};
use crate::render::{FIGURES_DIR, Rendered, format};

/// Directory of the report in a bundle.
const REPORT_DIR: &str = "report";

/// File name of the words for the person who gets it.
const README_FILE: &str = "README.md";

/// A run as the report sees it.
#[derive(Debug)]
pub struct Input {
    /// Its directory.
    pub dir: PathBuf,
    /// What the report calls it.
    pub name: String,
    /// Its header, without names where it is to be so.
    pub header: RunHeader,
    /// What took them out.
    pub anonymiser: Option<Anonymiser>,
}

impl Input {
    /// Where the run lies in a bundle.
    pub fn run_dir(&self) -> String {
        format!("runs/{}", self.name)
    }
}

/// Why no bundle could be made.
#[derive(Debug, Error)]
pub enum ContentsError {
    /// Not packed.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// Not made anonymous.
    #[error(transparent)]
    Anonymise(#[from] AnonymiseError),
    /// A name that an archive can't have.
    #[error(
        "run `{name}`: a bundle's files need names of plain characters; rename its directory, or use --anonymous, \
         which names it by date and id"
    )]
    Name {
        /// The run's.
        name: String,
    },
    /// The same run twice.
    #[error("run `{name}` is given twice; a bundle holds each run once")]
    Twice {
        /// The run's.
        name: String,
    },
    /// The system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which path.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
}

/// Packs runs and report beside the report's directory; what comes back says where, and the archive's hash.
pub fn write(
    inputs: &[Input],
    rendered: &Rendered,
    report: &Path,
    command: &[String],
) -> Result<String, ContentsError> {
    let io = |path: &Path, source| ContentsError::Io { path: path.to_owned(), source };
    let real = report.canonicalize().map_err(|e| io(report, e))?;
    let name = real.file_name().map_or_else(|| "report".into(), |n| n.to_string_lossy());
    let beside = real.parent().unwrap_or(&real);
    let target = beside.join(format!("{name}{EXTENSION}"));
    // Beside the archive: there is room for a copy where there is room for it.
    let scratch = tempfile::tempdir_in(beside).map_err(|e| io(beside, e))?;
    let mut files = BTreeMap::new();
    for (k, input) in inputs.iter().enumerate() {
        add_run(&mut files, input, &scratch.path().join(k.to_string()))?;
    }
    for (path, contents) in &rendered.files {
        files.insert(format!("{REPORT_DIR}/{path}"), Source::Bytes(contents.clone()));
    }
    let manifest = manifest(inputs, rendered, command);
    let words = readme(&manifest, &format!("{name}.bundle"));
    files.insert(README_FILE.to_owned(), Source::Bytes(words.into_bytes()));
    let packed = pack(&target, manifest, &files)?;
    let Packed { sha256, bytes } = packed;
    let shown = report.with_file_name(format!("{name}{EXTENSION}"));
    Ok(format!("bundle: {}  {}, sha-256 {sha256}", shown.display(), format::bytes(bytes)))
}

/// Both files of a run: as they are, or without names by way of `scratch`.
fn add_run(
    files: &mut BTreeMap<String, Source>,
    input: &Input,
    scratch: &Path,
) -> Result<(), ContentsError> {
    let (name, dir) = (input.name.clone(), input.run_dir());
    if name.contains('/') || !is_plain(&name) {
        return Err(ContentsError::Name { name });
    }
    let from = match &input.anonymiser {
        None => input.dir.clone(),
        Some(anonymiser) => {
            anonymise::write(anonymiser, &input.header, &input.dir, scratch)?;
            scratch.to_owned()
        }
    };
    if files.contains_key(&format!("{dir}/{HEADER_FILE}")) {
        return Err(ContentsError::Twice { name });
    }
    files.insert(format!("{dir}/{HEADER_FILE}"), Source::File(from.join(HEADER_FILE)));
    // A run that had no trial yet has no file of them, and only one of a program traced has a trace.
    for name in [TRIALS_FILE, TRACE_FILE] {
        let path = from.join(name);
        if fs::exists(&path).unwrap_or(false) {
            files.insert(format!("{dir}/{name}"), Source::File(path));
        }
    }
    Ok(())
}

fn manifest(inputs: &[Input], rendered: &Rendered, command: &[String]) -> Manifest {
    let within = |path: &str| format!("{REPORT_DIR}/{path}");
    let formats = |name: &str| {
        let stem = format!("{FIGURES_DIR}/{name}.");
        let of = |path: &&String| path.strip_prefix(&stem).is_some_and(|ext| !ext.contains('.'));
        rendered.files.keys().filter(of).map(|p| within(p)).collect()
    };
    let figure = |(name, data): &(String, Vec<String>)| BundledFigure {
        name: name.clone(),
        files: formats(name),
        data: data.iter().map(|d| within(d)).collect(),
        command: command.to_vec(),
    };
    let run = |input: &Input| BundledRun {
        name: input.name.clone(),
        dir: input.run_dir(),
        id: input.header.id.clone(),
        started_utc: input.header.started_utc.clone(),
        schema: input.header.schema,
    };
    Manifest {
        schema: MANIFEST_VERSION,
        tool: Tool { name: "amdahl".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        anonymous: inputs.iter().all(|i| i.header.anonymous),
        runs: inputs.iter().map(run).collect(),
        report: REPORT_DIR.to_owned(),
        command: command.to_vec(),
        figures: rendered.figures.iter().map(figure).collect(),
        files: Vec::new(),
    }
}

fn readme(manifest: &Manifest, top: &str) -> String {
    let (version, command) = (&manifest.tool.version, format::shell(&manifest.command));
    let runs: String = manifest
        .runs
        .iter()
        .map(|r| format!("- `{}`: id `{}`, began {}\n", r.dir, r.id, r.started_utc))
        .collect();
    let anonymous = if manifest.anonymous {
        "\nNames of host and users, and the machine's paths, were taken out of runs and report.\n"
    } else {
        ""
    };
    format!(
        "# A measurement with everything that it takes to check it\n\n\
         Packed by amdahl {version}; raw data in schema {SCHEMA_VERSION}, described in its SCHEMA.md.\n\n{runs}{anonymous}\n\
         `report/report.md` is the report, `report/verdicts.json` its decisions, `report/data` the points behind each figure.\n\
         `MANIFEST.json` has the hash of every file, and for each figure its data and the command that makes it again.\n\n\
         ## Check it\n\n\
         Outside of the directory (or with the archive's name):\n\n    amdahl reproduce {top} --dry-run\n\n\
         verifies every hash, and shows what a repetition would measure. Without amdahl, in the directory:\n\n\
         \x20   jq -r '.files[] | .sha256 + \"  \" + .path' MANIFEST.json | sha256sum --check --quiet\n\n\
         Hashes find damage and changes. That nobody changed the manifest too is shown by the hash of the archive, where \
         the author published it.\n\n\
         ## Make the report again\n\n\
         In the directory:\n\n    {command}\n    diff -r report ../again\n\n\
         With amdahl {version} no byte differs.\n\n\
         ## Measure again\n\n\
         Outside of the directory:\n\n    amdahl reproduce {top}\n\n\
         runs the recorded plan on your machine and compares verdicts, not numbers.\n"
    )
}
