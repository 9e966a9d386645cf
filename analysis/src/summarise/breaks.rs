//! Worker counts behind which a run's placement makes the machine another one: SMT siblings, another socket, shared CPUs.
//!
//! Read off the placements as planned: the CPUs of the trial with the most workers are in the order in which workers take
//! them, so where a smaller N ends is a place in that list.

use std::collections::BTreeSet;

use amdahl_schema::{Host, Plan};
use amdahl_stats::laws::{Break, Change};

/// Breaks of a run, ascending, and what is so for the second worker already: one alone shares nothing, so that ends no fit.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Breaks {
    pub(super) from_two: Option<Change>,
    pub(super) later: Vec<Break>,
}

pub(super) fn breaks(plan: &Plan, host: &Host) -> Breaks {
    let placements = plan.blocks.iter().flat_map(|b| &b.trials).map(|t| &t.placement.cpus);
    let order = placements.max_by_key(|cpus| cpus.len()).map_or(&[][..], Vec::as_slice);
    let mut found = along(order, host);
    // A quota, or workers that the kernel places, end at the CPUs available.
    let cpus = Break { after: f64::from(host.cpus_available), change: Change::Cpus };
    if order.is_empty() || has_quota(host) {
        found.retain(|b| b.after < cpus.after);
        found.push(cpus);
    }
    let mut breaks = Breaks::default();
    // Sockets in turn: the third one at N = 3 is still the beginning.
    let mut beginning = 1.0;
    for b in found {
        if b.after == beginning
            && breaks.from_two.is_none_or(|c| c == b.change)
            && b.change != Change::Cpus
        {
            breaks.from_two = Some(b.change);
            beginning += 1.0;
        } else {
            breaks.later.push(b);
        }
    }
    breaks
}

/// The first worker on a sibling of a core in use, each first one on another socket, the first on a CPU in use.
fn along(order: &[u32], host: &Host) -> Vec<Break> {
    let (mut cpus, mut cores, mut sockets) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let (mut found, mut siblings) = (Vec::new(), false);
    for (k, cpu) in order.iter().enumerate() {
        let mut add = |change| found.push(Break { after: k as f64, change });
        if !cpus.insert(*cpu) {
            add(Change::Cpus);
            break;
        }
        let Some(place) = host.cpus.iter().find(|c| c.cpu == *cpu) else { continue };
        if sockets.insert(place.socket) && k > 0 {
            add(Change::Socket);
        }
        if !cores.insert(place.core) && !siblings {
            siblings = true;
            add(Change::Smt);
        }
    }
    found
}

/// Whether fewer CPUs are available than there are cores to run on.
fn has_quota(host: &Host) -> bool {
    let mine = host.cpus.iter().filter(|c| host.affinity.contains(&c.cpu));
    let cores: BTreeSet<u32> = mine.map(|c| c.core).collect();
    (host.cpus_available as usize) < cores.len()
}

#[cfg(test)]
mod tests {
    use amdahl_schema::{CpuInfo, Placement};

    use super::*;
    use crate::synth::{self, Spec};

    /// Two sockets of four cores with two siblings each, numbered as Linux does: first siblings first.
    fn at(order: &[u32], available: u32) -> Breaks {
        let place = |cpu: u32| {
            let core = cpu % 8;
            CpuInfo { cpu, core, socket: core / 4, node: core / 4 }
        };
        let host = Host {
            cpus: (0..16).map(place).collect(),
            affinity: (0..16).collect(),
            cpus_available: available,
            ..Host::default()
        };
        let (mut header, _) = synth::run(&Spec { workers: vec![1, 2], ..Spec::default() });
        for t in header.plan.blocks.iter_mut().flat_map(|b| &mut b.trials) {
            let n = if t.workers == 1 { 1.min(order.len()) } else { order.len() };
            let cpus = order[..n].to_vec();
            t.placement = Placement { policy: "cores".to_owned(), cpus, exclusive: true };
        }
        breaks(&header.plan, &host)
    }

    fn later(b: &Breaks) -> Vec<(u32, Change)> {
        b.later.iter().map(|b| (b.after as u32, b.change)).collect()
    }

    #[test]
    fn cores_cross_to_the_next_socket_and_then_to_siblings() {
        let b = at(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1], 8);
        assert_eq!(later(&b), [(4, Change::Socket), (8, Change::Smt), (16, Change::Cpus)]);
        assert_eq!(b.from_two, None);
    }

    #[test]
    fn spread_uses_both_sockets_from_two_on_and_crosses_to_siblings_alone() {
        let b = at(&[0, 4, 1, 5, 2, 6, 3, 7, 8, 12], 8);
        assert_eq!((b.from_two, later(&b)), (Some(Change::Socket), vec![(8, Change::Smt)]));
    }

    #[test]
    fn smt_shares_cores_from_two_on_and_crosses_to_the_next_socket() {
        let b = at(&[0, 8, 1, 9, 2, 10, 3, 11, 4, 12], 8);
        assert_eq!((b.from_two, later(&b)), (Some(Change::Smt), vec![(8, Change::Socket)]));
    }

    #[test]
    fn what_the_placement_does_not_reach_is_no_break() {
        assert_eq!(at(&[0, 1, 2, 3], 8), Breaks::default());
        assert_eq!(at(&[5, 6, 7], 8), Breaks::default(), "one socket, though the second");
    }

    #[test]
    fn without_pinning_or_with_a_quota_the_cpus_available_are_the_break() {
        assert_eq!(later(&at(&[], 8)), [(8, Change::Cpus)]);
        let b = at(&[0, 1, 2, 3, 4, 5, 6, 7, 8], 6);
        assert_eq!(later(&b), [(4, Change::Socket), (6, Change::Cpus)]);
        assert_eq!(
            later(&at(&[], 1)),
            [(1, Change::Cpus)],
            "one CPU is shared from two on: no fit"
        );
    }
}
