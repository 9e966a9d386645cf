/// Worker of the harness in C++17: std::thread, the standard library and Linux calls, one file.
///
///     c++ -O2 -std=c++17 -pthread worker.cpp -o worker
///
/// Speaks PROTOCOL.md version 1 on stdin and stdout. What lives here: the lines, the operations, the
/// hot loop, its record, and N threads of it at once. What never will: pinning, counters, statistics
/// (all the harness's). README.md says how each choice touches fairness.

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <sched.h>
#include <sstream>
#include <string>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <thread>
#include <time.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

using std::string;
using u64 = std::uint64_t;

constexpr u64 M = 2147483647;        // checks are sums modulo this
constexpr u64 UNKNOWN = UINT64_MAX;  // never 0
constexpr u64 FAR = u64{1} << 62;    // no number of a line is above it
constexpr u64 LEAD_NS = 5'000'000;   // to wake, and to allocate and touch the record
constexpr u64 WARM_NS = 500'000;     // one interval of a warm-up run
constexpr u64 WORKERS_MAX = 1 << 16, INTERVALS_MAX = 1 << 20, SPANS_MAX = 1 << 16, LINE_BYTES_MAX = 1 << 20;
constexpr u64 HISTOGRAMS_MAX = 32;   // of a cell, 250 kB each: touched in far less than LEAD_NS
constexpr int TURNS = 2000;          // of spinning before the CPU is yielded
constexpr size_t PADDING = 128;      // two cache lines: they are fetched in pairs

u64 clock_ns(clockid_t clock = CLOCK_MONOTONIC) {
    timespec t;
    clock_gettime(clock, &t);
    return u64(t.tv_sec) * 1'000'000'000 + u64(t.tv_nsec);
}

// --- Lines -----------------------------------------------------------------------------------------

/// What an `error` line says: its kind and a message that names the next step.
struct Failure : std::runtime_error {
    string kind;
    explicit Failure(const string& message, string kind = "unsupported") : runtime_error(message), kind(kind) {}
};

Failure failed_call(const string& what) {
    const bool files = errno == EMFILE || errno == ENFILE;
    const string why = what + ": " + std::strerror(errno) + (files ? "; raise `ulimit -n`" : "");
    return Failure(why, files || errno == ENOMEM ? "oom" : "internal");
}

/// One line, built key by key.
struct Line {
    string text;

    Line& with(const char* key, const string& value) {
        (text += ' ') += key, text += '=';
        for (const unsigned char b : value) {
            if (b > ' ' && b != '%' && b != 0x7f) text += char(b);
            else text += {'%', "0123456789ABCDEF"[b >> 4], "0123456789ABCDEF"[b & 15]};
        }
        return *this;
    }
    Line& with(const char* key, u64 value) { return with(key, std::to_string(value)); }
    Line& with_known(const char* key, u64 value) { return value == UNKNOWN ? *this : with(key, value); }
};

std::vector<string> split(const string& text, char by) {
    std::vector<string> parts;
    std::istringstream stream(text);
    for (string part; std::getline(stream, part, by);) {
        if (!part.empty()) parts.push_back(part);
    }
    return parts;
}

string unescape(const string& text) {
    string raw;
    for (const char *at = text.data(), *const end = at + text.size(); at != end;) {
        auto byte = static_cast<unsigned char>(*at++);
        if (byte == '%') {
            if (end - at < 2 || std::from_chars(at, at + 2, byte, 16).ptr != at + 2) {
                throw Failure("a % is not followed by two hex digits");
            }
            at += 2;
        }
        raw += char(byte);
    }
    return raw;
}

/// The keys of a line from the harness.
struct Keys : std::map<string, string> {
    string text(const string& key, const string& otherwise = "") const {
        return count(key) ? at(key) : otherwise;
    }
    u64 number(const string& key, u64 otherwise = UNKNOWN, u64 least = 0, u64 most = FAR) const {
        if (!count(key) && otherwise != UNKNOWN) return otherwise;
        const string value = text(key);
        const char* const end = value.data() + value.size();
        u64 n = 0;
        const auto [rest, error] = std::from_chars(value.data(), end, n);
        if (error == std::errc() && rest == end && n >= least && n <= most) return n;
        throw Failure(key + "=" + value + " is not a whole number from " + std::to_string(least) + " to " +
                      std::to_string(most));
    }
};

