//! Figures of scalability laws, and what stands beside them: runs of models whose contention and coherency are known, on
//! machines whose breaks are known.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use amdahl_analysis::load::load;
use amdahl_analysis::render::{Rendered, render};
use amdahl_analysis::select::Selection;
use amdahl_analysis::summarise::summarise;
use amdahl_analysis::synth::{self, Model, Spec};
use serde_json::Value;

/// Models with their alpha and beta.
const TRUTHS: [(&str, f64, f64); 6] = [
    ("rust/threads", 0.005, 0.003),
    ("rust/rayon", 0.03, 0.001),
    ("java25/threads", 0.05, 0.002),
    ("go1.26/goroutines", 0.1, 0.001),
    ("node20/workers", 0.02, 0.0005),
    ("python3.14t/threads", 0.15, 0.004),
];

fn spec() -> Spec {
    Spec {
        cpus: 64,
        workers: vec![1, 2, 4, 8, 16, 32, 64],
        models: TRUTHS.map(|(id, alpha, beta)| Model::usl(id, alpha, beta)).to_vec(),
        workloads: vec!["cpu".to_owned()],
        all_passes: false,
        ..Spec::default()
    }
}

fn report(spec: &Spec) -> Rendered {
    let dir = tempfile::tempdir().unwrap();
    let (header, trials) = synth::run(spec);
    synth::write(dir.path(), &header, &trials).unwrap();
    let (models, workloads) = (Selection::all("model"), Selection::all("workload"));
    let frames = load(dir.path(), &models, &workloads).unwrap();
    render(&[summarise(&frames, &models, &workloads).unwrap()]).unwrap()
}

/// Rows of a data file by column.
fn rows(r: &Rendered, name: &str) -> Vec<BTreeMap<String, String>> {
    let mut lines = r.text(&format!("data/{name}.csv")).unwrap().lines();
    let head: Vec<&str> = lines.next().unwrap().split(',').collect();
    let row = |l: &str| {
        head.iter().zip(l.split(',')).map(|(h, c)| ((*h).to_owned(), c.to_owned())).collect()
    };
    lines.map(row).collect()
}

fn number(cell: &str) -> f64 {
    cell.parse().unwrap_or_else(|_| panic!("`{cell}` is no number"))
}

static PLAIN: LazyLock<Rendered> = LazyLock::new(|| report(&spec()));

/// Two sockets of eight cores with two siblings each.
static SMT: LazyLock<Rendered> = LazyLock::new(|| {
    let workers = vec![1, 2, 4, 6, 8, 12, 16, 32];
    report(&Spec { cpus: 32, smt: 2, sockets: 2, workers, ..spec() })
});

/// `0.05 [0.049, 0.051]` of a table: the interval.
fn printed(cell: &str) -> (f64, f64) {
    let (lo, hi) = cell.split_once('[').unwrap().1.split_once(',').unwrap();
    (number(lo.trim()), number(hi.trim().trim_end_matches(']')))
}

/// Of twelve, and alpha and beta of one model miss together: one model in four runs.
#[test]
fn the_printed_intervals_hold_the_truth() {
    let report = PLAIN.text("report.md").unwrap();
    let table = report.split("## Scalability laws").nth(1).unwrap();
    let (mut held, mut seen) = (0, 0);
    for (model, alpha, beta) in TRUTHS {
        let line = table.lines().find(|l| l.contains(&format!("| `{model}` |"))).unwrap();
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        assert_eq!(cells[4], "USL", "{line}");
        for (truth, cell) in [(alpha, cells[6]), (beta, cells[7])] {
            let (lo, hi) = printed(cell);
            assert!(hi - lo < 0.5 * truth + 0.01, "an interval that says something: {line}");
            seen += 1;
            held += u32::from((lo..=hi).contains(&truth));
        }
    }
    assert!(seen == 12 && held >= 10, "{held} of {seen} intervals hold the truth");
}

