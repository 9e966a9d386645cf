//! Every law of every cell.

use amdahl_stats::laws::{Analysis, Ends, Fit};

use super::{Sheet, text};
use crate::summary::Summary;

pub(in crate::render) fn laws(s: &Summary) -> String {
    let mut sheet = Sheet::new(&[
        "workload",
        "model",
        "relative_to",
        "law",
        "selected",
        "gamma",
        "alpha",
        "alpha_ci95_lo",
        "alpha_ci95_hi",
        "beta",
        "beta_ci95_lo",
        "beta_ci95_hi",
        "aicc",
        "weight",
        "relative_rmse",
        "loo_error",
        "worker_counts",
    ]);
    for r in &s.laws {
        let mut add = |to: &str, a: &Analysis| {
            for f in &a.fits {
                let row = cells(to, a, f);
                let row = [r.workload.clone(), r.model.clone()].into_iter().chain(row);
                let row: Vec<String> = row.collect();
                let row: Vec<&str> = row.iter().map(String::as_str).collect();
                sheet.row::<17>(row.try_into().expect("as many cells as columns"));
            }
        };
        add("time", &r.raw);
        if let Some(c) = &r.corrected {
            add("ceiling", c);
        }
    }
    sheet.0
}

fn cells(to: &str, a: &Analysis, f: &Fit) -> Vec<String> {
    let number = |x: Option<f64>| x.map_or_else(String::new, |x| format!("{x:.6e}"));
    let ends = |e: Option<Ends>| e.map_or([None, None], |e| [e.lo, e.hi]).map(number);
    let [alpha_lo, alpha_hi] = ends(f.ci95.alpha);
    let [beta_lo, beta_hi] = ends(f.ci95.beta);
    vec![
        to.to_owned(),
        f.law.name().to_owned(),
        text(a.selected == Some(f.law)),
        number(f.parameters.gamma),
        number(f.parameters.alpha),
        alpha_lo,
        alpha_hi,
        number(f.parameters.beta),
        beta_lo,
        beta_hi,
        number(f.aicc),
        number(f.weight),
        number(f.relative_rmse),
        number(f.loo_error),
        text(a.points.points.len()),
    ]
}
