import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/** The workers of one preparation, each parked; the opener waits, without a timer, for the last to obey. */
final class Cell {
    private static final int TOGETHER_MAX = 5;

    final String id;
    final Workload workload;
    final Carriers carriers; // null for platform threads
    final Lane[] lanes;
    private final Thread opener = Thread.currentThread();
    private final AtomicInteger busy = new AtomicInteger();
    Plan plan; // of the last `go`; null: none yet
    List<Slot> slots;
    Slot running;
    boolean merged;

    /** One turn of one cell in a `go`. */
    static final class Slot {
        final Cell cell;
        final int number;
        final long startNs;
        final Track[] tracks; // by worker
        Carriers.Carried carried;
        Runnable common; // writes the lines of what the workers recorded together

        Slot(Cell cell, int number, long startNs) {
            this.cell = cell;
            this.number = number;
            this.startNs = startNs;
            tracks = new Track[cell.lanes.length];
        }

        void run(Out out, boolean withSlot) throws Exception {
            cell.running = this;
            Locking.Shared shared = cell.workload.locks;
            if (shared != null) shared.open(cell.plan, startNs);
            cell.tell(Lane.Order.RUN, tracks.length);
            if (shared != null) common = shared.close(out, cell.id, withSlot ? number : -1);
        }
    }

    Cell(String id, Workload workload, boolean virtual, int n) throws Exception {
        this.id = id;
        this.workload = workload;
        carriers = virtual ? Carriers.find() : null;
        workload.hall.turns = n > Runtime.getRuntime().availableProcessors();
        lanes = new Lane[n];
        try {
            for (int w = 0; w < n; w++) lanes[w] = start(new Lane(this, w), virtual);
            tell(Lane.Order.OPEN, n);
            warm();
        } catch (Throwable error) {
            end();
            throw error;
        }
    }

    private static Lane start(Lane lane, boolean virtual) throws ReflectiveOperationException {
        lane.thread = virtual ? Jvm.startVirtual(lane) : new Thread(lane);
        if (!virtual) {
            lane.thread.setDaemon(true);
            lane.thread.start();
        }
        return lane;
    }

    /** The first worker alone, then all of them until the compilers are idle. */
    private void warm() throws Exception {
        workload.hall.parties = 1;
        tell(Lane.Order.ALONE, 1);
        workload.hall.parties = lanes.length;
        long before;
        int k = 0;
        do {
            before = Jvm.compiledMs();
            tell(Lane.Order.TOGETHER, lanes.length);
        } while (lanes.length > 1 && ++k < TOGETHER_MAX && Jvm.compiledMs() != before);
    }

    /** Gives an order to the first n workers and waits until all have obeyed. */
    private void tell(Lane.Order order, int n) throws Exception {
        busy.set(n);
        for (int w = 0; w < n; w++) {
            lanes[w].order = order;
            LockSupport.unpark(lanes[w].thread);
        }
        while (busy.get() > 0) LockSupport.park(this);
        for (int w = 0; w < n; w++) {
            Throwable failure = lanes[w].failure;
            if (failure instanceof Exception) throw (Exception) failure;
            if (failure != null) throw (Error) failure;
        }
    }

    void obeyed() {
        if (busy.decrementAndGet() == 0) LockSupport.unpark(opener);
    }

    /** Each worker allocates and touches its own record of every slot that is this cell's. */
    void arm(Plan plan, Slot[] all) throws Exception {
        this.plan = plan;
        slots = new ArrayList<>();
        if (carriers != null) carriers.check();
        for (Slot slot : all) {
            if (slot.cell != this) continue;
            if (carriers != null) slot.carried = carriers.record(plan);
            slots.add(slot);
        }
        merged = 4L * Hist.BUCKETS * lanes.length * plan.windows * slots.size() > Hist.BYTES_MAX;
        tell(Lane.Order.ARM, lanes.length);
    }

    /** The lines of `collect`. */
    void report(Out out, boolean withSlot) throws IOException {
        for (Slot slot : slots) {
            int number = withSlot ? slot.number : -1;
            for (Lane lane : lanes) slot.tracks[lane.w].report(out, id, number, lane.w);
            if (slot.common != null) slot.common.run();
            if (slot.carried != null) slot.carried.report(out, id, number, plan.ramps);
        }
    }

    void end() {
        for (Lane lane : lanes) {
            if (lane == null) continue;
            lane.order = Lane.Order.END;
            LockSupport.unpark(lane.thread);
        }
    }
}
