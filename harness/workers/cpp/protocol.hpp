/// The lines of PROTOCOL.md: how they are taken apart, checked and written.
#pragma once

#include <charconv>
#include <cstdint>
#include <iostream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace amdahl {

using std::string;
using u64 = std::uint64_t;

constexpr u64 M = 2147483647;        // checks are sums modulo this
constexpr u64 UNKNOWN = UINT64_MAX;  // never 0
constexpr u64 FAR = u64{1} << 62;    // no number of a line is above it
constexpr u64 LINE_BYTES_MAX = 1 << 20;

/// What an `error` line says: its kind and a message that names the next step.
struct Failure : std::runtime_error {
    string kind;
    explicit Failure(const string& message, const string& kind = "unsupported")
        : runtime_error(message), kind(kind) {}
};

/// One line to the harness, built key by key.
struct Line {
    string text;

    explicit Line(const string& verb) : text(verb) {}
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

/// Adds an item to a comma-separated list.
inline void append(string& list, const string& item) { (list += list.empty() ? "" : ",") += item; }

inline std::vector<string> split(const string& text, char by) {
    std::vector<string> parts;
    std::istringstream stream(text);
    for (string part; std::getline(stream, part, by);) {
        if (!part.empty()) parts.push_back(part);
    }
    return parts;
}

inline string unescape(const string& text) {
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
    void add(const string& pair) {
        const size_t is = pair.find('=');
        (*this)[pair.substr(0, is)] = is == string::npos ? "" : unescape(pair.substr(is + 1));
    }
    string text(const string& key, const string& otherwise = "") const {
        return count(key) ? at(key) : otherwise;
    }
    /// A number that must be there if `otherwise` is not known.
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

/// The next line; false at the end, also of a torn line. One that is too long is a verb nobody knows.
inline bool read_line(string& text) {
    text.clear();
    for (size_t n = 1;; ++n) {
        const int c = std::cin.rdbuf()->sbumpc();
        if (c == std::char_traits<char>::eof()) return false;
        if (n > LINE_BYTES_MAX) text = "line-over-1-MiB";
        if (c == '\n') return true;
        if (n <= LINE_BYTES_MAX) text += char(c);
    }
}

}  // namespace amdahl
