//! Integration tests of the analysing program, one binary: reports of synthetic runs of known truth.

mod anonymous;
mod baseline;
mod bundle;
mod compare;
mod contention;
mod experiments;
mod figures;
mod fit;
mod golden;
mod history;
mod law_figures;
mod laws;
mod limits;
mod page;
mod pictures;
mod report;
mod tidy;
mod visual;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Every file below a folder, by its path from there.
fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(next) = todo.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path);
            } else {
                let name = path.strip_prefix(dir).unwrap().display().to_string();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}
