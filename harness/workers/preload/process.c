/// Start of the process, its table, fork.
///
/// amdahl says where by AMDAHL_PRELOAD_DIR. Its constructor leaves an empty file there, `<pid>-<n>`: the library was
/// loaded. The first lock makes a table of it. After fork the child has a file of its own; after exec the
/// dynamic linker loads the library anew. A child made by a raw clone call goes on in its parent's.

#include <dlfcn.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "process.h"
#include "wait.h"

struct real real;
static char directory[3072], path[4096];
static int state; // 0 not tried, 1 being opened, 2 tried

/// Conditions have an older version beside the one that programs mean, and a plain dlsym may give that one.
static void *next(const char *name) {
#ifdef __x86_64__
    if (!strncmp(name, "pthread_cond_", 13)) {
        void *found = dlvsym(RTLD_NEXT, name, "GLIBC_2.3.2");
        if (found) return found;
    }
#endif
    return dlsym(RTLD_NEXT, name);
}

void resolve(void) {
    static __thread int resolving __attribute__((tls_model("initial-exec")));
    if (resolving) return;
    resolving = 1;
#define LOOK_FOR(name, arguments) real.name = (int(*) arguments)next("pthread_" #name);
    REAL(LOOK_FOR)
    resolving = 0;
}

/// A new file of this process.
static int fresh(void) {
    for (int n = 0; n < 1000; n++) {
        snprintf(path, sizeof path, "%s/%d-%d", directory, (int)getpid(), n);
        int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd >= 0 || errno != EEXIST) return fd;
    }
    return -1;
}

/// Sizes the file and maps it, at `at` if that is given; what could not be done stands in the file instead.
static struct table *map_file(int fd, void *at) {
    struct rlimit limit;
    const char *what = "ulimit -f is too low for its file";
    // Beyond the limit ftruncate would not fail but raise SIGXFSZ.
    if (!getrlimit(RLIMIT_FSIZE, &limit) && limit.rlim_cur < sizeof(struct table)) goto failed;
    what = "ftruncate of its file failed";
    if (ftruncate(fd, sizeof(struct table))) goto failed;
    what = "mmap of its file failed (ulimit -v?)";
    struct table *t = mmap(at, sizeof *t, PROT_READ | PROT_WRITE, MAP_SHARED | (at ? MAP_FIXED : 0), fd, 0);
    if (t == MAP_FAILED) goto failed;
    what = "there is no memory for its file (a full file system)";
    if (!table_backed(t)) {
        munmap(t, sizeof *t);
        goto failed;
    }
    t->head.version = VERSION;
    t->head.pid = (uint32_t)getpid();
#ifdef HOLD
    t->head.hold = 1;
#endif
    memcpy(t->head.magic, MAGIC, 8);
    return t;
failed:
    if (ftruncate(fd, 0) == 0 && write(fd, what, strlen(what)) < 0) return 0;
    return 0;
}

static void *new_places(void *at) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (at ? MAP_FIXED : 0);
    void *p = mmap(at, INDEX * sizeof(struct lock *), PROT_READ | PROT_WRITE, flags, -1, 0);
    return p == MAP_FAILED ? 0 : p;
}

struct calm calm(void) {
    struct calm before = {.saved = errno};
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before.cancel);
    return before;
}

void calm_over(struct calm before) {
    pthread_setcancelstate(before.cancel, &before.cancel);
    errno = before.saved;
}

int opened(void) {
    int untried = 0;
    if (!path[0] || !__atomic_compare_exchange_n(&state, &untried, 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
        // Another thread is at it: its first lock and this one come at the same time. Or a signal handler interrupts it, so not forever.
        uint64_t begin = now_ns();
        while (__atomic_load_n(&state, __ATOMIC_ACQUIRE) == 1 && now_ns() - begin < 1000000000) sched_yield();
        return __atomic_load_n(&places, __ATOMIC_ACQUIRE) != 0;
    }
    struct calm before = calm();
    int fd = open(path, O_RDWR | O_CLOEXEC);
    struct table *t = fd < 0 ? 0 : map_file(fd, 0);
    if (fd >= 0) close(fd);
    struct lock **index = t ? new_places(0) : 0;
    if (index) {
        table_is(t);
        __atomic_store_n(&places, index, __ATOMIC_RELEASE);
    }
    __atomic_store_n(&state, 2, __ATOMIC_RELEASE);
    calm_over(before);
    return index != 0;
}

/// In the child: another file at the same place in memory, so that whoever holds a pointer into it may go on.
static void forked(void) {
    int saved = errno;
    int fd = fresh();
    memset(&me, 0, sizeof me);
    me.number = NOBODY;
    code_forgotten();
    if (table && !(fd >= 0 && new_places(places) && map_file(fd, table))) {
        // Nothing of the child may reach its parent's counts.
        places = 0;
        mmap(table, sizeof *table, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
    }
    if (!table) state = 0;
    if (fd >= 0) close(fd);
    errno = saved;
}

__attribute__((constructor(101))) static void start(void) {
    resolve();
    const char *dir = getenv("AMDAHL_PRELOAD_DIR");
    if (!dir || strlen(dir) >= sizeof directory) return;
    int saved = errno;
    strcpy(directory, dir);
#ifdef HOLD
    const char *rate = getenv("AMDAHL_PRELOAD_NS_PER_TICK");
    ns_per_tick = rate ? strtoull(rate, 0, 10) : 0;
#endif
    int fd = fresh();
    if (fd >= 0) {
        close(fd);
        pthread_atfork(0, 0, forked);
    } else {
        path[0] = 0;
    }
    errno = saved;
}
