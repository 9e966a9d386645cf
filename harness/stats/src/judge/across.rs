//! Two models against each other, one worker each, block against block. Which two are alike is not decided here.

use std::collections::BTreeMap;

use super::blocks::{Selection, Series, grouped};
use crate::observation::{Missing, Observation};

/// What an operation of one model takes, as a multiple of what it takes another.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Comparison {
    /// Time of the model / time of the reference, in the blocks that both may use.
    pub ratios: BTreeMap<u32, f64>,
    /// Blocks that a gate, a drift or a failed trial of either took away.
    pub dropped: u32,
    /// Why, with the model's id.
    pub reasons: Vec<String>,
}

/// Compares two models on a workload at N = 1.
///
/// Blocks of one number are partners: the plan puts them side by side in time. A block that is dropped for one of
/// the two, by the rules of the verdict, has no partner.
pub fn compare(
    observations: &[Observation],
    missing: &[Missing],
    workload: &str,
    (model, reference): (&str, &str),
) -> Comparison {
    let [of_model, of_reference] =
        [model, reference].map(|id| alone(observations, missing, workload, id));
    let mut dropped: Vec<u32> =
        of_model.dropped.iter().chain(&of_reference.dropped).map(|(block, _)| *block).collect();
    dropped.sort_unstable();
    dropped.dedup();
    let rates = |s: &Selection<'_>| -> BTreeMap<u32, f64> {
        s.used.iter().map(|b| (b.id, b.one.rate)).collect()
    };
    let (rates_of_model, rates_of_reference) = (rates(&of_model), rates(&of_reference));
    let ratio = |(block, rate): (&u32, &f64)| Some((*block, rates_of_reference.get(block)? / rate));
    let said = |id: &str, s: &Selection<'_>| {
        let all = grouped(&s.dropped, "dropped").into_iter().chain(grouped(&s.not_run, "missing"));
        all.map(|why| format!("{id}: {why}")).collect::<Vec<_>>()
    };
    Comparison {
        ratios: rates_of_model.iter().filter_map(ratio).collect(),
        dropped: dropped.len() as u32,
        reasons: [said(model, &of_model), said(reference, &of_reference)].concat(),
    }
}

fn alone<'a>(
    observations: &'a [Observation],
    missing: &'a [Missing],
    workload: &'a str,
    model: &'a str,
) -> Selection<'a> {
    let mut series = Series::new(model, workload);
    let mine =
        |m: &str, w: &str, n: u32, ceiling: bool| m == model && w == workload && n == 1 && !ceiling;
    for o in observations.iter().filter(|o| mine(&o.model, &o.workload, o.workers, o.ceiling)) {
        series.observe(o);
    }
    for m in missing.iter().filter(|m| mine(&m.model, &m.workload, m.workers, m.ceiling)) {
        series.miss(m);
    }
    series.select(1, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::{cpu, missing, trial};

    fn of(model: &str, block: u32, rate: f64) -> Observation {
        let o = trial(block, 1, false, rate, cpu(1.0));
        Observation { model: model.to_owned(), workload: "micro kind=call".to_owned(), ..o }
    }

    #[test]
    fn blocks_of_one_number_are_partners_and_the_others_have_none() {
        let mut observed: Vec<_> =
            (0..4).flat_map(|b| [of("t", b, 100.0), of("gil", b, 125.0 + f64::from(b))]).collect();
        observed.push(of("t", 9, 100.0));
        observed[2].drift = Some(0.5);
        let mut crashed = missing(5, 1, false, "crash: the worker ended");
        (crashed.model, crashed.workload) = ("gil".to_owned(), "micro kind=call".to_owned());
        observed.push(of("t", 5, 100.0));
        let all = compare(&observed, &[crashed], "micro kind=call", ("t", "gil"));
        let expected = BTreeMap::from([(0, 1.25), (2, 1.27), (3, 1.28)]);
        assert_eq!(all.ratios, expected);
        assert_eq!(all.dropped, 2);
        assert!(all.reasons.iter().any(|r| r.starts_with("t: ") && r.contains("not steady")));
        assert!(all.reasons.iter().any(|r| r.starts_with("gil: ") && r.contains("crash")));
        let other = compare(&observed, &[], "micro kind=dict", ("t", "gil"));
        assert_eq!(other, Comparison::default());
    }
}
