/// What an acquisition leaves in the table: the part that every call goes through.
///
/// Whoever has a lock exclusively writes its record with plain stores: the lock itself keeps others away, so the counts are
/// exact and cost no atomic operation. What readers and waiters write is atomic.
#pragma once

#include <stddef.h>

#include "layout.h"
#include "real.h"

enum { INDEX_BITS = 17, INDEX = 1 << INDEX_BITS };

/// No thread of this number calls; no thread ever had the lock.
#define NOBODY UINT32_MAX
#define NEVER (UINT32_MAX - 1)

/// A reader's hold: several threads have the lock at once, so its beginning is kept by thread.
struct reading {
    struct lock *lock;
    uint64_t taken_at;
};

struct me {
    /// In the order of first calls; NOBODY before.
    uint32_t number;
    uint32_t tid;
    struct thread *record;
#ifdef HOLD
    struct reading readings[16];
#endif
};

extern __thread struct me me __attribute__((tls_model("initial-exec")));
extern struct table *table;
/// Address to record, by hash; memory of this process alone.
extern struct lock **places;

void number_me(void);
struct lock *find_slow(uint64_t key, uint64_t at, int insert);
struct details *details_of(struct lock *l);
void unseen_call(void);
void unseen_time(void);
void owned(struct lock *l);
void destroyed(enum kind kind, const void *address);
uint64_t now_ns(void);

static inline uint64_t key_of(enum kind kind, const void *address) {
    return (uint64_t)(uintptr_t)address << 2 | kind;
}

static inline struct lock *look_up(enum kind kind, const void *address, int insert) {
    uint64_t key = key_of(kind, address);
    uint64_t at = key * 0x9E3779B97F4A7C15u >> (64 - INDEX_BITS);
    struct lock **index = places;
    struct lock *l = likely(index) ? index[at] : 0;
    return likely(l && l->key == key) ? l : find_slow(key, at, insert);
}

/// The record of a lock, made if need be; none where the table is full or there is none.
static inline struct lock *find(enum kind kind, const void *address) { return look_up(kind, address, 1); }

static inline int acquired(int rc) { return rc == 0 || rc == EOWNERDEAD; }

static inline void set_bit(uint64_t *bits, uint32_t n) {
    uint64_t bit = 1ull << (n % 64);
    if (!(__atomic_load_n(&bits[n / 64], __ATOMIC_RELAXED) & bit))
        __atomic_fetch_or(&bits[n / 64], bit, __ATOMIC_RELAXED);
}

#ifdef HOLD
extern uint64_t ns_per_tick;

/// The CPU's counter where amdahl trusts it, else the clock.
static inline uint64_t ticks(void) {
#if defined(__x86_64__)
    if (likely(ns_per_tick)) return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t count;
    if (likely(ns_per_tick)) {
        __asm__ volatile("mrs %0, cntvct_el0" : "=r"(count));
        return count;
    }
#endif
    return now_ns();
}

static inline uint64_t ns_since(uint64_t begin) {
    uint64_t end = ticks();
    uint64_t passed = end > begin ? end - begin : 0;
    return likely(ns_per_tick) ? (uint64_t)((unsigned __int128)passed * ns_per_tick >> 32) : passed;
}
#endif

/// 16 buckets a power of two.
static inline uint32_t bucket(uint64_t ns) {
    if (ns < 16) return (uint32_t)ns;
    uint32_t top = 63 - (uint32_t)__builtin_clzll(ns);
    uint32_t at = (top - 3) * 16 + (uint32_t)(ns >> (top - 4) & 15);
    return at < BUCKETS ? at : BUCKETS - 1;
}

/// The caller now has the lock for itself.
static inline void taken(struct lock *l) {
    if (unlikely(!l)) return unseen_call();
    l->acquisitions++;
    if (unlikely(l->owner != me.number)) owned(l);
#ifdef HOLD
    l->taken_at = ticks();
#endif
}

/// The caller is about to give it up, and still has it.
static inline void released(struct lock *l) {
#ifdef HOLD
    uint64_t begin = l ? l->taken_at : 0;
    if (!begin) return;
    l->taken_at = 0;
    uint64_t ns = ns_since(begin);
    struct details *d = details_of(l);
    if (unlikely(!d)) return unseen_time();
    struct times *t = &d->hold;
    t->sum += ns;
    if (ns > t->highest) t->highest = ns;
    if (~ns > t->lowest) t->lowest = ~ns;
    t->buckets[bucket(ns)]++;
#else
    (void)l;
#endif
}
