import java.io.IOException;
import java.util.concurrent.locks.ReentrantLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/** The workload `lock`: a closed loop with a share of each operation under a lock. */
final class Locking extends Op {
    static final String NAMES = "synchronized,reentrant,reentrant_fair,readwrite";
    private static final int FEW = 150, BATCH = 64; // steps below which operations share a reading of the clock

    private final Shared shared;
    private final int w, kind, askedOutside, askedInside, readers, size;
    private int outside, inside;
    private long choice;
    private boolean timed;
    private Parts parts = new Parts(2048); // never null: the code that is warmed up is the code that is measured

    Locking(Shared shared, int w, int steps, long permille, int readers) {
        this.shared = shared;
        this.w = w;
        this.readers = readers;
        kind = shared.kind;
        inside = askedInside = (int) (steps * permille / 1000);
        outside = askedOutside = steps - inside;
        choice = 1 + w;
        batch = size = batch(steps);
    }

    static int batch(int steps) { return steps < FEW ? BATCH : 1; }

    @Override void timed(boolean each) {
        timed = each;
        batch = each ? 1 : size;
    }

    @Override void shorten(boolean on) {
        outside = on ? Math.min(askedOutside, 150) : askedOutside;
        inside = on ? Math.min(askedInside, 50) : askedInside;
    }

    @Override void within(Parts of) { parts = of; }

    @Override long run(long i) throws IOException {
        long sum = 0;
        for (long end = i + batch; i < end; i++) {
            long x = Cpu.chain(1 + (i & 63), outside);
            int k = next();
            Slot slot = shared.slots[k];
            boolean reads = readers > 0 && i * 617 % 1000 < readers;
            long asked = timed ? System.nanoTime() : 0;
            switch (kind) {
                case 0 -> {
                    synchronized (slot) {
                        x = hold(slot, k, x, reads, asked);
                    }
                }
                case 3 -> x = readWrite(slot, k, x, reads, asked);
                default -> {
                    slot.lock.lock();
                    try {
                        x = hold(slot, k, x, reads, asked);
                    } finally {
                        slot.lock.unlock();
                    }
                }
            }
            sum += x;
        }
        return sum;
    }

    private long readWrite(Slot slot, int k, long x, boolean reads, long asked) throws IOException {
        var lock = reads ? slot.readWrite.readLock() : slot.readWrite.writeLock();
        lock.lock();
        try {
            return reads ? share(slot, x, asked) : hold(slot, k, x, false, asked);
        } finally {
            lock.unlock();
        }
    }

    /** Alone under the lock: the steps between load and store of the counter. */
    private long hold(Slot slot, int k, long x, boolean reads, long asked) throws IOException {
        long acquired = timed ? System.nanoTime() : 0, free = slot.released, count = slot.count;
        x = Cpu.chain(x, inside);
        if (reads) unchanged(count, slot);
        else slot.count = count + 1;
        if (timed) {
            long released = System.nanoTime();
            slot.released = released;
            if (k == 0) shared.note(w, asked, acquired, released);
            parts.keep(reads, asked, acquired, released, free);
        }
        return x;
    }

    /** Under the lock together with other readers. */
    private long share(Slot slot, long x, long asked) throws IOException {
        long acquired = timed ? System.nanoTime() : 0, count = slot.count;
        x = Cpu.chain(x, inside);
        unchanged(count, slot);
        if (timed) parts.keep(true, asked, acquired, System.nanoTime(), 0);
        return x;
    }

    private static void unchanged(long count, Slot slot) throws IOException {
        if (slot.count == count) return;
        throw new Torn("a reader saw the counter change while it had the lock: it does not exclude writers");
    }

    private int next() {
        int locks = shared.slots.length;
        if (locks == 1) return 0;
        choice = choice * 48271 % M;
        return (int) (choice % locks);
    }

    /** Something is wrong with the lock, not with the machine. */
    static final class Torn extends IOException {
        private static final long serialVersionUID = 1;

