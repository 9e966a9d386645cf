//! The page around the report: head, table of contents, style. Layout only.

use minijinja::{Environment, context};

use super::Entry;
use crate::render::{REPORT_FILE, RenderError, VERDICTS_FILE};

const TEMPLATE: &str = include_str!("page.html.j2");
const STYLE: &str = include_str!("style.css");

/// Ids that the template gives.
pub(super) const IDS: [&str; 2] = ["report", "contents"];

/// The whole document: `answer` comes before the table of contents, `body` after it.
pub(super) fn around(answer: &str, body: &str, contents: &[Entry]) -> Result<String, RenderError> {
    let mut env = Environment::new();
    env.set_trim_blocks(true);
    env.set_lstrip_blocks(true);
    env.set_keep_trailing_newline(true);
    env.add_template("report.html", TEMPLATE)?;
    let titles = contents.iter().filter(|e| e.level == 1).count();
    // Of one run everything stands under one title, which needs no line.
    let lines: Vec<&Entry> = contents.iter().filter(|e| e.level > 1 || titles > 1).collect();
    let title = contents.first().map_or("Report", |e| &e.text);
    let links = [REPORT_FILE, VERDICTS_FILE];
    let values = context! { title, answer, body, lines, links, style => STYLE };
    Ok(env.get_template("report.html")?.render(values)?)
}
