//! What CPUs there are, where they sit, and how many of them we may use.
//!
//! Reads sysfs, the affinity mask and the control group; every missing file has a stated assumption
//! instead of an error, because containers hide much of it. Pins nothing: carriers are put on the
//! CPUs of a [`Placement`](amdahl_schema::Placement) by the runner.

pub mod cgroup;
pub mod cpulist;
mod place;

use amdahl_schema::{Cgroup, CpuInfo};

pub use cgroup::CgroupLimits;
pub use place::{Policy, UnknownPolicy, place, worker_counts};

pub use crate::procfs::Roots;

/// Online CPUs and their place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Topology {
    /// Online CPUs, ascending.
    pub cpus: Vec<CpuInfo>,
    /// Last-level cache of the first CPU, bytes (one instance, not the sum over sockets).
    pub llc_bytes: Option<u64>,
    /// What had to be assumed because the kernel did not say.
    pub assumed: Vec<String>,
}

impl Topology {
    /// Reads the machine. `fallback` are the CPUs to believe in where nothing names the online ones.
    pub fn read(roots: &Roots, fallback: &[u32]) -> Self {
        let mut assumed = Vec::new();
        let online = roots
            .sys("devices/system/cpu/online")
            .and_then(|text| cpulist::parse(&text))
            .filter(|cpus| !cpus.is_empty())
            .unwrap_or_else(|| {
                assumed.push("no list of online CPUs: those of the affinity mask".to_owned());
                fallback.to_vec()
            });
        let nodes = Nodes::read(roots);
        let mut alone = 0;
        let cpus = online
            .iter()
            .map(|&cpu| {
                let core = core_of(roots, cpu, &online);
                alone += u32::from(core.is_none());
                let socket = topology_number(roots, cpu, "physical_package_id");
                // ARM boards without a firmware table say -1.
                let socket = socket.and_then(|id| u32::try_from(id).ok()).unwrap_or(0);
                CpuInfo { cpu, core: core.unwrap_or(cpu), socket, node: nodes.of(cpu) }
            })
            .collect();
        if alone > 0 {
            assumed
                .push(format!("{alone} CPUs without topology: each taken for a core of its own"));
        }
        let llc_bytes = online.first().and_then(|&cpu| last_level_cache(roots, cpu));
        Self { cpus, llc_bytes, assumed }
    }

    /// Distinct physical cores among `cpus`, ascending.
    pub fn cores_of(&self, cpus: &[u32]) -> Vec<u32> {
        let mut cores: Vec<u32> =
            self.cpus.iter().filter(|c| cpus.contains(&c.cpu)).map(|c| c.core).collect();
        cores.sort_unstable();
        cores.dedup();
        cores
    }

    /// Logical CPUs, ascending.
    pub fn logical(&self) -> Vec<u32> {
        self.cpus.iter().map(|c| c.cpu).collect()
    }

    /// Physical cores of the whole machine.
    pub fn cores(&self) -> usize {
        self.cores_of(&self.logical()).len()
    }

    /// Sockets of the whole machine.
    pub fn sockets(&self) -> usize {
        let mut sockets: Vec<u32> = self.cpus.iter().map(|c| c.socket).collect();
        sockets.sort_unstable();
        sockets.dedup();
        sockets.len()
    }

    /// Whether some core carries more than one online CPU.
    pub fn smt(&self) -> bool {
        self.cores() < self.cpus.len()
    }
}

/// The CPUs we may use, and why not more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// All that is online.
    pub topology: Topology,
    /// Online CPUs of our affinity mask, ascending.
    pub affinity: Vec<u32>,
    /// Limits of our control group.
    pub cgroup: CgroupLimits,
    /// min(physical cores in the affinity mask, floor of the quota), at least 1.
    pub cpus_available: u32,
    /// Why that is less than the machine's cores; absent where it is not.
    pub note: Option<String>,
}

impl Machine {
    /// Reads topology, affinity mask and control group of the calling process.
    pub fn read(roots: &Roots) -> Self {
        let allowed = affinity(roots);
        Self::assemble(Topology::read(roots, &allowed), &allowed, CgroupLimits::read(roots))
    }

    /// The same from parts.
    pub fn assemble(topology: Topology, allowed: &[u32], cgroup: CgroupLimits) -> Self {
        let mut affinity = topology.logical();
        if !allowed.is_empty() {
            affinity.retain(|cpu| allowed.contains(cpu));
        }
        let cores = topology.cores_of(&affinity).len().max(1);
        let quota = cgroup.limits.quota_mcpu.map(|m| (m / 1000).max(1) as usize);
        let available = cores.min(quota.unwrap_or(usize::MAX));
        let note = (available < topology.cores())
            .then(|| why_fewer(&topology, &affinity, &cgroup, cores, available));
        Self { topology, affinity, cgroup, cpus_available: available as u32, note }
    }

