//! A drawing surface in points over the SVG backend of plotters.
//!
//! The backend takes integers, so everything is drawn at ten times its size and the viewBox scales
//! it back; it knows no dashes, so `slim` adds them to what it wrote; and it clamps instead of clipping, so callers
//! clip. Knows nothing of axes or models.

use plotters::prelude::{DrawingBackend, RGBAColor, RGBColor, SVGBackend, ShapeStyle};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontTransform, IntoFont, TextStyle};

use crate::plot::slim::slim;
use crate::plot::text::{FAMILY, SIZE_PT};
use crate::plot::thin::simplified;

/// Drawing units in a point.
const UNITS: f64 = 10.0;

/// A line that is off by less looks the same in print, points.
const INVISIBLE: f64 = 0.08;

/// The SVG backend divides a font's size by this before it writes it.
const BACKEND_FONT_RATIO: f64 = 1.24;

/// Red, green, blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rgb(pub u8, pub u8, pub u8);

impl Rgb {
    /// Relative luminance from 0 to 1, for the choice between dark and light text on it.
    pub fn luminance(self) -> f64 {
        (0.2126 * f64::from(self.0) + 0.7152 * f64::from(self.1) + 0.0722 * f64::from(self.2))
            / 255.0
    }
}

/// Text and axes.
pub const INK: Rgb = Rgb(0x22, 0x22, 0x22);
/// Secondary lines: ideal, ceiling.
pub const GREY: Rgb = Rgb(0x77, 0x77, 0x77);
/// Grid lines.
pub const FAINT: Rgb = Rgb(0xe2, 0xe2, 0xe2);
/// Background.
pub const PAPER: Rgb = Rgb(0xff, 0xff, 0xff);

/// On and off lengths of a dashed line, points; empty is solid.
pub type Dash = &'static [f64];

/// How a line is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Stroke {
    /// Colour.
    pub color: Rgb,
    /// Width, points.
    pub width: f64,
    /// Opacity from 0 to 1.
    pub alpha: f64,
    /// Dashes.
    pub dash: Dash,
}

impl Stroke {
    /// A solid opaque line.
    pub fn solid(color: Rgb, width: f64) -> Self {
        Self { color, width, alpha: 1.0, dash: &[] }
    }

    /// The same, dashed.
    pub fn dashed(self, dash: Dash) -> Self {
        Self { dash, ..self }
    }

    /// The same, translucent.
    pub fn alpha(self, alpha: f64) -> Self {
        Self { alpha, ..self }
    }
}

/// Which point of a text lies at its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// Left end, vertically centred.
    Left,
    /// Middle, vertically centred.
    Middle,
    /// Right end, vertically centred.
    Right,
}

/// The surface; origin at the top left, points.
pub struct Canvas {
    width: f64,
    height: f64,
    ops: Vec<Op>,
}

enum Op {
    Path { points: Vec<(i32, i32)>, style: ShapeStyle, dash: Dash },
    Rect { from: (i32, i32), to: (i32, i32), style: ShapeStyle },
    Polygon { points: Vec<(i32, i32)>, style: ShapeStyle },
    Circle { at: (i32, i32), radius: u32, style: ShapeStyle },
    Text { text: String, at: (i32, i32), anchor: Anchor, color: Rgb, bold: bool, upward: bool },
}

impl Canvas {
    /// An empty surface with a white ground, so that figures read on dark pages too.
    pub fn new(width: f64, height: f64) -> Self {
        let mut canvas = Self { width, height, ops: Vec::new() };
        canvas.rect((0.0, 0.0), (width, height), PAPER, 1.0);
        canvas
    }

    /// A polyline.
    pub fn line(&mut self, points: &[(f64, f64)], stroke: Stroke) {
        let points: Vec<(i32, i32)> =
            simplified(points, INVISIBLE).into_iter().map(units).collect();
        if points.len() > 1 {
            let style = shape(stroke.color, stroke.alpha, stroke.width);
            self.ops.push(Op::Path { points, style, dash: stroke.dash });
        }
    }

