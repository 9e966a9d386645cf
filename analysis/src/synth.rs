//! Synthetic runs of known truth, for this crate's tests and benchmarks.
//!
//! A model behaves as told (parallel, one at a time), with seeded noise, and is written with the
//! schema's own types, so that what is read back is what the contract says. Never part of a report.

mod lock;
mod pace;
mod trial;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use amdahl_schema::{
    Absence, AbsentModel, Arm, CpuInfo, HEADER_FILE, Host, MachineState, Pass, Placement, Plan,
    PlannedBlock, PlannedTrial, RunHeader, RunKind, Runtime, SCHEMA_VERSION, StateItem,
    TRIALS_FILE, Tool, Trial,
};

/// How a model's workers share the machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Behaviour {
    /// All at once, up to the CPUs.
    Parallel,
    /// One at a time, handed over every switch interval.
    OneAtATime,
    /// All at once, but `cpu` pays contention and coherency: the Universal Scalability Law.
    Usl {
        /// Serial share.
        alpha: f64,
        /// What each pair of workers costs.
        beta: f64,
    },
}

/// A model of a synthetic run.
#[derive(Debug, Clone)]
pub struct Model {
    /// Id.
    pub id: String,
    /// How it behaves.
    pub behaviour: Behaviour,
    /// What its runtime says of a global lock.
    pub gil: Option<bool>,
}

impl Model {
    /// A model that scales.
    pub fn parallel(id: &str) -> Self {
        Self { id: id.to_owned(), behaviour: Behaviour::Parallel, gil: None }
    }

    /// A model of known contention and coherency on `cpu`.
    pub fn usl(id: &str, alpha: f64, beta: f64) -> Self {
        Self { behaviour: Behaviour::Usl { alpha, beta }, ..Self::parallel(id) }
    }

    /// A model whose global lock is off.
    pub fn unlocked(id: &str) -> Self {
        Self { gil: Some(false), ..Self::parallel(id) }
    }

    /// A model under a global lock.
    pub fn one_at_a_time(id: &str) -> Self {
        Self { id: id.to_owned(), behaviour: Behaviour::OneAtATime, gil: Some(true) }
    }
}

/// What a synthetic run holds.
#[derive(Debug, Clone)]
pub struct Spec {
    /// Seed of the noise.
    pub seed: u64,
    /// CPUs of the machine, all available.
    pub cpus: u32,
    /// CPUs in the affinity mask; 0 is all.
    pub affinity: u32,
    /// SMT siblings a core: `cpus` is a multiple, first siblings are numbered first.
    pub smt: u32,
    /// Sockets: cores are a multiple.
    pub sockets: u32,
    /// Worker counts.
    pub workers: Vec<u32>,
    /// Blocks a model × workload.
    pub blocks: u32,
    /// Models.
    pub models: Vec<Model>,
    /// Workloads out of `cpu`, `sleep`, `pipe`, `noop`, `serial`, `mem`, `micro`, `lock`, each with its parameters behind it
    /// (`serial permille=250`).
    pub workloads: Vec<String>,
    /// Whether a block has latency and counters trials too.
    pub all_passes: bool,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            seed: 1,
            cpus: 2,
            affinity: 0,
            smt: 1,
            sockets: 1,
            workers: vec![1, 2, 4],
            blocks: 5,
            models: vec![
                Model::parallel("rust/threads"),
                Model::one_at_a_time("python3.13/threads"),
            ],
            workloads: vec!["cpu".to_owned(), "sleep".to_owned()],
            all_passes: true,
        }
    }
}

impl Spec {
    fn cores(&self) -> u32 {
        self.cpus / self.smt
    }

    /// How much work the machine does at once for so many workers, in units of one alone on a core: a second sibling adds
    /// three tenths.
    fn capacity(&self, workers: u32) -> f64 {
        let available = if self.affinity == 0 { self.cpus } else { self.affinity };
        let (n, cores) = (workers.min(available), self.cores());
        f64::from(n.min(cores)) + 0.3 * f64::from(n.saturating_sub(cores))
    }
}

/// Makes a run: the header and its trials in order.
pub fn run(spec: &Spec) -> (RunHeader, Vec<Trial>) {
    let mut noise = Noise(spec.seed);
    let blocks = plan_blocks(spec);
    let mut trials = Vec::new();
    for block in &blocks {
        let model =
            spec.models.iter().find(|m| m.id == block.model).expect("planned from the spec");
        for (order, planned) in block.trials.iter().enumerate() {
            trials.push(trial::make(spec, model, block, planned, order as u32, &mut noise));
        }
    }
    (header(spec, blocks), trials)
}

/// Writes a run directory as the measuring program does.
pub fn write(dir: &Path, header: &RunHeader, trials: &[Trial]) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    fs::write(dir.join(HEADER_FILE), serde_json::to_string_pretty(header)? + "\n")?;
    let mut lines = String::new();
    for trial in trials {
        lines.push_str(&serde_json::to_string(trial)?);
        lines.push('\n');
    }
    fs::write(dir.join(TRIALS_FILE), lines)
}

/// Deterministic noise: xorshift64*, never zero.
pub(crate) struct Noise(u64);

impl Noise {
    /// Uniform in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// 1 give or take a relative spread (triangular).
    pub(crate) fn factor(&mut self, spread: f64) -> f64 {
        1.0 + (self.unit() + self.unit() - 1.0) * spread
    }
}

