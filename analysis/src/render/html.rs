//! `report.html`: the very text of `report.md` as one page that needs nothing else: figures inline, no script, no
//! request. Adds no word to what the report says but names of its parts.
//!
//! Names of models, hosts and errors come from outside. Whatever they hold is text here: raw HTML is escaped, and a
//! link or a picture leads to a file of the report or is none.

mod figure;
mod frame;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::vec::IntoIter;

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, TextMergeStream, html};
use serde::Serialize;

use crate::render::RenderError;

type Files = BTreeMap<String, Vec<u8>>;

/// A line of the table of contents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Entry {
    level: u8,
    id: String,
    text: String,
}

/// The page: `markdown` is the report's text, `files` what it may show and link to.
pub(super) fn page(markdown: &str, files: &Files) -> Result<String, RenderError> {
    let parser = Parser::new_ext(markdown, Options::ENABLE_TABLES).map(harmless);
    let events = linked(TextMergeStream::new(parser), files);
    let mut layout = Layout::new(files);
    layout.blocks(events);
    let rest = layout.out.split_off(layout.answer_end);
    frame::around(&written(layout.out), &written(rest), &layout.contents)
}

fn written(events: Vec<Event<'_>>) -> String {
    let mut text = String::new();
    html::push_html(&mut text, events.into_iter());
    text
}

/// Raw HTML is what somebody's name or message looks like, never markup.
fn harmless(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        Event::Start(Tag::HtmlBlock) => Event::Start(Tag::Paragraph),
        Event::End(TagEnd::HtmlBlock) => Event::End(TagEnd::Paragraph),
        other => other,
    }
}

/// Links lead to files of the report; of all others, and of pictures that are no figures, the words stay. A file that
/// is named becomes a link.
fn linked<'a>(events: impl Iterator<Item = Event<'a>>, files: &Files) -> Vec<Event<'a>> {
    let mut open: Vec<bool> = Vec::new(); // Links and pictures around this event: are they kept?
    let mut out = Vec::new();
    for event in events {
        let kept = match &event {
            Event::Start(Tag::Link { dest_url, .. }) => {
                open.push(files.contains_key(&**dest_url));
                open.last().copied()
            }
            Event::Start(Tag::Image { dest_url, .. }) => {
                open.push(figure::is_figure(dest_url, files));
                open.last().copied()
            }
            Event::End(TagEnd::Link | TagEnd::Image) => open.pop(),
            Event::Code(name) if open.is_empty() && files.contains_key(&**name) => {
                out.push(raw(format!("<a href=\"{}\">", escape(name))));
                out.extend([event, raw("</a>".to_owned())]);
                continue;
            }
            _ => Some(true),
        };
        if kept == Some(true) {
            out.push(event);
        }
    }
    out
}

/// From the parser's events to those of the page, block by block.
struct Layout<'a, 'f> {
    files: &'f Files,
    out: Vec<Event<'a>>,
    /// Where the first title and the answer below it end: at the first table, or at the next title.
    answer_end: usize,
    contents: Vec<Entry>,
    ids: BTreeSet<String>,
    tables: u32,
    figures: u32,
}

impl<'a, 'f> Layout<'a, 'f> {
    fn new(files: &'f Files) -> Self {
        let ids = frame::IDS.map(str::to_owned).into();
        let (out, contents) = (Vec::new(), Vec::new());
        Self { files, out, answer_end: 0, contents, ids, tables: 0, figures: 0 }
    }

    fn blocks(&mut self, events: Vec<Event<'a>>) {
        let mut rest = events.into_iter();
        while let Some(event) = rest.next() {
            let ends = matches!(event, Event::Start(Tag::Table(_) | Tag::Heading { .. }));
            if ends && self.answer_end == 0 {
                self.answer_end = self.out.len();
            }
            match event {
                Event::Start(Tag::Heading { level, .. }) => {
                    let words = until(&mut rest, TagEnd::Heading(level));
                    self.heading(level as u8, words);
                }
                Event::Start(Tag::Paragraph) => {
                    let words = until(&mut rest, TagEnd::Paragraph);
                    match figure::picture(&words) {
                        Some(path) => self.figure(&path, &mut rest),
                        None => self.paragraph(words),
                    }
                }
                Event::Start(Tag::Table(columns)) => {
                    self.tables += 1;
                    let cells = until(&mut rest, TagEnd::Table);
                    let near = self.contents.last().map_or("", |e| &e.text);
                    let name = format!("Table {}: {near}", self.tables);
                    self.out.extend(table::lay_out(&name, &columns, cells));
                }
                other => self.out.push(other),
            }
        }
    }

    fn heading(&mut self, level: u8, words: Vec<Event<'a>>) {
        let text = plain(&words);
        let id = self.unique(&slug(&text));
        self.out.push(raw(format!("<h{level} id=\"{id}\">")));
        self.out.extend(words);
        let label = escape(&text);
        self.out.push(raw(format!(
            " <a class=\"anchor\" href=\"#{id}\" aria-label=\"Link to: {label}\">#</a></h{level}>\n"
        )));
        self.contents.push(Entry { level, id, text });
    }

    /// The first paragraph under a title is the answer.
    fn paragraph(&mut self, words: Vec<Event<'a>>) {
        let under_title = self.contents.last().is_some_and(|e| e.level == 1)
            && self
                .out
                .last()
                .is_some_and(|e| matches!(e, Event::Html(h) if h.ends_with("</h1>\n")));
        let class = if under_title { " class=\"answer\"" } else { "" };
        self.out.push(raw(format!("<p{class}>")));
        self.out.extend(words);
        self.out.push(raw("</p>\n".to_owned()));
    }

