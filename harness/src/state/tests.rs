//! A machine nobody has tuned, a quiet one, and one that says nothing.

use super::*;
use crate::host;
use crate::procfs::tests::Fixture;

fn state(files: &[(&str, &str)]) -> MachineState {
    let f = Fixture::new().with(files);
    let machine = Machine::read(&f.roots());
    read(&f.roots(), &machine, &host::read(&f.roots(), &machine))
}

fn item<'a>(state: &'a MachineState, id: &str) -> &'a StateItem {
    state.items.iter().find(|i| i.id == id).expect("an item")
}

#[test]
fn an_untuned_machine_gets_a_command_for_each_item() {
    let cpu = "sys/devices/system/cpu";
    let s = state(&[
        (&format!("{cpu}/online"), "0-1"),
        (&format!("{cpu}/isolated"), "1\n"),
        (&format!("{cpu}/cpu0/cpufreq/scaling_governor"), "powersave\n"),
        (&format!("{cpu}/intel_pstate/no_turbo"), "0\n"),
        (&format!("{cpu}/smt/control"), "on\n"),
        (&format!("{cpu}/cpu0/topology/core_cpus_list"), "0-1\n"),
        (&format!("{cpu}/cpu1/topology/core_cpus_list"), "0-1\n"),
        ("sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n"),
        ("proc/sys/kernel/numa_balancing", "1\n"),
        ("proc/sys/kernel/perf_event_paranoid", "2\n"),
        ("proc/sys/kernel/nmi_watchdog", "1\n"),
        ("proc/sys/kernel/randomize_va_space", "0\n"),
        ("proc/swaps", "Filename Type\n/dev/sda2 partition\n"),
        ("proc/loadavg", "3.10 1.00 0.50 1/90 7\n"),
        ("proc/self/status", "Cpus_allowed_list:\t0\nCapEff:\t0000000000000000\n"),
    ]);
    let commands = [
        ("governor", "cpupower"),
        ("boost", "no_turbo"),
        ("smt", "smt/control"),
        ("thp", "madvise"),
        ("numa_balancing", "numa_balancing=0"),
        ("perf_event_paranoid", "CAP_PERFMON"),
        ("nmi_watchdog", "nmi_watchdog=0"),
        ("aslr", "randomize_va_space=2"),
        ("swap", "swapoff"),
        ("load", "top"),
        ("isolated", "taskset -c 1"),
    ];
    for (id, command) in commands {
        let advice = item(&s, id).advice.as_deref();
        assert!(advice.is_some_and(|a| a.contains(command)), "{id}: {advice:?}");
    }
}

#[test]
fn a_quiet_machine_gets_none() {
    let s = state(&[
        ("sys/devices/system/cpu/online", "0"),
        ("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n"),
        ("sys/devices/system/cpu/cpufreq/boost", "0\n"),
        ("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n"),
        ("sys/kernel/tracing/events/sched/sched_waking/format", "ID: 1"),
        ("proc/sys/kernel/perf_event_paranoid", "2\n"),
        ("proc/self/status", "Cpus_allowed_list:\t0\nCapEff:\t000001ffffffffff\n"),
        ("proc/swaps", "Filename Type\n"),
        ("proc/loadavg", "0.01 0.02 0.00 1/90 7\n"),
    ]);
    for id in ["governor", "boost", "thp", "perf_event_paranoid", "swap", "load", "tracefs"] {
        let i = item(&s, id);
        assert!(i.value.is_some() && i.advice.is_none(), "{i:?}");
    }
    assert_eq!(item(&s, "thp").value.as_deref(), Some("madvise"));
    assert_eq!(item(&s, "virtualised").value.as_deref(), Some("no"));
}

#[test]
fn every_item_is_a_value_or_a_reason() {
    for s in [state(&[]), state(&[("proc/cpuinfo", "flags : hypervisor\n")])] {
        for i in &s.items {
            assert!(i.value.is_some() != i.absent.is_some(), "{i:?}");
        }
    }
    let s = state(&[
        ("proc/cpuinfo", "flags : hypervisor\n"),
        ("proc/stat", "cpu 1 2 3 4 5 6 7 19 0 0\n"),
    ]);
    assert!(item(&s, "virtualised").value.as_ref().is_some_and(|v| v.contains("19 ticks")));
}

#[test]
fn a_tracefs_that_is_not_there_is_named_with_the_command_that_trace_names() {
    let f = Fixture::new().with(&[("proc/loadavg", "0.01 0.02 0.00 1/90 7\n")]);
    let machine = Machine::read(&f.roots());
    let state = read(&f.roots(), &machine, &host::read(&f.roots(), &machine));
    let absence = tracefs_dir(&f.roots()).unwrap_err();
    assert!(
        absence.remedy.as_ref().unwrap().contains("sudo mount -t tracefs tracefs"),
        "{absence:?}"
    );
    assert_eq!(item(&state, "tracefs").absent.as_ref(), Some(&absence));
}
