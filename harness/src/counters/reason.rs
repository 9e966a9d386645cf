//! From errno to a sentence with a remedy. Says what the kernel said first, then what it means here.

use std::io;

use amdahl_schema::Absence;

use super::calls::Request;
use super::limit::NofileLimit;
use crate::procfs::Roots;

/// What has to be known of the machine to explain an error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context {
    /// Hypervisor's name, if there is one.
    pub hypervisor: Option<String>,
    /// kernel.perf_event_paranoid.
    pub paranoid: Option<i64>,
    /// Whether some hardware event could be opened: then one that can't is the CPU's lack, not the PMU's.
    pub pmu_answers: bool,
}

impl Context {
    /// Of this machine.
    pub fn read(roots: &Roots, hypervisor: Option<&str>) -> Self {
        let paranoid = roots.proc("sys/kernel/perf_event_paranoid").and_then(|p| p.parse().ok());
        Self { hypervisor: hypervisor.map(str::to_owned), paranoid, pmu_answers: false }
    }

    /// Why `request` failed, and what would help.
    pub(super) fn absence(
        &self,
        request: &Request<'_>,
        error: &io::Error,
        pmu_answers: bool,
    ) -> Absence {
        let with =
            |reason: String, remedy: &str| Absence { reason, remedy: Some(remedy.to_owned()) };
        let without = |reason: String| Absence { reason, remedy: None };
        match error.raw_os_error() {
            Some(libc::ENOENT) | Some(libc::EOPNOTSUPP) | Some(libc::ENODEV)
                if request.is_hardware() =>
            {
                self.no_pmu(error, pmu_answers)
            }
            Some(libc::EACCES) | Some(libc::EPERM) => self.not_permitted(error, request.kernel),
            Some(libc::EMFILE) => {
                let soft = NofileLimit::read().soft.unwrap_or(u64::MAX);
                with(
                    format!("EMFILE: the limit of {soft} open files is used up"),
                    "ulimit -n 65536 (as root, or after raising the hard limit)",
                )
            }
            Some(libc::ENFILE) => with(
                "ENFILE: the whole machine's limit of open files is used up".to_owned(),
                "sysctl fs.file-max=1000000",
            ),
            Some(libc::ESRCH) => {
                without(format!("ESRCH: carrier {} had ended before it was opened", request.tid))
            }
            Some(libc::EINVAL) if request.leader.is_some() => without(
                "EINVAL: the PMU can't count it together with the rest of its set".to_owned(),
            ),
            Some(libc::EBUSY) | Some(libc::ENOSPC) => with(
                format!("{}: the PMU's counters are taken", name(error)),
                "stop other users of perf; sysctl kernel.nmi_watchdog=0",
            ),
            Some(libc::ENOSYS) => with(
                "ENOSYS: this kernel, or its seccomp filter, has no perf_event_open".to_owned(),
                "a kernel with CONFIG_PERF_EVENTS; in a container --security-opt seccomp=unconfined",
            ),
            _ => without(format!("{}: perf_event_open failed ({error})", name(error))),
        }
    }

    fn no_pmu(&self, error: &io::Error, pmu_answers: bool) -> Absence {
        let errno = name(error);
        if pmu_answers {
            return Absence {
                reason: format!("{errno}: this CPU has no such event"),
                remedy: None,
            };
        }
        let (whose, remedy) = match &self.hypervisor {
            Some(hypervisor) => (
                format!("{hypervisor} shows this guest none"),
                "give the guest a virtual PMU (QEMU: -cpu host,pmu=on; libvirt: <pmu state='on'/>; \
                 cloud: a .metal or whole-socket type), or measure on bare metal",
            ),
            None => (
                "the kernel knows none for this CPU".to_owned(),
                "a kernel with this CPU's PMU driver; dmesg | grep -i 'perf\\|pmu' says which it wants",
            ),
        };
        let reason = format!("{errno}: no hardware PMU ({whose})");
        Absence { reason, remedy: Some(remedy.to_owned()) }
    }

    fn not_permitted(&self, error: &io::Error, kernel: bool) -> Absence {
        let level = self.paranoid.map_or("unknown".to_owned(), |p| p.to_string());
        let what = if kernel { "the kernel's part" } else { "another task" };
        let reason =
            format!("{}: perf_event_paranoid {level} does not allow to count {what}", name(error));
        let mut remedy = "sysctl kernel.perf_event_paranoid=1, or run with CAP_PERFMON".to_owned();
        if error.raw_os_error() == Some(libc::EPERM) {
            remedy += "; in a container --cap-add PERFMON --security-opt seccomp=unconfined";
        }
        Absence { reason, remedy: Some(remedy) }
    }
}

/// Opened, but never on the PMU while its task ran.
pub(super) fn never_scheduled() -> Absence {
    Absence {
        reason: "the PMU never had room for this set while the carriers ran".to_owned(),
        remedy: Some("stop other users of perf; sysctl kernel.nmi_watchdog=0".to_owned()),
    }
}

/// A group's values could not be read.
pub(super) fn unreadable(error: &io::Error) -> Absence {
    Absence { reason: format!("{}: reading the group failed ({error})", name(error)), remedy: None }
}

/// The kernel's part is counted for some carriers only, so a sum would mix two things.
pub(super) fn mixed() -> Absence {
    Absence {
        reason: "the kernel's part may be counted for some of the carriers only".to_owned(),
        remedy: Some("run the harness with CAP_PERFMON".to_owned()),
    }
}

/// /proc does not say.
pub(super) fn no_proc_figure() -> Absence {
    Absence {
        reason: "/proc does not give it for every carrier (ended, or a kernel without it)"
            .to_owned(),
        remedy: None,
    }
}

/// /proc does not say how much memory a process has.
pub(super) fn no_memory_figure() -> Absence {
    Absence {
        reason: "/proc does not give it for every process of the worker (`VmHWM` of status, `Pss` of smaps_rollup: \
                 another user's, or a kernel before 4.14 or without CONFIG_PROC_PAGE_MONITOR)"
            .to_owned(),
        remedy: None,
    }
}

fn name(error: &io::Error) -> String {
    let known = [
        (libc::ENOENT, "ENOENT"),
        (libc::EOPNOTSUPP, "EOPNOTSUPP"),
        (libc::ENODEV, "ENODEV"),
        (libc::EACCES, "EACCES"),
        (libc::EPERM, "EPERM"),
        (libc::EINVAL, "EINVAL"),
        (libc::EBUSY, "EBUSY"),
        (libc::ENOSPC, "ENOSPC"),
        (libc::E2BIG, "E2BIG"),
        (libc::ESRCH, "ESRCH"),
        (libc::EIO, "EIO"),
    ];
    match error.raw_os_error() {
        Some(code) => known
            .iter()
            .find(|(c, _)| *c == code)
            .map_or_else(|| format!("errno {code}"), |(_, name)| (*name).to_owned()),
        None => "short read".to_owned(),
    }
}
