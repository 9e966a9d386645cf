//! Blocks -> trials: order, budget, resume. Knows no paths and prints nothing.

use std::collections::HashSet;
use std::time::Duration;

use amdahl_schema::{Outcome, Plan, PlannedBlock, PlannedTrial, Status, Trial};

use crate::plan::ESSENTIAL;
use crate::record::RecordError;

/// What happens while a run is carried out.
pub trait Bench {
    /// Executes one trial; whatever happens becomes its outcome.
    fn trial(&mut self, block: &PlannedBlock, planned: &PlannedTrial) -> Trial;
    /// Time since the run (or its resumption) began.
    fn elapsed(&self) -> Duration;
    /// What a block is expected to take.
    fn expected(&self, block: &PlannedBlock) -> Duration;
    /// Keeps a trial; it is safe when this returns.
    fn keep(&mut self, trial: Trial) -> Result<(), RecordError>;
    /// Whether a spare block has something to replace, or to decide.
    fn needs(&mut self, spare: &PlannedBlock) -> bool;
    /// Between trials, never while a window is timed.
    fn progress(&mut self, done: usize, of: usize, left: Duration);
}

/// Carries out the plan, leaving out the trials in `done`.
///
/// A block is begun only if it is expected to end within the budget; one that is not becomes
/// `not_run` records, and later, cheaper blocks of the same tier still get their chance, those of lower
/// tiers too. A spare block is run only if [`Bench::needs`] it and there is time for it and for what the answer
/// cannot do without (on a busy machine repetitions would use up the budget), and leaves no record otherwise.
pub fn carry_out(
    plan: &Plan,
    done: &HashSet<u64>,
    bench: &mut dyn Bench,
) -> Result<(), RecordError> {
    let budget = plan.budget_ms.map(Duration::from_millis);
    let left_out = |t: &&PlannedTrial| !done.contains(&t.seq);
    let regular = || plan.blocks.iter().filter(|b| !b.spare);
    let of: usize = regular().map(|b| b.trials.iter().filter(left_out).count()).sum();
    let ahead = |bench: &dyn Bench, b: &PlannedBlock| {
        if b.trials.iter().any(|t| left_out(&t)) { bench.expected(b) } else { Duration::ZERO }
    };
    let mut left: Duration = regular().map(|b| ahead(bench, b)).sum();
    let mut essential: Duration =
        regular().filter(|b| b.tier < ESSENTIAL).map(|b| ahead(bench, b)).sum();
    let mut n = 0;
    let mut pace = Pace::default();
    for block in &plan.blocks {
        let expected = ahead(bench, block);
        if !block.spare {
            left = left.saturating_sub(expected);
            if block.tier < ESSENTIAL {
                essential = essential.saturating_sub(expected);
            }
        }
        let begun = bench.elapsed();
        let fits = |more: Duration| budget.is_none_or(|b| begun + pace.of(expected + more) <= b);
        let reached = fits(Duration::ZERO);
        if block.spare && !(fits(essential) && bench.needs(block)) {
            continue;
        }
        for planned in block.trials.iter().filter(left_out) {
            let trial = if reached {
                let within = |b: Duration| b.saturating_sub(bench.elapsed());
                let remaining = budget.map_or(left + expected, |b| within(b).min(left + expected));
                bench.progress(n, of, remaining);
                bench.trial(block, planned)
            } else {
                not_run(block, planned)
            };
            n += usize::from(!block.spare);
            bench.keep(trial)?;
        }
        if reached {
            pace.expected += expected;
            pace.took += bench.elapsed().saturating_sub(begun);
        }
    }
    bench.progress(of, of, Duration::ZERO);
    Ok(())
}

/// How long blocks take against what was expected of them: waiting for a busy machine is in no forecast.
#[derive(Default)]
struct Pace {
    expected: Duration,
    took: Duration,
}

impl Pace {
    /// At most twice as long as expected: one block that hung must not end the run.
    fn of(&self, expected: Duration) -> Duration {
        if self.expected.is_zero() {
            return expected;
        }
        expected.mul_f64((self.took.as_secs_f64() / self.expected.as_secs_f64()).clamp(1.0, 2.0))
    }
}

