//! What a preloaded library saw of a program's pthread locks.
//!
//! The library is C (`workers/preload`): it stands in for pthread's calls and leaves a file a process, which lives on when
//! the process is killed. `session` has the directory and the environment, `elf` says what kind of program it is and so
//! what it can show, `table` reads a file, `result` makes the [`amdahl_schema::Trace`], `blind` says what is not in it. Nothing is mapped here: the
//! files are read when the program has ended, so the reader needs no unsafe code and trusts no byte.

mod blind;
pub mod elf;
pub mod result;
pub mod session;
pub mod table;
