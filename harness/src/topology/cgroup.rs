//! The limits our control group sets, v1, v2 or both at once, through every ancestor.
//!
//! Reads only. What a quota means for a verdict is in `topology/mod.rs`; how long it held us back in
//! `gates.rs`.

use std::path::{Component, Path, PathBuf};

use amdahl_schema::Cgroup;

use crate::procfs::{Roots, read_trimmed};

/// What our control group allows, and where the kernel says how often it intervened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CgroupLimits {
    /// The record's part.
    pub limits: Cgroup,
    /// `cpu.stat` of every level that has a quota: throttling happens at the level that sets it.
    pub throttle_files: Vec<PathBuf>,
    /// CPUs of our cpuset; `None` where no cpuset restricts.
    pub cpuset: Option<Vec<u32>>,
}

impl CgroupLimits {
    /// Reads them for the calling process.
    pub fn read(roots: &Roots) -> Self {
        let groups = roots.proc("self/cgroup").unwrap_or_default();
        let mounts = roots.proc("self/mountinfo").unwrap_or_default();
        let cpu = Hierarchy::find(roots, &groups, &mounts, "cpu");
        let memory = Hierarchy::find(roots, &groups, &mounts, "memory");
        let cpuset = Hierarchy::find(roots, &groups, &mounts, "cpuset");
        let mut found = Self::default();
        if let Some(h) = &cpu {
            found.limits.version = Some(h.version);
            for dir in &h.levels {
                if let Some(quota) = quota_mcpu(dir, h.version) {
                    let least = found.limits.quota_mcpu.unwrap_or(u64::MAX).min(quota);
                    found.limits.quota_mcpu = Some(least);
                    found.throttle_files.push(dir.join("cpu.stat"));
                }
            }
        }
        if let Some(h) = &memory {
            found.limits.mem_bytes =
                h.levels.iter().filter_map(|dir| memory_bytes(dir, h.version)).min();
        }
        if let Some(h) = &cpuset {
            let files = ["cpuset.cpus.effective", "cpuset.effective_cpus", "cpuset.cpus"];
            found.cpuset = h.levels.first().and_then(|dir| {
                files
                    .iter()
                    .filter_map(|f| super::cpulist::parse(&read_trimmed(&dir.join(f)).ok()?))
                    .find(|cpus| !cpus.is_empty())
            });
        }
        found
    }

    /// Time all levels with a quota held tasks back since boot, ns; 0 without a quota, `None` if a
    /// level can't be read.
    pub fn throttled_ns(&self) -> Option<u64> {
        self.throttle_files.iter().map(|f| throttled_ns(&read_trimmed(f).ok()?)).sum()
    }
}

/// Directories of one controller from our group up to the mount point.
struct Hierarchy {
    version: u32,
    levels: Vec<PathBuf>,
}

impl Hierarchy {
    /// v1 if the controller is mounted there (hybrid machines have both), else the unified tree.
    fn find(roots: &Roots, groups: &str, mounts: &str, controller: &str) -> Option<Self> {
        let group_of = |wanted: &dyn Fn(&str) -> bool| {
            groups.lines().find_map(|line| {
                let mut parts = line.splitn(3, ':');
                let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
                wanted(controllers).then(|| path.to_owned())
            })
        };
        let named = |list: &str| list.split(',').any(|c| c == controller);
        if let Some(group) = group_of(&named) {
            let mount = mounts
                .lines()
                .filter_map(Mount::parse)
                .find(|m| m.fs == "cgroup" && named(&m.options))?;
            return Some(Self { version: 1, levels: mount.levels(roots, &group) });
        }
        let group = group_of(&str::is_empty)?;
        let mount = mounts.lines().filter_map(Mount::parse).find(|m| m.fs == "cgroup2")?;
        Some(Self { version: 2, levels: mount.levels(roots, &group) })
    }
}

/// The parts of a mountinfo line that matter here.
struct Mount {
    root: String,
    point: String,
    fs: String,
    options: String,
}

impl Mount {
    /// proc(5): `id parent major:minor ROOT POINT opts … - FS source SUPEROPTS`.
    fn parse(line: &str) -> Option<Self> {
        let (left, right) = line.split_once(" - ")?;
        let mut left = left.split(' ');
        let (root, point) = (left.nth(3)?.to_owned(), left.next()?.to_owned());
        let mut right = right.split(' ');
        let (fs, options) = (right.next()?.to_owned(), right.nth(1)?.to_owned());
        Some(Self { root, point, fs, options })
    }

    /// Our group's directory and its ancestors, nearest first, up to the mount point.
    fn levels(&self, roots: &Roots, group: &str) -> Vec<PathBuf> {
        let point = match Path::new(&self.point).strip_prefix("/sys") {
            Ok(rest) => roots.sys.join(rest),
            Err(_) => PathBuf::from(&self.point),
        };
        // A container may see the host's path (`/docker/ab12`) while only its own part is mounted.
        let group = Path::new(group);
        let below = group.strip_prefix(&self.root).or_else(|_| group.strip_prefix("/"));
        let below = below.unwrap_or(Path::new(""));
        let inside = below.components().all(|c| matches!(c, Component::Normal(_)));
        let mut dir = if inside { point.join(below) } else { point.clone() };
        if !dir.is_dir() {
            dir = point.clone();
        }
        dir.ancestors().take_while(|d| d.starts_with(&point)).map(Path::to_owned).collect()
    }
}

