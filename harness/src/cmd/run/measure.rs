//! This machine as a place to measure, and a plan carried out on it: what `run` and `reproduce` share.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use amdahl_schema::{
    AbsentModel, Host, MachineState, Plan, RunHeader, RunKind, SCHEMA_VERSION, Tool, Trial,
};

use super::live;
use crate::cli::{CountersArg, WorkerArgs};
use crate::counters::{Context, EventSet, Kernel, RawEvent, plan_sets, raise_nofile_limit};
use crate::gates::GateProbe;
use crate::plan::{ModelInfo, SplitMix};
use crate::procfs::Roots;
use crate::record::Recorder;
use crate::run::carry_out;
use crate::speed::SpeedProbe;
use crate::topology::Machine as Topo;
use crate::trial::{Limits, Machine, Stage};
use crate::worker::discover::Discovery;
use crate::worker::places::tilde;
use crate::worker::process::ProcessLauncher;
use crate::{answer, host, state};

/// What a plan needs to know of the place.
pub(in crate::cmd) struct Here {
    roots: Roots,
    context: Context,
    sets: Vec<EventSet>,
    /// CPUs.
    pub(in crate::cmd) topo: Topo,
    /// Fingerprint.
    pub(in crate::cmd) host: Host,
    /// Runtimes.
    pub(in crate::cmd) found: Discovery,
    /// Their models, in the order of the table.
    pub(in crate::cmd) models: Vec<ModelInfo>,
}

impl Here {
    /// Looks at the machine, and asks the runtimes that `wanted` may mean.
    pub(in crate::cmd) fn look(
        worker: &WorkerArgs,
        wanted: &[String],
        counters: CountersArg,
        events: &[String],
    ) -> anyhow::Result<Self> {
        let roots = Roots::default();
        let topo = Topo::read(&roots);
        let found = crate::cmd::find(worker, wanted)?;
        let host = host::read(&roots, &topo);
        let context = Context::read(&roots, host.hypervisor.as_deref());
        let events = events.iter().map(|e| e.parse::<RawEvent>()).collect::<Result<Vec<_>, _>>()?;
        let sets = match counters {
            CountersArg::Auto => plan_sets(&Kernel, &context, &events),
            CountersArg::None => Vec::new(),
        };
        let models = infos(&found);
        Ok(Self { roots, context, sets, topo, host, found, models })
    }

    /// Numbers of the sets of counters.
    pub(in crate::cmd) fn counter_sets(&self) -> Vec<u32> {
        self.sets.iter().map(|s| s.index).collect()
    }

    /// A new run directory below `out` (default `runs`), with its header.
    pub(in crate::cmd) fn begin(
        &self,
        plan: Plan,
        absent: Vec<AbsentModel>,
        out: Option<&Path>,
    ) -> anyhow::Result<(Recorder, RunHeader)> {
        let machine = (self.host.clone(), state::read(&self.roots, &self.topo, &self.host));
        let runtimes = self.found.found.iter().map(|f| f.runtime.clone()).collect();
        let header =
            RunHeader { runtimes, absent, ..header(plan, machine, jiff::Timestamp::now()) };
        Ok((create(&header, out)?, header))
    }

    /// Carries out what `past` lacks of the header's plan; the run's directory.
    pub(in crate::cmd) fn measure(
        self,
        recorder: Recorder,
        header: &RunHeader,
        past: &[Trial],
    ) -> anyhow::Result<PathBuf> {
        let Self { roots, context, sets, topo, host, found, models } = self;
        let needs = header.plan.blocks.iter();
        let needs = needs.flat_map(|b| b.trials.iter().map(|t| live::files_needed(&b.workload, t)));
        let files = raise_nofile_limit(needs.max().unwrap_or(0).max(256));
        let machine = machine(roots, &topo, &host, sets, context);
        let launcher = ProcessLauncher::new()?;
        let stage = Stage {
            launcher: &launcher,
            outside: &machine,
            amdahl: launcher.amdahl.clone(),
            limits: Limits::default(),
        };
        let mut bench = live::Live {
            stage,
            found: &found,
            models: &models,
            cpus: topo.cpus_available,
            files: files.soft,
            plan: &header.plan,
            evidence: answer::Evidence::of(header.plan.param_labels(), past),
            begin: Instant::now(),
            recorder,
            bar: live::bar(&header.plan),
            open: BTreeMap::new(),
            hung: Vec::new(),
        };
        let done: HashSet<u64> = past.iter().map(|t| t.seq).collect();
        carry_out(&header.plan, &done, &mut bench)?;
        bench.recorder.sync()?;
        bench.bar.finish_and_clear();
        point_latest(bench.recorder.dir());
        Ok(bench.recorder.dir().to_owned())
    }
}

