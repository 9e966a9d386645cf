//! The subject as a bench of tango.

include!("work.rs");

fn benches() -> impl tango_bench::IntoBenchmarks {
    let steps: u64 = env!("RIVAL_STEPS").parse().unwrap();
    [tango_bench::benchmark_fn("work", move |b| b.iter(move || work(steps)))]
}

tango_bench::tango_benchmarks!(benches());
tango_bench::tango_main!();
