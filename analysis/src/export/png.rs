//! The figure as pixels.

use png::{BitDepth, ColorType, DeflateCompression, Encoder, Filter, PixelDimensions, Unit};
use resvg::tiny_skia::{Color, Pixmap, Transform};

use crate::export::drawing::PX_IN;
use crate::export::{Drawing, ExportError};

/// Inches in a metre, which PNG counts in.
const IN_M: f64 = 1.0 / 0.0254;

/// For pictures that a report has by the hundred: two thirds larger than the last level in a fifth of the time.
const FAST: DeflateCompression = DeflateCompression::Level(1);
/// For pictures that are kept.
const SMALL: DeflateCompression = DeflateCompression::Level(9);

/// A picture in shades of grey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grey {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// 0 is black; row by row.
    pub pixels: Vec<u8>,
}

impl Drawing {
    /// The figure as a PNG on white, with its resolution inside.
    pub fn png(&self, dpi: u32) -> Result<Vec<u8>, ExportError> {
        let map = self.pixels(dpi)?;
        // On white nothing is translucent, and some publishers refuse an alpha channel.
        let mut opaque = vec![0; map.data().len() / 4 * 3];
        for (to, from) in opaque.chunks_exact_mut(3).zip(map.data().chunks_exact(4)) {
            to.copy_from_slice(&from[..3]);
        }
        encode((map.width(), map.height()), (ColorType::Rgb, FAST), &opaque, dpi)
    }

    /// The figure in shades of grey, as a printer without colours shows it.
    pub fn grey(&self, dpi: u32) -> Result<Grey, ExportError> {
        let map = self.pixels(dpi)?;
        let luma = |p: &[u8]| {
            let [r, g, b] = [p[0], p[1], p[2]].map(u32::from);
            ((2126 * r + 7152 * g + 722 * b + 5000) / 10_000) as u8
        };
        let pixels = map.data().chunks_exact(4).map(luma).collect();
        Ok(Grey { width: map.width(), height: map.height(), pixels })
    }

    fn pixels(&self, dpi: u32) -> Result<Pixmap, ExportError> {
        let scale = dpi as f32 / PX_IN;
        let size = self.tree.size();
        let pixels = |length: f32| (length * scale - 0.01).ceil() as u32;
        let (width, height) = (pixels(size.width()), pixels(size.height()));
        let mut map = Pixmap::new(width, height).ok_or(ExportError::Size { width, height })?;
        map.fill(Color::WHITE);
        resvg::render(&self.tree, Transform::from_scale(scale, scale), &mut map.as_mut());
        Ok(map)
    }
}

impl Grey {
    /// The picture as a PNG.
    pub fn png(&self, dpi: u32) -> Result<Vec<u8>, ExportError> {
        encode((self.width, self.height), (ColorType::Grayscale, SMALL), &self.pixels, dpi)
    }

    /// A picture that [`Grey::png`] wrote; `None` if it is something else.
    pub fn read(png: &[u8]) -> Option<Self> {
        let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().ok()?;
        let mut pixels = vec![0; reader.output_buffer_size()?];
        let frame = reader.next_frame(&mut pixels).ok()?;
        let grey = frame.color_type == ColorType::Grayscale && frame.bit_depth == BitDepth::Eight;
        grey.then_some(Self { width: frame.width, height: frame.height, pixels })
    }
}

fn encode(
    (width, height): (u32, u32),
    (color, level): (ColorType, DeflateCompression),
    data: &[u8],
    dpi: u32,
) -> Result<Vec<u8>, ExportError> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, width, height);
    encoder.set_color(color);
    encoder.set_depth(BitDepth::Eight);
    let dots = (f64::from(dpi) * IN_M).round() as u32;
    encoder.set_pixel_dims(Some(PixelDimensions { xppu: dots, yppu: dots, unit: Unit::Meter }));
    // Figures are runs of one colour, which deflate finds as they are.
    encoder.set_filter(Filter::NoFilter);
    encoder.set_deflate_compression(level);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(data)?;
    writer.finish()?;
    Ok(file)
}
