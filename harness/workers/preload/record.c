/// Records, details and numbers of threads: found, made, counted where there is no room left.

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "record.h"
#include "process.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

__thread struct me me __attribute__((tls_model("initial-exec"))) = {.number = NOBODY};
struct table *table;
struct lock **places;
#ifdef HOLD
uint64_t ns_per_tick;
#endif

/// Calls before there was a table.
static uint64_t missed;

/// Has the pages before they are written: where the file system is full the call says so, a store would be a SIGBUS in the
/// program. A kernel before 5.14 doesn't know the call; then only a full file system is a danger.
static int backed(void *from, size_t len) {
    uintptr_t page = (uintptr_t)from & ~4095ul;
    size_t all = ((uintptr_t)from + len - page + 4095) & ~4095ul;
    int saved = errno;
    int ok = madvise((void *)page, all, MADV_POPULATE_WRITE) == 0 || errno == EINVAL;
    errno = saved;
    return ok;
}

int table_backed(struct table *t) { return backed(&t->head, sizeof t->page); }

int maps_backed(struct table *t) { return backed(t->maps, MAPS); }

uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/// Those that came before the table go into it with it, or after it.
static void move_missed(struct table *t) {
    uint64_t n = __atomic_exchange_n(&missed, 0, __ATOMIC_SEQ_CST);
    if (n) __atomic_fetch_add(&t->head.unseen_calls, n, __ATOMIC_RELAXED);
}

void unseen_call(void) {
    __atomic_fetch_add(&missed, 1, __ATOMIC_SEQ_CST);
    struct table *t = __atomic_load_n(&table, __ATOMIC_SEQ_CST);
    if (t) move_missed(t);
}

void unseen_time(void) {
    if (table) __atomic_fetch_add(&table->head.unseen_times, 1, __ATOMIC_RELAXED);
}

void table_is(struct table *t) {
    __atomic_store_n(&table, t, __ATOMIC_SEQ_CST);
    move_missed(t);
}

static struct lock *new_record(uint64_t key) {
    if (__atomic_load_n(&table->head.locks_used, __ATOMIC_RELAXED) >= LOCKS) return 0;
    uint64_t n = __atomic_fetch_add(&table->head.locks_used, 1, __ATOMIC_RELAXED);
    if (n >= LOCKS || !backed(&table->locks[n], sizeof(struct lock))) return 0;
    struct lock *l = &table->locks[n];
    l->owner = NEVER;
    l->key = key;
    return l;
}

struct lock *find_slow(uint64_t key, uint64_t at, int insert) {
    if (!places && (!insert || !opened())) return 0;
    struct lock *made = 0;
    for (int probe = 0; probe < 64; probe++, at = (at + 1) % INDEX) {
        struct lock *l = __atomic_load_n(&places[at], __ATOMIC_ACQUIRE);
        if (!l) {
            if (!insert || (!made && !(made = new_record(key)))) return 0;
            if (__atomic_compare_exchange_n(&places[at], &l, made, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) return made;
        }
        if (l->key == key) {
            // Another thread was faster: the record stays empty.
            if (made) made->key = 0;
            return l;
        }
    }
    if (made) made->key = 0;
    return 0;
}

struct details *details_of(struct lock *l) {
    uint32_t n = __atomic_load_n(&l->details, __ATOMIC_ACQUIRE);
    if (likely(n && n <= DETAILS)) return &table->details[n - 1];
    if (n) return 0;
    uint64_t next = __atomic_fetch_add(&table->head.details_used, 1, __ATOMIC_RELAXED);
    uint32_t mine = next < DETAILS ? (uint32_t)next + 1 : UINT32_MAX;
#ifdef HOLD
    size_t len = sizeof(struct details);
#else
    size_t len = offsetof(struct details, hold);
#endif
    if (mine <= DETAILS && !backed(&table->details[mine - 1], len)) mine = UINT32_MAX;
    if (__atomic_compare_exchange_n(&l->details, &n, mine, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
        if (mine > DETAILS) return 0;
        table->details[mine - 1].key = l->key;
        return &table->details[mine - 1];
    }
    return n <= DETAILS ? &table->details[n - 1] : 0;
}

void number_me(void) {
    if (me.number != NOBODY || !table) return;
    // Threads beyond those that have a record share one that nobody reads.
    static struct thread others;
    uint64_t n = __atomic_fetch_add(&table->head.threads_used, 1, __ATOMIC_RELAXED);
    struct thread *t = n < THREADS ? &table->threads[n] : &others;
    if (t != &others && !backed(t, sizeof *t)) t = &others;
    if (t == &others) __atomic_fetch_add(&table->head.unseen_threads, 1, __ATOMIC_RELAXED);
    me.tid = (uint32_t)syscall(SYS_gettid);
    me.record = t;
    me.number = n < NEVER ? (uint32_t)n : NEVER - 1;
    prctl(PR_GET_NAME, t->name);
    t->tid = me.tid;
}

void owned(struct lock *l) {
    number_me();
    l->owner = me.number;
    if (me.number < MEMBERS)
        set_bit(l->owners, me.number);
    else
        l->crowded = 1;
}

void destroyed(enum kind kind, const void *address) {
    struct lock *l = places ? look_up(kind, address, 0) : 0;
    if (l) __atomic_fetch_add(&l->destroyed, 1, __ATOMIC_RELAXED);
}
