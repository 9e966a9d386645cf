import java.io.File;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.locks.LockSupport;

/**
 * Worker of the harness in Java: platform threads and virtual threads that do the same work as every language.
 *
 * <p>Speaks PROTOCOL.md version 1 on stdin and stdout with nothing but the JDK; one class file for 17 and later. What
 * lives here: the lines, the hot loops, their record, and the ways to run N of them at once. What never will: pinning,
 * counters, statistics (all the harness's). README.md says how each choice touches fairness. No lambda, no string
 * concatenation, no stream on the way to `ready`: the first of each costs a start some ten milliseconds.
 */
public final class Worker {
    static final String WORKLOADS = "noop,cpu,sleep,pipe,mem,serial";
    static final String FEATURES = "alternate,spans";
    static final long M = 2147483647L;
    static final int LINE_MAX = 1 << 20;
    static final int SPANS_MAX = 1 << 16; // ends of operations that fit a line
    static final int BUCKETS = 25 << 10; // longer than 17 s counts in the last; minimum, maximum and sum stay exact
    static final int HIST_BYTES_MAX = 32 << 20; // of one cell; above it one histogram a worker, not one a window
    static final long LEAD_NS = 20_000_000, AHEAD_NS_MAX = 3_600_000_000_000L;
    static final int DRILL_CALLS = 6000, DRILL_NS = 5000, DRILLS_MAX = 20;
    static final boolean VIRTUAL = Runtime.version().feature() >= 21;
    static final boolean READS_FREELY = Runtime.version().feature() >= 23; // before, a read in a virtual thread adds a carrier
    static final long[] NONE = {};

    // --- The work ---------------------------------------------------------------------------------------------------

    /** Keeps what two workers write 128 bytes apart, wherever the collector puts them. */
    abstract static class Padded {
        long p0, p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11, p12, p13, p14, p15;
    }

    /** The operations of one worker, made by the thread that will run them. */
    abstract static class Op extends Padded {
        long batch = 1; // operations a call of `run`

        /** Operation 0 is next. */
        void begin() {}

        /** Before each operation; false: all leave. */
        boolean meet() {
            return true;
        }

        /** Does operation i (of a batch: all from i on); the sum of their results. */
        abstract long run(long i) throws IOException;

        /** After an operation that crossed the end of the tail. */
        void last() {}

        void timed(boolean each) {}

        /** Makes operations short for the warm-up, or long again; false if there is nothing to shorten. */
        boolean shorten(boolean on) {
            return false;
        }

        void close() throws IOException {}
    }

    static final class Noop extends Op {
        private final long asked;
        private volatile int one = 1; // read each time, so that the compiler can't add a batch up beforehand

        Noop(long batch) {
            asked = this.batch = batch;
        }

        @Override
        void timed(boolean each) {
            batch = each ? 1 : asked;
        }

        @Override
        boolean shorten(boolean on) {
            return true;
        }

        @Override
        long run(long i) {
            long sum = 0;
            for (int left = (int) batch; left > 0; left--) sum += one;
            return sum;
        }
    }

    static class Cpu extends Op {
        final int asked;
        int steps;

        Cpu(int steps) {
            asked = this.steps = steps;
        }

        /** MINSTD: each step needs the one before, so there is nothing to vectorise and nothing to fold. */
        static long chain(long x, int steps) {
            for (int step = 0; step < steps; step++) x = x * 48271 % M;
            return x;
        }

        @Override
        boolean shorten(boolean on) {
            steps = on ? Math.min(asked, 200) : asked;
            return true;
        }

        @Override
        long run(long i) {
            return chain(1 + (i & 63), steps);
        }
    }

    static final class Sleep extends Op {
        private final long ns;

        Sleep(long ns) {
            this.ns = ns;
        }

        @Override
        long run(long i) {
            long end = System.nanoTime() + ns;
            for (long left = ns; left > 0; left = end - System.nanoTime()) LockSupport.parkNanos(left);
            return 1;
        }
    }

    static final class Pipe extends Op {
        private final RandomAccessFile request, response;

        Pipe(String dir, long k) throws IOException {
            String path = new StringBuilder(dir).append("/w").append(k).toString();
            request = new RandomAccessFile(path.concat(".req"), "rw");
            response = new RandomAccessFile(path.concat(".rsp"), "rw");
        }

        @Override
        long run(long i) throws IOException {
            request.write((int) (i % 251));
            return response.read();
        }

        @Override
        void close() throws IOException {
            request.close();
            response.close();
        }
    }

    /** Outside the heap: never moved by the collector, first touched by its worker, as large as asked for. */
    static ByteBuffer table(long bytes) {
        return ByteBuffer.allocateDirect((int) bytes + 64).alignedSlice(64).order(ByteOrder.nativeOrder());
    }

    static final class Chase extends Op {
        private final ByteBuffer table;
        private final int asked;
        private int steps, k;

        Chase(long bytes, int steps) {
            asked = this.steps = steps;
            int lines = (int) Long.highestOneBit(bytes / 64);
            table = table(bytes);
            for (int line = 0; line < lines; line++) {
                table.putInt(line << 6, (int) (1103515245L * line + 12345 & lines - 1));
            }
        }

        @Override
        void begin() {
            k = 0;
        }

        @Override
        boolean shorten(boolean on) {
            steps = on ? Math.min(asked, 8) : asked;
            return true;
        }

        @Override
        long run(long i) {
            int at = k;
            for (int step = 0; step < steps; step++) at = table.getInt(at << 6);
            return k = at;
        }
    }

    static final class Stream extends Op {
        private final LongBuffer elements;
        private final int chunk, chunks;
        private int length;

        Stream(long bytes, long chunk) {
            this.chunk = length = (int) (chunk / 8);
            chunks = (int) (bytes / chunk);
            elements = table(bytes).asLongBuffer();
            for (int j = 0; j < elements.limit() && j < bytes / 8; j++) elements.put(j, j);
        }

        @Override
        boolean shorten(boolean on) {
            length = on ? Math.min(chunk, 512) : chunk;
            return true;
        }

        @Override
        long run(long i) {
            int from = (int) (i % chunks) * chunk;
            return sum(elements, from, from + length) % M;
        }

