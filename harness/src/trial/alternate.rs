//! Several cells in one process, in turn: one record a slot.
//!
//! For comparing what one worker program holds: a few milliseconds of one cell, then of the other, so that whatever the machine does meanwhile
//! meets both. What the process drew (pages, alignment) it drew for all of them, and is sampled by the next process.

use std::time::Duration;

use amdahl_schema::{Gates, PlannedBlock, Trial};

use super::cast::{Cast, introduce};
use super::{Failure, SPIN_NS, Stage, blank, collect, length_ns, name_the_lock, prove, release};
use crate::worker::discover::Found;
use crate::worker::link::Link;
use crate::worker::wire::Line;

/// The least ramp and tail of a slot, and the time between two, for parking and waking: an operation or more of everybody, and a late start.
const EDGE_NS: u64 = 100_000;

/// The same where workers have no CPU of their own, and wait for another's time slice.
const EDGE_SHARED_NS: u64 = 20_000_000;

/// Whether one process of this runtime can hold several cells of the workload. `pipe` has one peer a process, and how `scaling=strong`
/// divides a job is found out with the first cell.
pub fn alternates(found: &Found, cell: &PlannedBlock) -> bool {
    let strong = cell.params.get("scaling").is_some_and(|s| s == "strong");
    found.hello.features.iter().any(|f| f == "alternate") && cell.workload != "pipe" && !strong
}

impl Stage<'_> {
    /// Runs cells of one runtime in a fresh process; slot k is `cells[order[k]]`, whose first trial says how long, and `order` is repeated as
    /// often as `span_ns` allows, at least once. Cells are prepared in their order. One record a slot in the order of time, whatever happens;
    /// each has the gates of all of it. At most ten cells.
    pub fn alternate(
        &self,
        found: &Found,
        cells: &[PlannedBlock],
        order: &[usize],
        span_ns: u64,
    ) -> Vec<Trial> {
        let begin = self.outside.now_ns();
        let mut of_cells: Vec<Trial> = cells.iter().map(|b| blank(b, &b.trials[0])).collect();
        let mut cast = Cast::default();
        let mut slots = Vec::new();
        let plan = (order, span_ns);
        let result = self.take_turns(found, &mut cast, &mut of_cells, plan, &mut slots);
        if let Err(failure) = &result {
            slots = order.iter().map(|cell| of_cells[*cell].clone()).collect();
            for slot in &mut slots {
                slot.outcome = failure.outcome();
                name_the_lock(slot);
            }
        }
        let flags = cast.dismiss(result.is_err());
        let wall_ns = self.outside.now_ns() - begin;
        for slot in &mut slots {
            slot.flags.extend(flags.iter().cloned());
            slot.trial_wall_ns = wall_ns;
        }
        slots
    }

    fn take_turns(
        &self,
        found: &Found,
        cast: &mut Cast,
        cells: &mut [Trial],
        (order, span_ns): (&[usize], u64),
        slots: &mut Vec<Trial>,
    ) -> Result<(), Failure> {
        self.greet(found, cast, &mut cells[0])?;
        let mut edge_ns = 0;
        for (k, cell) in cells.iter_mut().enumerate() {
            introduce(found, &cast.hellos[0], cell);
            let (carriers, each_ns) = self.prepare(found, cast, cell, k + 1)?;
            self.pin(cell, carriers);
            edge_ns = edge_ns.max(edge(cell, each_ns));
        }
        // All slots are cut alike, or one cell's would be measured in longer windows than the other's.
        let window_ns = cells.iter().map(|c| c.window_ns).max().unwrap_or(0);
        for cell in cells.iter_mut() {
            cell.window_ns = window_ns;
            (cell.ramp_ns, cell.tail_ns) = (edge_ns, edge_ns);
        }
        let once_ns = (length_ns(&cells[0]) + edge_ns) * order.len() as u64;
        let order = order.repeat((span_ns / once_ns.max(1)).max(1) as usize);
        let roots: Vec<u32> = cast.all().filter_map(Link::root_pid).collect();
        let gate = self.outside.gate(&roots);
        let stopped = self.go_in_turn(cast, cells, &order, slots);
        let gates = self.outside.gates_since(&gate, &roots, &cells[0].placement.cpus);
        stopped?;
        let until_ns = self.outside.now_ns();
        let ids: Vec<usize> = order.iter().map(|cell| cell + 1).collect();
        let link = cast.links[0].as_mut();
        link.send(&Line::new("collect").with("ids", list(1..=cells.len())));
        collect::slots(link, slots, &ids, self.limits.collect)?;
        for slot in slots {
            settle(slot, &gates, until_ns);
        }
        Ok(())
    }

    /// Releases the slots on one absolute start, and waits for their end.
    fn go_in_turn(
        &self,
        cast: &mut Cast,
        cells: &[Trial],
        order: &[usize],
        slots: &mut Vec<Trial>,
    ) -> Result<(), Failure> {
        let first = &cells[0];
        let alone = first.placement.exclusive || first.workers == 1;
        let lead_ns = cast.hellos[0].lead_ns;
        // A worker's lead is for many threads that wake at once and for records of a long trial; these few have a CPU each, and records are small.
        let lead_ns = if alone { lead_ns / 5 } else { lead_ns };
        let gap_ns = lead_ns.min(first.tail_ns);
        let start_ns = self.outside.now_ns() + lead_ns + 200_000;
        let spin_ns = if alone { SPIN_NS.min(gap_ns / 2) } else { 0 };
        let stride_ns = length_ns(first) + gap_ns;
        slots.extend(order.iter().zip(0..).map(|(cell, k)| {
            let start = start_ns + k * stride_ns;
            Trial { start_ns: Some(start), order: k as u32, ..cells[*cell].clone() }
        }));
        let digits: String = order.iter().map(usize::to_string).collect();
        let go = Line::new("go").with("ids", list(1..=cells.len())).with("order", digits);
        let go = go.with("gap_ns", gap_ns).with("require", "alternate");
        let link = cast.links[0].as_mut();
        link.send(&release(go, first, start_ns, spin_ns));
        let end_ns = start_ns + stride_ns * order.len() as u64;
        let left = end_ns.saturating_sub(self.outside.now_ns());
        let timeout = Duration::from_nanos(left) + self.limits.go;
        link.expect("stopped", "after go", timeout)?;
        Ok(())
    }
}

/// The ramp and tail that a cell needs.
fn edge(cell: &Trial, each_ns: u64) -> u64 {
    let shared = !cell.placement.exclusive && cell.workers > 1;
    each_ns.max(if shared { EDGE_SHARED_NS } else { EDGE_NS })
}

fn list(ids: impl Iterator<Item = usize>) -> String {
    ids.map(|id| id.to_string()).collect::<Vec<_>>().join(",")
}

/// What one slot is worth.
fn settle(slot: &mut Trial, gates: &Gates, until_ns: u64) {
    slot.gates = gates.clone();
    // One worker has nobody to miss: there the rate is that of the operations it did, wherever in the slot it began them.
    let proven = if slot.workers > 1 { prove::prove } else { prove::work };
    if let Err(failure) = proven(slot, until_ns) {
        slot.outcome = failure.outcome();
    }
}