/// Of 48 intervals of 95 % fewer than 42 would hold the truth once in a hundred times.
#[test]
fn intervals_hold_the_truth_as_often_as_they_say() {
    let (mut profile, mut bootstrap, mut seen) = (0, 0, 0);
    for seed in 2..6 {
        let r = report(&Spec { seed, ..spec() });
        for row in rows(&r, "laws") {
            if row["law"] != "usl" || row["relative_to"] != "time" {
                continue;
            }
            let (_, alpha, beta) = TRUTHS.iter().find(|t| t.0 == row["model"]).unwrap();
            for (name, truth) in [("alpha", alpha), ("beta", beta)] {
                let holds = |kind: &str| {
                    let end = |e: &str| number(&row[&format!("{name}_{kind}95_{e}")]);
                    u32::from((end("lo")..=end("hi")).contains(truth))
                };
                seen += 1;
                profile += holds("ci");
                bootstrap += holds("bootstrap");
            }
        }
    }
    assert!(seen == 48 && profile >= 42, "{profile} of {seen}");
    assert!(
        bootstrap > 30 && bootstrap <= profile + 2,
        "percentile intervals are the narrower: {bootstrap}"
    );
}

#[test]
fn every_figure_of_laws_is_there_with_its_caption_and_points() {
    let report = PLAIN.text("report.md").unwrap();
    for (figure, says) in [
        ("law-speedup-cpu", "Speed-up X(N) / X(1) on `cpu`"),
        ("law-efficiency-cpu", "Efficiency X(N) / N X(1)"),
        ("law-throughput-cpu", "Throughput X(N), operations a second"),
        ("karp-flatt-cpu", "a slope is coherency"),
        ("profile-cpu", "Profile likelihood of USL's beta"),
    ] {
        let svg = PLAIN.text(&format!("figures/{figure}.svg")).unwrap();
        assert!(svg.len() < 150_000, "{figure}: {}", svg.len());
        for (model, ..) in TRUTHS {
            assert!(svg.contains(&format!("\n{model}\n")), "{figure} has no panel of {model}");
        }
        let caption = report.lines().find(|l| l.contains(says)).unwrap_or_else(|| panic!("{says}"));
        for fact in ["N = 1, 2, 4, 8, 16, 32, 64", "testbox", "2026-01-02", "data/"] {
            assert!(caption.contains(fact), "{fact} is not in {caption}");
        }
    }
    // Six panels stand in one column of a paper.
    assert!(PLAIN.text("figures/law-speedup-cpu.svg").unwrap().contains("width=\"3.40in\""));
    let curves = rows(&PLAIN, "law-curves-cpu");
    let last = curves.iter().map(|r| number(&r["workers"])).fold(0.0, f64::max);
    assert!((last - 128.0).abs() < 1e-6, "to twice the largest N and no further: {last}");
    assert!(curves.iter().all(|r| (number(&r["workers"]) > 64.0) == (r["extrapolated"] == "true")));
    for r in rows(&PLAIN, "law-points-cpu") {
        let ratio = number(&r["speedup"]) / number(&r["workers"]) / number(&r["efficiency"]);
        assert!((ratio - 1.0).abs() < 1e-4, "{r:?}");
    }
}

/// USL's e(N) is alpha + beta N, and so is what is drawn beside the markers.
#[test]
fn karp_and_flatt_s_line_is_that_of_the_law() {
    for row in rows(&PLAIN, "karp-flatt-cpu") {
        let (_, alpha, beta) = TRUTHS.iter().find(|t| t.0 == row["model"]).unwrap();
        let truth = alpha + beta * number(&row["workers"]);
        assert!((number(&row["law_e"]) / truth - 1.0).abs() < 0.15, "{row:?}");
        // A per cent of noise in either throughput is much at N = 2, where e is little.
        let room = 0.02 * number(&row["workers"]) / (number(&row["workers"]) - 1.0) + 0.03 * truth;
        assert!((number(&row["e"]) - truth).abs() < room, "{row:?} {truth}");
    }
}

#[test]
fn profiles_are_at_their_threshold_where_the_printed_interval_ends() {
    let (laws, profiles) = (rows(&PLAIN, "laws"), rows(&PLAIN, "profile-cpu"));
    for (model, ..) in TRUTHS {
        let law = laws.iter().find(|r| r["model"] == model && r["law"] == "usl").unwrap();
        for parameter in ["alpha", "beta"] {
            let of = |r: &&BTreeMap<_, _>| r["model"] == model && r["parameter"] == parameter;
            let curve: Vec<_> = profiles.iter().filter(of).collect();
            for end in ["lo", "hi"] {
                let value = number(&law[&format!("{parameter}_ci95_{end}")]);
                let off = |r: &BTreeMap<String, String>| (number(&r["value"]) / value - 1.0).abs();
                let at = curve.iter().min_by(|a, b| off(a).total_cmp(&off(b))).unwrap();
                assert!(
                    (number(&at["rise_of_deviance"]) / number(&at["threshold"]) - 1.0).abs() < 1e-3
                );
            }
            let least =
                curve.iter().map(|r| number(&r["rise_of_deviance"])).fold(f64::MAX, f64::min);
            assert!(least < 1e-9, "{least}");
        }
    }
}

