//! Two runs compared, as JSON, as text for a terminal, and as a directory: Markdown, verdicts, the figure and the values behind it.

use std::collections::BTreeMap;

use amdahl_gate::{markdown, report_json, terminal};
use amdahl_stats::{Interval, number_json};
use serde_json::{Value, json};

use crate::compare::{Compared, SEED};
use crate::plot::{self, Figure};
use crate::render::{DATA_DIR, FIGURES_DIR, RenderError, Rendered, figures};

/// Name of the text.
pub const TEXT_FILE: &str = "compare.md";
/// Name of the same for machines.
pub const JSON_FILE: &str = "verdicts.json";

/// Entries of a comparison's directory.
const OWNS: [&str; 4] = [TEXT_FILE, JSON_FILE, FIGURES_DIR, DATA_DIR];

/// Names of the two runs, and what a reader must know besides the verdicts.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Name of the base run.
    pub base: String,
    /// Name of the new run.
    pub new: String,
    /// Sentences.
    pub notes: Vec<String>,
}

/// The contract of a gate's report, and what only a comparison of runs has.
pub fn json(compared: &Compared, facts: &Facts) -> Value {
    let mut value = report_json(&compared.report);
    let drift = |(name, i): (&String, &Interval)| json!({"name": name, "estimate": number_json(i.estimate), "ci95": [number_json(i.lo), number_json(i.hi)]});
    value["base"] = facts.base.clone().into();
    value["new"] = facts.new.clone().into();
    value["seed"] = SEED.into();
    value["drift"] = compared.drift.iter().map(drift).collect();
    value["only_base"] = json!(compared.unmatched[0]);
    value["only_new"] = json!(compared.unmatched[1]);
    value["notes"] = json!(facts.notes);
    value
}

/// For a terminal.
pub fn text(compared: &Compared, facts: &Facts) -> String {
    let mut text = terminal(&compared.report);
    for (name, i) in &compared.drift {
        text += &format!("machine: {name} x{:.3} [{:.3}, {:.3}]\n", i.estimate, i.lo, i.hi);
    }
    notes(compared, facts).iter().for_each(|n| text += &format!("note: {n}\n"));
    text
}

fn notes(compared: &Compared, facts: &Facts) -> Vec<String> {
    let only = |(run, cells): (&str, &Vec<String>)| {
        let (n, s) = (cells.len(), if cells.len() == 1 { "" } else { "s" });
        (n > 0).then(|| format!("{n} cell{s} measured in {run} only: {}", cells.join(", ")))
    };
    let alone = ["BASE", "NEW"].into_iter().zip(&compared.unmatched).filter_map(only);
    alone.chain(facts.notes.iter().cloned()).collect()
}

/// Everything that belongs into a directory.
pub fn files(compared: &Compared, facts: &Facts) -> Result<Rendered, RenderError> {
    let of = format!("{} against {}.", facts.new, facts.base);
    let drawn = plot::compare::draw(&compared.report, &of);
    let caption = format!(
        "Change of the throughput of every cell, {of} Discs and bars: change of the mean rate and 95 % interval; bands: what is no change, and what is equivalent."
    );
    let list: Vec<(&Figure, &str)> = drawn.iter().map(|f| (f, caption.as_str())).collect();
    let mut files: BTreeMap<String, Vec<u8>> = figures::files(&list)?;
    files.insert(TEXT_FILE.to_owned(), page(compared, facts, &drawn).into_bytes());
    let machine = serde_json::to_string_pretty(&json(compared, facts))? + "\n";
    files.insert(JSON_FILE.to_owned(), machine.into_bytes());
    files.insert(format!("{DATA_DIR}/rates.csv"), rates_csv(compared).into_bytes());
    let first_figure = drawn.first().map(|f| format!("{FIGURES_DIR}/{}.svg", f.name));
    Ok(Rendered { owned: &OWNS, files, first_figure, figures: Vec::new() })
}

fn page(compared: &Compared, facts: &Facts, drawn: &[Figure]) -> String {
    let mut text = format!("# {} against {}\n\n", facts.new, facts.base);
    for f in drawn {
        text += &format!("![{}]({FIGURES_DIR}/{}.svg)\n\n", f.title, f.name);
    }
    text += &markdown(&compared.report, usize::MAX);
    if !compared.drift.is_empty() {
        text += "\n### What the machine did between the runs\n\n| ceiling or reference cell | NEW / BASE | 95 % interval |\n|---|--:|---|\n";
        for (name, i) in &compared.drift {
            let name = name.replace('|', "\\|");
            text += &format!("| {name} | {:.3} | [{:.3}, {:.3}] |\n", i.estimate, i.lo, i.hi);
        }
    }
    text.push('\n');
    notes(compared, facts).iter().for_each(|n| text += &format!("- {n}\n"));
    text
}

/// A row a trial that was used.
fn rates_csv(compared: &Compared) -> String {
    let mut csv = "cell,run,rate\n".to_owned();
    for cell in &compared.report.cells {
        let name = cell.name.replace('"', "\"\"");
        for (run, rates) in [("base", &cell.samples.0), ("new", &cell.samples.1)] {
            rates.iter().for_each(|rate| csv += &format!("\"{name}\",{run},{rate}\n"));
        }
    }
    csv
}
