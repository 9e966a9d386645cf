//! Rounds to pairs, pairs to decisions, decisions to a report.

use amdahl_gate::{Cell, Report, Sentinel, Verdict};
use amdahl_stats::{
    ALPHA, Change, Decision, Evidence, decide, decide_family, decide_look, median, paired,
};

use super::{CellSpec, DROPPED_MAX, Round, RoundCell};

/// What was measured so far.
pub(super) struct Tally {
    cells: Vec<CellTally>,
    decisions: Vec<Decision>,
    /// Rounds, dropped ones too.
    pub(super) rounds: usize,
    dropped: Vec<String>,
    budget_spent: bool,
}

struct CellTally {
    spec: CellSpec,
    a: Vec<f64>,
    b: Vec<f64>,
    /// ln(B / A), a value a pair.
    logs: Vec<f64>,
    /// ln(sentinel / A).
    sentinel: Vec<f64>,
    failures: Vec<String>,
    dropped: usize,
}

impl CellTally {
    fn evidence(&self) -> Evidence {
        paired(&self.logs, self.spec.margins)
    }

    fn add(&mut self, cell: RoundCell) {
        let log = |x: &f64, a: &f64| (x / a).ln();
        match (&cell.a, &cell.b) {
            (Ok(a), Ok(b)) => {
                self.a.push(*a);
                self.b.push(*b);
                self.logs.push(log(b, a));
            }
            (a, b) => {
                self.dropped += 1;
                let said = |arm: &str, r: &Result<f64, String>| {
                    r.as_ref().err().map(|e| format!("{arm}: {e}"))
                };
                self.failures.extend([said("A", a), said("B", b)].into_iter().flatten());
            }
        }
        if let (Ok(a), Some(Ok(s))) = (&cell.a, &cell.sentinel) {
            self.sentinel.push(log(s, a));
        }
    }
}

impl Tally {
    pub(super) fn new(specs: &[CellSpec]) -> Self {
        let cell = |spec: &CellSpec| CellTally {
            spec: spec.clone(),
            a: Vec::new(),
            b: Vec::new(),
            logs: Vec::new(),
            sentinel: Vec::new(),
            failures: Vec::new(),
            dropped: 0,
        };
        Self {
            cells: specs.iter().map(cell).collect(),
            decisions: Vec::new(),
            rounds: 0,
            dropped: Vec::new(),
            budget_spent: false,
        }
    }

    /// Pairs of the cell that has the fewest.
    pub(super) fn fewest(&self) -> usize {
        self.cells.iter().map(|c| c.logs.len()).min().unwrap_or(0)
    }

    pub(super) fn out_of_budget(&mut self) {
        self.budget_spent = true;
    }

    pub(super) fn add(&mut self, round: Round) {
        self.rounds += 1;
        if let Some(why) = round.dropped {
            self.dropped.push(why);
            self.cells.iter_mut().for_each(|c| c.dropped += 1);
            return;
        }
        self.cells.iter_mut().zip(round.cells).for_each(|(tally, cell)| tally.add(cell));
    }

    /// Look `k` at the only cell: whether that ends it.
    pub(super) fn look(&mut self, k: usize) -> bool {
        let evidence = self.cells[0].evidence();
        let complete = evidence.n >= amdahl_stats::LOOKS[k].0;
        // A look that the budget cut short has fewer pairs than its level was calibrated for: the strictest level stands.
        self.decisions = vec![decide_look(&evidence, if complete { k } else { 0 })];
        !complete || self.decisions[0].change != Change::Inconclusive
    }

    /// Judges the cells as one family: whether some need a second sample.
    pub(super) fn family(&mut self) -> bool {
        let evidence: Vec<Evidence> = self.cells.iter().map(CellTally::evidence).collect();
        self.decisions = match evidence.as_slice() {
            [one] => vec![decide(one)],
            family => decide_family(family),
        };
        self.cells.len() > 1 && self.decisions.iter().any(changed)
    }

    /// The second sample of the cells that the first called changed.
    pub(super) fn confirm(&mut self, second: Tally) {
        let again =
            second.cells.iter().zip(&self.decisions).map(|(c, d)| changed(d).then(|| c.evidence()));
        self.decisions = amdahl_stats::confirm(&self.decisions, &again.collect::<Vec<_>>());
        self.rounds += second.rounds;
        self.dropped.extend(second.dropped);
        self.budget_spent |= second.budget_spent;
        for (mine, theirs) in self.cells.iter_mut().zip(second.cells) {
            mine.sentinel.extend(theirs.sentinel);
            mine.failures.extend(theirs.failures);
            mine.dropped += theirs.dropped;
        }
    }

    /// The verdicts, with what every reader must know.
    pub(super) fn report(self, remarks: Vec<String>) -> Report {
        let sentinel = self.sentinel();
        let busy = self.dropped.len() as f64 > DROPPED_MAX * self.rounds as f64;
        let mut cells = Vec::new();
        for (tally, decision) in self.cells.iter().zip(&self.decisions) {
            let mut cell =
                Cell::new(&tally.spec.name, tally.spec.metric.clone(), &tally.evidence(), decision);
            cell.dropped_pairs = tally.dropped;
            cell.medians = median(&tally.a).zip(median(&tally.b));
            if sentinel.as_ref().is_some_and(|s| s.rejected) {
                cell.verdict = Verdict::Inconclusive;
                cell.reasons.push("the sentinel, a copy of A, was called changed too: this machine can't judge now".to_owned());
            }
            if busy {
                cell.verdict = Verdict::Inconclusive;
            }
            if let Some(why) = self.dropped.last() {
                cell.reasons.push(format!(
                    "{} of {} rounds dropped, the last: {why}",
                    self.dropped.len(),
                    self.rounds
                ));
            }
            if self.budget_spent && cell.verdict == Verdict::Inconclusive {
                cell.reasons.push("the budget ended before it was decided".to_owned());
            }
            if let Some(why) = tally.failures.last() {
                cell.reasons.push(format!(
                    "{} of {} rounds failed, the last: {why}",
                    tally.failures.len(),
                    self.rounds
                ));
            }
            cell.reasons.extend(remarks.iter().cloned());
            cells.push(cell);
        }
        Report { cells, sentinel }
    }

    /// Whether a copy of A was called changed: the cells' sentinels as one family.
    fn sentinel(&self) -> Option<Sentinel> {
        let family: Vec<Evidence> = self
            .cells
            .iter()
            .filter(|c| !c.sentinel.is_empty())
            .map(|c| paired(&c.sentinel, c.spec.margins))
            .collect();
        let decisions = decide_family(&family);
        let p = decisions.iter().map(|d| d.p).reduce(f64::min)?;
        Some(Sentinel { p, rejected: p <= ALPHA })
    }
}

fn changed(decision: &Decision) -> bool {
    matches!(decision.change, Change::Higher | Change::Lower)
}
