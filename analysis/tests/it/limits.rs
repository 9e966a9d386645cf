//! What stops each model: paragraphs and the loss budget over N, on runs of known truth.

use amdahl_analysis::load::load;
use amdahl_analysis::render::{Rendered, render};
use amdahl_analysis::select::Selection;
use amdahl_analysis::summarise::summarise;
use amdahl_analysis::summary::{Summary, Sure};
use amdahl_analysis::synth::{self, Model, Spec};

fn summary(models: Vec<Model>, cpus: u32, workers: Vec<u32>) -> Summary {
    let spec = Spec { cpus, workers, models, workloads: vec!["cpu".to_owned()], ..Spec::default() };
    let dir = tempfile::tempdir().unwrap();
    let (header, trials) = synth::run(&spec);
    synth::write(dir.path(), &header, &trials).unwrap();
    let (models, workloads) = (Selection::all("model"), Selection::all("workload"));
    let frames = load(dir.path(), &models, &workloads).unwrap();
    summarise(&frames, &models, &workloads).unwrap()
}

fn two_kinds() -> Vec<Model> {
    let gil = ["python3.12/threads", "python3.13/threads"].map(Model::one_at_a_time);
    [Model::parallel("rust/threads")].into_iter().chain(gil).collect()
}

fn text<'a>(rendered: &'a Rendered, name: &str) -> &'a str {
    rendered.text(name).unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn models_of_one_cause_share_a_paragraph_with_its_size_and_what_to_try() {
    let s = summary(two_kinds(), 2, vec![1, 2]);
    let [blocked, free] = s.limits.as_slice() else { panic!("{:?}", s.limits) };
    assert_eq!((blocked.cause.as_str(), blocked.sure), ("blocked", Sure::Yes));
    assert!(blocked.one_at_a_time && blocked.models.len() == 2);
    for m in &blocked.models {
        let loss = m.loss.unwrap();
        let (lo, hi) = loss.ci95.unwrap();
        assert!(lo < 1.0 && hi > 0.9 && hi - lo < 0.3, "{loss:?}");
    }
    assert_eq!((free.cause.as_str(), free.sure, free.models.len()), ("nothing", Sure::NoLoss, 1));
    assert!(s.budget_curves.is_empty(), "one N above 1 is told by the figure of the decisive N");
    let rendered = render(&[s]).unwrap();
    let report = text(&rendered, "report.md");
    assert!(report.contains("**Blocked**: `python3.13/threads`, `python3.12/threads`. It takes"));
    assert!(report.contains("every block (10 in all). One runs at a time"));
    assert!(report.contains("**Nothing stops these**: `rust/threads`."));
    assert!(text(&rendered, "verdicts.json").contains("\"not_told_apart_from\": null"));
}

#[test]
fn over_n_every_bar_adds_up_and_the_change_of_cause_is_told() {
    let s = summary(two_kinds(), 4, vec![1, 2, 4, 8]);
    let [curves] = s.budget_curves.as_slice() else { panic!("{:?}", s.budget_curves) };
    assert_eq!(curves.models.len(), 3);
    for bars in &curves.models {
        assert_eq!(bars.iter().map(|b| b.workers).collect::<Vec<_>>(), [2, 4, 8]);
        for b in bars {
            let sum = b.parts.achieved + b.parts.losses().iter().map(|l| l.1).sum::<f64>();
            assert!((sum - f64::from(b.workers)).abs() < 1e-9, "{b:?}");
        }
    }
    // Rust's threads lose nothing up to the CPUs and queue for them beyond.
    let rust = s.limits.iter().find(|g| g.models.iter().any(|m| m.model == "rust/threads"));
    let way = &rust.unwrap().models[0].over_n;
    assert_eq!(way[1], (4, "nothing".to_owned()));
    assert_eq!(way[2], (8, "run_queue".to_owned()));
    let rendered = render(&[s]).unwrap();
    let report = text(&rendered, "report.md");
    assert!(report.contains("Over N: nothing at 2 and 4, run queue at 8."), "{report}");
    let svg = text(&rendered, "figures/budget-over-n-cpu.svg");
    assert!(svg.contains("python3.13/threads, limited by: N = 2 blocked"));
    let csv = text(&rendered, "data/budget-over-n-cpu.csv");
    // Three models, three N, eight parts.
    assert_eq!(csv.lines().count(), 1 + 72);
}

#[test]
fn one_block_claims_no_certainty() {
    let spec = Spec { blocks: 1, models: two_kinds(), workers: vec![1, 2], ..Spec::default() };
    let dir = tempfile::tempdir().unwrap();
    let (header, trials) = synth::run(&spec);
    synth::write(dir.path(), &header, &trials).unwrap();
    let (models, workloads) = (Selection::all("model"), Selection::all("workload"));
    let s = summarise(&load(dir.path(), &models, &workloads).unwrap(), &models, &workloads);
    assert!(s.unwrap().limits.iter().all(|g| g.sure != Sure::Yes));
}
