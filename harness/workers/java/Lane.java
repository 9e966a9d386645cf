import java.io.IOException;
import java.io.RandomAccessFile;
import java.util.concurrent.locks.LockSupport;

/** One worker, whatever carries it; obeys orders in the thread that is its own. */
final class Lane extends Padded implements Runnable {
    enum Order { OPEN, ALONE, TOGETHER, ARM, RUN, END }

    private static final int DRILLS_MAX = 20, DRILL_NS = 5000;

    final Cell cell;
    final int w;
    final boolean yields;
    final long[] figures = {-1, -1}; // CPU time, run delay
    private final byte[] bytes = new byte[96];
    private RandomAccessFile stat;
    long ops, check, now, beginNs, opNs;
    long[] ends = Track.NONE;
    int filled;
    Op op;
    Thread thread;
    String tid;
    volatile Order order;
    Throwable failure;

    Lane(Cell cell, int w) {
        this.cell = cell;
        this.w = w;
        yields = cell != null && cell.carriers != null;
    }

    @Override public void run() {
        Order mine;
        do {
            while ((mine = order) == null) LockSupport.park(this);
            order = null;
            try {
                obey(mine);
            } catch (Throwable error) {
                failure = error;
            }
            cell.obeyed();
        } while (mine != Order.END);
    }

    private void obey(Order mine) throws IOException {
        switch (mine) {
            case OPEN -> {
                if (!yields) {
                    tid = Kernel.id("/proc/thread-self");
                    stat = Kernel.openSchedstat("/proc/thread-self"); // the link is followed when it is opened
                }
                op = cell.workload.op(w);
            }
            case ALONE -> warmAlone();
            case TOGETHER -> warmTogether();
            case ARM -> {
                for (Cell.Slot slot : cell.slots) slot.tracks[w] = new Track(cell.plan, slot.startNs, cell.merged, op instanceof Locking);
            }
            case RUN -> work(cell.running.tracks[w], cell.running.carried);
            case END -> { }
        }
    }

    // --- A slot -----------------------------------------------------------------------------------------------------

    /** From before its start to the end of its tail. */
    private void work(Track track, Carriers.Carried carried) throws IOException {
        op.timed(track.plan.timed);
        track.startedNs = awaitStart(track.startNs, yields ? 0 : track.plan.spinNs);
        enter(track, carried);
        boolean stays = true;
        while (stays && track.at < track.edges.length) {
            stays = loop(this, op, track.edges[track.at], track.hist());
            cross(track, stays, carried);
        }
        track.filled = filled;
        if (stays) op.last();
    }

    /** Sleeps until `startNs - spinNs`, spins the rest; the moment it saw the start. */
    private static long awaitStart(long startNs, long spinNs) {
        long now = System.nanoTime();
        for (; now < startNs - spinNs; now = System.nanoTime()) LockSupport.parkNanos(startNs - spinNs - now);
        for (; now < startNs; now = System.nanoTime()) Thread.onSpinWait();
        return now;
    }

    /** Operations until one ends at or after `edge`; false if the worker left instead. Timed if there is a `hist`. */
    private static boolean loop(Lane lane, Op op, long edge, Hist hist) throws IOException {
        final long batch = op.batch, begin = lane.beginNs;
        final long[] ends = lane.ends;
        final boolean yields = lane.yields, timed = hist != null;
        long ops = lane.ops, check = lane.check, now = lane.now, began = 0;
        int filled = lane.filled;
        boolean stays = true;
        do {
            if (yields) Thread.yield();
            if (!op.meet()) {
                stays = false;
                break;
            }
            if (timed) began = System.nanoTime();
            check += op.run(ops);
            now = System.nanoTime();
            ops += batch;
            if (timed) hist.record(now - began);
            if (filled < ends.length && now >= begin) ends[filled++] = now - begin;
        } while (now < edge);
        lane.ops = ops;
        lane.check = check;
        lane.now = now;
        lane.filled = filled;
        return stays;
    }

    private void enter(Track track, Carriers.Carried carried) throws IOException {
        op.begin();
        ops = check = 0;
        filled = 0;
        ends = track.ends;
        beginNs = track.startNs + track.plan.rampNs;
        sample();
        if (carried != null) carried.cross(0);
        now = System.nanoTime();
        track.put(0, this);
        op.within(track.parts());
    }

