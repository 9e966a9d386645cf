/// The functions that are stood in for, as the C library has them.
#pragma once

#include <errno.h>
#include <pthread.h>
#include <time.h>

#ifndef __GLIBC__
#error "the library stands in for functions of glibc: another C library lays out its locks otherwise"
#endif

#define EXPORT __attribute__((visibility("default")))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
/// Where the program called from.
#define CALLER ((uint64_t)(uintptr_t)__builtin_return_address(0))

#define REAL(X)                                                                                       \
    X(mutex_lock, (pthread_mutex_t *))                                                                \
    X(mutex_trylock, (pthread_mutex_t *))                                                             \
    X(mutex_unlock, (pthread_mutex_t *))                                                              \
    X(mutex_timedlock, (pthread_mutex_t *, const struct timespec *))                                  \
    X(mutex_clocklock, (pthread_mutex_t *, clockid_t, const struct timespec *))                       \
    X(mutex_destroy, (pthread_mutex_t *))                                                             \
    X(rwlock_rdlock, (pthread_rwlock_t *))                                                            \
    X(rwlock_wrlock, (pthread_rwlock_t *))                                                            \
    X(rwlock_tryrdlock, (pthread_rwlock_t *))                                                         \
    X(rwlock_trywrlock, (pthread_rwlock_t *))                                                         \
    X(rwlock_timedrdlock, (pthread_rwlock_t *, const struct timespec *))                              \
    X(rwlock_timedwrlock, (pthread_rwlock_t *, const struct timespec *))                              \
    X(rwlock_clockrdlock, (pthread_rwlock_t *, clockid_t, const struct timespec *))                   \
    X(rwlock_clockwrlock, (pthread_rwlock_t *, clockid_t, const struct timespec *))                   \
    X(rwlock_unlock, (pthread_rwlock_t *))                                                            \
    X(rwlock_destroy, (pthread_rwlock_t *))                                                           \
    X(spin_lock, (pthread_spinlock_t *))                                                              \
    X(spin_trylock, (pthread_spinlock_t *))                                                           \
    X(spin_unlock, (pthread_spinlock_t *))                                                            \
    X(spin_destroy, (pthread_spinlock_t *))                                                           \
    X(cond_wait, (pthread_cond_t *, pthread_mutex_t *))                                               \
    X(cond_timedwait, (pthread_cond_t *, pthread_mutex_t *, const struct timespec *))                 \
    X(cond_clockwait, (pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *))

#define FIELD(name, arguments) int(*name) arguments;
struct real {
    REAL(FIELD)
};
extern struct real real;

/// Finds them all. The constructor does; a call that comes before it, too.
void resolve(void);

/// Whether `real.NAME` can be called. Not while they are being looked for: where the dynamic linker allocates for that, and
/// the allocator locks, there is one thread yet and nothing to exclude.
#define READY(name) (likely(real.name) || (resolve(), real.name))