fn plan_blocks(spec: &Spec) -> Vec<PlannedBlock> {
    let mut blocks = Vec::new();
    let mut seq = 0;
    for block in 0..spec.blocks {
        for workload in &spec.workloads {
            let mut words = workload.split(' ');
            let id = words.next().unwrap_or_default().to_owned();
            let pair = |w: &str| w.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned()));
            let params: BTreeMap<String, String> = words.filter_map(pair).collect();
            for model in &spec.models {
                blocks.push(PlannedBlock {
                    spare: false,
                    block,
                    tier: 0,
                    model: model.id.clone(),
                    workload: id.clone(),
                    params: params.clone(),
                    trials: plan_trials(spec, &id, &mut seq),
                });
            }
        }
    }
    blocks
}

fn plan_trials(spec: &Spec, workload: &str, seq: &mut u64) -> Vec<PlannedTrial> {
    let mut trials = Vec::new();
    for n in &spec.workers {
        for (arm, pass) in [
            (Arm::Model, Pass::Throughput),
            (Arm::Ceiling, Pass::Throughput),
            (Arm::Model, Pass::Latency),
            (Arm::Model, Pass::Counters),
        ] {
            let wanted = pass == Pass::Throughput || spec.all_passes;
            let judged = ["cpu", "serial", "mem", "lock"].contains(&workload);
            let pointless = arm == Arm::Ceiling && !judged;
            if wanted && !pointless {
                trials.push(planned(spec, *n, arm, pass, *seq));
                *seq += 1;
            }
        }
    }
    trials
}

fn planned(spec: &Spec, workers: u32, arm: Arm, pass: Pass, seq: u64) -> PlannedTrial {
    let available = if spec.affinity == 0 { spec.cpus } else { spec.affinity };
    PlannedTrial {
        seq,
        workers,
        arm,
        pass,
        counter_set: 0,
        placement: Placement {
            policy: "cores".to_owned(),
            cpus: (0..workers).map(|w| w % available).collect(),
            exclusive: workers <= available,
        },
        seed: spec.seed,
        env_pad_bytes: 0,
        window_ns: trial::WINDOW_NS,
        windows_n: trial::WINDOWS,
    }
}

fn header(spec: &Spec, blocks: Vec<PlannedBlock>) -> RunHeader {
    RunHeader {
        schema: SCHEMA_VERSION,
        tool: Tool { name: "amdahl".to_owned(), version: "0.1.0".to_owned() },
        id: format!("{:08x}", spec.seed),
        started_utc: "2026-01-02T03:04:05Z".to_owned(),
        command: ["amdahl", "run", "--profile", "smoke", "--models", "*/threads"]
            .map(str::to_owned)
            .to_vec(),
        plan: Plan {
            models: Vec::new(),
            profile: "smoke".to_owned(),
            seed: spec.seed,
            budget_ms: Some(60_000),
            placement: "cores".to_owned(),
            predicted_ms: 42_000,
            blocks,
        },
        host: host(spec),
        state: MachineState { items: state() },
        runtimes: spec.models.iter().map(runtime).collect(),
        absent: vec![AbsentModel {
            model: "python3.13t/threads".to_owned(),
            why: Absence {
                reason: "no free-threaded CPython found on PATH, in pyenv or in .tools".to_owned(),
                remedy: Some("scripts/runtimes.sh python3.13t".to_owned()),
            },
        }],
        anonymous: false,
        kind: RunKind::Models,
    }
}

fn host(spec: &Spec) -> Host {
    let available = if spec.affinity == 0 { spec.cpus } else { spec.affinity };
    Host {
        name: "testbox".to_owned(),
        kernel: "6.18.0".to_owned(),
        arch: "x86_64".to_owned(),
        cpu_model: Some("Example CPU @ 2.00GHz".to_owned()),
        hypervisor: Some("KVM".to_owned()),
        mem_bytes: Some(8 << 30),
        cpus: (0..spec.cpus).map(|cpu| place(spec, cpu)).collect(),
        affinity: (0..available).collect(),
        cgroup: amdahl_schema::Cgroup { version: Some(2), quota_mcpu: None, mem_bytes: None },
        cpus_available: available.min(spec.cores()),
        cpus_note: (available < spec.cpus)
            .then(|| format!("{available} of {} cores: the affinity mask (taskset)", spec.cpus)),
        clocksource: Some("kvm-clock".to_owned()),
        llc_bytes: Some(32 << 20),
    }
}

fn place(spec: &Spec, cpu: u32) -> CpuInfo {
    let core = cpu % spec.cores();
    let socket = core / (spec.cores() / spec.sockets).max(1);
    CpuInfo { cpu, core, socket, node: socket }
}

fn state() -> Vec<StateItem> {
    vec![
        StateItem {
            id: "smt".to_owned(),
            value: Some("off".to_owned()),
            absent: None,
            advice: None,
        },
        StateItem {
            id: "governor".to_owned(),
            value: None,
            absent: Some(Absence {
                reason: "ENOENT: the kernel has no cpufreq here".to_owned(),
                remedy: None,
            }),
            advice: Some(
                "a guest can't see frequency changes; compare with the ceiling".to_owned(),
            ),
        },
    ]
}

fn runtime(model: &Model) -> Runtime {
    let id = model.id.split('/').next().unwrap_or(&model.id).to_owned();
    Runtime {
        lang: id.trim_end_matches(|c: char| !c.is_alphabetic()).to_owned(),
        version: "1.0.0".to_owned(),
        path: format!("~/bin/{id}"),
        hash: Some("fnv1a64:0123456789abcdef".to_owned()),
        gil: model.gil,
        details: BTreeMap::new(),
        id,
    }
}