        private static long sum(LongBuffer elements, int from, int to) {
            long sum = 0;
            for (int j = from; j < to; j++) sum += elements.get(j);
            return sum;
        }
    }

    /** Where the workers of a `serial` cell meet: a barrier and a ticket lock, each word 128 bytes from the next. */
    static final class Hall extends AtomicLongArray {
        static final int ARRIVED = 16, ROUND = 32, TICKET = 48, SERVING = 64, LEAVE = 80, WORDS = 96;
        static final int SPINS = 4000;
        int parties;
        boolean turns;

        Hall() {
            super(WORDS);
        }

        void await(int word, long value) {
            for (int spins = turns ? SPINS : 0; get(word) < value; spins++) {
                if (spins < SPINS) Thread.onSpinWait();
                else Thread.yield();
            }
        }
    }

    static final class Serial extends Cpu {
        private final Hall hall;
        private final int permille;
        private int locked;
        private long round;

        Serial(Hall hall, int steps, int permille) {
            super(steps);
            this.hall = hall;
            this.permille = permille;
            shorten(false);
        }

        @Override
        boolean shorten(boolean on) {
            super.shorten(on);
            locked = (int) ((long) steps * permille / 1000);
            return true;
        }

        @Override
        void begin() {
            round = hall.get(Hall.ROUND);
        }

        @Override
        boolean meet() {
            round++;
            if (hall.incrementAndGet(Hall.ARRIVED) == hall.parties) {
                hall.set(Hall.ARRIVED, 0);
                hall.set(Hall.ROUND, round);
            } else {
                hall.await(Hall.ROUND, round);
            }
            return hall.get(Hall.LEAVE) != round;
        }

        @Override
        long run(long i) {
            long x = chain(1 + (i & 63), steps - locked);
            long ticket = hall.getAndIncrement(Hall.TICKET);
            hall.await(Hall.SERVING, ticket);
            x = chain(x, locked);
            hall.set(Hall.SERVING, ticket + 1);
            return x;
        }

        /** Names the round, for a bare flag could be seen by a worker that is still behind the barrier before. */
        @Override
        void last() {
            hall.set(Hall.LEAVE, round + 1);
            meet();
        }
    }

    // --- The loops --------------------------------------------------------------------------------------------------

    /** Throughput and counters pass: operations until one ends at or after `edge`; false if the worker left instead. */
    static boolean count(Lane lane, Op op, long edge) throws IOException {
        long ops = lane.ops, check = lane.check, now = lane.now;
        final long batch = op.batch, begin = lane.beginNs;
        final long[] ends = lane.ends;
        final boolean yields = lane.yields;
        int filled = lane.filled;
        boolean stays = true;
        do {
            if (yields) Thread.yield();
            if (!op.meet()) {
                stays = false;
                break;
            }
            check += op.run(ops);
            ops += batch;
            now = System.nanoTime();
            if (filled < ends.length && now >= begin) ends[filled++] = now - begin;
        } while (now < edge);
        lane.ops = ops;
        lane.check = check;
        lane.now = now;
        lane.filled = filled;
        return stays;
    }

    /** Latency pass: the same, every operation timed into a histogram. */
    static boolean time(Lane lane, Op op, long edge, Hist hist) throws IOException {
        long ops = lane.ops, check = lane.check, now = lane.now;
        long min = hist.min, max = hist.max, sum = hist.sum;
        final long begin = lane.beginNs;
        final long[] ends = lane.ends;
        final int[] counts = hist.counts;
        final boolean yields = lane.yields;
        int filled = lane.filled;
        boolean stays = true;
        do {
            if (yields) Thread.yield();
            if (!op.meet()) {
                stays = false;
                break;
            }
            long began = System.nanoTime();
            check += op.run(ops);
            now = System.nanoTime();
            ops++;
            long took = now - began;
            int k = Math.max(0, 53 - Long.numberOfLeadingZeros(took));
            counts[(int) Math.min((k << 10) + (took >> k), counts.length - 1)]++;
            min = Math.min(min, took);
            max = Math.max(max, took);
            sum += took;
            if (filled < ends.length && now >= begin) ends[filled++] = now - begin;
        } while (now < edge);
        lane.ops = ops;
        lane.check = check;
        lane.now = now;
        lane.filled = filled;
        hist.min = min;
        hist.max = max;
        hist.sum = sum;
        return stays;
    }

    static final class Hist {
        final int[] counts;
        long min = Long.MAX_VALUE, max, sum;

        Hist(int buckets) {
            counts = new int[buckets];
        }
    }

    // --- The record of one worker -----------------------------------------------------------------------------------

    /** How a go cuts the time from its start. */
    static final class Plan {
        boolean timed;
        int spans, ramps, windows;
        long rampNs, lengthNs, spinNs;
        long[] ends; // of the intervals, from the start

        Plan(Map<String, String> keys) throws Failure {
            String pass = keys.get("pass");
            timed = "latency".equals(pass);
            if (!timed && !"throughput".equals(pass) && !"counters".equals(pass)) {
                throw new Failure("unsupported", "pass=" + pass + " is not one of throughput,latency,counters");
            }
            rampNs = number(keys, "ramp_ns", 0, 0, Long.MAX_VALUE);
            long window = number(keys, "window_ns", -1, 1, Long.MAX_VALUE);
            windows = (int) number(keys, "windows", -1, 1, 1 << 20);
            spinNs = number(keys, "spin_ns", 0, 0, Long.MAX_VALUE);
            spans = (int) Math.min(SPANS_MAX, number(keys, "spans", 0, 0, Long.MAX_VALUE));
            ramps = (int) Math.min(1 << 20, Math.max(1, rampNs / window));
            ends = new long[ramps + windows + 1];
            for (int k = 0; k < ramps + windows; k++) ends[k] = rampNs + Math.multiplyExact(window, (long) k + 1 - ramps);
            long tail = number(keys, "tail_ns", 0, 0, Long.MAX_VALUE);
            lengthNs = ends[ends.length - 1] = Math.addExact(ends[ends.length - 2], tail);
        }
    }

