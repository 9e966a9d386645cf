//! The laws against published values, made-up truths and broken input.

use proptest::prelude::*;

use super::*;

const SDM: &str = include_str!("../../tests/usl/specsdm91.csv");
const CISCO: &str = include_str!("../../tests/usl/cisco_ucs.csv");
const RAYTRACER: &str = include_str!("../../tests/usl/raytracer.csv");
const UNITTEST6: &str = include_str!("../../tests/usl/uslR_unittest6.csv");

fn rows(csv: &str) -> Vec<(f64, f64)> {
    let row = |line: &str| {
        let (n, x) = line.split_once(',').unwrap();
        (n.parse().unwrap(), x.parse().unwrap())
    };
    csv.lines().skip(1).map(row).collect()
}

fn points(rows: &[(f64, f64)]) -> Points {
    let of = |&(n, throughput)| Sample { n, throughput, trial: None, ceiling: None };
    Points::new(&rows.iter().map(of).collect::<Vec<_>>()).unwrap()
}

fn quick(weights: Weights, unbounded: bool) -> Options {
    Options { weights, unbounded, bootstrap_draws: 0, ..Options::default() }
}

fn relative() -> Options {
    quick(Weights::Relative, false)
}

fn usl(n: f64, gamma: f64, alpha: f64, beta: f64) -> f64 {
    gamma * n / (1.0 + alpha * (n - 1.0) + beta * n * (n - 1.0))
}

fn curve(counts: &[f64], gamma: f64, alpha: f64, beta: f64) -> Vec<(f64, f64)> {
    counts.iter().map(|n| (*n, usl(*n, gamma, alpha, beta))).collect()
}

fn codes(a: &Analysis, law: Law) -> Vec<&'static str> {
    a.fit(law).unwrap().warnings.iter().map(Warning::code).collect()
}

/// As many significant digits as were printed.
#[track_caller]
fn printed(found: Option<f64>, text: &str) {
    near_printed(found, text, 0.0);
}

/// The same, where the source's solver stopped `short` of the minimum.
#[track_caller]
fn near_printed(found: Option<f64>, text: &str, short: f64) {
    let published: f64 = text.parse().unwrap();
    let mantissa = text.trim_start_matches(['-', '0', '.']).split('e').next().unwrap();
    let digits = mantissa.replace('.', "").len() as i32;
    let half = 0.5 * 10f64.powi(published.abs().log10().floor() as i32 + 1 - digits);
    let found = found.unwrap();
    assert!((found - published).abs() <= half * 1.001 + short, "{found} is not {text}");
}

/// Gunther 2007 and the CRAN package `usl`: nls, gamma free, without weights.
#[test]
fn sdm91_as_published() {
    let a = Analysis::new(&points(&rows(SDM)), &quick(Weights::None, false));
    let fit = a.fit(Law::Usl).unwrap();
    printed(fit.parameters.alpha, "0.02773");
    printed(fit.se.alpha, "0.009122");
    printed(fit.parameters.beta, "1.044e-4");
    printed(fit.se.beta, "1.988e-5");
    printed(fit.parameters.gamma, "90.00");
    printed(fit.se.gamma, "14.21");
    printed(fit.rse, "82.85");
    let p = fit.parameters;
    printed(Some(p.gamma.unwrap() / p.alpha.unwrap()), "3246");
    let peak = a.peak.unwrap();
    printed(Some(peak.n), "96.5");
    printed(Some(peak.throughput), "1884");
    // It misses the points by more than a tenth and has to say so.
    printed(fit.relative_rmse.map(|r| 100.0 * r), "11.4");
    assert!(codes(&a, Law::Usl).contains(&"inadequate"));
}

