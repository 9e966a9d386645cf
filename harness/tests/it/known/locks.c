// Takes locks of every kind of pthread in every way, and says what it did: lines `truth ADDRESS TYPE ACQUISITIONS READS CONTENDED`
// ('-' where how threads meet decides), and lines `said …` for every answer of the library that matters.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef void *(*body)(void *);

static void truth(void *lock, const char *type, long acquisitions, long reads, long contended) {
    char met[24] = "-";
    if (contended >= 0) snprintf(met, sizeof met, "%ld", contended);
    printf("truth %p %s %ld %ld %s\n", lock, type, acquisitions, reads, met);
    fflush(stdout);
}

// What errno is, too: none of these calls may touch it.
static void said(const char *what, int rc) {
    int is = errno;
    printf("said %s %d, errno %d\n", what, rc, is);
    errno = 77;
}

static void together(body work, int n) {
    pthread_t threads[8];
    for (long i = 0; i < n; i++) pthread_create(&threads[i], 0, work, (void *)i);
    for (int i = 0; i < n; i++) pthread_join(threads[i], 0);
}

static void ms(long n) {
    struct timespec t = {0, n * 1000000};
    nanosleep(&t, 0);
}

static struct timespec in_ms(clockid_t clock, long n) {
    struct timespec t;
    clock_gettime(clock, &t);
    t.tv_nsec += n * 1000000;
    t.tv_sec += t.tv_nsec / 1000000000, t.tv_nsec %= 1000000000;
    return t;
}

static pthread_mutex_t of_type(int type) {
    pthread_mutex_t m;
    pthread_mutexattr_t a;
    pthread_mutexattr_init(&a);
    pthread_mutexattr_settype(&a, type);
    pthread_mutex_init(&m, &a);
    return m;
}

// Counted by four threads.
static pthread_mutex_t shared = PTHREAD_MUTEX_INITIALIZER;
static long sum;

static void *count(void *x) {
    for (int i = 0; i < 10000; i++) {
        pthread_mutex_lock(&shared);
        sum++;
        pthread_mutex_unlock(&shared);
    }
    return x;
}

static void mutexes(void) {
    together(count, 4);
    said("sum", (int)sum);
    pthread_mutex_lock(&shared);
    said("trylock of a held one", pthread_mutex_trylock(&shared));
    pthread_mutex_unlock(&shared);
    said("trylock of a free one", pthread_mutex_trylock(&shared));
    pthread_mutex_unlock(&shared);
    truth(&shared, "mutex", 40002, 0, -1);
    int types[] = {PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_ADAPTIVE_NP};
    static pthread_mutex_t m[3];
    for (int i = 0; i < 3; i++) m[i] = of_type(types[i]);
    for (int i = 0; i < 100; i++) {
        for (int depth = 0; depth < 3; depth++) pthread_mutex_lock(&m[0]);
        for (int depth = 0; depth < 3; depth++) pthread_mutex_unlock(&m[0]);
    }
    said("unlock of a free recursive one", pthread_mutex_unlock(&m[0]));
    truth(&m[0], "mutex", 100, 0, 0);
    said("first", pthread_mutex_lock(&m[1]));
    said("again", pthread_mutex_lock(&m[1]));
    said("tried again", pthread_mutex_trylock(&m[1]));
    said("unlock", pthread_mutex_unlock(&m[1]));
    said("unlock again", pthread_mutex_unlock(&m[1]));
    truth(&m[1], "mutex", 1, 0, 0);
    pthread_mutex_lock(&m[2]);
    pthread_mutex_unlock(&m[2]);
    truth(&m[2], "mutex", 1, 0, 0);
    said("destroy", pthread_mutex_destroy(&m[2]));
}

// One that holds it while the other comes, every time; on a busy machine it may come too late to wait.
static pthread_mutex_t met = PTHREAD_MUTEX_INITIALIZER;
static sem_t held, done;
static long waited_ns;

static void *holder(void *x) {
    for (int i = 0; i < 20; i++) {
        pthread_mutex_lock(&met);
        sem_post(&held);
        ms(5);
        pthread_mutex_unlock(&met);
        sem_wait(&done);
    }
    return x;
}

