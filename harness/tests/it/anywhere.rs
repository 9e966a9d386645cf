//! Away from its checkout: an installed program in an empty directory, with a home it can't write to, and no
//! runtimes or compilers but those a test puts there.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// A Node.js that says hello and nothing more.
const NODE: &str = "#!/bin/sh
case $1 in
--version) echo v99.1.0 ;;
*) read -r line; echo 'hello v=1 lang=javascript runtime=99.1.0 workloads=noop,cpu mechanisms=workers except=workers:noop' ;;
esac
";

/// A place without anything of ours in it.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    /// `bin` has nothing on it but `node`; `.cache` in `home` is a file, so nothing can be written there.
    fn new() -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap() };
        for name in ["home", "bin", "tmp", "work"] {
            std::fs::create_dir(place.at(name)).unwrap();
        }
        std::fs::write(place.at("home/.cache"), "").unwrap();
        std::fs::write(place.at("bin/node"), NODE).unwrap();
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(place.at("bin/node"), executable).unwrap();
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn amdahl(&self, program: &Path, args: &[&str]) -> Output {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.at("work")).env_clear();
        command.env("HOME", self.at("home")).env("PATH", self.at("bin"));
        command.env("TMPDIR", self.at("tmp")).output().unwrap()
    }

    fn json(&self, args: &[&str]) -> Value {
        let out = self.amdahl(Path::new(env!("CARGO_BIN_EXE_amdahl")), args);
        assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
        serde_json::from_slice(&out.stdout).unwrap()
    }
}

#[test]
fn in_an_empty_place_it_lists_measures_and_says_what_is_missing() {
    let place = Place::new();
    let models = place.json(&["list", "--json"]);
    let of = |id: &str| models["models"].as_array().unwrap().iter().find(|m| m["model"] == id);
    assert_eq!(of("rust/threads").unwrap()["available"], true);
    let cpp = &of("cpp/threads").unwrap()["why"];
    assert!(cpp["remedy"].as_str().unwrap().contains("install"), "{cpp}");
    // A mechanism lists what can be measured with it, not all its worker offers.
    let node = of("node99/workers").unwrap();
    assert_eq!(node["workloads"], serde_json::json!(["cpu"]));

    // It keeps its workers where it could write, and says where.
    let kept = std::fs::read_dir(place.at("tmp")).unwrap().flatten().map(|e| e.path()).next();
    let caches = serde_json::json!([kept.unwrap().display().to_string()]);
    assert_eq!(place.json(&["doctor", "--json"])["caches"], caches);

    let args = ["--models", "rust/threads", "--workloads", "cpu", "--workers", "1,2"];
    let small = ["--profile", "smoke", "--blocks", "1", "--budget", "5s", "--json"];
    let verdicts = place.json(&[&["run"], &args[..], &small[..]].concat());
    assert_eq!(verdicts["parallelism"][0]["model"], "rust/threads");
    assert!(place.at("work/runs/latest/run.json").is_file());
    assert_eq!(std::fs::read_dir(place.at("home")).unwrap().count(), 1, "home is as it was");
}

/// The binary alone in a directory, as a copy on another machine is.
#[test]
fn without_its_sibling_a_report_says_how_to_install_it() {
    let place = Place::new();
    let alone = place.at("bin/amdahl");
    std::fs::copy(env!("CARGO_BIN_EXE_amdahl"), &alone).unwrap();
    let out = place.amdahl(&alone, &["report", "runs/latest"]);
    let stderr = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("cargo install --path analysis"), "{stderr}");
}

#[test]
fn clean_removes_the_workers_and_they_come_back() {
    let place = Place::new();
    let kept = || {
        let entries = std::fs::read_dir(place.at("tmp")).unwrap().flatten();
        entries.map(|e| e.path().join("workers")).find(|p| p.is_dir())
    };
    let nothing = place.json(&["doctor", "--clean", "--json"]);
    assert_eq!(nothing["removed"], serde_json::json!([]));
    // Finds and makes the workers that are named, and those alone.
    let make = || {
        place.json(&["run", "--models", "node99/*", "--workloads", "cpu", "--dry-run", "--json"])
    };
    make();
    let workers = kept().expect("where the cache can't be written, the temporary directory serves");
    let removed = place.json(&["doctor", "--clean", "--json"])["removed"].clone();
    assert_eq!(removed[0]["path"], workers.display().to_string());
    assert!(removed[0]["bytes"].as_u64().unwrap() > 1000, "{removed}");
    assert_eq!(kept(), None);
    make();
    assert!(kept().is_some());
    // A link is removed, never what it points to.
    let other = place.at("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::rename(&workers, other.join("x")).unwrap();
    symlink(&other, &workers).unwrap();
    place.json(&["doctor", "--clean", "--json"]);
    assert!(other.join("x").is_dir() && kept().is_none());
}

/// A place for workers that any user may write to is refused; with no other place that is the answer of a dry run too.
#[test]
fn a_dry_run_of_nothing_says_why() {
    let place = Place::new();
    let uid = rustix::process::getuid().as_raw();
    let open = place.at("tmp").join(format!("amdahl-{uid}"));
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_amdahl"));
    let out = place.amdahl(program, &["run", "--models", "node99/*", "--dry-run"]);
    let stderr = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("nothing to measure: node99/workers"), "{stderr}");
    assert!(stderr.contains("any user may write there"), "{stderr}");
    assert!(stderr.contains("set XDG_CACHE_HOME or TMPDIR"), "{stderr}");
}
