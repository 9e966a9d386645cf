//! Which carrier goes where, and which worker counts a machine asks for. Pure: topology in, list out.

use std::collections::BTreeMap;
use std::str::FromStr;

use amdahl_schema::{CpuInfo, Placement};

use super::Topology;

/// How carriers are put on CPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// One per physical core, filling a socket first; then the SMT siblings.
    Cores,
    /// One per physical core, sockets in turn; then the SMT siblings.
    Spread,
    /// SMT siblings together, core by core.
    Smt,
    /// Left to the kernel.
    None,
}

impl Policy {
    /// All, in the order they are documented.
    pub const ALL: [Self; 4] = [Self::Cores, Self::Spread, Self::Smt, Self::None];

    /// The name on the command line and in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cores => "cores",
            Self::Spread => "spread",
            Self::Smt => "smt",
            Self::None => "none",
        }
    }
}

/// Not a placement.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown placement `{0}`: use cores, spread, smt or none")]
pub struct UnknownPolicy(
    /// What was given.
    pub String,
);

impl FromStr for Policy {
    type Err = UnknownPolicy;

    fn from_str(s: &str) -> Result<Self, UnknownPolicy> {
        Self::ALL.into_iter().find(|p| p.as_str() == s).ok_or_else(|| UnknownPolicy(s.to_owned()))
    }
}

/// Puts `n` carriers on the CPUs of `affinity`, wrapping around once all are taken.
///
/// `exclusive` holds iff every carrier has a CPU of its own; without a usable CPU, as with
/// [`Policy::None`], nothing is pinned.
pub fn place(policy: Policy, topology: &Topology, affinity: &[u32], n: u32) -> Placement {
    let order = order(policy, topology, affinity);
    let cpus = order.iter().copied().cycle().take(n as usize).collect();
    let exclusive = !order.is_empty() && n as usize <= order.len();
    Placement { policy: policy.as_str().to_owned(), cpus, exclusive }
}

/// The worker counts where this machine may change its behaviour, ascending, at most `max`:
/// powers of two, and every break (cores of the first socket, of the first two …, all cores, all
/// logical CPUs, twice as many).
pub fn worker_counts(topology: &Topology, affinity: &[u32], max: Option<u32>) -> Vec<u32> {
    let usable: Vec<&CpuInfo> =
        topology.cpus.iter().filter(|c| affinity.contains(&c.cpu)).collect();
    let logical = usable.len().max(1) as u32;
    let mut counts: Vec<u32> = std::iter::successors(Some(1u32), |n| n.checked_mul(2))
        .take_while(|n| *n <= 2 * logical)
        .collect();
    let mut cores: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for c in &usable {
        cores.entry(c.socket).or_default().push(c.core);
    }
    let mut total = 0;
    for of_socket in cores.values_mut() {
        of_socket.sort_unstable();
        of_socket.dedup();
        total += of_socket.len() as u32;
        counts.push(total);
    }
    counts.extend([logical, 2 * logical]);
    counts.retain(|n| max.is_none_or(|max| *n <= max));
    counts.sort_unstable();
    counts.dedup();
    counts
}

/// Usable CPUs in the order in which carriers take them.
fn order(policy: Policy, topology: &Topology, affinity: &[u32]) -> Vec<u32> {
    if policy == Policy::None {
        return Vec::new();
    }
    let mut cpus: Vec<&CpuInfo> =
        topology.cpus.iter().filter(|c| affinity.contains(&c.cpu)).collect();
    cpus.sort_by_key(|c| (c.socket, c.node, c.core, c.cpu));
    // How many siblings of its core, and how many CPUs of its socket with as many, come before it.
    let mut siblings: BTreeMap<u32, usize> = BTreeMap::new();
    let mut seats: BTreeMap<(u32, usize), usize> = BTreeMap::new();
    let mut seated: Vec<(usize, usize, &CpuInfo)> = Vec::with_capacity(cpus.len());
    for c in cpus {
        let sibling = next(&mut siblings, c.core);
        let seat = next(&mut seats, (c.socket, sibling));
        seated.push((sibling, seat, c));
    }
    match policy {
        Policy::Cores => seated.sort_by_key(|(sibling, ..)| *sibling),
        Policy::Spread => {
            seated.sort_by_key(|(sibling, seat, c)| (*sibling, *seat, c.socket));
        }
        Policy::Smt | Policy::None => {}
    }
    seated.into_iter().map(|(.., c)| c.cpu).collect()
}

