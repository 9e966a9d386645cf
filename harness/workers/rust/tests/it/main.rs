//! The worker program over its pipes, as the harness sees it.
//!
//! Nothing here depends on a quiet machine: what is asserted holds however late a thread runs.

mod cells;
mod library;
mod lifetime;
mod own_lock;
mod passes;
mod pools;
mod protocol;
mod worker;
