//! The points behind the figures of a fit, as CSV.

use amdahl_stats::laws::{Analysis, Profile};

use crate::laws::LawFigure;

pub(super) fn points_csv(figure: &LawFigure) -> String {
    let mut text = "kind,n,throughput,fitted\n".to_owned();
    let kinds = [("trial", &figure.trials), ("mean", &figure.means)];
    for (kind, points) in kinds {
        for (n, x, fitted) in points {
            text.push_str(&format!("{kind},{},{},{fitted}\n", real(*n), real(*x)));
        }
    }
    text
}

pub(super) fn curves_csv(figure: &LawFigure) -> String {
    let mut text = "law,n,throughput,ci95_lo,ci95_hi,extrapolated\n".to_owned();
    for c in &figure.curves {
        for (n, x, ends) in &c.points {
            let end = |e: Option<f64>| e.map_or_else(String::new, real);
            let (lo, hi) = ends.map_or_else(Default::default, |e| (end(e.lo), end(e.hi)));
            let beyond = *n > figure.fitted_to;
            text.push_str(&format!(
                "{},{},{},{lo},{hi},{beyond}\n",
                c.law.name(),
                real(*n),
                real(*x)
            ));
        }
    }
    text
}

pub(super) fn karp_flatt_csv(a: &Analysis) -> String {
    let mut text = "n,e,ci95_lo,ci95_hi\n".to_owned();
    for k in &a.karp_flatt {
        let (lo, hi) = k.ci95.map_or_else(Default::default, |(lo, hi)| (real(lo), real(hi)));
        text.push_str(&format!("{},{},{lo},{hi}\n", real(k.n), real(k.e)));
    }
    text
}

pub(super) fn profiles_csv(profiles: &[Profile]) -> String {
    let mut text = "parameter,value,rise_of_deviance,threshold\n".to_owned();
    for p in profiles {
        for (value, rise) in &p.points {
            let (name, t) = (p.parameter.name(), real(p.threshold));
            text.push_str(&format!("{name},{},{},{t}\n", real(*value), real(*rise)));
        }
    }
    text
}

/// Eight significant digits, as short as they go.
fn real(x: f64) -> String {
    let rounded: f64 = format!("{x:.7e}").parse().unwrap_or(x);
    let plain = format!("{rounded}");
    if plain.len() <= 16 { plain } else { format!("{rounded:e}") }
}
