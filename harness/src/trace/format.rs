//! Where a tracepoint's fields lie: read from tracefs, never assumed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use amdahl_schema::Absence;

use crate::procfs::{Roots, read_trimmed};
use crate::state::tracefs_dir;

/// A tracepoint as the kernel describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    /// Its number.
    pub id: u64,
    /// Offset and size of its fields.
    pub fields: BTreeMap<String, (usize, usize)>,
}

impl Format {
    /// `None` where the text is not a format.
    pub fn parse(text: &str) -> Option<Self> {
        let id = text.lines().find_map(|l| l.strip_prefix("ID:"))?.trim().parse().ok()?;
        let fields = text.lines().filter_map(|l| field(l.trim())).collect();
        Some(Self { id, fields })
    }
}

/// `field:u32 * uaddr; offset:16; size:8; signed:0;`, with tabs between.
fn field(line: &str) -> Option<(String, (usize, usize))> {
    let mut parts = line.split(';').map(str::trim);
    let declared = parts.next()?.strip_prefix("field:")?;
    let name = declared.rsplit([' ', '*']).next()?.split('[').next()?;
    let mut number = |key: &str| parts.next()?.strip_prefix(key)?.parse::<usize>().ok();
    Some((name.to_owned(), (number("offset:")?, number("size:")?)))
}

/// tracefs, where it is mounted.
#[derive(Debug, Clone)]
pub struct Tracefs {
    dir: PathBuf,
}

impl Tracefs {
    /// Where it is, if this user may read it; `amdahl doctor` says the same of it.
    pub fn find(roots: &Roots) -> Result<Self, Absence> {
        Ok(Self { dir: tracefs_dir(roots)? })
    }

    /// A tracepoint, `syscalls/sys_enter_futex`; `None` where this kernel has none of the name.
    pub fn format(&self, name: &str) -> Option<Format> {
        let path = self.dir.join("events").join(Path::new(name)).join("format");
        Format::parse(&read_trimmed(&path).ok()?)
    }
}
