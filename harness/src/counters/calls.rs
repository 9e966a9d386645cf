//! The system calls of perf behind a trait, so that every way they fail is tested without a PMU.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use perf_event::Builder;
use perf_event::events::Event;
use perf_event_open_sys as sys;

/// One counter to open, disabled, on a task of any process.
#[derive(Debug)]
pub struct Request<'a> {
    /// Its metric, for messages.
    pub id: &'a str,
    /// What to count.
    pub code: &'a Code,
    /// On which task.
    pub tid: u32,
    /// The group it joins.
    pub leader: Option<BorrowedFd<'a>>,
    /// Whether the kernel's part is counted too.
    pub kernel: bool,
}

/// A portable event or a raw code of this CPU's PMU.
#[derive(Debug, Clone)]
pub enum Code {
    /// One of the kernel's names.
    Named(Event),
    /// `rXXXX`.
    Raw(u64),
}

impl Request<'_> {
    /// Whether it needs a PMU.
    pub fn is_hardware(&self) -> bool {
        !matches!(self.code, Code::Named(Event::Software(_)))
    }
}

/// What the kernel does for us; the only implementation outside tests is [`Kernel`].
pub trait Calls {
    /// perf_event_open(2).
    fn open(&self, request: &Request<'_>) -> io::Result<OwnedFd>;

    /// Starts or stops the whole group.
    fn control(&self, leader: BorrowedFd<'_>, on: bool) -> io::Result<()>;

    /// Reads a group of `members`: their count, time enabled, time running, then one value each.
    fn read(&self, leader: BorrowedFd<'_>, members: usize) -> io::Result<Vec<u64>>;
}

/// The running kernel.
#[derive(Debug, Clone, Copy, Default)]
pub struct Kernel;

impl Calls for Kernel {
    fn open(&self, request: &Request<'_>) -> io::Result<OwnedFd> {
        let mut builder = Builder::new();
        builder = match request.code {
            Code::Named(event) => builder.kind(event.clone()),
            Code::Raw(_) => builder,
        };
        builder.exclude_kernel(!request.kernel);
        let attrs = builder.attrs_mut();
        if let Code::Raw(code) = request.code {
            attrs.type_ = sys::bindings::PERF_TYPE_RAW;
            attrs.config = *code;
        }
        attrs.read_format |= sys::bindings::PERF_FORMAT_GROUP as u64;
        // A member follows its leader; disabled itself, it would need an ioctl of its own.
        attrs.set_disabled(u64::from(request.leader.is_none()));
        let leader = request.leader.map_or(-1, |fd| fd.as_raw_fd());
        let flags = sys::bindings::PERF_FLAG_FD_CLOEXEC;
        // The crate's own `build` can't: its groups observe the calling process only, and it leaves the
        // descriptor open across exec, so that every worker would inherit it.
        // SAFETY: `attrs` is a whole perf_event_attr that outlives the call; the kernel checks the rest.
        let fd = unsafe {
            sys::perf_event_open(attrs, request.tid as libc::pid_t, -1, leader, flags.into())
        };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call above has just returned this descriptor; nobody else owns it.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }

    fn control(&self, leader: BorrowedFd<'_>, on: bool) -> io::Result<()> {
        let (fd, group) = (leader.as_raw_fd(), sys::bindings::PERF_IOC_FLAG_GROUP);
        // SAFETY: both requests take a plain integer and touch no memory of ours.
        let status = unsafe {
            if on { sys::ioctls::ENABLE(fd, group) } else { sys::ioctls::DISABLE(fd, group) }
        };
        if status < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    fn read(&self, leader: BorrowedFd<'_>, members: usize) -> io::Result<Vec<u64>> {
        let mut bytes = vec![0u8; (3 + members) * 8];
        let n = rustix::io::read(leader, &mut bytes)?;
        if n != bytes.len() {
            let what = format!("{n} of {} bytes: the group has lost its task", bytes.len());
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, what));
        }
        let word = |b: &[u8]| u64::from_ne_bytes(b.try_into().expect("chunks of 8"));
        Ok(bytes.chunks_exact(8).map(word).collect())
    }
}

#[cfg(test)]
pub(super) mod fake {
    //! A kernel that answers as the test says.

    use std::cell::RefCell;
    use std::collections::HashMap;
    use std::os::fd::RawFd;

    use super::*;

    /// An errno as the kernel would give it.
    pub(crate) fn errno(code: i32) -> io::Result<()> {
        Err(io::Error::from_raw_os_error(code))
    }

    type Answer = Box<dyn Fn(&Request<'_>) -> io::Result<()>>;

    /// Groups live in `members`; a read gives time 100, running `running`, and 10 a member.
    pub(crate) struct Fake {
        answer: Answer,
        pub(crate) running: u64,
        pub(crate) read_error: Option<i32>,
        groups: RefCell<HashMap<RawFd, usize>>,
    }

    impl Fake {
        /// Every request is put to `answer`.
        pub(crate) fn answering(answer: impl Fn(&Request<'_>) -> io::Result<()> + 'static) -> Self {
            Self {
                answer: Box::new(answer),
                running: 100,
                read_error: None,
                groups: RefCell::default(),
            }
        }
    }

    impl Calls for Fake {
        fn open(&self, request: &Request<'_>) -> io::Result<OwnedFd> {
            (self.answer)(request)?;
            let fd = OwnedFd::from(std::fs::File::open("/dev/null")?);
            let mut groups = self.groups.borrow_mut();
            match request.leader {
                Some(leader) => *groups.get_mut(&leader.as_raw_fd()).expect("a leader") += 1,
                None => drop(groups.insert(fd.as_raw_fd(), 1)),
            }
            Ok(fd)
        }

        fn control(&self, leader: BorrowedFd<'_>, _on: bool) -> io::Result<()> {
            assert!(self.groups.borrow().contains_key(&leader.as_raw_fd()), "not a leader");
            Ok(())
        }

        fn read(&self, leader: BorrowedFd<'_>, members: usize) -> io::Result<Vec<u64>> {
            if let Some(code) = self.read_error {
                return Err(io::Error::from_raw_os_error(code));
            }
            assert_eq!(self.groups.borrow()[&leader.as_raw_fd()], members);
            let mut words = vec![members as u64, 100, self.running];
            words.extend(std::iter::repeat_n(10, members));
            Ok(words)
        }
    }
}
