//! Width of text without a font.
//!
//! The reader's program chooses the font, so widths are estimates for the widest of the family list,
//! and layouts leave room. Never used to position one letter against another.

/// Families in order of preference; all have the metrics of Helvetica but the last, which is wider.
pub const FAMILY: &str = "Helvetica, Arial, Liberation Sans, DejaVu Sans, sans-serif";

/// Size of all text in figures, points.
pub const SIZE_PT: f64 = 8.0;

/// Height of a line of such text, points.
pub const LINE_PT: f64 = 10.5;

/// DejaVu Sans runs wider than Helvetica, whose widths the table below holds.
const WIDEST: f64 = 1.13;

/// Estimated width in points of `text` set at `size_pt`.
pub fn width_pt(text: &str, size_pt: f64) -> f64 {
    text.chars().map(em).sum::<f64>() * size_pt * WIDEST
}

fn em(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' => 0.25,
        'f' | 't' | 'r' | ' ' | '/' | '(' | ')' | '[' | ']' | '-' | '!' => 0.32,
        'm' | 'M' | 'W' | '%' | '@' | '—' => 0.88,
        'w' | 'A'..='Z' => 0.70,
        '⁰'..='⁹' | '¹' | '²' | '³' | '⁻' => 0.36,
        _ => 0.56,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_fits_where_a_legend_expects_it() {
        let w = width_pt("python3.13/processes-forkserver", SIZE_PT);
        assert!((110.0..150.0).contains(&w), "{w}");
        assert!(width_pt("iii", 8.0) < width_pt("mmm", 8.0));
    }
}
