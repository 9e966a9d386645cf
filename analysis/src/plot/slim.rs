//! What the SVG backend wrote, made small: an attribute that every element repeats, or that says the default, is left
//! out; dashes, for which the backend has no word, are added.

use crate::plot::canvas::Dash;

/// Says what is so anyway, or what the root says for all.
const NEEDLESS: [&str; 4] =
    [" fill=\"none\"", " opacity=\"1\"", " stroke=\"none\"", " stroke-width=\"1\""];

/// The body without needless attributes; element k, one a line but for text, gets the k-th dash, lengths in points of
/// `units` units.
pub(super) fn slim(body: &str, dashes: impl Iterator<Item = Dash>, units: f64) -> String {
    let mut dashes = dashes;
    let mut out = String::with_capacity(body.len());
    for line in body.lines() {
        // `<` within text is written as an entity.
        if line.starts_with('<') && !line.starts_with("</") {
            element(line, dashes.next().unwrap_or(&[]), units, &mut out);
        } else {
            out.push_str(line);
        }
        out.push('\n');
    }
    out
}

fn element(line: &str, dash: Dash, units: f64, out: &mut String) {
    let mut kept = line.to_owned();
    for attribute in NEEDLESS {
        kept = kept.replacen(attribute, "", 1);
    }
    if let Some((before, after)) = kept.split_once(" font-family=\"") {
        let after = after.split_once('"').map_or("", |(_, after)| after);
        kept = format!("{before}{after}");
    }
    // What lets only its own colour shine through needs no layer of its own, which `opacity` asks for.
    let own = if line.starts_with("<polyline") { " stroke-opacity=" } else { " fill-opacity=" };
    kept = kept.replacen(" opacity=", own, 1);
    if !dash.is_empty() {
        let lengths: Vec<String> =
            dash.iter().map(|d| ((d * units).round() as i64).to_string()).collect();
        let added = format!(" stroke-dasharray=\"{}\" points=", lengths.join(" "));
        kept = kept.replacen(" points=", &added, 1);
    }
    out.push_str(&kept);
}
