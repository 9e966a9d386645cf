//! The raw-data contract: what a run directory holds, and nothing that judges it.
//!
//! A run is a directory with `run.json` ([`RunHeader`]) and `trials.jsonl` (one [`Trial`] a line);
//! one of `amdahl trace` has `trace.json` ([`Trace`]) and no trials.
//! Integers on disk, units in names (`wall_ns`); what is unknown is absent with its reason, never 0.
//! The measures that both the answer table and the frames of the analysis need (rate, effective
//! CPUs, blocked share …) are methods of [`Trial`], so that nothing is defined twice.
//! A bundle is runs and their report with a [`Manifest`]; packing and verifying it is `amdahl-bundle`'s business.
//! `SCHEMA.md` lists every field with its unit and when it is absent.

mod counter;
mod derive;
mod header;
mod hist;
mod manifest;
mod model;
mod owners;
mod read;
mod trace;
mod trial;

pub use counter::{Absence, Counter, CounterValue};
pub use derive::{Contest, WorkerShare};
pub use header::{
    AbsentModel, Cgroup, CpuInfo, Host, MachineState, Plan, PlannedBlock, PlannedTrial, RunHeader,
    RunKind, Runtime, StateItem, Tool,
};
pub use hist::{Histogram, bucket_index, bucket_lowest, bucket_width};
pub use manifest::{
    BundledFigure, BundledFile, BundledRun, MANIFEST_FILE, MANIFEST_VERSION, Manifest,
};
pub use model::by_runtime;
pub use owners::{Acquisition, OWNERS_MAX};
pub use read::{ReadError, Run, read_run};
pub use trace::{
    BlindSpot, CallSite, IdleClass, IdleWait, LockKind, TimeSummary, Trace, TracedLock,
    TracedThread, WakeEdge,
};
pub use trial::{
    Arm, Carrier, CarrierWindow, CpuSpeed, Gates, Outcome, Owners, Pass, Placement, ProcDelta,
    Span, Stage, Status, Trial, Window, WorkerTotal,
};

/// Version of the raw-data contract written by this build.
///
/// A reader accepts every version from 1 up to its own: fields added later are optional and absent
/// in older data. It refuses a newer one ([`ReadError::NewerSchema`]).
pub const SCHEMA_VERSION: u32 = 1;

/// File name of the run header inside a run directory.
pub const HEADER_FILE: &str = "run.json";

/// File name of the trials inside a run directory.
pub const TRIALS_FILE: &str = "trials.jsonl";

/// File name of the result of a run of kind `trace`.
pub const TRACE_FILE: &str = "trace.json";