/// Printed in the tests of usl4j. These figures are R's, whose `nls` stops within 1e-5 standard errors of the
/// minimum: ours differ by less than that, and their sum of squares is not below ours.
#[test]
fn cisco_as_published() {
    let options = Options { predict: vec![35.0], ..quick(Weights::None, false) };
    let a = Analysis::new(&points(&rows(CISCO)), &options);
    let fit = a.fit(Law::Usl).unwrap();
    let short = |se: Option<f64>| 1e-5 * se.unwrap();
    near_printed(fit.parameters.alpha, "0.02671591", short(fit.se.alpha));
    near_printed(fit.parameters.beta, "7.690945e-4", short(fit.se.beta));
    near_printed(fit.parameters.gamma, "995.6486", short(fit.se.gamma));
    printed(a.peak.map(|p| p.n), "35.57");
    printed(Some(a.predictions[0].throughput), "12341.75");
    let squares = |gamma, alpha, beta| {
        rows(CISCO).iter().map(|(n, x)| (x - usl(*n, gamma, alpha, beta)).powi(2)).sum::<f64>()
    };
    let ours = (fit.parameters.gamma, fit.parameters.alpha, fit.parameters.beta);
    let ours = squares(ours.0.unwrap(), ours.1.unwrap(), ours.2.unwrap());
    assert!(squares(995.6486, 0.026_715_91, 7.690_945e-4) >= ours);
    assert_eq!(a.selected, Some(Law::Usl));
    assert!(a.fit(Law::Usl).unwrap().weight.unwrap() > 0.999);
}

/// Bounded, and without bounds, where beta is negative and must not become a peak.
#[test]
fn raytracer_has_no_peak() {
    let a = Analysis::new(&points(&rows(RAYTRACER)), &quick(Weights::None, false));
    let p = a.fit(Law::Usl).unwrap().parameters;
    printed(p.alpha, "0.05777");
    assert_eq!(p.beta, Some(0.0));
    printed(p.gamma, "21.85");
    assert!(a.peak.is_none() && codes(&a, Law::Usl).contains(&"at_bound"));
    assert_eq!(a.fit(Law::Usl).unwrap().se.beta, None);
    let a = Analysis::new(&points(&rows(RAYTRACER)), &quick(Weights::None, true));
    printed(a.fit(Law::Usl).unwrap().parameters.beta, "-2.01e-4");
    assert!(a.peak.is_none() && codes(&a, Law::Usl).contains(&"no_peak"));
    for weights in [Weights::None, Weights::Relative] {
        assert!(Analysis::new(&points(&rows(RAYTRACER)), &quick(weights, true)).peak.is_none());
    }
}

/// Alpha = beta = .02, gamma = 1, rounded to four decimals; the peak is √(.98 / .02) = 7.
#[test]
fn noise_free_data_give_back_their_parameters() {
    for weights in [Weights::None, Weights::Relative] {
        let a = Analysis::new(&points(&rows(UNITTEST6)), &quick(weights, false));
        let p = a.fit(Law::Usl).unwrap().parameters;
        for (found, truth) in [(p.alpha, 0.02), (p.beta, 0.02), (p.gamma, 1.0)] {
            assert!((found.unwrap() - truth).abs() < 1e-5, "{found:?} {truth}");
        }
        assert!((a.peak.unwrap().n - 7.0).abs() < 1e-3);
    }
}

/// One and two workers in five blocks: no fit, no peak, and alpha + 2 beta with its interval.
#[test]
fn two_worker_counts_are_no_curve() {
    let speedups = [1.8, 1.82, 1.79, 1.81, 1.83];
    let sample = |n, throughput, t| Sample { n, throughput, trial: Some(t), ceiling: None };
    let rows: Vec<Sample> = (0..5)
        .zip(speedups)
        .flat_map(|(t, s)| {
            [sample(1.0, 100.0 + t as f64, t), sample(2.0, s * (100.0 + t as f64), t)]
        })
        .collect();
    let a = Analysis::new(&Points::new(&rows).unwrap(), &Options::default());
    assert!(a.fits.is_empty() && a.peak.is_none() && !a.identifiable && a.not_comparable);
    assert_eq!(a.warnings, [Warning::TooFewForCurve { distinct: 2 }]);
    let c = a.alpha_plus_2beta.unwrap();
    let ends = c.ci95.unwrap();
    assert!((c.estimate - (2.0 / 1.81 - 1.0)).abs() < 1e-3, "{c:?}");
    assert!(ends.lo.unwrap() < c.estimate && c.estimate < ends.hi.unwrap());
    assert_eq!(a.karp_flatt.len(), 1);
    let one = Analysis::new(&points(&[(4.0, 7.0)]), &Options::default());
    assert!(one.fits.is_empty() && one.karp_flatt.is_empty() && one.alpha_plus_2beta.is_none());
}