    /// [`worker_counts`] of this machine, with the CPUs available among the breaks.
    pub fn worker_counts(&self, max: Option<u32>) -> Vec<u32> {
        let mut counts = worker_counts(&self.topology, &self.affinity, max);
        if max.is_none_or(|max| self.cpus_available <= max) {
            counts.push(self.cpus_available);
        }
        counts.sort_unstable();
        counts.dedup();
        counts
    }

    /// [`place()`] on this machine.
    pub fn place(&self, policy: Policy, n: u32) -> amdahl_schema::Placement {
        place(policy, &self.topology, &self.affinity, n)
    }

    /// The limits as recorded.
    pub fn limits(&self) -> &Cgroup {
        &self.cgroup.limits
    }
}

/// CPUs the calling process may run on (taskset, cpuset), ascending; empty where unknown.
pub fn affinity(roots: &Roots) -> Vec<u32> {
    // Not sched_getaffinity: its mask has to be sized by the caller, 1024 CPUs in most wrappers.
    let status = roots.proc("self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("Cpus_allowed_list:"));
    line.and_then(cpulist::parse).unwrap_or_default()
}

fn why_fewer(
    topology: &Topology,
    affinity: &[u32],
    cgroup: &CgroupLimits,
    cores: usize,
    available: usize,
) -> String {
    let mut why = Vec::new();
    if cores < topology.cores() {
        let by_cpuset = cgroup.cpuset.as_ref().is_some_and(|set| {
            let inside = |c: &CpuInfo| set.contains(&c.cpu);
            topology.cpus.iter().filter(|c| inside(c)).all(|c| affinity.contains(&c.cpu))
        });
        let who =
            if by_cpuset { "the control group's cpuset" } else { "the affinity mask (taskset)" };
        let cores = if cores == 1 { "1 core".to_owned() } else { format!("{cores} cores") };
        why.push(format!("{who} allows {cores} (CPUs {})", cpulist::format(affinity)));
    }
    if let Some(quota) = cgroup.limits.quota_mcpu
        && (quota / 1000).max(1) < cores as u64
    {
        let cpus = quota as f64 / 1000.0;
        why.push(format!("the control group's quota is {cpus:.2} CPUs"));
    }
    format!("{available} of {} cores: {}", topology.cores(), why.join("; "))
}

/// Lowest online SMT sibling; `None` where the kernel does not say.
fn core_of(roots: &Roots, cpu: u32, online: &[u32]) -> Option<u32> {
    // The first name came with Linux 5.3, the second is older.
    let dir = format!("devices/system/cpu/cpu{cpu}/topology");
    let siblings = ["core_cpus_list", "thread_siblings_list"]
        .iter()
        .find_map(|name| cpulist::parse(&roots.sys(&format!("{dir}/{name}"))?))?;
    siblings.into_iter().find(|s| online.contains(s))
}

fn topology_number(roots: &Roots, cpu: u32, name: &str) -> Option<i64> {
    roots.sys(&format!("devices/system/cpu/cpu{cpu}/topology/{name}"))?.parse().ok()
}

/// NUMA node of each CPU; a kernel without NUMA has one node, 0.
struct Nodes(Vec<(u32, Vec<u32>)>);

impl Nodes {
    fn read(roots: &Roots) -> Self {
        let online = roots.sys("devices/system/node/online");
        let ids = online.and_then(|text| cpulist::parse(&text)).unwrap_or_default();
        let cpus =
            |id| cpulist::parse(&roots.sys(&format!("devices/system/node/node{id}/cpulist"))?);
        Self(ids.into_iter().filter_map(|id| Some((id, cpus(id)?))).collect())
    }

    fn of(&self, cpu: u32) -> u32 {
        self.0.iter().find(|(_, cpus)| cpus.contains(&cpu)).map_or(0, |(id, _)| *id)
    }
}

fn last_level_cache(roots: &Roots, cpu: u32) -> Option<u64> {
    let field = |index: u32, name: &str| {
        roots.sys(&format!("devices/system/cpu/cpu{cpu}/cache/index{index}/{name}"))
    };
    (0..16)
        .map_while(|i| Some((field(i, "level")?.parse::<u32>().ok()?, i)))
        .filter(|&(_, i)| field(i, "type").is_some_and(|t| t != "Instruction"))
        .max()
        .and_then(|(_, i)| parse_size(&field(i, "size")?))
}

/// `48K`, `2M`.
fn parse_size(text: &str) -> Option<u64> {
    let unit = match text.chars().last()? {
        'K' => 1 << 10,
        'M' => 1 << 20,
        'G' => 1 << 30,
        _ => return text.parse().ok(),
    };
    text[..text.len() - 1].parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
pub(crate) mod tests;
