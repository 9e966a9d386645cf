/// Where the workers of a `serial` cell meet: a barrier and a ticket lock.
#pragma once

#include <atomic>
#include <thread>

#include "system.hpp"

namespace amdahl {

constexpr int TURNS = 2000;  // of spinning before the CPU is yielded: who is waited for may need it

template <class Condition>
void spin_until(Condition condition) {
    for (int turn = 0; !condition(); ++turn) turn < TURNS ? relax() : std::this_thread::yield();
}

/// Each word in cache lines of its own.
struct Rounds {
    alignas(PADDING) std::atomic<unsigned> arrived{0};
    alignas(PADDING) std::atomic<unsigned> round{0};
    bool over = false;
    alignas(PADDING) std::atomic<bool> stop{false};
    alignas(PADDING) std::atomic<unsigned> tickets{0};
    alignas(PADDING) std::atomic<unsigned> serving{0};
    alignas(PADDING) size_t parties = 1;

    /// Waits for all; whether there is another round. The last to arrive decides it for all: a slow worker
    /// may come out of a barrier when a quick one has already done the round behind it, and asked to stop.
    bool meet() {
        const unsigned mine = round.load(std::memory_order_relaxed);
        if (arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == parties) {
            over = stop.load(std::memory_order_relaxed);
            arrived.store(0, std::memory_order_relaxed);
            round.store(mine + 1, std::memory_order_release);
        } else {
            spin_until([&] { return round.load(std::memory_order_acquire) != mine; });
        }
        return !over;
    }
    /// Asks to stop, and goes through the barrier behind which all do.
    void finish() {
        stop.store(true, std::memory_order_relaxed);
        meet();
    }
    void lock() {
        const unsigned mine = tickets.fetch_add(1, std::memory_order_relaxed);
        spin_until([&] { return serving.load(std::memory_order_acquire) == mine; });
    }
    void unlock() { serving.store(serving.load(std::memory_order_relaxed) + 1, std::memory_order_release); }
};

}  // namespace amdahl
