// N threads that live at once, each waits once for a gate: `threads N`. Prints how many the machine let it have.
#define _GNU_SOURCE
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Atomic uint32_t gate, waiting;

static void *stay(void *unused) {
    atomic_fetch_add(&waiting, 1);
    while (!atomic_load(&gate)) syscall(SYS_futex, &gate, FUTEX_WAIT_PRIVATE, 0, 0, 0, 0);
    return unused;
}

int main(int n, char **args) {
    uint32_t wanted = n == 2 ? (uint32_t)atoi(args[1]) : 1, made = 0;
    pthread_t *threads = calloc(wanted, sizeof *threads);
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, PTHREAD_STACK_MIN);
    while (made < wanted && pthread_create(&threads[made], &small, stay, 0) == 0) made++;
    while (atomic_load(&waiting) < made) usleep(1000);
    usleep(50000);
    atomic_store(&gate, 1);
    syscall(SYS_futex, &gate, FUTEX_WAKE_PRIVATE, INT_MAX, 0, 0, 0);
    for (uint32_t k = 0; k < made; k++) pthread_join(threads[k], 0);
    printf("%u\n", made);
    return 0;
}
