//! Runtimes that are broken, too old, slow or lacking something: each is a row with its reason, and stops no other.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Programs that stand first, and alone but for the shell's own, on PATH.
fn programs(dir: &Path, scripts: &[(&str, &str)]) {
    std::fs::create_dir_all(dir).unwrap();
    for (name, body) in scripts {
        let path = dir.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// `amdahl list --json` in a place with these programs and an empty home.
fn listed(scripts: &[(&str, &str)], cache: Option<&str>) -> Vec<Value> {
    let dir = tempfile::tempdir().unwrap();
    let bin = dir.path().join("bin");
    let base = [("sh", "exec /bin/sh \"$@\""), ("sleep", "exec /bin/sleep \"$@\"")];
    programs(&bin, &[&base[..], scripts].concat());
    let kept = dir.path().join("cache").display().to_string();
    let out = Command::new(env!("CARGO_BIN_EXE_amdahl"))
        .args(["list", "--json"])
        .env("PATH", &bin)
        .env("HOME", dir.path())
        .env("XDG_CACHE_HOME", cache.unwrap_or(&kept))
        .env("TMPDIR", cache.unwrap_or(&kept.replace("cache", "bin")))
        .env_remove("PYENV_ROOT")
        .env_remove("JAVA_HOME")
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let json: Value = serde_json::from_slice(&out.stdout).unwrap();
    json["models"].as_array().unwrap().clone()
}

/// The reason of the absent model whose id begins and ends so.
fn reason(models: &[Value], begin: &str, end: &str) -> String {
    let found = models.iter().find(|m| {
        let id = m["model"].as_str().unwrap();
        m["available"] == false && id.starts_with(begin) && id.ends_with(end)
    });
    let ids: Vec<&Value> = models.iter().map(|m| &m["model"]).collect();
    let found = found.unwrap_or_else(|| panic!("no absent {begin}…{end} among {ids:?}"));
    found["why"]["reason"].as_str().unwrap().to_owned()
}

#[test]
fn each_broken_runtime_is_a_row_with_its_reason_and_stops_no_other() {
    let begin = Instant::now();
    let models = listed(
        &[
            ("go", "echo go version go1.17.2 linux/amd64"),
            ("node", "[ \"$1\" = --version ] && sleep 60"),
            ("java", "echo 'Error: dl failure' >&2; exit 1"),
            ("python3.13", "echo 'ImportError: no module named encodings' >&2; exit 1"),
            ("python3", "echo not a python"),
        ],
        None,
    );
    assert!(begin.elapsed() < Duration::from_secs(40), "{:?}", begin.elapsed());
    assert!(reason(&models, "go1.17/", "goroutines").contains("1.18 and newer"));
    assert!(reason(&models, "node(", "/workers").contains("no answer within 5 s"));
    assert!(reason(&models, "java(", "/threads").contains("dl failure"));
    assert!(reason(&models, "python(", "python3.13)/threads").contains("ImportError"));
    assert!(reason(&models, "python(", "python3)/threads").contains("not a runtime of python"));
    assert!(reason(&models, "cpp/", "threads").contains("no runtime of cpp found"));
    assert!(models.iter().any(|m| m["model"] == "rust/threads" && m["available"] == true));
}

#[test]
fn go_may_not_fetch_another_toolchain_and_a_build_that_fails_says_why() {
    let go = "case $1 in version) echo go version go1.30.1 linux/amd64;; \
              *) echo \"worker.go:7: GOTOOLCHAIN is $GOTOOLCHAIN\" >&2; exit 1;; esac";
    let models = listed(&[("go", go)], None);
    let why = reason(&models, "go1.30/", "goroutines");
    assert!(why.contains("can't be built") && why.contains("GOTOOLCHAIN is local"), "{why}");
}

/// Before JDK 18 `javac` reads its sources in the encoding of the user's locale, and C's has no ellipsis.
#[test]
fn a_compiler_that_would_ask_the_locale_is_told_the_encoding() {
    let javac = "case \"$*\" in *'-encoding UTF-8'*) echo 'X.java:7: error: so far so good' >&2;; esac; \
                 echo '1 error' >&2; exit 1";
    let models = listed(&[("java", "echo openjdk 17.0.15"), ("javac", javac)], None);
    let why = reason(&models, "java17/", "threads");
    assert!(why.contains("X.java:7: error: so far so good"), "{why}");
}

#[test]
fn without_a_place_to_write_the_worker_is_an_absence_too() {
    let node = [("node", "echo v99.1.0")];
    let why = reason(&listed(&node, Some("/proc/nowhere")), "node99/", "workers");
    assert!(why.contains("can't be unpacked") && why.contains("/proc/nowhere"), "{why}");
}

#[test]
fn a_runtime_named_by_the_user_must_be_one() {
    let run = |arg: &str| {
        let out = Command::new(env!("CARGO_BIN_EXE_amdahl"))
            .args(["list", "--runtime", arg])
            .output()
            .unwrap();
        (out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned())
    };
    let (code, text) = run("perl=/usr/bin/perl");
    assert!(code == Some(2) && text.contains("cpp, go, java, node, python"), "{text}");
    let (code, text) = run("node=/bin/true");
    assert!(code == Some(2) && text.contains("the worker supports 16.0 and newer"), "{text}");
    let (code, text) = run("go=/bin/false");
    assert!(code == Some(2) && text.contains("exit status: 1"), "{text}");
}
