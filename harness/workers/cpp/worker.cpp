/// Worker of the harness in C++17: std::thread, the standard library and Linux calls.
///
///     c++ -O2 -std=c++17 -pthread worker.cpp -o worker
///
/// Speaks PROTOCOL.md version 1 on stdin and stdout. Here is the session, from `hello` to `quit`. The headers
/// have the rest, and this is the one translation unit. What never will live here: pinning, counters,
/// statistics (all the harness's). README.md says what is where, and how each choice touches fairness.

#include <algorithm>
#include <memory>
#include <thread>

#include "cell.hpp"
#include "protocol.hpp"

namespace amdahl {

constexpr u64 LEAD_NS = 5'000'000;  // to wake, and to allocate and touch the record
constexpr u64 WORKERS_MAX = 1 << 16;

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
    std::map<string, std::unique_ptr<Cell>> cells;
    const unsigned cpus = std::thread::hardware_concurrency();  // asked before anybody is pinned
    string out;

    void say(const Line& line) { out += line.text + "\n"; }

    void hello(const Keys& keys) {
        if (keys.text("v") != "1") throw Failure("this worker speaks version 1");
        timespec res{};
        clock_getres(CLOCK_MONOTONIC, &res);
        const string version = COMPILER.substr(COMPILER.find_first_of("0123456789"));
        Line line = Line("hello").with("v", 1).with("lang", "cpp").with("runtime", split(version, ' ').at(0));
        line.with("pid", u64(getpid()));
        line.with("clock", "CLOCK_MONOTONIC").with("res_ns", u64(res.tv_nsec)).with("timer", "clock_gettime");
        line.with("timer_cost_ps", timer_cost_ps()).with("lead_ns", LEAD_NS);
        line.with("workloads", workload_names()).with("mechanisms", "threads");
        line.with("locks", lock_names());
        line.with("features", "alternate,spans").with("compiler", COMPILER);
        say(line.with("std", __cplusplus).with("optimise", OPTIMISE));
    }

    void ping(const Keys& keys) {
        say(Line("pong").with("n", keys.text("n")).with("now_ns", clock_ns()));
    }

    void prepare(const Keys& keys) {
        const u64 begin = clock_ns(), n = keys.number("workers", UNKNOWN, 1, WORKERS_MAX);
        const string id = keys.text("id");
        if (id.empty()) throw Failure("id= is missing");
        if (keys.text("mechanism") != "threads") throw Failure("mechanism= is not one of threads");
        cells.erase(id);
        auto cell = std::make_unique<Cell>(n);
        Line ready = Line("ready").with("id", id);
        cell->start(maker_of({keys, ready, cell->rounds, cell->jotted}));
        const u64 op_ns = cell->warm();
        string carriers, map;
        for (const Lane& lane : cell->lanes) {
            const string tid = std::to_string(lane.tid);
            append(carriers, tid), append(map, std::to_string(lane.w) + ":" + tid);
        }
        ready.with("carriers", carriers).with("map", map);
        say(ready.with("setup_ns", clock_ns() - begin).with("op_ns", op_ns));
        cells[id] = std::move(cell);
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
        Line answer("stopped");
        const auto ids = chosen(keys, answer);
        const Plan plan = Plan::of(keys);
        const u64 start = keys.number("start_ns"), spin = keys.number("spin_ns", 0);
        const long double slot_ns = plan.length_ns() + keys.number("gap_ns", 0);
        const string order = keys.text("order", "0");
        if (order.empty() || start + slot_ns * order.size() > FAR) {
            throw Failure("order= is empty, or the end beyond what the clock can reach");
        }
        for (const char c : order) {
            if (c < '0' || size_t(c - '0') >= ids.size()) throw Failure("order= names a cell that ids= does not");
        }
        try {
            for (const string& id : ids) {
                Cell& cell = *cells.at(id);
                cell.forget();
                cell.ran = true, cell.with_slot = keys.count("ids");
            }
            for (size_t slot = 0; slot < order.size(); ++slot) {
                const string& id = ids[size_t(order[slot] - '0')];
                Cell& cell = *cells.at(id);
                const string key = Line("").with("id", id).with_known("slot", cell.with_slot ? slot : UNKNOWN).text;
                // More workers than CPUs do not spin: they would only keep each other from starting.
                cell.run(plan, slot, start + slot * u64(slot_ns), cell.lanes.size() > cpus ? 0 : spin, key);
            }
        } catch (...) {
            for (const string& id : ids) cells.erase(id);
            throw;
        }
        say(answer);
    }

    void collect(const Keys& keys) {
        Line answer("done");
        for (const string& id : chosen(keys, answer)) {
            const Cell& cell = *cells.at(id);
            if (!cell.ran) throw Failure("cell " + id + " has not run: go comes first");
            for (const Lane& lane : cell.lanes) {
                for (const auto& [slot, take] : lane.takes) {
                    Line key = Line("").with("id", id).with("w", lane.w);
                    take->report(out, key.with_known("slot", cell.with_slot ? slot : UNKNOWN).text);
                }
            }
            for (const auto& [slot, lines] : cell.common) out += lines;
        }
        say(answer);
    }

    void obey(const string& verb, const Keys& keys) {
        for (const string& feature : split(keys.text("require"), ',')) {
            if (feature == "alternate" || feature == "spans") continue;
            throw Failure("require=" + feature + " is not known here");
        }
        if (verb == "hello") return hello(keys);
        if (verb == "ping") return ping(keys);
        if (verb == "prepare") return prepare(keys);
        if (verb == "go") return go(keys);
        if (verb == "collect") return collect(keys);
        throw Failure("verb " + verb + " is not known here");
    }

    void complain(const string& verb, const Keys& keys, const string& kind, const string& message) {
        Line line("error");
        for (const char* key : {"id", "ids"}) {
            if (keys.count(key)) line.with(key, keys.text(key));
        }
        if (verb == "prepare" || verb == "go" || verb == "collect") line.with("phase", verb);
        say(line.with("kind", kind).with("msg", message));
    }

public:
    /// The lines that answer one line.
    const string& answer(const string& text) {
        out.clear();
        const auto parts = split(text, ' ');
        if (parts.empty()) return out;
        Keys keys;
        try {
            for (size_t k = 1; k < parts.size(); ++k) keys.add(parts[k]);
            obey(parts[0], keys);
        } catch (const Failure& failure) {
            out.clear();
            complain(parts[0], keys, failure.kind, failure.what());
        } catch (const std::exception& e) {  // no memory, or a thread that could not be created
            out.clear();
            const string few = "; fewer workers, or a higher limit of memory or threads (ulimit -u)";
            complain(parts[0], keys, "oom", e.what() + few);
        }
        return out;
    }
};

}  // namespace amdahl

int main() {
    std::ios::sync_with_stdio(false);
    amdahl::raise_file_limit();
    amdahl::Session session;
    for (std::string text; amdahl::read_line(text) && text.substr(0, text.find(' ')) != "quit";) {
        if (!(std::cout << session.answer(text) << std::flush)) return 1;
    }
}