// --- The record of one worker ----------------------------------------------------------------------

/// A file that closes itself.
struct File {
    int fd;
    File(const string& path, int flags) : fd(open(path.c_str(), flags | O_CLOEXEC)) {}
    File(File&& other) noexcept : fd(std::exchange(other.fd, -1)) {}
    ~File() { fd < 0 || close(fd); }
};

/// What the kernel says of the calling thread, which opened `schedstat` beforehand: four cheap calls and
/// no allocation.
struct Figures {
    u64 cpu_ns = UNKNOWN, delay_ns = UNKNOWN, vcsw = UNKNOWN, ivcsw = UNKNOWN, cpu = UNKNOWN;

    static Figures read(const File& schedstat) {
        Figures f;
        char text[96];
        const ssize_t n = pread(schedstat.fd, text, sizeof text, 0);
        if (const void* blank = n > 0 ? std::memchr(text, ' ', size_t(n)) : nullptr) {
            std::from_chars(static_cast<const char*>(blank) + 1, text + n, f.delay_ns);
        }
        rusage of;
        if (getrusage(RUSAGE_THREAD, &of) == 0) f.vcsw = u64(of.ru_nvcsw), f.ivcsw = u64(of.ru_nivcsw);
        if (const int cpu = sched_getcpu(); cpu >= 0) f.cpu = u64(cpu);
        f.cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
        return f;
    }
};

/// Durations in HdrHistogram's buckets at three digits, with exact minimum, maximum and sum.
struct Histogram {
    static constexpr u64 LONGEST = (u64{1} << 40) - 1;  // 18 minutes: what takes longer counts there
    u64 n = 0, min = UINT64_MAX, max = 0, sum = 0;
    std::vector<u64> counts = std::vector<u64>(bucket(LONGEST) + 1);

    static size_t bucket(u64 v) {
        const int k = std::max(0, 64 - __builtin_clzll(v | 1) - 11);
        return (size_t(k) << 10) + (v >> k);
    }
    void record(u64 v) {
        n += 1, sum += v, min = std::min(min, v), max = std::max(max, v);
        ++counts[bucket(std::min(v, LONGEST))];
    }
};

/// One release: how the clock is cut and what is recorded.
struct Plan {
    u64 ramp_ns, window_ns, windows, tail_ns;
    bool timed;
    u64 spans;
    u64 ramps() const { return std::max<u64>(1, ramp_ns / window_ns); }
};

/// One worker's record of one release: a row at every boundary, latencies, ends of operations. All of
/// it is allocated and touched by the worker's own thread before the start.
struct alignas(PADDING) Take {
    struct Row {
        u64 now, ops, check;
        Figures figures;
    };
    const Plan plan;
    const File& schedstat;
    const u64 begin_ns;  // nominal, of window 0
    u64 started_ns = 0;
    std::vector<u64> edges;
    std::vector<Row> rows;  // the entry, then one for each edge crossed
    size_t at = 0;          // edges crossed
    bool left = false;      // before the next edge; a last row says when
    std::vector<Histogram> histograms;  // one a window, or one over all; the last is to be forgotten
    Histogram* histogram = nullptr;     // of the interval the worker is in
    std::vector<u64> ends;
    size_t filled = 0;

    Take(const Plan& plan, const File& schedstat, u64 start_ns, size_t workers)
        : plan(plan), schedstat(schedstat), begin_ns(start_ns + plan.ramp_ns), ends(plan.spans) {
        for (u64 back = plan.ramps(); back-- > 0;) edges.push_back(begin_ns - back * plan.window_ns);
        for (u64 i = 1; i <= plan.windows; ++i) edges.push_back(begin_ns + i * plan.window_ns);
        edges.push_back(edges.back() + plan.tail_ns);
        rows.resize(edges.size() + 1);
        const bool merged = (plan.windows + 1) * workers > HISTOGRAMS_MAX;
        if (plan.timed) histograms.resize((merged ? 1 : plan.windows) + 1);
    }
    bool merged() const { return histograms.size() != plan.windows + 1; }

