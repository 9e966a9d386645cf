// Three threads that stamp their own waits for one mutex.
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t waits[3], waited_ns[3];

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void *work(void *me) {
    uintptr_t w = (uintptr_t)me;
    for (int i = 0; i < 100; i++) {
        if (pthread_mutex_trylock(&lock)) {
            uint64_t begin = now();
            pthread_mutex_lock(&lock);
            uint64_t ns = now() - begin;
            waited_ns[w] += ns;
            waits[w] += ns > 50000;
        }
        struct timespec hold = {0, 1000000}, out = {0, 1000000};
        nanosleep(&hold, 0);
        pthread_mutex_unlock(&lock);
        nanosleep(&out, 0);
    }
    return 0;
}

int main(void) {
    pthread_t threads[3];
    for (uintptr_t w = 0; w < 3; w++) pthread_create(&threads[w], 0, work, (void *)w);
    for (int w = 0; w < 3; w++) pthread_join(threads[w], 0);
    printf("%lu %lu\n", waits[0] + waits[1] + waits[2], waited_ns[0] + waited_ns[1] + waited_ns[2]);
    return 3;
}
