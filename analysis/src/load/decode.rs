//! Histograms and spans out of a trial's line. A histogram that does not decode, or holds another
//! number of values than its record says, is an error with file and line, never skipped.

use std::io::Cursor;
use std::path::Path;

use amdahl_schema::{Arm, Pass, Trial};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;

use super::LoadError;

/// All operations of a latency trial.
#[derive(Debug, Clone)]
pub struct LatencyTrial {
    /// Position in the run.
    pub seq: u64,
    /// Repetition.
    pub block: u32,
    /// Model id.
    pub model: String,
    /// Workload id.
    pub workload: String,
    /// N.
    pub workers: u32,
    /// Share of the time that other programs held its CPUs.
    pub foreign: Option<f64>,
    /// Cost of timing one operation, thousandths of a nanosecond.
    pub timer_cost_ps: Option<u64>,
    /// Largest value, exact.
    pub max_ns: u64,
    /// The workers' histograms, merged.
    pub histogram: Histogram<u64>,
}

/// Times of one kind of a trial, all workers together.
#[derive(Debug, Clone)]
pub struct Times {
    /// Their distribution.
    pub histogram: Histogram<u64>,
    /// Their sum, exact.
    pub sum_ns: u64,
    /// The longest, exact.
    pub max_ns: u64,
}

/// Ends of the first operations of each worker since the begin of the first window.
#[derive(Debug, Clone)]
pub struct SpanTrial {
    /// Position in the run.
    pub seq: u64,
    /// Repetition.
    pub block: u32,
    /// Model id.
    pub model: String,
    /// Workload id.
    pub workload: String,
    /// N.
    pub workers: u32,
    /// Share of the time that other programs held its CPUs.
    pub foreign: Option<f64>,
    /// By worker: number and ends, ns.
    pub lanes: Vec<(u32, Vec<u64>)>,
}

/// Decodes every histogram of a trial; of a usable latency trial of the model itself, the latencies
/// of its operations.
pub(super) fn latency(
    path: &Path,
    line: usize,
    trial: &Trial,
) -> Result<Option<LatencyTrial>, LoadError> {
    let mut merged: Option<Histogram<u64>> = None;
    for stored in &trial.histograms {
        let part = decode(path, line, stored)?;
        match &mut merged {
            _ if stored.name != "op" => {}
            None => merged = Some(part),
            Some(sum) => sum.add(part).map_err(|e| error(path, line, stored, &e))?,
        }
    }
    let wanted = trial.usable() && trial.pass == Pass::Latency && trial.arm == Arm::Model;
    let histogram = merged.filter(|h| wanted && !h.is_empty());
    Ok(histogram.map(|histogram| LatencyTrial {
        seq: trial.seq,
        block: trial.block,
        model: trial.model.clone(),
        workload: trial.workload.clone(),
        workers: trial.workers,
        foreign: foreign(trial),
        timer_cost_ps: trial.timer_cost_ps,
        max_ns: trial
            .histograms
            .iter()
            .filter(|h| h.name == "op")
            .map(|h| h.max)
            .max()
            .unwrap_or(0),
        histogram,
    }))
}

/// All of one name, merged, with the exact sum and largest value; `None` where there is none, or nothing in them.
pub(super) fn merged(
    path: &Path,
    line: usize,
    trial: &Trial,
    name: &str,
) -> Result<Option<Times>, LoadError> {
    let mut all: Option<Times> = None;
    for stored in trial.histograms.iter().filter(|h| h.name == name && h.n > 0) {
        let part = decode(path, line, stored)?;
        match &mut all {
            None => {
                all = Some(Times { sum_ns: stored.sum, max_ns: stored.max, histogram: part });
            }
            Some(t) => {
                t.histogram.add(part).map_err(|e| error(path, line, stored, &e))?;
                t.sum_ns = t.sum_ns.saturating_add(stored.sum);
                t.max_ns = t.max_ns.max(stored.max);
            }
        }
    }
    Ok(all)
}

/// The spans of a usable trial of the model itself.
pub(super) fn spans(trial: &Trial) -> Option<SpanTrial> {
    if !trial.usable() || trial.arm != Arm::Model || trial.spans.is_empty() {
        return None;
    }
    let mut lanes: Vec<(u32, Vec<u64>)> =
        trial.spans.iter().map(|s| (s.w, s.t_ns.clone())).collect();
    lanes.sort();
    Some(SpanTrial {
        seq: trial.seq,
        block: trial.block,
        model: trial.model.clone(),
        workload: trial.workload.clone(),
        workers: trial.workers,
        foreign: foreign(trial),
        lanes,
    })
}

/// Run delay of pinned carriers where it is known, else the kernel's ticks.
fn foreign(trial: &Trial) -> Option<f64> {
    let gates = &trial.gates;
    let by_ticks = || Some(gates.foreign_ticks()? / gates.capacity_ticks().max(1.0));
    trial.foreign_delay_share().or_else(by_ticks)
}

fn decode(
    path: &Path,
    line: usize,
    stored: &amdahl_schema::Histogram,
) -> Result<Histogram<u64>, LoadError> {
    let bytes = STANDARD
        .decode(&stored.hdr)
        .map_err(|e| error(path, line, stored, &format!("not base64: {e}")))?;
    let mut histogram: Histogram<u64> = Deserializer::new()
        .deserialize(&mut Cursor::new(bytes))
        .map_err(|e| error(path, line, stored, &format!("not an HdrHistogram: {e}")))?;
    histogram.auto(true); // One worker's may not have room for another's largest value.
    if histogram.len() != stored.n {
        let what = format!("holds {} values, its record says n={}", histogram.len(), stored.n);
        return Err(error(path, line, stored, &what));
    }
    Ok(histogram)
}

fn error(
    path: &Path,
    line: usize,
    stored: &amdahl_schema::Histogram,
    what: &dyn std::fmt::Display,
) -> LoadError {
    LoadError::Histogram {
        path: path.to_owned(),
        line,
        name: stored.name.clone(),
        worker: stored.w.map_or_else(|| "all".to_owned(), |w| w.to_string()),
        what: what.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};

    use super::*;

    fn stored(w: u32, value: u64) -> amdahl_schema::Histogram {
        let mut h = Histogram::<u64>::new(3).unwrap();
        h.record(value).unwrap();
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(&h, &mut bytes).unwrap();
        let (name, unit, hdr) = ("op".to_owned(), "ns".to_owned(), STANDARD.encode(bytes));
        let (i, w, n, min, max, sum) = (None, Some(w), 1, value, value, value);
        amdahl_schema::Histogram { name, unit, i, w, n, min, max, sum, hdr }
    }

    #[test]
    fn workers_of_different_ranges_are_merged() {
        let mut fast = decode(Path::new("x"), 1, &stored(0, 100)).unwrap();
        fast.add(decode(Path::new("x"), 1, &stored(1, 5_000_000_000)).unwrap()).unwrap();
        assert_eq!(fast.len(), 2);
        assert!(fast.max() >= 5_000_000_000);
    }
}
