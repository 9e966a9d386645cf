//! Two judgements, row by row: the recorded verdict, the one found here, and what follows.

use amdahl_schema::AbsentModel;
use amdahl_stats::{IoVerdict, Judgement, Verdict, io_verdict_name, verdict_name};

/// What became of one recorded verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Decided here as it was.
    Same,
    /// Decided here, and otherwise.
    Differs,
    /// Decided there; here the measurement left it open.
    UndecidedHere,
    /// It was open there, so there is nothing to reproduce.
    UndecidedThere,
    /// The model can't be measured here.
    NotHere,
}

impl Outcome {
    /// Name in JSON and in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Differs => "differs",
            Self::UndecidedHere => "undecided here",
            Self::UndecidedThere => "undecided there",
            Self::NotHere => "not available here",
        }
    }
}

/// One recorded verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Model id.
    pub model: String,
    /// Workload, with its parameters where the run has several sets of them.
    pub workload: String,
    /// N.
    pub workers: u32,
    /// The verdict there.
    pub there: &'static str,
    /// The verdict here; absent where nothing was measured.
    pub here: Option<&'static str>,
    /// What follows.
    pub outcome: Outcome,
    /// Why it is open, or not here.
    pub why: Option<String>,
}

/// How often each outcome came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// [`Outcome::Same`].
    pub same: usize,
    /// [`Outcome::Differs`].
    pub differs: usize,
    /// [`Outcome::UndecidedHere`].
    pub undecided_here: usize,
    /// [`Outcome::UndecidedThere`].
    pub undecided_there: usize,
    /// [`Outcome::NotHere`].
    pub not_here: usize,
}

impl Summary {
    /// Verdicts that were decided there.
    pub fn decided(&self) -> usize {
        self.same + self.differs + self.undecided_here + self.not_here
    }

    /// 0: no verdict is contradicted; 1: one is; 3, only if `strict`: none is, but some could not be decided here.
    pub fn exit_code(&self, strict: bool) -> u8 {
        match (self.differs, self.undecided_here + self.not_here) {
            (0, 0) => 0,
            (0, _) if strict => 3,
            (0, _) => 0,
            _ => 1,
        }
    }
}

/// All recorded verdicts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// In the order of the recorded judgement, CPU-bound ones first.
    pub rows: Vec<Row>,
}

impl Comparison {
    /// Counted.
    pub fn summary(&self) -> Summary {
        let of = |outcome| self.rows.iter().filter(|r| r.outcome == outcome).count();
        Summary {
            same: of(Outcome::Same),
            differs: of(Outcome::Differs),
            undecided_here: of(Outcome::UndecidedHere),
            undecided_there: of(Outcome::UndecidedThere),
            not_here: of(Outcome::NotHere),
        }
    }
}

/// A verdict of either kind: its name, whether it decides anything, and why not.
#[derive(Clone)]
struct Found {
    name: &'static str,
    decided: bool,
    why: Option<String>,
}

/// A verdict with what it is about: model, workload, N.
type Keyed<'a> = ((&'a str, &'a str, u32), Found);

/// Holds what was found here against what was recorded there; `missing` are recorded models that can't be measured here.
pub fn compare(there: &Judgement, here: &Judgement, missing: &[AbsentModel]) -> Comparison {
    let found = all(here);
    let row = |((model, workload, workers), recorded): Keyed<'_>| {
        let mine = found.iter().find(|(key, _)| *key == (model, workload, workers));
        let mine = mine.map(|(_, found)| found.clone());
        let absent = missing.iter().find(|a| a.model == model).map(|a| a.why.reason.clone());
        let (outcome, why) = match (&mine, recorded.decided) {
            (_, false) => (Outcome::UndecidedThere, recorded.why),
            (None, true) if absent.is_some() => (Outcome::NotHere, absent),
            (None, true) => {
                (Outcome::UndecidedHere, Some("nothing of it was measured here".to_owned()))
            }
            (Some(m), true) if !m.decided => (Outcome::UndecidedHere, m.why.clone()),
            (Some(m), true) if m.name == recorded.name => (Outcome::Same, None),
            (Some(_), true) => (Outcome::Differs, None),
        };
        Row {
            model: model.to_owned(),
            workload: workload.to_owned(),
            workers,
            there: recorded.name,
            here: mine.map(|m| m.name),
            outcome,
            why,
        }
    };
    Comparison { rows: all(there).into_iter().map(row).collect() }
}

/// The verdict's own and what caused it; all of them are in the report.
fn first_reasons(reasons: &[String]) -> Option<String> {
    (!reasons.is_empty()).then(|| reasons.iter().take(2).cloned().collect::<Vec<_>>().join("; "))
}

fn all(judgement: &Judgement) -> Vec<Keyed<'_>> {
    let cpu = judgement.parallelism.iter().map(|r| {
        let decided = r.verdict != Verdict::Unknown;
        let name = verdict_name(r.verdict);
        let found = Found { name, decided, why: first_reasons(&r.reasons) };
        ((r.model.as_str(), r.workload.as_str(), r.workers), found)
    });
    let io = judgement.io_overlap.iter().map(|r| {
        let decided = r.verdict != IoVerdict::Unknown;
        let name = io_verdict_name(r.verdict);
        let found = Found { name, decided, why: first_reasons(&r.reasons) };
        ((r.model.as_str(), r.workload.as_str(), r.workers), found)
    });
    cpu.chain(io).collect()
}