/// Three counts fit USL exactly, which says nothing; Amdahl's law has one degree of freedom left.
#[test]
fn three_worker_counts_determine_no_usl() {
    let a = Analysis::new(&points(&[(1.0, 10.0), (2.0, 18.0), (4.0, 31.0)]), &relative());
    let usl = a.fit(Law::Usl).unwrap();
    assert_eq!((usl.parameters.gamma, usl.identified, a.selected), (None, false, None));
    let text = usl.warnings[0].to_string();
    assert!(
        text.starts_with("3 worker counts for 3 parameters") && text.contains("USL wants 6"),
        "{text}"
    );
    assert!(a.fit(Law::Amdahl).unwrap().ci95.alpha.is_some());
    assert!(codes(&a, Law::Amdahl).contains(&"not_comparable") && a.not_comparable);
    assert!(a.alpha_plus_2beta.is_some() && a.peak.is_none());
}

#[test]
fn perfectly_linear_data_have_no_peak() {
    let rows: Vec<(f64, f64)> = (1..=8).map(|n| (f64::from(n), 3.7 * f64::from(n))).collect();
    for unbounded in [false, true] {
        let a = Analysis::new(&points(&rows), &quick(Weights::Relative, unbounded));
        assert_eq!((a.peak, a.selected), (None, Some(Law::Linear)));
        assert!(codes(&a, Law::Usl).contains(&"exact"), "{:?}", a.fit(Law::Usl));
        assert!(a.fit(Law::Usl).unwrap().parameters.beta.unwrap().abs() < 1e-9);
    }
    // With noise: the interval of beta holds 0.
    let noisy: Vec<(f64, f64)> =
        rows.iter().map(|(n, x)| (*n, x * (1.0 + 0.01 * (n * 7.0).sin()))).collect();
    let a = Analysis::new(&points(&noisy), &relative());
    assert!(a.peak.is_none() && codes(&a, Law::Usl).contains(&"no_peak"));
}

/// Six worker counts: AICc's penalty for USL is 40, for Amdahl's law 12.
#[test]
fn a_choice_against_an_interval_says_so() {
    let mut rows = curve(&[1.0, 2.0, 4.0, 6.0, 8.0, 12.0], 10.0, 0.04, 0.003);
    rows.iter_mut().for_each(|r| r.1 *= 1.0 + 0.01 * (r.0 * 5.0).sin());
    let a = Analysis::new(&points(&rows), &relative());
    assert_eq!(a.selected, Some(Law::Amdahl));
    let doubt = Warning::Contradicted { law: Law::Amdahl, parameter: "beta" };
    assert!(a.warnings.contains(&doubt) && a.peak.is_some(), "{:?}", a.warnings);
    let many = curve(&[1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0, 12.0, 16.0, 20.0], 10.0, 0.04, 0.003);
    let a = Analysis::new(&points(&many), &relative());
    assert!(a.selected == Some(Law::Usl) && !a.warnings.contains(&doubt));
}

#[test]
fn superlinear_data_are_told_apart() {
    let rows: Vec<(f64, f64)> =
        (1..=8).map(f64::from).map(|n| (n, n.powf(1.3) * (1.0 + 1e-3 * (9.0 * n).sin()))).collect();
    let a = Analysis::new(&points(&rows), &relative());
    assert!(codes(&a, Law::Amdahl).contains(&"better_than_linear"), "{:?}", codes(&a, Law::Amdahl));
    assert_eq!(a.fit(Law::Amdahl).unwrap().parameters.alpha, Some(0.0));
}

