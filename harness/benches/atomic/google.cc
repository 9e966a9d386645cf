// Two threads on one counter as Google Benchmark measures them; built by the bench `atomic`.

#include <benchmark/benchmark.h>

#include <atomic>
#include <cstdint>

alignas(128) static std::atomic<std::uint64_t> counter{0};

static void add(benchmark::State& state) {
    for (auto _ : state) {
        benchmark::DoNotOptimize(counter.fetch_add(1, std::memory_order_relaxed));
    }
}

BENCHMARK(add)->Threads(2)->UseRealTime();
BENCHMARK_MAIN();
