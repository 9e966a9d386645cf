//! Rounds to pairs, pairs to decisions, decisions to a report.

use amdahl_gate::{Cell, Report, Sentinel, Verdict};
use amdahl_stats::{
    ALPHA, Change, Decision, Evidence, GateReading, decide, decide_family, decide_look,
    gate_failure, median, paired,
};

use super::{CellSpec, DROPPED_MAX, Round, RoundCell};

/// Ticks of all CPUs that a group of rounds spans at least: 5 % of them are ten, the fewest that are evidence.
const GROUP_TICKS: f64 = 200.0;

/// What was measured so far.
pub(super) struct Tally {
    cells: Vec<CellTally>,
    decisions: Vec<Decision>,
    /// Rounds, dropped ones too.
    pub(super) rounds: usize,
    /// Why not all was measured.
    pub(super) cut_short: Option<&'static str>,
    dropped: Vec<String>,
    /// Rounds whose machine was not judged yet.
    group: Vec<Round>,
    reading: GateReading,
}

const NOTHING: GateReading =
    GateReading { capacity_ticks: 0.0, foreign_ticks: Some(0.0), steal_ticks: Some(0.0) };

struct CellTally {
    spec: CellSpec,
    a: Vec<f64>,
    b: Vec<f64>,
    /// ln(B / A), a value a pair.
    logs: Vec<f64>,
    /// ln(sentinel / A).
    sentinel: Vec<f64>,
    /// Launches of each arm that failed, with the last words of the last.
    failed: [Failed; 2],
    dropped: usize,
}