/// Ten to twelve workers say nothing about one.
#[test]
fn counts_close_together_do_not_identify() {
    let rows: Vec<(f64, f64)> = [100.0, 100.5, 101.0, 101.5, 102.0, 102.5]
        .iter()
        .map(|n| (*n, usl(*n, 1.0, 0.02, 1e-4) * (1.0 + 0.01 * (n * 50.0).sin())))
        .collect();
    let a = Analysis::new(&points(&rows), &relative());
    let known = ["not_identified", "not_solved"];
    assert!(!a.identifiable && codes(&a, Law::Usl).iter().any(|c| known.contains(c)));
    assert!(a.warnings.contains(&Warning::NoFirstPoint { smallest: 100.0 }));
    assert!(a.karp_flatt.is_empty());
}

#[test]
fn a_break_ends_the_fit() {
    let mut rows = curve(&[1.0, 2.0, 3.0, 4.0, 6.0, 8.0], 5.0, 0.05, 0.001);
    rows.iter_mut().for_each(|r| r.1 *= 1.0 + 0.005 * (r.0 * 5.0).sin());
    let whole = Analysis::new(&points(&rows), &relative());
    rows.extend([(12.0, 30.0), (16.0, 31.0)]);
    let options = Options { end: Some(Break { after: 8.0, change: Change::Socket }), ..relative() };
    let ended = Analysis::new(&points(&rows), &options);
    assert_eq!(whole.fits, ended.fits);
    assert!(ended.warnings.contains(&Warning::BehindBreak {
        after: 8.0,
        change: Change::Socket,
        left_out: 2
    }));
    assert_eq!(ended.points.rows, 6);
}

/// The machine slows from 1 to 8 workers by a fifth: contention that is none, unless the ceiling is known.
#[test]
fn a_ceiling_takes_frequency_out_of_alpha() {
    let sample = |n: f64| {
        let slower = 1.0 - 0.2 * (n - 1.0) / 7.0;
        let noise = 1.0 + 0.002 * (n * 11.0).sin();
        let throughput = usl(n, 100.0, 0.03, 0.0) * slower * noise;
        Sample { n, throughput, trial: None, ceiling: Some(100.0 * n * slower) }
    };
    let samples: Vec<Sample> = (1..=8).map(|n| sample(f64::from(n))).collect();
    let alpha =
        |p: &Points| Analysis::new(p, &relative()).fit(Law::Amdahl).unwrap().ci95.alpha.unwrap();
    let raw = alpha(&Points::new(&samples).unwrap());
    let corrected = alpha(&Points::corrected(&samples).unwrap());
    assert!(raw.lo.unwrap() > 0.04, "{raw:?}");
    assert!(corrected.lo.unwrap() < 0.03 && 0.03 < corrected.hi.unwrap(), "{corrected:?}");
}

#[test]
fn predictions_end_at_twice_the_largest_n() {
    let options = Options { predict: vec![16.0, 64.0, 65.0], ..relative() };
    let mut rows = curve(&[1.0, 2.0, 4.0, 8.0, 16.0, 24.0, 32.0], 10.0, 0.02, 1e-4);
    rows.iter_mut().for_each(|r| r.1 *= 1.0 + 0.02 * (r.0 * 3.0).sin());
    let a = Analysis::new(&points(&rows), &options);
    let scenario: Vec<bool> = a.predictions.iter().map(|p| p.scenario).collect();
    assert_eq!(scenario, [false, false, true]);
    let width = |k: usize| {
        let ends = a.predictions[k].ci95.unwrap();
        (ends.hi.unwrap() - ends.lo.unwrap()) / a.predictions[k].throughput
    };
    assert!(width(0) > 0.02 && width(1) > width(0), "{} {}", width(0), width(1));
}