/// Cores fill a socket first, then the other, then siblings: the fit ends at the first break, the rest is shown.
#[test]
fn a_fit_ends_where_the_placement_crosses_a_break_and_says_which() {
    let report = SMT.text("report.md").unwrap();
    for says in [
        "the fit ends at N = 8, behind which workers use another socket; 3 larger worker counts are shown and not fitted",
        "behind N = 8 workers use another socket, behind N = 16 workers share cores with SMT siblings",
        "the most general one that the points can judge",
        "| 1, 2, 4, 6, 8 |",
    ] {
        assert!(report.contains(says), "{says}");
    }
    for figure in ["speedup", "efficiency", "throughput"] {
        let svg = SMT.text(&format!("figures/law-{figure}-cpu.svg")).unwrap();
        assert_eq!(svg.matches("\nsocket\n").count(), TRUTHS.len(), "{figure}");
        assert_eq!(svg.matches("\nSMT\n").count(), TRUTHS.len(), "{figure}");
    }
    let points = rows(&SMT, "law-points-cpu");
    let fitted = |r: &&BTreeMap<String, String>| r["kind"] == "mean" && r["fitted"] == "true";
    assert!(points.iter().filter(fitted).all(|r| number(&r["workers"]) <= 8.0));
    assert!(points.iter().any(|r| r["kind"] == "mean" && r["workers"] == "32"));
    let end =
        rows(&SMT, "law-curves-cpu").iter().map(|r| number(&r["workers"])).fold(0.0, f64::max);
    assert!((end - 16.0).abs() < 1e-6, "to twice what was fitted: {end}");
}

#[test]
fn verdicts_hold_the_laws_of_each_cell() {
    let verdicts: Value = serde_json::from_str(SMT.text("verdicts.json").unwrap()).unwrap();
    let laws = verdicts["laws"].as_array().unwrap();
    assert_eq!(laws.len(), TRUTHS.len());
    let breaks =
        serde_json::json!([{"after": 8.0, "change": "socket"}, {"after": 16.0, "change": "smt"}]);
    for row in laws {
        assert!(row["model"].is_string() && row["workload"] == "cpu" && row["breaks"] == breaks);
        assert!(row["warnings"].as_array().unwrap().contains(&Value::from("behind_break")));
        let usl = &row["laws"][2];
        assert_eq!(usl["law"], "usl");
        assert!(usl["ci95"]["beta"].is_array() && usl["bootstrap95"]["alpha"].is_array());
        assert_eq!(row["ceiling_corrected"]["laws"][1]["law"], "amdahl");
    }
    let plain: Value = serde_json::from_str(PLAIN.text("verdicts.json").unwrap()).unwrap();
    assert!(plain["laws"].as_array().unwrap().iter().all(|r| r["selected"] == "usl"));
    assert!(plain["laws"][0]["peak"]["n"].is_number());
}

/// Sixty models: every figure stays small enough to be sent, and holds each model once.
#[test]
fn many_models_become_several_figures() {
    let id = |k: u32| format!("python3.{}@v{k}/threads", 8 + k % 7);
    let models =
        (0..60).map(|k| Model::usl(&id(k), 0.001 * f64::from(k), 0.0001 * f64::from(k % 5)));
    let r = report(&Spec { models: models.collect(), workers: vec![1, 2, 4, 8, 16, 32], ..spec() });
    for kind in ["law-speedup", "law-efficiency", "law-throughput", "karp-flatt", "profile"] {
        let of_kind = |n: &&String| n.starts_with(&format!("figures/{kind}-cpu"));
        let mine = r.files.keys().filter(of_kind).filter(|n| n.ends_with(".svg"));
        let svgs: Vec<&str> = mine.map(|n| r.text(n).unwrap()).collect();
        assert_eq!(svgs.len(), 5, "{kind}");
        assert!(
            svgs.iter().all(|s| s.len() < 150_000),
            "{kind}: {:?}",
            svgs.iter().map(|s| s.len())
        );
        let panels = |k: u32| {
            svgs.iter().map(|s| s.matches(&format!("\n{}\n", id(k))).count()).sum::<usize>()
        };
        assert!((0..60).all(|k| panels(k) == 1), "{kind}");
    }
    assert!(r.text("report.md").unwrap().contains("The same of further models"));
}
