//! Two cells of ours: two models, or one with two values of a parameter.
//!
//! Where one worker program holds both, a pair is one fresh process in which they take turns, a few milliseconds each; else a pair is a
//! trial of each, one right after the other. Either way the process is the unit: a page or an alignment that it drew is the luck of that process.

use std::collections::BTreeMap;
use std::path::PathBuf;

use amdahl_gate::{Better, Metric};
use amdahl_schema::{Arm as TrialArm, Pass, Placement, PlannedBlock, PlannedTrial, Trial};
use amdahl_stats::{GateReading, Margins, SplitMix};

use super::{Arm, Arms, CellSpec, Round, RoundCell, RoundPlan};
use crate::gates::reading;
use crate::trial::{Limits, Outside, Stage, alternates};
use crate::worker::discover::Found;
use crate::worker::link::Launcher;
use crate::{Unable, stop};

/// A slot's window, where each worker has a CPU of its own; longer where that is fewer than twenty operations. Short, because what disturbs a
/// CPU lasts: many short slots scatter less than few long ones of the same length together.
const SLOT_NS: u64 = 2_000_000;

/// What all slots of a process take together, ramps and all, if more than one turn each fits in.
const SPAN_NS: u64 = 58_000_000;

/// The same where workers share CPUs: some of the kernel's time slices.
const SLOT_SHARED_NS: u64 = 50_000_000;

/// Windows of a trial where each cell has a process of its own.
const WINDOWS: u32 = 3;

/// Their length.
const WINDOW_NS: u64 = 50_000_000;

/// An arm of which no round has had a figure after so many will have none.
const ROUNDS_OF_GRACE: usize = 3;

/// One of the two.
#[derive(Debug, Clone)]
pub struct Contestant {
    /// Its runtime.
    pub found: Found,
    /// Id.
    pub model: String,
    /// What was asked for; the worker chooses the rest.
    pub params: BTreeMap<String, String>,
}

/// What is compared.
#[derive(Debug, Clone)]
pub struct Duel {
    /// The base.
    pub a: Contestant,
    /// What may have changed.
    pub b: Contestant,
    /// What both do.
    pub workload: String,
    /// How many workers do it, on which CPUs.
    pub workers: u32,
    /// Where.
    pub placement: Placement,
    /// What is no change.
    pub margins: Margins,
    /// Of the workers' seeds.
    pub seed: u64,
    /// Whether rounds are dropped for what else ran.
    pub gates: bool,
}

/// Where it is measured.
pub struct Site {
    /// Starts workers.
    pub launcher: Box<dyn Launcher>,
    /// The machine.
    pub outside: Box<dyn Outside>,
    /// This program.
    pub amdahl: PathBuf,
}

/// Two cells as arms.
pub struct Models {
    duel: Duel,
    site: Site,
    cells: Vec<CellSpec>,
    together: bool,
    rng: SplitMix,
    rounds: usize,
    /// Turns there and back, and those of them that are left out.
    turns: usize,
    missed: usize,
    /// By arm, A and B: what the worker chose in a round that went well.
    chosen: [Option<BTreeMap<String, String>>; 2],
}

impl Models {
    /// Nothing is started yet.
    pub fn new(duel: Duel, site: Site) -> Self {
        let metric = Metric {
            name: "throughput".to_owned(),
            unit: "1/s".to_owned(),
            better: Better::Higher,
        };
        let cells = vec![CellSpec { name: duel.name(), metric, margins: duel.margins }];
        let can = |c: &Contestant| alternates(&c.found, &duel.block(c, 0, 0));
        let together =
            duel.a.found.runtime.id == duel.b.found.runtime.id && can(&duel.a) && can(&duel.b);
        let rng = SplitMix::new(duel.seed.wrapping_add(1));
        Self {
            duel,
            site,
            cells,
            together,
            rng,
            rounds: 0,
            turns: 0,
            missed: 0,
            chosen: [None, None],
        }
    }

