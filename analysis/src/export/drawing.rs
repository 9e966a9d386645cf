//! An SVG document laid out with the bundled font.

use std::sync::{Arc, LazyLock};

use resvg::usvg::{self, FontResolver, Options, Tree, fontdb};

use crate::export::ExportError;

/// `analysis/fonts/README.md` says where they come from.
const FONTS: [&[u8]; 2] = [
    include_bytes!("../../fonts/AmdahlSans-Regular.ttf"),
    include_bytes!("../../fonts/AmdahlSans-Bold.ttf"),
];

/// The name that the fonts have inside.
const FAMILY: &str = "Amdahl Sans";

/// CSS pixels in an inch, in which the tree counts.
pub(super) const PX_IN: f32 = 96.0;

static DATABASE: LazyLock<Arc<fontdb::Database>> = LazyLock::new(|| {
    let mut fonts = fontdb::Database::new();
    for font in FONTS {
        fonts.load_font_data(font.to_vec());
    }
    // Families asked for by name are not there, so all text ends up here.
    fonts.set_sans_serif_family(FAMILY);
    fonts.set_serif_family(FAMILY);
    Arc::new(fonts)
});

/// A figure with every shape and every letter in its place.
pub struct Drawing {
    pub(super) tree: Tree,
}

impl Drawing {
    /// Reads and lays out a document.
    pub fn parse(svg: &str) -> Result<Self, ExportError> {
        let options = Options {
            fontdb: Arc::clone(&DATABASE),
            font_family: FAMILY.to_owned(),
            font_resolver: FontResolver {
                select_font: FontResolver::default_font_selector(),
                // Both fonts have the same letters, so one that lacks in one lacks in the other.
                select_fallback: Box::new(|_, _, _| None),
            },
            ..Options::default()
        };
        Ok(Self { tree: usvg::Tree::from_str(svg, &options)? })
    }

    /// Width, inches.
    pub fn width_in(&self) -> f32 {
        self.tree.size().width() / PX_IN
    }

    /// Height, inches.
    pub fn height_in(&self) -> f32 {
        self.tree.size().height() / PX_IN
    }
}
