//! Which machine a run was made on, as one word: series of different machines are different series.

use amdahl_schema::Host;
use sha2::{Digest, Sha256};

/// The host's name and eight digits of a hash over what makes figures incomparable: name, architecture, CPU model and places, hypervisor,
/// affinity, quota, memory. The kernel is left out: a new one is an event in a history, not another history.
pub fn host_label(host: &Host) -> String {
    let same = (
        (&host.name, &host.arch, &host.cpu_model, &host.hypervisor, host.mem_bytes),
        (&host.cpus, &host.affinity, host.cgroup.quota_mcpu, host.cgroup.mem_bytes),
    );
    let digest = Sha256::digest(serde_json::to_string(&same).unwrap_or_default());
    let digest: String = digest.iter().take(4).map(|b| format!("{b:02x}")).collect();
    // It becomes the name of a directory.
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    format!("{}-{digest}", host.name.chars().map(plain).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_another_host_and_a_new_kernel_is_not() {
        let host = Host { name: "a/b".into(), cpus_available: 2, ..Host::default() };
        let label = host_label(&host);
        assert!(label.starts_with("a-b-") && label.len() == 12, "{label}");
        let kernel = Host { kernel: "9".into(), ..host.clone() };
        assert_eq!(host_label(&kernel), label);
        let smaller = Host { mem_bytes: Some(1), ..host.clone() };
        let pinned = Host { affinity: vec![0], ..host };
        assert!(host_label(&smaller) != label && host_label(&pinned) != label);
    }
}