    /// The trials of each arm of the plan.
    fn measure(&mut self, plan: &RoundPlan) -> Vec<Vec<Trial>> {
        let stage = Stage {
            launcher: &*self.site.launcher,
            outside: &*self.site.outside,
            amdahl: self.site.amdahl.clone(),
            limits: Limits::default(),
        };
        let duel = &self.duel;
        let seed = self.rng.next_u64() >> 16;
        let block = |(arm, pad): (&Arm, &u32)| duel.block(duel.contestant(*arm), seed, *pad);
        let mut blocks: Vec<PlannedBlock> =
            plan.order.iter().zip(&plan.env_pad_bytes).map(block).collect();
        if !self.together {
            let of = |(arm, b): (&Arm, &PlannedBlock)| {
                vec![stage.execute(&duel.contestant(*arm).found, b, &b.trials[0])]
            };
            return plan.order.iter().zip(&blocks).map(of).collect();
        }
        for block in &mut blocks {
            let alone = duel.workers == 1 || duel.placement.exclusive;
            block.trials[0].window_ns = if alone { SLOT_NS } else { SLOT_SHARED_NS };
            block.trials[0].windows_n = 1;
        }
        // There and back: whatever drifts evenly meets all cells alike.
        let order: Vec<usize> = (0..blocks.len()).chain((0..blocks.len()).rev()).collect();
        let slots = stage.alternate(&duel.a.found, &blocks, &order, SPAN_NS);
        self.turns += slots.len() / order.len();
        let (slots, missed) = without_missed(slots, order.len());
        self.missed += missed;
        let mut by_arm = vec![Vec::new(); blocks.len()];
        for (slot, cell) in slots.into_iter().zip(order.iter().cycle()) {
            by_arm[*cell].push(slot);
        }
        by_arm
    }

    /// Remembers what the workers chose, and gives up on what can't be measured at all.
    fn remember(&mut self, plan: &RoundPlan, by_arm: &[Vec<Trial>]) -> Result<(), Unable> {
        for (arm, trials) in plan.order.iter().zip(by_arm) {
            let known = match arm {
                Arm::A => &mut self.chosen[0],
                Arm::B => &mut self.chosen[1],
                Arm::Sentinel => continue,
            };
            if let Some(good) = trials.iter().find(|t| t.usable()) {
                *known = Some(good.params.clone());
            }
            let bad = trials.iter().find(|t| !t.usable() && !is_luck(t));
            if let Some(t) = bad.filter(|_| known.is_none() && self.rounds >= ROUNDS_OF_GRACE) {
                let c = self.duel.contestant(*arm);
                let why = t.outcome.reason.as_deref().unwrap_or("no reason given");
                return Err(Unable(format!(
                    "{} {} of {} was measured in none of {ROUNDS_OF_GRACE} processes: {why}; try it by itself: amdahl conform --models {}",
                    self.duel.workload,
                    described(&c.params),
                    c.model,
                    c.model
                )));
            }
        }
        Ok(())
    }
}

impl Arms for Models {
    fn cells(&self) -> &[CellSpec] {
        &self.cells
    }

    fn round(&mut self, plan: &RoundPlan) -> anyhow::Result<Option<Round>> {
        let by_arm = self.measure(plan);
        if stop::asked() > 0 {
            return Ok(None);
        }
        self.rounds += 1;
        self.remember(plan, &by_arm)?;
        let of = |arm: Arm| {
            plan.order.iter().zip(&by_arm).find(|(a, _)| **a == arm).map(|(_, trials)| rate(trials))
        };
        let missing = || Err("not in the plan".to_owned());
        let a = of(Arm::A).unwrap_or_else(missing);
        let b = of(Arm::B).unwrap_or_else(missing);
        let cells = vec![RoundCell { a, b, sentinel: of(Arm::Sentinel) }];
        // Of slots each has the gates of its whole process: one is enough.
        let alone = if self.together { 1 } else { by_arm.len() };
        let readings = by_arm.iter().take(alone).filter_map(|trials| trials.first());
        let gates: Option<GateReading> = readings.map(|t| reading(&t.gates)).reduce(|x, y| x + y);
        Ok(Some(Round { cells, gates: gates.filter(|_| self.duel.gates), dropped: None }))
    }

    fn narrow(&mut self, _: &[usize]) {}

    fn remarks(&self) -> Vec<String> {
        let missed = (self.missed > 0).then(|| {
            format!(
                "{} of {} turns are left out: in them workers were kept from working at the same time",
                self.missed, self.turns
            )
        });
        missed.into_iter().chain(self.unlike_work()).collect()
    }
}

