//! An analysis as JSON: what `fit --json` prints and `fit.json` holds.

use serde_json::{Map, Value, json};

use super::bootstrap::Resampled;
use super::estimate::Parameters;
use super::fit::Fit;
use super::profile::Ends;
use super::solve::Weights;
use super::warning::Warning;
use super::{Analysis, Law};

/// Schema 1; keys may be added without raising it. `corrected` is the same table relative to its ceiling.
pub fn analysis_json(analysis: &Analysis, corrected: Option<&Analysis>) -> Value {
    let mut value = one(analysis);
    let inner = corrected.map_or(Value::Null, |c| {
        let mut inner = one(c);
        if let Some(map) = inner.as_object_mut() {
            map.remove("schema");
        }
        inner
    });
    value["ceiling_corrected"] = inner;
    value
}

fn one(a: &Analysis) -> Value {
    json!({
        "schema": 1,
        "points": a.points.rows,
        "distinct_n": a.points.points.len(),
        "weights": match a.weights { Weights::Relative => "relative", Weights::None => "none" },
        "laws": a.fits.iter().map(fit).collect::<Vec<_>>(),
        "selected": a.selected.map(Law::name),
        "not_comparable": a.not_comparable,
        "peak": a.peak.map(|p| json!({
            "n": number(p.n),
            "throughput": number(p.throughput),
            "ci95": ends(p.ci95),
            "scenario": p.scenario,
        })),
        "identifiable": a.identifiable,
        "combination": a.alpha_plus_2beta.map(|c| json!({
            "alpha_plus_2beta": {"estimate": number(c.estimate), "ci95": ends(c.ci95)},
        })),
        "karp_flatt": a.karp_flatt.iter().map(|k| json!({
            "n": number(k.n),
            "e": number(k.e),
            "ci95": k.ci95.map(|(lo, hi)| json!([number(lo), number(hi)])),
        })).collect::<Vec<_>>(),
        "predictions": a.predictions.iter().map(|p| json!({
            "n": number(p.n),
            "throughput": number(p.throughput),
            "ci95": ends(p.ci95),
            "scenario": p.scenario,
            "law": p.law.name(),
        })).collect::<Vec<_>>(),
        "warnings": warnings(&a.warnings),
    })
}

fn fit(f: &Fit) -> Value {
    let bootstrap = f.bootstrap.as_ref();
    json!({
        "law": f.law.name(),
        "parameters": parameters(&f.parameters, |x| number(*x)),
        "se": parameters(&f.se, |x| number(*x)),
        "ci95": parameters(&f.ci95, |e| ends(Some(*e))),
        "bootstrap95": bootstrap.map(|b| parameters(&b.ci95, |e| ends(Some(*e)))),
        "bootstrap_over": bootstrap.map(|b| match b.over {
            Resampled::Trials => "trials",
            Resampled::Residuals => "residuals",
        }),
        "aicc": f.aicc.map(number),
        "weight": f.weight.map(number),
        "relative_rmse": f.relative_rmse.map(number),
        "loo_error": f.loo_error.map(number),
        "rse": f.rse.map(number),
        "identified": f.identified,
        "warnings": warnings(&f.warnings),
    })
}

/// Three keys always; null for a parameter that the law does not have, or that is not known.
fn parameters<T>(p: &Parameters<Option<T>>, value: impl Fn(&T) -> Value) -> Value {
    let named = [("gamma", &p.gamma), ("alpha", &p.alpha), ("beta", &p.beta)];
    let entry =
        |(name, x): (&str, &Option<T>)| (name.to_owned(), x.as_ref().map_or(Value::Null, &value));
    Value::Object(named.into_iter().map(entry).collect::<Map<_, _>>())
}

/// `[lo, hi]`, an open end null; null without an interval.
fn ends(ends: Option<Ends>) -> Value {
    ends.map_or(Value::Null, |e| json!([e.lo.map(number), e.hi.map(number)]))
}

/// Eight significant digits, so that nothing depends on the last bits; null if not finite.
fn number(x: f64) -> Value {
    let rounded = format!("{x:.7e}").parse::<f64>().ok().filter(|r| r.is_finite());
    rounded.map_or(Value::Null, |r| json!(r + 0.0))
}

fn warnings(warnings: &[Warning]) -> Vec<Value> {
    warnings.iter().map(|w| json!({"code": w.code(), "text": w.to_string()})).collect()
}