    /** One worker's record of one slot: a row at every boundary crossed, histograms, ends of operations. */
    static final class Track {
        final Plan plan;
        final long[] edges, stamp, ops, check, cpu, delay;
        final long startNs;
        final long[] ends;
        final Hist[] hists; // null: nothing is timed
        final Hist aside;
        int at, filled;
        boolean early; // left before the end of the windows
        long startedNs;

        Track(Plan plan, long startNs, boolean merged) {
            this.plan = plan;
            this.startNs = startNs;
            edges = plan.ends.clone();
            for (int k = 0; k < edges.length; k++) edges[k] += startNs;
            int rows = edges.length + 1;
            stamp = new long[rows];
            ops = new long[rows];
            check = new long[rows];
            cpu = new long[rows];
            delay = new long[rows];
            ends = plan.spans > 0 ? new long[plan.spans] : NONE;
            hists = plan.timed ? new Hist[merged ? 1 : plan.windows] : null;
            for (int k = 0; plan.timed && k < hists.length; k++) hists[k] = new Hist(BUCKETS);
            aside = plan.timed ? new Hist(2048) : null; // of ramp and tail, forgotten: the loop is the same
        }

        Hist hist() {
            int i = at - plan.ramps;
            return i < 0 || i >= plan.windows ? aside : hists[hists.length == 1 ? 0 : i];
        }

        void put(int row, Lane lane) {
            stamp[row] = lane.now;
            ops[row] = lane.ops;
            check[row] = lane.check;
            cpu[row] = lane.figures[0];
            delay[row] = lane.figures[1];
        }

        void report(Out out, String id, int slot, int w) throws IOException {
            int last = early ? at + 1 : at;
            for (int k = 0; k < last; k++) {
                out.verb("window").put("id", id).put("i", k - plan.ramps).put("w", w).slot(slot);
                if (k == edges.length - 1) out.put("tail", 1);
                out.put("ops", ops[k + 1] - ops[k]).put("check", (check[k + 1] - check[k]) % M).put("first_ns", stamp[k]);
                if (k < at) out.put("last_ns", stamp[k + 1]);
                if (cpu[k] >= 0 && cpu[k + 1] >= 0) out.put("cpu_ns", cpu[k + 1] - cpu[k]);
                if (delay[k] >= 0 && delay[k + 1] >= 0) out.put("delay_ns", delay[k + 1] - delay[k]);
                out.end();
            }
            out.verb("total").put("id", id).put("w", w).slot(slot).put("ops", ops[last]).put("check", check[last] % M);
            out.put("started_ns", startedNs).put("entered_ns", stamp[0]).put("ended_ns", stamp[last]).end();
            if (ends.length > 0) {
                out.verb("span").put("id", id).put("w", w).slot(slot).list("t", ends, filled).end();
            }
            for (int h = 0; hists != null && h < hists.length; h++) {
                long n = 0;
                for (int c : hists[h].counts) n += c;
                if (n == 0) continue;
                out.verb("hist").put("id", id).put("w", w).slot(slot).put("name", "op").put("unit", "ns");
                if (hists.length > 1 || plan.windows == 1) out.put("i", h);
                out.put("n", n).put("min", hists[h].min).put("max", hists[h].max).put("sum", hists[h].sum);
                out.counts("b", hists[h].counts).end();
            }
        }
    }

    /** What the JVM tells of itself; java.management is not in every runtime image, and then this is absent. */
    static final class Jvm {
        static final ThreadMXBean THREADS = threads();

        private static ThreadMXBean threads() {
            try {
                ThreadMXBean bean = ManagementFactory.getThreadMXBean();
                return bean.isCurrentThreadCpuTimeSupported() && bean.isThreadCpuTimeEnabled() ? bean : null;
            } catch (LinkageError absent) {
                return null;
            }
        }

        /** Milliseconds that the compilers have worked; grows when a compilation ends. */
        static long compiledMs() {
            return THREADS == null ? -1 : ManagementFactory.getCompilationMXBean().getTotalCompilationTime();
        }

        static String collectors() {
            StringBuilder names = new StringBuilder();
            try {
                for (GarbageCollectorMXBean bean : ManagementFactory.getGarbageCollectorMXBeans()) {
                    names.append(names.length() > 0 ? "," : "").append(bean.getName());
                }
                return names.toString();
            } catch (LinkageError absent) {
                return null;
            }
        }
    }

    /** Reads CPU time and run delay from an open schedstat file, without allocating; -1 where they are not known. */
    static void schedstat(RandomAccessFile file, byte[] bytes, long[] into, int at) throws IOException {
        file.seek(0);
        int length = file.read(bytes), field = 0;
        long value = 0;
        into[at] = into[at + 1] = -1;
        for (int j = 0; j < length && field < 2; j++) {
            if (bytes[j] >= '0' && bytes[j] <= '9') {
                value = value * 10 + bytes[j] - '0';
            } else {
                into[at + field++] = value;
                value = 0;
            }
        }
    }

    static RandomAccessFile openSchedstat(String task) throws IOException {
        String path = new StringBuilder("/proc/").append(task).append("/schedstat").toString();
        return new File(path).exists() ? new RandomAccessFile(path, "r") : null;
    }

    // --- One worker -------------------------------------------------------------------------------------------------

    static final int OPEN = 1, ALONE = 2, TOGETHER = 3, ARM = 4, RUN = 5, CLOSE = 6;

    /** One worker, whatever carries it; obeys orders in the thread that is its own. */
    static final class Lane extends Padded implements Runnable {
        final Cell cell;
        final int w;
        final boolean yields;
        final long[] figures = {-1, -1}; // CPU time, run delay
        long ops, check, now, beginNs, opNs;
        long[] ends = NONE;
        int filled;
        Op op;
        Track[] tracks;
        Thread thread;
        String tid;
        volatile int order;
        Throwable failure;
        private RandomAccessFile stat;
        private final byte[] bytes = new byte[96];

        Lane(Cell cell, int w) {
            this.cell = cell;
            this.w = w;
            yields = cell != null && cell.virtual;
        }

        @Override
        public void run() {
            for (int mine = 0; mine != CLOSE; ) {
                while ((mine = order) == 0) LockSupport.park(this);
                order = 0;
                try {
                    obey(mine);
                } catch (Throwable error) {
                    failure = error;
                }
                cell.done();
            }
        }

