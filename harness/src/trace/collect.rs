//! The events: opened, read, put in order of time.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::time::Duration;

use perf_event_open_sys as perf;
use perf_event_open_sys::bindings as sys;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::decode::{Role, Roles, decode};
use super::event::{Event, Kind, RETURN_FILTER, call_filter};
use super::format::Tracefs;
use super::ring::{Ring, page_size};
use super::tracker::Tracker;
use super::unwind::{self, Unwinding};
use crate::Unable;

/// What is asked of the kernel; of the calls that newer kernels have, those that this one has.
const TRACEPOINTS: [&str; 9] = [
    "syscalls/sys_enter_futex",
    "syscalls/sys_exit_futex",
    "syscalls/sys_enter_futex_wait",
    "syscalls/sys_exit_futex_wait",
    "syscalls/sys_enter_futex_waitv",
    "syscalls/sys_exit_futex_waitv",
    "syscalls/sys_enter_futex_requeue",
    WAKING,
    SWITCH,
];
/// The kernel's part, which only those see who may see everybody's.
const WAKING: &str = "sched/sched_waking";
/// One record a switch, where a thread's own records would be two.
const SWITCH: &str = "sched/sched_switch";

/// 64 MiB a CPU: half a second of 100,000 waits a second with their stacks, since a reader on a busy machine waits for its turn, too.
const RING_PAGES: usize = 16 * 1024;
/// Of all CPUs together.
const ALL_PAGES: usize = 128 * 1024;
/// What every user may lock.
const RING_PAGES_MIN: usize = 32;
/// A record may carry an earlier time than one that is already there, by the time it takes to write one.
const DISORDER_NS: u64 = 2_000_000;

/// Whose events the kernel sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Everybody's, by CPU: costs the program nothing when it starts threads, and shows wakers outside of it. Needs CAP_PERFMON.
    Machine,
    /// These threads' and their descendants', without the kernel's part: what a user may see of their own programs.
    Tasks(Vec<u32>),
}

/// Open events and their rings.
#[derive(Debug)]
pub struct Collector {
    rings: Vec<Ring>,
    /// The rings' own events first.
    events: Vec<OwnedFd>,
    roles: Roles,
    pending: Vec<Event>,
    unwinding: Unwinding,
    /// Whether wake-ups are among them.
    pub wakeups: bool,
    /// Bytes of all rings.
    pub ring_bytes: usize,
}

/// Why there are none.
#[derive(Debug, thiserror::Error)]
#[error("perf_event_open of {what}: {source}")]
pub struct NotOpened {
    what: String,
    source: io::Error,
}

impl NotOpened {
    /// Whether more rights would help.
    pub fn is_denied(&self) -> bool {
        matches!(self.source.raw_os_error(), Some(libc::EACCES | libc::EPERM))
    }

    /// With what would help.
    pub fn remedy(&self, paranoid: Option<i64>) -> Unable {
        let level = paranoid.map_or("unknown".to_owned(), |p| p.to_string());
        let next = match self.source.raw_os_error() {
            Some(libc::EACCES | libc::EPERM) => format!(
                "perf_event_paranoid is {level}: run as root, or give the program the right (sudo setcap cap_perfmon+ep $(command -v amdahl)); \
                 in a container --cap-add PERFMON --security-opt seccomp=unconfined"
            ),
            Some(libc::EMFILE) => "too many open files: ulimit -n 65536".to_owned(),
            Some(libc::ESRCH) => "the thread has ended meanwhile: try again".to_owned(),
            Some(libc::ENOSYS) => {
                "this kernel, or a seccomp filter, has no perf_event_open".to_owned()
            }
            _ => "amdahl doctor says what this kernel offers".to_owned(),
        };
        Unable(format!("{self}; {next}"))
    }
}

impl Collector {
    /// Opens everything on every CPU; it runs at once.
    pub fn open(tracefs: &Tracefs, cpus: &[u32], scope: &Scope) -> Result<Self, NotOpened> {
        let machine = [None];
        let own: Vec<Option<u32>>;
        let tasks: &[Option<u32>] = match scope {
            Scope::Machine => &machine,
            Scope::Tasks(tids) => {
                own = tids.iter().copied().map(Some).collect();
                &own
            }
        };
        let kernel = *scope == Scope::Machine;
        let wanted = TRACEPOINTS.iter().filter(|name| kernel || !name.starts_with("sched/"));
        let points: Vec<Point> = wanted.filter_map(|name| Point::read(tracefs, name)).collect();
        let found = |wanted: &str| points.iter().any(|p| p.name == wanted);
        if !TRACEPOINTS[..2].iter().all(|name| found(name)) || kernel && !found(SWITCH) {
            let source = io::Error::from_raw_os_error(libc::ENOENT);
            return Err(NotOpened { what: "syscalls/sys_enter_futex".to_owned(), source });
        }
        let mut this = Self {
            rings: Vec::new(),
            events: Vec::new(),
            roles: Roles::new(),
            pending: Vec::new(),
            unwinding: Unwinding::default(),
            wakeups: kernel,
            ring_bytes: 0,
        };
        let mut members = Vec::new();
        for &cpu in cpus {
            this.open_cpu(cpu, tasks, (kernel, ring_pages(cpus.len())), &points, &mut members)?;
        }
        this.events.extend(members);
        Ok(this)
    }

