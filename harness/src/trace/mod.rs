//! What a running program waits for, seen by the kernel: futex calls, wake-ups, switches.
//!
//! `format` reads where the fields of a tracepoint lie, `collect` opens the events, `ring` reads what the kernel writes,
//! `decode` makes [`event::Event`]s of it, `unwind` finds who called; `tracker` follows them thread by thread, `classify` tells
//! locks from idle waits, `result` makes the [`amdahl_schema::Trace`], with the spots that `blind` knows. From `tracker` on nothing touches the machine, so streams
//! made up by tests go the same way. tracefs is only read.

mod blind;
pub mod classify;
pub mod collect;
pub mod decode;
pub mod event;
pub mod format;
pub mod program;
pub mod result;
pub mod ring;
pub mod symbol;
pub mod times;
pub mod tracker;
pub mod unwind;

#[cfg(test)]
mod tests;