    /// Moves to the interval behind `at` edges; its end. Ramp and tail are recorded, too, and forgotten:
    /// the loop is the same in all intervals.
    u64 open() {
        const u64 i = at - plan.ramps();
        if (plan.timed) histogram = i >= plan.windows ? &histograms.back() : &histograms[merged() ? 0 : i];
        return edges[at];
    }
    u64 enter() {
        const Figures figures = Figures::read(schedstat);
        rows[0] = {clock_ns(), 0, 0, figures};
        return open();
    }
    /// By the first operation that ends at or after an edge; the next edge, or 0 to stop.
    u64 cross(u64 now, u64 ops, u64 check) {
        const Figures figures = Figures::read(schedstat);
        do rows[++at] = {now, ops, check, figures};
        while (at < edges.size() && now >= edges[at]);
        return at < edges.size() ? open() : 0;
    }
    /// The others have stopped: its last operation ended before the next edge.
    void leave(u64 now, u64 ops, u64 check) {
        left = true;
        rows[at + 1] = {now, ops, check, Figures::read(schedstat)};
    }
    void report(string& out, const string& key) const;
};

void Take::report(string& out, const string& key) const {
    const auto say = [&](const char* verb, const Line& line) { out += verb + key + line.text + "\n"; };
    const size_t intervals = at + left;
    for (size_t k = 0; k < intervals; ++k) {
        const Row &a = rows[k], &b = rows[k + 1];
        const bool tail = k + 1 == edges.size();
        const auto figure = [&](u64 Figures::*of) {
            const u64 x = a.figures.*of, y = b.figures.*of;
            return x == UNKNOWN || y == UNKNOWN ? UNKNOWN : y - x;
        };
        Line line;
        line.with("i", std::to_string(std::int64_t(k) - std::int64_t(plan.ramps())));
        line.with_known("tail", tail ? 1 : UNKNOWN).with("ops", b.ops - a.ops);
        line.with("check", (b.check - a.check) % M).with("first_ns", a.now);
        // In the tail the end of its last operation is its end; anywhere else it did not cross out.
        line.with_known("last_ns", tail || k < at ? b.now : UNKNOWN);
        line.with_known("cpu_ns", figure(&Figures::cpu_ns)).with_known("delay_ns", figure(&Figures::delay_ns));
        line.with_known("vcsw", figure(&Figures::vcsw)).with_known("ivcsw", figure(&Figures::ivcsw));
        say("window", line.with_known("cpu", b.figures.cpu));
    }
    const Row& end = rows[intervals];
    Line total = Line().with("ops", end.ops).with("check", end.check % M).with("started_ns", started_ns);
    say("total", total.with("entered_ns", rows[0].now).with("ended_ns", end.now));
    string list;
    const auto add = [&](const string& part) { (list += list.empty() ? "" : ",") += part; };
    for (size_t k = 0; k < filled; ++k) add(std::to_string(ends[k]));
    if (plan.spans) say("span", Line().with("t", list));
    for (size_t i = 0; i + 1 < histograms.size(); ++i) {
        const Histogram& h = histograms[i];
        if (h.n == 0) continue;
        list.clear();
        for (size_t k = 0; k < h.counts.size(); ++k) {
            if (h.counts[k]) add(std::to_string(k) + ":" + std::to_string(h.counts[k]));
        }
        Line line = Line().with_known("i", merged() ? UNKNOWN : i).with("name", "op").with("unit", "ns");
        say("hist", line.with("n", h.n).with("min", h.min).with("max", h.max).with("sum", h.sum).with("b", list));
    }
}

// --- The work --------------------------------------------------------------------------------------

/// The compiler can neither know the value behind it nor leave it uncomputed.
u64 opaque(u64 value) {
    asm volatile("" : "+r"(value));
    return value;
}

void relax() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

/// Spins until it is so; yields the CPU after some thousand turns: who is waited for may need it.
template <class Condition>
void spin_until(Condition condition) {
    for (int turn = 0; !condition(); ++turn) turn < TURNS ? relax() : std::this_thread::yield();
}

/// MINSTD (Park, Miller and Stockmeyer 1993): each step needs the one before. Not inlined, so that
/// all workloads run the same instructions, and a disassembler shows them once.
[[gnu::noinline]] u64 minstd(u64 x, u64 steps) {
    for (x = opaque(x); steps; --steps) x = x * 48271 % M;
    return opaque(x);
}

