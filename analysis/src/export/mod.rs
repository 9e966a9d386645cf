//! SVG figures to PDF and PNG, with the bundled font alone. krilla, resvg and png stop here.
//!
//! The same SVG gives the same bytes, whatever fonts are installed; no clock. Knows nothing of what a figure shows.

mod boxes;
mod drawing;
mod pdf;
mod png;

use thiserror::Error;

pub use boxes::{Frame, TextBox};
pub use drawing::Drawing;
pub use png::Grey;

/// Resolution of figures as pictures, dots an inch.
pub const DPI: u32 = 300;

/// Why a figure has no PDF or PNG; a defect of this program.
#[derive(Debug, Error)]
pub enum ExportError {
    /// The SVG that we drew is none.
    #[error("its SVG: {0}")]
    Svg(#[from] resvg::usvg::Error),
    /// The PDF can't be written.
    #[error("its PDF: {0:?}")]
    Pdf(krilla::error::KrillaError),
    /// The picture can't be written.
    #[error("its PNG: {0}")]
    Png(#[from] ::png::EncodingError),
    /// No area, or too large a one.
    #[error("its size: {width} x {height} pixels")]
    Size {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
    },
}

/// A figure in the formats that papers take.
#[derive(Debug, Clone, PartialEq)]
pub struct Exported {
    /// One page of the figure's size; text is text, in embedded fonts.
    pub pdf: Vec<u8>,
    /// [`DPI`] dots an inch, on white.
    pub png: Vec<u8>,
    /// Width and height of the figure, inches.
    pub size_in: (f64, f64),
}

/// One figure, `(title, svg)`.
pub fn figure(title: &str, svg: &str) -> Result<Exported, ExportError> {
    let drawing = Drawing::parse(svg)?;
    let size_in = (f64::from(drawing.width_in()), f64::from(drawing.height_in()));
    Ok(Exported { pdf: drawing.pdf(title)?, png: drawing.png(DPI)?, size_in })
}

/// Many figures, in the order given, on all CPUs.
pub fn figures(list: &[(&str, &str)]) -> Vec<Result<Exported, ExportError>> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(list.len());
    // Figure k is made by thread k modulo their number: neighbours are alike, so each thread gets its share of large ones.
    let part =
        |t: usize| list.iter().skip(t).step_by(threads).map(|(title, svg)| figure(title, svg));
    let mut parts: Vec<_> = std::thread::scope(|scope| {
        let spawned: Vec<_> =
            (0..threads).map(|t| scope.spawn(move || part(t).collect::<Vec<_>>())).collect();
        let joined = spawned.into_iter().map(|h| match h.join() {
            Ok(made) => made.into_iter(),
            Err(panic) => std::panic::resume_unwind(panic),
        });
        joined.collect()
    });
    (0..list.len()).filter_map(|k| parts[k % threads].next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::canvas::{Anchor, Canvas, INK, Stroke};

    fn svg(text: &str) -> String {
        let mut canvas = Canvas::new(244.8, 72.0);
        canvas.text(text, (10.0, 20.0), Anchor::Left, INK);
        canvas.bold("bold", (10.0, 40.0), Anchor::Left);
        canvas.line(&[(10.0, 60.0), (200.0, 60.0)], Stroke::solid(INK, 1.0).dashed(&[4.0, 2.0]));
        canvas.finish("A title", "What it shows")
    }

    #[test]
    fn many_figures_come_in_their_order_and_as_each_alone() {
        let texts: Vec<String> = (0..7).map(|k| svg(&format!("figure {k}"))).collect();
        let list: Vec<(&str, &str)> = texts.iter().map(|t| ("title", t.as_str())).collect();
        let made: Vec<Exported> = figures(&list).into_iter().map(Result::unwrap).collect();
        assert_eq!(made.len(), 7);
        for (k, (title, svg)) in list.iter().enumerate() {
            assert_eq!(made[k], figure(title, svg).unwrap());
        }
        assert!(figures(&[]).is_empty());
        assert!(figure("broken", "<svg").is_err());
    }
}
