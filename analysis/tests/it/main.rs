//! Integration tests of the reports, one binary.
fn main() {}