#[cfg(test)]
mod tests {
    use amdahl_schema::Absence;
    use amdahl_stats::{IoRow, ParallelismRow};

    use super::*;

    fn cpu(verdict: Verdict, workers: u32) -> ParallelismRow {
        ParallelismRow {
            model: "m/threads".to_owned(),
            workload: "cpu".to_owned(),
            workers,
            decisive: true,
            verdict,
            speedup: None,
            ceiling: None,
            ceiling_share: None,
            effective_cpus: None,
            cpus_available: 2,
            blocks: 3,
            dropped: 0,
            limited_by: "nothing".to_owned(),
            budget: None,
            limit: None,
            karp_flatt: None,
            reasons: vec!["because".to_owned()],
            points: Vec::new(),
        }
    }

    fn io(verdict: IoVerdict) -> IoRow {
        IoRow {
            model: "m/threads".to_owned(),
            workload: "sleep".to_owned(),
            workers: 32,
            verdict,
            throughput_ratio: None,
            blocks: 3,
            dropped: 0,
            reasons: vec!["noise".to_owned()],
            points: Vec::new(),
        }
    }

    fn judged(rows: Vec<ParallelismRow>) -> Judgement {
        Judgement { parallelism: rows, io_overlap: Vec::new() }
    }

    fn only(there: &Judgement, here: &Judgement, missing: &[AbsentModel]) -> Row {
        let mut rows = compare(there, here, missing).rows;
        assert_eq!(rows.len(), 1);
        rows.remove(0)
    }

    #[test]
    fn every_pair_of_cpu_verdicts() {
        use Outcome::{Differs, Same, UndecidedHere, UndecidedThere};
        use Verdict::{Parallel, Partly, Serial, Unknown};
        let verdicts = [Parallel, Partly, Serial, Unknown];
        let expected = [
            [Same, Differs, Differs, UndecidedHere],
            [Differs, Same, Differs, UndecidedHere],
            [Differs, Differs, Same, UndecidedHere],
            [UndecidedThere; 4],
        ];
        for (i, there) in verdicts.into_iter().enumerate() {
            for (k, here) in verdicts.into_iter().enumerate() {
                let row = only(&judged(vec![cpu(there, 2)]), &judged(vec![cpu(here, 2)]), &[]);
                assert_eq!(row.outcome, expected[i][k], "{there:?} there, {here:?} here");
                let open = [UndecidedHere, UndecidedThere].contains(&row.outcome);
                assert_eq!(row.why.is_some(), open, "an open verdict says why, no other does");
                assert_eq!((row.there, row.here), (verdict_name(there), Some(verdict_name(here))));
            }
        }
    }

    #[test]
    fn every_pair_of_io_verdicts() {
        use IoVerdict::{DoesNot, Overlaps, Unknown};
        use Outcome::{Differs, Same, UndecidedHere, UndecidedThere};
        let verdicts = [Overlaps, DoesNot, Unknown];
        let expected =
            [[Same, Differs, UndecidedHere], [Differs, Same, UndecidedHere], [UndecidedThere; 3]];
        for (i, there) in verdicts.into_iter().enumerate() {
            for (k, here) in verdicts.into_iter().enumerate() {
                let of = |v| Judgement { parallelism: Vec::new(), io_overlap: vec![io(v)] };
                let row = only(&of(there), &of(here), &[]);
                assert_eq!(row.outcome, expected[i][k], "{there:?} there, {here:?} here");
            }
        }
    }

    #[test]
    fn what_has_no_partner_is_not_here_or_undecided() {
        let there = judged(vec![cpu(Verdict::Parallel, 2)]);
        let missing = AbsentModel {
            model: "m/threads".to_owned(),
            why: Absence { reason: "gone".to_owned(), remedy: None },
        };
        for (here, missing, outcome, why) in [
            (judged(Vec::new()), vec![missing.clone()], Outcome::NotHere, "gone"),
            (
                judged(Vec::new()),
                Vec::new(),
                Outcome::UndecidedHere,
                "nothing of it was measured here",
            ),
            // Another N is another question.
            (
                judged(vec![cpu(Verdict::Parallel, 4)]),
                Vec::new(),
                Outcome::UndecidedHere,
                "nothing of it",
            ),
        ] {
            let row = only(&there, &here, &missing);
            assert_eq!((row.outcome, row.here), (outcome, None));
            assert!(row.why.unwrap().contains(why));
        }
        let open = only(&judged(vec![cpu(Verdict::Unknown, 2)]), &judged(Vec::new()), &[missing]);
        assert_eq!((open.outcome, open.why.as_deref()), (Outcome::UndecidedThere, Some("because")));
    }

    #[test]
    fn exit_codes_are_those_of_the_table() {
        let of = |same, differs, undecided_here, undecided_there, not_here| Summary {
            same,
            differs,
            undecided_here,
            undecided_there,
            not_here,
        };
        for (summary, code, strict) in [
            (of(3, 0, 0, 0, 0), 0, 0),
            (of(3, 0, 0, 5, 0), 0, 0),
            (of(3, 0, 1, 0, 0), 0, 3),
            (of(3, 0, 0, 0, 1), 0, 3),
            (of(3, 1, 1, 0, 1), 1, 1),
            (of(0, 0, 0, 0, 0), 0, 0),
        ] {
            assert_eq!(
                (summary.exit_code(false), summary.exit_code(true)),
                (code, strict),
                "{summary:?}"
            );
        }
        assert_eq!(of(1, 2, 4, 8, 16).decided(), 23);
    }
}
