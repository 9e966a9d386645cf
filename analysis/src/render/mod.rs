//! Summaries to files: Markdown, HTML, figures, CSV and JSON, all in memory. No arithmetic, no directories.
//!
//! The same summary gives the same bytes: no clock, no path of this machine, no order of a hash.

mod caption;
pub mod compare;
mod contention;
mod csv;
mod figures;
pub mod format;
pub mod history;
mod html;
mod latex;
mod law_figures;
pub mod laws;
mod limits;
mod locks;
mod markdown;
mod tables;
pub mod terminal;
mod trace;
mod verdicts;

use std::collections::BTreeMap;

use thiserror::Error;

use crate::export::ExportError;
use crate::plot::{self, Figure, latency::View, speedup::Kind};
use crate::summary::{SpeedupFigure, Summary};

/// Name of the report's text.
pub const REPORT_FILE: &str = "report.md";
/// Name of the same as a page.
pub const PAGE_FILE: &str = "report.html";
/// Name of the decisions for machines.
pub const VERDICTS_FILE: &str = "verdicts.json";
/// Directory of the figures.
pub const FIGURES_DIR: &str = "figures";
/// Directory of the points behind them.
pub const DATA_DIR: &str = "data";

/// Why a report can't be written as text; a defect of this program.
#[derive(Debug, Error)]
pub enum RenderError {
    /// The template does not fit the values.
    #[error("the report's template: {0:#}; please report this")]
    Template(#[from] minijinja::Error),
    /// The decisions do not fit JSON.
    #[error("{VERDICTS_FILE}: {0}; please report this")]
    Json(#[from] serde_json::Error),
    /// A figure that we drew can't be converted.
    #[error("figure {name}: {why}; please report this")]
    Figure {
        /// File name without its ending.
        name: String,
        /// What is wrong with it.
        why: ExportError,
    },
}

/// Entries of a report's directory.
const REPORT_OWNS: [&str; 5] = [REPORT_FILE, PAGE_FILE, VERDICTS_FILE, FIGURES_DIR, DATA_DIR];

/// A report in memory: paths relative to its directory, and contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// Entries that a directory of this kind may hold; with anything else in it, it is not replaced.
    pub owned: &'static [&'static str],
    /// Contents by path; text is UTF-8.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Path of the first figure, where there is one.
    pub first_figure: Option<String>,
    /// Names of the figures, each with the paths of the points behind it.
    pub figures: Vec<(String, Vec<String>)>,
}

impl Rendered {
    /// A file as text; `None` if there is none of that name, or it is not text.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).and_then(|bytes| std::str::from_utf8(bytes).ok())
    }
}

/// A figure with its caption and the data behind it.
pub(crate) struct Illustration {
    pub(crate) section: Section,
    pub(crate) figure: Figure,
    pub(crate) caption: String,
    pub(crate) data: Vec<(String, String)>,
}

/// The chapter's part that a figure belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Glance,
    Speedup,
    Overlap,
    Latency,
    Timeline,
    Budget,
    Serial,
    Scaling,
    Law,
    Price,
    Contention,
}

/// Renders a report over one run or several; each run is judged and shown by itself.
pub fn render(chapters: &[Summary]) -> Result<Rendered, RenderError> {
    let mut files = BTreeMap::new();
    let mut drawn = Vec::new();
    let mut views = Vec::new();
    let mut number = 0;
    for (k, summary) in chapters.iter().enumerate() {
        let prefix = if chapters.len() > 1 { format!("run{}-", k + 1) } else { String::new() };
        let illustrations = illustrations(summary, &prefix);
        for (name, text) in illustrations.iter().flat_map(|i| &i.data) {
            files.insert(format!("{DATA_DIR}/{name}.csv"), text.clone().into_bytes());
        }
        files.insert(
            format!("{DATA_DIR}/{prefix}decisions.csv"),
            csv::decisions(summary).into_bytes(),
        );
        let tables = [
            ("counters", summary.counters.rows.is_empty(), csv::counters as fn(&Summary) -> String),
            ("baseline", summary.baseline.is_none(), csv::baseline),
            ("memory", summary.memory.is_empty(), csv::memory),
            ("laws", summary.laws.is_empty(), csv::laws),
            ("micro", summary.price.is_none(), csv::micro),
            ("start-up", summary.start_up.is_empty(), csv::start_up),
            ("resident", !has_memory(summary), csv::resident),
            ("timing", summary.timers.is_empty(), csv::timers),
        ];
        for (name, _, of) in tables.iter().filter(|(_, empty, _)| !empty) {
            files.insert(format!("{DATA_DIR}/{prefix}{name}.csv"), of(summary).into_bytes());
        }
        views.push(markdown::chapter(summary, &illustrations, &prefix, &mut number));
        drawn.extend(illustrations);
    }
    let told: Vec<(&Figure, &str)> =
        drawn.iter().map(|i| (&i.figure, i.caption.as_str())).collect();
    files.extend(figures::files(&told)?);
    let first_figure = told.first().map(|(f, _)| format!("{FIGURES_DIR}/{}.svg", f.name));
    let data = |i: &Illustration| {
        i.data.iter().map(|(name, _)| format!("{DATA_DIR}/{name}.csv")).collect::<Vec<_>>()
    };
    let figures = drawn.iter().map(|i| (i.figure.name.clone(), data(i))).collect();
    let text = markdown::report(&views)?;
    files.insert(REPORT_FILE.to_owned(), text.clone().into_bytes());
    files.insert(VERDICTS_FILE.to_owned(), verdicts::json(chapters)?.into_bytes());
    // Last, since it shows and links to what is there.
    files.insert(PAGE_FILE.to_owned(), html::page(&text, &files)?.into_bytes());
    Ok(Rendered { owned: &REPORT_OWNS, files, first_figure, figures })
}