#[derive(Clone, Default)]
struct Failed {
    launches: usize,
    last: String,
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
                for (failed, arm) in self.failed.iter_mut().zip([a, b]) {
                    if let Err(why) = arm {
                        failed.launches += 1;
                        failed.last.clone_from(why);
                    }
                }
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
            failed: <[Failed; 2]>::default(),
            dropped: 0,
        };
        Self {
            cells: specs.iter().map(cell).collect(),
            decisions: Vec::new(),
            rounds: 0,
            cut_short: None,
            dropped: Vec::new(),
            group: Vec::new(),
            reading: NOTHING,
        }
    }

    /// Pairs of the cell that has the fewest, those of the open group among them.
    pub(super) fn fewest(&self) -> usize {
        let open = |k: usize| {
            self.group.iter().filter(|r| r.cells[k].a.is_ok() && r.cells[k].b.is_ok()).count()
        };
        self.cells.iter().enumerate().map(|(k, c)| c.logs.len() + open(k)).min().unwrap_or(0)
    }

    pub(super) fn add(&mut self, round: Round) {
        self.rounds += 1;
        if let Some(why) = round.dropped {
            self.drop_rounds(1, why);
            return;
        }
        // Without a reading there is nothing to wait for.
        let known = round.gates.is_some();
        self.reading = self.reading + round.gates.unwrap_or(NOTHING);
        self.group.push(round);
        if !known || self.reading.capacity_ticks >= GROUP_TICKS {
            self.close_group();
        }
    }

    /// Uses the rounds of the open group, or drops them all: whatever ran beside them is not told from round to round.
    pub(super) fn close_group(&mut self) {
        let reading = std::mem::replace(&mut self.reading, NOTHING);
        let group = std::mem::take(&mut self.group);
        if let Some(why) = gate_failure(&reading, None) {
            self.drop_rounds(group.len(), why);
            return;
        }
        for round in group {
            self.cells.iter_mut().zip(round.cells).for_each(|(tally, cell)| tally.add(cell));
        }
    }

    fn drop_rounds(&mut self, n: usize, why: String) {
        self.dropped.extend(std::iter::repeat_n(why, n));
        self.cells.iter_mut().for_each(|c| c.dropped += n);
    }

    /// Look `k` at the only cell: whether that ends it.
    pub(super) fn look(&mut self, k: usize) -> bool {
        let evidence = self.cells[0].evidence();
        let complete = evidence.n >= amdahl_stats::LOOKS[k].0;
        // A look that the budget cut short has fewer pairs than its level was calibrated for: the strictest level stands.
        self.decisions = vec![decide_look(&evidence, if complete { k } else { 0 })];
        !complete || self.decisions[0].change != Change::Inconclusive
    }

    /// Judges the cells as one family: the places of those that need a second sample.
    pub(super) fn family(&mut self) -> Vec<usize> {
        let evidence: Vec<Evidence> = self.cells.iter().map(CellTally::evidence).collect();
        self.decisions = match evidence.as_slice() {
            [one] => vec![decide(one)],
            family => decide_family(family),
        };
        let decisions = self.decisions.iter().enumerate();
        let changed = decisions.filter(|(_, d)| matches!(d.change, Change::Higher | Change::Lower));
        if self.cells.len() > 1 { changed.map(|(k, _)| k).collect() } else { Vec::new() }
    }

    /// The second sample of the cells at `places`, which the first called changed.
    pub(super) fn confirm(&mut self, places: &[usize], second: Tally) {
        let mut again = vec![None; self.cells.len()];
        for (k, cell) in places.iter().zip(&second.cells) {
            again[*k] = Some(cell.evidence());
        }
        self.decisions = amdahl_stats::confirm(&self.decisions, &again);
        self.rounds += second.rounds;
        self.dropped.extend(second.dropped);
        self.cut_short = self.cut_short.or(second.cut_short);
        for (k, theirs) in places.iter().zip(second.cells) {
            let mine = &mut self.cells[*k];
            mine.sentinel.extend(theirs.sentinel);
            mine.dropped += theirs.dropped;
            for (mine, theirs) in mine.failed.iter_mut().zip(theirs.failed) {
                mine.launches += theirs.launches;
                if theirs.launches > 0 {
                    mine.last = theirs.last;
                }
            }
        }
    }

    /// The verdicts, with what every reader must know.
    pub(super) fn report(self, remarks: &[String]) -> Report {
        let sentinel = self.sentinel();
        let rejected = sentinel.as_ref().is_some_and(|s| s.rejected);
        let busy = self.dropped.len() as f64 > DROPPED_MAX * self.rounds as f64;
        let cells = self.cells.iter().zip(&self.decisions).map(|(tally, decision)| {
            let spec = &tally.spec;
            let mut cell = Cell::new(&spec.name, spec.metric.clone(), &tally.evidence(), decision);
            cell.dropped_pairs = tally.dropped;
            cell.medians = median(&tally.a).zip(median(&tally.b));
            cell.samples = (tally.a.clone(), tally.b.clone());
            let few = tally.dropped as f64 > DROPPED_MAX * self.rounds as f64;
            if rejected || busy || few {
                cell.verdict = Verdict::Inconclusive;
            }
            let open = cell.verdict == Verdict::Inconclusive;
            cell.reasons.extend(self.reasons(tally, open, rejected));
            cell.reasons.extend(remarks.iter().cloned());
            cell
        });
        Report { cells: cells.collect(), sentinel }
    }

    /// What a reader of the cell must know besides the decision's own reason.
    fn reasons(&self, tally: &CellTally, open: bool, rejected: bool) -> Vec<String> {
        let mut reasons = Vec::new();
        if rejected {
            reasons.push(
                "the sentinel, A once more, was called changed too: this machine can't judge now"
                    .to_owned(),
            );
        }
        if let Some(why) = self.dropped.last() {
            reasons.push(format!(
                "{} of {} rounds dropped; the last: {why}",
                self.dropped.len(),
                self.rounds
            ));
        }
        for (arm, failed) in ["A", "B"].iter().zip(&tally.failed).filter(|(_, f)| f.launches > 0) {
            reasons.push(format!(
                "{arm} failed in {} of {} launches; the last: {}",
                failed.launches, self.rounds, failed.last
            ));
        }
        if let Some(why) = self.cut_short.filter(|_| open) {
            reasons.push(why.to_owned());
        }
        reasons
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