impl Here {
    /// The machine alone, for trials of no plan.
    pub(in crate::cmd) fn machine(self) -> Machine {
        machine(self.roots, &self.topo, &self.host, self.sets, self.context)
    }
}

fn machine(
    roots: Roots,
    topo: &Topo,
    host: &Host,
    sets: Vec<EventSet>,
    context: Context,
) -> Machine {
    let speed = host.hypervisor.is_some().then(SpeedProbe::default);
    Machine { probe: GateProbe::new(&roots, topo), speed, roots, sets, context }
}

/// The header of a new run on this machine, begun at `now`.
pub(in crate::cmd) fn header(
    plan: Plan,
    (host, state): (Host, MachineState),
    now: jiff::Timestamp,
) -> RunHeader {
    RunHeader {
        schema: SCHEMA_VERSION,
        tool: Tool { name: "amdahl".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        id: format!("{:08x}", SplitMix::new(random_seed()).below(1 << 32)),
        started_utc: now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        command: std::env::args().map(|a| tilde(Path::new(&a))).collect(),
        plan,
        host,
        state,
        runtimes: Vec::new(),
        absent: Vec::new(),
        anonymous: false,
        kind: RunKind::Models,
    }
}

/// Its directory below `out` (default `runs`).
pub(in crate::cmd) fn create(header: &RunHeader, out: Option<&Path>) -> anyhow::Result<Recorder> {
    let started = header.started_utc.replace(['-', ':'], "");
    let name = format!("{started}-{}-{}", header.host.name, header.id);
    Ok(Recorder::create(&out.unwrap_or(Path::new("runs")).join(name), header)?)
}

/// `latest` beside the run's directory; a convenience, so a file system without links is no error.
pub(in crate::cmd) fn point_latest(dir: &Path) {
    let (Some(parent), Some(name)) = (dir.parent(), dir.file_name()) else { return };
    let (link, new) = (parent.join("latest"), parent.join(".latest-new"));
    if link.symlink_metadata().is_ok_and(|m| !m.is_symlink()) {
        return;
    }
    let _ = std::fs::remove_file(&new);
    if std::os::unix::fs::symlink(name, &new).is_ok() {
        let _ = std::fs::rename(&new, &link);
    }
}

/// Models in the order of discovery; one CPython per GIL class stands for the others.
fn infos(found: &Discovery) -> Vec<ModelInfo> {
    let mut classes: Vec<(String, Option<bool>)> = Vec::new();
    let mut rank = 0;
    let mut representative = true;
    let mut infos = Vec::new();
    for f in &found.found {
        // A variant follows the runtime it is made of; of languages without a lock the newest stands for them.
        let class = (f.runtime.lang.clone(), f.hello.gil);
        let variant = f.runtime.id.contains('+');
        if !variant {
            representative = !classes.contains(&class);
            classes.push(class);
            rank += u32::from(!representative);
        }
        for (k, (id, mechanism)) in f.models().zip(&f.hello.mechanisms).enumerate() {
            infos.push(ModelInfo {
                id,
                mechanism: mechanism.clone(),
                lang: f.runtime.lang.clone(),
                main: k == 0 && !variant,
                representative,
                rank,
                workloads: f.hello.workloads_of(mechanism),
                locks: f.hello.locks.clone(),
                switch_ns: f.hello.switch_ns.filter(|_| f.hello.gil == Some(true)),
                hello_ns: f.hello_ns,
                lead_ns: f.hello.lead_ns,
            });
        }
    }
    infos
}

/// From the clock and the address space: differs from run to run, and is recorded.
pub(in crate::cmd) fn random_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    let state = std::collections::hash_map::RandomState::new();
    state.build_hasher().finish() >> 16
}
