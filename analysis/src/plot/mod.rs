//! Figures: summaries in, SVG text out. plotters stops here.
//!
//! One module a figure, over the shared layer: `canvas` (points to SVG), `style` (a model's colour,
//! marker and dash), `axis`, `panel` (grid, frame, legend), `multiples` (small panels, one a
//! model) and `text` (width estimates). Nothing here
//! reads files, judges or averages.

pub mod axis;
pub mod blocked;
pub mod budget;
pub mod budgets;
pub mod canvas;
pub mod clip;
pub mod compare;
pub mod contention;
pub mod decision;
pub mod efficiency;
pub mod glance;
pub mod history;
pub mod karp_flatt;
pub mod latency;
pub mod law;
pub mod measure;
pub mod multiples;
pub mod panel;
mod parts;
pub mod price;
pub mod profile;
pub mod scaling;
pub mod serial;
mod slim;
pub mod speedup;
pub mod style;
pub mod text;
pub mod thin;
pub mod timeline;
pub mod workloads;

/// Width of a figure that fills one column of a two-column paper, points (3.4 in).
pub const COLUMN_PT: f64 = 244.8;

/// Width of a figure that spans both columns, points (7 in).
pub const PAGE_PT: f64 = 504.0;

/// Height that a page has for a figure, points (9.4 in).
pub const PAGE_H_PT: f64 = 680.0;

/// Series in one panel at most; more become small multiples.
pub const SERIES_MAX: usize = 6;

/// A finished figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// File name without its ending.
    pub name: String,
    /// Title, for those who do not see it.
    pub title: String,
    /// The SVG document.
    pub svg: String,
}

/// A workload's label as part of a file name.
pub fn file_part(text: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    text.chars().map(keep).collect()
}
