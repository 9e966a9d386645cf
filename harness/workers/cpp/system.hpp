/// What is asked of Linux and the CPU: the clock, files, and what the kernel says of a thread.
#pragma once

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <utility>

#include "protocol.hpp"

namespace amdahl {

constexpr size_t PADDING = 128;  // two cache lines: they are fetched in pairs

inline u64 clock_ns(clockid_t clock = CLOCK_MONOTONIC) {
    timespec t;
    clock_gettime(clock, &t);
    return u64(t.tv_sec) * 1'000'000'000 + u64(t.tv_nsec);
}

inline void sleep_until(u64 ns) {
    const timespec until{time_t(ns / 1'000'000'000), long(ns % 1'000'000'000)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) {}
}

/// The CPU's pause between two looks at a word that another thread will change.
inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

/// The failure of the call that has just set `errno`.
inline Failure failed_call(const string& what) {
    const bool files = errno == EMFILE || errno == ENFILE;
    const string why = what + ": " + std::strerror(errno) + (files ? "; raise `ulimit -n`" : "");
    return Failure(why, files || errno == ENOMEM ? "oom" : "internal");
}

/// N workers with FIFOs need 3 N files.
inline void raise_file_limit() {
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

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

}  // namespace amdahl
