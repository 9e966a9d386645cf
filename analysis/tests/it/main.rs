//! Integration tests of the analysing program, one binary: reports of synthetic runs of known truth.

mod anonymous;
mod baseline;
mod bundle;
mod contention;
mod experiments;
mod figures;
mod fit;
mod golden;
mod law_figures;
mod laws;
mod limits;
mod page;
mod pictures;
mod report;
mod tidy;
mod visual;
