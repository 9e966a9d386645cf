use amdahl_gate::{Better, Cell, Verdict, report_json};
use amdahl_stats::{GateReading, SplitMix};

use super::*;

/// Cells whose truth is known, on a machine that behaves as told.
struct Fake {
    cells: Vec<CellSpec>,
    /// Of B to A, by cell.
    truth: Vec<f64>,
    /// Of the sentinel to A.
    sentinel: f64,
    spread: f64,
    rng: SplitMix,
    orders: Vec<Vec<Arm>>,
    /// What becomes of round `k`.
    fate: fn(usize) -> Fate,
}

enum Fate {
    Fine,
    Dropped,
    Busy,
    Fails(Arm),
    Stopped,
}

impl Fake {
    fn new(truth: &[f64], spread: f64) -> Self {
        let metric =
            Metric { name: "throughput".into(), unit: "1/s".into(), better: Better::Higher };
        let cell = |k: usize| CellSpec {
            name: format!("cell {k}"),
            metric: metric.clone(),
            margins: Margins::default(),
        };
        Self {
            cells: (0..truth.len()).map(cell).collect(),
            truth: truth.to_vec(),
            sentinel: 1.0,
            spread,
            rng: SplitMix::new(1),
            orders: Vec::new(),
            fate: |_| Fate::Fine,
        }
    }
}

impl Arms for Fake {
    fn cells(&self) -> &[CellSpec] {
        &self.cells
    }

    fn round(&mut self, plan: &RoundPlan) -> anyhow::Result<Option<Round>> {
        assert_eq!(plan.order.len(), plan.env_pad_bytes.len());
        let fate = (self.fate)(self.orders.len());
        self.orders.push(plan.order.clone());
        let mut draw = |ratio: f64| Ok(100.0 * ratio * (self.spread * self.rng.normal()).exp());
        let has_sentinel = plan.order.contains(&Arm::Sentinel);
        let mut cells: Vec<RoundCell> = self
            .truth
            .iter()
            .map(|t| RoundCell {
                a: draw(1.0),
                b: draw(*t),
                sentinel: has_sentinel.then(|| draw(self.sentinel)),
            })
            .collect();
        let ticks = |foreign| GateReading {
            capacity_ticks: 20.0,
            foreign_ticks: Some(foreign),
            steal_ticks: Some(0.0),
        };
        let mut round = Round { cells: Vec::new(), gates: Some(ticks(0.0)), dropped: None };
        match fate {
            Fate::Fine => {}
            Fate::Dropped => round.dropped = Some("run delay".to_owned()),
            Fate::Busy => round.gates = Some(ticks(10.0)),
            Fate::Fails(Arm::A) => cells[0].a = Err("exit status 3".to_owned()),
            Fate::Fails(_) => cells[0].b = Err("exit status 3".to_owned()),
            Fate::Stopped => return Ok(None),
        }
        round.cells = cells;
        Ok(Some(round))
    }

    fn narrow(&mut self, keep: &[usize]) {
        self.cells = keep.iter().map(|k| self.cells[*k].clone()).collect();
        self.truth = keep.iter().map(|k| self.truth[*k]).collect();
    }

    fn remarks(&self) -> Vec<String> {
        vec!["a remark".to_owned()]
    }
}

fn settings() -> Settings {
    Settings { pairs: None, budget: None, sentinel: true, seed: 5 }
}

fn run(fake: &mut Fake, settings: &Settings) -> Report {
    judge(fake, settings, &mut |_| ()).unwrap()
}

fn only(report: &Report) -> &Cell {
    assert_eq!(report.cells.len(), 1);
    &report.cells[0]
}

#[test]
fn every_arm_is_early_as_often_as_late_and_the_order_is_random() {
    let mut fake = Fake::new(&[1.0], 0.05);
    run(&mut fake, &Settings { pairs: Some(40), ..settings() });
    assert_eq!(fake.orders.len(), 40);
    for arm in [Arm::A, Arm::B, Arm::Sentinel] {
        let places = |k: usize| fake.orders.iter().filter(|o| o[k] == arm).count();
        assert_eq!(places(0), places(2), "{arm:?}");
    }
    let first = |seed| {
        let mut fake = Fake::new(&[1.0], 0.05);
        run(&mut fake, &Settings { pairs: Some(8), seed, ..settings() });
        fake.orders
    };
    assert_eq!(first(1), first(1));
    assert_ne!(first(1), first(2));
}

#[test]
fn looks_end_when_it_is_decided() {
    let rounds = |truth: f64, spread: f64| {
        let mut fake = Fake::new(&[truth], spread);
        let report = run(&mut fake, &settings());
        (only(&report).verdict, fake.orders.len())
    };
    assert_eq!(rounds(0.9, 0.005), (Verdict::Regressed, 12));
    assert_eq!(rounds(1.1, 0.005), (Verdict::Improved, 12));
    assert_eq!(rounds(1.0, 0.003), (Verdict::Equivalent, 12));
    assert_eq!(rounds(1.0, 0.3), (Verdict::Inconclusive, 48));
}