fn not_run(block: &PlannedBlock, planned: &PlannedTrial) -> Trial {
    let mut trial = crate::trial::blank(block, planned);
    let reason = "the budget was used up before; raise it with --budget";
    trial.outcome = Outcome::not_ok(Status::NotRun, "budget", reason);
    trial
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use amdahl_schema::{Arm, Pass, Placement};

    use super::*;

    struct Fake {
        clock: Duration,
        each: Duration,
        pace: u32,
        kept: Vec<Trial>,
        room: usize,
        spoiled: bool,
    }

    impl Bench for Fake {
        fn trial(&mut self, block: &PlannedBlock, planned: &PlannedTrial) -> Trial {
            self.clock += self.each * self.pace;
            crate::trial::blank(block, planned)
        }
        fn elapsed(&self) -> Duration {
            self.clock
        }
        fn expected(&self, block: &PlannedBlock) -> Duration {
            self.each * block.trials.len() as u32
        }
        fn keep(&mut self, trial: Trial) -> Result<(), RecordError> {
            if self.kept.len() == self.room {
                let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
                return Err(RecordError { path: "trials.jsonl".into(), source });
            }
            self.kept.push(trial);
            Ok(())
        }
        fn needs(&mut self, _: &PlannedBlock) -> bool {
            self.spoiled
        }
        fn progress(&mut self, _: usize, _: usize, _: Duration) {}
    }

    fn fake() -> Fake {
        let each = Duration::from_secs(1);
        let room = usize::MAX;
        Fake { clock: Duration::ZERO, each, pace: 1, kept: Vec::new(), room, spoiled: false }
    }

    /// Blocks of the given sizes.
    fn plan(sizes: &[u64], budget_s: Option<u64>) -> Plan {
        let mut seq = 0;
        let blocks = sizes.iter().enumerate().map(|(b, size)| PlannedBlock {
            block: b as u32,
            tier: 0,
            spare: false,
            model: "rust/threads".to_owned(),
            workload: "cpu".to_owned(),
            params: BTreeMap::new(),
            trials: (0..*size)
                .map(|_| {
                    seq += 1;
                    PlannedTrial {
                        seq: seq - 1,
                        workers: 1,
                        arm: Arm::Model,
                        pass: Pass::Throughput,
                        counter_set: 0,
                        placement: Placement {
                            policy: "none".to_owned(),
                            cpus: Vec::new(),
                            exclusive: false,
                        },
                        seed: 0,
                        env_pad_bytes: 0,
                        window_ns: 1,
                        windows_n: 1,
                    }
                })
                .collect(),
        });
        Plan {
            models: Vec::new(),
            profile: "test".to_owned(),
            seed: 0,
            budget_ms: budget_s.map(|s| s * 1000),
            placement: "none".to_owned(),
            predicted_ms: 0,
            blocks: blocks.collect(),
        }
    }

    fn ran(bench: &Fake) -> Vec<u64> {
        let ok = bench.kept.iter().filter(|t| t.outcome.status == Status::Ok);
        ok.map(|t| t.seq).collect()
    }

    #[test]
    fn every_planned_trial_leaves_a_record_in_order() {
        let mut bench = fake();
        carry_out(&plan(&[2, 3], None), &HashSet::new(), &mut bench).unwrap();
        assert_eq!(ran(&bench), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_block_that_would_exceed_the_budget_is_not_begun_and_says_so() {
        let mut bench = fake();
        carry_out(&plan(&[2, 3, 1], Some(4)), &HashSet::new(), &mut bench).unwrap();
        assert_eq!(ran(&bench), [0, 1, 5]);
        let not_run = bench.kept.iter().filter(|t| t.outcome.status == Status::NotRun);
        assert!(not_run.clone().all(|t| t.outcome.kind.as_deref() == Some("budget")));
        assert_eq!(not_run.count(), 3);
    }

    #[test]
    fn a_spare_block_is_run_only_where_one_was_spoiled_and_leaves_no_trace_otherwise() {
        let mut plan = plan(&[2, 2, 2], None);
        plan.blocks[1].spare = true;
        for (spoiled, expected) in [(false, vec![0, 1, 4, 5]), (true, vec![0, 1, 2, 3, 4, 5])] {
            let mut bench = Fake { spoiled, ..fake() };
            carry_out(&plan, &HashSet::new(), &mut bench).unwrap();
            assert_eq!(ran(&bench), expected);
            assert_eq!(bench.kept.len(), expected.len());
        }
    }

    #[test]
    fn a_spare_block_leaves_time_for_the_essential_ones() {
        let mut plan = plan(&[2, 2, 2, 2], Some(7));
        plan.blocks[1].spare = true;
        plan.blocks[3].tier = ESSENTIAL;
        let mut bench = Fake { spoiled: true, ..fake() };
        carry_out(&plan, &HashSet::new(), &mut bench).unwrap();
        assert_eq!(ran(&bench), [0, 1, 2, 3, 4, 5], "2 + 2 + 2 s: the last one is left out");
        plan.budget_ms = Some(5000);
        let mut bench = Fake { spoiled: true, ..fake() };
        carry_out(&plan, &HashSet::new(), &mut bench).unwrap();
        assert_eq!(ran(&bench), [0, 1, 4, 5], "the spare one would have cost an essential one");
    }

    #[test]
    fn where_blocks_take_longer_than_expected_spare_ones_leave_more_time() {
        let mut plan = plan(&[2, 2, 2], Some(11));
        plan.blocks[1].spare = true;
        let mut bench = Fake { spoiled: true, pace: 2, ..fake() };
        carry_out(&plan, &HashSet::new(), &mut bench).unwrap();
        assert_eq!(ran(&bench), [0, 1, 4, 5], "4 s + 4 s + 4 s, though 2 s each were expected");
    }

    #[test]
    fn resuming_runs_what_is_missing() {
        let mut bench = fake();
        carry_out(&plan(&[2, 2], None), &HashSet::from([0, 3]), &mut bench).unwrap();
        assert_eq!(ran(&bench), [1, 2]);
    }

    #[test]
    fn a_full_disk_ends_the_run_with_what_was_kept() {
        let mut bench = Fake { room: 2, ..fake() };
        let e = carry_out(&plan(&[4], None), &HashSet::new(), &mut bench).unwrap_err();
        assert!(e.to_string().contains("--resume"), "{e}");
        assert_eq!(bench.kept.len(), 2);
    }
}