    fn open_cpu(
        &mut self,
        cpu: u32,
        tasks: &[Option<u32>],
        (kernel, pages): (bool, usize),
        points: &[Point],
        members: &mut Vec<OwnedFd>,
    ) -> Result<(), NotOpened> {
        let mut ring_fd: Option<OwnedFd> = None;
        for task in tasks {
            match &ring_fd {
                None => {
                    let (fd, ring) = open_ring((kernel, pages), *task, cpu)?;
                    self.rings.push(ring);
                    ring_fd = Some(fd);
                }
                Some(ring) => {
                    let more = open(&mut lifecycle(kernel, 0), *task, cpu);
                    let more = more.map_err(at("threads"))?;
                    redirect(more.as_fd(), ring.as_fd()).map_err(at("threads"))?;
                    members.push(more);
                }
            }
            let Some(ring) = &ring_fd else { continue };
            for point in points {
                let mut attr = point.attr(kernel);
                let fd = open(&mut attr, *task, cpu).map_err(at(point.name))?;
                redirect(fd.as_fd(), ring.as_fd()).map_err(at(point.name))?;
                if let Some(text) = &point.filter {
                    filter(fd.as_fd(), text).map_err(at(point.name))?;
                }
                self.roles.insert(id(fd.as_fd()).map_err(at(point.name))?, point.role.clone());
                members.push(fd);
            }
        }
        self.events.extend(ring_fd);
        self.ring_bytes = self.rings.iter().map(Ring::bytes).sum();
        Ok(())
    }

    /// Sleeps until a sixteenth of a ring is full, `also` is readable, or the time is up; whether `also` is readable.
    pub fn sleep(&self, also: BorrowedFd<'_>, at_most: Duration) -> bool {
        let rings = self.events.iter().take(self.rings.len());
        let mut fds: Vec<PollFd<'_>> = vec![PollFd::from_borrowed_fd(also, PollFlags::IN)];
        fds.extend(rings.map(|fd| PollFd::new(fd, PollFlags::IN)));
        let time = Timespec { tv_sec: 0, tv_nsec: at_most.subsec_nanos().into() };
        // A signal ends it early, which is what the signal is for.
        let _ = poll(&mut fds, Some(&time));
        !fds[0].revents().is_empty()
    }

    /// Feeds what all CPUs are known to have written: up to a little before `now`, or all.
    pub fn drain(&mut self, tracker: &mut Tracker, now: Option<u64>) {
        let (roles, pending) = (&self.roles, &mut self.pending);
        for ring in &mut self.rings {
            ring.drain(|record| pending.extend(decode(record, roles)));
        }
        pending.sort_by_key(|e| e.time);
        let ready = match now {
            Some(now) => pending.partition_point(|e| e.time < now.saturating_sub(DISORDER_NS)),
            None => pending.len(),
        };
        for mut event in pending.drain(..ready) {
            if let (Kind::Wait(call), Some(code)) =
                (&mut event.kind, tracker.processes.get(&event.pid))
            {
                self.unwinding.unwind(event.pid, code, call);
            }
            tracker.feed(event);
        }
    }
}

/// A power of two, as the kernel wants it.
fn ring_pages(cpus: usize) -> usize {
    let share = (ALL_PAGES / cpus.max(1)).clamp(RING_PAGES_MIN, RING_PAGES);
    1 << share.ilog2()
}

/// The event that all others of a CPU write to, and its ring, as large as we may.
fn open_ring(
    (kernel, mut pages): (bool, usize),
    task: Option<u32>,
    cpu: u32,
) -> Result<(OwnedFd, Ring), NotOpened> {
    loop {
        // It must be known before how large it will be, or the reader sleeps until a small one has run over.
        let mut attr = lifecycle(kernel, pages);
        let fd = open(&mut attr, task, cpu).map_err(at("threads"))?;
        match Ring::map(fd.as_fd(), pages) {
            Ok(ring) => return Ok((fd, ring)),
            Err(_) if pages > RING_PAGES_MIN => pages /= 2,
            Err(source) => return Err(NotOpened { what: "its ring buffer".to_owned(), source }),
        }
    }
}

