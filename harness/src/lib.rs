//! The measuring half of amdahl: machine, plan, workers, trials, records, answer.
//!
//! A library so that tests and benches can drive each room; the program is `main.rs`. Nothing here
//! knows polars or plotters: figures are made by `amdahl-analysis` from the recorded run alone.

pub mod ab;
pub mod answer;
pub mod cli;
pub mod cmd;
pub mod conform;
pub mod counters;
pub mod gates;
pub mod host;
pub mod plan;
pub mod preload;
pub mod procfs;
pub mod record;
pub mod reproduce;
pub mod run;
pub mod speed;
pub mod state;
pub mod stop;
pub mod topology;
pub mod trace;
pub mod trial;
pub mod worker;

/// The user asked for something that can't be done: exit code 2, message says what and the next step.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unable(pub String);
