// Two threads on one CPU that wake each other by a futex: `futex_pairs TRIPS PAIRS_PER_SECOND` (0: as fast as it goes), two pairs a
// round trip. Prints what one pair of a wake and a wait took in ns, how many waits a wake ended, and how many futex calls it made.
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
static uint64_t trips, pause_ns;
static struct { uint64_t waits, calls; } counts[2];

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void *play(void *me) {
    uint32_t k = (uint32_t)(uintptr_t)me;
    uint64_t next = now(), waits = 0, calls = 0;
    for (uint64_t i = 0; i < trips; i++) {
        for (; atomic_load(&turn) != k; calls++)
            waits += syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, 1 - k, 0, 0, 0) == 0;
        // Two pairs a round.
        if (k == 0)
            for (next += 2 * pause_ns; pause_ns && now() < next;) {}
        atomic_store(&turn, 1 - k);
        syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
        calls++;
    }
    counts[k].waits = waits;
    counts[k].calls = calls;
    return 0;
}

int main(int n, char **args) {
    if (n != 3) return 2;
    trips = strtoull(args[1], 0, 10);
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
    double pair_ns = (double)(now() - begin) / (double)(2 * trips);
    printf("%.1f %lu %lu\n", pair_ns, counts[0].waits + counts[1].waits, counts[0].calls + counts[1].calls);
    return 0;
}