/// What most operations have in common: a clock reading each, nothing to set up, nobody to wait for.
struct alignas(PADDING) Alone {
    static constexpr u64 batch = 1;
    void begin() {}
    bool meet() { return true; }
    void finish() {}
};

struct Noop : Alone {
    u64 batch;
    u64 operator()(u64) { return opaque(1); }
};

struct Cpu : Alone {
    u64 steps;
    u64 operator()(u64 i) { return minstd(1 + i % 64, steps); }
};

struct Sleep : Alone {
    std::chrono::nanoseconds time;
    u64 operator()(u64) { return std::this_thread::sleep_for(time), 1; }
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
};

/// What the workers of a `serial` cell share: a barrier and a ticket lock, each word in lines of its own.
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
    void lock() {
        const unsigned mine = tickets.fetch_add(1, std::memory_order_relaxed);
        spin_until([&] { return serving.load(std::memory_order_acquire) == mine; });
    }
    void unlock() { serving.store(serving.load(std::memory_order_relaxed) + 1, std::memory_order_release); }
};

struct Serial : Alone {
    std::shared_ptr<Rounds> rounds;
    u64 apart, locked;  // steps
    bool meet() { return rounds->meet(); }
    void finish() {
        rounds->stop.store(true, std::memory_order_relaxed);
        rounds->meet();
    }
    u64 operator()(u64 i) {
        u64 x = minstd(1 + i % 64, apart);
        rounds->lock();
        x = minstd(x, locked);
        rounds->unlock();
        return x;
    }
};

