//! The run header: who asked for what, on which machine, in which state.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::counter::Absence;
use crate::trial::{Arm, Pass, Placement};

/// The program that wrote the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// `amdahl`.
    pub name: String,
    /// Version of the program.
    pub version: String,
}

/// What a run is of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunKind {
    /// Trials of models.
    #[default]
    Models,
    /// A program traced: `trace.json`, no trials.
    Trace,
}

impl RunKind {
    fn is_usual(&self) -> bool {
        *self == Self::Models
    }
}

/// `run.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunHeader {
    /// Version of the contract this run was written in; first of all keys.
    pub schema: u32,
    /// Writer.
    pub tool: Tool,
    /// Random id of the run, hexadecimal.
    pub id: String,
    /// UTC, RFC 3339.
    pub started_utc: String,
    /// The command line, home written `~`.
    pub command: Vec<String>,
    /// What was planned.
    pub plan: Plan,
    /// The machine.
    pub host: Host,
    /// Its state when the run began.
    pub state: MachineState,
    /// Runtimes found, with receipts.
    pub runtimes: Vec<Runtime>,
    /// Models that keep their row although they could not be measured.
    pub absent: Vec<AbsentModel>,
    /// Whether names and paths of the machine were taken out after the run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub anonymous: bool,
    /// What it is a run of.
    #[serde(default, skip_serializing_if = "RunKind::is_usual")]
    pub kind: RunKind,
}

impl RunHeader {
    /// `20260102T030405Z-c60827fa`: names a run without its host.
    pub fn neutral_name(&self) -> String {
        let plain = |c: &char| c.is_ascii_alphanumeric();
        let started: String = self.started_utc.chars().filter(plain).collect();
        let id: String = self.id.chars().filter(plain).collect();
        format!("{started}-{id}")
    }
}

/// The plan as it was carried out: enough to repeat it and to resume it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// `smoke`, `standard`, `paper` or the plan file's name.
    pub profile: String,
    /// Seed of every random choice.
    pub seed: u64,
    /// Time allowed for measuring; absent is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_ms: Option<u64>,
    /// `cores`, `spread`, `smt` or `none`.
    pub placement: String,
    /// Models in the order of the tables.
    #[serde(default)]
    pub models: Vec<String>,
    /// Predicted time of all blocks.
    pub predicted_ms: u64,
    /// Blocks in the order of execution.
    pub blocks: Vec<PlannedBlock>,
}

impl Plan {
    /// Parameters of the workload as planned (`kind=chase`), by trial, for the workloads that the plan
    /// measures with several sets of them.
    pub fn param_labels(&self) -> BTreeMap<u64, String> {
        let label = |params: &BTreeMap<String, String>| {
            params.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" ")
        };
        let mut sets: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for block in &self.blocks {
            sets.entry(&block.workload).or_default().insert(label(&block.params));
        }
        let several = self.blocks.iter().filter(|b| sets[b.workload.as_str()].len() > 1);
        several.flat_map(|b| b.trials.iter().map(|t| (t.seq, label(&b.params)))).collect()
    }
}

/// One repetition of a model × workload: its trials run adjacent in time, in the order given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedBlock {
    /// Repetition number within model × workload × params.
    pub block: u32,
    /// Priority tier, 0 first.
    pub tier: u32,
    /// Run only to replace a block of the same model and workload that an external cause spoiled;
    /// without records where it was not needed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub spare: bool,
    /// Model id.
    pub model: String,
    /// Workload id.
    pub workload: String,
    /// Parameters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
    /// Trials in order.
    pub trials: Vec<PlannedTrial>,
}

/// One trial of a planned block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedTrial {
    /// Position in the run; identifies the trial for `--resume`.
    pub seq: u64,
    /// Logical workers.
    pub workers: u32,
    /// Model or ceiling.
    pub arm: Arm,
    /// What is recorded.
    pub pass: Pass,
    /// Set of counters (counters pass).
    #[serde(default)]
    pub counter_set: u32,
    /// CPUs of the carriers.
    pub placement: Placement,
    /// Seed for the worker.
    pub seed: u64,
    /// Environment padding.
    pub env_pad_bytes: u32,
    /// Least length of a window; the worker's own needs may lengthen it.
    pub window_ns: u64,
    /// Windows.
    pub windows_n: u32,
}

/// A runtime that workers run on, with its receipt: asked, never assumed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runtime {
    /// Runtime part of the model id, with label: `python3.13`, `python3.13@system`, `rust`.
    pub id: String,
    /// Language: `python`, `rust` ….
    pub lang: String,
    /// Full version as the runtime said it.
    pub version: String,
    /// Path of the binary, home written `~`.
    pub path: String,
    /// SHA-256 or similar of the binary: `fnv1a64:…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// Whether a global interpreter lock is on; absent where the language has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gil: Option<bool>,
    /// Anything else it said: build flags, compiler, JIT.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, String>,
}

/// A model that keeps its row with the reason why it was not measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AbsentModel {
    /// Model id or, where no version is known, its pattern (`python/threads`).
    pub model: String,
    /// Why, and what to do.
    pub why: Absence,
}

/// Fingerprint of the machine: what does not change between two runs on it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Host name.
    pub name: String,
    /// Kernel release.
    pub kernel: String,
    /// `x86_64`, `aarch64`.
    pub arch: String,
    /// CPU model name, where /proc/cpuinfo gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_model: Option<String>,
    /// Hypervisor, absent on bare metal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hypervisor: Option<String>,
    /// Total memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mem_bytes: Option<u64>,
    /// Online CPUs with their place in the machine.
    pub cpus: Vec<CpuInfo>,
    /// CPUs in our affinity mask.
    pub affinity: Vec<u32>,
    /// Limits of our control group.
    #[serde(default)]
    pub cgroup: Cgroup,
    /// min(physical cores in the affinity mask, floor of the quota), at least 1.
    pub cpus_available: u32,
    /// Why that is less than the machine's physical cores (affinity mask, quota); absent where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus_note: Option<String>,
    /// Kernel clock source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clocksource: Option<String>,
    /// Last-level cache, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub llc_bytes: Option<u64>,
}

/// A logical CPU's place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuInfo {
    /// Logical CPU.
    pub cpu: u32,
    /// Core: the lowest logical CPU of its SMT siblings.
    pub core: u32,
    /// Socket.
    pub socket: u32,
    /// NUMA node.
    pub node: u32,
}

/// Control group limits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cgroup {
    /// 1 or 2; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// CPU quota in thousandths of a CPU; absent is no quota.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota_mcpu: Option<u64>,
    /// Memory limit; absent is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mem_bytes: Option<u64>,
}

/// What can change between two runs on one machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineState {
    /// Items in order: governor, boost, SMT, THP, NUMA balancing, paranoid level, limits ….
    pub items: Vec<StateItem>,
}

/// One item of the machine's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateItem {
    /// Id: `governor`, `boost`, `smt`, `thp`, `numa_balancing`, `perf_event_paranoid` ….
    pub id: String,
    /// Value; absent with `absent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Why it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent: Option<Absence>,
    /// What it means for a measurement, where it is not as it should be, with the remedy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}
