//! Two threads on one counter as divan measures them; built by the bench `atomic`, apart from this workspace.

use std::sync::atomic::{AtomicU64, Ordering};

#[repr(align(128))]
struct Apart(AtomicU64);

static COUNTER: Apart = Apart(AtomicU64::new(0));

fn main() {
    divan::main();
}

#[divan::bench(threads = [2])]
fn add() -> u64 {
    COUNTER.0.fetch_add(1, Ordering::Relaxed)
}