    private void cross(Track track, boolean stays, Carriers.Carried carried) throws IOException {
        sample();
        int last = track.edges.length;
        if (stays) {
            do track.put(++track.at, this);
            while (track.at < last && now >= track.edges[track.at]);
        } else { // a round has ended for all: the tail ends with it, an earlier interval stays open
            track.put(track.at + 1, this);
            track.early = track.at < last - 1;
            if (!track.early) track.at++;
        }
        if (carried != null) carried.cross(track.at);
        op.within(track.parts());
    }

    private void sample() throws IOException {
        if (yields) return; // its carrier changes
        Kernel.readSchedstat(stat, bytes, figures, 0);
        // schedstat's CPU time is that of the last tick or switch; the thread clock's is of now
        if (Jvm.THREADS != null) figures[0] = Jvm.THREADS.getCurrentThreadCpuTime();
    }

    // --- Warm-up ----------------------------------------------------------------------------------------------------

    /** In one worker, before the others: everything is compiled, every branch seen; how long an operation takes. */
    private void warmAlone() throws IOException {
        op.begin();
        op.shorten(true);
        long before = 0;
        for (int k = 0; op.drills > 0 && (k < 3 || k < DRILLS_MAX && Jvm.compiledMs() != before); k++) {
            before = Jvm.compiledMs();
            drill();
        }
        op.shorten(false);
        for (int k = 0; k < 300; k++) rehearse();
        op.begin();
        opNs = Math.max(1, Math.round(cost(false, 5, 0)));
    }

    /** In all workers at once, from a sleep as before a start, as many operations in each. */
    private void warmTogether() throws IOException {
        Hist hist = Hist.forgotten();
        op.begin();
        awaitStart(System.nanoTime() + 1_000_000, 0);
        op.shorten(true);
        ends = Track.NONE;
        for (int n = -6; n < op.drills; n++) {
            if (n == op.drills - 6) op.shorten(false);
            op.timed(n % 2 == 0);
            loop(this, op, 0, n % 2 == 0 ? hist : null);
        }
        rehearse();
    }

    /** Calls the loop as often as the optimising compiler wants, by all its branches. */
    private void drill() throws IOException {
        Hist hist = Hist.forgotten();
        ends = new long[2];
        for (int n = 0; n < op.drills; n++) {
            filled = n % 3 == 0 ? ends.length : 0;
            beginNs = n % 3 == 1 ? 0 : Long.MAX_VALUE;
            op.timed(n % 2 == 0);
            loop(this, op, System.nanoTime() + DRILL_NS, n % 2 == 0 ? hist : null);
        }
    }

    /** The crossings of a go without its operations. */
    private void rehearse() throws IOException {
        Track track = new Track(Plan.REHEARSAL, 0, false, op instanceof Locking);
        Carriers.Carried carried = cell.carriers == null ? null : cell.carriers.record(Plan.REHEARSAL);
        for (enter(track, carried); track.at < track.edges.length; cross(track, true, carried)) {
            now = track.edges[track.at];
        }
    }

    /** The least time an operation took in some calls of the loop, each of `ns` and at least one operation. */
    private double cost(boolean timed, int calls, long ns) throws IOException {
        Hist hist = timed ? Hist.forgotten() : null;
        ends = Track.NONE;
        op.timed(timed);
        double best = Double.MAX_VALUE;
        for (int k = 0; k < calls; k++) {
            long before = ops, began = System.nanoTime();
            loop(this, op, began + ns, hist);
            best = Math.min(best, (double) (now - began) / (ops - before));
        }
        return best;
    }

    /** What timing one operation adds: the loop around nothing with its timing less without. */
    static long timerCostPs() throws IOException {
        Lane lane = new Lane(null, 0);
        lane.op = new Op.Noop(1);
        double timed = Double.MAX_VALUE, bare = Double.MAX_VALUE;
        for (int k = 0; k < 2; k++) lane.drill();
        for (int k = 0; k < 3; k++) {
            timed = Math.min(timed, lane.cost(true, 5, 200_000));
            bare = Math.min(bare, lane.cost(false, 5, 200_000));
        }
        return Math.max(0, Math.round(1000 * (timed - bare)));
    }
}