        private void obey(int mine) throws Exception {
            switch (mine) {
                case OPEN -> open();
                case ALONE -> alone();
                case TOGETHER -> together();
                case ARM -> {
                    tracks = new Track[cell.slots.length];
                    for (int j = 0; j < tracks.length; j++) tracks[j] = new Track(cell.plan, cell.starts[j], cell.merged);
                }
                case RUN -> work(tracks[cell.turn], cell.carried == null ? null : cell.carried[cell.turn]);
                default -> {
                    if (op != null) op.close();
                    if (stat != null) stat.close();
                }
            }
        }

        private void open() throws Exception {
            if (!yields) {
                tid = new File("/proc/thread-self").getCanonicalFile().getName();
                stat = openSchedstat("thread-self"); // the link is followed when it is opened
            }
            op = cell.make(w);
        }

        /** One slot, from before its start to the end of its tail. */
        private void work(Track track, Carried carried) throws IOException {
            op.timed(track.hists != null);
            op.begin();
            reset(track);
            track.startedNs = awaitStart(track.startNs, yields ? 0 : track.plan.spinNs);
            enter(track, carried);
            boolean stays = true;
            while (stays && track.at < track.edges.length) {
                long edge = track.edges[track.at];
                stays = track.hists == null ? count(this, op, edge) : time(this, op, edge, track.hist());
                cross(track, stays, carried);
            }
            track.filled = filled;
            if (stays) op.last();
        }

        private void reset(Track track) {
            ops = check = 0;
            filled = 0;
            ends = track.ends;
            beginNs = track.startNs + track.plan.rampNs;
        }

        private void enter(Track track, Carried carried) throws IOException {
            sample();
            if (carried != null) carried.cross(0);
            now = System.nanoTime();
            track.put(0, this);
        }

        private void cross(Track track, boolean stays, Carried carried) throws IOException {
            sample();
            int last = track.edges.length;
            if (!stays) { // a round ended for all: the tail ends with it, an earlier interval stays open
                track.put(track.at + 1, this);
                track.early = track.at < last - 1;
                if (!track.early) track.at++;
            } else {
                do track.put(++track.at, this);
                while (track.at < last && now >= track.edges[track.at]);
            }
            if (carried != null) carried.cross(track.at);
        }

        private void sample() throws IOException {
            if (stat != null) schedstat(stat, bytes, figures, 0);
            // schedstat's CPU time is that of the last tick: where the thread clock can be asked, it is.
            if (!yields && Jvm.THREADS != null) figures[0] = Jvm.THREADS.getCurrentThreadCpuTime();
        }

        /** In one worker, before the others: everything is compiled, every branch seen; how long an operation takes. */
        private void alone() throws Exception {
            op.begin();
            if (op.shorten(true)) {
                long before;
                int drills = 0;
                do {
                    before = Jvm.compiledMs();
                    drill();
                    drills++;
                } while (drills < 3 || drills < DRILLS_MAX && Jvm.compiledMs() != before);
                op.shorten(false);
            }
            Plan plan = cell.warmPlan();
            for (int k = 0; k < 300; k++) rehearse(plan);
            opNs = cost(false, 5, 0);
        }

        /** In each worker, all at once. */
        private void together() throws Exception {
            op.begin();
            Hist hist = new Hist(2048);
            ends = NONE;
            for (int k = 0; k < 3; k++) {
                op.timed(false);
                count(this, op, 0);
                op.timed(true);
                time(this, op, 0, hist);
            }
            rehearse(cell.warmPlan());
        }

        /** Calls both loops as often as the optimising compiler wants, by all their branches. */
        void drill() throws IOException {
            Hist hist = new Hist(2048);
            ends = new long[2];
            for (int n = 0; n < DRILL_CALLS; n++) {
                filled = n % 3 == 0 ? ends.length : 0;
                beginNs = n % 3 == 1 ? 0 : Long.MAX_VALUE;
                op.timed(n % 2 == 0);
                long edge = System.nanoTime() + DRILL_NS;
                if (n % 2 == 0) time(this, op, edge, hist);
                else count(this, op, edge);
            }
        }

        /** The crossings of a go without its operations. */
        private void rehearse(Plan plan) throws Exception {
            Track track = new Track(plan, 0, false);
            Carried carried = cell.carriers == null ? null : cell.carriers.record(plan);
            reset(track);
            enter(track, carried);
            while (track.at < track.edges.length) {
                now = track.edges[track.at];
                cross(track, true, carried);
            }
        }

        /** The least time of an operation in some calls of a loop, ps if timed, else ns. */
        long cost(boolean timed, int calls, long ns) throws IOException {
            Hist hist = new Hist(2048);
            ends = NONE;
            op.timed(timed);
            double best = Double.MAX_VALUE;
            for (int k = 0; k < calls; k++) {
                long before = ops, began = System.nanoTime();
                if (timed) time(this, op, began + ns, hist);
                else count(this, op, began + ns);
                best = Math.min(best, (double) (now - began) / (ops - before));
            }
            return Math.max(1, Math.round(best * (ns > 0 ? 1000 : 1)));
        }
    }

    /** Sleeps until `startNs - spinNs`, spins the rest; the moment it saw the start. */
    static long awaitStart(long startNs, long spinNs) {
        long now = System.nanoTime();
        for (; now < startNs - spinNs; now = System.nanoTime()) LockSupport.parkNanos(startNs - spinNs - now);
        for (; now < startNs; now = System.nanoTime()) Thread.onSpinWait();
        return now;
    }

    // --- Virtual threads --------------------------------------------------------------------------------------------

    static Thread startVirtual(Runnable body) throws ReflectiveOperationException {
        return (Thread) Thread.class.getMethod("startVirtualThread", Runnable.class).invoke(null, body);
    }

    static int parallelism() {
        return Integer.getInteger("jdk.virtualThreadScheduler.parallelism", Runtime.getRuntime().availableProcessors());
    }

    /** Occupies a carrier until all are there. */
    static final class Occupant implements Runnable {
        final AtomicInteger here = new AtomicInteger();
        final int all = parallelism();
        final long deadline = System.nanoTime() + 2_000_000_000L;

