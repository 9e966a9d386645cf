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
        for heavy in ["polars", "plotters", "krilla", "resvg"] {
            let found = tree.lines().find(|l| l.starts_with(heavy));
            assert_eq!(found, None, "{package} links it");
        }
    }
}

/// Where the page's figures were counted; other targets link a few others.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[test]
fn the_page_counts_the_packages_of_the_measuring_program() {
    let out = Command::new(env!("CARGO"))
        .args(["tree", "-p", "amdahl", "-e", "normal,build", "--prefix", "none", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    let tree = String::from_utf8_lossy(&out.stdout);
    let packages: std::collections::BTreeSet<&str> =
        tree.lines().map(|l| l.trim_end_matches(" (*)")).filter(|l| !l.is_empty()).collect();
    let page = std::fs::read_to_string(root().join("../ARCHITECTURE.md")).unwrap();
    let n = packages.len();
    assert!(page.contains(&format!("[{n} packages]")), "ARCHITECTURE.md: {n} packages");
    assert!(page.contains(&format!("{n} in that of `amdahl`")), "ARCHITECTURE.md: {n} packages");
}

/// Names of our crates among a manifest's dependencies; those for tests are left out.
fn ours(manifest: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(manifest).unwrap();
    let section = text.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    let names = section.lines().filter_map(|l| l.split(['.', ' ', '=']).next());
    names.filter(|n| n.starts_with("amdahl")).map(str::to_owned).collect()
}

#[test]
fn arrows_between_our_crates_end_at_the_light_ones() {
    let light = ["amdahl-bundle", "amdahl-gate", "amdahl-readers", "amdahl-schema", "amdahl-stats"];
    let measuring = [
        "amdahl-bundle",
        "amdahl-gate",
        "amdahl-readers",
        "amdahl-schema",
        "amdahl-stats",
        "amdahl-worker",
    ];
    for (package, allowed) in [
        (".", &measuring[..]),
        ("../analysis", &light[..]),
        ("bundle", &["amdahl-schema"]),
        ("gate", &["amdahl-stats"]),
        ("readers", &[]),
        ("schema", &[]),
        ("stats", &[]),
        ("workers/rust", &[]),
    ] {
        assert_eq!(ours(&root().join(package).join("Cargo.toml")), allowed, "{package}");
    }
}

/// The rooms of the measuring program; each imports only from those before it.
const ROOMS: [&str; 21] = [
    "stop",
    "procfs",
    "topology",
    "host",
    "counters",
    "gates",
    "speed",
    "state",
    "worker",
    "plan",
    "trial",
    "record",
    "run",
    "answer",
    "reproduce",
    "conform",
    "trace",
    "preload",
    "ab",
    "cli",
    "cmd",
];

#[test]
fn rooms_import_one_way() {
    let src = root().join("src");
    let place = |room: &str| ROOMS.iter().position(|r| *r == room);
    for path in sources(&src) {
        let inside = path.strip_prefix(&src).unwrap();
        let first = inside.iter().next().unwrap().to_str().unwrap();
        let room = first.trim_end_matches(".rs");
        if ["lib", "main"].contains(&room) {
            continue;
        }
        let own =
            place(room).unwrap_or_else(|| panic!("{room} is a new room: where does it stand?"));
        let text = std::fs::read_to_string(&path).unwrap();
        let word = |rest: &str| -> String {
            rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
        };
        let mut imported: Vec<String> = text.split("crate::").skip(1).map(word).collect();
        for list in text.split("crate::{").skip(1) {
            imported.extend(list.split('}').next().unwrap().split(',').map(|i| word(i.trim())));
        }
        for other in imported.iter().filter_map(|name| place(name)) {
            assert!(
                other <= own,
                "{} imports {}, which comes after it",
                path.display(),
                ROOMS[other]
            );
        }
    }
}

#[test]
fn proc_and_sys_are_read_through_roots_that_fixtures_can_replace() {
    let calls = ["open(", "read_to_string(", "read(", "read_dir(", "from(", "new("];
    for path in sources(&root().join("src")) {
        let text = std::fs::read_to_string(&path).unwrap();
        for call in calls {
            for place in ["\"/proc/", "\"/sys/"] {
                let opened = format!("{call}{place}");
                assert!(!text.contains(&opened), "{}: {opened}", path.display());
            }
        }
    }
}

#[test]
fn every_room_says_what_lives_in_it_and_fits_its_size() {
    for dir in [
        "src",
        "bundle/src",
        "gate/src",
        "readers/src",
        "schema/src",
        "stats/src",
        "workers/rust/src",
    ] {
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
fn workers_files_say_what_lives_in_them_and_stay_short() {
    let says = [("cpp", "/// "), ("node", "'use strict';\n\n/**"), ("python", "\"\"\"")];
    let workers = root().join("workers");
    let table: toml::Table =
        std::fs::read_to_string(workers.join("workers.toml")).unwrap().parse().unwrap();
    for (lang, of) in &table {
        for file in of["files"].as_array().unwrap() {
            let path = workers.join(lang).join(file.as_str().unwrap());
            let text = std::fs::read_to_string(&path).unwrap();
            let lines = text.lines().count();
            assert!(lines < 450, "{}: {lines} lines, split it by noun", path.display());
            if let Some((_, opening)) = says.iter().find(|(l, _)| l == lang) {
                let text = text.trim_start_matches("#!/usr/bin/env python3\n");
                assert!(text.starts_with(opening), "{}: what lives there?", path.display());
            }
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

#[test]
fn planning_and_judging_agree_on_what_waits() {
    use amdahl_stats::{Machine, Missing, judge};
    for workload in ["noop", "cpu", "sleep", "pipe"] {
        let missing = Missing {
            model: "rust/threads".to_owned(),
            workload: workload.to_owned(),
            block: 0,
            workers: 2,
            ceiling: false,
            reason: "budget".to_owned(),
        };
        let judged = judge(&[], &[missing], &Machine { cpus_available: 2, note: None });
        let rows = (judged.parallelism.len(), judged.io_overlap.len());
        let expected = match (amdahl::plan::io_bound(workload), workload) {
            (true, _) => (0, 1),
            (false, "noop") => (0, 0),
            (false, _) => (1, 0),
        };
        assert_eq!(rows, expected, "{workload}");
    }
}

/// Words in backquotes.
fn quoted(text: &str) -> Vec<&str> {
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

/// Top-level rooms of a crate.
fn rooms(src: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(src).unwrap().flatten();
    let names = entries.map(|e| e.file_name().to_string_lossy().trim_end_matches(".rs").to_owned());
    names.filter(|n| n != "lib" && n != "main").collect()
}

#[test]
fn the_architecture_page_is_true() {
    let house = root().join("..");
    let page = std::fs::read_to_string(house.join("ARCHITECTURE.md")).unwrap();
    let words = quoted(&page);
    for src in [
        "harness/src",
        "harness/bundle/src",
        "harness/gate/src",
        "harness/readers/src",
        "harness/schema/src",
        "harness/stats/src",
        "harness/workers/rust/src",
        "analysis/src",
    ] {
        for room in rooms(&house.join(src)) {
            assert!(words.contains(&room.as_str()), "{src}: the page does not name `{room}`");
        }
    }
    let mut code = String::new();
    for dir in ["harness", "analysis"] {
        for path in sources(&house.join(dir)) {
            code.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
    let section = |name: &str| {
        page.split(&format!("## {name}\n")).nth(1).unwrap().split("\n## ").next().unwrap()
    };
    let tests: Vec<&str> =
        quoted(section("Invariants")).into_iter().filter(|w| w.matches('_').count() > 1).collect();
    assert!(tests.len() > 20, "{tests:?}");
    for test in tests {
        assert!(
            code.contains(&format!("fn {test}(")),
            "the page names a test that is not there: {test}"
        );
    }
    for word in words.iter().filter(|w| w.contains('/') && !w.contains([' ', '<', '*', '='])) {
        let there =
            ["", "harness", "harness/src"].iter().any(|at| house.join(at).join(word).exists());
        assert!(
            there || ["example/"].contains(word) || word.starts_with("cmd/"),
            "no such place: {word}"
        );
    }
}
