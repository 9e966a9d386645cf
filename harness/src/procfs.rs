//! Reads /proc and /sys: whole files, one task's figures, who descends from whom.
//!
//! Numbers only. What they mean for a measurement is decided in `gates.rs`, `state.rs` and by the
//! statistics; nothing here writes, pins, or opens counters.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use amdahl_schema::ProcDelta;

/// Where /sys and /proc are; a parameter so that fixtures of other machines can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roots {
    /// `/sys`.
    pub sys: PathBuf,
    /// `/proc`.
    pub proc: PathBuf,
}

impl Default for Roots {
    fn default() -> Self {
        Self { sys: "/sys".into(), proc: "/proc".into() }
    }
}

impl Roots {
    /// A file under /sys, trimmed; `None` where it is missing or unreadable.
    pub fn sys(&self, path: &str) -> Option<String> {
        read_trimmed(&self.sys.join(path)).ok()
    }

    /// A file under /proc, trimmed; `None` where it is missing or unreadable.
    pub fn proc(&self, path: &str) -> Option<String> {
        read_trimmed(&self.proc.join(path)).ok()
    }
}

/// A whole small file, trimmed; the error tells *missing* from *not permitted*.
pub fn read_trimmed(path: &Path) -> std::io::Result<String> {
    Ok(std::fs::read_to_string(path)?.trim().to_owned())
}

/// One task's cumulated figures; each absent where the kernel does not give it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProcSample {
    /// Time on a CPU, ns.
    pub cpu_ns: Option<u64>,
    /// Time runnable without a CPU, ns.
    pub delay_ns: Option<u64>,
    /// Voluntary context switches.
    pub vcsw: Option<u64>,
    /// Involuntary context switches.
    pub ivcsw: Option<u64>,
    /// Minor faults.
    pub minflt: Option<u64>,
    /// Major faults.
    pub majflt: Option<u64>,
}

impl ProcSample {
    /// Reads the task `tid` of any process; all absent once it has ended.
    pub fn take(roots: &Roots, tid: u32) -> Self {
        // `/proc/TID/task/TID`, not `/proc/TID`: the latter's `stat` sums over the whole process.
        let dir = roots.proc.join(tid.to_string()).join("task").join(tid.to_string());
        let read = |name: &str| std::fs::read_to_string(dir.join(name)).ok();
        let (cpu_ns, delay_ns) = read("schedstat").as_deref().and_then(parse_schedstat).unzip();
        let status = read("status").unwrap_or_default();
        let (minflt, majflt) = read("stat")
            .as_deref()
            .and_then(Stat::parse)
            .map(|s| (s.field(10), s.field(12)))
            .unwrap_or_default();
        Self {
            cpu_ns,
            delay_ns,
            vcsw: status_number(&status, "voluntary_ctxt_switches:"),
            ivcsw: status_number(&status, "nonvoluntary_ctxt_switches:"),
            minflt,
            majflt,
        }
    }

    /// What happened since `earlier`; a figure missing in one of the two is absent.
    pub fn since(&self, earlier: &Self) -> ProcDelta {
        let diff = |now: Option<u64>, then: Option<u64>| now?.checked_sub(then?);
        ProcDelta {
            cpu_ns: diff(self.cpu_ns, earlier.cpu_ns),
            delay_ns: diff(self.delay_ns, earlier.delay_ns),
            vcsw: diff(self.vcsw, earlier.vcsw),
            ivcsw: diff(self.ivcsw, earlier.ivcsw),
            minflt: diff(self.minflt, earlier.minflt),
            majflt: diff(self.majflt, earlier.majflt),
        }
    }
}

/// Memory of one process, bytes; each absent where the kernel does not give it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    /// The most that was resident at a time so far, pages shared with others included.
    pub peak_rss: Option<u64>,
    /// Resident now, each page divided by the number of processes that have it.
    pub pss: Option<u64>,
}

impl Memory {
    /// Reads the process `pid`; `None` once it has ended, reaped or not.
    pub fn take(roots: &Roots, pid: u32) -> Option<Self> {
        let dir = roots.proc.join(pid.to_string());
        let status = std::fs::read_to_string(dir.join("status")).ok()?;
        if status.lines().any(|l| l.starts_with("State:") && l.contains(['Z', 'X'])) {
            return None;
        }
        let rollup = std::fs::read_to_string(dir.join("smaps_rollup")).unwrap_or_default();
        Some(Self { peak_rss: kilobytes(&status, "VmHWM:"), pss: kilobytes(&rollup, "Pss:") })
    }
}

/// Thread ids of a process, ascending; empty once it has ended.
pub fn tasks(roots: &Roots, pid: u32) -> Vec<u32> {
    let mut tids = numeric_entries(&roots.proc.join(pid.to_string()).join("task"));
    tids.sort_unstable();
    tids
}

