//! The library that `amdahl trace --preload` loads into programs: unpacked and compiled once, kept as workers are.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::ask::output_within;
use super::cache::{self, Cache, Refused};
use super::{places, sources};
use crate::Unable;

const NAME: &str = "preload";
const FILE: &str = "libamdahl-preload.so";
const LIMIT: Duration = Duration::from_secs(60);

/// `-z now`: nothing of it is looked up while a lock is held. `-fexceptions`: a cancelled thread unwinds through it.
const FLAGS: [&str; 10] = [
    "-std=gnu11",
    "-D_GNU_SOURCE",
    "-O2",
    "-shared",
    "-fPIC",
    "-fvisibility=hidden",
    "-fexceptions",
    "-pthread",
    "-Wl,-z,now",
    "-ldl",
];

const REMEDY: &str = "install a C compiler, for example: apt-get install gcc libc6-dev";

enum Failed {
    ToPlace(Refused),
    ToBuild(Unable),
}

impl From<Refused> for Failed {
    fn from(why: Refused) -> Self {
        Self::ToPlace(why)
    }
}

/// The built library, with hold times or without: then it has no unlock, and the program calls the real one.
pub fn preload(hold: bool) -> Result<PathBuf, Unable> {
    build(Path::new("cc"), hold, &cache::all())
}

fn build(cc: &Path, hold: bool, caches: &[Cache]) -> Result<PathBuf, Unable> {
    let mut refused = Vec::new();
    for cache in caches {
        match build_in(cc, hold, cache) {
            Ok(library) => return Ok(library),
            Err(Failed::ToBuild(why)) => return Err(why),
            Err(Failed::ToPlace(why)) => refused.push(why.to_string()),
        }
    }
    Err(Unable(format!(
        "--preload: its library can't be unpacked: {}; set XDG_CACHE_HOME or TMPDIR to a directory you can write",
        refused.join("; ")
    )))
}

fn build_in(cc: &Path, hold: bool, cache: &Cache) -> Result<PathBuf, Failed> {
    let compiler = places::on_path(&cc.to_string_lossy());
    // Machines may share a home, and compilers be exchanged.
    let version = ask(&compiler, &["-dumpfullversion", "-dumpversion"])?;
    let machine = ask(&compiler, &["-dumpmachine"])?;
    let files = sources::files(NAME);
    let src = cache.unpack(NAME, files)?;
    let folder = src.display().to_string();
    let hold = if hold { "-DHOLD" } else { "-UHOLD" };
    let key = cache::key(FLAGS.into_iter().chain([hold, &version, &machine, &folder]));
    if let Some(dir) = cache.built(NAME, &key) {
        return Ok(dir.join(FILE));
    }
    let fresh = cache.fresh()?;
    let mut command = Command::new(&compiler);
    command.current_dir(&src).arg(hold).arg("-o").arg(fresh.path().join(FILE));
    command.args(files.iter().map(|(name, _)| *name).filter(|name| name.ends_with(".c")));
    // Libraries after what needs them.
    command.args(FLAGS);
    output_within(&mut command, LIMIT).map_err(|e| {
        let cc = compiler.display();
        Failed::ToBuild(Unable(format!(
            "--preload: its library can't be compiled: {cc}: {e}; mend what it says, or {REMEDY}"
        )))
    })?;
    Ok(cache.keep(fresh, NAME, &key)?.join(FILE))
}

/// What the compiler says of itself.
fn ask(compiler: &Path, arguments: &[&str]) -> Result<String, Failed> {
    let said = output_within(Command::new(compiler).args(arguments), LIMIT);
    said.map(|s| s.trim().to_owned()).map_err(|e| {
        let missing = !compiler.is_file();
        let why = if missing { io::Error::from(io::ErrorKind::NotFound).to_string() } else { e };
        Failed::ToBuild(Unable(format!(
            "--preload: its library needs a C compiler: {}: {why}; {REMEDY}",
            compiler.display()
        )))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_built_once_for_each_kind_and_without_warnings() {
        if !places::on_path("cc").is_file() {
            return println!("skipped: no cc");
        }
        let dir = tempfile::tempdir().unwrap();
        let caches = [Cache { root: dir.path().join("cache") }];
        let counts = build(Path::new("cc"), false, &caches).unwrap();
        let holds = build(Path::new("cc"), true, &caches).unwrap();
        assert!(counts.is_file() && holds.is_file() && counts != holds);
        let made = std::fs::metadata(&counts).unwrap().modified().unwrap();
        assert_eq!(build(Path::new("cc"), false, &caches).unwrap(), counts);
        assert_eq!(std::fs::metadata(&counts).unwrap().modified().unwrap(), made);
        for hold in ["-DHOLD", "-UHOLD"] {
            let strict = Command::new("cc")
                .args(["-Wall", "-Wextra", "-Werror", "-fsyntax-only", hold])
                .args(&FLAGS[..3])
                .args(
                    sources::files(NAME)
                        .iter()
                        .map(|(name, _)| *name)
                        .filter(|n| n.ends_with(".c")),
                )
                .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/workers/preload"))
                .output()
                .unwrap();
            assert!(strict.status.success(), "{}", String::from_utf8_lossy(&strict.stderr));
        }
    }

    #[test]
    fn without_a_compiler_the_remedy_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let caches = [Cache { root: dir.path().join("cache") }];
        let why = build(Path::new("no-such-cc"), false, &caches).unwrap_err().to_string();
        assert!(why.contains("no-such-cc") && why.contains("apt-get install"), "{why}");
    }
}
