//! Machines as sysfs shows them: two sockets with SMT, ARM without, offline CPUs, containers.

use super::*;
use crate::procfs::tests::Fixture;

/// Adds a CPU with its siblings and socket.
fn cpu(f: Fixture, n: u32, siblings: &str, socket: &str) -> Fixture {
    let dir = format!("sys/devices/system/cpu/cpu{n}/topology");
    f.with(&[
        (&format!("{dir}/thread_siblings_list"), siblings),
        (&format!("{dir}/physical_package_id"), socket),
    ])
}

fn two_sockets_with_smt() -> Fixture {
    let mut f = Fixture::new().with(&[
        ("sys/devices/system/cpu/online", "0-7\n"),
        ("sys/devices/system/node/online", "0-1\n"),
        ("sys/devices/system/node/node0/cpulist", "0-1,4-5\n"),
        ("sys/devices/system/node/node1/cpulist", "2-3,6-7\n"),
        ("sys/devices/system/cpu/cpu0/cache/index0/level", "1"),
        ("sys/devices/system/cpu/cpu0/cache/index0/type", "Data"),
        ("sys/devices/system/cpu/cpu0/cache/index0/size", "48K"),
        ("sys/devices/system/cpu/cpu0/cache/index1/level", "3"),
        ("sys/devices/system/cpu/cpu0/cache/index1/type", "Unified"),
        ("sys/devices/system/cpu/cpu0/cache/index1/size", "32M"),
        ("proc/self/status", "Name:\tx\nCpus_allowed_list:\t0-7\n"),
    ]);
    for n in 0..8 {
        let (low, high) = (n % 4, n % 4 + 4);
        f = cpu(f, n, &format!("{low},{high}\n"), if n % 4 < 2 { "0\n" } else { "1\n" });
    }
    f
}

#[test]
fn two_sockets_with_smt_are_four_cores() {
    let f = two_sockets_with_smt();
    let m = Machine::read(&f.roots());
    assert_eq!(m.topology.cpus[6], CpuInfo { cpu: 6, core: 2, socket: 1, node: 1 });
    assert_eq!((m.topology.cores(), m.topology.sockets(), m.topology.smt()), (4, 2, true));
    assert_eq!(m.topology.llc_bytes, Some(32 << 20));
    assert_eq!((m.cpus_available, m.note.as_deref()), (4, None));
    assert!(m.topology.assumed.is_empty());
    assert_eq!(m.worker_counts(None), [1, 2, 4, 8, 16]);
    assert_eq!(m.place(Policy::Cores, 4).cpus, [0, 1, 2, 3]);
}

#[test]
fn offline_cpus_are_not_there() {
    let f = two_sockets_with_smt().with(&[
        ("sys/devices/system/cpu/online", "1,4-7\n"),
        ("proc/self/status", "Cpus_allowed_list:\t0-7\n"),
    ]);
    let m = Machine::read(&f.roots());
    assert_eq!(m.affinity, [1, 4, 5, 6, 7]);
    assert_eq!(m.topology.cpus[1].core, 4, "its sibling 0 is offline");
    assert_eq!(m.topology.cores(), 4);
}

#[test]
fn arm_without_smt_has_a_core_a_cpu() {
    let mut f = Fixture::new().with(&[
        ("sys/devices/system/cpu/online", "0-3\n"),
        ("proc/self/status", "Cpus_allowed_list:\t0-3\n"),
    ]);
    for n in 0..4 {
        f = cpu(f, n, &format!("{n}\n"), "-1\n");
    }
    let m = Machine::read(&f.roots());
    assert_eq!((m.topology.cores(), m.topology.smt(), m.cpus_available), (4, false, 4));
    assert!(m.topology.cpus.iter().all(|c| c.socket == 0 && c.node == 0));
    assert_eq!(m.topology.llc_bytes, None);
}

#[test]
fn a_container_without_sysfs_still_has_its_mask() {
    let f = Fixture::new().with(&[("proc/self/status", "Cpus_allowed_list:\t2,5\n")]);
    let m = Machine::read(&f.roots());
    assert_eq!(m.affinity, [2, 5]);
    assert_eq!(m.cpus_available, 2);
    assert_eq!(m.topology.assumed.len(), 2, "{:?}", m.topology.assumed);
    let nothing = Machine::read(&Fixture::new().roots());
    assert_eq!((nothing.cpus_available, nothing.affinity.len()), (1, 0));
    assert_eq!(nothing.place(Policy::Cores, 2).cpus, [0u32; 0]);
}

#[test]
fn taskset_and_quota_each_lower_the_count_and_say_so() {
    let f = two_sockets_with_smt().with(&[("proc/self/status", "Cpus_allowed_list:\t0,4\n")]);
    let m = Machine::read(&f.roots());
    assert_eq!(m.cpus_available, 1, "two siblings are one core");
    let note = m.note.expect("a reason");
    assert!(note.contains("taskset") && note.contains("0,4"), "{note}");

    let quota = |mcpu| {
        let limits = Cgroup { version: Some(2), quota_mcpu: Some(mcpu), mem_bytes: None };
        let topology = Topology::read(&two_sockets_with_smt().roots(), &[]);
        Machine::assemble(topology, &[], CgroupLimits { limits, ..CgroupLimits::default() })
    };
    assert_eq!(quota(2900).cpus_available, 2);
    assert!(quota(2900).note.expect("a reason").contains("quota is 2.90"));
    assert_eq!(quota(300).cpus_available, 1);
    assert_eq!((quota(9000).cpus_available, quota(9000).note), (4, None));
    assert_eq!(quota(3000).worker_counts(Some(4)), [1, 2, 3, 4]);
}

#[test]
fn a_cpuset_is_named_as_the_cause() {
    let f = two_sockets_with_smt().with(&[
        ("proc/self/status", "Cpus_allowed_list:\t0-1\n"),
        ("proc/self/cgroup", "0::/job\n"),
        ("proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 none rw\n"),
        ("sys/fs/cgroup/job/cpuset.cpus.effective", "0-1\n"),
    ]);
    let note = Machine::read(&f.roots()).note.expect("a reason");
    assert!(note.starts_with("2 of 4 cores: ") && note.contains("cpuset"), "{note}");
}

#[test]
fn this_machine_reads() {
    let m = Machine::read(&Roots::default());
    let here = std::thread::available_parallelism().expect("known").get() as u32;
    assert!(m.cpus_available >= 1 && m.cpus_available <= here);
    assert!(!m.affinity.is_empty());
}
