//! Judged rows to what stops each model, and how sure that is. Decides nothing: causes and intervals are
//! `amdahl_stats`'.

use std::collections::BTreeMap;

use amdahl_stats::{Judgement, Limit, ParallelismRow};

use crate::summarise::figures::budget_row;
use crate::summarise::in_every_figure;
use crate::summarise::rows::TrialRow;
use crate::summarise::serial::one_at_a_time;
use crate::summary::{BudgetCurves, BudgetRow, Estimate, LimitGroup, Limited, Sure};

/// One figure a workload where some model has a budget at two worker counts; where each has one, the figure of the
/// decisive N says it all.
pub(super) fn curves(judgement: &Judgement, cpus_available: u32) -> Vec<BudgetCurves> {
    let mut figures: BTreeMap<&str, Vec<Vec<BudgetRow>>> = BTreeMap::new();
    for row in judgement.parallelism.iter().filter(|r| shown(r)) {
        let Some(bar) = budget_row(row) else { continue };
        let models = figures.entry(&row.workload).or_default();
        match models.iter_mut().find(|bars| bars[0].model == bar.model) {
            Some(bars) => bars.push(bar),
            None => models.push(vec![bar]),
        }
    }
    let curve = |(_, models): &(&str, Vec<Vec<BudgetRow>>)| models.iter().any(|b| b.len() > 1);
    let figure = |(workload, models): (&str, _)| BudgetCurves {
        workload: workload.to_owned(),
        cpus_available,
        models,
    };
    figures.into_iter().filter(curve).map(figure).collect()
}

/// Models by what stops them at their decisive N, those that something stops first.
pub(super) fn groups(judgement: &Judgement, trials: &[TrialRow]) -> Vec<LimitGroup> {
    let mut groups: Vec<LimitGroup> = Vec::new();
    for row in judgement.parallelism.iter().filter(|r| shown(r) && r.decisive) {
        if row.speedup.is_none() {
            continue;
        }
        let (sure, one_at_a_time) = (sure(row), one_at_a_time(row, judgement, trials));
        let model = limited(row, judgement);
        let same = |g: &&mut LimitGroup| {
            (&g.workload, &g.cause, g.sure, g.one_at_a_time)
                == (&row.workload, &row.limited_by, sure, one_at_a_time)
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.models.push(model),
            None => groups.push(LimitGroup {
                workload: row.workload.clone(),
                cause: row.limited_by.clone(),
                sure,
                one_at_a_time,
                models: vec![model],
            }),
        }
    }
    // Stable: the rows' order stands within a workload.
    let rank = |g: &LimitGroup| match g.cause.as_str() {
        "nothing" => 1,
        "unknown" => 2,
        _ => 0,
    };
    groups.sort_by_key(|g| (crate::model::workload_key(&g.workload), rank(g)));
    groups
}

fn shown(row: &ParallelismRow) -> bool {
    row.workers > 1 && in_every_figure(&row.workload)
}

fn sure(row: &ParallelismRow) -> Sure {
    match row.limit {
        None => Sure::NoLoss,
        Some(Limit { loss: None, .. }) => Sure::OneBlock,
        Some(Limit { rival: Some(name), .. }) if name != row.limited_by => Sure::NotFrom(name),
        Some(_) => Sure::Yes,
    }
}

fn limited(row: &ParallelismRow, judgement: &Judgement) -> Limited {
    let same = |r: &&ParallelismRow| (&r.model, &r.workload) == (&row.model, &row.workload);
    let known = judgement.parallelism.iter().filter(same).filter(|r| r.workers > 1);
    let known = known.filter(|r| r.budget.is_some());
    Limited {
        model: row.model.clone(),
        workers: row.workers,
        loss: row.limit.and_then(|l| l.loss).map(Estimate::from),
        largest_in: row.limit.map_or((0, row.blocks), |l| (l.largest_in, l.blocks)),
        over_n: known.map(|r| (r.workers, r.limited_by.clone())).collect(),
    }
}
