// A std::mutex and a std::shared_mutex taken by two threads a known number of times; their addresses first.
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <shared_mutex>
#include <thread>

static std::mutex mutex;
static std::shared_mutex both;
static long sum;

static void work() {
    for (int i = 0; i < 2000; i++) {
        std::lock_guard<std::mutex> guard(mutex);
        sum++;
    }
    for (int i = 0; i < 500; i++) {
        { std::shared_lock<std::shared_mutex> guard(both); }
        std::unique_lock<std::shared_mutex> guard(both);
    }
}

int main() {
    std::printf("%p %p\n", static_cast<void *>(&mutex), static_cast<void *>(&both));
    std::fflush(stdout);
    std::thread a(work), b(work);
    a.join();
    b.join();
    try {
        throw 1;
    } catch (int) {
    }
    return sum == 4000 ? 0 : 1;
}
