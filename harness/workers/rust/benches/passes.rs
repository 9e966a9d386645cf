//! The probe's two passes on `noop` beside bare loops, by criterion. Ratios with intervals: `overhead`.

mod common;

use std::hint::black_box;
use std::time::Duration;

use amdahl_worker::{Interval, Pass};
use criterion::{Bencher, Criterion, criterion_group, criterion_main};

/// The probe is bound by duration: a window's time an operation, times the iterations asked for.
fn probe(b: &mut Bencher<'_>, pass: Pass) {
    let mut probe = common::noop_probe();
    b.iter_custom(|iterations| {
        let x: Interval = common::window(&mut probe, pass, 2_000_000);
        let wall_ns = x.last_ns.expect("it does not leave early") - x.first_ns;
        Duration::from_secs_f64(wall_ns as f64 / x.ops as f64 * iterations as f64 / 1e9)
    });
}

fn throughput(c: &mut Criterion) {
    let mut group = c.benchmark_group("throughput pass of noop");
    group.bench_function("bare loop", |b| {
        b.iter_custom(|iterations| {
            let begin = std::time::Instant::now();
            black_box(common::bare_noop(iterations));
            begin.elapsed()
        });
    });
    group.bench_function("probe", |b| probe(b, Pass::Throughput));
    group.finish();
}

fn latency(c: &mut Criterion) {
    let mut group = c.benchmark_group("latency pass of noop");
    let mut histogram = common::histogram();
    let mut bare = |name: &str, work: &mut dyn FnMut(u64)| {
        group.bench_function(name, |b| {
            b.iter_custom(|iterations| {
                let begin = std::time::Instant::now();
                work(iterations);
                begin.elapsed()
            });
        });
    };
    bare("empty loop", &mut |n| {
        black_box(common::bare_noop(n));
    });
    if common::bare_tsc(1, &mut histogram) {
        bare("two TSC reads + record", &mut |n| {
            common::bare_tsc(n, &mut histogram);
        });
    }
    bare("two Instant + record", &mut |n| common::bare_instant(n, &mut histogram));
    group.bench_function("probe", |b| probe(b, Pass::Latency));
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = throughput, latency
}
criterion_main!(benches);
