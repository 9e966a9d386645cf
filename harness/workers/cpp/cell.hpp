/// N workers at once, a thread each: made, warmed, parked, released.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <sys/syscall.h>
#include <thread>
#include <vector>

#include "workloads.hpp"

namespace amdahl {

constexpr u64 WARM_NS = 500'000;  // one interval of a warm-up run

/// One worker: made, and ordered about, on the thread that runs it.
struct alignas(PADDING) Lane {
    size_t w = 0;
    long tid = 0;
    std::unique_ptr<File> schedstat;
    Work work;
    std::map<size_t, std::unique_ptr<Take>> takes;  // by slot
    std::thread thread;

    void open(const Maker& make) {
        tid = syscall(SYS_gettid);
        schedstat = std::make_unique<File>("/proc/thread-self/schedstat", O_RDONLY);
        work = make(w);
    }
    /// Runs a loop for a moment, crossings included; ps an operation.
    u64 warm(bool timed) {
        Take take({WARM_NS, WARM_NS, 1, 0, timed, 0}, *schedstat, clock_ns(), 1);
        work(take);
        return (take.last().now - take.rows[0].now) * 1000 / std::max<u64>(1, take.last().ops);
    }
    void run(Take& take, u64 start_ns, u64 spin_ns) {
        sleep_until(start_ns - std::min(start_ns, spin_ns));
        while ((take.started_ns = clock_ns()) < start_ns) relax();
        work(take);
    }
};

/// N threads, parked on a condition variable, who all do what they are told, and park again.
class Cell {
    std::mutex board;
    std::condition_variable released, parked;
    std::function<void(Lane&)> order;  // empty: quit
    std::exception_ptr error;          // the first one of an order
    size_t turn = 0, first = 0, last = 0, busy = 0;

    /// Counting oneself as parked and starting to wait are one critical section: when `busy` is 0, all are.
    void live(Lane& lane) {
        std::unique_lock<std::mutex> lock(board);
        for (size_t seen = 0;;) {
            released.wait(lock, [&] { return turn != seen; });
            seen = turn;
            if (!order) return;
            if (lane.w < first || lane.w >= last) continue;
            lock.unlock();
            std::exception_ptr caught;
            try {
                order(lane);
            } catch (...) {
                caught = std::current_exception();
            }
            lock.lock();
            if (!error) error = caught;
            if (--busy == 0) parked.notify_one();  // the opener wakes once, when all are done
        }
    }

    /// Gives an order to some workers and waits until they have parked again.
    void tell(size_t from, size_t to, std::function<void(Lane&)> what) {
        std::unique_lock<std::mutex> lock(board);
        rounds.parties = to - from, rounds.stop = false;
        order = std::move(what), first = from, last = to, busy = to - from, ++turn;
        released.notify_all();
        parked.wait(lock, [&] { return busy == 0; });
        if (const auto first_error = std::exchange(error, nullptr)) std::rethrow_exception(first_error);
    }
    void tell(std::function<void(Lane&)> what) { tell(0, lanes.size(), std::move(what)); }

public:
    Rounds rounds;
    Board jotted;
    std::map<size_t, string> common;  // by slot, lines of what the workers recorded together
    std::vector<Lane> lanes;
    bool ran = false, with_slot = false;

    explicit Cell(size_t n) : lanes(n) {}
    ~Cell() {
        tell(0, 0, nullptr);
        for (Lane& lane : lanes) {
            if (lane.thread.joinable()) lane.thread.join();
        }
    }

    /// Makes the threads, which make their work. Not done by the constructor: if one thread can't be had,
    /// those before it are ended by the destructor.
    void start(const Maker& make) {
        for (size_t w = 0; w < lanes.size(); ++w) {
            lanes[w].w = w;
            lanes[w].thread = std::thread([this, w] { live(lanes[w]); });
        }
        tell([&](Lane& lane) { lane.open(make); });
    }
    /// Runs all loops, the first worker's alone; how long its operation takes, in ns.
    u64 warm() {
        u64 op_ps = 0;
        for (const bool timed : {true, false, true, false}) {
            tell(0, 1, [&](Lane& lane) { op_ps = lane.warm(timed); });
        }
        for (const bool timed : {true, false}) tell(1, lanes.size(), [&](Lane& lane) { lane.warm(timed); });
        return std::max<u64>(1, op_ps / 1000);
    }
    void forget() {
        tell([](Lane& lane) { lane.takes.clear(); });
        common.clear();
    }
    /// One slot. The record is made by an order of its own: where memory runs out for one worker,
    /// the others have not begun to wait for it. `key` begins the lines of what they record together.
    void run(const Plan& plan, size_t slot, u64 start_ns, u64 spin_ns, const string& key) {
        tell([&](Lane& lane) {
            const bool in_parts = bool(jotted.sum);
            lane.takes[slot] = std::make_unique<Take>(plan, *lane.schedstat, start_ns, lanes.size(), in_parts);
        });
        jotted.open(plan, start_ns);
        tell([&](Lane& lane) { lane.run(*lane.takes[slot], start_ns, spin_ns); });
        common[slot] = jotted.close(key);
    }
};

}  // namespace amdahl
