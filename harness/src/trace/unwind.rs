//! Call chains through code that keeps no frame pointers: the C library's waiting functions above all, whose callers tell a lock from
//! a condition. framehop follows `.eh_frame` from a thread's registers and the top of its stack, and frame pointers through code
//! that has no `.eh_frame`.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use framehop::{
    CacheNative, ExplicitModuleSectionInfo, MayAllocateDuringUnwind, Module, UnwindRegsNative,
    Unwinder as _, UnwinderNative,
};
use object::{Object as _, ObjectSection as _, ObjectSegment as _};

use super::event::{Call, Mapping, User};

/// The longest chain.
const DEPTH_MAX: usize = 24;

/// Bytes of stack copied at each wait: enough for the C library's frames and some eight of their callers. The kernel could follow
/// frame pointers itself, but where a chain ends in code without them it reads an address that nothing lies at, and that costs
/// a futex call more than any other part of tracing (METHODOLOGY, section 11).
pub const BYTES: u32 = 1024;

/// Frame pointer, link register where a machine has one, stack pointer and instruction pointer, in the order of their numbers; 0
/// where we don't know a machine's.
pub const REGISTERS: u64 = if cfg!(target_arch = "x86_64") {
    1 << 6 | 1 << 7 | 1 << 8
} else if cfg!(target_arch = "aarch64") {
    1 << 29 | 1 << 30 | 1 << 31 | 1 << 32
} else {
    0
};

/// Whether a link register is among them.
pub const WITH_LINK: bool = cfg!(target_arch = "aarch64");

type Bytes = Arc<[u8]>;

/// All processes' unwinding tables.
#[derive(Default)]
pub struct Unwinding {
    /// By file; `None` where it can't be read.
    files: HashMap<String, Option<Arc<File>>>,
    processes: BTreeMap<u32, Process>,
    cache: CacheNative<MayAllocateDuringUnwind>,
}

impl std::fmt::Debug for Unwinding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unwinding").field("files", &self.files.len()).finish_non_exhaustive()
    }
}

struct Process {
    /// The code it was made of.
    code: Vec<Mapping>,
    unwinder: UnwinderNative<Bytes, MayAllocateDuringUnwind>,
}

/// What a file says of its frames; addresses are those that it was linked at.
struct File {
    segments: Vec<Segment>,
    eh_frame: Option<(Range<u64>, Bytes)>,
    eh_frame_hdr: Option<(Range<u64>, Bytes)>,
}

struct Segment {
    offset: u64,
    size: u64,
    address: u64,
}

impl Unwinding {
    /// Makes a call's chain, and drops what it was made from. `code` is what the process has in its address space.
    pub fn unwind(&mut self, pid: u32, code: &[Mapping], call: &mut Call) {
        let Some(user) = call.user.take() else { return };
        self.learn(pid, code);
        let Some(process) = self.processes.get(&pid) else { return };
        let mut word = |address: u64| word(&user, address).ok_or(());
        let mut frames =
            process.unwinder.iter_frames(user.ip, registers(&user), &mut self.cache, &mut word);
        let mut chain = Vec::new();
        while let Ok(Some(frame)) = frames.next() {
            chain.push(frame.address());
            if chain.len() == DEPTH_MAX {
                break;
            }
        }
        call.stack = chain;
    }

    /// Adds the code that is new since the last time.
    fn learn(&mut self, pid: u32, code: &[Mapping]) {
        let process = self.processes.entry(pid).or_insert_with(Process::new);
        if !code.starts_with(&process.code) {
            *process = Process::new();
        }
        for mapping in &code[process.code.len()..] {
            let file = self
                .files
                .entry(mapping.path.clone())
                .or_insert_with_key(|path| File::read(Path::new(path)).map(Arc::new));
            let module = file.as_ref().and_then(|file| file.module(mapping));
            process.unwinder.remove_module(mapping.start);
            module.into_iter().for_each(|m| process.unwinder.add_module(m));
        }
        process.code.extend_from_slice(&code[process.code.len()..]);
    }
}

impl Process {
    fn new() -> Self {
        Self { code: Vec::new(), unwinder: UnwinderNative::new() }
    }
}

