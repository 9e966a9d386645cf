//! The Rust worker: models, workloads and the probe that times them.
//!
//! A worker is a program that executes cells (model × workload × number of workers) for the harness,
//! by the line protocol of `PROTOCOL.md`. This library is that program without its `main`: add an
//! operation or a lock of your own and it is measured like the ones that come with it.
//!
//! ```no_run
//! use std::hint::black_box;
//! use std::process::ExitCode;
//! use std::sync::{Arc, Mutex};
//!
//! use amdahl_worker::{Cell, Program};
//!
//! fn main() -> ExitCode {
//!     Program::new()
//!         // Called once a cell: parameters are read here, and what the workers share is made.
//!         .workload("counter", |cell: &Cell| {
//!             let steps: u32 = cell.int("steps")?.unwrap_or(100);
//!             let shared = Arc::new(Mutex::new(0u64));
//!             // Called once a worker, on its own thread, then once an operation.
//!             Ok(move |_w: u32| {
//!                 let shared = shared.clone();
//!                 move |_i: u64| {
//!                     for _ in 0..steps {
//!                         *shared.lock().unwrap() += black_box(1);
//!                     }
//!                     1
//!                 }
//!             })
//!         })
//!         .main()
//! }
//! ```
//!
//! - An operation is an [`Op`]; a closure `FnMut(u64) -> u32` is one. It is compiled into the probe's
//!   loops: there is no virtual call.
//! - A [`Workload`] makes one for each worker; a closure `Fn(u32) -> impl Op` is one.
//! - A [`Model`] says where workers live and how they are parked and released. It is handed
//!   [`Probe`]s, which own start, clock, windows and recorder: no model can time itself. Workers that
//!   keep no thread are [`TaskProbe`]s, which do one operation a step.
//! - [`Program`] knows workloads and models by name, and serves the protocol.
//!
//! What is judged from the figures, and where carriers are pinned, is the harness's business and
//! never found here.

mod bench;
mod carriers;
mod cell;
mod clock;
mod error;
mod go;
mod loops;
mod model;
mod probe;
mod program;
mod recorder;
mod release;
mod report;
mod serve;
mod stop;
mod sync;
mod task;
mod thread_stats;
mod timer;
mod track;
mod wire;
mod workload;

pub use carriers::{CarrierMeter, CarrierUsage, Readings};
pub use cell::Cell;
pub use clock::now_ns;
pub use error::{Error, Kind};
pub use go::{Go, Pass, SPANS_MAX};
pub use model::{CARRIER_ARG, Carrier, Crew, Job, Model};
pub use probe::Probe;
pub use program::Program;
pub use recorder::bucket_index;
pub use release::Started;
pub use report::{CHECK_MODULUS, Hist, Interval, Report, Total};
pub use serve::serve;
pub use stop::Stop;
pub use task::TaskProbe;
pub use timer::ns_per_tick;
pub use wire::{LINE_MAX, Line, WireError, read_line};
pub use workload::lock::Lock;
pub use workload::{Op, TaskOp, Workload};

pub use lock_api;
