//! The machine's state: what can change between two runs, what it does to a measurement, and the exact
//! command that would change it. Reads only; changing is the user's business.

use std::io::ErrorKind;
use std::path::PathBuf;

use amdahl_schema::{Absence, Host, MachineState, StateItem};

use crate::counters::NofileLimit;
use crate::procfs::{Roots, read_trimmed};
use crate::topology::{Machine, cpulist};

/// All items, in the order they are shown.
pub fn read(roots: &Roots, machine: &Machine, host: &Host) -> MachineState {
    let items = vec![
        governor(roots, machine),
        boost(roots),
        smt(roots, machine),
        thp(roots),
        numa_balancing(roots),
        perf_event_paranoid(roots),
        kptr_restrict(roots),
        nmi_watchdog(roots),
        swap(roots),
        load(roots, machine),
        aslr(roots),
        nofile(),
        isolated(roots, machine),
        cgroup_quota(machine),
        tracefs(roots),
        virtualised(roots, host),
    ];
    MachineState { items }
}

fn governor(roots: &Roots, machine: &Machine) -> StateItem {
    let mut seen: Vec<String> = machine
        .affinity
        .iter()
        .filter_map(|cpu| {
            roots.sys(&format!("devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor"))
        })
        .collect();
    seen.sort();
    seen.dedup();
    if seen.is_empty() {
        let reason = "no cpufreq: firmware or the hypervisor sets the frequency, unseen";
        return unknown("governor", Absence { reason: reason.to_owned(), remedy: None });
    }
    let advice = (seen != ["performance"]).then_some(
        "the frequency follows the load, so short windows see its ramp: \
         cpupower frequency-set -g performance",
    );
    known("governor", seen.join(","), advice)
}

fn boost(roots: &Roots) -> StateItem {
    let pstate = roots.sys("devices/system/cpu/intel_pstate/no_turbo").map(|v| v == "0");
    let generic = || roots.sys("devices/system/cpu/cpufreq/boost").map(|v| v == "1");
    let remedy = if pstate.is_some() {
        "echo 1 > /sys/devices/system/cpu/intel_pstate/no_turbo"
    } else {
        "echo 0 > /sys/devices/system/cpu/cpufreq/boost"
    };
    match pstate.or_else(generic) {
        Some(true) => {
            let advice = format!(
                "one busy core runs faster than all of them, which looks like contention: {remedy}"
            );
            known("boost", "on".to_owned(), Some(&advice))
        }
        Some(false) => known("boost", "off".to_owned(), None),
        None => {
            let reason = "the kernel shows no switch for it (hypervisor, or no cpufreq)".to_owned();
            unknown("boost", Absence { reason, remedy: None })
        }
    }
}

fn smt(roots: &Roots, machine: &Machine) -> StateItem {
    let advice = machine.topology.smt().then_some(
        "two siblings share one core: placement `cores` uses them last; to be rid of them \
         echo off > /sys/devices/system/cpu/smt/control",
    );
    match sys_file(roots, "devices/system/cpu/smt/control") {
        Ok(value) => known("smt", value, advice),
        Err(_) if machine.topology.smt() => known("smt", "on".to_owned(), advice),
        Err(absent) => unknown("smt", absent),
    }
}

fn thp(roots: &Roots) -> StateItem {
    match sys_file(roots, "kernel/mm/transparent_hugepage/enabled") {
        Ok(text) => {
            let chosen = text.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
            let value = chosen.map_or(text.as_str(), |(value, _)| value).to_owned();
            let advice = (value == "always").then_some(
                "pages merge in the background while memory workloads run: \
                 echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
            );
            known("thp", value, advice)
        }
        Err(absent) => unknown("thp", absent),
    }
}

fn numa_balancing(roots: &Roots) -> StateItem {
    sysctl(roots, "numa_balancing", "kernel/numa_balancing", |v| {
        (v != "0").then_some(
            "the kernel unmaps pages to see who uses them: sysctl kernel.numa_balancing=0",
        )
    })
}