static void contended(void) {
    pthread_t other;
    long waits = 0;
    sem_init(&held, 0, 0), sem_init(&done, 0, 0);
    pthread_create(&other, 0, holder, 0);
    for (int i = 0; i < 20; i++) {
        struct timespec a, b;
        sem_wait(&held);
        clock_gettime(CLOCK_MONOTONIC, &a);
        pthread_mutex_lock(&met);
        clock_gettime(CLOCK_MONOTONIC, &b);
        long ns = (b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec;
        waits += ns > 100000;
        waited_ns += ns > 100000 ? ns : 0;
        pthread_mutex_unlock(&met);
        sem_post(&done);
    }
    pthread_join(other, 0);
    truth(&met, "mutex", 40, 0, waits);
    printf("waited %p %ld\n", (void *)&met, waited_ns);
}

static pthread_mutex_t robust;

static void *die(void *x) {
    pthread_mutex_lock(&robust);
    return x;
}

static void robusts(void) {
    pthread_mutexattr_t a;
    pthread_mutexattr_init(&a);
    pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&robust, &a);
    together(die, 1);
    said("owner died", pthread_mutex_lock(&robust));
    said("consistent", pthread_mutex_consistent(&robust));
    said("unlock", pthread_mutex_unlock(&robust));
    together(die, 1);
    said("owner died, tried", pthread_mutex_trylock(&robust));
    said("unlock, not consistent", pthread_mutex_unlock(&robust));
    said("lost", pthread_mutex_lock(&robust));
    truth(&robust, "mutex", 4, 0, 0);
    static pthread_mutex_t inherits;
    pthread_mutexattr_init(&a);
    pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
    pthread_mutexattr_settype(&a, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&inherits, &a);
    said("priority inheritance", pthread_mutex_lock(&inherits));
    said("again", pthread_mutex_lock(&inherits));
    said("unlock", pthread_mutex_unlock(&inherits));
    truth(&inherits, "mutex", 1, 0, 0);
}

static pthread_mutex_t timed = PTHREAD_MUTEX_INITIALIZER;

static void *late(void *x) {
    struct timespec t = in_ms(CLOCK_REALTIME, 10), past = {0, 0}, wrong = {0, 2000000000};
    said("timed out", pthread_mutex_timedlock(&timed, &t));
    said("long past", pthread_mutex_timedlock(&timed, &past));
    said("no time at all", pthread_mutex_timedlock(&timed, &wrong));
#if __GLIBC_PREREQ(2, 30)
    t = in_ms(CLOCK_MONOTONIC, 10);
    said("by the other clock", pthread_mutex_clocklock(&timed, CLOCK_MONOTONIC, &t));
#else
    said("by the other clock", ETIMEDOUT);
    pthread_mutex_timedlock(&timed, &past);
#endif
    return x;
}

static void timeds(void) {
    struct timespec t = in_ms(CLOCK_REALTIME, 1000);
    said("free", pthread_mutex_timedlock(&timed, &t));
    together(late, 1);
    pthread_mutex_unlock(&timed);
#if __GLIBC_PREREQ(2, 30)
    said("a clock that is none", pthread_mutex_clocklock(&timed, CLOCK_PROCESS_CPUTIME_ID, &t));
#endif
    truth(&timed, "mutex", 1, 0, 0);
}

static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
static long written;

static void *read_write(void *me) {
    for (int i = 0; i < 1000; i++) {
        if ((long)me < 2) {
            pthread_rwlock_wrlock(&rw);
            written++;
        } else {
            pthread_rwlock_rdlock(&rw);
        }
        pthread_rwlock_unlock(&rw);
    }
    return me;
}

static void *try_both(void *x) {
    struct timespec t = in_ms(CLOCK_REALTIME, 5);
    said("tryrdlock", pthread_rwlock_tryrdlock(&rw));
    said("trywrlock", pthread_rwlock_trywrlock(&rw));
    said("timedrdlock", pthread_rwlock_timedrdlock(&rw, &t));
    said("timedwrlock", pthread_rwlock_timedwrlock(&rw, &t));
    return x;
}

static void rwlocks(void) {
    together(read_write, 5);
    said("written", (int)written);
    pthread_rwlock_wrlock(&rw);
    together(try_both, 1);
    said("rdlock of my own", pthread_rwlock_rdlock(&rw));
    said("wrlock of my own", pthread_rwlock_wrlock(&rw));
    pthread_rwlock_unlock(&rw);
    pthread_rwlock_rdlock(&rw);
    pthread_rwlock_rdlock(&rw);
    said("trywrlock among readers", pthread_rwlock_trywrlock(&rw));
    pthread_rwlock_unlock(&rw);
    pthread_rwlock_unlock(&rw);
    truth(&rw, "rwlock", 5003, 3002, -1);
    said("destroy", pthread_rwlock_destroy(&rw));
}