fn next<K: Ord>(counts: &mut BTreeMap<K, usize>, key: K) -> usize {
    let count = counts.entry(key).or_default();
    *count += 1;
    *count - 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `sockets` x `cores` x `smt`, siblings numbered as Linux does on x86: all first ones first.
    fn machine(sockets: u32, cores: u32, smt: u32) -> Topology {
        let total = sockets * cores;
        let cpus = (0..total * smt)
            .map(|cpu| {
                let core = cpu % total;
                CpuInfo { cpu, core, socket: core / cores, node: core / cores }
            })
            .collect();
        Topology { cpus, ..Topology::default() }
    }

    #[test]
    fn each_policy_fills_in_its_own_order() {
        let t = machine(2, 2, 2);
        let all = t.logical();
        let cpus = |p, n| place(p, &t, &all, n).cpus;
        assert_eq!(cpus(Policy::Cores, 8), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(cpus(Policy::Spread, 8), [0, 2, 1, 3, 4, 6, 5, 7]);
        assert_eq!(cpus(Policy::Smt, 8), [0, 4, 1, 5, 2, 6, 3, 7]);
        assert_eq!(cpus(Policy::Cores, 10), [0, 1, 2, 3, 4, 5, 6, 7, 0, 1]);
        let none = place(Policy::None, &t, &all, 3);
        assert_eq!((none.cpus, none.exclusive), (vec![], false));
    }

    #[test]
    fn a_lone_second_sibling_counts_as_a_core() {
        let t = machine(1, 2, 2);
        assert_eq!(place(Policy::Cores, &t, &[0, 2, 3], 3).cpus, [0, 3, 2]);
    }

    #[test]
    fn worker_counts_name_every_break() {
        let t = machine(2, 6, 2);
        assert_eq!(worker_counts(&t, &t.logical(), None), [1, 2, 4, 6, 8, 12, 16, 24, 32, 48]);
        assert_eq!(worker_counts(&t, &t.logical(), Some(12)), [1, 2, 4, 6, 8, 12]);
        assert_eq!(worker_counts(&t, &[3], None), [1, 2]);
        assert_eq!(worker_counts(&t, &[], None), [1, 2], "no CPU known is treated as one");
    }

    #[test]
    fn names_round_trip() {
        for p in Policy::ALL {
            assert_eq!(p.as_str().parse(), Ok(p));
        }
        assert!("core".parse::<Policy>().expect_err("no such").to_string().contains("cores"));
    }

    proptest! {
        #[test]
        fn carriers_have_cpus_of_their_own_while_there_are_enough(
            (sockets, cores, smt) in (1u32..4, 1u32..9, 1u32..3),
            mask in any::<u64>(),
            n in 0u32..100,
            policy in proptest::sample::select(&[Policy::Cores, Policy::Spread, Policy::Smt]),
        ) {
            let t = machine(sockets, cores, smt);
            let affinity: Vec<u32> =
                t.logical().into_iter().filter(|c| mask >> (c % 64) & 1 == 1).collect();
            let p = place(policy, &t, &affinity, n);
            let mut distinct = p.cpus.clone();
            distinct.sort_unstable();
            distinct.dedup();
            prop_assert!(distinct.iter().all(|c| affinity.contains(c)));
            if affinity.is_empty() {
                prop_assert!(p.cpus.is_empty() && !p.exclusive);
            } else {
                prop_assert_eq!(p.cpus.len(), n as usize);
                prop_assert_eq!(distinct.len(), affinity.len().min(n as usize));
                prop_assert_eq!(p.exclusive, n as usize <= affinity.len());
            }
            let cores_used = t.cores_of(&p.cpus).len();
            if policy != Policy::Smt {
                prop_assert_eq!(cores_used, t.cores_of(&affinity).len().min(n as usize));
            }
        }
    }
}
