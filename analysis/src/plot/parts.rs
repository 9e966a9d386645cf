//! Parts of the loss budget in figures: a segment of a bar, and the legend. Each part has a colour and, because seven
//! colours are too many for grey, a letter.

use crate::plot::canvas::{Anchor, Canvas, INK, PAPER, Rgb, Stroke};
use crate::plot::style::part_color;
use crate::plot::text::{LINE_PT, SIZE_PT, width_pt};
use crate::plot::{COLUMN_PT, PAGE_PT};
use crate::summary::budget_parts;

/// Letters need so much height.
const LETTER_H: f64 = 7.5;

/// A filled segment with its letter, and `value` behind it where there is room for both.
pub(super) fn segment(
    canvas: &mut Canvas,
    key: &str,
    from: (f64, f64),
    to: (f64, f64),
    value: Option<&str>,
) {
    let (w, h) = (to.0 - from.0, to.1 - from.1);
    if w.min(h) < 0.3 {
        return;
    }
    let color = part_color(key);
    canvas.rect(from, to, color, 1.0);
    canvas.frame(from, to, Stroke::solid(INK, 0.3));
    let letter = letter(key);
    let both = value.map(|v| format!("{letter} {v}"));
    let fitting = both.iter().map(String::as_str).chain([letter]);
    let fitting = fitting.filter(|_| h >= LETTER_H).find(|t| width_pt(t, SIZE_PT) + 1.6 < w);
    if let Some(text) = fitting {
        let at = (f64::midpoint(from.0, to.0), f64::midpoint(from.1, to.1));
        canvas.text(text, at, Anchor::Middle, contrast(color));
    }
}

/// Lines of the legend on a figure so wide.
fn columns(width: f64) -> usize {
    if width < (COLUMN_PT + PAGE_PT) / 2.0 { 2 } else { 4 }
}

/// Height of the legend on a figure so wide.
pub(super) fn legend_height(width: f64) -> f64 {
    8_usize.div_ceil(columns(width)) as f64 * LEGEND_LINE
}

const LEGEND_LINE: f64 = LINE_PT + 1.5;

/// Every part with its letter.
pub(super) fn draw_legend(canvas: &mut Canvas, width: f64, top: f64) {
    let parts = budget_parts(&amdahl_stats::Budget::default());
    let columns = columns(width);
    let column = (width - 12.0) / columns as f64;
    for (k, (key, label, _)) in parts.iter().enumerate() {
        let x = 6.0 + column * (k % columns) as f64;
        let y = top + ((k / columns) as f64 + 0.5) * LEGEND_LINE;
        segment(canvas, key, (x, y - 5.0), (x + 14.0, y + 5.0), None);
        canvas.text(label, (x + 18.0, y), Anchor::Left, INK);
    }
}

fn letter(key: &str) -> &'static str {
    match key {
        "achieved" => "A",
        "hardware" => "H",
        "blocked" => "B",
        "run_queue" => "Q",
        "steal_foreign" => "S",
        "imbalance" => "I",
        "no_progress" => "P",
        _ => "U",
    }
}

fn contrast(ground: Rgb) -> Rgb {
    if ground.luminance() > 0.45 { INK } else { PAPER }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_part_has_a_letter_of_its_own() {
        let parts = budget_parts(&amdahl_stats::Budget::default());
        let letters: BTreeSet<&str> = parts.iter().map(|p| letter(p.0)).collect();
        assert_eq!(letters.len(), parts.len());
    }
}
