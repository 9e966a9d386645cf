//! The house rules of this crate, as tests: who may import what, module docs, file length.

use std::fs;
use std::path::{Path, PathBuf};

/// Files longer than this have more than one subject.
const LINES_MAX: usize = 400;

fn source_files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for top in ["src", "tests", "benches"] {
        walk(&root.join(top), &mut found);
    }
    found.sort();
    assert!(found.len() > 20, "the walk misses files: {found:?}");
    found
}

fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

fn relative(path: &Path) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/")
}

/// Files outside `allowed` whose code (comments left out) names the crate.
fn users(krate: &str, allowed: &[&str]) -> Vec<String> {
    let names = |text: &str| {
        let code = text.lines().map(|l| l.split("//").next().unwrap_or(l));
        code.flat_map(|l| l.match_indices(krate).map(move |(at, _)| &l[at + krate.len()..]))
            .any(|rest| rest.starts_with("::"))
    };
    source_files()
        .iter()
        .filter(|p| !allowed.iter().any(|a| relative(p).starts_with(a)))
        .filter(|p| names(&fs::read_to_string(p).unwrap()))
        .map(|p| relative(p))
        .collect()
}

#[test]
fn polars_stops_in_summarise() {
    // Nowhere else in these rooms either: all the rest works on plain rows. An archive is Parquet, which is polars' to read and write.
    let allowed = ["src/archive/parquet.rs", "src/load.rs", "src/summarise/rows.rs"];
    assert_eq!(users("polars", &[]), allowed.map(str::to_owned));
}

#[test]
fn plotters_stops_in_the_canvas() {
    assert_eq!(users("plotters", &["src/plot/canvas.rs"]), Vec::<String>::new());
}

#[test]
fn converters_of_figures_stop_in_export() {
    for krate in ["krilla", "krilla_svg", "resvg", "usvg", "tiny_skia", "png"] {
        assert_eq!(users(krate, &["src/export/"]), Vec::<String>::new(), "{krate}");
    }
}

#[test]
fn rooms_import_one_way() {
    let later: [(&str, &[&str]); 14] = [
        (
            "src/compare",
            &[
                "archive",
                "load",
                "summarise",
                "summary",
                "plot",
                "export",
                "render",
                "place",
                "cmd",
            ],
        ),
        (
            "src/anonymise",
            &["load", "summarise", "summary", "plot", "export", "render", "place", "bundle", "cmd"],
        ),
        ("src/bundle.rs", &["summarise", "summary", "plot", "export", "cmd"]),
        (
            "src/archive",
            &["load", "summarise", "summary", "plot", "export", "render", "place", "bundle", "cmd"],
        ),
        (
            "src/history",
            &[
                "archive",
                "load",
                "summarise",
                "summary",
                "plot",
                "export",
                "render",
                "place",
                "cmd",
            ],
        ),
        (
            "src/table.rs",
            &["laws", "history", "archive", "load", "summarise", "plot", "export", "render", "cmd"],
        ),
        ("src/laws", &["load", "summarise", "summary", "plot", "export", "render", "place", "cmd"]),
        ("src/load", &["summarise", "summary", "plot", "export", "render", "place", "cmd"]),
        ("src/summary.rs", &["load", "summarise", "plot", "export", "render", "place", "cmd"]),
        ("src/summarise", &["plot", "export", "render", "place", "cmd"]),
        ("src/plot", &["load", "summarise", "export", "render", "place", "cmd"]),
        ("src/export", &["load", "summarise", "summary", "render", "place", "cmd"]),
        ("src/render", &["load", "summarise", "place", "cmd"]),
        ("src/place.rs", &["load", "summarise", "summary", "plot", "cmd"]),
    ];
    for path in source_files() {
        let name = relative(&path);
        let text = fs::read_to_string(&path).unwrap();
        for (_, rooms) in later.iter().filter(|(room, _)| name.starts_with(room)) {
            for room in *rooms {
                assert!(
                    !text.contains(&format!("crate::{room}::")),
                    "{name} imports crate::{room}, which comes after it"
                );
            }
        }
    }
}

#[test]
fn files_say_what_lives_there_and_stay_short() {
    for path in source_files() {
        let text = fs::read_to_string(&path).unwrap();
        let name = relative(&path);
        assert!(text.starts_with("//! "), "{name} has no module doc");
        let lines = text.lines().count();
        assert!(lines <= LINES_MAX, "{name} has {lines} lines; split it by subject");
    }
}