        @Override
        public void run() {
            here.incrementAndGet();
            while (here.get() < all && System.nanoTime() < deadline) Thread.onSpinWait();
        }
    }

    /** The scheduler's threads that run virtual threads. */
    static final class Carriers {
        private static Carriers found;
        final String[] tids;
        final RandomAccessFile[] stats;

        private Carriers(String[] tids) throws IOException {
            this.tids = tids;
            stats = new RandomAccessFile[tids.length];
            for (int c = 0; c < tids.length; c++) stats[c] = openSchedstat("self/task/".concat(tids[c]));
        }

        /**
         * Makes the scheduler start all of them, then looks for their names: before any timed park, which starts a
         * thread of a like name (25) that carries nothing.
         */
        static Carriers find() throws Exception {
            if (found != null) return found;
            Occupant occupant = new Occupant();
            for (int c = 0; c < occupant.all; c++) startVirtual(occupant);
            while (occupant.here.get() < occupant.all && System.nanoTime() < occupant.deadline) {
                LockSupport.parkNanos(100_000);
            }
            StringBuilder tids = new StringBuilder();
            String[] tasks = new File("/proc/self/task").list();
            Arrays.sort(tasks);
            for (String task : tasks) {
                String comm = slurp(new StringBuilder("/proc/self/task/").append(task).append("/comm").toString());
                if (comm.startsWith("ForkJoinPool-1-")) tids.append(tids.length() > 0 ? "," : "").append(task);
            }
            if (tids.length() == 0) throw new Failure("internal", "no thread named ForkJoinPool-1-… carries virtual threads");
            return found = new Carriers(split(tids.toString(), ','));
        }

        /** The scheduler ends carriers that were idle for 30 s; what was pinned and counted is gone then. */
        void check() throws Failure {
            for (String tid : tids) {
                if (!new File("/proc/self/task/".concat(tid)).exists()) {
                    throw new Failure("internal", "carrier " + tid + " ended, idle for too long: prepare again");
                }
            }
        }

        Carried record(Plan plan) {
            return READS_FREELY ? new Carried(this, plan.ends.length + 1) : null;
        }
    }

    /** The carriers' figures at each boundary, read by the first worker that crosses it. */
    static final class Carried {
        private final Carriers carriers;
        private final long[][] rows;
        private final byte[] bytes = new byte[96];
        private volatile int next;

        Carried(Carriers carriers, int boundaries) {
            this.carriers = carriers;
            rows = new long[boundaries][2 * carriers.tids.length];
        }

        void cross(int row) throws IOException {
            if (row >= next) read(row);
        }

        private synchronized void read(int row) throws IOException {
            int from = next;
            if (row < from) return;
            for (int c = 0; c < carriers.stats.length; c++) {
                if (carriers.stats[c] != null) schedstat(carriers.stats[c], bytes, rows[row], 2 * c);
                else rows[row][2 * c] = -1;
            }
            for (int k = from; k < row; k++) System.arraycopy(rows[row], 0, rows[k], 0, rows[row].length);
            next = row + 1;
        }

        void report(Out out, String id, int slot, int ramps) throws IOException {
            for (int k = 0; k + 1 < next; k++) {
                for (int c = 0; c < carriers.tids.length; c++) {
                    long[] a = rows[k], b = rows[k + 1];
                    if (a[2 * c] < 0 || b[2 * c] < 0) continue;
                    out.verb("carrier").put("id", id).put("i", k - ramps).slot(slot).put("tid", carriers.tids[c]);
                    out.put("cpu_ns", b[2 * c] - a[2 * c]).put("delay_ns", b[2 * c + 1] - a[2 * c + 1]).end();
                }
            }
        }
    }

    // --- N workers at once ------------------------------------------------------------------------------------------

    /** The workers of one preparation, each parked on itself; the opener waits, without a timer, for the last. */
    static final class Cell {
        final Map<String, String> keys;
        final String workload;
        final boolean virtual;
        final Lane[] lanes;
        final Hall hall = new Hall();
        final Carriers carriers; // null for platform threads
        private final Thread opener = Thread.currentThread();
        private final AtomicInteger busy = new AtomicInteger();
        Plan plan;
        int[] slots;
        long[] starts;
        boolean merged;
        int turn; // which of `slots` runs
        Carried[] carried;

        Cell(Map<String, String> keys, String workload, boolean virtual, int n) throws Exception {
            this.keys = keys;
            this.workload = workload;
            this.virtual = virtual;
            lanes = new Lane[n];
            make(-1); // what can't be made is refused before anything is
            carriers = virtual ? Carriers.find() : null;
            hall.turns = n > (virtual ? carriers.tids.length : Runtime.getRuntime().availableProcessors());
            try {
                for (int w = 0; w < n; w++) {
                    Lane lane = new Lane(this, w);
                    if (virtual) {
                        lane.thread = startVirtual(lane);
                    } else {
                        Thread thread = new Thread(lane);
                        thread.setDaemon(true);
                        thread.start();
                        lane.thread = thread;
                    }
                    lanes[w] = lane;
                }
                tell(OPEN, n);
                hall.parties = 1;
                tell(ALONE, 1);
                hall.parties = n;
                tell(TOGETHER, n);
            } catch (Throwable error) {
                close();
                throw error;
            }
        }

