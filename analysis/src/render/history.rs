//! A judged history as Markdown, as JSON, and as files behind figures. No arithmetic but rounding.

use std::collections::BTreeMap;

use amdahl_stats::{BREAK_P_MAX, BREAKS_Q, Break, number_json};
use serde_json::{Value, json};

use crate::history::{History, Index, Judged, POINTS_AFTER};
use crate::plot::axis::amount;
use crate::plot::{self, Figure, file_part};
use crate::render::{DATA_DIR, FIGURES_DIR, RenderError, Rendered, figures};

/// Name of the text.
pub const TEXT_FILE: &str = "history.md";
/// Name of the same for machines.
pub const JSON_FILE: &str = "history.json";

/// Entries of a history's directory.
const OWNS: [&str; 4] = [TEXT_FILE, JSON_FILE, FIGURES_DIR, DATA_DIR];

/// Letters of a series' name in those of its figure's files: file systems have limits.
const NAME_MAX: usize = 80;

/// The contract of `history --json`.
pub fn json(h: &History) -> Value {
    let detectable = match h.detectable() {
        Some(sigma) => {
            json!({"points_after": POINTS_AFTER, "sigma": number_json(sigma), "points": h.points()})
        }
        None => json!({
            "points_after": POINTS_AFTER, "sigma": null, "points": h.points(),
            "reason": "series of this length are too short for that",
        }),
    };
    let mut value = json!({
        "schema": 1,
        "series": h.series.iter().map(series_json).collect::<Vec<_>>(),
        "detectable": detectable,
        "margin": number_json(h.margin),
        "q": BREAKS_Q,
        "p_max": BREAK_P_MAX,
        "regressed": h.directed().then(|| h.regressed().count()),
    });
    if let Some(note) = &h.note {
        value["note"] = json!(note);
    }
    value
}

fn series_json(s: &Judged) -> Value {
    let mut value = json!({
        "name": s.series.name,
        "points": s.series.values.len(),
        "changes": s.levels.changes.iter().map(|c| change_json(s, c)).collect::<Vec<_>>(),
        "p": number_json(s.levels.p),
        "p_adjusted": number_json(s.levels.p_adjusted),
        "smallest_p": number_json(s.smallest_p),
        "missing": s.series.missing,
    });
    if let Some(why) = &s.too_short {
        value["reason"] = json!(why);
    }
    value
}

fn change_json(s: &Judged, c: &Break) -> Value {
    let index = match s.series.indices.get(c.index) {
        Some(Index::Number(n)) if n.fract() == 0.0 && n.abs() < 9e15 => json!(*n as i64),
        Some(Index::Number(n)) => number_json(*n),
        Some(Index::Text(t)) => json!(t),
        Some(Index::Run { .. }) | None => json!(c.index),
    };
    let mut value = json!({
        "index": index,
        "before": number_json(c.before),
        "after": number_json(c.after),
        "p": number_json(c.p),
        "ratio": c.ratio().map(number_json),
        "position": c.index,
    });
    if let Some(Index::Run { name, runtime }) = s.series.indices.get(c.index) {
        value["run"] = json!(name);
        value["runtime"] = json!(runtime);
        if let Some(before) = runtime_before(s, c).filter(|b| *b != runtime) {
            value["runtime_before"] = json!(before);
        }
    }
    if let Some(worse) = s.worse(c) {
        value["worse"] = json!(worse);
    }
    value
}

/// What the run before a change said of the runtime.
fn runtime_before<'a>(s: &'a Judged, c: &Break) -> Option<&'a str> {
    match s.series.indices.get(c.index.checked_sub(1)?)? {
        Index::Run { runtime, .. } => Some(runtime),
        _ => None,
    }
}

/// What people read.
pub fn markdown(h: &History) -> String {
    let changed = h.changed().count();
    let mut text = format!("# History of {}\n\n", plain(&h.name));
    let all = h.series.len();
    text.push_str(&format!("{changed} of {all} series changed{}.\n", regressed(h)));
    if changed > 0 {
        text.push_str("\n| series | points | changed at | before | after | change | p | |\n|---|--:|---|--:|--:|--:|--:|---|\n");
        for judged in h.changed() {
            judged.levels.changes.iter().for_each(|c| text.push_str(&row(judged, c)));
        }
    }
    text.push_str(&format!("\n{}\n", seen(h)));
    h.note.iter().for_each(|note| text.push_str(&format!("\n{}\n", plain(note))));
    let short: Vec<&Judged> = h.series.iter().filter(|s| s.too_short.is_some()).collect();
    if let Some(why) = short.first().and_then(|j| j.too_short.as_ref()) {
        let (n, name) = (short.len(), plain(&short[0].series.name));
        text.push_str(&format!("\n{n} series too short to be judged: {name} has {why}.\n"));
    }
    let missing: usize = h.series.iter().map(|s| s.series.missing).sum();
    if missing > 0 {
        text.push_str(&format!("\n{missing} point{} without a value, not used.\n", s(missing)));
    }
    text
}

fn regressed(h: &History) -> String {
    match (h.directed(), h.regressed().count()) {
        (false, _) => String::new(),
        (true, 0) => ", none of them last for the worse".to_owned(),
        (true, n) => format!(", {n} of them last for the worse"),
    }
}

