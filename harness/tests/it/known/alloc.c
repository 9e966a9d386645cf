// An allocator that locks, as jemalloc's does, also before any constructor and while the dynamic linker looks for symbols.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void __libc_free(void *);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long calls;

#define LOCKED(what) pthread_mutex_lock(&lock), calls++, what, pthread_mutex_unlock(&lock)

void *malloc(size_t size) {
    void *p;
    LOCKED(p = __libc_malloc(size));
    return p;
}

void *calloc(size_t n, size_t size) {
    void *p;
    LOCKED(p = __libc_calloc(n, size));
    return p;
}

void free(void *p) { LOCKED(__libc_free(p)); }

static void *work(void *x) {
    for (int i = 0; i < 2000; i++) {
        void *p = malloc(16);
        *(void *volatile *)p = x;
        free(p);
    }
    return x;
}

int main(void) {
    pthread_t threads[3];
    char text[64];
    for (int i = 0; i < 3; i++) pthread_create(&threads[i], 0, work, 0);
    for (int i = 0; i < 3; i++) pthread_join(threads[i], 0);
    int len = snprintf(text, sizeof text, "%p %ld\n", (void *)&lock, calls);
    if (write(1, text, len) != len) _exit(1);
    _exit(0);
}