    /// A filled rectangle.
    pub fn rect(&mut self, from: (f64, f64), to: (f64, f64), color: Rgb, alpha: f64) {
        let style = shape(color, alpha, 0.0).filled();
        self.ops.push(Op::Rect { from: units(from), to: units(to), style });
    }

    /// The outline of a rectangle.
    pub fn frame(&mut self, from: (f64, f64), to: (f64, f64), stroke: Stroke) {
        let corners = [from, (to.0, from.1), to, (from.0, to.1), from];
        self.line(&corners, stroke);
    }

    /// A filled polygon.
    pub fn polygon(&mut self, points: &[(f64, f64)], color: Rgb, alpha: f64) {
        let points = points.iter().copied().map(units).collect();
        self.ops.push(Op::Polygon { points, style: shape(color, alpha, 0.0).filled() });
    }

    /// A filled disc.
    pub fn disc(&mut self, at: (f64, f64), radius: f64, color: Rgb, alpha: f64) {
        let style = shape(color, alpha, 0.0).filled();
        let radius = (radius * UNITS).round() as u32;
        self.ops.push(Op::Circle { at: units(at), radius, style });
    }

    /// A line of text; an empty one leaves nothing behind.
    pub fn text(&mut self, text: &str, at: (f64, f64), anchor: Anchor, color: Rgb) {
        if !text.is_empty() {
            self.push_text(text, at, anchor, color, false, false);
        }
    }

    /// A line of bold text.
    pub fn bold(&mut self, text: &str, at: (f64, f64), anchor: Anchor) {
        self.push_text(text, at, anchor, INK, true, false);
    }

    /// A line of text that reads upwards, centred at its position.
    pub fn upward(&mut self, text: &str, at: (f64, f64)) {
        self.push_text(text, at, Anchor::Middle, INK, false, true);
    }

    /// The document, with what a screen reader says.
    pub fn finish(self, title: &str, description: &str) -> String {
        let size = (units((self.width, self.height)).0, units((self.width, self.height)).1);
        let mut svg = String::new();
        {
            let mut backend = SVGBackend::with_string(&mut svg, (size.0 as u32, size.1 as u32));
            for op in &self.ops {
                // Writing into a string can't fail, and no font is asked for.
                assert!(op.draw(&mut backend), "the SVG backend writes into memory");
            }
            backend.present().expect("the SVG backend writes into memory");
        }
        let body = svg.split_once('>').map_or(svg.as_str(), |(_, body)| body);
        let body = slim(body, self.ops.iter().filter(|op| op.shows()).map(Op::dash), UNITS);
        with_head(&body, self.width, self.height, title, description)
    }

    fn push_text(
        &mut self,
        text: &str,
        at: (f64, f64),
        anchor: Anchor,
        color: Rgb,
        bold: bool,
        upward: bool,
    ) {
        let text = text.to_owned();
        self.ops.push(Op::Text { text, at: units(at), anchor, color, bold, upward });
    }
}

impl Op {
    /// The backend writes nothing where there is nothing to see.
    fn shows(&self) -> bool {
        match self {
            Self::Path { style, .. }
            | Self::Rect { style, .. }
            | Self::Polygon { style, .. }
            | Self::Circle { style, .. } => style.color.alpha() > 0.0,
            Self::Text { .. } => true,
        }
    }

    fn dash(&self) -> Dash {
        match self {
            Self::Path { dash, .. } => dash,
            _ => &[],
        }
    }

    fn draw(&self, backend: &mut SVGBackend<'_>) -> bool {
        let drawn = match self {
            Self::Path { points, style, .. } => backend.draw_path(points.iter().copied(), style),
            Self::Rect { from, to, style } => backend.draw_rect(*from, *to, style, true),
            Self::Polygon { points, style } => backend.fill_polygon(points.iter().copied(), style),
            Self::Circle { at, radius, style } => backend.draw_circle(*at, *radius, style, true),
            Self::Text { text, at, anchor, color, bold, upward } => {
                backend.draw_text(text, &text_style(*anchor, *color, *bold, *upward), *at)
            }
        };
        drawn.is_ok()
    }
}

