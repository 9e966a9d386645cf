//! Which blocks a row may use, and why not the others. Decides nothing about a model.

use std::collections::{BTreeMap, BTreeSet};

use super::{DRIFT_MAX, DROPPED_MAX};
use crate::gates::{GateReading, gate_failure, percent};
use crate::observation::{Contest, Missing, Observation};

/// Place of a trial in a series: block, whether the ceiling, workers.
type Place = (u32, bool, u32);

/// All trials of one model and workload.
pub(super) struct Series<'a> {
    pub(super) model: &'a str,
    pub(super) workload: &'a str,
    observed: BTreeMap<Place, Vec<&'a Observation>>,
    missing: BTreeMap<Place, &'a str>,
}

/// The trials of one block that a row needs.
pub(super) struct Block<'a> {
    pub(super) id: u32,
    pub(super) one: &'a Observation,
    pub(super) many: &'a Observation,
    pub(super) ceiling: Option<&'a Observation>,
    /// Why its gate fails, where it does.
    pub(super) disturbed: Option<String>,
}

/// A row's blocks.
#[derive(Default)]
pub(super) struct Selection<'a> {
    pub(super) used: Vec<Block<'a>>,
    /// Block and reason.
    pub(super) dropped: Vec<(u32, String)>,
    /// Blocks that were not run, with the reason.
    pub(super) not_run: Vec<(u32, String)>,
    /// Used blocks without a ceiling, with the reason.
    pub(super) no_ceiling: Vec<(u32, String)>,
}

impl<'a> Series<'a> {
    pub(super) fn new(model: &'a str, workload: &'a str) -> Self {
        Self { model, workload, observed: BTreeMap::new(), missing: BTreeMap::new() }
    }

    pub(super) fn observe(&mut self, o: &'a Observation) {
        self.observed.entry((o.block, o.ceiling, o.workers)).or_default().push(o);
    }

    pub(super) fn miss(&mut self, m: &'a Missing) {
        let reason = self.missing.entry((m.block, m.ceiling, m.workers)).or_insert(&m.reason);
        // Whichever comes first in the alphabet, so that the order of the records does not matter.
        *reason = (*reason).min(m.reason.as_str());
    }

    /// Every N >= 2 that was measured or planned, of the model or its ceiling.
    pub(super) fn worker_counts(&self) -> BTreeSet<u32> {
        self.places().map(|(_, _, n)| n).filter(|n| *n >= 2).collect()
    }

    /// Whether the model has a trial at N, or tried and failed: not merely planned.
    pub(super) fn attempted(&self, workers: u32) -> bool {
        let here = |place: &Place| !place.1 && place.2 == workers;
        self.observed.keys().any(here)
            || self.missing.iter().any(|(place, reason)| here(place) && !is_not_run(reason))
    }

    /// The blocks of the row at N. `gated`: drop those whose gate fails, else only mark them.
    pub(super) fn select(&self, workers: u32, gated: bool) -> Selection<'a> {
        let mut selection = Selection::default();
        let of_row = |(_, _, n): &Place| *n == workers;
        let ids: BTreeSet<u32> = self.places().filter(of_row).map(|(block, ..)| block).collect();
        for id in ids {
            self.place_block(id, workers, gated, &mut selection);
        }
        selection
    }

    fn place_block(&self, id: u32, workers: u32, gated: bool, selection: &mut Selection<'a>) {
        let one = self.trial((id, false, 1));
        let many = self.trial((id, false, workers));
        let (one, many) = match (one, many) {
            (Ok(one), Ok(many)) => (one, many),
            (Err(why), Ok(_)) | (_, Err(why)) if why.not_run => {
                return selection.not_run.push((id, why.text));
            }
            (Err(why), Ok(_)) | (_, Err(why)) => return selection.dropped.push((id, why.text)),
        };
        let ceiling = self.trial((id, true, workers));
        let mut block =
            Block { id, one, many, ceiling: ceiling.as_ref().ok().copied(), disturbed: None };
        if let Some(why) = block.broken() {
            return selection.dropped.push((id, why));
        }
        block.disturbed = block.gate();
        if let (true, Some(why)) = (gated, &block.disturbed) {
            return selection.dropped.push((id, why.clone()));
        }
        if let Err(why) = ceiling {
            selection.no_ceiling.push((id, why.text));
        }
        selection.used.push(block);
    }

    fn places(&self) -> impl Iterator<Item = Place> + '_ {
        self.observed.keys().chain(self.missing.keys()).copied()
    }

    fn trial(&self, place: Place) -> Result<&'a Observation, Lack> {
        let what = describe(place);
        match self.observed.get(&place).map(Vec::as_slice) {
            Some([o]) if o.rate.is_finite() && o.rate > 0.0 => Ok(o),
            Some([o]) => Err(Lack::failed(format!(
                "{what} has the rate {}: not a number of operations a second; measure it again",
                o.rate
            ))),
            Some(many) => Err(Lack::failed(format!(
                "{what} is there {} times: give the blocks of several runs different numbers",
                many.len()
            ))),
            None => Err(match self.missing.get(&place) {
                Some(reason) if is_not_run(reason) => Lack {
                    text: format!("{what} was not run: {}", next_step(reason)),
                    not_run: true,
                },
                Some(reason) => Lack::failed(format!("{what} gave no usable numbers ({reason})")),
                None => Lack { text: format!("{what} was not planned"), not_run: true },
            }),
        }
    }
}

