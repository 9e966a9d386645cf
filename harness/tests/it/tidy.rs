//! Absences that the architecture promises.

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found
}

#[test]
fn the_measuring_side_links_neither_frames_nor_plots() {
    for package in ["amdahl", "amdahl-worker"] {
        let out = Command::new(env!("CARGO"))
            .args(["tree", "-p", package, "-e", "normal,build", "--prefix", "none", "--offline"])
            .current_dir(root())
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let tree = String::from_utf8_lossy(&out.stdout);
        assert!(tree.contains(package));
        for heavy in ["polars", "plotters"] {
            let found = tree.lines().find(|l| l.starts_with(heavy));
            assert_eq!(found, None, "{package} links it");
        }
    }
}

#[test]
fn the_light_crates_import_nothing_of_ours() {
    for package in ["schema", "stats"] {
        let manifest = std::fs::read_to_string(root().join(package).join("Cargo.toml")).unwrap();
        let dependencies = manifest.split("[dependencies]").nth(1).unwrap();
        assert!(!dependencies.contains("amdahl"), "{package}");
    }
}

#[test]
fn every_room_says_what_lives_in_it_and_fits_its_size() {
    for dir in ["src", "schema/src", "stats/src", "workers/rust/src"] {
        for path in sources(&root().join(dir)) {
            let text = std::fs::read_to_string(&path).unwrap();
            let is_tests = path.file_stem().is_some_and(|s| s == "tests");
            assert!(is_tests || text.starts_with("//!"), "{}: no module doc", path.display());
            let lines = text.lines().count();
            assert!(lines <= 480, "{}: {lines} lines, split it by noun", path.display());
        }
    }
}

#[test]
fn the_run_loop_knows_no_paths_and_prints_nothing() {
    for room in ["src/run.rs", "src/trial/mod.rs", "src/trial/collect.rs", "src/trial/prove.rs"] {
        let text = std::fs::read_to_string(root().join(room)).unwrap();
        for word in ["println!", "eprintln!", "print!"] {
            assert!(!text.contains(word), "{room}: {word}");
        }
    }
}
