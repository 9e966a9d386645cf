/// pthread_spin_*: a wait is spun, not slept, so it is in no trace of futex calls.

#include "wait.h"

static inline int got(struct lock *l, int rc) {
    if (likely(rc == 0)) taken(l);
    return rc;
}

static __attribute__((noinline)) int spin_waited(struct lock *l, pthread_spinlock_t *s, uint64_t caller) {
    uint64_t begin = wait_begun(l);
    int rc = got(l, real.spin_lock(s));
    wait_ended(l, begin, rc, caller);
    return rc;
}

EXPORT int pthread_spin_lock(pthread_spinlock_t *s) {
    if (!READY(spin_lock)) return 0;
    struct lock *l = find(SPIN, (const void *)s);
    int rc = real.spin_trylock(s);
    if (likely(rc == 0)) return got(l, rc);
    return spin_waited(l, s, CALLER);
}

EXPORT int pthread_spin_trylock(pthread_spinlock_t *s) {
    if (!READY(spin_trylock)) return 0;
    struct lock *l = find(SPIN, (const void *)s);
    return got(l, real.spin_trylock(s));
}

#ifdef HOLD
EXPORT int pthread_spin_unlock(pthread_spinlock_t *s) {
    if (!READY(spin_unlock)) return 0;
    released(look_up(SPIN, (const void *)s, 0));
    return real.spin_unlock(s);
}
#endif

EXPORT int pthread_spin_destroy(pthread_spinlock_t *s) {
    if (!READY(spin_destroy)) return 0;
    int rc = real.spin_destroy(s);
    if (rc == 0) destroyed(SPIN, (const void *)s);
    return rc;
}