/// Quota of one level in thousandths of a CPU; `None` without one.
fn quota_mcpu(dir: &Path, version: u32) -> Option<u64> {
    let (quota, period): (u64, u64) = if version == 1 {
        let number = |f: &str| read_trimmed(&dir.join(f)).ok()?.parse().ok();
        (number("cpu.cfs_quota_us")?, number("cpu.cfs_period_us")?)
    } else {
        let text = read_trimmed(&dir.join("cpu.max")).ok()?;
        let (quota, period) = text.split_once(' ')?;
        (quota.parse().ok()?, period.parse().ok()?)
    };
    (period > 0).then(|| quota.saturating_mul(1000) / period)
}

/// Memory limit of one level; `None` without one (v1 says so with a number near 2^63).
fn memory_bytes(dir: &Path, version: u32) -> Option<u64> {
    let file = if version == 1 { "memory.limit_in_bytes" } else { "memory.max" };
    let bytes: u64 = read_trimmed(&dir.join(file)).ok()?.parse().ok()?;
    (bytes < 1 << 62).then_some(bytes)
}

/// v1 counts ns, v2 µs, each under its own name.
fn throttled_ns(stat: &str) -> Option<u64> {
    stat.lines().find_map(|line| {
        let (key, value) = line.split_once(' ')?;
        match key {
            "throttled_time" => value.parse().ok(),
            "throttled_usec" => value.parse::<u64>().ok().map(|us| us * 1000),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::procfs::tests::Fixture;

    const V1_MOUNTS: &str = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
        32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
        35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
        41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

    #[test]
    fn v1_quota_is_the_least_of_all_ancestors() {
        let base = "sys/fs/cgroup/cpu,cpuacct";
        let f = Fixture::new().with(&[
            ("proc/self/cgroup", "2:memory:/a\n1:cpu,cpuacct:/a/b\n0::/\n"),
            ("proc/self/mountinfo", V1_MOUNTS),
            (&format!("{base}/cpu.cfs_quota_us"), "-1\n"),
            (&format!("{base}/cpu.cfs_period_us"), "100000\n"),
            (&format!("{base}/a/cpu.cfs_quota_us"), "150000\n"),
            (&format!("{base}/a/cpu.cfs_period_us"), "100000\n"),
            (&format!("{base}/a/cpu.stat"), "nr_periods 9\nnr_throttled 1\nthrottled_time 7000\n"),
            (&format!("{base}/a/b/cpu.cfs_quota_us"), "400000\n"),
            (&format!("{base}/a/b/cpu.cfs_period_us"), "100000\n"),
            (&format!("{base}/a/b/cpu.stat"), "nr_throttled 0\nthrottled_time 30\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "1048576\n"),
        ]);
        let c = CgroupLimits::read(&f.roots());
        let expected =
            Cgroup { version: Some(1), quota_mcpu: Some(1500), mem_bytes: Some(1 << 20) };
        assert_eq!(c.limits, expected);
        assert_eq!(c.throttled_ns(), Some(7030));
        assert_eq!(c.cpuset, None);
    }

    #[test]
    fn v2_quota_is_the_least_of_all_ancestors() {
        let base = "sys/fs/cgroup";
        let f = Fixture::new().with(&[
            ("proc/self/cgroup", "0::/user.slice/job.scope\n"),
            (
                "proc/self/mountinfo",
                "30 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 none rw,ns\n",
            ),
            (&format!("{base}/user.slice/cpu.max"), "250000 100000\n"),
            (&format!("{base}/user.slice/cpu.stat"), "usage_usec 5\nthrottled_usec 12\n"),
            (&format!("{base}/user.slice/job.scope/cpu.max"), "max 100000\n"),
            (&format!("{base}/user.slice/job.scope/memory.max"), "max\n"),
            (&format!("{base}/user.slice/job.scope/cpuset.cpus.effective"), "0-1,4\n"),
        ]);
        let c = CgroupLimits::read(&f.roots());
        assert_eq!(c.limits, Cgroup { version: Some(2), quota_mcpu: Some(2500), mem_bytes: None });
        assert_eq!(c.throttled_ns(), Some(12_000));
        assert_eq!(c.cpuset, Some(vec![0, 1, 4]));
    }

    #[test]
    fn a_container_sees_its_own_part() {
        let f = Fixture::new().with(&[
            ("proc/self/cgroup", "1:cpu:/docker/ab12\n"),
            (
                "proc/self/mountinfo",
                "32 31 0:29 /docker/ab12 /sys/fs/cgroup/cpu ro - cgroup c rw,cpu\n",
            ),
            ("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n"),
            ("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"),
        ]);
        let c = CgroupLimits::read(&f.roots());
        assert_eq!(c.limits.quota_mcpu, Some(500));
        assert_eq!(
            c.throttled_ns(),
            None,
            "a quota whose statistics can't be read is unknown, not 0"
        );
    }

    #[test]
    fn no_cgroups_is_absent() {
        let c = CgroupLimits::read(&Fixture::new().roots());
        assert_eq!(c, CgroupLimits::default());
        assert_eq!(c.throttled_ns(), Some(0), "nothing limits, so nothing held us back");
        let outside = Fixture::new().with(&[
            ("proc/self/cgroup", "0::/../../other\n"),
            ("proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 none rw\n"),
            ("sys/fs/cgroup/cpu.max", "100000 100000\n"),
        ]);
        assert_eq!(CgroupLimits::read(&outside.roots()).limits.quota_mcpu, Some(1000));
    }
}
