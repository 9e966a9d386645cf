use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn model(id: &str, representative: bool, rank: u32) -> ModelInfo {
    ModelInfo {
        id: id.to_owned(),
        mechanism: id.split('/').nth(1).unwrap().to_owned(),
        lang: if id.starts_with("python") { "python" } else { "rust" }.to_owned(),
        main: id.ends_with("/threads"),
        representative,
        rank,
        workloads: ["noop", "cpu", "sleep", "pipe"].map(str::to_owned).to_vec(),
        locks: Vec::new(),
        switch_ns: id.starts_with("python").then_some(5_000_000),
        hello_ns: 40_000_000,
        lead_ns: 10_000_000,
    }
}

fn models() -> Vec<ModelInfo> {
    vec![
        model("rust/threads", true, 0),
        model("rust/processes", true, 0),
        model("python3.13/threads", true, 0),
        model("python3.13/processes-fork", true, 0),
        model("python3.12/threads", false, 1),
        model("python3.8/threads", false, 2),
    ]
}

fn with_site<R>(models: &[ModelInfo], cpus: u32, f: impl FnOnce(&Site<'_>) -> R) -> R {
    let place = |n: u32| Placement {
        policy: "cores".to_owned(),
        cpus: (0..n).map(|k| k % cpus).collect(),
        exclusive: n <= cpus,
    };
    let counts: Vec<u32> = (0..=cpus.ilog2() + 1).map(|k| 1 << k).collect();
    let absent = ["python3.7/threads".to_owned()];
    f(&Site { models, absent: &absent, counts: &counts, cpus, place: &place, counter_sets: &[0] })
}

fn plan_of(profile: &str, cpus: u32, seed: u64) -> Plan {
    let spec = Spec::profile(profile).unwrap();
    with_site(&models(), cpus, |site| plan(&spec, site, seed).unwrap())
}

#[test]
fn the_question_comes_first_and_every_block_holds_its_own_reference() {
    let p = plan_of("standard", 2, 7);
    assert_eq!(p.blocks[0].workload, "cpu");
    assert!(p.blocks.windows(2).all(|w| w[0].tier <= w[1].tier));
    for b in p.blocks.iter().filter(|b| b.trials[0].pass == Pass::Throughput) {
        let has = |n, arm| b.trials.iter().any(|t| t.workers == n && t.arm == arm);
        assert!(has(1, Arm::Model), "{b:?}");
        for t in b.trials.iter().filter(|t| t.workers > 1 && b.workload == "cpu") {
            assert!(has(t.workers, Arm::Ceiling) && has(t.workers, Arm::Model));
        }
    }
}

#[test]
fn block_numbers_of_a_model_and_workload_are_distinct_within_a_pass() {
    let p = plan_of("standard", 4, 1);
    let mut seen = BTreeSet::new();
    for b in &p.blocks {
        let key = (b.model.clone(), b.workload.clone(), b.block, b.trials[0].pass);
        assert!(seen.insert(key), "{b:?}");
    }
}

#[test]
fn same_seed_same_plan_other_seed_other_order() {
    assert_eq!(plan_of("smoke", 2, 1), plan_of("smoke", 2, 1));
    let order = |p: Plan| p.blocks.into_iter().map(|b| b.model).collect::<Vec<_>>();
    assert_ne!(order(plan_of("smoke", 2, 1)), order(plan_of("smoke", 2, 2)));
}

#[test]
fn unknown_names_are_refused_with_the_nearest() {
    let mut spec = Spec::profile("smoke").unwrap();
    spec.models = vec!["python3.31/threads".to_owned()];
    let e = with_site(&models(), 2, |s| plan(&spec, s, 1)).unwrap_err().to_string();
    assert!(e.contains("did you mean") && e.contains("python3.13/threads"), "{e}");
    spec.models = vec!["rust/*".to_owned()];
    spec.workloads = vec!["slep".to_owned()];
    let e = with_site(&models(), 2, |s| plan(&spec, s, 1)).unwrap_err().to_string();
    assert!(e.contains("did you mean sleep"), "{e}");
    // An absent model is known: its row says why.
    spec.models = vec!["python3.7/threads".to_owned()];
    spec.workloads = vec!["cpu".to_owned()];
    let p = with_site(&models(), 2, |s| plan(&spec, s, 1)).unwrap();
    assert!(p.blocks.is_empty());
}

#[test]
fn on_one_cpu_two_workers_are_still_measured() {
    let p = plan_of("smoke", 1, 3);
    let cpu = p.blocks.iter().find(|b| b.workload == "cpu").unwrap();
    let counts: BTreeSet<u32> = cpu.trials.iter().map(|t| t.workers).collect();
    assert_eq!(counts, BTreeSet::from([1, 2]));
}

#[test]
fn params_of_one_workload_stay_there() {
    let mut spec = Spec::profile("smoke").unwrap();
    let own = BTreeMap::from([("sleep_ns".to_owned(), vec!["2000000".to_owned()])]);
    spec.params.insert("sleep".to_owned(), own);
    let p = with_site(&models(), 2, |s| plan(&spec, s, 1)).unwrap();
    for b in &p.blocks {
        let expected = (b.workload == "sleep").then_some("2000000");
        assert_eq!(b.params.get("sleep_ns").map(String::as_str), expected);
    }
}

#[test]
fn a_parameter_that_no_chosen_workload_has_is_refused_and_others_may_have_any() {
    let mut models = models();
    let mut spec = Spec::profile("smoke").unwrap();
    spec.workloads = vec!["cpu".to_owned()];
    let wrong = BTreeMap::from([("stpes".to_owned(), vec!["2000".to_owned()])]);
    spec.params.insert(String::new(), wrong);
    let e = with_site(&models, 2, |s| plan(&spec, s, 1)).unwrap_err().to_string();
    assert_eq!(e, "`cpu` has no parameter `stpes`; did you mean steps?");
    models[0].workloads.push("hash".to_owned());
    spec.workloads.push("hash".to_owned());
    with_site(&models, 2, |s| plan(&spec, s, 1)).unwrap();
}

/// Only who asks for `micro` gets it: one worker, no spare blocks, and all models of a block and kind side by side.
#[test]
fn what_is_compared_between_models_meets_in_time() {
    let mut models = models();
    let micro = ["micro".to_owned()];
    models.iter_mut().skip(2).for_each(|m| m.workloads.extend(micro.clone()));
    let mut spec = Spec::profile("standard").unwrap();
    let p = with_site(&models, 4, |s| plan(&spec, s, 5)).unwrap();
    assert!(p.blocks.iter().all(|b| b.workload != "micro"));
    spec.workloads = micro.to_vec();
    spec.workers = Some(vec![1, 2]);
    let p = with_site(&models, 4, |s| plan(&spec, s, 5)).unwrap();
    let blocks: Vec<_> = p.blocks.iter().filter(|b| b.trials[0].pass == Pass::Throughput).collect();
    assert_eq!(blocks.len(), 5 * MICRO_KINDS.len() * 4);
    let mut kinds = BTreeSet::new();
    for (k, together) in blocks.chunks(4).enumerate() {
        let models: BTreeSet<&str> = together.iter().map(|b| b.model.as_str()).collect();
        assert_eq!(models.len(), 4);
        let number = (k / MICRO_KINDS.len()) as u32;
        assert!(together.iter().all(|b| b.block == number && b.params == together[0].params));
        assert!(
            together.iter().all(|b| b.trials.len() == 1 && b.trials[0].workers == 1 && !b.spare)
        );
        kinds.insert((number, together[0].params["kind"].clone()));
    }
    assert_eq!(kinds.len(), 5 * MICRO_KINDS.len());
    let order = |b: &[&PlannedBlock]| b.iter().map(|b| b.model.clone()).collect::<Vec<_>>();
    assert!(blocks.chunks(4).any(|c| order(c) != order(&blocks[..4])), "their order is random");
}

proptest! {
    #[test]
    fn every_seed_plans_the_same_cells_with_sequence_numbers_in_order(seed: u64, cpus in 1u32..65) {
        let cells = |p: &Plan| {
            let mut cells: Vec<_> = p.blocks.iter().flat_map(|b| b.trials.iter().map(|t| {
                (b.model.clone(), b.workload.clone(), b.block, t.workers, t.arm, t.pass, t.counter_set)
            })).collect();
            cells.sort();
            cells
        };
        let p = plan_of("standard", cpus, seed);
        prop_assert_eq!(cells(&p), cells(&plan_of("standard", cpus, 0)));
        let seqs: Vec<u64> = p.blocks.iter().flat_map(|b| b.trials.iter().map(|t| t.seq)).collect();
        prop_assert!(seqs.iter().enumerate().all(|(i, s)| i as u64 == *s));
    }
}

#[test]
fn latency_is_taken_where_the_verdict_is() {
    let mut spec = Spec::profile("smoke").unwrap();
    spec.workers = Some(vec![1, 2, 4, 8]);
    let p = with_site(&models(), 4, |s| plan(&spec, s, 1)).unwrap();
    let timed = |w: &str| {
        let mut of = p.blocks.iter().filter(|b| b.workload == w);
        let block = of.find(|b| b.trials[0].pass == Pass::Latency).unwrap();
        block.trials.iter().map(|t| t.workers).max().unwrap()
    };
    assert_eq!((timed("cpu"), timed("sleep")), (4, 8));
}

#[test]
fn spare_blocks_close_their_tier_and_cost_nothing_in_the_prediction() {
    let p = plan_of("smoke", 2, 9);
    let spares = p.blocks.iter().filter(|b| b.spare);
    assert!(spares.clone().count() > 0);
    for b in spares {
        let later = p.blocks.iter().skip_while(|o| *o != b).filter(|o| o.tier == b.tier);
        assert!(later.clone().all(|o| o.spare), "{b:?}");
        assert_eq!(b.trials[0].pass, Pass::Throughput);
    }
    let cost = |b: &PlannedBlock| {
        let info = models().into_iter().find(|m| m.id == b.model).unwrap();
        block_cost(b, &info, 2).as_millis() as u64
    };
    assert_eq!(p.predicted_ms, p.blocks.iter().filter(|b| !b.spare).map(cost).sum::<u64>());
}

#[test]
fn a_list_of_values_makes_a_cell_of_each() {
    let text = "workloads = [\"sleep\"]\n[params.sleep]\nsleep_ns = [100000, 1000000]\n";
    let spec = Spec::from_text("p", text, "p.toml").unwrap();
    let p = with_site(&models(), 2, |s| plan(&spec, s, 1)).unwrap();
    let labels = p.param_labels();
    let seen: BTreeSet<&str> = labels.values().map(String::as_str).collect();
    assert_eq!(seen, BTreeSet::from(["sleep_ns=100000", "sleep_ns=1000000"]));
    let blocks = |label: &str| {
        let of = |b: &&PlannedBlock| labels[&b.trials[0].seq] == label && b.model == "rust/threads";
        p.blocks.iter().filter(of).map(|b| b.block).collect::<BTreeSet<_>>()
    };
    assert_eq!(blocks("sleep_ns=100000"), blocks("sleep_ns=1000000"), "numbered each from 0");
    let empty = "[params.sleep]\nsleep_ns = []\n";
    let e = Spec::from_text("p", empty, "p.toml").unwrap_err().to_string();
    assert!(e.contains("`sleep_ns`: at least one value"), "{e}");
}

#[test]
fn further_cells_have_parameters_of_their_own_and_none_twice() {
    let text = "[params.sleep]\nsleep_ns = [5, 6]\n[[also.sleep]]\nsleep_ns = [6, 7]\n";
    let mut spec = Spec::from_text("p", text, "p.toml").unwrap();
    spec.models = vec!["rust/threads".to_owned()];
    spec.workloads = vec!["sleep".to_owned()];
    let plan = with_site(&models(), 2, |site| plan(&spec, site, 1).unwrap());
    let values: BTreeSet<&str> =
        plan.blocks.iter().map(|b| b.params["sleep_ns"].as_str()).collect();
    assert_eq!(values.into_iter().collect::<Vec<_>>(), ["5", "6", "7"]);
    let firsts = plan.blocks.iter().filter(|b| (b.block, b.tier) == (0, plan.blocks[0].tier));
    assert_eq!(firsts.count(), 3, "a block of each, not two of 6");
}

#[test]
fn each_model_meets_the_locks_it_has_and_nobody_s_lock_is_an_error() {
    let with = |id: &str, locks: &[&str]| ModelInfo {
        workloads: vec!["lock".to_owned()],
        locks: locks.iter().map(|l| (*l).to_owned()).collect(),
        ..model(id, true, 0)
    };
    let models = [with("rust/threads", &["mutex", "ticket"]), with("cpp/threads", &["mutex"])];
    let mut spec = Spec::file(std::path::Path::new("lock")).unwrap();
    (spec.models, spec.latency_blocks) = (Vec::new(), 1);
    let e = with_site(&models, 2, |site| plan(&spec, site, 1)).unwrap_err().to_string();
    assert!(e.contains("no lock `sharded`"), "of a further cell too: {e}");
    spec.also.clear();
    let cells = |spec: &Spec| {
        let p = with_site(&models, 2, |site| plan(spec, site, 1)).unwrap();
        let name = |b: &PlannedBlock| (b.model.clone(), b.params["lock"].clone());
        let latency = |b: &&PlannedBlock| b.trials[0].pass == Pass::Latency;
        let timed: Vec<_> = p.blocks.iter().filter(latency).collect();
        assert!(timed.iter().all(|b| b.trials.len() == 4), "every number of workers is timed");
        p.blocks.iter().map(name).collect::<BTreeSet<_>>()
    };
    let of = |model: &str, lock: &str| (model.to_owned(), lock.to_owned());
    let all = [("cpp/threads", "mutex"), ("rust/threads", "mutex"), ("rust/threads", "ticket")];
    assert_eq!(cells(&spec), all.iter().map(|(m, l)| of(m, l)).collect());
    let lock = |name: &str| BTreeMap::from([("lock".to_owned(), vec![name.to_owned()])]);
    spec.params.insert("lock".to_owned(), lock("ticket"));
    assert_eq!(cells(&spec), [of("rust/threads", "ticket")].into());
    spec.params.insert("lock".to_owned(), lock("tikcet"));
    let e = with_site(&models, 2, |site| plan(&spec, site, 1)).unwrap_err();
    assert!(e.to_string().contains("no lock `tikcet`") && e.to_string().contains("ticket"), "{e}");
}
