import java.util.concurrent.locks.ReentrantLock;

/**
 * Three threads that stamp their own waits for one lock. They hold it spinning: a sleep of Java's would be a futex wait. Outside
 * they spin long enough for the one they woke to take it: who takes it back at once wakes nobody in turn.
 */
class Waits {
    static final ReentrantLock LOCK = new ReentrantLock();
    static final long[] WAITS = new long[3], WAITED_NS = new long[3];

    static void spin(long ns) {
        for (long end = System.nanoTime() + ns; System.nanoTime() < end; ) {}
    }

    static void work(int w) {
        for (int i = 0; i < 60; i++) {
            if (!LOCK.tryLock()) {
                long begin = System.nanoTime();
                LOCK.lock();
                long ns = System.nanoTime() - begin;
                WAITED_NS[w] += ns;
                if (ns > 50_000) WAITS[w]++;
            }
            spin(5_000_000);
            LOCK.unlock();
            spin(2_000_000);
        }
    }

    public static void main(String[] args) throws Exception {
        Thread[] threads = new Thread[3];
        for (int w = 0; w < 3; w++) {
            int me = w;
            threads[w] = new Thread(() -> work(me), "known-" + w);
        }
        for (Thread t : threads) t.start();
        for (Thread t : threads) t.join();
        System.out.println((WAITS[0] + WAITS[1] + WAITS[2]) + " " + (WAITED_NS[0] + WAITED_NS[1] + WAITED_NS[2]));
        System.out.flush();
        System.exit(3);
    }
}
