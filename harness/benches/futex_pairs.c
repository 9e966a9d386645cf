// Two threads on one CPU that wake each other by a futex, N times each: `futex_pairs N PAIRS_PER_SECOND` (0: as fast as it goes).
// Prints what one pair of a wake and a wait took, ns, and how many waits the kernel ended by a wake.
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static _Atomic uint32_t turn;
static uint64_t rounds, pause_ns, waits[2];

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void *play(void *me) {
    uint32_t k = (uint32_t)(uintptr_t)me;
    uint64_t next = now();
    for (uint64_t i = 0; i < rounds; i++) {
        while (atomic_load(&turn) != k)
            waits[k] += syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, 1 - k, 0, 0, 0) == 0;
        // Two pairs a round.
        if (k == 0)
            for (next += 2 * pause_ns; pause_ns && now() < next;) {}
        atomic_store(&turn, 1 - k);
        syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
    }
    return 0;
}

int main(int n, char **args) {
    if (n != 3) return 2;
    rounds = strtoull(args[1], 0, 10);
    uint64_t rate = strtoull(args[2], 0, 10);
    pause_ns = rate ? 1000000000 / rate : 0;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    sched_setaffinity(0, sizeof one, &one);
    uint64_t begin = now();
    pthread_t threads[2];
    for (uintptr_t k = 0; k < 2; k++) pthread_create(&threads[k], 0, play, (void *)k);
    for (int k = 0; k < 2; k++) pthread_join(threads[k], 0);
    printf("%.1f %lu\n", (double)(now() - begin) / (double)(2 * rounds), waits[0] + waits[1]);
    return 0;
}