        Torn(String message) { super(message); }
    }

    /** What a lock guards; `synchronized` locks the object itself. */
    static class Slot {
        long count, released; // `released`: when its last owner began to give it away
        ReentrantLock lock;
        ReentrantReadWriteLock readWrite;
    }

    /** One with room around it. */
    static final class Apart extends Slot {
        long p0, p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11, p12, p13, p14, p15;
    }

    /** What the workers of a cell share. */
    static final class Shared extends Padded {
        private static final int OWNERS = 4096, FIELDS = 4;

        final int kind;
        final Slot[] slots;
        private long before, beginNs;
        private long[] owners = new long[OWNERS * FIELDS]; // the warm-up goes the same ways
        private int filled;

        Shared(int kind, int locks, boolean packed) {
            this.kind = kind;
            slots = new Slot[locks];
            for (int k = 0; k < locks; k++) {
                slots[k] = packed ? new Slot() : new Apart();
                if (kind == 1 || kind == 2) slots[k].lock = new ReentrantLock(kind == 2);
                if (kind == 3) slots[k].readWrite = new ReentrantReadWriteLock();
            }
        }

        private long sum() {
            long sum = 0;
            for (Slot slot : slots) sum += slot.count;
            return sum;
        }

        /** A release is coming: all workers are parked. */
        void open(Plan plan, long startNs) {
            before = sum();
            beginNs = startNs + plan.rampNs;
            filled = 0;
            owners = new long[plan.timed ? OWNERS * FIELDS : 0];
        }

        /** Under the first lock. */
        void note(int w, long asked, long acquired, long released) {
            int at = filled * FIELDS;
            if (at >= owners.length || acquired < beginNs) return;
            owners[at] = w;
            owners[at + 1] = asked;
            owners[at + 2] = acquired;
            owners[at + 3] = released;
            filled++;
        }

        /** The lines of a release that is over: all are parked again. */
        Runnable close(Out out, String id, int slot) {
            long count = sum() - before, begin = beginNs;
            long[] all = owners;
            int n = filled;
            return () -> {
                out.verb("guard", id, slot).put("count", count).text.append('\n');
                if (n == 0) return;
                out.verb("owners", id, slot);
                String[] keys = {"w", "gap", "wait", "hold"};
                for (int key = 0; key < keys.length; key++) {
                    out.put(keys[key], "");
                    for (int k = 0; k < n; k++) {
                        int at = k * FIELDS;
                        long last = k == 0 ? begin : all[at - FIELDS + 2];
                        long[] row = {all[at], all[at + 2] - last, all[at + 2] - all[at + 1], all[at + 3] - all[at + 2]};
                        out.text.append(k > 0 ? "," : "").append(row[key]);
                    }
                }
                out.text.append('\n');
            };
        }
    }

    /** What a worker's operations time themselves, summed over the windows. */
    static final class Parts extends Padded {
        private final Hist wait, hold, handoff, readWait, readHold;

        Parts(int buckets) {
            wait = new Hist(buckets);
            hold = new Hist(buckets);
            handoff = new Hist(buckets);
            readWait = new Hist(buckets);
            readHold = new Hist(buckets);
        }

        /** `free`: when the owner before began to give the lock away. */
        void keep(boolean reads, long asked, long acquired, long released, long free) {
            (reads ? readWait : wait).record(acquired - asked);
            (reads ? readHold : hold).record(released - acquired);
            if (!reads && free > asked && acquired >= free) handoff.record(acquired - free);
        }

        void report(Out out, String id, int slot, int w) throws IOException {
            wait.report(out, "wait", id, slot, w, -1);
            hold.report(out, "hold", id, slot, w, -1);
            handoff.report(out, "handoff", id, slot, w, -1);
            readWait.report(out, "read_wait", id, slot, w, -1);
            readHold.report(out, "read_hold", id, slot, w, -1);
        }
    }
}
