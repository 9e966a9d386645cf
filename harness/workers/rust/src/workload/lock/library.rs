//! A lock of the user's in C: a shared library with four functions, and the standard library's mutex
//! behind the same four, as the control that shows what this way costs.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ffi::{CStr, CString, c_void};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Lock, Shape};
use crate::error::Error;

/// The four functions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Functions {
    size: unsafe extern "C" fn() -> usize,
    init: unsafe extern "C" fn(*mut c_void),
    acquire: unsafe extern "C" fn(*mut c_void),
    release: unsafe extern "C" fn(*mut c_void),
}

/// A lock larger than this is a mistake.
const SIZE_MAX: usize = 1 << 20;

/// As `malloc` would align it.
const ALIGNMENT: usize = 16;

impl Functions {
    /// Loads a library, for as long as this process lives.
    ///
    /// # Errors
    /// What the loader says, or which function it lacks.
    pub(crate) fn load(name: &str, path: &Path) -> Result<Self, Error> {
        let wrong = |what: String| Error::Lock { name: name.to_owned(), what };
        let text = CString::new(path.as_os_str().as_bytes())
            .map_err(|_| wrong("its path holds a 0 byte".to_owned()))?;
        // SAFETY: a string that ends in 0. What the library does as it is loaded is the user's wish.
        let library = unsafe { libc::dlopen(text.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        if library.is_null() {
            return Err(wrong(format!("can't be loaded: {}", loader_says())));
        }
        let function = |symbol: &CStr| {
            // SAFETY: the library is loaded and never closed.
            let at = unsafe { libc::dlsym(library, symbol.as_ptr()) };
            let symbol = symbol.to_string_lossy();
            (!at.is_null()).then_some(at).ok_or_else(|| {
                wrong(format!(
                    "{} has no `{symbol}`; export size_t lock_size(void) and void lock_init, \
                     lock_acquire, lock_release(void *), with C linkage",
                    path.display()
                ))
            })
        };
        let [size, init, acquire, release] =
            [c"lock_size", c"lock_init", c"lock_acquire", c"lock_release"].map(function);
        // SAFETY: that they are of these types is what a library with these names promises.
        unsafe {
            Ok(Self {
                size: std::mem::transmute::<*mut c_void, unsafe extern "C" fn() -> usize>(size?),
                init: std::mem::transmute::<*mut c_void, unsafe extern "C" fn(*mut c_void)>(init?),
                acquire: std::mem::transmute::<*mut c_void, unsafe extern "C" fn(*mut c_void)>(
                    acquire?,
                ),
                release: std::mem::transmute::<*mut c_void, unsafe extern "C" fn(*mut c_void)>(
                    release?,
                ),
            })
        }
    }

    /// The standard library's mutex behind the same four.
    pub(crate) fn of_std() -> Self {
        Self { size: std_size, init: std_init, acquire: std_acquire, release: std_release }
    }

    /// A cell's locks, in memory of the size the library asks for.
    ///
    /// # Errors
    /// A size that can't be meant.
    pub(crate) fn locks(self, name: &str, shape: &Shape) -> Result<Vec<Foreign>, Error> {
        // SAFETY: the function takes nothing and returns a number.
        let size = unsafe { (self.size)() };
        if !(1..=SIZE_MAX).contains(&size) {
            let what = format!("lock_size() says {size}; 1 to {SIZE_MAX} bytes expected");
            return Err(Error::Lock { name: name.to_owned(), what });
        }
        let apart = if shape.packed { ALIGNMENT } else { 128 };
        let stride = size.next_multiple_of(apart);
        let memory = Arc::new(Memory::new(stride * shape.locks as usize));
        let lock = |k| {
            // SAFETY: within the memory, which has room for that many.
            let state = unsafe { memory.at.add(k * stride) };
            // SAFETY: as many bytes as it asked for, zeroed and aligned, used by nobody yet.
            unsafe { (self.init)(state.cast()) };
            Foreign { functions: self, state: state.cast(), _memory: memory.clone() }
        };
        Ok((0..shape.locks as usize).map(lock).collect())
    }
}

fn loader_says() -> String {
    // SAFETY: called by the thread that called `dlopen`, right after it.
    let text = unsafe { libc::dlerror() };
    if text.is_null() {
        return "the loader says nothing more".to_owned();
    }
    // SAFETY: not null, so a string that ends in 0 and lives until the next call.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

#[derive(Debug)]
struct Memory {
    at: *mut u8,
    layout: Layout,
}

// SAFETY: plain memory; who may touch it when is the lock's affair.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    fn new(bytes: usize) -> Self {
        let layout = Layout::from_size_align(bytes, 128).expect("at most 64 GiB, aligned by 128");
        // SAFETY: at least one lock of at least one byte.
        let at = unsafe { alloc_zeroed(layout) };
        if at.is_null() {
            handle_alloc_error(layout);
        }
        Self { at, layout }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: from `alloc_zeroed` with this layout, and no lock of it lives any more.
        unsafe { dealloc(self.at, self.layout) };
    }
}

/// One lock of a library.
#[derive(Debug)]
pub(crate) struct Foreign {
    functions: Functions,
    state: *mut c_void,
    _memory: Arc<Memory>,
}

// SAFETY: a lock is made to be used by several threads; that it may be is what the library promises.
unsafe impl Send for Foreign {}
// SAFETY: as above.
unsafe impl Sync for Foreign {}

impl Lock for Foreign {
    #[inline]
    fn with<R>(&self, inside: impl FnOnce() -> R) -> R {
        // SAFETY: `state` was initialised by the library and lives.
        unsafe { (self.functions.acquire)(self.state) };
        let result = inside();
        // SAFETY: acquired above, by this thread.
        unsafe { (self.functions.release)(self.state) };
        result
    }
}

/// The control's state: the guard lies beside the mutex from `acquire` to `release`.
struct Std {
    mutex: Mutex<()>,
    guard: Option<MutexGuard<'static, ()>>,
}

unsafe extern "C" fn std_size() -> usize {
    size_of::<Std>()
}

unsafe extern "C" fn std_init(at: *mut c_void) {
    // SAFETY: memory of that size for this lock alone.
    unsafe { at.cast::<Std>().write(Std { mutex: Mutex::new(()), guard: None }) };
}

unsafe extern "C" fn std_acquire(at: *mut c_void) {
    let at: *mut Std = at.cast();
    // SAFETY: initialised; the mutex may be used by all threads, and the memory outlives the cell's workers.
    let mutex: &'static Mutex<()> = unsafe { &(*at).mutex };
    let held = mutex.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: the lock is held, so nobody else touches the place.
    unsafe { (*at).guard = Some(held) };
}

unsafe extern "C" fn std_release(at: *mut c_void) {
    // SAFETY: the caller holds the lock, so nobody else touches the place.
    let held = unsafe { (*at.cast::<Std>()).guard.take() };
    drop(held);
}