        /** The operations of worker w; with -1 only checks the parameters. Those chosen here are left in `keys`. */
        Op make(int w) throws Exception {
            boolean real = w >= 0;
            switch (workload) {
                case "noop" -> {
                    long batch = choose("batch", 1000, 1, 1 << 30);
                    return real ? new Noop(batch) : null;
                }
                case "cpu" -> {
                    long steps = choose("steps", 30_000, 1, Integer.MAX_VALUE);
                    return real ? new Cpu((int) steps) : null;
                }
                case "sleep" -> {
                    long ns = choose("sleep_ns", 1_000_000, 0, Long.MAX_VALUE / 4);
                    return real ? new Sleep(ns) : null;
                }
                case "pipe" -> {
                    if (keys.get("dir") == null) throw new Failure("unsupported", "dir= is missing");
                    long first = choose("first", 0, 0, 1 << 30);
                    return real ? new Pipe(keys.get("dir"), first + w) : null;
                }
                case "serial" -> {
                    long steps = choose("steps", 400_000, 1, Integer.MAX_VALUE);
                    long permille = choose("permille", 0, 0, 1000);
                    return real ? new Serial(hall, (int) steps, (int) permille) : null;
                }
                case "mem" -> {
                    keys.putIfAbsent("kind", "chase");
                    long bytes = choose("bytes", 128 << 20, 64, Integer.MAX_VALUE - 127);
                    if (keys.get("kind").equals("chase")) {
                        long steps = choose("steps", 1024, 1, Integer.MAX_VALUE);
                        return real ? new Chase(bytes, (int) steps) : null;
                    }
                    if (!keys.get("kind").equals("stream")) throw new Failure("unsupported", "kind= is chase or stream");
                    long chunk = choose("chunk", 1 << 20, 8, bytes);
                    if (chunk % 8 != 0 || bytes % chunk != 0) {
                        throw new Failure("unsupported", "bytes is to be a multiple of chunk, chunk of 8");
                    }
                    return real ? new Stream(bytes, chunk) : null;
                }
                default -> throw new Failure("unsupported", "workload " + workload + " is not one of " + WORKLOADS);
            }
        }

        private long choose(String key, long otherwise, long least, long most) throws Failure {
            long value = number(keys, key, otherwise, least, most);
            if (!keys.containsKey(key)) keys.put(key, Long.toString(value));
            return value;
        }

        Plan warmPlan() throws Failure {
            Map<String, String> go = new HashMap<>();
            go.put("pass", "throughput");
            go.put("window_ns", "1");
            go.put("windows", "1");
            return new Plan(go);
        }

        /** Gives an order to the first n workers and waits until all have obeyed. */
        void tell(int order, int n) throws Exception {
            busy.set(n);
            for (int w = 0; w < n; w++) {
                lanes[w].order = order;
                LockSupport.unpark(lanes[w].thread);
            }
            while (busy.get() > 0) LockSupport.park(this);
            for (int w = 0; w < n; w++) {
                Throwable failure = lanes[w].failure;
                lanes[w].failure = null;
                if (failure instanceof Exception) throw (Exception) failure;
                if (failure != null) throw (Error) failure;
            }
        }

        void done() {
            if (busy.decrementAndGet() == 0) LockSupport.unpark(opener);
        }

        void close() {
            for (Lane lane : lanes) {
                if (lane == null) continue;
                lane.order = CLOSE;
                LockSupport.unpark(lane.thread);
            }
        }
    }

    // --- Lines ------------------------------------------------------------------------------------------------------

    /** What an `error` line says: its kind, and a message that names the next step. */
    static final class Failure extends Exception {
        private static final long serialVersionUID = 1;
        final String kind;

        Failure(String kind, String message) {
            super(message);
            this.kind = kind;
        }
    }

    /** Lines to write, held until they are flushed. */
    static final class Out {
        private final FileOutputStream file = new FileOutputStream(FileDescriptor.out);
        private final StringBuilder text = new StringBuilder(1 << 12);

        Out verb(String verb) {
            text.append(verb);
            return this;
        }

        Out put(String key, long value) {
            text.append(' ').append(key).append('=').append(value);
            return this;
        }

        Out put(String key, String value) {
            if (value == null) return this;
            text.append(' ').append(key).append('=');
            for (byte b : value.getBytes(StandardCharsets.UTF_8)) {
                if (b > ' ' && b < 127 && b != '%') text.append((char) b);
                else text.append('%').append(Character.forDigit(b >> 4 & 15, 16)).append(Character.forDigit(b & 15, 16));
            }
            return this;
        }

        Out slot(int slot) {
            return slot < 0 ? this : put("slot", slot);
        }

        Out list(String key, long[] values, int length) {
            text.append(' ').append(key).append('=');
            for (int k = 0; k < length; k++) text.append(k > 0 ? "," : "").append(values[k]);
            return this;
        }

        Out counts(String key, int[] counts) {
            text.append(' ').append(key);
            char before = '=';
            for (int k = 0; k < counts.length; k++) {
                if (counts[k] == 0) continue;
                text.append(before).append(k).append(':').append(counts[k]);
                before = ',';
            }
            return this;
        }

        void end() throws IOException {
            text.append('\n');
            if (text.length() > 1 << 16) flush();
        }

        void flush() throws IOException {
            file.write(text.toString().getBytes(StandardCharsets.UTF_8));
            text.setLength(0);
        }
    }

    /** Lines to read. */
    static final class In {
        private final FileInputStream file = new FileInputStream(FileDescriptor.in);
        private byte[] bytes = new byte[1 << 13];
        private int from, to;

        /** The next line; null at the end or at a torn line; a verb nobody knows for one too long. */
        String line() throws IOException {
            boolean dropped = false;
            for (int scan = from; ; ) {
                for (; scan < to; scan++) {
                    if (bytes[scan] != '\n') continue;
                    int begin = from;
                    from = scan + 1;
                    if (dropped || scan - begin >= LINE_MAX) return "line-over-1-MiB";
                    return new String(bytes, begin, scan - begin, StandardCharsets.UTF_8);
                }
                dropped |= to - from >= LINE_MAX;
                if (dropped) from = to;
                System.arraycopy(bytes, from, bytes, 0, to - from);
                to -= from;
                scan = to;
                from = 0;
                if (to == bytes.length) bytes = Arrays.copyOf(bytes, 2 * to);
                int n = file.read(bytes, to, bytes.length - to);
                if (n < 0) return null;
                to += n;
            }
        }
    }

    static String[] split(String text, char by) {
        int n = 1, from = 0;
        for (int k = 0; k < text.length(); k++) if (text.charAt(k) == by) n++;
        String[] parts = new String[n];
        for (int k = 0; k < n; k++) {
            int to = text.indexOf(by, from);
            parts[k] = text.substring(from, to < 0 ? text.length() : to);
            from = to + 1;
        }
        return parts;
    }

