//! The subject as a bench of Criterion.

include!("work.rs");

fn main() {
    let steps: u64 = env!("RIVAL_STEPS").parse().unwrap();
    let mut criterion = criterion::Criterion::default().without_plots().configure_from_args();
    criterion.bench_function("work", |b| b.iter(|| work(steps)));
    criterion.final_summary();
}
