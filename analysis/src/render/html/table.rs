//! A table that scrolls in a box of its own: heads that say whose they are, the model's column always in sight, and
//! verdicts marked by a sign, not by colour alone.

use pulldown_cmark::{Alignment, CowStr, Event, Tag, TagEnd};

use super::{escape, plain, raw};
use crate::render::format::UNKNOWN;

/// Columns that hold verdicts, by their heads.
const DECIDING: [&str; 4] =
    ["parallel on CPU-bound work?", "I/O-bound work overlaps?", "verdict", "overlaps?"];

/// Words of verdicts, with their class and sign.
const VERDICTS: [(&str, &str, &str); 8] = [
    ("parallel", "good", "●"),
    ("partly", "part", "◐"),
    ("serial", "bad", "○"),
    ("overlaps", "good", "●"),
    ("does not", "bad", "○"),
    ("yes", "good", "●"),
    ("no", "bad", "○"),
    ("unknown", "open", "?"),
];

/// Cells with more characters get room, and lines that break.
const LONG_MIN: usize = 40;
/// Up to so many columns a table fits a narrow screen if its lines break.
const NARROW_MAX: usize = 3;

/// A cell's events.
type Cell<'a> = Vec<Event<'a>>;

/// The table's markup; `name` is what a screen reader calls it.
pub(super) fn lay_out<'a>(
    name: &str,
    columns: &[Alignment],
    events: Vec<Event<'a>>,
) -> Vec<Event<'a>> {
    let mut rows = rows(events).into_iter();
    let heads: Vec<String> = rows.next().unwrap_or_default().iter().map(|c| plain(c)).collect();
    let main = heads.iter().position(|h| matches!(h.as_str(), "model" | "models")).unwrap_or(0);
    let fit = if columns.len() <= NARROW_MAX { " fit" } else { "" };
    let mut out = vec![raw(format!(
        "<div class=\"scroll{fit}\" tabindex=\"0\" role=\"region\" aria-label=\"{}\">\n<table>\n<thead>\n<tr>",
        escape(name)
    ))];
    let number = |k: usize| columns.get(k) == Some(&Alignment::Right);
    for (k, head) in heads.iter().enumerate() {
        out.push(raw(head_cell(head, number(k), k == main)));
    }
    out.push(raw("</tr>\n</thead>\n<tbody>\n".to_owned()));
    for row in rows {
        out.push(raw("<tr>".to_owned()));
        let told = told(&row);
        for (k, cell) in row.into_iter().take(told).enumerate() {
            let deciding = heads.get(k).is_some_and(|h| DECIDING.contains(&h.as_str()));
            let tag = if k == main { "th" } else { "td" };
            let span = if k + 1 == told { heads.len().saturating_sub(k).max(1) } else { 1 };
            // What spans columns is as wide as they are, which can be wider than a screen; a box in it is not.
            let (open, close) = if span > 1 { ("<div>", "</div>") } else { ("", "") };
            out.push(raw(opening(tag, number(k), is_long(&cell), span) + open));
            out.extend(match (k == main, deciding) {
                (true, _) => jointed(cell),
                (_, true) => marked(cell),
                _ => cell,
            });
            out.push(raw(format!("{close}</{tag}>")));
        }
        out.push(raw("</tr>\n".to_owned()));
    }
    out.push(raw("</tbody>\n</table>\n</div>\n".to_owned()));
    out
}