impl Models {
    /// What the workers chose by themselves, and chose differently.
    fn unlike_work(&self) -> Vec<String> {
        let [Some(a), Some(b)] = &self.chosen else { return Vec::new() };
        let asked = |key: &String| {
            self.duel.a.params.contains_key(key) || self.duel.b.params.contains_key(key)
        };
        let differ = |(key, value): (&String, &String)| {
            let other = b.get(key).filter(|other| *other != value && !asked(key))?;
            Some(format!(
                "A chose {key}={value}, B {key}={other}: their operations are not the same work; say --param {key}={value}"
            ))
        };
        a.iter().filter_map(differ).collect()
    }
}

impl Duel {
    fn contestant(&self, arm: Arm) -> &Contestant {
        if arm == Arm::B { &self.b } else { &self.a }
    }

    /// What both have once, then each with what is its own: `lock N=2 lock=mutex: rust/threads permille=250 -> rust/threads permille=300`.
    fn name(&self) -> String {
        let (a, b) = (&self.a.params, &self.b.params);
        let (same, own): (BTreeMap<_, _>, BTreeMap<_, _>) =
            a.clone().into_iter().partition(|(k, v)| b.get(k) == Some(v));
        let others = b.clone().into_iter().filter(|(k, _)| !same.contains_key(k)).collect();
        let of =
            |c: &Contestant, own| [c.model.clone(), described(own)].join(" ").trim().to_owned();
        let what = format!("{} N={} {}", self.workload, self.workers, described(&same));
        format!("{}: {} -> {}", what.trim(), of(&self.a, &own), of(&self.b, &others))
    }

    fn block(&self, c: &Contestant, seed: u64, env_pad_bytes: u32) -> PlannedBlock {
        let planned = PlannedTrial {
            seq: 0,
            workers: self.workers,
            arm: TrialArm::Model,
            pass: Pass::Throughput,
            counter_set: 0,
            placement: self.placement.clone(),
            seed,
            env_pad_bytes,
            window_ns: WINDOW_NS,
            windows_n: WINDOWS,
        };
        PlannedBlock {
            block: 0,
            tier: 0,
            spare: false,
            model: c.model.clone(),
            workload: self.workload.clone(),
            params: c.params.clone(),
            trials: vec![planned],
        }
    }
}

fn described(params: &BTreeMap<String, String>) -> String {
    params.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" ")
}

/// Whether the next process may do better: workers that missed each other on a busy machine.
fn is_luck(trial: &Trial) -> bool {
    matches!(trial.outcome.kind.as_deref(), Some("contest" | "stamps"))
}

/// The slots of those turns in which nobody missed anybody, and how many turns those leave out. Other programs take a CPU for longer than a slot lasts,
/// which says nothing of the arms, and all of them lose the turn. Where that is most of the turns the pair is to be lost, so all stay.
fn without_missed(slots: Vec<Trial>, of_a_turn: usize) -> (Vec<Trial>, usize) {
    let missed = |turn: &[Trial]| turn.iter().any(|t| !t.usable() && is_luck(t));
    let (turns, n) =
        (slots.len() / of_a_turn, slots.chunks(of_a_turn).filter(|t| missed(t)).count());
    if n == 0 || n * 2 > turns {
        return (slots, 0);
    }
    let kept = slots.chunks(of_a_turn).filter(|turn| !missed(turn));
    (kept.flatten().cloned().collect(), n)
}

/// Operations a second of a trial, or over all the slots of an arm: each worker's operations by the time that they took. One that can't be
/// believed spoils the pair.
fn rate(trials: &[Trial]) -> Result<f64, String> {
    if let Some(bad) = trials.iter().find(|t| !t.usable()) {
        return Err(bad.outcome.reason.clone().unwrap_or_else(|| "no reason given".to_owned()));
    }
    let rate = if let [whole] = trials { whole.rate() } else { over_slots(trials) };
    rate.ok_or_else(|| "no operation was completed in its windows".to_owned())
}

/// A worker that was kept from its CPU for all of a slot's window has neither operations nor time in it: it counts in the other slots.
fn over_slots(trials: &[Trial]) -> Option<f64> {
    let mut by_worker: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    for window in trials.iter().flat_map(|t| &t.windows).filter(|x| x.i >= 0 && !x.tail) {
        let (ops, span_ns) = by_worker.entry(window.w).or_default();
        *ops += window.ops;
        *span_ns += window.last_ns?.saturating_sub(window.first_ns?);
    }
    let rates = by_worker.values().filter(|(_, span_ns)| *span_ns > 0);
    let rate: f64 = rates.map(|(ops, span_ns)| *ops as f64 * 1e9 / *span_ns as f64).sum();
    (rate > 0.0).then_some(rate)
}
