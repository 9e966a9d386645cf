/// What one worker records in one release, and the lines it becomes: windows, histograms, spans.
///
/// All of it is allocated and touched before the start; in the loop it is only written to.
#pragma once

#include <algorithm>
#include <vector>

#include "protocol.hpp"
#include "system.hpp"

namespace amdahl {

constexpr u64 INTERVALS_MAX = 1 << 20, SPANS_MAX = 1 << 16;
constexpr u64 HISTOGRAMS_MAX = 32;  // of a cell, 250 kB each: touched in far less than LEAD_NS

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
    void write(Line& line, const char* name) const {
        string buckets;
        for (size_t k = 0; k < counts.size(); ++k) {
            if (counts[k]) append(buckets, std::to_string(k) + ":" + std::to_string(counts[k]));
        }
        line.with("name", name).with("unit", "ns");
        line.with("n", n).with("min", min).with("max", max).with("sum", sum).with("b", buckets);
    }
};

/// How a release cuts the clock, and what it records.
struct Plan {
    u64 ramp_ns, window_ns, windows, tail_ns;
    bool timed;  // each operation, into a histogram
    u64 spans;

    static Plan of(const Keys& keys) {
        const string pass = keys.text("pass", "throughput");
        if (pass != "throughput" && pass != "latency" && pass != "counters") {
            throw Failure("pass=" + pass + " is not one of throughput,latency,counters");
        }
        const Plan plan{keys.number("ramp_ns", 0), keys.number("window_ns", UNKNOWN, 1),
                        keys.number("windows", UNKNOWN, 0, INTERVALS_MAX), keys.number("tail_ns", 0),
                        pass == "latency", std::min(keys.number("spans", 0), SPANS_MAX)};
        if (plan.ramps() > INTERVALS_MAX) throw Failure("window_ns= is too short for this ramp_ns=");
        return plan;
    }
    /// Intervals that the ramp is cut into.
    u64 ramps() const { return std::max<u64>(1, ramp_ns / window_ns); }
    /// May be more than a u64 holds.
    long double length_ns() const { return ramp_ns + static_cast<long double>(windows) * window_ns + tail_ns; }
};

/// What an operation of `lock` times itself, summed over the windows.
enum Part { WAIT, HOLD, HANDOFF, READ_WAIT, READ_HOLD };
constexpr const char* PARTS[] = {"wait", "hold", "handoff", "read_wait", "read_hold"};

/// One worker's record of one release: a row at every boundary, latencies, ends of operations.
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
    std::vector<Histogram> parts;  // by Part, of `lock` only
    bool inside = false;           // the windows
    std::vector<u64> ends;
    size_t filled = 0;

    Take(const Plan& plan, const File& schedstat, u64 start_ns, size_t workers, bool in_parts = false)
        : plan(plan), schedstat(schedstat), begin_ns(start_ns + plan.ramp_ns), ends(plan.spans) {
        for (u64 back = plan.ramps(); back-- > 0;) edges.push_back(begin_ns - back * plan.window_ns);
        for (u64 i = 1; i <= plan.windows; ++i) edges.push_back(begin_ns + i * plan.window_ns);
        edges.push_back(edges.back() + plan.tail_ns);
        rows.resize(edges.size() + 1);
        const bool merged = (plan.windows + 1) * workers > HISTOGRAMS_MAX;
        if (plan.timed) histograms.resize((merged ? 1 : plan.windows) + 1);
        if (plan.timed && in_parts) parts.resize(std::size(PARTS));
    }
    void record(Part part, u64 ns) {
        if (inside && !parts.empty()) parts[part].record(ns);
    }

    /// At the begin of the loop; the first edge.
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

    const Row& last() const { return rows[at + left]; }
    void report(string& out, const string& key) const;

private:
    bool merged() const { return histograms.size() != plan.windows + 1; }

    /// Moves to the interval behind `at` edges; its end. Ramp and tail are recorded, too, and forgotten:
    /// the loop is the same in all intervals.
    u64 open() {
        const u64 i = at - plan.ramps();
        inside = i < plan.windows;
        if (plan.timed) histogram = i >= plan.windows ? &histograms.back() : &histograms[merged() ? 0 : i];
        return edges[at];
    }
    Line window(const string& key, size_t k) const;
};

/// The k-th interval, between rows k and k + 1.
inline Line Take::window(const string& key, size_t k) const {
    const Row &a = rows[k], &b = rows[k + 1];
    const bool tail = k + 1 == edges.size();
    const auto grown = [&](u64 Figures::*of) {
        const u64 x = a.figures.*of, y = b.figures.*of;
        return x == UNKNOWN || y == UNKNOWN ? UNKNOWN : y - x;
    };
    Line line("window" + key);
    line.with("i", std::to_string(std::int64_t(k) - std::int64_t(plan.ramps())));
    line.with_known("tail", tail ? 1 : UNKNOWN).with("ops", b.ops - a.ops);
    line.with("check", (b.check - a.check) % M).with("first_ns", a.now);
    // In the tail the end of its last operation is its end; anywhere else it did not cross out.
    line.with_known("last_ns", tail || k < at ? b.now : UNKNOWN);
    line.with_known("cpu_ns", grown(&Figures::cpu_ns)).with_known("delay_ns", grown(&Figures::delay_ns));
    line.with_known("vcsw", grown(&Figures::vcsw)).with_known("ivcsw", grown(&Figures::ivcsw));
    return line.with_known("cpu", b.figures.cpu);
}

inline void Take::report(string& out, const string& key) const {
    const auto say = [&](const Line& line) { out += line.text + "\n"; };
    for (size_t k = 0; k < at + left; ++k) say(window(key, k));
    const Row& end = last();
    Line total = Line("total" + key).with("ops", end.ops).with("check", end.check % M);
    say(total.with("started_ns", started_ns).with("entered_ns", rows[0].now).with("ended_ns", end.now));
    if (plan.spans) {
        string list;
        for (size_t k = 0; k < filled; ++k) append(list, std::to_string(ends[k]));
        say(Line("span" + key).with("t", list));
    }
    for (size_t i = 0; i + 1 < histograms.size(); ++i) {
        if (histograms[i].n == 0) continue;
        Line line = Line("hist" + key).with_known("i", merged() ? UNKNOWN : i);
        histograms[i].write(line, "op");
        say(line);
    }
    for (size_t k = 0; k < parts.size(); ++k) {
        if (parts[k].n == 0) continue;
        Line line("hist" + key);
        parts[k].write(line, PARTS[k]);
        say(line);
    }
}

}  // namespace amdahl
