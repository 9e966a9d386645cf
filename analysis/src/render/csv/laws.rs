//! Every law of every cell, and the points behind the figures of laws.

use amdahl_stats::laws::{Analysis, Ends, Fit};

use super::{Named, Sheet, text};
use crate::plot::file_part;
use crate::plot::measure::Measure;
use crate::summary::{LawRow, Summary};

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
        "alpha_bootstrap95_lo",
        "alpha_bootstrap95_hi",
        "beta_bootstrap95_lo",
        "beta_bootstrap95_hi",
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
                sheet.row::<21>(row.try_into().expect("as many cells as columns"));
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
    let drawn = f.bootstrap.as_ref().map(|b| b.ci95);
    let [alpha_drawn_lo, alpha_drawn_hi] = ends(drawn.and_then(|d| d.alpha));
    let [beta_drawn_lo, beta_drawn_hi] = ends(drawn.and_then(|d| d.beta));
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
        alpha_drawn_lo,
        alpha_drawn_hi,
        beta_drawn_lo,
        beta_drawn_hi,
        number(f.aicc),
        number(f.weight),
        number(f.relative_rmse),
        number(f.loo_error),
        text(a.points.points.len()),
    ]
}

/// What was measured, and the curves, both as throughput, speed-up and efficiency.
pub(in crate::render) fn law_figures(workload: &str, rows: &[&LawRow]) -> Named {
    let mut points = Sheet::new(&[
        "model",
        "kind",
        "workers",
        "block",
        "fitted",
        "throughput",
        "speedup",
        "efficiency",
    ]);
    let mut curves = Sheet::new(&[
        "model",
        "law",
        "workers",
        "extrapolated",
        "throughput",
        "ci95_lo",
        "ci95_hi",
        "speedup",
        "efficiency",
    ]);
    for r in rows {
        let Some((_, gamma)) = r.shown() else { continue };
        let measures = |n: f64, x: f64| {
            [Measure::Throughput, Measure::Speedup, Measure::Efficiency]
                .map(|m| real(m.of(n, x, gamma)))
        };
        let end = r.raw.points.n_max();
        let mut add = |kind: &str, n: f64, block: &str, x: f64| {
            let [throughput, speedup, efficiency] = measures(n, x);
            let fitted = text(n <= end && kind != "ceiling");
            points.row([
                &r.model,
                kind,
                &real(n),
                block,
                &fitted,
                &throughput,
                &speedup,
                &efficiency,
            ]);
        };
        for p in &r.all.points {
            for (block, x) in &p.trials {
                add("block", p.n, &block.map_or_else(String::new, text), *x);
            }
            add("mean", p.n, "", p.throughput);
        }
        r.ceilings.iter().for_each(|(n, x)| add("ceiling", *n, "", *x));
        if let Some(c) = &r.curve {
            for (n, x, ends) in &c.points {
                let [throughput, speedup, efficiency] = measures(*n, *x);
                let [lo, hi] = ends.map_or([None, None], |e| [e.lo, e.hi]).map(maybe);
                let beyond = text(*n > end);
                curves.row([
                    &r.model,
                    c.law.name(),
                    &real(*n),
                    &beyond,
                    &throughput,
                    &lo,
                    &hi,
                    &speedup,
                    &efficiency,
                ]);
            }
        }
    }
    let named = |kind: &str| format!("law-{kind}-{}", file_part(workload));
    vec![(named("points"), points.0), (named("curves"), curves.0)]
}

/// e(N) and the line of the law beside it.
pub(in crate::render) fn karp_flatt(workload: &str, rows: &[&LawRow]) -> Named {
    let mut sheet = Sheet::new(&["model", "workers", "e", "ci95_lo", "ci95_hi", "law", "law_e"]);
    for r in rows {
        let fit = r.raw.predicting();
        for k in &r.raw.karp_flatt {
            let [lo, hi] = k.ci95.map_or([None, None], |(lo, hi)| [Some(lo), Some(hi)]).map(maybe);
            let line = fit.map(|f| {
                f.parameters.alpha.unwrap_or(0.0) + f.parameters.beta.unwrap_or(0.0) * k.n
            });
            let law = fit.map_or("", |f| f.law.name());
            sheet.row([&r.model, &real(k.n), &real(k.e), &lo, &hi, law, &maybe(line)]);
        }
    }
    vec![(format!("karp-flatt-{}", file_part(workload)), sheet.0)]
}

/// Profiles of USL's alpha and beta.
pub(in crate::render) fn profiles(workload: &str, rows: &[&LawRow]) -> Named {
    let mut sheet = Sheet::new(&["model", "parameter", "value", "rise_of_deviance", "threshold"]);
    for r in rows {
        for p in &r.profiles {
            for (value, rise) in &p.points {
                let (value, rise) = (real(*value), real(*rise));
                sheet.row([&r.model, p.parameter.name(), &value, &rise, &real(p.threshold)]);
            }
        }
    }
    vec![(format!("profile-{}", file_part(workload)), sheet.0)]
}

fn maybe(x: Option<f64>) -> String {
    x.map_or_else(String::new, real)
}

/// Six significant digits, as short as they go.
fn real(x: f64) -> String {
    let rounded: f64 = format!("{x:.5e}").parse().unwrap_or(x);
    let plain = format!("{rounded}");
    if plain.len() <= 12 { plain } else { format!("{rounded:e}") }
}
