/// The work: the hot loop, and the operations it repeats, each with its parameters.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <numeric>
#include <thread>
#include <vector>

#include "lock.hpp"
#include "recorder.hpp"
#include "serial.hpp"

namespace amdahl {

/// The hot loop of every operation and pass; the compiler makes a copy for each.
template <bool timed, bool spans, class Op>
[[gnu::noinline]] void repeat(Op& op, Take& take) {
    const u64 batch = timed ? 1 : op.batch;
    u64 ops = 0, check = 0, began = 0, now = 0;
    op.begin();
    u64 edge = take.enter();
    while (op.meet()) {
        if constexpr (timed) began = clock_ns();
        for (const u64 end = ops + batch; ops != end; ++ops) {
            if constexpr (timed && Op::in_parts) check += op.timed(ops, take);
            else check += op(ops);
        }
        now = clock_ns();
        if constexpr (timed) take.histogram->record(now - began);
        if constexpr (spans) {
            const bool room = take.filled < take.ends.size();
            if (room && now >= take.begin_ns) take.ends[take.filled++] = now - take.begin_ns;
        }
        if (now >= edge && !(edge = take.cross(now, ops, check))) return op.finish();
    }
    take.leave(now, ops, check);
}

/// The loop around one worker's operation, whose type it hides: one indirect call a release.
using Work = std::function<void(Take&)>;

template <class Op>
Work work(Op&& op) {
    return [op = std::make_shared<Op>(std::forward<Op>(op))](Take& take) {
        if (take.plan.timed) take.plan.spans ? repeat<true, true>(*op, take) : repeat<true, false>(*op, take);
        else take.plan.spans ? repeat<false, true>(*op, take) : repeat<false, false>(*op, take);
    };
}

/// Makes the work of worker `w`, on the thread that will do it, so that its data lie near that thread.
using Maker = std::function<Work(size_t w)>;

/// A `prepare` line, and what the answer will say of it.
struct Request {
    const Keys& keys;
    Line& ready;
    Rounds& rounds;
    Board& board;

    /// A parameter, which `ready` repeats: the worker may have chosen it.
    u64 number(const char* name, u64 otherwise, u64 least = 0, u64 most = FAR) const {
        const u64 value = keys.number(name, otherwise, least, most);
        ready.with(name, value);
        return value;
    }
};

// --- The operations: what the call returns is added to `check`; `prepare` checks the parameters --------

/// What most have in common: a clock reading each, nothing to set up, nobody to wait for.
struct alignas(PADDING) Alone {
    static constexpr u64 batch = 1;
    static constexpr bool in_parts = false;  // whether it times parts of itself in the latency pass
    void begin() {}
    bool meet() { return true; }
    void finish() {}
};

/// The compiler can neither know the value behind it nor leave it uncomputed.
inline u64 opaque(u64 value) {
    asm volatile("" : "+r"(value));
    return value;
}

/// MINSTD (Park, Miller and Stockmeyer 1993): each step needs the one before. Not inlined, so that
/// all workloads run the same instructions, and a disassembler shows them once.
[[gnu::noinline]] inline u64 minstd(u64 x, u64 steps) {
    for (x = opaque(x); steps; --steps) x = x * 48271 % M;
    return opaque(x);
}

struct Noop : Alone {
    u64 batch;
    u64 operator()(u64) { return opaque(1); }

    static Maker prepare(const Request& asked) {
        return [batch = asked.number("batch", 1024, 1)](size_t) { return work(Noop{{}, batch}); };
    }
};

struct Cpu : Alone {
    u64 steps;
    u64 operator()(u64 i) { return minstd(1 + i % 64, steps); }

