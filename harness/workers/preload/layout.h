/// What the library leaves behind: one file a process, mapped and shared, so that it outlives whatever ends the process.
///
/// Sparse and of fixed size; records are handed out one after another, so only what was used takes memory. The reader
/// (harness/src/preload/table.rs) has the same numbers and refuses a file with others.
#pragma once

#include <stdint.h>

#define MAGIC "AMDAHLPL"

enum {
    VERSION = 1,
    LOCKS = 1 << 16,
    DETAILS = 1 << 15,
    THREADS = 1 << 14,
    /// Owners and waiters are told apart up to this many threads of a process.
    MEMBERS = 512,
    SITES = 8,
    /// 16 buckets for each power of two: a value is known to one part in 32. The last begins at 34 minutes.
    BUCKETS = 608,
    MAPS = 1 << 19,
    HEADER = 4096,
};

/// What lies at an address; a new use of old memory is another lock.
enum kind { MUTEX, RWLOCK, SPIN, COND };

struct header {
    char magic[8];
    uint32_t version, pid;
    /// Whether hold times are among it.
    uint32_t hold;
    /// The size of /proc/self/maps as it lies in `maps`.
    uint32_t maps_len;
    uint64_t locks_used, details_used, threads_used;
    /// Calls on locks that found no record; times that found no histogram; threads without a record.
    uint64_t unseen_calls, unseen_times, unseen_threads;
};

struct thread {
    uint32_t tid, unused;
    uint64_t waits, wait_ns, idle_ns;
    /// What it waits for just now, and since when: still there if the program ends before the wait does.
    uint64_t key, since_ns;
    char name[16];
};

/// Read and written at every acquisition; one cache line, and a second for who had it.
struct lock {
    /// Address times four, plus the kind.
    uint64_t key;
    /// Exclusive ones. Written by the holder alone, so plain stores are exact.
    uint64_t acquisitions;
    /// Since when it is held exclusively, in ticks; 0 where that is not known.
    uint64_t taken_at;
    uint32_t owner;
    /// Number of its details, from 1.
    uint32_t details;
    /// Shared acquisitions; waits, by how they ended.
    uint64_t reads, contended, timeouts;
    /// How often it was destroyed; whether more threads had it than are told apart.
    uint32_t destroyed, crowded;
    uint64_t owners[MEMBERS / 64];
};

struct times {
    /// `lowest` is inverted, so that 0 is none.
    uint64_t sum, highest, lowest;
    uint64_t buckets[BUCKETS];
};

struct site {
    uint64_t address, waits, wait_ns;
};

/// Made for a lock with its first wait or hold.
struct details {
    uint64_t key;
    struct times wait;
    /// The last one is all others: its address is not one.
    struct site sites[SITES + 1];
    uint64_t waiters[MEMBERS / 64];
    uint64_t waiters_crowded;
    struct times hold;
};

struct table {
    union {
        struct header head;
        char page[HEADER];
    };
    struct thread threads[THREADS];
    char maps[MAPS];
    struct lock locks[LOCKS];
    struct details details[DETAILS];
};

_Static_assert(sizeof(struct thread) == 64, "the reader knows it so");
_Static_assert(sizeof(struct lock) == 128, "the reader knows it so");
_Static_assert(sizeof(struct times) == 8 * (3 + BUCKETS), "the reader knows it so");
_Static_assert(sizeof(struct details) == 8 * (1 + 2 * (3 + BUCKETS) + 3 * (SITES + 1) + MEMBERS / 64 + 1), "the reader knows it so");
