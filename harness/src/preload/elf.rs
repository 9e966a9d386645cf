//! What kind of program it is, and so what a library preloaded into it can see: read from its ELF file, never run.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use crate::worker::places;

/// What stands in the way of a preloaded library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hindrance {
    /// It has no dynamic linker, so nothing is loaded into it.
    Static,
    /// Its dynamic linker is musl's: a library made for glibc would keep it from starting.
    Musl,
    /// It is of another architecture.
    OtherMachine,
    /// It gets another user's or group's rights: the dynamic linker loads nothing into it.
    Secure,
}

/// Who wrote the locks of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Go's runtime has locks of its own.
    Go,
    /// So has Rust's standard library.
    Rust,
}

/// What is known of a program.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Program {
    /// Why nothing can be preloaded.
    pub hindrance: Option<Hindrance>,
    /// Language, where the file tells it and it matters.
    pub origin: Option<Origin>,
}

const MACHINE: u64 = if cfg!(target_arch = "aarch64") { 183 } else { 62 };
const PT_INTERP: u64 = 3;

/// Looks at the program that a command starts; of a script, at its interpreter. What can't be read is not known to be hindered.
pub fn program(command: &str) -> Program {
    let path = places::on_path(command);
    let path = interpreter(&path).unwrap_or(path);
    inspect(&path).unwrap_or_default()
}

/// The first word of `#! /usr/bin/env python3`.
fn interpreter(path: &Path) -> Option<PathBuf> {
    let mut line = Vec::new();
    File::open(path).ok()?.take(256).read_to_end(&mut line).ok()?;
    let line = line.strip_prefix(b"#!")?.split(|b| *b == b'\n').next()?;
    let line = String::from_utf8_lossy(line).into_owned();
    Some(line.split_ascii_whitespace().next()?.into())
}

fn inspect(path: &Path) -> Option<Program> {
    let elf = Elf { file: File::open(path).ok()? };
    let ident = elf.bytes(0, 20)?;
    if !ident.starts_with(b"\x7fELF") {
        return None;
    }
    let ours = ident[4] == 2 && ident[5] == 1 && elf.number(18, 2)? == MACHINE;
    if !ours {
        return Some(Program { hindrance: Some(Hindrance::OtherMachine), origin: None });
    }
    let hindrance = match elf.dynamic_linker()? {
        None => Some(Hindrance::Static),
        Some(linker) if linker.contains("ld-musl") => Some(Hindrance::Musl),
        Some(_) => elf.secure().then_some(Hindrance::Secure),
    };
    Some(Program { hindrance, origin: elf.origin() })
}

struct Elf {
    file: File,
}

impl Elf {
    fn bytes(&self, at: u64, len: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; len];
        self.file.read_exact_at(&mut bytes, at).ok()?;
        Some(bytes)
    }

    /// Little-endian, `len` bytes.
    fn number(&self, at: u64, len: usize) -> Option<u64> {
        Some(self.bytes(at, len)?.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b)))
    }

    /// Offsets of the headers of a table: where it begins, how long a header is, how many there are.
    fn headers(&self, at: u64, sizes_at: u64) -> Option<impl Iterator<Item = u64> + use<>> {
        let (begin, len) = (self.number(at, 8)?, self.number(sizes_at, 2)?);
        let n = self.number(sizes_at + 2, 2)?;
        Some((0..n).map_while(move |k| begin.checked_add(k * len)))
    }

    /// The path in PT_INTERP; the outer is absent where the file is cut off.
    fn dynamic_linker(&self) -> Option<Option<String>> {
        for header in self.headers(32, 54)? {
            if self.number(header, 4)? == PT_INTERP {
                let (at, len) = (self.number(header + 8, 8)?, self.number(header + 32, 8)?);
                let path = self.bytes(at, len.min(4096) as usize)?;
                return Some(Some(String::from_utf8_lossy(&path).into_owned()));
            }
        }
        Some(None)
    }

    /// Set-user-id or set-group-id, of somebody that we are not.
    fn secure(&self) -> bool {
        let Ok(file) = self.file.metadata() else { return false };
        let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
        (file.mode() & 0o4000 != 0 && file.uid() != uid.as_raw())
            || (file.mode() & 0o2010 == 0o2010 && file.gid() != gid.as_raw())
    }

    /// By a section that its compiler leaves behind.
    fn origin(&self) -> Option<Origin> {
        let names = self.number(62, 2)?;
        let names = self.headers(40, 58)?.nth(names as usize)?;
        let names = self.number(names + 24, 8)?;
        for header in self.headers(40, 58)? {
            let name = names.checked_add(self.number(header, 4)?)?;
            let (at, len) = (self.number(header + 24, 8)?, self.number(header + 32, 8)?);
            match self.bytes(name, 9).as_deref() {
                Some(b".go.build") => return Some(Origin::Go),
                Some(b".comment\0") => {
                    let comment = self.bytes(at, len.min(4096) as usize)?;
                    let said = String::from_utf8_lossy(&comment).contains("rustc version");
                    return said.then_some(Origin::Rust);
                }
                _ => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inspected(bytes: &[u8]) -> Option<Program> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("program");
        std::fs::write(&path, bytes).unwrap();
        inspect(&path)
    }

    #[test]
    fn this_test_is_a_dynamic_program_of_rust() {
        let exe = std::env::current_exe().unwrap();
        assert_eq!(inspect(&exe).unwrap(), Program { hindrance: None, origin: Some(Origin::Rust) });
    }

    #[test]
    fn what_is_no_program_of_this_machine_is_told_or_left_alone() {
        assert_eq!((inspected(b""), inspected(b"text that is no program")), (None, None));
        let exe = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let mut other = exe[..4096].to_vec();
        other[18..20].copy_from_slice(&[243, 0]);
        assert_eq!(inspected(&other).unwrap().hindrance, Some(Hindrance::OtherMachine));
        // Cut off anywhere, with headers that lie anywhere.
        for len in [0, 4, 19, 20, 63, 64, 100, 500] {
            let _ = inspected(&exe[..len]);
        }
        let mut wild = exe[..4096].to_vec();
        wild[32..48].fill(0xff);
        assert_eq!(inspected(&wild).and_then(|p| p.hindrance), None);
    }

    #[test]
    fn of_a_script_the_interpreter_counts() {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("script");
        std::fs::write(&script, "#! /bin/sh -e\nexit 0\n").unwrap();
        assert_eq!(interpreter(&script).unwrap(), Path::new("/bin/sh"));
    }
}