    static String unescape(String text) throws Failure {
        if (text.indexOf('%') < 0) return text;
        byte[] raw = text.getBytes(StandardCharsets.UTF_8);
        int length = 0;
        for (int k = 0; k < raw.length; k++, length++) {
            raw[length] = raw[k];
            if (raw[k] != '%') continue;
            int high = k + 2 < raw.length ? Character.digit(raw[k + 1], 16) : -1, low = high < 0 ? -1 : Character.digit(raw[k + 2], 16);
            if (low < 0) throw new Failure("unsupported", "a % is not followed by two hex digits");
            raw[length] = (byte) (high << 4 | low);
            k += 2;
        }
        return new String(raw, 0, length, StandardCharsets.UTF_8);
    }

    static long number(Map<String, String> keys, String key, long otherwise, long least, long most) throws Failure {
        String text = keys.get(key);
        if (text == null && otherwise < 0) throw new Failure("unsupported", key + "= is missing");
        long value = otherwise;
        try {
            if (text != null) value = Long.parseLong(text);
        } catch (NumberFormatException error) {
            throw new Failure("unsupported", key + "=" + text + " is not a whole number");
        }
        if (text != null && (value < least || value > most)) {
            throw new Failure("unsupported", key + "=" + text + " is not in " + least + " to " + most);
        }
        return value;
    }