#[test]
fn what_is_undecided_says_what_could_have_been_seen() {
    let report = run(&mut Fake::new(&[1.0], 0.3), &settings());
    let cell = only(&report);
    assert!(cell.smallest_detectable.unwrap() > 1.1, "{cell:?}");
    assert!(cell.reasons.contains(&"a remark".to_owned()));
    assert_eq!((cell.pairs, cell.samples.0.len(), report.exit_code(true)), (48, 48, 3));
}

#[test]
fn dropped_rounds_are_replaced_and_too_many_of_them_decide_nothing() {
    let mut fake = Fake::new(&[1.1], 0.003);
    fake.fate = |k| if k % 6 == 5 { Fate::Dropped } else { Fate::Fine };
    let report = run(&mut fake, &settings());
    let cell = only(&report);
    assert_eq!((cell.verdict, cell.pairs, cell.dropped_pairs), (Verdict::Improved, 12, 2));
    assert!(
        cell.reasons[0].contains("2 of 14 rounds dropped; the last: run delay"),
        "{:?}",
        cell.reasons
    );
    let mut fake = Fake::new(&[1.1], 0.003);
    fake.fate = |k| if k % 2 == 1 { Fate::Dropped } else { Fate::Fine };
    let report = run(&mut fake, &settings());
    assert_eq!(only(&report).verdict, Verdict::Inconclusive);
}

/// Ten rounds make a group; in the second somebody else had half of the machine.
#[test]
fn rounds_are_dropped_in_groups_that_span_enough_ticks() {
    let mut fake = Fake::new(&[1.1], 0.003);
    fake.fate = |k| if (10..13).contains(&k) { Fate::Busy } else { Fate::Fine };
    let report = run(&mut fake, &Settings { pairs: Some(40), ..settings() });
    let cell = only(&report);
    assert_eq!((cell.pairs, cell.dropped_pairs, cell.verdict), (40, 10, Verdict::Improved));
    assert!(cell.reasons[0].contains("other programs used"), "{:?}", cell.reasons);
}

#[test]
fn an_arm_that_fails_now_and_then_is_said_and_its_pairs_are_not_used() {
    let mut fake = Fake::new(&[1.0], 0.003);
    fake.fate = |k| if k == 4 { Fate::Fails(Arm::B) } else { Fate::Fine };
    let report = run(&mut fake, &settings());
    let cell = only(&report);
    assert_eq!((cell.verdict, cell.pairs, cell.dropped_pairs), (Verdict::Equivalent, 12, 1));
    assert!(
        cell.reasons[0].starts_with("B failed in 1 of 13 launches; the last: exit status 3"),
        "{:?}",
        cell.reasons
    );
}

#[test]
fn where_a_copy_of_a_is_called_changed_nothing_is() {
    let mut fake = Fake::new(&[1.1], 0.003);
    fake.sentinel = 1.08;
    let report = run(&mut fake, &settings());
    assert!(report.sentinel.as_ref().unwrap().rejected);
    assert_eq!((report.verdict(), report.exit_code(false)), (Verdict::Inconclusive, 0));
    assert!(only(&report).reasons[0].contains("can't judge now"));
}

#[test]
fn families_confirm_what_they_call_changed_by_a_second_sample() {
    let mut truth = vec![1.0; 20];
    truth[3] = 0.9;
    let mut fake = Fake::new(&truth, 0.004);
    let report = run(&mut fake, &settings());
    assert_eq!(fake.orders.len(), 24, "12 pairs, and 12 for the confirmation");
    let verdicts: Vec<Verdict> = report.cells.iter().map(|c| c.verdict).collect();
    assert_eq!(verdicts.iter().filter(|v| **v == Verdict::Regressed).count(), 1);
    assert_eq!((verdicts[3], report.exit_code(false)), (Verdict::Regressed, 1));
    let mut fake = Fake::new(&[1.0; 20], 0.004);
    run(&mut fake, &settings());
    assert_eq!(fake.orders.len(), 12, "nothing to confirm");
}

#[test]
fn a_budget_or_a_stop_leaves_what_was_seen() {
    let mut fake = Fake::new(&[1.0], 0.3);
    let report = run(&mut fake, &Settings { budget: Some(Duration::ZERO), ..settings() });
    assert!(only(&report).reasons.iter().any(|r| r.contains("budget ended")), "{report:?}");
    let mut fake = Fake::new(&[1.2], 0.003);
    fake.fate = |k| if k == 8 { Fate::Stopped } else { Fate::Fine };
    let report = run(&mut fake, &settings());
    assert_eq!((only(&report).pairs, only(&report).verdict), (8, Verdict::Improved));
    let mut fake = Fake::new(&[1.2], 0.003);
    fake.fate = |k| if k == 3 { Fate::Stopped } else { Fate::Fine };
    let report = run(&mut fake, &settings());
    assert!(only(&report).reasons.iter().any(|r| r.contains("stopped before")), "{report:?}");
}

#[test]
fn same_data_same_verdict_to_the_byte() {
    let json =
        || report_json(&run(&mut Fake::new(&[1.0, 1.05, 0.97], 0.02), &settings())).to_string();
    assert_eq!(json(), json());
    let flat = run(&mut Fake::new(&[1.0], 0.0), &settings());
    assert_eq!(only(&flat).verdict, Verdict::Equivalent, "no spread at all");
}
