//! A run on this machine: trials really executed, kept on disk, shown as they go.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use amdahl_schema::{Arm, Outcome, Pass, Plan, PlannedBlock, PlannedTrial, Status, Trial};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::answer::Evidence;
use crate::plan::{ModelInfo, block_cost};
use crate::record::{RecordError, Recorder};
use crate::run::Bench;
use crate::trial::{Stage, blank};
use crate::worker::discover::Discovery;

/// The real bench.
pub(super) struct Live<'a> {
    pub(super) stage: Stage<'a>,
    pub(super) found: &'a Discovery,
    pub(super) models: &'a [ModelInfo],
    pub(super) cpus: u32,
    pub(super) files: Option<u64>,
    pub(super) plan: &'a Plan,
    pub(super) evidence: Evidence,
    pub(super) begin: Instant,
    pub(super) recorder: Recorder,
    pub(super) bar: ProgressBar,
    /// Models and workloads that had a first look: whether it left them undecided.
    pub(super) open: BTreeMap<(String, String), bool>,
    /// Models and workloads (and locks) that hung: once is enough.
    pub(super) hung: Vec<(String, String, Option<String>)>,
}

impl Bench for Live<'_> {
    fn trial(&mut self, block: &PlannedBlock, planned: &PlannedTrial) -> Trial {
        let refuse = |kind: &str, reason: String| {
            let mut trial = blank(block, planned);
            trial.outcome = Outcome::not_ok(Status::Failed, kind, reason);
            trial
        };
        let Some(found) = self.found.of(&block.model) else {
            return refuse(
                "unsupported",
                "this model is not here any more; see `amdahl list`".to_owned(),
            );
        };
        // A lock that hangs says nothing of the others.
        let lock = block.params.get("lock").cloned();
        let cell = (block.model.clone(), block.workload.clone(), lock);
        if self.hung.contains(&cell) {
            let what =
                cell.2.map_or_else(|| "workload".to_owned(), |lock| format!("lock `{lock}`"));
            return refuse(
                "hang",
                format!("an earlier trial of this model and {what} hung; not tried again"),
            );
        }
        if let Some(limit) = self.files
            && files_needed(&block.workload, planned) > limit
        {
            let needed = files_needed(&block.workload, planned);
            let reason = format!(
                "needs about {needed} open files, the limit is {limit}: raise it with `ulimit -n {needed}`"
            );
            return refuse("limit", reason);
        }
        let trial = self.stage.execute(found, block, planned);
        if trial.outcome.status == Status::TimedOut {
            self.hung.push(cell);
        }
        trial
    }

    fn elapsed(&self) -> Duration {
        self.begin.elapsed()
    }

    fn expected(&self, block: &PlannedBlock) -> Duration {
        let info = self.models.iter().find(|m| m.id == block.model);
        info.map_or(Duration::ZERO, |info| block_cost(block, info, self.cpus))
    }

    fn keep(&mut self, trial: Trial) -> Result<(), RecordError> {
        self.evidence.add(&trial);
        self.recorder.append(&trial)
    }

    fn needs(&mut self, spare: &PlannedBlock) -> bool {
        let counts = |b: &PlannedBlock| b.trials.iter().map(|t| t.workers).max();
        let same = |b: &&PlannedBlock| {
            !b.spare
                && b.model == spare.model
                && b.workload == spare.workload
                && b.params == spare.params
                && b.trials[0].pass == Pass::Throughput
                && counts(b) == counts(spare)
        };
        let planned = self.plan.blocks.iter().filter(same).count() as u32;
        let (evidence, cpus) = (&self.evidence, self.cpus);
        let workload = evidence.workload(&spare.workload, spare.trials[0].seq);
        let open = || evidence.open(&spare.model, &workload, cpus);
        let key = (spare.model.clone(), workload.clone());
        // One look, then all or nothing: who looks after each block stops when chance is on one side.
        let more = *self.open.entry(key).or_insert_with(open);
        more || evidence.spoiled(&spare.model, &workload, planned, cpus)
    }

    fn progress(&mut self, done: usize, _of: usize, left: Duration) {
        self.bar.set_message(format!("about {} s left", left.as_secs()));
        self.bar.set_position(done as u64);
        self.bar.tick();
    }
}

/// Open files a trial needs, here or in the peer of `pipe`: four a process, one a counter, and what the program has open anyway.
pub(super) fn files_needed(workload: &str, planned: &PlannedTrial) -> u64 {
    let processes = match planned.arm {
        Arm::Ceiling => u64::from(planned.workers),
        Arm::Model => 1,
    };
    let counters = match planned.pass {
        Pass::Counters => 6 * u64::from(planned.workers),
        _ => 0,
    };
    let peer = if workload == "pipe" { 2 * u64::from(planned.workers) } else { 0 };
    24 + peer.max(4 * processes + counters)
}

/// Drawn only between trials (no steady tick), and only on a terminal.
pub(super) fn bar(plan: &Plan) -> ProgressBar {
    let n: usize = plan.blocks.iter().filter(|b| !b.spare).map(|b| b.trials.len()).sum();
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} trials, {msg}")
        .expect("the template is constant");
    ProgressBar::with_draw_target(Some(n as u64), ProgressDrawTarget::stderr()).with_style(style)
}