    static String slurp(String path) throws IOException {
        try (FileInputStream file = new FileInputStream(path)) {
            return new String(file.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    // --- The session ------------------------------------------------------------------------------------------------

    private static final Map<String, Cell> CELLS = new HashMap<>();
    private static final Out OUT = new Out();

    public static void main(String[] arguments) throws IOException {
        In in = new In();
        for (String line = in.line(); line != null; line = in.line()) {
            if (line.equals("quit") || line.startsWith("quit ")) break;
            if (!line.isBlank()) answer(line.strip());
            OUT.flush();
        }
    }

    private static void answer(String line) throws IOException {
        Map<String, String> keys = new HashMap<>();
        String[] words = split(line, ' ');
        try {
            for (int k = 1; k < words.length; k++) {
                int equals = words[k].indexOf('=');
                if (equals > 0) keys.put(words[k].substring(0, equals), unescape(words[k].substring(equals + 1)));
            }
            for (String feature : split(keys.getOrDefault("require", ""), ',')) {
                if (!feature.isEmpty() && !Arrays.asList(split(FEATURES, ',')).contains(feature)) {
                    throw new Failure("unsupported", "require=" + feature + " is not known here");
                }
            }
            switch (words[0]) {
                case "hello" -> hello(keys);
                case "ping" -> OUT.verb("pong").put("n", keys.get("n")).put("now_ns", System.nanoTime()).end();
                case "prepare" -> prepare(keys);
                case "go" -> go(keys);
                case "collect" -> collect(keys);
                default -> throw new Failure("unsupported", "verb " + words[0] + " is not known here");
            }
        } catch (Throwable error) {
            OUT.verb("error").put("id", keys.get("id")).put("ids", keys.get("ids"));
            if (words[0].equals("prepare") || words[0].equals("go") || words[0].equals("collect")) OUT.put("phase", words[0]);
            String kind = "internal", message = error.toString();
            if (error instanceof Failure) {
                kind = ((Failure) error).kind;
                message = error.getMessage();
            } else if (error instanceof OutOfMemoryError) {
                kind = "oom";
                message += "; fewer workers, or a higher limit (-Xmx, -XX:MaxDirectMemorySize, ulimit -u)";
            } else if (error instanceof ArithmeticException) {
                kind = "unsupported";
                message = "times beyond the clock's range";
            } else if (message.contains("Too many open files")) {
                message += "; raise `ulimit -n`";
            }
            OUT.put("kind", kind).put("msg", message).end();
        }
    }

    private static void hello(Map<String, String> keys) throws Exception {
        if (!"1".equals(keys.get("v"))) throw new Failure("unsupported", "this worker speaks version 1");
        Runtime runtime = Runtime.getRuntime();
        OUT.verb("hello").put("v", 1).put("lang", "java").put("runtime", System.getProperty("java.version"));
        OUT.put("pid", new File("/proc/self").getCanonicalFile().getName()).put("clock", "CLOCK_MONOTONIC").put("res_ns", 1);
        OUT.put("timer", "nanoTime").put("timer_cost_ps", timerCostPs()).put("lead_ns", LEAD_NS);
        OUT.put("workloads", WORKLOADS).put("mechanisms", VIRTUAL ? "threads,virtual" : "threads").put("features", FEATURES);
        OUT.put("vm", System.getProperty("java.vm.name")).put("vm_version", System.getProperty("java.vm.version"));
        OUT.put("vendor", System.getProperty("java.vendor")).put("jit", System.getProperty("java.vm.info"));
        OUT.put("gc", Jvm.collectors()).put("heap_bytes", runtime.totalMemory()).put("heap_bytes_max", runtime.maxMemory());
        OUT.put("processors", runtime.availableProcessors()).put("flags", flags());
        if (VIRTUAL) OUT.put("parallelism", parallelism());
        OUT.end();
    }

    /** What timing one operation adds: the latency loop around nothing less the bare loop. */
    private static long timerCostPs() throws IOException {
        Lane lane = new Lane(null, 0);
        lane.op = new Noop(1);
        long timed = Long.MAX_VALUE, bare = Long.MAX_VALUE;
        for (int k = 0; k < 2; k++) lane.drill();
        for (int k = 0; k < 3; k++) {
            timed = Math.min(timed, lane.cost(true, 5, 200_000));
            bare = Math.min(bare, lane.cost(false, 5, 200_000));
        }
        return Math.max(0, timed - bare);
    }

    /** The options this JVM was started with, from the command line and the environment. */
    private static String flags() throws IOException {
        StringBuilder flags = new StringBuilder();
        String[] words = split(slurp("/proc/self/cmdline"), '\0');
        for (int k = 1; k < words.length && words[k].startsWith("-"); k++) {
            if (words[k].equals("-cp")) k++; // its path says nothing of the runtime
            else flags.append(flags.length() > 0 ? " " : "").append(words[k]);
        }
        for (String name : new String[] {"JDK_JAVA_OPTIONS", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS"}) {
            if (System.getenv(name) != null) flags.append(' ').append(name).append('=').append(System.getenv(name));
        }
        return flags.toString();
    }

    private static void prepare(Map<String, String> keys) throws Exception {
        long begin = System.nanoTime();
        String id = keys.get("id"), mechanism = String.valueOf(keys.get("mechanism"));
        if (id == null || CELLS.containsKey(id)) throw new Failure("unsupported", "id= is missing or already prepared");
        boolean virtual = VIRTUAL && mechanism.equals("virtual");
        if (!virtual && !mechanism.equals("threads")) {
            String why = mechanism.equals("virtual") ? "virtual threads need JDK 21" : "mechanism " + mechanism + " is not known here";
            throw new Failure("unsupported", why);
        }
        int n = (int) number(keys, "workers", -1, 1, 1 << 16);
        Cell cell = new Cell(keys, String.valueOf(keys.get("workload")), virtual, n);
        System.gc(); // nothing of the set-up is left for a collection in a window
        CELLS.put(id, cell);
        OUT.verb("ready").put("id", id);
        StringBuilder carriers = new StringBuilder(), map = new StringBuilder();
        if (virtual) {
            for (String tid : cell.carriers.tids) carriers.append(carriers.length() > 0 ? "," : "").append(tid);
            OUT.put("carriers", carriers.toString());
            if (n > cell.carriers.tids.length) OUT.put("turns", 1);
        } else {
            for (Lane lane : cell.lanes) {
                String before = lane.w > 0 ? "," : "";
                carriers.append(before).append(lane.tid);
                map.append(before).append(lane.w).append(':').append(lane.tid);
            }
            OUT.put("carriers", carriers.toString()).put("map", map.toString());
        }
        OUT.put("setup_ns", System.nanoTime() - begin).put("op_ns", cell.lanes[0].opNs);
        for (String key : split("steps,batch,sleep_ns,kind,bytes,chunk,permille,first,delay_ns", ',')) OUT.put(key, keys.get(key));
        OUT.end();
    }

    private static Cell[] chosen(Map<String, String> keys, String[] ids) throws Failure {
        Cell[] cells = new Cell[ids.length];
        for (int c = 0; c < ids.length; c++) {
            cells[c] = CELLS.get(ids[c]);
            if (cells[c] == null) throw new Failure("unsupported", "cell " + ids[c] + " is not prepared");
            if (Arrays.asList(cells).indexOf(cells[c]) < c) {
                throw new Failure("unsupported", "cell " + ids[c] + " twice: prepare two to compare it with itself");
            }
        }
        return cells;
    }

    private static String[] ids(Map<String, String> keys) {
        return keys.containsKey("ids") ? split(keys.get("ids"), ',') : new String[] {String.valueOf(keys.get("id"))};
    }

    private static void go(Map<String, String> keys) throws Exception {
        String[] ids = ids(keys);
        Cell[] cells = chosen(keys, ids);
        Plan plan = new Plan(keys);
        String order = keys.getOrDefault("order", "0");
        long start = number(keys, "start_ns", -1, 0, Long.MAX_VALUE), gap = number(keys, "gap_ns", 0, 0, Long.MAX_VALUE);
        if (start - System.nanoTime() > AHEAD_NS_MAX) {
            throw new Failure("internal", "start_ns is over an hour ahead of System.nanoTime(): is it CLOCK_MONOTONIC here?");
        }
        long stride = Math.addExact(plan.lengthNs, gap);
        Math.addExact(start, Math.multiplyExact(stride, order.length()));
        for (int k = 0; k < order.length(); k++) {
            int c = order.charAt(k) - '0';
            if (c < 0 || c >= cells.length) throw new Failure("unsupported", "order=" + order + " names a cell that ids= does not");
        }
        try {
            for (int c = 0; c < cells.length; c++) arm(cells[c], plan, order, (char) ('0' + c), start, stride);
            int[] next = new int[cells.length];
            for (int k = 0; k < order.length(); k++) {
                int c = order.charAt(k) - '0';
                cells[c].turn = next[c]++;
                cells[c].tell(RUN, cells[c].lanes.length);
            }
        } catch (Throwable error) {
            for (int c = 0; c < cells.length; c++) {
                cells[c].close();
                CELLS.remove(ids[c]);
            }
            throw error;
        }
        OUT.verb("stopped").put("id", keys.get("id")).put("ids", keys.get("ids")).end();
    }

    /** Each worker allocates and touches its own record of every slot of its cell. */
    private static void arm(Cell cell, Plan plan, String order, char mine, long start, long stride) throws Exception {
        int n = 0;
        for (int k = 0; k < order.length(); k++) if (order.charAt(k) == mine) n++;
        cell.plan = plan;
        cell.slots = new int[n];
        cell.starts = new long[n];
        cell.merged = 4L * BUCKETS * cell.lanes.length * plan.windows * n > HIST_BYTES_MAX;
        cell.carried = cell.carriers == null || !READS_FREELY ? null : new Carried[n];
        if (cell.carriers != null) cell.carriers.check();
        for (int k = 0, j = 0; k < order.length(); k++) {
            if (order.charAt(k) != mine) continue;
            cell.slots[j] = k;
            cell.starts[j] = start + k * stride;
            if (cell.carried != null) cell.carried[j] = cell.carriers.record(plan);
            j++;
        }
        cell.tell(ARM, cell.lanes.length);
    }

    private static void collect(Map<String, String> keys) throws Exception {
        String[] ids = ids(keys);
        Cell[] cells = chosen(keys, ids);
        for (int c = 0; c < cells.length; c++) {
            Cell cell = cells[c];
            if (cell.plan == null) throw new Failure("unsupported", "cell " + ids[c] + " has not run: go comes first");
            for (int j = 0; j < cell.slots.length; j++) {
                int slot = keys.containsKey("ids") ? cell.slots[j] : -1;
                for (Lane lane : cell.lanes) lane.tracks[j].report(OUT, ids[c], slot, lane.w);
                if (cell.carried != null) cell.carried[j].report(OUT, ids[c], slot, cell.plan.ramps);
            }
        }
        OUT.verb("done").put("id", keys.get("id")).put("ids", keys.get("ids")).end();
        OUT.flush();
        System.gc(); // the lines are garbage: not to be found in a window of the next go
    }
}