/// Bootstrap over trials if there are any; intervals surround the estimate.
#[test]
fn bootstrap_draws_trials_or_residuals() {
    let sample = |n: f64, t: u64| Sample {
        n,
        throughput: usl(n, 50.0, 0.05, 0.002) * (1.0 + 0.02 * ((n * 7.0) + t as f64 * 2.3).sin()),
        trial: Some(t),
        ceiling: None,
    };
    let counts = [1.0, 2.0, 3.0, 4.0, 6.0, 8.0];
    for (trials, over) in [(5, Resampled::Trials), (1, Resampled::Residuals)] {
        let rows: Vec<Sample> =
            counts.iter().flat_map(|n| (0..trials).map(move |t| sample(*n, t))).collect();
        let options = Options { bootstrap_draws: 300, ..Options::default() };
        let a = Analysis::new(&Points::new(&rows).unwrap(), &options);
        let fit = a.fit(Law::Usl).unwrap();
        let b = fit.bootstrap.unwrap();
        assert_eq!(b.over, over);
        let (e, p) = (b.ci95.alpha.unwrap(), fit.parameters.alpha.unwrap());
        assert!(e.lo.unwrap() < p && p < e.hi.unwrap(), "{e:?} {p}");
        assert_eq!(a, Analysis::new(&Points::new(&rows).unwrap(), &options), "not repeatable");
    }
}

/// The contract of `fit --json`: these keys, whatever the points.
#[test]
fn json_has_its_keys() {
    let whole =
        Analysis::new(&points(&rows(CISCO)), &Options { predict: vec![40.0], ..relative() });
    let few = Analysis::new(&points(&[(1.0, 1.0), (2.0, 1.5)]), &relative());
    let keys = [
        "schema",
        "points",
        "distinct_n",
        "weights",
        "laws",
        "selected",
        "not_comparable",
        "peak",
        "identifiable",
        "combination",
        "karp_flatt",
        "predictions",
        "warnings",
        "ceiling_corrected",
    ];
    for a in [&whole, &few] {
        let json = analysis_json(a, Some(a));
        let found: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(found, keys);
        assert!(json["ceiling_corrected"]["laws"].is_array());
    }
    let json = analysis_json(&whole, None);
    let law = &json["laws"][2];
    assert_eq!(law["law"], "usl");
    assert!(law["ci95"]["beta"][0].is_number() && law["parameters"]["gamma"].is_number());
    assert_eq!(json["laws"][0]["parameters"]["alpha"], serde_json::Value::Null);
    assert!(json["predictions"][0]["ci95"][1].is_number() && json["peak"]["n"].is_number());
    let json = analysis_json(&few, None);
    assert_eq!(
        (&json["peak"], &json["selected"]),
        (&serde_json::Value::Null, &serde_json::Value::Null)
    );
    assert!(json["combination"]["alpha_plus_2beta"]["estimate"].is_number());
}

