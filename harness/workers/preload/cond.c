/// pthread_cond_*wait: gives its mutex up and takes it again. That is an acquisition, and a new hold; whether it had to
/// be waited for can't be told from the wait for the condition.

#include "wait.h"

struct pause {
    struct lock *mutex, *cond;
    uint64_t begin, caller;
    int rc;
};

/// Also when the thread is cancelled in its wait: then it has the mutex while it unwinds.
static void resumed(struct pause *p) {
    // Any other error comes at once, and the mutex was kept.
    if (!acquired(p->rc) && p->rc != ETIMEDOUT) return;
    taken(p->mutex);
    idle_ended(p->cond, p->begin, p->rc, p->caller);
}

#define WAIT(call)                                                                           \
    struct pause p __attribute__((cleanup(resumed))) = {find(MUTEX, m), find(COND, c), 0, CALLER, 0}; \
    p.begin = wait_begun(p.cond);                                                            \
    released(p.mutex);                                                                       \
    p.rc = call;                                                                             \
    return p.rc

EXPORT int pthread_cond_wait(pthread_cond_t *restrict c, pthread_mutex_t *restrict m) {
    if (!READY(cond_wait)) return EINVAL;
    WAIT(real.cond_wait(c, m));
}

EXPORT int pthread_cond_timedwait(pthread_cond_t *restrict c, pthread_mutex_t *restrict m, const struct timespec *restrict until) {
    if (!READY(cond_timedwait)) return EINVAL;
    WAIT(real.cond_timedwait(c, m, until));
}

EXPORT int pthread_cond_clockwait(pthread_cond_t *restrict c, pthread_mutex_t *restrict m, clockid_t clock,
                                  const struct timespec *restrict until) {
    if (!READY(cond_clockwait)) return ENOSYS;
    WAIT(real.cond_clockwait(c, m, clock, until));
}