struct Point {
    name: &'static str,
    id: u64,
    role: Role,
    filter: Option<String>,
}

impl Point {
    fn read(tracefs: &Tracefs, name: &'static str) -> Option<Self> {
        let format = tracefs.format(name)?;
        let role = Role::of(name, &format)?;
        let filter = match (&role, name) {
            (Role::Futex(_), _) => Some(call_filter()),
            (_, "syscalls/sys_exit_futex") => Some(RETURN_FILTER.to_owned()),
            _ => None,
        };
        Some(Self { name, id: format.id, role, filter })
    }

    fn attr(&self, kernel: bool) -> sys::perf_event_attr {
        let mut attr = basic(kernel);
        attr.type_ = sys::PERF_TYPE_TRACEPOINT;
        attr.config = self.id;
        attr.__bindgen_anon_1.sample_period = 1;
        attr.sample_type |= u64::from(sys::PERF_SAMPLE_RAW);
        if self.role.has_stack() {
            let stacks = sys::PERF_SAMPLE_REGS_USER | sys::PERF_SAMPLE_STACK_USER;
            attr.sample_type |= u64::from(stacks);
            attr.sample_regs_user = unwind::REGISTERS;
            attr.sample_stack_user = unwind::BYTES;
        }
        attr
    }
}

fn basic(kernel: bool) -> sys::perf_event_attr {
    let mut attr = sys::perf_event_attr {
        size: size_of::<sys::perf_event_attr>() as u32,
        clockid: libc::CLOCK_MONOTONIC,
        ..Default::default()
    };
    let sampled = sys::PERF_SAMPLE_IDENTIFIER | sys::PERF_SAMPLE_TID | sys::PERF_SAMPLE_TIME;
    attr.sample_type = u64::from(sampled);
    attr.set_use_clockid(1);
    attr.set_sample_id_all(1);
    attr.set_inherit(u64::from(!kernel));
    attr.set_exclude_kernel(u64::from(!kernel));
    attr.set_exclude_hv(u64::from(!kernel));
    attr
}

/// Begin and end of threads, names, code, and switches where nothing else tells them: records of an event that counts nothing, and
/// whose ring of so many pages all others write to.
fn lifecycle(kernel: bool, pages: usize) -> sys::perf_event_attr {
    let mut attr = basic(kernel);
    attr.type_ = sys::PERF_TYPE_SOFTWARE;
    attr.config = sys::PERF_COUNT_SW_DUMMY.into();
    attr.set_mmap(1);
    attr.set_mmap2(1);
    attr.set_comm(1);
    attr.set_comm_exec(1);
    attr.set_task(1);
    attr.set_context_switch(u64::from(!kernel));
    attr.set_watermark(1);
    attr.__bindgen_anon_2.wakeup_watermark =
        u32::try_from(pages * page_size() / 16).unwrap_or(1 << 20).max(1);
    attr
}

fn at(what: &str) -> impl Fn(io::Error) -> NotOpened + '_ {
    move |source| NotOpened { what: what.to_owned(), source }
}

fn open(attr: &mut sys::perf_event_attr, task: Option<u32>, cpu: u32) -> io::Result<OwnedFd> {
    let task = task.map_or(-1, |t| t as libc::pid_t);
    let flags = sys::PERF_FLAG_FD_CLOEXEC;
    // SAFETY: `attr` is a whole perf_event_attr that outlives the call; the kernel checks the rest.
    let fd = unsafe { perf::perf_event_open(attr, task, cpu as i32, -1, flags.into()) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call above has just returned this descriptor; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Lets an event write to another's ring.
fn redirect(event: BorrowedFd<'_>, ring: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: takes two descriptors, both open, and touches no memory of ours.
    check(unsafe { perf::ioctls::SET_OUTPUT(event.as_raw_fd(), ring.as_raw_fd()) })
}

/// Lets through only what fits.
fn filter(event: BorrowedFd<'_>, text: &str) -> io::Result<()> {
    let text = std::ffi::CString::new(text).expect("it has no NUL");
    // SAFETY: the kernel copies the string, which outlives the call and is not written to.
    check(unsafe { perf::ioctls::SET_FILTER(event.as_raw_fd(), text.as_ptr().cast_mut()) })
}

/// The id that its samples carry.
fn id(event: BorrowedFd<'_>) -> io::Result<u64> {
    let mut id = 0u64;
    // SAFETY: the kernel writes one u64 to where `id` lies.
    check(unsafe { perf::ioctls::ID(event.as_raw_fd(), &mut id) })?;
    Ok(id)
}

fn check(status: libc::c_int) -> io::Result<()> {
    if status < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// CLOCK_MONOTONIC, which the events are stamped with.
pub fn now() -> u64 {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}
