import java.io.IOException;
import java.io.RandomAccessFile;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/** The scheduler's threads that run virtual threads. */
final class Carriers {
    private static final String NAME = "ForkJoinPool-1-";
    private static Carriers found;

    final List<String> tids = new ArrayList<>();
    private final List<RandomAccessFile> stats = new ArrayList<>();

    /**
     * Makes the scheduler start all of them, then looks for their names: before any timed park, which starts a
     * thread of a like name that carries nothing (25).
     */
    static Carriers find() throws IOException, ReflectiveOperationException, Line.Failure {
        if (found != null) return found;
        Occupant occupant = new Occupant();
        for (int c = 0; c < Jvm.parallelism(); c++) Jvm.startVirtual(occupant);
        while (occupant.waits()) LockSupport.parkNanos(100_000);
        Carriers carriers = new Carriers();
        for (String tid : Kernel.threads()) {
            if (!Kernel.name(tid).startsWith(NAME)) continue;
            carriers.tids.add(tid);
            carriers.stats.add(Kernel.openSchedstat(Kernel.task(tid)));
        }
        if (carriers.tids.isEmpty()) throw Line.internal("no thread is named " + NAME + "…: who carries?");
        return found = carriers;
    }

    /** Occupies a carrier until all are there. */
    private static final class Occupant implements Runnable {
        final AtomicInteger here = new AtomicInteger();
        final long deadline = System.nanoTime() + 2_000_000_000L;

        boolean waits() { return here.get() < Jvm.parallelism() && System.nanoTime() < deadline; }

        @Override public void run() {
            here.incrementAndGet();
            while (waits()) Thread.onSpinWait();
        }
    }

    /** The scheduler ends carriers that were idle for 30 s, and with them what was pinned and counted. */
    void check() throws Line.Failure {
        for (String tid : tids) {
            if (Kernel.lives(tid)) continue;
            throw Line.internal("carrier " + tid + " ended, idle for too long: start the worker anew");
        }
    }

    /** null where a reading would disturb what is read. */
    Carried record(Plan plan) {
        return Jvm.READS_FREELY ? new Carried(new long[plan.ends.length + 1][2 * tids.size()]) : null;
    }

    /** Their figures at each boundary, read by the first worker that crosses it. */
    final class Carried {
        private final long[][] rows;
        private final byte[] bytes = new byte[96];
        private volatile int next;

        private Carried(long[][] rows) { this.rows = rows; }

        void cross(int row) throws IOException {
            if (row >= next) read(row);
        }

        private synchronized void read(int row) throws IOException {
            if (row < next) return;
            for (int c = 0; c < tids.size(); c++) Kernel.readSchedstat(stats.get(c), bytes, rows[row], 2 * c);
            for (int k = next; k < row; k++) System.arraycopy(rows[row], 0, rows[k], 0, rows[row].length);
            next = row + 1;
        }

        void report(Out out, String id, int slot, int ramps) throws IOException {
            for (int k = 0; k + 1 < next; k++) {
                for (int c = 0; c < tids.size(); c++) {
                    long[] a = rows[k], b = rows[k + 1];
                    if (a[2 * c] < 0 || b[2 * c] < 0) continue; // a line without cpu_ns says nothing
                    out.verb("carrier", id, slot).put("i", k - ramps).put("tid", tids.get(c));
                    out.figure("cpu_ns", a[2 * c], b[2 * c]).figure("delay_ns", a[2 * c + 1], b[2 * c + 1]).end();
                }
            }
        }
    }
}
