//! What a report costs: load, summarise and render synthetic runs of 1,000, 10,000 and 100,000 trials, and of 60 models
//! with their scalability laws; and render alone 60 models with 10 figures or more each, every figure as SVG, PDF, PNG and
//! LaTeX snippet.
//!
//! `cargo bench --profile analysis -p amdahl-analysis`, or without `--profile` in full optimisation; the run is written to
//! a temporary directory first, so reading and parsing are in, the writing of the report is not.

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use amdahl_analysis::load::load;
use amdahl_analysis::render::render;
use amdahl_analysis::select::Selection;
use amdahl_analysis::summarise::summarise;
use amdahl_analysis::summary::Summary;
use amdahl_analysis::synth::{self, Model, Spec};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// Trials of one block of a model: N = 1 and 2, each with model, ceiling, latency and counters.
const BLOCK_TRIALS: u32 = 8;

/// A run of about so many trials; how many exactly.
fn write_run(dir: &Path, trials: u32) -> u64 {
    let models = vec![
        Model::parallel("rust/threads"),
        Model::parallel("rust/processes"),
        Model::one_at_a_time("python3.13/threads"),
    ];
    let spec = Spec {
        workers: vec![1, 2],
        blocks: trials / (BLOCK_TRIALS * models.len() as u32),
        models,
        workloads: vec!["cpu".to_owned()],
        ..Spec::default()
    };
    let (header, trials) = synth::run(&spec);
    synth::write(dir, &header, &trials).expect("the temporary directory takes it");
    trials.len() as u64
}

/// Sixty models at six worker counts: every one has its laws, in five figures.
fn write_many_models(dir: &Path) -> u64 {
    let model = |k: u32| Model::usl(&format!("python3.{}@v{k}/threads", 8 + k % 7), 0.02, 0.0005);
    let spec = Spec {
        cpus: 32,
        workers: vec![1, 2, 4, 8, 16, 32],
        models: (0..60).map(model).collect(),
        workloads: vec!["cpu".to_owned()],
        all_passes: false,
        ..Spec::default()
    };
    let (header, trials) = synth::run(&spec);
    synth::write(dir, &header, &trials).expect("the temporary directory takes it");
    trials.len() as u64
}

fn report(dir: &Path) -> usize {
    let (models, workloads) = (Selection::all("model"), Selection::all("workload"));
    let frames = load(dir, &models, &workloads).expect("a synthetic run loads");
    let summary = summarise(&frames, &models, &workloads).expect("a synthetic run has all columns");
    render(&[summary]).expect("the template fits").files.len()
}

fn analysis(c: &mut Criterion) {
    let mut group = c.benchmark_group("report");
    group.sample_size(10).warm_up_time(Duration::from_millis(500));
    for trials in [1_000, 10_000, 100_000] {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let n = write_run(dir.path(), trials);
        group.throughput(Throughput::Elements(n));
        group.bench_with_input(BenchmarkId::from_parameter(trials), dir.path(), |b, dir| {
            b.iter(|| black_box(report(dir)));
        });
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    group.throughput(Throughput::Elements(write_many_models(dir.path())));
    group.bench_with_input(BenchmarkId::from_parameter("60 models"), dir.path(), |b, dir| {
        b.iter(|| black_box(report(dir)));
    });
    group.finish();
}

/// A report of its own for each of 60 models, as chapters of one.
fn chapters() -> Vec<Summary> {
    const WORKLOADS: [&str; 5] = [
        "cpu",
        "sleep",
        "pipe",
        "serial permille=0 scaling=strong",
        "serial permille=50 scaling=weak",
    ];
    let all = || (Selection::all("model"), Selection::all("workload"));
    let one = |k: u32| {
        let spec = Spec {
            seed: u64::from(k),
            cpus: 8,
            workers: vec![1, 2, 4, 8],
            blocks: 5,
            models: vec![Model::parallel(&format!("lab{k}/threads"))],
            workloads: WORKLOADS.map(str::to_owned).to_vec(),
            ..Spec::default()
        };
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (header, trials) = synth::run(&spec);
        synth::write(dir.path(), &header, &trials).expect("the temporary directory takes it");
        let (models, workloads) = all();
        let frames = load(dir.path(), &models, &workloads).expect("a synthetic run loads");
        summarise(&frames, &models, &workloads).expect("a synthetic run has all columns")
    };
    (1..=60).map(one).collect()
}

/// CPU time of this process so far, which a busy machine stretches less than time on the wall.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks =
        after_name.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0 // USER_HZ, the same on every Linux.
}

fn figures(c: &mut Criterion) {
    let chapters = chapters();
    let before = cpu_s();
    let made = render(&chapters).expect("the template fits").files;
    let cpu = cpu_s() - before;
    let of = |ending: &str| made.keys().filter(|name| name.ends_with(ending)).count();
    let (drawn, printed) = (of(".svg"), of(".pdf"));
    assert!(drawn >= 600 && printed == drawn, "{drawn} figures, {printed} of them as PDF");
    eprintln!("figures: {drawn}, of {} chapters; {cpu:.1} s of CPU time", chapters.len());
    let mut group = c.benchmark_group("figures");
    group.sample_size(10).warm_up_time(Duration::from_millis(500));
    group.throughput(Throughput::Elements(drawn as u64));
    group.bench_function("60 models", |b| {
        b.iter(|| black_box(render(&chapters).expect("the template fits").files.len()));
    });
    group.finish();
}

criterion_group!(benches, analysis, figures);
criterion_main!(benches);
