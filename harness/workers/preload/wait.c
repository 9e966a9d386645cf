/// Waits: their histogram, who waited, from where; and the code that call sites lie in.

#include <fcntl.h>
#include <unistd.h>

#include "wait.h"
#include "process.h"

uint64_t wait_begun(struct lock *l) {
    number_me();
    uint64_t begin = now_ns();
    if (l && me.record) {
        me.record->since_ns = begin;
        me.record->key = l->key;
    }
    return begin;
}

static void add(uint64_t *to, uint64_t n) { __atomic_fetch_add(to, n, __ATOMIC_RELAXED); }

static void raise_to(uint64_t *to, uint64_t n) {
    uint64_t is = __atomic_load_n(to, __ATOMIC_RELAXED);
    while (n > is && !__atomic_compare_exchange_n(to, &is, n, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
}

void add_shared(struct times *t, uint64_t ns) {
    add(&t->sum, ns);
    raise_to(&t->highest, ns);
    raise_to(&t->lowest, ~ns);
    add(&t->buckets[bucket(ns)], 1);
}

/// One of the first few call sites, or all others.
static struct site *site_of(struct details *d, uint64_t caller) {
    for (int i = 0; i < SITES; i++) {
        uint64_t is = __atomic_load_n(&d->sites[i].address, __ATOMIC_RELAXED);
        if (!is && __atomic_compare_exchange_n(&d->sites[i].address, &is, caller, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
            code_at(caller);
            return &d->sites[i];
        }
        if (is == caller) return &d->sites[i];
    }
    return &d->sites[SITES];
}

static void add_wait(struct lock *l, uint64_t ns, uint64_t caller) {
    struct details *d = details_of(l);
    if (!d) return unseen_time();
    add_shared(&d->wait, ns);
    if (me.number < MEMBERS)
        set_bit(d->waiters, me.number);
    else
        __atomic_store_n(&d->waiters_crowded, 1, __ATOMIC_RELAXED);
    struct site *s = site_of(d, caller);
    add(&s->waits, 1);
    add(&s->wait_ns, ns);
}

static uint64_t over(uint64_t begin) {
    uint64_t end = now_ns();
    if (me.record) me.record->key = 0;
    return end - begin;
}

void wait_ended(struct lock *l, uint64_t begin, int rc, uint64_t caller) {
    uint64_t ns = over(begin);
    if (!l || !(acquired(rc) || rc == ETIMEDOUT)) return;
    add(rc == ETIMEDOUT ? &l->timeouts : &l->contended, 1);
    add_wait(l, ns, caller);
    if (!me.record) return;
    me.record->waits++;
    me.record->wait_ns += ns;
}

void idle_ended(struct lock *l, uint64_t begin, int rc, uint64_t caller) {
    uint64_t ns = over(begin);
    if (!l || !(acquired(rc) || rc == ETIMEDOUT)) return;
    add(rc == ETIMEDOUT ? &l->timeouts : &l->contended, 1);
    add_wait(l, ns, caller);
    if (me.record) me.record->idle_ns += ns;
}

/// By plain system calls: asking the dynamic linker would take its lock, while the caller holds one of the program's.
static uint32_t read_maps(char *to) {
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    size_t len = 0;
    for (ssize_t n = 1; fd >= 0 && n > 0 && len < MAPS; len += n > 0 ? (size_t)n : 0) n = read(fd, to + len, MAPS - len);
    if (fd >= 0) close(fd);
    return (uint32_t)len;
}

static uint64_t regions[64];
static uint32_t used;
static int busy;

void code_forgotten(void) { used = 0, busy = 0; }

void code_at(uint64_t address) {
    uint64_t region = address >> 20;
    int is = 0;
    if (!__atomic_compare_exchange_n(&busy, &is, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) return;
    uint32_t i = 0;
    while (i < used && regions[i] != region) i++;
    if (i == used && used < sizeof regions / sizeof *regions) {
        struct calm before = calm();
        regions[used++] = region;
        if (maps_backed(table)) table->head.maps_len = read_maps(table->maps);
        calm_over(before);
    }
    __atomic_store_n(&busy, 0, __ATOMIC_RELEASE);
}