impl File {
    /// `[vdso]`, `//anon` and what was deleted are no files.
    fn read(path: &Path) -> Option<Self> {
        if !path.is_absolute() || !path.is_file() {
            return None;
        }
        let bytes = std::fs::read(path).ok()?;
        let elf = object::File::parse(&*bytes).ok()?;
        let segments = elf.segments().map(|s| Segment {
            offset: s.file_range().0,
            size: s.file_range().1,
            address: s.address(),
        });
        let section = |name: &str| {
            let section = elf.section_by_name(name)?;
            let range = section.address()..section.address().checked_add(section.size())?;
            Some((range, Bytes::from(section.data().ok()?)))
        };
        Some(Self {
            segments: segments.collect(),
            eh_frame: section(".eh_frame"),
            eh_frame_hdr: section(".eh_frame_hdr"),
        })
    }

    fn module(&self, mapping: &Mapping) -> Option<Module<Bytes>> {
        let holds = |s: &&Segment| s.offset <= mapping.offset && mapping.offset - s.offset < s.size;
        // A mapping begins on a page, the segment perhaps after it.
        let rounded = |s: &&Segment| s.offset & !4095 == mapping.offset;
        let segment =
            self.segments.iter().find(holds).or_else(|| self.segments.iter().find(rounded))?;
        let linked = segment.address.wrapping_add(mapping.offset).wrapping_sub(segment.offset);
        let base = mapping.start.wrapping_sub(linked);
        let (eh_frame_svma, eh_frame) = self.eh_frame.clone().unzip();
        let (eh_frame_hdr_svma, eh_frame_hdr) = self.eh_frame_hdr.clone().unzip();
        let sections = ExplicitModuleSectionInfo {
            base_svma: 0,
            eh_frame_svma,
            eh_frame,
            eh_frame_hdr_svma,
            eh_frame_hdr,
            ..Default::default()
        };
        let range = mapping.start..mapping.start.checked_add(mapping.len)?;
        Some(Module::new(mapping.path.clone(), range, base, sections))
    }
}

#[cfg(target_arch = "x86_64")]
fn registers(user: &User) -> UnwindRegsNative {
    UnwindRegsNative::new(user.ip, user.sp, user.fp)
}

#[cfg(target_arch = "aarch64")]
fn registers(user: &User) -> UnwindRegsNative {
    UnwindRegsNative::new(user.lr, user.sp, user.fp)
}

/// What the stack holds at an address; nothing beyond the bytes that were kept.
fn word(user: &User, address: u64) -> Option<u64> {
    address.is_multiple_of(8).then_some(())?;
    let at = usize::try_from(address.checked_sub(user.sp)?).ok()?;
    let bytes = user.stack.get(at..at.checked_add(8)?)?;
    Some(u64::from_ne_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Code that no file tells of is followed by its frame pointers, as far as the copy goes.
    fn by_frame_pointers(fp: u64, words: &[u64]) -> Vec<u64> {
        let stack = words.iter().flat_map(|w| w.to_ne_bytes()).collect();
        let user = User { ip: 0xa0, sp: 0x1000, fp, lr: 0xa9, stack };
        let mut call = Call { user: Some(user), ..Call::default() };
        Unwinding::default().unwind(1, &[], &mut call);
        assert_eq!(call.user, None);
        call.stack
    }

    #[test]
    fn frames_lead_to_callers_as_far_as_the_copy_goes() {
        let words = [7, 0x1020, 0xa1, 9, 0x2000, 0xa2];
        assert_eq!(by_frame_pointers(0x1008, &words), [0xa0, 0xa1, 0xa2]);
        assert_eq!(by_frame_pointers(0x1008, &words[..5]), [0xa0, 0xa1], "cut off");
    }

    #[test]
    fn what_is_no_frame_ends_the_chain() {
        let words = [0x1000, 0xa1, 0x1010, 0];
        assert!(by_frame_pointers(0x1000, &words).len() <= DEPTH_MAX, "leads to itself");
        for fp in [0, 0xfff, 0x1001, 0x1020, u64::MAX, u64::MAX - 7] {
            assert_eq!(by_frame_pointers(fp, &words), [0xa0], "{fp:#x}");
        }
        assert_eq!(by_frame_pointers(0x1000, &[]), [0xa0]);
    }

    #[test]
    fn the_stack_ends_where_its_bytes_do() {
        let user = User { sp: 0x1000, stack: (0u8..24).collect(), ..User::default() };
        assert_eq!(word(&user, 0x1008), Some(u64::from_ne_bytes([8, 9, 10, 11, 12, 13, 14, 15])));
        assert_eq!(word(&user, 0x0ff8), None);
        assert_eq!(word(&user, 0x1011), None);
        assert_eq!(word(&user, u64::MAX), None);
    }
}