static pthread_spinlock_t spin;
static long spun;

static void *spin_count(void *x) {
    for (int i = 0; i < 5000; i++) {
        pthread_spin_lock(&spin);
        spun++;
        pthread_spin_unlock(&spin);
    }
    return x;
}

static void spins(void) {
    pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE);
    together(spin_count, 2);
    said("spun", (int)spun);
    pthread_spin_lock(&spin);
    said("trylock", pthread_spin_trylock(&spin));
    pthread_spin_unlock(&spin);
    truth((void *)&spin, "spin", 10001, 0, -1);
    pthread_spin_destroy(&spin);
}

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER, all = PTHREAD_COND_INITIALIZER;
static int ready, ended;
static long taken;

static void *consumer(void *x) {
    pthread_mutex_lock(&guard);
    taken++;
    while (!ready) {
        pthread_cond_wait(&all, &guard);
        taken++;
    }
    ended++;
    pthread_mutex_unlock(&guard);
    return x;
}

static void unlock(void *m) { pthread_mutex_unlock(m); }

static void *cancelled(void *x) {
    pthread_mutex_lock(&guard);
    taken++;
    pthread_cleanup_push(unlock, &guard);
    for (;;) pthread_cond_wait(&cond, &guard);
    pthread_cleanup_pop(1);
    return x;
}

static void conditions(void) {
    pthread_t threads[3], victim;
    for (int i = 0; i < 3; i++) pthread_create(&threads[i], 0, consumer, 0);
    ms(20);
    pthread_mutex_lock(&guard);
    taken++;
    ready = 1;
    pthread_cond_broadcast(&all);
    pthread_mutex_unlock(&guard);
    for (int i = 0; i < 3; i++) pthread_join(threads[i], 0);
    said("woken", ended);
    pthread_mutex_lock(&guard);
    struct timespec t = in_ms(CLOCK_REALTIME, 5), wrong = {0, 2000000000};
    said("timedwait", pthread_cond_timedwait(&cond, &guard, &t));
    said("no time at all", pthread_cond_timedwait(&cond, &guard, &wrong));
    taken += 2;
#if __GLIBC_PREREQ(2, 30)
    t = in_ms(CLOCK_MONOTONIC, 5);
    said("clockwait", pthread_cond_clockwait(&cond, &guard, CLOCK_MONOTONIC, &t));
    taken++;
#endif
    pthread_mutex_unlock(&guard);
    pthread_create(&victim, 0, cancelled, 0);
    ms(20);
    pthread_cancel(victim);
    void *how;
    pthread_join(victim, &how);
    said("cancelled", how == PTHREAD_CANCELED);
    // It had the mutex again while it unwound.
    taken++;
    said("free again", pthread_mutex_trylock(&guard));
    taken++;
    truth(&guard, "mutex", taken, 0, -1);
}

static void times(pthread_mutex_t *m, int n) {
    for (int i = 0; i < n; i++) pthread_mutex_lock(m), pthread_mutex_unlock(m);
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    long n = argc > 2 ? atol(argv[2]) : 0;
    if (!strcmp(what, "ways")) {
        mutexes(), contended(), robusts(), timeds(), rwlocks(), spins(), conditions();
        return 3;
    }
    if (!strcmp(what, "abort")) {
        times(&shared, 1234);
        abort();
    }
    if (!strcmp(what, "kill")) {
        together(count, 2);
        kill(getpid(), SIGKILL);
    }
    if (!strcmp(what, "fork")) {
        times(&shared, 10);
        pid_t child = fork();
        times(&shared, child ? 1 : 5);
        if (!child) _exit(0);
        waitpid(child, 0, 0);
        return 0;
    }
    if (!strcmp(what, "exec")) {
        times(&shared, 10);
        execl(argv[0], argv[0], "many", "7", (char *)0);
    }
    if (!strcmp(what, "many")) {
        pthread_mutex_t *all = calloc(n, sizeof *all);
        for (long i = 0; i < n; i++) times(&all[i], 1);
        return 0;
    }
    if (!strcmp(what, "deadlock")) {
        pthread_mutex_lock(&shared);
        together(count, 1);
    }
    return strcmp(what, "nothing") != 0;
}
