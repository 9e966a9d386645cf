/// pthread_rwlock_*: as mutexes, and readers, of whom several have the lock at once.

#include "wait.h"

static inline int got_write(struct lock *l, int rc) {
    if (likely(acquired(rc))) taken(l);
    return rc;
}

static inline int got_read(struct lock *l, int rc) {
    if (unlikely(!acquired(rc))) return rc;
    if (unlikely(!l)) return unseen_call(), rc;
    __atomic_fetch_add(&l->reads, 1, __ATOMIC_RELAXED);
    if (unlikely(me.number == NOBODY)) number_me();
    if (likely(me.number < MEMBERS))
        set_bit(l->owners, me.number);
    else
        __atomic_store_n(&l->crowded, 1, __ATOMIC_RELAXED);
#ifdef HOLD
    for (size_t i = 0; i < sizeof me.readings / sizeof *me.readings; i++) {
        if (me.readings[i].lock) continue;
        me.readings[i].lock = l;
        me.readings[i].taken_at = ticks();
        return rc;
    }
    unseen_time();
#endif
    return rc;
}

#define WAITED(l, got, call)             \
    uint64_t begin = wait_begun(l);      \
    int ended = got(l, call);            \
    wait_ended(l, begin, ended, caller); \
    return ended

#define TIMED(name, got, mode)                                                                          \
    EXPORT int pthread_rwlock_timed##mode(pthread_rwlock_t *restrict r, const struct timespec *restrict until) { \
        if (!READY(rwlock_timed##mode)) return 0;                                                       \
        uint64_t caller = CALLER;                                                                       \
        struct lock *l = find(RWLOCK, r);                                                               \
        int rc = real.rwlock_try##mode(r);                                                              \
        if (acquired(rc)) return got(l, rc);                                                            \
        WAITED(l, got, real.rwlock_timed##mode(r, until));                                              \
    }                                                                                                   \
    EXPORT int pthread_rwlock_clock##mode(pthread_rwlock_t *restrict r, clockid_t clock,                \
                                          const struct timespec *restrict until) {                      \
        if (!READY(rwlock_clock##mode)) return ENOSYS;                                                  \
        uint64_t caller = CALLER;                                                                       \
        struct lock *l = find(RWLOCK, r);                                                               \
        int known = clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC;                                \
        int rc = known ? real.rwlock_try##mode(r) : EINVAL;                                             \
        if (acquired(rc)) return got(l, rc);                                                            \
        WAITED(l, got, real.rwlock_clock##mode(r, clock, until));                                       \
    }                                                                                                   \
    EXPORT int pthread_rwlock_try##mode(pthread_rwlock_t *r) {                                          \
        if (!READY(rwlock_try##mode)) return 0;                                                         \
        struct lock *l = find(RWLOCK, r);                                                               \
        return got(l, real.rwlock_try##mode(r));                                                        \
    }                                                                                                   \
    EXPORT int pthread_rwlock_##mode(pthread_rwlock_t *r) {                                             \
        if (!READY(rwlock_##mode)) return 0;                                                            \
        uint64_t caller = CALLER;                                                                       \
        struct lock *l = find(RWLOCK, r);                                                               \
        int rc = real.rwlock_try##mode(r);                                                              \
        if (likely(acquired(rc))) return got(l, rc);                                                    \
        WAITED(l, got, real.rwlock_##mode(r));                                                          \
    }

TIMED(read, got_read, rdlock)
TIMED(write, got_write, wrlock)

#ifdef HOLD
static void read_released(struct lock *l) {
    for (size_t i = 0; i < sizeof me.readings / sizeof *me.readings; i++) {
        struct reading *r = &me.readings[i];
        if (r->lock != l) continue;
        uint64_t ns = ns_since(r->taken_at);
        r->lock = 0;
        struct details *d = details_of(l);
        if (!d) return unseen_time();
        return add_shared(&d->hold, ns);
    }
}

EXPORT int pthread_rwlock_unlock(pthread_rwlock_t *r) {
    if (!READY(rwlock_unlock)) return 0;
    struct lock *l = look_up(RWLOCK, r, 0);
    if (l && r->__data.__cur_writer == (int)me.tid)
        released(l);
    else if (l)
        read_released(l);
    return real.rwlock_unlock(r);
}
#endif

EXPORT int pthread_rwlock_destroy(pthread_rwlock_t *r) {
    if (!READY(rwlock_destroy)) return 0;
    int rc = real.rwlock_destroy(r);
    if (rc == 0) destroyed(RWLOCK, r);
    return rc;
}
