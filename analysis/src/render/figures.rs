//! Every figure in its formats: SVG for pages, PDF and a LaTeX snippet for papers, PNG for all else.

use std::collections::BTreeMap;

use crate::export;
use crate::plot::Figure;
use crate::render::{FIGURES_DIR, RenderError, latex};

/// Files of figures by path; each figure comes with its caption in Markdown.
pub(super) fn files(list: &[(&Figure, &str)]) -> Result<BTreeMap<String, Vec<u8>>, RenderError> {
    let drawn: Vec<(&str, &str)> =
        list.iter().map(|(f, _)| (f.title.as_str(), f.svg.as_str())).collect();
    let mut files = BTreeMap::new();
    for ((figure, caption), made) in list.iter().zip(export::figures(&drawn)) {
        let failed = |why| RenderError::Figure { name: figure.name.clone(), why };
        let made = made.map_err(failed)?;
        let snippet = latex::figure(figure, caption, made.size_in);
        let mut put = |ending: &str, bytes: Vec<u8>| {
            files.insert(format!("{FIGURES_DIR}/{}.{ending}", figure.name), bytes);
        };
        put("svg", figure.svg.clone().into_bytes());
        put("pdf", made.pdf);
        put("png", made.png);
        put("tex", snippet.into_bytes());
    }
    Ok(files)
}
