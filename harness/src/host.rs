//! Fingerprint of the machine: what two runs on it share. What changes between them is `state.rs`.

use amdahl_schema::Host;

use crate::procfs::Roots;
use crate::topology::Machine;

/// Reads the fingerprint; what the kernel does not say is absent.
pub fn read(roots: &Roots, machine: &Machine) -> Host {
    let uname = rustix::system::uname();
    let text = |s: &std::ffi::CStr| s.to_string_lossy().into_owned();
    let cpuinfo = roots.proc("cpuinfo").unwrap_or_default();
    Host {
        name: text(uname.nodename()),
        kernel: text(uname.release()),
        arch: text(uname.machine()),
        cpu_model: cpu_model(roots, &cpuinfo),
        hypervisor: hypervisor(roots, &cpuinfo),
        mem_bytes: mem_bytes(roots),
        cpus: machine.topology.cpus.clone(),
        affinity: machine.affinity.clone(),
        cgroup: machine.cgroup.limits.clone(),
        cpus_available: machine.cpus_available,
        cpus_note: machine.note.clone(),
        clocksource: roots.sys(&format!("{CLOCKSOURCE}/current_clocksource")),
        llc_bytes: machine.topology.llc_bytes,
    }
}

const CLOCKSOURCE: &str = "devices/system/clocksource/clocksource0";

/// First value of a key of /proc/cpuinfo.
pub(crate) fn cpuinfo_field<'a>(cpuinfo: &'a str, key: &str) -> Option<&'a str> {
    cpuinfo.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == key && !value.trim().is_empty()).then(|| value.trim())
    })
}

fn cpu_model(roots: &Roots, cpuinfo: &str) -> Option<String> {
    if let Some(name) = cpuinfo_field(cpuinfo, "model name") {
        return Some(name.to_owned());
    }
    // ARM gives numbers (MIDR); boards put a name in the device tree.
    let part = cpuinfo_field(cpuinfo, "CPU part")?;
    let implementer = cpuinfo_field(cpuinfo, "CPU implementer").unwrap_or("?");
    let board = roots.sys("firmware/devicetree/base/model");
    let board = board.map(|b| format!(", {}", b.trim_end_matches('\0'))).unwrap_or_default();
    Some(format!("ARM implementer {implementer} part {part}{board}"))
}

/// The hypervisor's name, or that there is one; `None` on bare metal as far as the kernel knows.
fn hypervisor(roots: &Roots, cpuinfo: &str) -> Option<String> {
    if let Some(kind) = roots.sys("hypervisor/type") {
        return Some(kind);
    }
    let dmi = |name: &str| roots.sys(&format!("class/dmi/id/{name}")).unwrap_or_default();
    let (vendor, product) = (dmi("sys_vendor"), dmi("product_name"));
    let dmi_names_vm = ["KVM", "QEMU", "Virtual", "VMware", "Google Compute Engine", "Firecracker"]
        .iter()
        .any(|k| vendor.contains(k) || product.contains(k))
        || (vendor == "Amazon EC2" && !product.ends_with(".metal"));
    let flagged = cpuinfo_field(cpuinfo, "flags")
        .is_some_and(|flags| flags.split(' ').any(|f| f == "hypervisor"));
    let device_tree = roots.sys("firmware/devicetree/base/hypervisor/compatible");
    if !flagged && !dmi_names_vm && device_tree.is_none() {
        return None;
    }
    // A paravirtual clock is offered by exactly one hypervisor, also where there is no DMI.
    let clocks = roots.sys(&format!("{CLOCKSOURCE}/available_clocksource")).unwrap_or_default();
    let by_clock = [("kvm-clock", "KVM"), ("hyperv", "Hyper-V"), ("xen", "Xen")]
        .iter()
        .find(|(clock, _)| clocks.contains(clock))
        .map(|(_, name)| *name);
    let names = [by_clock.unwrap_or_default(), &vendor, &product];
    let names: Vec<&str> = names.into_iter().filter(|n| !n.is_empty()).collect();
    Some(match (names.is_empty(), device_tree) {
        (false, _) => names.join(" "),
        (true, Some(compatible)) => compatible.trim_end_matches('\0').to_owned(),
        (true, None) => "unnamed (the CPU's hypervisor flag is set)".to_owned(),
    })
}

fn mem_bytes(roots: &Roots) -> Option<u64> {
    let meminfo = roots.proc("meminfo")?;
    let kib = meminfo.lines().find_map(|l| l.strip_prefix("MemTotal:"))?;
    kib.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::procfs::tests::Fixture;

    fn host(files: &[(&str, &str)]) -> Host {
        let f = Fixture::new().with(files);
        read(&f.roots(), &Machine::read(&f.roots()))
    }

    #[test]
    fn a_kvm_guest_without_dmi_is_named_by_its_clock() {
        let h = host(&[
            (
                "proc/cpuinfo",
                "processor\t: 0\nmodel name\t: Xeon X\nflags\t\t: fpu hypervisor tsc\n",
            ),
            ("proc/meminfo", "MemTotal:       1024 kB\nMemFree: 5 kB\n"),
            ("sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n"),
            (
                "sys/devices/system/clocksource/clocksource0/available_clocksource",
                "tsc kvm-clock\n",
            ),
        ]);
        assert_eq!(h.hypervisor.as_deref(), Some("KVM"));
        assert_eq!(h.cpu_model.as_deref(), Some("Xeon X"));
        assert_eq!((h.mem_bytes, h.clocksource.as_deref()), (Some(1 << 20), Some("tsc")));
        assert!(!h.kernel.is_empty() && !h.arch.is_empty());
    }

    #[test]
    fn bare_metal_and_cloud_metal_have_no_hypervisor() {
        assert_eq!(host(&[("proc/cpuinfo", "flags : fpu tsc\n")]).hypervisor, None);
        let ec2 = |product| {
            host(&[
                ("sys/class/dmi/id/sys_vendor", "Amazon EC2\n"),
                ("sys/class/dmi/id/product_name", product),
            ])
        };
        assert_eq!(ec2("c7g.metal\n").hypervisor, None);
        assert_eq!(ec2("c7g.large\n").hypervisor.as_deref(), Some("Amazon EC2 c7g.large"));
    }

    #[test]
    fn arm_is_named_by_its_part() {
        let h = host(&[
            ("proc/cpuinfo", "CPU implementer\t: 0x41\nCPU part\t: 0xd0c\n"),
            ("sys/firmware/devicetree/base/model", "Raspberry Pi 5\0"),
        ]);
        let model = h.cpu_model.expect("named");
        assert_eq!(model, "ARM implementer 0x41 part 0xd0c, Raspberry Pi 5");
    }

    #[test]
    fn nothing_known_is_nothing_claimed() {
        let h = host(&[]);
        assert_eq!((h.cpu_model, h.hypervisor, h.mem_bytes), (None, None, None));
        assert_eq!(h.cpus_available, 1);
    }
}