/// The hot loop of every workload and pass.
template <bool timed, bool spans, class Op>
[[gnu::noinline]] void repeat(Op& op, Take& take) {
    const u64 batch = timed ? 1 : op.batch;
    u64 ops = 0, check = 0, began = 0, now = 0;
    op.begin();
    u64 edge = take.enter();
    while (op.meet()) {
        if constexpr (timed) began = clock_ns();
        for (const u64 end = ops + batch; ops != end; ++ops) check += op(ops);
        now = clock_ns();
        if constexpr (timed) take.histogram->record(now - began);
        if constexpr (spans) {
            if (now >= take.begin_ns && take.filled < take.ends.size()) take.ends[take.filled++] = now - take.begin_ns;
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

/// Checks the parameters of a cell, and notes in `ready` those that it works with.
Maker maker_of(const Keys& keys, const std::shared_ptr<Rounds>& rounds, Line& ready) {
    const auto param = [&](const char* name, u64 otherwise, u64 least = 0, u64 most = FAR) {
        const u64 value = keys.number(name, otherwise, least, most);
        ready.with(name, value);
        return value;
    };
    const string workload = keys.text("workload"), kind = keys.text("kind", "chase"), dir = keys.text("dir");
    if (workload == "noop") return [n = param("batch", 1024, 1)](size_t) { return work(Noop{{}, n}); };
    if (workload == "cpu") return [n = param("steps", 20'000)](size_t) { return work(Cpu{{}, n}); };
    if (workload == "sleep") {
        const std::chrono::nanoseconds time(param("sleep_ns", 1'000'000));
        return [=](size_t) { return work(Sleep{{}, time}); };
    }
    if (workload == "pipe" && !dir.empty()) {
        return [dir, first = keys.number("first", 0)](size_t w) {
            const auto fifo = [&](const char* end) {
                const string path = dir + "/w" + std::to_string(first + w) + end;
                File file(path, O_RDWR);  // opening then waits for nobody, and a dead peer gives no SIGPIPE
                if (file.fd < 0) throw failed_call("can't open " + path);
                return file;
            };
            return work(Pipe{{}, fifo(".req"), fifo(".rsp")});
        };
    }
    if (workload == "serial") {
        const u64 steps = param("steps", 400'000), permille = param("permille", 0, 0, 1000);
        const u64 locked = steps / 1000 * permille + steps % 1000 * permille / 1000;
        return [=](size_t) { return work(Serial{{}, rounds, steps - locked, locked}); };
    }
    const u64 bytes = workload == "mem" ? param("bytes", 128 << 20, 64, u64{1} << 38) : 0;
    if (bytes && kind == "chase") {
        const u64 lines = u64{1} << (63 - __builtin_clzll(bytes / 64)), steps = param("steps", 1024);
        return [=](size_t) {
            std::vector<Chase::Element> table(lines);
            for (u64 k = 0; k < lines; ++k) table[k].next = std::uint32_t((1103515245 * k + 12345) % lines);
            return work(Chase{{}, std::move(table), steps});
        };
    }
    if (bytes && kind == "stream") {
        const u64 chunk = param("chunk", 1 << 20, 8);
        if (chunk % 8 || bytes % chunk) throw Failure("bytes= is no multiple of chunk=, or chunk= none of 8");
        return [=](size_t) {
            std::vector<u64> table(bytes / 8);
            std::iota(table.begin(), table.end(), u64{0});
            return work(Stream{{}, std::move(table), bytes / chunk, chunk / 8});
        };
    }
    throw Failure("workload=" + workload + " is not one of noop,cpu,sleep,pipe (with dir=),serial,"
                  "mem (with kind=chase or kind=stream)");
}

// --- N workers at once -----------------------------------------------------------------------------

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
        const Take::Row& end = take.rows[take.at + take.left];
        return (end.now - take.rows[0].now) * 1000 / std::max<u64>(1, end.ops);
    }
};

/// N threads, parked on a condition variable.
class Crew {
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

public:
    std::vector<Lane> lanes;
    std::shared_ptr<Rounds> rounds = std::make_shared<Rounds>();
    bool ran = false, with_slot = false;

    explicit Crew(size_t n) : lanes(n) {}
    void start() {
        for (size_t w = 0; w < lanes.size(); ++w) {
            lanes[w].w = w;
            lanes[w].thread = std::thread([this, w] { live(lanes[w]); });
        }
    }
    ~Crew() {
        tell(0, 0, nullptr);
        for (Lane& lane : lanes) {
            if (lane.thread.joinable()) lane.thread.join();
        }
    }
    /// Gives an order to some workers and waits until they have parked again.
    void tell(size_t from, size_t to, std::function<void(Lane&)> what) {
        std::unique_lock<std::mutex> lock(board);
        rounds->parties = to - from, rounds->stop = false;
        order = std::move(what), first = from, last = to, busy = to - from, ++turn;
        released.notify_all();
        parked.wait(lock, [&] { return busy == 0; });
        if (const auto first_error = std::exchange(error, nullptr)) std::rethrow_exception(first_error);
    }
    void tell(std::function<void(Lane&)> what) { tell(0, lanes.size(), std::move(what)); }

    /// One slot. The record is made by an order of its own: where memory runs out for one worker,
    /// the others have not begun to wait for it.
    void run(const Plan& plan, size_t slot, u64 start_ns, u64 spin_ns) {
        tell([&](Lane& lane) {
            lane.takes[slot] = std::make_unique<Take>(plan, *lane.schedstat, start_ns, lanes.size());
        });
        const u64 until_ns = start_ns - std::min(start_ns, spin_ns);
        const timespec until{time_t(until_ns / 1'000'000'000), long(until_ns % 1'000'000'000)};
        tell([&](Lane& lane) {
            Take& take = *lane.takes[slot];
            while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) {}
            while ((take.started_ns = clock_ns()) < start_ns) relax();
            lane.work(take);
        });
    }
};

// --- The session -----------------------------------------------------------------------------------

#ifdef __clang__
const string COMPILER = __VERSION__;
#else
const string COMPILER = "gcc " __VERSION__;
#endif
#ifdef __OPTIMIZE__
const char* const OPTIMISE = "on";
#else
const char* const OPTIMISE = "off";
#endif

/// What timing one operation adds: the latency loop around nothing less the bare loop, least of five.
u64 timer_cost_ps() {
    Lane lane;
    lane.open([](size_t) { return work(Noop{{}, 1024}); });
    u64 timed = UINT64_MAX, bare = UINT64_MAX;
    for (int round = 0; round < 5; ++round) {
        bare = std::min(bare, lane.warm(false));
        timed = std::min(timed, lane.warm(true));
    }
    return timed - std::min(timed, bare);
}

/// Answers the harness, line by line; the prepared cells by id.
class Session {
    std::map<string, std::unique_ptr<Crew>> cells;
    const unsigned cpus = std::thread::hardware_concurrency();  // asked before anybody is pinned
    string out;

    void say(const char* verb, const Line& line) { out += verb + line.text + "\n"; }

    void hello(const Keys& keys) {
        if (keys.text("v") != "1") throw Failure("this worker speaks version 1");
        timespec res{};
        clock_getres(CLOCK_MONOTONIC, &res);
        const string version = COMPILER.substr(COMPILER.find_first_of("0123456789"));
        Line line = Line().with("v", 1).with("lang", "cpp").with("runtime", split(version, ' ').at(0));
        line.with("pid", u64(getpid()));
        line.with("clock", "CLOCK_MONOTONIC").with("res_ns", u64(res.tv_nsec)).with("timer", "clock_gettime");
        line.with("timer_cost_ps", timer_cost_ps()).with("lead_ns", LEAD_NS);
        line.with("workloads", "noop,cpu,sleep,pipe,mem,serial").with("mechanisms", "threads");
        line.with("features", "alternate,spans").with("compiler", COMPILER);
        say("hello", line.with("std", __cplusplus).with("optimise", OPTIMISE));
    }

    void prepare(const Keys& keys) {
        const u64 begin = clock_ns(), n = keys.number("workers", UNKNOWN, 1, WORKERS_MAX);
        const string id = keys.text("id");
        if (id.empty()) throw Failure("id= is missing");
        if (keys.text("mechanism") != "threads") throw Failure("mechanism= is not one of threads");
        cells.erase(id);
        auto crew = std::make_unique<Crew>(n);
        Line ready = Line().with("id", id);
        const Maker make = maker_of(keys, crew->rounds, ready);
        crew->start();
        crew->tell([&](Lane& lane) { lane.open(make); });
        u64 op_ps = 0;
        for (const bool timed : {true, false, true, false}) {
            crew->tell(0, 1, [&](Lane& lane) { op_ps = lane.warm(timed); });
        }
        for (const bool timed : {true, false}) crew->tell(1, n, [&](Lane& lane) { lane.warm(timed); });
        string carriers, map;
        for (const Lane& lane : crew->lanes) {
            const string comma = lane.w ? "," : "", tid = std::to_string(lane.tid);
            carriers += comma + tid, map += comma + std::to_string(lane.w) + ":" + tid;
        }
        ready.with("carriers", carriers).with("map", map).with("setup_ns", clock_ns() - begin);
        say("ready", ready.with("op_ns", std::max<u64>(1, op_ps / 1000)));
        cells[id] = std::move(crew);
    }

    /// The ids of a go or collect line; `answer` echoes them.
    std::vector<string> chosen(const Keys& keys, Line& answer) const {
        const char* name = keys.count("ids") ? "ids" : "id";
        answer.with(name, keys.text(name));
        const auto ids = split(keys.text(name), ',');
        if (ids.empty()) throw Failure("id= is missing");
        for (const string& id : ids) {
            if (!cells.count(id)) throw Failure("cell " + id + " is not prepared");
            if (std::count(ids.begin(), ids.end(), id) > 1) throw Failure("cell " + id + " twice");
        }
        return ids;
    }

    void go(const Keys& keys) {
        Line answer;
        const auto ids = chosen(keys, answer);
        const string pass = keys.text("pass", "throughput"), order = keys.text("order", "0");
        if (pass != "throughput" && pass != "latency" && pass != "counters") throw Failure("no such pass=" + pass);
        const u64 start = keys.number("start_ns"), spin = keys.number("spin_ns", 0);
        const Plan plan{keys.number("ramp_ns", 0), keys.number("window_ns", UNKNOWN, 1),
                        keys.number("windows", UNKNOWN, 0, INTERVALS_MAX), keys.number("tail_ns", 0),
                        pass == "latency", std::min(keys.number("spans", 0), SPANS_MAX)};
        const long double windows_ns = static_cast<long double>(plan.windows) * plan.window_ns;
        const auto slot_ns = windows_ns + plan.ramp_ns + plan.tail_ns + keys.number("gap_ns", 0);
        if (order.empty() || plan.ramps() > INTERVALS_MAX || start + slot_ns * order.size() > FAR) {
            throw Failure("order= is empty, window_ns= too short, or the end beyond what the clock can reach");
        }
        for (const char c : order) {
            if (c < '0' || size_t(c - '0') >= ids.size()) throw Failure("order= names a cell that ids= does not");
        }
        try {
            for (const string& id : ids) {
                Crew& crew = *cells.at(id);
                crew.tell([](Lane& lane) { lane.takes.clear(); });
                crew.ran = true, crew.with_slot = keys.count("ids");
            }
            for (size_t slot = 0; slot < order.size(); ++slot) {
                Crew& crew = *cells.at(ids[size_t(order[slot] - '0')]);
                // More workers than CPUs do not spin: they would only keep each other from starting.
                crew.run(plan, slot, start + slot * u64(slot_ns), crew.lanes.size() > cpus ? 0 : spin);
            }
        } catch (...) {
            for (const string& id : ids) cells.erase(id);
            throw;
        }
        say("stopped", answer);
    }

    void collect(const Keys& keys) {
        Line answer;
        for (const string& id : chosen(keys, answer)) {
            const Crew& crew = *cells.at(id);
            if (!crew.ran) throw Failure("cell " + id + " has not run: go comes first");
            for (const Lane& lane : crew.lanes) {
                for (const auto& [slot, take] : lane.takes) {
                    Line key = Line().with("id", id).with("w", lane.w);
                    take->report(out, key.with_known("slot", crew.with_slot ? slot : UNKNOWN).text);
                }
            }
        }
        say("done", answer);
    }

    void obey(const string& verb, const Keys& keys) {
        for (const string& feature : split(keys.text("require"), ',')) {
            if (feature != "alternate" && feature != "spans") throw Failure("require=" + feature + " is not known here");
        }
        if (verb == "hello") return hello(keys);
        if (verb == "ping") return say("pong", Line().with("n", keys.text("n")).with("now_ns", clock_ns()));
        if (verb == "prepare") return prepare(keys);
        if (verb == "go") return go(keys);
        if (verb == "collect") return collect(keys);
        throw Failure("verb " + verb + " is not known here");
    }

public:
    /// The lines that answer one line.
    const string& answer(const string& text) {
        out.clear();
        const auto parts = split(text, ' ');
        if (parts.empty()) return out;
        const string verb = parts[0];
        Keys keys;
        try {
            for (size_t k = 1; k < parts.size(); ++k) {
                const size_t is = parts[k].find('=');
                keys[parts[k].substr(0, is)] = is == string::npos ? "" : unescape(parts[k].substr(is + 1));
            }
            obey(verb, keys);
        } catch (const std::exception& e) {
            // What is neither a Failure nor memory is a thread that could not be created.
            const auto* failure = dynamic_cast<const Failure*>(&e);
            const string few = "; fewer workers, or a higher limit of memory or threads (ulimit -u)";
            Line line;
            for (const char* key : {"id", "ids"}) {
                if (keys.count(key)) line.with(key, keys.text(key));
            }
            if (verb == "prepare" || verb == "go" || verb == "collect") line.with("phase", verb);
            out.clear();
            line.with("kind", failure ? failure->kind : "oom").with("msg", e.what() + (failure ? "" : few));
            say("error", line);
        }
        return out;
    }
};

/// The next line; false at the end, also of a torn line. One that is too long is a verb nobody knows.
bool read_line(string& text) {
    text.clear();
    for (size_t n = 1;; ++n) {
        const int c = std::cin.rdbuf()->sbumpc();
        if (c == std::char_traits<char>::eof()) return false;
        if (n > LINE_BYTES_MAX) text = "line-over-1-MiB";
        if (c == '\n') return true;
        if (n <= LINE_BYTES_MAX) text += char(c);
    }
}

}  // namespace

int main() {
    std::ios::sync_with_stdio(false);
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;  // N workers with FIFOs need 3 N
    setrlimit(RLIMIT_NOFILE, &files);
    Session session;
    for (string text; read_line(text) && text.substr(0, text.find(' ')) != "quit";) {
        if (!(std::cout << session.answer(text) << std::flush)) return 1;
    }
}
