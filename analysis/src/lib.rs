//! Reports of recorded runs: files in; Markdown, SVG, CSV and verdicts out.
//!
//! Stages in the order of the data's way: [`load`] (files to frames), [`summarise`] (frames to plain
//! values and decisions; polars stops there), [`plot`] (values to SVG; plotters stops there),
//! [`render`] (values to text), [`place`] (text to a directory, whole or not at all), [`bundle`] (runs and report to
//! one archive); before all of them, if asked for, [`anonymise`]; beside them [`laws`] (a
//! table to its scalability laws). Measures nothing
//! and never sees the measuring program: the raw data on disk is all they share.

pub mod anonymise;
pub mod archive;
pub mod bundle;
pub mod cli;
pub mod cmd;
pub mod compare;
pub mod export;
pub mod history;
pub mod laws;
pub mod load;
pub mod model;
pub mod place;
pub mod plot;
pub mod render;
pub mod select;
pub mod summarise;
pub mod summary;
pub mod synth;
pub mod table;
