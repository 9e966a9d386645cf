//! One file a verb: arguments to effects. Errors are anyhow here and only here.

pub mod fit;
pub mod report;
