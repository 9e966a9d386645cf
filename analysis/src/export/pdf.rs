//! One page of the figure's size.

use krilla::Document;
use krilla::geom::Size;
use krilla::metadata::Metadata;
use krilla::page::PageSettings;
use krilla_svg::{SurfaceExt, SvgSettings};

use crate::export::drawing::PX_IN;
use crate::export::{Drawing, ExportError};

/// Points in a CSS pixel.
const PT_PX: f32 = 72.0 / PX_IN;

impl Drawing {
    /// The figure as a PDF document; its identifier is a hash of its contents, and it has no date.
    pub fn pdf(&self, title: &str) -> Result<Vec<u8>, ExportError> {
        let (width, height) = (self.tree.size().width(), self.tree.size().height());
        let size = Size::from_wh(width * PT_PX, height * PT_PX);
        let too_small = ExportError::Size { width: width as u32, height: height as u32 };
        let size = size.ok_or(too_small)?;
        let mut document = Document::new();
        let about = Metadata::new().title(title.to_owned()).language("en".to_owned());
        document.set_metadata(about.creator("amdahl".to_owned()));
        let mut page = document.start_page_with(PageSettings::new(size));
        let mut surface = page.surface();
        surface.draw_svg(&self.tree, size, SvgSettings::default());
        surface.finish();
        page.finish();
        document.finish().map_err(ExportError::Pdf)
    }
}
