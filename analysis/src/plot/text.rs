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

/// The end of a long name, which tells names apart better than its beginning.
pub fn ending(name: &str, width: f64) -> String {
    let letters: Vec<char> = name.chars().collect();
    let fits =
        |from: usize| width_pt(&letters[from..].iter().collect::<String>(), SIZE_PT * 1.1) <= width;
    match (0..letters.len()).find(|from| fits(*from)) {
        Some(0) | None => name.to_owned(),
        Some(from) => format!("…{}", letters[from + 1..].iter().collect::<String>()),
    }
}

/// Beginning and end of a long id: the runtime and the mechanism are told apart by them.
pub fn ends(id: &str, size_pt: f64, width: f64) -> String {
    if width_pt(id, size_pt) <= width {
        return id.to_owned();
    }
    let letters: Vec<char> = id.chars().collect();
    let of = |kept: usize| {
        let (head, tail) = (kept.div_ceil(2), kept / 2);
        let part = |letters: &[char]| letters.iter().collect::<String>();
        format!("{}…{}", part(&letters[..head]), part(&letters[letters.len() - tail..]))
    };
    let fitting = (0..letters.len()).rev().map(of).find(|t| width_pt(t, size_pt) <= width);
    fitting.unwrap_or_else(|| id.to_owned())
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
    fn long_names_keep_their_end() {
        let text = ending(&"a".repeat(200), 100.0);
        assert!(text.starts_with('…') && width_pt(&text, SIZE_PT) < 110.0, "{text}");
    }

    #[test]
    fn long_ids_keep_runtime_and_mechanism() {
        let text = ends("python3.13t+gil@tools/processes-forkserver", SIZE_PT, 105.0);
        assert!(text.starts_with("python3.1") && text.ends_with("forkserver"), "{text}");
        assert_eq!(ends("rust/threads", SIZE_PT, 105.0), "rust/threads");
    }

    #[test]
    fn an_id_fits_where_a_legend_expects_it() {
        let w = width_pt("python3.13/processes-forkserver", SIZE_PT);
        assert!((110.0..150.0).contains(&w), "{w}");
        assert!(width_pt("iii", 8.0) < width_pt("mmm", 8.0));
    }
}
