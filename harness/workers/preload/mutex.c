/// pthread_mutex_*: tried first. Whoever gets it at once did not wait, and no clock is read; who does not calls the real function,
/// which decides what happens, errors too: those that a try finds (EBUSY, EINVAL, EAGAIN) are never passed on in its place.

#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#else // Before glibc 2.32.
#define __libc_single_threaded 0
#endif

#include "wait.h"

/// Its owner took a recursive one again: nobody else could have had it. To be read by its owner.
static inline int nested(const pthread_mutex_t *m) {
    return unlikely((m->__data.__kind & 3) == PTHREAD_MUTEX_RECURSIVE_NP) && m->__data.__count > 1;
}

static inline int got(struct lock *l, const pthread_mutex_t *m, int rc) {
    if (likely(acquired(rc) && !nested(m))) taken(l);
    return rc;
}

/// A mutex as PTHREAD_MUTEX_INITIALIZER makes it, in a process that has one thread: there is nobody to wait for.
/// glibc's lock then does without an atomic operation, its trylock does not.
static inline int undisputed(const pthread_mutex_t *m) {
    return __libc_single_threaded && m->__data.__kind == PTHREAD_MUTEX_TIMED_NP;
}

enum { ROBUST = 16 };

/// EBUSY stands for "the real call decides". A robust mutex is not tried: glibc's trylock of one that is not recoverable says so,
/// but may keep it locked. Whether it is free is looked at instead, so it may be lost to another in between, unnoticed.
static inline int tried(pthread_mutex_t *m) {
    if (likely(!(m->__data.__kind & ROBUST))) return real.mutex_trylock(m);
    return EBUSY;
}

static inline int has_owner(const pthread_mutex_t *m) {
    const uint32_t owner_died = 0x40000000, tid = 0x3fffffff;
    uint32_t word = (uint32_t)__atomic_load_n(&m->__data.__lock, __ATOMIC_RELAXED);
    return !(word & owner_died) && word & tid && (word & tid) != me.tid;
}

/// The real call after a try that failed.
#define WAITED(l, m, call)                                                      \
    uint64_t begin = wait_begun(l);                                             \
    int met = !(m->__data.__kind & ROBUST) || has_owner(m);                     \
    int ended = got(l, m, call);                                                \
    wait_ended(met ? l : 0, begin, ended, caller);                              \
    return ended

static __attribute__((noinline)) int lock_waited(struct lock *l, pthread_mutex_t *m, uint64_t caller) {
    WAITED(l, m, real.mutex_lock(m));
}

EXPORT int pthread_mutex_lock(pthread_mutex_t *m) {
    if (!READY(mutex_lock)) return 0;
    struct lock *l = find(MUTEX, m);
    if (undisputed(m)) return got(l, m, real.mutex_lock(m));
    int rc = tried(m);
    if (likely(acquired(rc))) return got(l, m, rc);
    return lock_waited(l, m, CALLER);
}

EXPORT int pthread_mutex_trylock(pthread_mutex_t *m) {
    if (!READY(mutex_trylock)) return 0;
    struct lock *l = find(MUTEX, m);
    return got(l, m, real.mutex_trylock(m));
}

EXPORT int pthread_mutex_timedlock(pthread_mutex_t *restrict m, const struct timespec *restrict until) {
    if (!READY(mutex_timedlock)) return 0;
    uint64_t caller = CALLER;
    struct lock *l = find(MUTEX, m);
    int rc = tried(m);
    if (acquired(rc)) return got(l, m, rc);
    WAITED(l, m, real.mutex_timedlock(m, until));
}

EXPORT int pthread_mutex_clocklock(pthread_mutex_t *restrict m, clockid_t clock, const struct timespec *restrict until) {
    if (!READY(mutex_clocklock)) return ENOSYS;
    uint64_t caller = CALLER;
    struct lock *l = find(MUTEX, m);
    // Any other clock is an error, also of a mutex that is free.
    int known = clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC;
    int rc = known ? tried(m) : EINVAL;
    if (acquired(rc)) return got(l, m, rc);
    WAITED(l, m, real.mutex_clocklock(m, clock, until));
}

#ifdef HOLD
/// What is not the caller's is not released: the real call says EPERM. A plain mutex may be given up by anybody.
EXPORT int pthread_mutex_unlock(pthread_mutex_t *m) {
    if (!READY(mutex_unlock)) return 0;
    struct lock *l = look_up(MUTEX, m, 0);
    int mine = m->__data.__kind == PTHREAD_MUTEX_TIMED_NP || m->__data.__owner == (int)me.tid;
    if (likely(mine && !nested(m))) released(l);
    return real.mutex_unlock(m);
}
#endif

EXPORT int pthread_mutex_destroy(pthread_mutex_t *m) {
    if (!READY(mutex_destroy)) return 0;
    int rc = real.mutex_destroy(m);
    if (rc == 0) destroyed(MUTEX, m);
    return rc;
}
