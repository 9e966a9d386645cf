//! A recorded run repeated elsewhere: its plan on another machine, its verdicts against those found there.
//!
//! Pure: nothing is read, measured or printed. Numbers are never compared; another machine has others.

mod adapt;
mod compare;

pub use adapt::{Adapted, Place, adapt};
pub use compare::{Comparison, Outcome, Row, Summary, compare};
