//! Worker processes: how they are found, started, spoken to, and never outlive the run.

pub mod ask;
pub mod build;
pub mod cache;
mod candidates;
pub mod discover;
pub mod golden;
pub mod guard;
pub mod hello;
pub mod library;
pub mod link;
pub mod peer;
pub mod places;
pub mod process;
mod sources;
pub mod wire;