    /// A picture, and the paragraph after it, which is its caption.
    fn figure(&mut self, path: &str, rest: &mut IntoIter<Event<'a>>) {
        self.figures += 1;
        let svg = self.files.get(path).map(|bytes| String::from_utf8_lossy(bytes));
        let shown = figure::inline(&svg.unwrap_or_default(), self.figures);
        let captioned = matches!(
            rest.as_slice(),
            [Event::Start(Tag::Paragraph), Event::Start(Tag::Strong), Event::Text(t), ..]
                if t.starts_with("Figure ")
        );
        self.out.push(raw(figure::open(&shown, self.figures)));
        if captioned {
            rest.next();
            self.out.extend(until(rest, TagEnd::Paragraph));
        }
        self.out.push(raw(figure::close(path, self.files)));
    }

    fn unique(&mut self, slug: &str) -> String {
        let numbered = (2..).map(|k| format!("{slug}-{k}"));
        let mut ids = std::iter::once(slug.to_owned()).chain(numbered);
        let id = ids.find(|id| !self.ids.contains(id)).unwrap_or_default();
        self.ids.insert(id.clone());
        id
    }
}

/// What lies before the end of a block, which is taken too.
fn until<'a>(rest: &mut IntoIter<Event<'a>>, end: TagEnd) -> Vec<Event<'a>> {
    rest.by_ref().take_while(|e| *e != Event::End(end)).collect()
}

fn slug(text: &str) -> String {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty());
    // A letter first, so that no heading takes the id of a figure or of the page's parts.
    format!("s-{}", words.collect::<Vec<_>>().join("-"))
}

fn raw<'a>(html: String) -> Event<'a> {
    Event::Html(CowStr::from(html))
}

/// What the events say, without marks.
fn plain(events: &[Event<'_>]) -> String {
    let word = |e: &Event<'_>| match e {
        Event::Text(t) | Event::Code(t) => t.to_string(),
        Event::SoftBreak | Event::HardBreak => " ".to_owned(),
        _ => String::new(),
    };
    events.iter().map(word).collect()
}

/// For text and for attributes in double quotes.
fn escape(text: &str) -> String {
    let marks = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    marks.replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Files {
        let svg = "<svg width=\"7.00in\" height=\"1.00in\" viewBox=\"0 0 5040 720\" role=\"img\" \
                   aria-labelledby=\"title desc\" xmlns=\"http://www.w3.org/2000/svg\">\n\
                   <title id=\"title\">T</title>\n<desc id=\"desc\">D</desc></svg>";
        let all = [("figures/a.svg", svg), ("figures/a.pdf", ""), ("data/a.csv", "x")];
        all.into_iter().map(|(n, t)| (n.to_owned(), t.as_bytes().to_vec())).collect()
    }

    fn made(markdown: &str) -> String {
        let html = page(markdown, &files()).unwrap();
        html.split_once("<h1").unwrap().1.split_once("</main>").unwrap().0.to_owned()
    }

    #[test]
    fn raw_html_is_text_wherever_it_stands() {
        let text = made(
            "# T\n\n<script>alert(1)</script>\n\nhost <img src=x onerror=y> `<b>`\n\n| a |\n| :--- |\n| <i>x</i> |\n",
        );
        assert!(!text.contains("<script") && !text.contains("<img") && !text.contains("<i>"));
        assert!(text.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{text}");
        assert!(text.contains("host &lt;img src=x onerror=y&gt; <code>&lt;b&gt;</code>"), "{text}");
        assert!(text.contains("&lt;i&gt;x&lt;/i&gt;"), "{text}");
    }

    #[test]
    fn links_and_pictures_lead_to_files_of_the_report_or_are_none() {
        let text = made(
            "# T\n\n[a](data/a.csv) [b](javascript:alert(1)) [c](http://x/) <http://y/> ![d](http://z/q.svg) \
             [e ![f](figures/no.svg)](../up) `data/a.csv` `data/b.csv`",
        );
        let (_, after) = text.split_once("</h1>").unwrap();
        let links: Vec<&str> =
            after.split("href=\"").skip(1).filter_map(|r| r.split('"').next()).collect();
        assert_eq!(links, ["data/a.csv", "data/a.csv"], "{after}");
        assert!(!after.contains("<img") && !after.contains("<figure"), "{after}");
        assert!(after.contains(" b c http://y/ d e f "), "{after}");
    }

    #[test]
    fn headings_have_anchors_of_their_own() {
        let text = made("# T\n\n## Same `x` & more\n\n## Same x, more\n\n## Main\n");
        assert!(text.contains("<h2 id=\"s-same-x-more\">Same <code>x</code> &amp; more"), "{text}");
        assert!(text.contains("<h2 id=\"s-same-x-more-2\">"), "{text}");
        assert!(text.contains("href=\"#s-main\" aria-label=\"Link to: Main\""), "{text}");
    }

    #[test]
    fn a_figure_is_inline_with_its_caption_and_formats() {
        let text = made(
            "# T\n\n![Figure 1: A](figures/a.svg)\n\n**Figure 1.** Words. Points: [`data/a.csv`](data/a.csv).\n\nAfter.\n",
        );
        assert!(text.contains("<figure id=\"figure-1\" class=\"wide\">"), "{text}");
        assert!(text.contains("<title id=\"f1-title\">T</title>"), "{text}");
        let caption =
            text.split_once("<figcaption>").unwrap().1.split_once("</figcaption>").unwrap().0;
        assert!(caption.starts_with("<strong>Figure 1.</strong> Words."), "{caption}");
        assert!(
            caption.contains("href=\"figures/a.svg\"")
                && caption.contains("href=\"figures/a.pdf\"")
        );
        assert!(text.contains("<p>After.</p>"), "{text}");
    }
}