/// Everything that descends from `pid`, ascending, without `pid` itself; zombies included.
///
/// Complete only while the tree holds still: a process forked during the walk may be missed, so who
/// kills a tree repeats until nothing is left.
pub fn descendants(roots: &Roots, pid: u32) -> Vec<u32> {
    let mut found = tree(roots, &[pid]);
    if found.len() <= 1 {
        // The list of children may skip one while another exits, and who kills believes in nobody left.
        found = tree_by_scan(roots, &[pid]);
    }
    found.remove(&pid);
    found.into_iter().collect()
}

/// `pids` and everything that descends from them.
pub fn tree(roots: &Roots, pids: &[u32]) -> BTreeSet<u32> {
    // The kernel's own list of children costs a file a thread of *our* processes; the scan of all of
    // /proc a file a process of the *machine*, thousands on a big one.
    tree_by_children(roots, pids).unwrap_or_else(|| tree_by_scan(roots, pids))
}

/// Fields of /proc/PID/stat, counted from 1 as proc(5) does.
pub(crate) struct Stat<'a> {
    after_name: Vec<&'a str>,
}

impl<'a> Stat<'a> {
    /// The name in field 2 may hold blanks and parentheses, so fields count from the last `)`.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (_, rest) = text.rsplit_once(')')?;
        Some(Self { after_name: rest.split_ascii_whitespace().collect() })
    }

    /// Field `n >= 3` as a number.
    pub(crate) fn field(&self, n: usize) -> Option<u64> {
        self.after_name.get(n.checked_sub(3)?)?.parse().ok()
    }
}

fn tree_by_children(roots: &Roots, pids: &[u32]) -> Option<BTreeSet<u32>> {
    let mut found = BTreeSet::new();
    let mut todo: Vec<u32> = pids.to_vec();
    while let Some(pid) = todo.pop() {
        if !found.insert(pid) {
            continue;
        }
        for tid in tasks(roots, pid) {
            let path = roots.proc.join(format!("{pid}/task/{tid}/children"));
            match std::fs::read_to_string(path) {
                Ok(list) => todo.extend(list.split_ascii_whitespace().flat_map(str::parse::<u32>)),
                // No such file: a kernel without CONFIG_PROC_CHILDREN, unless the task just ended.
                Err(_) if tid == pid && !alive(roots, pid) => {}
                Err(_) if tid != pid && !tasks(roots, pid).contains(&tid) => {}
                Err(_) => return None,
            }
        }
    }
    Some(found)
}

fn tree_by_scan(roots: &Roots, pids: &[u32]) -> BTreeSet<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for pid in numeric_entries(&roots.proc) {
        let stat = std::fs::read_to_string(roots.proc.join(format!("{pid}/stat")));
        if let Some(parent) = stat.ok().as_deref().and_then(Stat::parse).and_then(|s| s.field(4)) {
            children.entry(parent as u32).or_default().push(pid);
        }
    }
    let mut found = BTreeSet::new();
    let mut todo: Vec<u32> = pids.to_vec();
    while let Some(pid) = todo.pop() {
        if found.insert(pid) {
            todo.extend(children.get(&pid).into_iter().flatten());
        }
    }
    found
}

fn alive(roots: &Roots, pid: u32) -> bool {
    roots.proc.join(pid.to_string()).exists()
}

fn numeric_entries(dir: &Path) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    entries.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).collect()
}

/// (cpu, delay); `0 0 0` is what a kernel without scheduler statistics prints for every task, and no
/// task exists that never ran.
fn parse_schedstat(text: &str) -> Option<(u64, u64)> {
    let mut fields = text.split_ascii_whitespace().map(str::parse::<u64>);
    let (cpu, delay) = (fields.next()?.ok()?, fields.next()?.ok()?);
    (cpu > 0).then_some((cpu, delay))
}

fn status_number(status: &str, key: &str) -> Option<u64> {
    status.lines().find_map(|l| l.strip_prefix(key))?.trim().parse().ok()
}

