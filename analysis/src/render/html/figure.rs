//! A figure inside the page: the SVG document with ids of its own, and links to it in every format there is.

use pulldown_cmark::{Event, Tag, TagEnd};

use super::{Files, escape};

/// Formats in the order shown, by the ending of their file.
const FORMATS: [(&str, &str); 4] =
    [("svg", "SVG"), ("pdf", "PDF"), ("png", "PNG"), ("tex", "LaTeX")];

/// From this width on, inches, a figure takes all the room of the page.
const WIDE_MIN_IN: f64 = 4.0;

/// An SVG document as a part of the page.
pub(super) struct Inline {
    wide: bool,
    svg: String,
}

/// Whether a picture is a figure of this report.
pub(super) fn is_figure(path: &str, files: &Files) -> bool {
    path.ends_with(".svg") && files.contains_key(path)
}

/// The path of a picture that is a paragraph of its own.
pub(super) fn picture(paragraph: &[Event<'_>]) -> Option<String> {
    match paragraph {
        [Event::Start(Tag::Image { dest_url, .. }), .., Event::End(TagEnd::Image)] => {
            Some(dest_url.to_string())
        }
        _ => None,
    }
}

/// Ids get the figure's number, since a page has each only once; its size is the page's to decide.
pub(super) fn inline(svg: &str, number: u32) -> Inline {
    let (head, body) = svg.split_once('>').unwrap_or((svg, ""));
    let width = attribute(head, "width").and_then(|w| w.trim_end_matches("in").parse().ok());
    let wide = width.is_some_and(|w: f64| w >= WIDE_MIN_IN);
    let sized = without(&without(head, "width"), "height");
    let svg = numbered(&format!("{sized}>{body}"), number);
    Inline { wide, svg: svg.trim_end().to_owned() }
}

/// Everything before the caption.
pub(super) fn open(figure: &Inline, number: u32) -> String {
    let class = if figure.wide { "wide" } else { "column" };
    format!(
        "<figure id=\"figure-{number}\" class=\"{class}\">\n<div class=\"card\" tabindex=\"0\" role=\"group\" \
         aria-label=\"Figure {number}\">\n{}\n</div>\n<figcaption>",
        figure.svg
    )
}

/// Everything after it.
pub(super) fn close(path: &str, files: &Files) -> String {
    let stem = path.strip_suffix("svg").unwrap_or(path);
    let there = FORMATS.iter().map(|(ending, name)| (format!("{stem}{ending}"), name));
    let links: Vec<String> = there
        .filter(|(path, _)| files.contains_key(path))
        .map(|(path, name)| format!("<a href=\"{}\">{name}</a>", escape(&path)))
        .collect();
    format!(
        " <span class=\"formats\">As a file: {}.</span></figcaption>\n</figure>\n",
        links.join(", ")
    )
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, after) = tag.split_once(&format!(" {name}=\""))?;
    after.split('"').next()
}

fn without(tag: &str, name: &str) -> String {
    match attribute(tag, name) {
        Some(value) => tag.replacen(&format!(" {name}=\"{value}\""), "", 1),
        None => tag.to_owned(),
    }
}

/// Renames ids and what refers to them, in tags alone: text may look like them.
fn numbered(svg: &str, number: u32) -> String {
    let mut out = String::with_capacity(svg.len());
    for part in svg.split_inclusive('>') {
        let (text, tag) = part.split_at(part.find('<').unwrap_or(part.len()));
        out.push_str(text);
        match attribute(tag, "aria-labelledby") {
            Some(ids) => {
                let new: Vec<String> = ids.split(' ').map(|id| format!("f{number}-{id}")).collect();
                out.push_str(&tag.replacen(ids, &new.join(" "), 1));
            }
            None => out.push_str(
                &tag.replace(" id=\"", &format!(" id=\"f{number}-"))
                    .replace("url(#", &format!("url(#f{number}-"))
                    .replace("href=\"#", &format!("href=\"#f{number}-")),
            ),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_the_figures_own_and_text_stays() {
        let svg = "<svg width=\"3.40in\" height=\"2.00in\" viewBox=\"0 0 9 9\" aria-labelledby=\"title desc\">\
                   <title id=\"title\">T</title><desc id=\"desc\">say id=\"x\"</desc><clipPath id=\"c\"/>\
                   <g clip-path=\"url(#c)\"/></svg>\n";
        let made = inline(svg, 3);
        assert!(!made.wide);
        assert_eq!(
            made.svg,
            "<svg viewBox=\"0 0 9 9\" aria-labelledby=\"f3-title f3-desc\"><title id=\"f3-title\">T</title>\
             <desc id=\"f3-desc\">say id=\"x\"</desc><clipPath id=\"f3-c\"/><g clip-path=\"url(#f3-c)\"/></svg>"
        );
    }
}