fn has_memory(s: &Summary) -> bool {
    let mut setups = s.start_up.iter().flat_map(|r| &r.setups);
    setups.any(|x| x.peak_rss.is_some() || x.pss.is_some())
}

fn illustrations(s: &Summary, prefix: &str) -> Vec<Illustration> {
    let facts = caption::facts(&s.run);
    let mut list = Vec::new();
    let mut add = |section, figure, caption, data| {
        list.push(Illustration { section, figure, caption, data });
    };
    let facts = facts.as_str();
    for f in &s.glances {
        add(
            Section::Glance,
            plot::glance::draw(f, facts),
            caption::glance(f, facts),
            csv::glance(f),
        );
    }
    for f in &s.speedups {
        let figure = plot::speedup::draw(f, Kind::Speedup, facts);
        add(
            Section::Speedup,
            figure,
            caption::speedup(f, facts),
            csv::speedup(f, Kind::Speedup.id()),
        );
    }
    let (cpu, io) = (s.speedups.iter(), s.overlaps.iter());
    let both: Vec<(&SpeedupFigure, Kind)> =
        cpu.map(|f| (f, Kind::Speedup)).chain(io.map(|f| (f, Kind::Overlap))).collect();
    if let Some(figure) = plot::workloads::draw(&both, facts) {
        let data = both.iter().flat_map(|(f, kind)| csv::speedup(f, kind.id())).collect();
        add(Section::Speedup, figure, caption::every_workload(&both, facts), data);
    }
    for f in &s.overlaps {
        let figure = plot::speedup::draw(f, Kind::Overlap, facts);
        add(
            Section::Overlap,
            figure,
            caption::overlap(f, facts),
            csv::speedup(f, Kind::Overlap.id()),
        );
    }
    for f in &s.latencies {
        let views = [
            (View::Ccdf, caption::latency as fn(&_, &_) -> String),
            (View::Percentiles, caption::percentiles),
        ];
        for (view, caption) in views {
            add(
                Section::Latency,
                plot::latency::draw(f, view, facts),
                caption(f, facts),
                csv::latency(f),
            );
        }
    }
    for f in &s.timelines {
        let figure = plot::timeline::draw(f, facts);
        add(Section::Timeline, figure, caption::timeline(f, facts), csv::timeline(f));
    }
    for f in &s.budgets {
        add(
            Section::Budget,
            plot::budget::draw(f, facts),
            caption::budget(f, facts),
            csv::budget(f),
        );
    }
    for f in &s.budget_curves {
        for figure in plot::budgets::draw(f, facts) {
            let caption = caption::budget_curves(f, facts);
            add(Section::Budget, figure, caption, csv::budget_curves(f));
        }
    }
    if let Some(f) = &s.serial {
        add(
            Section::Serial,
            plot::serial::draw(f, facts),
            caption::serial(f, facts),
            csv::serial(f),
        );
    }
    if let Some(f) = &s.scaling {
        let figure = plot::efficiency::draw(f, facts);
        add(Section::Scaling, figure, caption::scaling(f, facts), csv::scaling(f));
    }
    for f in s.price.iter().filter(|f| f.pairs.iter().any(|p| p.told().count() > 0)) {
        list.push(Illustration {
            section: Section::Price,
            figure: plot::price::draw(f, facts),
            caption: caption::price(f, facts),
            data: csv::price(f),
        });
    }
    list.extend(trace::illustrations(s, facts));
    list.extend(contention::illustrations(s, facts));
    list.extend(law_figures::illustrations(s, facts));
    for i in &mut list {
        i.figure.name = format!("{prefix}{}", i.figure.name);
        i.data.iter_mut().for_each(|(name, _)| *name = format!("{prefix}{name}"));
    }
    list
}
