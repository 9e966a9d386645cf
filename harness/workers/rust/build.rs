//! Tells the worker what built it and what it is made of: those versions are its receipt in `hello`.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().ok();
    let version = version.and_then(|out| String::from_utf8(out.stdout).ok());
    // "rustc 1.95.0 (59807616e 2026-04-14)"
    let number = version.as_deref().and_then(|v| v.split_whitespace().nth(1)).unwrap_or("unknown");
    println!("cargo::rustc-env=AMDAHL_RUSTC_VERSION={number}");
    let target = env::var("TARGET").unwrap_or_default();
    println!("cargo::rustc-env=AMDAHL_TARGET={target}");
    let opt = env::var("OPT_LEVEL").unwrap_or_default();
    println!("cargo::rustc-env=AMDAHL_OPT_LEVEL={opt}");
    let Some(lock) = lock_file() else { return };
    println!("cargo::rerun-if-changed={}", lock.display());
    let text = std::fs::read_to_string(lock).unwrap_or_default();
    for (package, name) in [("rayon", "AMDAHL_RAYON_VERSION"), ("tokio", "AMDAHL_TOKIO_VERSION")] {
        if let Some(version) = locked(&text, package) {
            println!("cargo::rustc-env={name}={version}");
        }
    }
}

/// The Cargo.lock that this build goes by: of the package, or of a workspace around it.
fn lock_file() -> Option<PathBuf> {
    let package = env::var_os("CARGO_MANIFEST_DIR")?;
    Path::new(&package).ancestors().map(|dir| dir.join("Cargo.lock")).find(|path| path.is_file())
}

/// The version of a package, if the lock has just one of that name.
fn locked<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let head = format!("name = \"{package}\"\nversion = \"");
    let mut found = lock.split(head.as_str()).skip(1).filter_map(|rest| rest.split('"').next());
    found.next().filter(|_| found.next().is_none())
}