    static Maker prepare(const Request& asked) {
        return [steps = asked.number("steps", 20'000)](size_t) { return work(Cpu{{}, steps}); };
    }
};

struct Sleep : Alone {
    std::chrono::nanoseconds time;
    u64 operator()(u64) { return std::this_thread::sleep_for(time), 1; }

    static Maker prepare(const Request& asked) {
        const std::chrono::nanoseconds time(asked.number("sleep_ns", 1'000'000));
        return [time](size_t) { return work(Sleep{{}, time}); };
    }
};

struct Pipe : Alone {
    File request, response;
    u64 operator()(u64 i) {
        unsigned char byte = static_cast<unsigned char>(i % 251);
        transfer([&] { return write(request.fd, &byte, 1); });
        transfer([&] { return read(response.fd, &byte, 1); });
        return byte;
    }

    template <class Call>
    static void transfer(Call call) {
        while (call() != 1) {
            if (errno != EINTR) throw failed_call("the FIFOs to the peer failed");
        }
    }
    static File fifo(const string& path) {
        File file(path, O_RDWR);  // opening then waits for nobody, and a dead peer gives no SIGPIPE
        if (file.fd < 0) throw failed_call("can't open " + path);
        return file;
    }
    static Maker prepare(const Request& asked) {
        const string dir = asked.keys.text("dir");
        if (dir.empty()) throw Failure("dir= of the FIFOs is missing");
        return [dir, first = asked.keys.number("first", 0)](size_t w) {
            const string path = dir + "/w" + std::to_string(first + w);
            return work(Pipe{{}, fifo(path + ".req"), fifo(path + ".rsp")});
        };
    }
};

/// A walk through a table, one element a cache line, each load waiting for the one before.
struct Chase : Alone {
    struct alignas(64) Element {
        std::uint32_t next;
    };
    std::vector<Element> table;
    u64 steps, k = 0;
    void begin() { k = 0; }
    u64 operator()(u64) {
        const Element* const from = table.data();
        u64 at = k;
        for (u64 left = steps; left; --left) at = from[at].next;
        return k = at;
    }

    static Maker prepare(const Request& asked, u64 bytes) {
        const u64 lines = u64{1} << (63 - __builtin_clzll(bytes / 64)), steps = asked.number("steps", 1024);
        return [=](size_t) {
            std::vector<Element> table(lines);
            for (u64 k = 0; k < lines; ++k) table[k].next = std::uint32_t((1103515245 * k + 12345) % lines);
            return work(Chase{{}, std::move(table), steps});
        };
    }
};

/// Sums of chunks, four at a time, so that memory and not the chain of additions is the limit.
struct Stream : Alone {
    std::vector<u64> table;
    u64 chunks, elements;  // elements of a chunk
    u64 operator()(u64 i) {
        const u64 *p = table.data() + i % chunks * elements, *const end = p + elements;
        u64 a = 0, b = 0, c = 0, d = 0;
        for (; end - p >= 4; p += 4) a += p[0], b += p[1], c += p[2], d += p[3];
        for (; p != end; ++p) a += *p;
        return (a + b + c + d) % M;
    }

    static Maker prepare(const Request& asked, u64 bytes) {
        const u64 chunk = asked.number("chunk", 1 << 20, 8);
        if (chunk % 8 || bytes % chunk) throw Failure("bytes= is no multiple of chunk=, or chunk= none of 8");
        return [=](size_t) {
            std::vector<u64> table(bytes / 8);
            std::iota(table.begin(), table.end(), u64{0});
            return work(Stream{{}, std::move(table), bytes / chunk, chunk / 8});
        };
    }
};

inline Maker prepare_mem(const Request& asked) {
    const u64 bytes = asked.number("bytes", 128 << 20, 64, u64{1} << 38);
    const string kind = asked.keys.text("kind", "chase");
    if (kind == "chase") return Chase::prepare(asked, bytes);
    if (kind == "stream") return Stream::prepare(asked, bytes);
    throw Failure("kind=" + kind + " is not one of chase,stream");
}

struct Serial : Alone {
    Rounds& rounds;
    u64 apart, locked;  // steps
    bool meet() { return rounds.meet(); }
    void finish() { rounds.finish(); }
    u64 operator()(u64 i) {
        u64 x = minstd(1 + i % 64, apart);
        rounds.lock();
        x = minstd(x, locked);
        rounds.unlock();
        return x;
    }

    static Maker prepare(const Request& asked) {
        const u64 steps = asked.number("steps", 400'000), permille = asked.number("permille", 0, 0, 1000);
        const u64 locked = steps / 1000 * permille + steps % 1000 * permille / 1000;
        return [=, &rounds = asked.rounds](size_t) { return work(Serial{{}, rounds, steps - locked, locked}); };
    }
};

template <class Lock>
struct Locked : Alone {
    static constexpr bool in_parts = true;
    std::shared_ptr<Slots<Lock>> slots;
    Board& board;
    u64 w, apart, locked, readers, batch, choice;  // `apart`, `locked`: steps

    bool reads(u64 i) const { return readers && i * 617 % 1000 < readers; }
    Slot<Lock>& next(size_t& k) {
        if (slots->n > 1) k = (choice = choice * 48271 % M) % slots->n;
        return slots->at(k);
    }
    static void same(bool unchanged) {
        if (!unchanged) throw Failure("a reader saw the counter change while it had the lock: it does not exclude writers", "checksum");
    }
    /// The steps between load and store of the counter; false if a reader saw it change.
    bool inside(Slot<Lock>& slot, u64& x, bool read) const {
        const u64 count = slot.count.load(std::memory_order_relaxed);
        x = minstd(x, locked);
        if (read) return slot.count.load(std::memory_order_relaxed) == count;
        slot.count.store(count + 1, std::memory_order_relaxed);
        return true;
    }
    u64 operator()(u64 i) {
        u64 x = minstd(1 + i % 64, apart);
        size_t k = 0;
        Slot<Lock>& slot = next(k);
        bool fine;
        if constexpr (SHARED<Lock>) {
            if (reads(i)) {
                slot.lock.lock_shared();
                fine = inside(slot, x, true);
                slot.lock.unlock_shared();
                return same(fine), x;
            }
        }
        slot.lock.lock();
        fine = inside(slot, x, reads(i));
        slot.lock.unlock();
        return same(fine), x;
    }
    u64 timed(u64 i, Take& take) {
        u64 x = minstd(1 + i % 64, apart), free = 0;
        size_t k = 0;
        Slot<Lock>& slot = next(k);
        const bool read = reads(i);
        bool fine;
        Stamps at{w, clock_ns(), 0, 0};
        if constexpr (SHARED<Lock>) {
            if (read) {
                slot.lock.lock_shared();
                at.acquired = clock_ns();
                fine = inside(slot, x, true);
                at.released = clock_ns();
                slot.lock.unlock_shared();
                return keep(take, at, true, 0), same(fine), x;
            }
        }
        slot.lock.lock();
        at.acquired = clock_ns();
        free = slot.released.load(std::memory_order_relaxed);
        fine = inside(slot, x, read);
        at.released = clock_ns();
        slot.released.store(at.released, std::memory_order_relaxed);
        if (k == 0) board.note(at);
        slot.lock.unlock();
        return keep(take, at, read, free), same(fine), x;
    }
    static void keep(Take& take, const Stamps& at, bool read, u64 free) {
        take.record(read ? READ_WAIT : WAIT, at.acquired - at.requested);
        take.record(read ? READ_HOLD : HOLD, at.released - at.acquired);
        if (!read && free > at.requested) take.record(HANDOFF, at.acquired - std::min(free, at.acquired));
    }

    static Maker prepare(const Request& asked) {
        const Keys& keys = asked.keys;
        const u64 steps = asked.number("steps", 1000), permille = asked.number("permille", 250, 0, 1000);
        const u64 locked = steps / 1000 * permille + steps % 1000 * permille / 1000;
        const u64 readers = keys.number("readers", 0, 0, 1000), n = keys.number("locks", 1, 1, 1 << 16);
        const string layout = keys.text("layout", "padded");
        if (layout != "padded" && layout != "packed") throw Failure("layout=" + layout + " is not one of padded,packed");
        const u64 batch = steps < 150 ? 64 : 1;  // below half a microsecond operations share a clock reading
        if (batch != 1) asked.ready.with("batch", batch);
        auto slots = std::make_shared<Slots<Lock>>(n, layout == "packed");
        asked.board.sum = [slots] { return slots->sum(); };
        return [=, &board = asked.board](size_t w) {
            return work(Locked{{}, slots, board, w, steps - locked, locked, readers, batch, 1 + w});
        };
    }
};

struct Named {
    const char* name;
    Maker (*prepare)(const Request&);
};

constexpr Named LOCKS[] = {
    {"mutex", Locked<std::mutex>::prepare},
    {"shared_mutex", Locked<std::shared_mutex>::prepare},
    {"pthread_spin", Locked<PthreadSpin>::prepare},
};

inline string lock_names() {
    string names;
    for (const Named& one : LOCKS) append(names, one.name);
    return names;
}

inline Maker prepare_lock(const Request& asked) {
    const string name = asked.keys.text("lock");
    for (const Named& one : LOCKS) {
        if (name == one.name) return one.prepare(asked);
    }
    throw Failure("lock=" + name + " is not one of " + lock_names());
}

constexpr Named WORKLOADS[] = {
    {"noop", Noop::prepare}, {"cpu", Cpu::prepare}, {"sleep", Sleep::prepare},
    {"pipe", Pipe::prepare}, {"mem", prepare_mem},  {"serial", Serial::prepare},
    {"lock", prepare_lock},
};

inline string workload_names() {
    string names;
    for (const Named& one : WORKLOADS) append(names, one.name);
    return names;
}

/// What makes each worker of the cell that is asked for.
inline Maker maker_of(const Request& asked) {
    const string name = asked.keys.text("workload");
    for (const Named& one : WORKLOADS) {
        if (name == one.name) return one.prepare(asked);
    }
    throw Failure("workload=" + name + " is not one of " + workload_names());
}

}  // namespace amdahl
