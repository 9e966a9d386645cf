//! Where a tracepoint's fields lie: read from tracefs, never assumed.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::procfs::{Roots, read_trimmed};

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

/// Why no tracepoint is known.
#[derive(Debug, thiserror::Error)]
#[error("{reason}; {remedy}")]
pub struct NoTracefs {
    /// What the kernel said.
    pub reason: String,
    /// What would help.
    pub remedy: String,
}

impl Tracefs {
    /// Where it usually is.
    pub fn find(roots: &Roots) -> Result<Self, NoTracefs> {
        let places = ["kernel/tracing", "kernel/debug/tracing"].map(|p| roots.sys.join(p));
        let mut denied = None;
        for dir in places {
            match read_trimmed(&dir.join("events/sched/sched_waking/format")) {
                Ok(_) => return Ok(Self { dir }),
                Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
                    denied = denied.or(Some(dir))
                }
                Err(_) => {}
            }
        }
        Err(match denied {
            Some(dir) => NoTracefs {
                reason: format!("EACCES: {} is closed to this user", dir.display()),
                // Some kernels open directories by mode only, and files to the group alone.
                remedy: format!(
                    "run as root, or sudo mount -o remount,mode=755,gid={} /sys/kernel/tracing",
                    rustix::process::getgid().as_raw()
                ),
            },
            None => NoTracefs {
                reason: format!("no tracefs at {}", roots.sys.join("kernel/tracing").display()),
                remedy: "sudo mount -t tracefs tracefs /sys/kernel/tracing, on a kernel with CONFIG_FTRACE_SYSCALLS; \
                         in a container: on its host"
                    .to_owned(),
            },
        })
    }

    /// A tracepoint, `syscalls/sys_enter_futex`; `None` where this kernel has none of the name.
    pub fn format(&self, name: &str) -> Option<Format> {
        let path = self.dir.join("events").join(Path::new(name)).join("format");
        Format::parse(&read_trimmed(&path).ok()?)
    }
}