fn perf_event_paranoid(roots: &Roots) -> StateItem {
    // With the capability the level does not matter.
    let capable = effective_capabilities(roots).is_some_and(|c| c & (1 << 38 | 1 << 21) != 0);
    sysctl(roots, "perf_event_paranoid", "kernel/perf_event_paranoid", |v| {
        let level: i64 = v.parse().unwrap_or(i64::MAX);
        (level > 1 && !capable).then_some(
            "context switches and whatever happens in the kernel can't be counted: \
             sysctl kernel.perf_event_paranoid=1, or run with CAP_PERFMON",
        )
    })
}

fn kptr_restrict(roots: &Roots) -> StateItem {
    sysctl(roots, "kptr_restrict", "kernel/kptr_restrict", |_| None)
}

fn nmi_watchdog(roots: &Roots) -> StateItem {
    sysctl(roots, "nmi_watchdog", "kernel/nmi_watchdog", |v| {
        (v != "0").then_some("it takes one PMU counter of every CPU: sysctl kernel.nmi_watchdog=0")
    })
}

fn swap(roots: &Roots) -> StateItem {
    match proc_file(roots, "swaps") {
        Ok(text) => {
            let areas = text.lines().skip(1).filter(|l| !l.trim().is_empty()).count();
            let advice = (areas > 0).then_some(
                "a page that comes back from disk is a stall of milliseconds: swapoff -a",
            );
            let value = if areas == 0 { "off".to_owned() } else { format!("{areas} areas") };
            known("swap", value, advice)
        }
        Err(absent) => unknown("swap", absent),
    }
}

fn load(roots: &Roots, machine: &Machine) -> StateItem {
    match proc_file(roots, "loadavg") {
        Ok(text) => {
            let averages: Vec<&str> = text.split(' ').take(3).collect();
            let last_minute: f64 = averages.first().and_then(|l| l.parse().ok()).unwrap_or(0.0);
            let busy = last_minute > 0.2 * machine.topology.cpus.len().max(1) as f64;
            let advice = busy.then_some(
                "others were running in the last minute; blocks that they disturb are dropped: \
                 see `top`, wait, or stop them",
            );
            known("load", averages.join(" "), advice)
        }
        Err(absent) => unknown("load", absent),
    }
}

fn aslr(roots: &Roots) -> StateItem {
    sysctl(roots, "aslr", "kernel/randomize_va_space", |v| {
        (v == "0").then_some(
            "one address layout is one sample: with randomisation every process is another; \
             sysctl kernel.randomize_va_space=2",
        )
    })
}

fn nofile() -> StateItem {
    let limit = NofileLimit::read();
    let show = |l: Option<u64>| l.map_or("unlimited".to_owned(), |l| l.to_string());
    let value = format!("{} (hard {})", show(limit.soft), show(limit.hard));
    let advice = limit.hard.is_some_and(|hard| hard < 1024).then_some(
        "too few for many workers with counters: ulimit -Hn 65536 as root, \
         or LimitNOFILE= of the service",
    );
    known("nofile", value, advice)
}

fn isolated(roots: &Roots, machine: &Machine) -> StateItem {
    match sys_file(roots, "devices/system/cpu/isolated") {
        Ok(text) => {
            let cpus = cpulist::parse(&text).unwrap_or_default();
            let outside: Vec<u32> =
                cpus.iter().copied().filter(|c| !machine.affinity.contains(c)).collect();
            let advice = (!outside.is_empty()).then(|| {
                let list = cpulist::format(&outside);
                format!("CPUs kept free at boot are not in our mask: taskset -c {list} amdahl …")
            });
            let value = if cpus.is_empty() { "none".to_owned() } else { cpulist::format(&cpus) };
            known("isolated", value, advice.as_deref())
        }
        Err(absent) => unknown("isolated", absent),
    }
}

fn cgroup_quota(machine: &Machine) -> StateItem {
    match machine.cgroup.limits.quota_mcpu {
        Some(quota) => {
            let value = format!("{:.2} CPUs", quota as f64 / 1000.0);
            let advice = "a quota stops all threads at once for the rest of its period, after which a \
                          parallel program looks serial: lift it (docker: no --cpus; systemd: CPUQuota=)";
            known("cgroup_quota", value, Some(advice))
        }
        None if machine.cgroup.limits.version.is_some() => {
            known("cgroup_quota", "none".to_owned(), None)
        }
        None => {
            let reason = "no control group of the cpu controller is mounted".to_owned();
            unknown("cgroup_quota", Absence { reason, remedy: None })
        }
    }
}

