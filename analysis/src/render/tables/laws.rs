//! Scalability laws of every cell, and what a reader must know of them.

use amdahl_stats::laws::{Analysis, Ends, Fit, Law, Warning, digits};

use super::Align::{Left, Right};
use super::Table;
use crate::render::format::UNKNOWN;
use crate::summary::{LawRow, Summary};

/// One row a model and workload.
pub(crate) fn laws(s: &Summary) -> Table {
    let mut table = Table::new(&[
        ("workload", Left),
        ("model", Left),
        ("N", Right),
        ("law", Left),
        ("weights: linear, Amdahl, USL", Right),
        ("alpha", Right),
        ("beta", Right),
        ("peak of USL at N", Right),
        ("alpha + 2 beta", Right),
        ("alpha, relative to the ceiling", Right),
    ]);
    table.rows.extend(s.laws.iter().map(row));
    table
}

/// Each warning once, with the cells it is about; what a law out of the question says is in the data.
pub(crate) fn law_words(s: &Summary) -> Vec<String> {
    let mut said: Vec<(String, Vec<String>)> = Vec::new();
    for r in &s.laws {
        let cell = format!("`{}` {}", r.model, r.workload);
        for text in texts(&r.raw) {
            match said.iter_mut().find(|w| w.0 == text) {
                Some((_, cells)) if cells.contains(&cell) => {}
                Some((_, cells)) => cells.push(cell.clone()),
                None => said.push((text, vec![cell.clone()])),
            }
        }
    }
    let whom = |cells: Vec<String>| match cells.len() {
        n if n > 3 && n == s.laws.len() => "Every one of them".to_owned(),
        _ => cells.join(", "),
    };
    said.into_iter().map(|(text, cells)| format!("{}: {text}", whom(cells))).collect()
}

fn texts(a: &Analysis) -> Vec<String> {
    let shown = a.fits.iter().filter(|f| f.weight.is_none_or(|w| w >= 0.01));
    let mut texts: Vec<String> = a.warnings.iter().map(Warning::to_string).collect();
    texts.extend(shown.flat_map(|f| f.warnings.iter().map(|w| format!("{}: {w}", f.law.title()))));
    texts
}

fn row(r: &LawRow) -> Vec<String> {
    let a = &r.raw;
    let counts: Vec<String> = a.points.points.iter().map(|p| digits(p.n)).collect();
    let law = match a.selected {
        Some(law) => law.title(),
        None => "not comparable",
    };
    let shown = shown(a);
    vec![
        format!("`{}`", r.workload),
        format!("`{}`", r.model),
        counts.join(", "),
        law.to_owned(),
        weights(a),
        shown.map_or_else(unknown, |f| value(f.parameters.alpha, f.ci95.alpha)),
        shown.map_or_else(unknown, |f| value(f.parameters.beta, f.ci95.beta)),
        a.peak.map_or_else(|| "none proven".to_owned(), |p| value(Some(p.n), p.ci95)),
        a.alpha_plus_2beta.map_or_else(unknown, |c| value(Some(c.estimate), c.ci95)),
        r.corrected
            .as_ref()
            .and_then(self::shown)
            .map_or_else(unknown, |f| value(f.parameters.alpha, f.ci95.alpha)),
    ]
}

/// The law whose parameters stand in the row: the chosen one, but Amdahl's rather than a line that has none; where
/// none is chosen the most general one that the points can judge.
fn shown(a: &Analysis) -> Option<&Fit> {
    match a.selected {
        Some(Law::Linear) => a.fit(Law::Amdahl),
        _ => a.predicting(),
    }
}

fn weights(a: &Analysis) -> String {
    let all: Option<Vec<String>> =
        a.fits.iter().map(|f| f.weight.map(|w| format!("{w:.2}"))).collect();
    all.filter(|w| !w.is_empty()).map_or_else(unknown, |w| w.join(", "))
}

fn value(x: Option<f64>, ends: Option<Ends>) -> String {
    let end = |e: Option<f64>| e.map_or_else(|| "..".to_owned(), short);
    let Some(x) = x else { return unknown() };
    match ends {
        Some(e) => format!("{} [{}, {}]", short(x), end(e.lo), end(e.hi)),
        None => short(x),
    }
}

/// Three significant digits.
fn short(x: f64) -> String {
    digits(format!("{x:.2e}").parse().unwrap_or(x))
}

fn unknown() -> String {
    UNKNOWN.to_owned()
}