fn near(a: Option<f64>, b: Option<f64>, tolerance: f64) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= tolerance * a.abs().max(b.abs()).max(1e-9),
        (None, None) => true,
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Any positive numbers: an answer with finite figures, and no panic.
    #[test]
    fn whatever_the_points_there_is_an_answer(
        rows in prop::collection::vec(
            (prop_oneof![(1..40u32).prop_map(f64::from), 1e-3..1e6f64], -40.0..40.0f64, prop::option::of(0..4u64)),
            1..14,
        ),
        none in any::<bool>(), unbounded in any::<bool>(),
    ) {
        let samples: Vec<Sample> = rows.iter().map(|(n, log, trial)| {
            Sample { n: *n, throughput: log.exp(), trial: *trial, ceiling: Some(log.exp() * 1.1) }
        }).collect();
        let weights = if none { Weights::None } else { Weights::Relative };
        let predict = vec![0.5, 1.0, 7.0, 1e9];
        let options = Options { weights, unbounded, predict, bootstrap_draws: 20, ..Options::default() };
        for p in [Points::new(&samples).unwrap(), Points::corrected(&samples).unwrap()] {
            let a = Analysis::new(&p, &options);
            for f in &a.fits {
                if !unbounded {
                    prop_assert!(f.parameters.alpha.is_none_or(|x| x >= 0.0));
                    prop_assert!(f.parameters.beta.is_none_or(|x| x >= 0.0));
                }
                prop_assert!(f.warnings.iter().all(|w| !w.to_string().contains("NaN")));
            }
            if let Some(peak) = a.peak {
                prop_assert!(peak.n > 1.0 && peak.n.is_finite());
            }
            prop_assert!(analysis_json(&a, None).is_object());
        }
    }

    /// Throughput in another unit changes gamma, and nothing else.
    #[test]
    fn a_unit_scales_gamma_alone(
        alpha in 0.0..0.3f64, beta in 0.0..0.01f64, noise in prop::array::uniform7(-0.03..0.03f64),
        unit in prop_oneof![Just(1e-6), Just(1e6), 0.1..10.0f64], none in any::<bool>(),
    ) {
        let mut rows = curve(&[1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0], 30.0, alpha, beta);
        rows.iter_mut().zip(noise).for_each(|(r, e)| r.1 *= 1.0 + e);
        let options = quick(if none { Weights::None } else { Weights::Relative }, false);
        let a = Analysis::new(&points(&rows), &options);
        rows.iter_mut().for_each(|r| r.1 *= unit);
        let b = Analysis::new(&points(&rows), &options);
        prop_assert_eq!(a.selected, b.selected);
        for (x, y) in a.fits.iter().zip(&b.fits) {
            let (p, q) = (x.parameters, y.parameters);
            prop_assert!(near(p.alpha, q.alpha, 1e-5), "{:?} {:?}", p, q);
            prop_assert!(near(p.beta, q.beta, 1e-4), "{:?} {:?}", p, q);
            prop_assert!(near(p.gamma.map(|g| g * unit), q.gamma, 1e-6), "{:?} {:?}", p, q);
            prop_assert!(near(x.loo_error, y.loo_error, 1e-4));
        }
    }

    /// The order of the rows changes nothing at all.
    #[test]
    fn order_is_irrelevant(
        noise in prop::collection::vec(0.9..1.1f64, 18), cuts in prop::collection::vec(any::<prop::sample::Index>(), 18),
    ) {
        let mut rows: Vec<Sample> = noise.iter().enumerate().map(|(k, e)| {
            let n = [1.0, 2.0, 4.0, 6.0, 8.0, 12.0][k % 6];
            Sample { n, throughput: usl(n, 9.0, 0.04, 1e-3) * e, trial: Some(k as u64 / 6), ceiling: None }
        }).collect();
        let options = Options { bootstrap_draws: 50, ..Options::default() };
        let a = Analysis::new(&Points::new(&rows).unwrap(), &options);
        let len = rows.len();
        cuts.iter().enumerate().for_each(|(i, cut)| rows.swap(i % len, cut.index(len)));
        prop_assert_eq!(a, Analysis::new(&Points::new(&rows).unwrap(), &options));
    }

    /// Intervals surround the estimate without bounds, and the profile is at its threshold at their ends.
    #[test]
    fn intervals_surround_the_estimate(noise in prop::array::uniform7(-0.05..0.05f64)) {
        let mut rows = curve(&[1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0], 30.0, 0.05, 0.004);
        rows.iter_mut().zip(noise).for_each(|(r, e)| r.1 *= 1.0 + e);
        let a = Analysis::new(&points(&rows), &quick(Weights::Relative, true));
        let fit = a.fit(Law::Usl).unwrap();
        let core = fit.core.as_ref().unwrap();
        for (target, ends) in [(Target::Alpha, fit.ci95.alpha), (Target::Beta, fit.ci95.beta), (Target::Gamma, fit.ci95.gamma)] {
            let (ends, unit) = (ends.unwrap(), core.unit(target));
            let centre = target.value(core.at()) * unit;
            for (end, below) in [(ends.lo, true), (ends.hi, false)] {
                let Some(end) = end else { continue };
                prop_assert_eq!(below, end < centre);
                let held = target.held(end / unit, [true; 3]).unwrap();
                let rise = core.data.minimise(&held).unwrap().deviance - core.estimate.best.deviance;
                prop_assert!(((rise / core.variance).sqrt() / core.t - 1.0).abs() < 1e-3);
            }
        }
    }
}