fn tracefs(roots: &Roots) -> StateItem {
    match tracefs_dir(roots) {
        Ok(_) => known("tracefs", "readable".to_owned(), None),
        Err(absence) => unknown("tracefs", absence),
    }
}

/// tracefs, where it is mounted and open to this user; else why not, and the command that would help.
pub fn tracefs_dir(roots: &Roots) -> Result<PathBuf, Absence> {
    let places = ["kernel/tracing", "kernel/debug/tracing"].map(|p| roots.sys.join(p));
    let mut closed = None;
    for dir in places {
        match read_trimmed(&dir.join("events/sched/sched_waking/format")) {
            Ok(_) => return Ok(dir),
            Err(e) if e.kind() == ErrorKind::PermissionDenied => closed = closed.or(Some(dir)),
            Err(_) => {}
        }
    }
    let (reason, remedy) = match closed {
        Some(dir) => (
            format!("EACCES: {} is closed to this user", dir.display()),
            // Some kernels open directories by mode only, and files to the group alone.
            format!(
                "run as root, or sudo mount -o remount,mode=755,gid={} {}",
                rustix::process::getgid().as_raw(),
                dir.display()
            ),
        ),
        None => (
            format!("no tracefs at {}", roots.sys.join("kernel/tracing").display()),
            "sudo mount -t tracefs tracefs /sys/kernel/tracing, on a kernel with CONFIG_FTRACE_SYSCALLS; \
             in a container: on its host"
                .to_owned(),
        ),
    };
    Err(Absence { reason, remedy: Some(remedy) })
}

fn virtualised(roots: &Roots, host: &Host) -> StateItem {
    let Some(hypervisor) = &host.hypervisor else {
        return known("virtualised", "no".to_owned(), None);
    };
    let stat = roots.proc("stat").unwrap_or_default();
    let steal = stat.lines().next().and_then(|l| l.split_ascii_whitespace().nth(8));
    let (value, advice) = match steal {
        Some("0") | None => (
            format!("yes ({hypervisor}), steal never seen"),
            "a hypervisor may take CPUs away without saying so: run delay and the ceiling are the \
             only witnesses",
        ),
        Some(ticks) => (
            format!("yes ({hypervisor}), {ticks} ticks stolen since boot"),
            "the hypervisor takes CPUs away at times: blocks with over 1 % steal are dropped",
        ),
    };
    known("virtualised", value, Some(advice))
}

fn effective_capabilities(roots: &Roots) -> Option<u64> {
    let status = roots.proc("self/status")?;
    let line = status.lines().find_map(|l| l.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

fn sysctl(
    roots: &Roots,
    id: &str,
    path: &str,
    advice: impl Fn(&str) -> Option<&'static str>,
) -> StateItem {
    match proc_file(roots, &format!("sys/{path}")) {
        Ok(value) => {
            let advice = advice(&value);
            known(id, value, advice)
        }
        Err(absent) => unknown(id, absent),
    }
}

fn sys_file(roots: &Roots, path: &str) -> Result<String, Absence> {
    read_trimmed(&roots.sys.join(path)).map_err(|e| why_not(&format!("/sys/{path}"), &e))
}

fn proc_file(roots: &Roots, path: &str) -> Result<String, Absence> {
    read_trimmed(&roots.proc.join(path)).map_err(|e| why_not(&format!("/proc/{path}"), &e))
}

fn why_not(path: &str, error: &std::io::Error) -> Absence {
    match error.kind() {
        ErrorKind::NotFound => {
            Absence { reason: format!("ENOENT: this kernel has no {path}"), remedy: None }
        }
        ErrorKind::PermissionDenied => Absence {
            reason: format!("EACCES: {path} is closed to this user"),
            remedy: Some(format!("as root: cat {path}")),
        },
        _ => Absence { reason: format!("{path}: {error}"), remedy: None },
    }
}

fn known(id: &str, value: String, advice: Option<&str>) -> StateItem {
    let advice = advice.map(str::to_owned);
    StateItem { id: id.to_owned(), value: Some(value), absent: None, advice }
}

fn unknown(id: &str, absent: Absence) -> StateItem {
    StateItem { id: id.to_owned(), value: None, absent: Some(absent), advice: None }
}

#[cfg(test)]
mod tests;
