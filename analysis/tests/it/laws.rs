//! Scalability laws in a report: of runs whose truth is known.

use amdahl_analysis::load::load;
use amdahl_analysis::render::render;
use amdahl_analysis::select::Selection;
use amdahl_analysis::summarise::summarise;
use amdahl_analysis::summary::Summary;
use amdahl_analysis::synth::{self, Model, Spec};
use amdahl_stats::laws::Law;

fn summary(workers: Vec<u32>) -> Summary {
    let models = vec![Model::parallel("rust/threads"), Model::one_at_a_time("python3.13/threads")];
    let workloads = vec!["cpu".to_owned()];
    let spec = Spec {
        cpus: 8,
        workers,
        models,
        workloads,
        blocks: 4,
        all_passes: false,
        ..Spec::default()
    };
    let dir = tempfile::tempdir().unwrap();
    let (header, trials) = synth::run(&spec);
    synth::write(dir.path(), &header, &trials).unwrap();
    let (models, workloads) = (Selection::all("model"), Selection::all("workload"));
    summarise(&load(dir.path(), &models, &workloads).unwrap(), &models, &workloads).unwrap()
}

#[test]
fn six_worker_counts_tell_linear_from_serial() {
    let s = summary(vec![1, 2, 3, 4, 6, 8, 16]);
    let row = |model: &str| s.laws.iter().find(|r| r.model == model).unwrap();
    let (rust, python) = (row("rust/threads"), row("python3.13/threads"));
    assert_eq!(rust.raw.selected, Some(Law::Linear));
    assert!(rust.raw.peak.is_none());
    let n: Vec<f64> = rust.raw.points.points.iter().map(|p| p.n).collect();
    assert_eq!(n, [1.0, 2.0, 3.0, 4.0, 6.0, 8.0], "16 workers share 8 CPUs");
    let amdahl = python.raw.fit(Law::Amdahl).unwrap();
    let ends = amdahl.ci95.alpha.unwrap();
    assert!(ends.lo.unwrap() < 1.0 && 1.0 < ends.hi.unwrap(), "{ends:?}");
    let corrected =
        python.corrected.as_ref().unwrap().fit(Law::Amdahl).unwrap().ci95.alpha.unwrap();
    assert!(corrected.lo.unwrap() < 1.0 && 1.0 < corrected.hi.unwrap(), "{corrected:?}");
    let rendered = render(&[s]).unwrap();
    let text = |name: &str| rendered.text(name).unwrap();
    let (report, csv) = (text("report.md"), text("data/laws.csv"));
    assert!(report.contains("## Scalability laws") && report.contains("| linear scaling |"));
    assert!(report.contains("none proven"));
    // Two models, three laws, throughput and share of the ceiling.
    assert_eq!(csv.lines().count(), 1 + 12, "{csv}");
}

#[test]
fn three_counts_are_fitted_and_not_compared() {
    let s = summary(vec![1, 2, 4]);
    let rust = &s.laws[0].raw;
    assert!(rust.selected.is_none() && rust.fit(Law::Amdahl).unwrap().parameters.alpha.is_some());
    let rendered = render(&[s]).unwrap();
    let report = rendered.text("report.md").unwrap();
    assert!(report.contains("| not comparable |"), "{report}");
    assert!(report.contains("USL wants 6: widen `--workers`"));
}

#[test]
fn two_counts_have_no_section() {
    let s = summary(vec![1, 2]);
    assert!(s.laws.is_empty());
    assert!(!render(&[s]).unwrap().text("report.md").unwrap().contains("## Scalability laws"));
}
