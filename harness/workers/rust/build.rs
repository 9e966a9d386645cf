//! Tells the worker which compiler built it: that version is part of its receipt in `hello`.

use std::env;
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
}