fn text_style(anchor: Anchor, color: Rgb, bold: bool, upward: bool) -> TextStyle<'static> {
    let size = SIZE_PT * UNITS * BACKEND_FONT_RATIO;
    let mut font = (FAMILY, size).into_font();
    if bold {
        font = font.style(plotters::style::FontStyle::Bold);
    }
    if upward {
        font = font.transform(FontTransform::Rotate270);
    }
    let h = match anchor {
        Anchor::Left => HPos::Left,
        Anchor::Middle => HPos::Center,
        Anchor::Right => HPos::Right,
    };
    let mut style = TextStyle::from(font).pos(Pos::new(h, VPos::Center));
    style.color = rgba(color, 1.0).to_backend_color();
    style
}

fn shape(color: Rgb, alpha: f64, width: f64) -> ShapeStyle {
    ShapeStyle {
        color: rgba(color, alpha),
        filled: false,
        stroke_width: (width * UNITS).round().max(1.0) as u32,
    }
}

fn rgba(color: Rgb, alpha: f64) -> RGBAColor {
    RGBColor(color.0, color.1, color.2).mix(alpha)
}

fn units(p: (f64, f64)) -> (i32, i32) {
    ((p.0 * UNITS).round() as i32, (p.1 * UNITS).round() as i32)
}

/// Puts the body under our opening tag: real size, scaled coordinates, the font, a title and a description.
fn with_head(body: &str, width: f64, height: f64, title: &str, description: &str) -> String {
    format!(
        "<svg width=\"{:.2}in\" height=\"{:.2}in\" viewBox=\"0 0 {} {}\" role=\"img\" \
         aria-labelledby=\"title desc\" xmlns=\"http://www.w3.org/2000/svg\" \
         stroke-linecap=\"butt\" stroke-linejoin=\"round\" fill=\"none\" \
         font-family=\"{FAMILY}\">\n\
         <title id=\"title\">{}</title>\n<desc id=\"desc\">{}</desc>{}",
        width / 72.0,
        height / 72.0,
        (width * UNITS).round(),
        (height * UNITS).round(),
        escape(title),
        escape(description),
        body
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_has_size_title_and_text_as_text() {
        let mut canvas = Canvas::new(72.0, 36.0);
        canvas.text("a<b", (10.0, 10.0), Anchor::Left, INK);
        let svg = canvas.finish("Title & more", "What it shows");
        assert!(svg.starts_with("<svg width=\"1.00in\" height=\"0.50in\" viewBox=\"0 0 720 360\""));
        assert!(svg.contains("<title id=\"title\">Title &amp; more</title>"));
        assert!(svg.contains("a&lt;b\n</text>"), "{svg}");
        assert!(svg.contains("font-size=\"80\""), "{svg}");
    }

    #[test]
    fn a_dash_belongs_to_its_line_alone() {
        let mut canvas = Canvas::new(72.0, 36.0);
        let line = [(1.0, 1.0), (9.0, 1.0)];
        canvas.line(&line, Stroke::solid(INK, 1.0));
        canvas.line(&line, Stroke::solid(INK, 1.0).alpha(0.0).dashed(&[9.0, 9.0]));
        canvas.text("<stroke opacity=\"1\">", (10.0, 10.0), Anchor::Left, INK);
        canvas.line(&line, Stroke::solid(INK, 1.0).dashed(&[1.2, 1.6]));
        let svg = canvas.finish("t", "d");
        let lines: Vec<&str> = svg.lines().filter(|l| l.starts_with("<polyline")).collect();
        assert_eq!(lines.len(), 2, "{svg}");
        assert!(!lines[0].contains("dash") && lines[1].contains(" stroke-dasharray=\"12 16\""));
        assert!(svg.contains("\n&lt;stroke opacity=&quot;1&quot;&gt;\n"), "{svg}");
    }
}
