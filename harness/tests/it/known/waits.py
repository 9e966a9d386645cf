"""Three threads that stamp their own waits for one lock."""

import sys
import threading
import time

lock = threading.Lock()
waits, waited_ns = [0] * 3, [0] * 3


def work(w):
    for _ in range(60):
        if not lock.acquire(blocking=False):
            begin = time.monotonic_ns()
            lock.acquire()
            ns = time.monotonic_ns() - begin
            waited_ns[w] += ns
            waits[w] += ns > 50_000
        time.sleep(0.004)
        lock.release()
        time.sleep(0.002)


threads = [threading.Thread(target=work, args=(w,)) for w in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(sum(waits), sum(waited_ns))
sys.stdout.flush()
sys.exit(3)