fn row(s: &Judged, c: &Break) -> String {
    let at = match s.series.indices.get(c.index) {
        Some(Index::Number(n)) => n.to_string(),
        Some(Index::Text(t)) => plain(t),
        Some(Index::Run { name, .. }) => format!("`{name}`"),
        None => c.index.to_string(),
    };
    let change = c.ratio().map_or("unknown".to_owned(), |r| format!("{:+.1} %", 100.0 * (r - 1.0)));
    let mut remark = match s.worse(c) {
        Some(true) => "regressed".to_owned(),
        Some(false) => "improved".to_owned(),
        None => String::new(),
    };
    if let (Some(Index::Run { runtime, .. }), Some(before)) =
        (s.series.indices.get(c.index), runtime_before(s, c))
        && before != runtime
    {
        remark.push_str(&format!(" with {} after {}", plain(runtime), plain(before)));
    }
    let (n, p) = (s.series.values.len(), format!("{:.1e}", c.p));
    let (before, after, name) = (amount(c.before), amount(c.after), plain(&s.series.name));
    format!("| {name} | {n} | {at} | {before} | {after} | {change} | {p} | {} |\n", remark.trim())
}

fn s(n: usize) -> &'static str {
    if n == 1 { "" } else { "s" }
}

/// What could have been seen, and how it was judged.
fn seen(h: &History) -> String {
    let n = h.points().unwrap_or(0);
    let could = match h.detectable() {
        Some(sigma) => format!(
            "In a series of {n} points a change of {sigma:.1} standard deviations of its noise is found in 95 % if {POINTS_AFTER} points come after it"
        ),
        None => format!(
            "A series of {n} point{} is too short for a change with {POINTS_AFTER} points after it",
            s(n)
        ),
    };
    format!(
        "{could}; smaller or later ones may be there unseen. p: of the largest rank sum over all places, as if points were independent; at most {BREAK_P_MAX}, and \
         {BREAKS_Q} adjusted for the {} series (Benjamini-Hochberg). Changes below {:.1} % are left out.",
        h.series.len(),
        100.0 * h.margin
    )
}

/// Text that stays text in a table of Markdown.
fn plain(text: &str) -> String {
    let escape = |c: char| match c {
        '|' | '\\' | '`' | '*' | '_' | '<' | '[' | ']' | '&' | '#' | '~' => format!("\\{c}"),
        '\n' | '\r' | '\t' => " ".to_owned(),
        c => c.to_string(),
    };
    text.chars().map(escape).collect()
}

/// Text, JSON, a figure for each changed series, and all points.
pub fn files(h: &History) -> Result<Rendered, RenderError> {
    let facts = format!("Series of {}.", h.name.replace('`', "'"));
    let drawn: Vec<(Figure, String)> = h
        .changed()
        .enumerate()
        .map(|(k, s)| {
            // Numbered, because two names may have the same plain letters.
            let letters: String = file_part(&s.series.name).chars().take(NAME_MAX).collect();
            let name = format!("history-{}-{letters}", k + 1);
            let figure = plot::history::draw(name, s, &facts);
            let caption = format!(
                "`{}` over {} points. Dots: points in order; strong line: median of each level; upright lines: where the level changes. {facts}",
                s.series.name.replace('`', "'"),
                s.series.values.len()
            );
            (figure, caption)
        })
        .collect();
    let list: Vec<(&Figure, &str)> = drawn.iter().map(|(f, c)| (f, c.as_str())).collect();
    let mut files: BTreeMap<String, Vec<u8>> = figures::files(&list)?;
    let mut text = markdown(h);
    for (figure, _) in &drawn {
        let (title, name) = (plain(&figure.title), &figure.name);
        text.push_str(&format!("\n![{title}]({FIGURES_DIR}/{name}.svg)\n"));
    }
    files.insert(TEXT_FILE.to_owned(), text.into_bytes());
    let numbers = serde_json::to_string_pretty(&json(h))? + "\n";
    files.insert(JSON_FILE.to_owned(), numbers.into_bytes());
    files.insert(format!("{DATA_DIR}/history.csv"), points_csv(h).into_bytes());
    let first_figure = drawn.first().map(|(f, _)| format!("{FIGURES_DIR}/{}.svg", f.name));
    Ok(Rendered { owned: &OWNS, files, first_figure, figures: Vec::new() })
}

/// Every point with the level that it belongs to.
fn points_csv(h: &History) -> String {
    let mut csv = "series,position,index,value,level\n".to_owned();
    let quoted = |t: &str| format!("\"{}\"", t.replace('"', "\"\""));
    for s in &h.series {
        let name = quoted(&s.series.name);
        let changes = &s.levels.changes;
        for (k, (index, value)) in s.series.indices.iter().zip(&s.series.values).enumerate() {
            let index = match index {
                Index::Number(n) => n.to_string(),
                Index::Text(t) => quoted(t),
                Index::Run { name, .. } => quoted(name),
            };
            let before = changes.iter().rev().find(|c| c.index <= k).map(|c| c.after);
            let level = before.or_else(|| changes.first().map(|c| c.before));
            let level = level.map_or_else(String::new, |l| l.to_string());
            csv.push_str(&format!("{name},{k},{index},{value},{level}\n"));
        }
    }
    csv
}
