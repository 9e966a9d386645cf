/// The workload `lock`: a closed loop with a share of each operation under a lock, what the lock guards, and
/// what the latency pass keeps of acquisitions.
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <pthread.h>
#include <shared_mutex>

#include "recorder.hpp"

namespace amdahl {

/// `pthread_spin_lock`; on more workers than CPUs its waiters spin their time slices away.
struct PthreadSpin {
    pthread_spinlock_t word;
    PthreadSpin() { pthread_spin_init(&word, PTHREAD_PROCESS_PRIVATE); }
    ~PthreadSpin() { pthread_spin_destroy(&word); }
    void lock() { pthread_spin_lock(&word); }
    void unlock() { pthread_spin_unlock(&word); }
};

/// Whether a lock has a shared mode.
template <class Lock> constexpr bool SHARED = false;
template <> constexpr bool SHARED<std::shared_mutex> = true;

/// One acquisition, by CLOCK_MONOTONIC.
struct Stamps {
    u64 w, requested, acquired, released;
};

/// What the workers of a `lock` cell record together in one release.
struct Board {
    static constexpr size_t OWNERS_MAX = 4096;
    std::function<u64()> sum;  // of the counters under the locks; empty for other workloads
    u64 before = 0, begin_ns = 0;
    std::vector<Stamps> owners;  // of the first lock, written under it
    size_t filled = 0;

    /// All workers are parked.
    void open(const Plan& plan, u64 start_ns) {
        if (!sum) return;
        before = sum(), begin_ns = start_ns + plan.ramp_ns, filled = 0;
        owners.assign(plan.timed ? OWNERS_MAX : 0, Stamps{UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN});
    }
    void note(const Stamps& stamps) {
        if (filled < owners.size() && stamps.acquired >= begin_ns) owners[filled++] = stamps;
    }
    /// All are parked again: the lines of the release that is over.
    string close(const string& key) const {
        if (!sum) return "";
        string lines = Line("guard" + key).with("count", sum() - before).text + "\n";
        if (filled == 0) return lines;
        string w, gap, wait, hold;
        u64 last = begin_ns;
        for (size_t k = 0; k < filled; ++k) {
            const Stamps& one = owners[k];
            append(w, std::to_string(one.w)), append(gap, std::to_string(one.acquired - std::min(last, one.acquired)));
            append(wait, std::to_string(one.acquired - one.requested));
            append(hold, std::to_string(one.released - one.acquired));
            last = one.acquired;
        }
        return lines + Line("owners" + key).with("w", w).with("gap", gap).with("wait", wait).with("hold", hold).text + "\n";
    }
};

/// A lock and the counter it guards, which is loaded and stored, never added to in one step: two who are
/// inside at once lose an addition. (Atomic only because a data race would be undefined; plain moves.)
template <class Lock>
struct Slot {
    Lock lock;
    std::atomic<u64> count{0}, released{0};  // `released`: when its last owner began to give it away
};

/// The locks of a cell, each in cache lines of its own or one behind the other.
template <class Lock>
struct Slots {
    struct alignas(PADDING) Apart {
        Slot<Lock> slot;
    };
    std::unique_ptr<Apart[]> padded;
    std::unique_ptr<Slot<Lock>[]> packed;
    size_t n;

    Slots(size_t n, bool pack) : n(n) {
        if (pack) packed.reset(new Slot<Lock>[n]);
        else padded.reset(new Apart[n]);
    }
    Slot<Lock>& at(size_t k) { return packed ? packed[k] : padded[k].slot; }
    u64 sum() {
        u64 all = 0;
        for (size_t k = 0; k < n; ++k) all += at(k).count.load(std::memory_order_relaxed);
        return all;
    }
};

}  // namespace amdahl
