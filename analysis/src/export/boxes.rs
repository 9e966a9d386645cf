//! Where everything of a figure lies, for whoever checks that nothing covers another.

use resvg::usvg::tiny_skia_path::{Point, Rect, Transform};
use resvg::usvg::{Group, Node, Text};

use crate::export::Drawing;
use crate::export::drawing::PX_IN;

/// A rectangle on the figure, points; `y` grows downwards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frame {
    /// Left edge.
    pub left: f64,
    /// Upper edge.
    pub top: f64,
    /// Right edge.
    pub right: f64,
    /// Lower edge.
    pub bottom: f64,
}

impl Frame {
    /// By how much two overlap in width and in height; not positive where they are apart.
    pub fn overlap(&self, other: &Self) -> (f64, f64) {
        let w = self.right.min(other.right) - self.left.max(other.left);
        let h = self.bottom.min(other.bottom) - self.top.max(other.top);
        (w, h)
    }
}

/// A line of text and the ink of its letters.
#[derive(Debug, Clone, PartialEq)]
pub struct TextBox {
    /// What it says.
    pub text: String,
    /// Around its letters, without the room that a line has.
    pub frame: Frame,
    /// Letters that the bundled fonts lack, shown as empty boxes.
    pub lacking: String,
}

impl Drawing {
    /// Every text, in the order drawn.
    pub fn texts(&self) -> Vec<TextBox> {
        let mut found = Vec::new();
        walk(self.tree.root(), &mut |node| {
            if let Node::Text(text) = node {
                found.push(text_box(text));
            }
        });
        found
    }

    /// Around everything else, with the width of its lines, in the order drawn.
    pub fn shapes(&self) -> Vec<Frame> {
        let mut found = Vec::new();
        walk(self.tree.root(), &mut |node| {
            if let Node::Path(path) = node {
                found.push(frame(path.abs_stroke_bounding_box(), Transform::identity()));
            }
        });
        found
    }
}

fn walk(group: &Group, visit: &mut impl FnMut(&Node)) {
    for node in group.children() {
        match node {
            Node::Group(inner) => walk(inner, visit),
            other => visit(other),
        }
    }
}

fn text_box(text: &Text) -> TextBox {
    let glyphs = || text.layouted().iter().flat_map(|span| &span.positioned_glyphs);
    TextBox {
        text: text.chunks().iter().map(|c| c.text()).collect(),
        frame: frame(text.flattened().stroke_bounding_box(), text.abs_transform()),
        lacking: glyphs().filter(|g| g.id.0 == 0).map(|g| g.text.as_str()).collect(),
    }
}

fn frame(inner: Rect, transform: Transform) -> Frame {
    let mut corners = [
        Point::from_xy(inner.left(), inner.top()),
        Point::from_xy(inner.right(), inner.top()),
        Point::from_xy(inner.right(), inner.bottom()),
        Point::from_xy(inner.left(), inner.bottom()),
    ];
    transform.map_points(&mut corners);
    let pt = |px: f32| f64::from(px * 72.0 / PX_IN);
    let fold = |of: fn(&Point) -> f32, pick: fn(f32, f32) -> f32| {
        pt(corners.iter().map(of).reduce(pick).unwrap_or_default())
    };
    Frame {
        left: fold(|p| p.x, f32::min),
        top: fold(|p| p.y, f32::min),
        right: fold(|p| p.x, f32::max),
        bottom: fold(|p| p.y, f32::max),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::canvas::{Anchor, Canvas, INK};

    #[test]
    fn texts_lie_where_they_are_drawn_and_say_what_their_font_lacks() {
        let mut canvas = Canvas::new(144.0, 144.0);
        canvas.text("HHH", (20.0, 50.0), Anchor::Left, INK);
        canvas.upward("HHH", (100.0, 100.0));
        canvas.text("10⁻⁰ µs ≤ α → 漢", (20.0, 20.0), Anchor::Left, INK);
        canvas.disc((72.0, 72.0), 5.0, INK, 1.0);
        let drawing = Drawing::parse(&canvas.finish("t", "d")).unwrap();
        let texts = drawing.texts();
        let (flat, upright) = (&texts[0].frame, &texts[1].frame);
        // An H of the font is 0.72 em wide and high.
        assert!((flat.left - 20.6).abs() < 0.5 && (flat.right - 36.7).abs() < 0.7, "{flat:?}");
        assert!((flat.bottom - flat.top - 5.73).abs() < 0.3, "{flat:?}");
        assert!((upright.right - upright.left - 5.73).abs() < 0.3, "{upright:?}");
        assert!((upright.bottom - upright.top - 16.0).abs() < 0.7, "{upright:?}");
        assert!((upright.top + upright.bottom - 200.0).abs() < 1.0, "{upright:?}");
        let lacking: Vec<&str> = texts.iter().map(|t| t.lacking.as_str()).collect();
        assert_eq!(lacking, ["", "", "漢"]);
        let disc = drawing.shapes().pop().unwrap();
        assert!((disc.left - 67.0).abs() < 0.1 && (disc.bottom - 77.0).abs() < 0.1, "{disc:?}");
        assert_eq!(flat.overlap(upright).0.signum(), -1.0);
    }
}
