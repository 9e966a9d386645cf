//! The one place that reads memory the kernel writes: a perf ring buffer.

use std::io;
use std::mem::offset_of;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use perf_event_open_sys::bindings::perf_event_mmap_page;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// A mapped ring buffer of one event.
#[derive(Debug)]
pub struct Ring {
    page: NonNull<perf_event_mmap_page>,
    data: NonNull<u8>,
    /// Bytes of data, a power of two.
    size: usize,
    mapped: usize,
    scratch: Vec<u8>,
}

impl Ring {
    /// Maps `pages` (a power of two) of data behind the control page of an open event.
    pub fn map(fd: BorrowedFd<'_>, pages: usize) -> io::Result<Self> {
        let page_bytes = page_size();
        let (size, mapped) = (pages * page_bytes, (pages + 1) * page_bytes);
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory of ours.
        let at =
            unsafe { mmap(std::ptr::null_mut(), mapped, protection, MapFlags::SHARED, fd, 0)? };
        let page = NonNull::new(at.cast()).expect("the kernel maps nothing at 0");
        // SAFETY: the data begin one page after the control page, inside of the mapping just made.
        let data = unsafe { page.cast::<u8>().add(page_bytes) };
        Ok(Self { page, data, size, mapped, scratch: Vec::new() })
    }

    /// Bytes of data it holds.
    pub fn bytes(&self) -> usize {
        self.size
    }

    /// Hands every whole record to `take`, then gives their room back to the kernel.
    pub fn drain(&mut self, mut take: impl FnMut(&[u8])) {
        let head =
            self.counter(offset_of!(perf_event_mmap_page, data_head)).load(Ordering::Acquire);
        let tail_at = self.counter(offset_of!(perf_event_mmap_page, data_tail));
        let mut tail = tail_at.load(Ordering::Relaxed);
        let mut record = std::mem::take(&mut self.scratch);
        while tail < head {
            self.copy(tail, 8, &mut record);
            let len = usize::from(u16::from_ne_bytes([record[6], record[7]]));
            if len < 8 || len as u64 > head - tail {
                // Not a record: nothing after it can be trusted until the kernel writes anew.
                tail = head;
                break;
            }
            self.copy(tail, len, &mut record);
            take(&record);
            tail += len as u64;
        }
        self.counter(offset_of!(perf_event_mmap_page, data_tail)).store(tail, Ordering::Release);
        self.scratch = record;
    }

    /// One of the two counters in the control page.
    fn counter(&self, offset: usize) -> &AtomicU64 {
        // SAFETY: the page is mapped, aligned and writable as long as `self` lives; kernel and program share its
        // counters as atomics only, which the ABI (perf_event.h) asks for.
        unsafe { AtomicU64::from_ptr(self.page.byte_add(offset).cast().as_ptr()) }
    }

    /// Bytes from a running position on, across the end of the buffer.
    fn copy(&self, from: u64, len: usize, into: &mut Vec<u8>) {
        let start = (from as usize) & (self.size - 1);
        let first = len.min(self.size - start);
        into.clear();
        // SAFETY: both parts lie inside the mapped data (`start < size`, `first + rest = len <= size`), and the kernel
        // does not write between tail and head before the tail is moved on.
        unsafe {
            into.extend_from_slice(std::slice::from_raw_parts(
                self.data.as_ptr().add(start),
                first,
            ));
            into.extend_from_slice(std::slice::from_raw_parts(self.data.as_ptr(), len - first));
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours alone, and no reference into it outlives a call of `drain`.
        let _ = unsafe { munmap(self.page.as_ptr().cast(), self.mapped) };
    }
}

/// Bytes of a page.
pub(super) fn page_size() -> usize {
    // SAFETY: asks for a number and touches no memory of ours.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(bytes).expect("every kernel has pages")
}