/// `VmHWM:   9104 kB`.
fn kilobytes(text: &str, key: &str) -> Option<u64> {
    let value = text.lines().find_map(|l| l.strip_prefix(key))?.trim();
    value.strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    /// A fake machine: files under `sys/` and `proc/` of a temporary directory.
    pub(crate) struct Fixture {
        dir: tempfile::TempDir,
    }

    impl Fixture {
        /// An empty one.
        pub(crate) fn new() -> Self {
            let dir = tempfile::tempdir().expect("a temporary directory");
            std::fs::create_dir_all(dir.path().join("sys")).expect("sys");
            std::fs::create_dir_all(dir.path().join("proc")).expect("proc");
            Self { dir }
        }

        /// Adds files, paths relative (`sys/devices/…`).
        pub(crate) fn with(self, files: &[(&str, &str)]) -> Self {
            for (path, text) in files {
                let path = self.dir.path().join(path);
                std::fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
                std::fs::write(path, text).expect("a file");
            }
            self
        }

        /// Its roots.
        pub(crate) fn roots(&self) -> Roots {
            Roots { sys: self.dir.path().join("sys"), proc: self.dir.path().join("proc") }
        }
    }

    #[test]
    fn a_task_is_read_and_differs_by_what_it_did() {
        let dir = "proc/7/task/7";
        let before = Fixture::new().with(&[
            (&format!("{dir}/schedstat"), "1000 50 3\n"),
            (&format!("{dir}/stat"), "7 (a b) c) S 1 2 3 4 5 6 11 0 12 0 1 1 1 1\n"),
            (
                &format!("{dir}/status"),
                "Name:\tx\nvoluntary_ctxt_switches:\t5\nnonvoluntary_ctxt_switches:\t2\n",
            ),
        ]);
        let sample = ProcSample::take(&before.roots(), 7);
        let all = [sample.cpu_ns, sample.delay_ns, sample.vcsw, sample.ivcsw, sample.minflt];
        assert_eq!(all, [Some(1000), Some(50), Some(5), Some(2), Some(11)]);
        assert_eq!(sample.majflt, Some(12));
        let later = ProcSample { cpu_ns: Some(1500), vcsw: None, ..sample };
        let delta = later.since(&sample);
        assert_eq!((delta.cpu_ns, delta.delay_ns, delta.vcsw), (Some(500), Some(0), None));
    }

    #[test]
    fn unknown_is_absent_not_zero() {
        let f = Fixture::new().with(&[("proc/7/task/7/schedstat", "0 0 0\n")]);
        assert_eq!(ProcSample::take(&f.roots(), 7), ProcSample::default());
        assert_eq!(ProcSample::take(&f.roots(), 8), ProcSample::default());
        assert!(tasks(&f.roots(), 8).is_empty());
    }

    #[test]
    fn memory_is_read_where_it_is_told_and_the_dead_have_none() {
        let f = Fixture::new().with(&[
            (
                "proc/7/status",
                "Name:\tx\nState:\tS (sleeping)\nVmHWM:\t    9104 kB\nVmRSS:\t 8000 kB\n",
            ),
            (
                "proc/7/smaps_rollup",
                "1-2 ---p 0 00:00 0 [rollup]\nRss: 8000 kB\nPss:  6006 kB\nPss_Anon: 1 kB\n",
            ),
            ("proc/8/status", "State:\tR (running)\nVmHWM:\t 4 kB\n"),
            ("proc/9/status", "State:\tZ (zombie)\n"),
        ]);
        let read = |pid| Memory::take(&f.roots(), pid);
        let kb = |n: u64| Some(n * 1024);
        assert_eq!(read(7), Some(Memory { peak_rss: kb(9104), pss: kb(6006) }));
        assert_eq!(read(8), Some(Memory { peak_rss: kb(4), pss: None }));
        assert_eq!((read(9), read(10)), (None, None));
        let own = Memory::take(&Roots::default(), std::process::id()).expect("we live");
        assert!(own.peak_rss.is_some_and(|b| b > 100_000), "{own:?}");
    }

    #[test]
    fn both_walks_find_the_same_tree() {
        let f = Fixture::new().with(&[
            ("proc/1/stat", "1 (init) S 0 1\n"),
            ("proc/1/task/1/children", "10 20\n"),
            ("proc/10/stat", "10 (guard) S 1 1\n"),
            ("proc/10/task/10/children", "11 \n"),
            ("proc/10/task/12/children", "13 \n"),
            ("proc/11/stat", "11 (w (x)) R 10 1\n"),
            ("proc/11/task/11/children", ""),
            ("proc/13/stat", "13 (kid) Z 10 1\n"),
            ("proc/13/task/13/children", ""),
            ("proc/20/stat", "20 (other) S 1 1\n"),
            ("proc/20/task/20/children", ""),
        ]);
        let roots = f.roots();
        let expected: BTreeSet<u32> = [10, 11, 13].into();
        assert_eq!(tree_by_children(&roots, &[10]), Some(expected.clone()));
        assert_eq!(tree_by_scan(&roots, &[10]), expected);
        assert_eq!(descendants(&roots, 10), [11, 13]);
        std::fs::remove_file(roots.proc.join("11/task/11/children")).expect("removed");
        assert_eq!(tree_by_children(&roots, &[10]), None, "then the scan must decide");
        assert_eq!(descendants(&roots, 10), [11, 13]);
    }

    #[test]
    fn a_real_grandchild_is_found_after_setsid() {
        let mut child = Command::new("sh")
            .args(["-c", "setsid sleep 30 & echo $!; wait"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh");
        let mut line = String::new();
        let out = child.stdout.take().expect("stdout");
        std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).expect("a pid");
        let grandchild: u32 = line.trim().parse().expect("a number");
        let roots = Roots::default();
        let found = descendants(&roots, child.id());
        let scanned = tree_by_scan(&roots, &[child.id()]);
        let ours = descendants(&roots, std::process::id());
        let pid = rustix::process::Pid::from_raw(grandchild as i32).expect("not 0");
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("killed");
        child.wait().expect("reaped");
        assert!(found.contains(&grandchild), "{found:?}");
        assert!(scanned.contains(&grandchild), "{scanned:?}");
        assert!(ours.contains(&grandchild), "{ours:?}");
    }
}