fn is_long(cell: &[Event<'_>]) -> bool {
    plain(cell).chars().count() >= LONG_MIN
}

/// Cells before those without a value, where the last of them is a long reason: it gets their room.
fn told(row: &[Cell<'_>]) -> usize {
    let empty = row.iter().rev().take_while(|c| plain(c) == UNKNOWN).count();
    let told = row.len() - empty;
    let reason = told > 1 && row.get(told - 1).is_some_and(|c| is_long(c));
    if reason { told } else { row.len() }
}

/// Head first.
fn rows(events: Vec<Event<'_>>) -> Vec<Vec<Cell<'_>>> {
    let mut rows = Vec::new();
    for event in events {
        match event {
            Event::Start(Tag::TableHead | Tag::TableRow) => rows.push(Vec::new()),
            Event::Start(Tag::TableCell) => {
                rows.last_mut().into_iter().for_each(|r| r.push(Vec::new()));
            }
            Event::End(TagEnd::TableHead | TagEnd::TableRow | TagEnd::TableCell) => {}
            other => {
                let cell = rows.last_mut().and_then(|r| r.last_mut());
                cell.into_iter().for_each(|c| c.push(other.clone()));
            }
        }
    }
    rows
}

/// A head without words is no head.
fn head_cell(text: &str, number: bool, main: bool) -> String {
    let class = match (main, number) {
        (true, _) => " class=\"main\"",
        (_, true) => " class=\"n\"",
        _ => "",
    };
    match text {
        "" => format!("<td{class}></td>"),
        text => format!("<th scope=\"col\"{class}>{}</th>", escape(text)),
    }
}

fn opening(tag: &str, number: bool, long: bool, span: usize) -> String {
    let scope = if tag == "th" { " scope=\"row\"" } else { "" };
    let class = match (number, long) {
        (true, _) => " class=\"n\"",
        (_, true) => " class=\"long\"",
        _ => "",
    };
    let span = if span > 1 { format!(" colspan=\"{span}\"") } else { String::new() };
    format!("<{tag}{scope}{class}{span}>")
}

/// An id breaks at its joints where a screen is narrow.
fn jointed(cell: Cell<'_>) -> Cell<'_> {
    let joint = |event| match event {
        Event::Code(id) => {
            let id = escape(&id).replace('/', "/<wbr>").replace('-', "-<wbr>");
            raw(format!("<code>{id}</code>"))
        }
        other => other,
    };
    cell.into_iter().map(joint).collect()
}

/// Words of verdicts where a cell or one of its clauses begins.
fn marked(cell: Cell<'_>) -> Cell<'_> {
    let mut out = Vec::new();
    for (k, event) in cell.into_iter().enumerate() {
        let Event::Text(text) = event else {
            out.push(event);
            continue;
        };
        let (mut rest, mut begins) = (&*text, k == 0);
        while !rest.is_empty() {
            if let Some((word, class, sign)) = begins.then(|| verdict(rest)).flatten() {
                out.push(raw(format!(
                    "<span class=\"verdict {class}\"><span aria-hidden=\"true\">{sign}</span> {word}</span>"
                )));
                rest = &rest[word.len()..];
            }
            let end = rest.find("; ").map_or(rest.len(), |at| at + 2);
            out.push(Event::Text(CowStr::from(rest[..end].to_owned())));
            (rest, begins) = (&rest[end..], true);
        }
    }
    out
}

fn verdict(text: &str) -> Option<(&'static str, &'static str, &'static str)> {
    VERDICTS.into_iter().find(|(word, _, _)| {
        text.strip_prefix(word).is_some_and(|after| after.is_empty() || after.starts_with(':'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use pulldown_cmark::{Options, Parser, html};

    fn made(markdown: &str) -> String {
        let mut events = Parser::new_ext(markdown, Options::ENABLE_TABLES);
        let Some(Event::Start(Tag::Table(columns))) = events.next() else {
            panic!("no table: {markdown}")
        };
        let cells = events.take_while(|e| *e != Event::End(TagEnd::Table)).collect();
        let mut text = String::new();
        html::push_html(&mut text, lay_out("T <1>", &columns, cells).into_iter());
        text
    }

    #[test]
    fn heads_have_scope_and_the_model_leads_its_row() {
        let text =
            made("| workload | model | N |\n| :--- | :--- | ---: |\n| `cpu` | `a/b` | 2 |\n");
        assert!(text.contains("aria-label=\"T &lt;1&gt;\""), "{text}");
        assert!(text.contains(
            "<th scope=\"col\" class=\"main\">model</th><th scope=\"col\" class=\"n\">N</th>"
        ));
        assert!(
            text.contains("<td><code>cpu</code></td><th scope=\"row\"><code>a/<wbr>b</code></th><td class=\"n\">2</td>"),
            "{text}"
        );
        let pairs = made("| machine | |\n| :--- | :--- |\n| host | vm |\n");
        assert!(
            pairs.contains("</th><td></td></tr>") && pairs.contains("<th scope=\"row\">host</th>"),
            "{pairs}"
        );
        assert!(pairs.contains("\"scroll fit\""), "{pairs}");
    }

    #[test]
    fn a_long_reason_gets_the_room_of_what_it_leaves_unknown() {
        let head = "| model | how | a | b |\n| :--- | :--- | ---: | ---: |\n";
        let why = "absent: ".to_owned() + &"word ".repeat(9);
        let text = made(&format!("{head}| `m` | {why} | – | – |\n| `m` | serial | – | – |\n"));
        assert!(text.contains("<td class=\"long\" colspan=\"3\"><div>absent: word"), "{text}");
        assert_eq!(text.matches('–').count(), 2, "a short one keeps its columns: {text}");
    }

    #[test]
    fn verdicts_have_a_sign_at_the_head_of_a_clause() {
        let head = "| model | I/O-bound work overlaps? |\n| :--- | :--- |\n";
        let text =
            made(&format!("{head}| `m` | yes: `sleep` × 2; unknown: `pipe` (no: interval) |\n"));
        let sign = |s: &str, word: &str| {
            format!("<span aria-hidden=\"true\">{s}</span> {word}</span>: <code>")
        };
        assert!(text.contains(&sign("●", "yes")) && text.contains(&sign("?", "unknown")), "{text}");
        assert_eq!(text.matches("class=\"verdict").count(), 2, "{text}");
        assert!(!made(&format!("{head}| yes: a | nothing |\n")).contains("verdict"));
    }
}