impl Block<'_> {
    fn trials(&self) -> impl Iterator<Item = &Observation> {
        [Some(self.one), Some(self.many), self.ceiling].into_iter().flatten()
    }

    /// The worst trial's; 0 where none was measured.
    pub(super) fn slowdown(&self) -> f64 {
        self.trials().filter_map(|o| o.cpu_slowdown).fold(0.0, f64::max)
    }

    /// Why its trials are no fair comparison, whatever the machine did.
    fn broken(&self) -> Option<String> {
        self.trials().find_map(|o| {
            let what = describe((o.block, o.ceiling, o.workers));
            if let Contest::Broken(why) = &o.contest {
                return Some(format!(
                    "{what} proves nothing, its workers did not work at the same time: {why}"
                ));
            }
            let drift = o.drift.filter(|d| d.abs() > DRIFT_MAX)?;
            Some(format!(
                "{what} was not steady, its rate changed by {} over the windows (limit {}): \
                 lengthen the ramp, or fix the frequency (`amdahl doctor`)",
                percent(drift),
                percent(DRIFT_MAX)
            ))
        })
    }

    /// Ticks are summed over the block's trials; run delay has no grain, so the worst trial counts.
    fn gate(&self) -> Option<String> {
        let ticks: GateReading = self.trials().map(|o| o.gates).sum();
        let delay = self
            .trials()
            .filter_map(|o| o.foreign_delay)
            .fold(None, |worst, d| Some(worst.map_or(d, |w: f64| w.max(d))));
        gate_failure(&ticks, delay)
    }
}

/// Why there is no trial.
struct Lack {
    text: String,
    not_run: bool,
}

impl Lack {
    fn failed(text: String) -> Self {
        Self { text, not_run: false }
    }
}

/// Why nothing is decided, if too many blocks of the row were dropped.
pub(super) fn too_many_dropped(selection: &Selection<'_>) -> Option<String> {
    let dropped = selection.dropped.len();
    let blocks = selection.used.len() + dropped;
    (dropped as f64 > DROPPED_MAX * blocks as f64).then(|| {
        format!(
            "{dropped} of {blocks} blocks were dropped (at most {} may be): see to their causes below \
             and measure again",
            percent(DROPPED_MAX)
        )
    })
}

/// One sentence for each reason, with the blocks that share it.
pub(super) fn grouped(blocks: &[(u32, String)], what: &str) -> Vec<String> {
    let mut by_reason: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for (id, reason) in blocks {
        by_reason.entry(reason).or_default().push(*id);
    }
    let mut sentences: Vec<(u32, String)> = by_reason
        .into_iter()
        .map(|(reason, ids)| {
            let noun = if ids.len() == 1 { "block" } else { "blocks" };
            let list: Vec<String> = ids.iter().map(u32::to_string).collect();
            (ids[0], format!("{noun} {} {what}: {reason}", list.join(", ")))
        })
        .collect();
    sentences.sort();
    sentences.into_iter().map(|(_, sentence)| sentence).collect()
}

fn describe((_, ceiling, workers): Place) -> String {
    let arm = if ceiling { "the ceiling" } else { "the model" };
    format!("{arm} at N = {workers}")
}

/// Whether a trial was never started, as opposed to one that failed.
fn is_not_run(reason: &str) -> bool {
    ["budget", "interrupt", "not run", "not_run", "absent"].iter().any(|k| reason.starts_with(k))
}

/// The reason, and where time was lacking what gives the run more of it.
fn next_step(reason: &str) -> String {
    let bare = reason.trim_start_matches("not run: ").trim_start_matches("not_run: ");
    if bare.starts_with("budget") || bare.starts_with("interrupt") {
        return format!("{bare}; raise `--budget`, or `--resume` the run");
    }
    bare.to_owned()
}
