import java.io.*;
import java.lang.management.*;
import java.net.URLDecoder;
import java.nio.*;
import java.nio.charset.StandardCharsets;
import java.util.*;
import java.util.concurrent.atomic.*;
import java.util.concurrent.locks.LockSupport;

/**
 * Worker of the harness in Java: platform threads and virtual threads that do the same work as every language.
 *
 * <p>Speaks PROTOCOL.md version 1 on stdin and stdout with nothing but the JDK; one class file for 17 and later. What
 * lives here: the lines, the hot loop, its record, and the ways to run N of them at once. What never will: pinning,
 * counters, statistics (all the harness's). README.md says how each choice touches fairness. No lambda, no string
 * concatenation, no stream on the way to `ready`: the first of each costs a start some ten milliseconds.
 */
public final class Worker {
    static final String WORKLOADS = "noop,cpu,sleep,pipe,mem,serial", FEATURES = "alternate,spans";
    static final long M = 2147483647L, LEAD_NS = 20_000_000, AHEAD_NS_MAX = 3_600_000_000_000L;
    static final int LINE_MAX = 1 << 20, SPANS_MAX = 1 << 16; // ends of operations that fit a line
    static final int BUCKETS = 25 << 10; // beyond 17 s in the last; minimum, maximum and sum stay exact
    static final int HIST_BYTES_MAX = 32 << 20; // of one cell; above it a histogram a worker, not a window
    static final int DRILLS_MAX = 20, DRILL_NS = 5000;
    static final boolean VIRTUAL = Runtime.version().feature() >= 21;
    static final boolean READS_FREELY = Runtime.version().feature() >= 23; // before, a read in one adds a carrier
    static final long[] NONE = {};

    // --- The work ---------------------------------------------------------------------------------------------------

    /** Keeps what two workers write 128 bytes apart, wherever the collector puts them. */
    abstract static class Padded {
        long p0, p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11, p12, p13, p14, p15;
    }

    /** The operations of one worker, made by the thread that will run them. */
    abstract static class Op extends Padded {
        long batch = 1; // operations a call of `run`
        int drills = 6000; // calls of the loop that warm it up, with short operations

        /** Does operation i (of a batch: all from i on); the sum of their results. */
        abstract long run(long i) throws IOException;

        /** Operation 0 is next. */
        void begin() {}

        /** Before each operation; false: all leave. */
        boolean meet() { return true; }

        /** After the operation that crossed the end of the tail. */
        void last() {}

        void timed(boolean each) {}

        void shorten(boolean on) {}
    }

    static final class Noop extends Op {
        private final long asked;
        private volatile int one = 1; // read each time, so that the compiler can't add a batch up beforehand

        Noop(long batch) { asked = this.batch = batch; }

        @Override void timed(boolean each) { batch = each ? 1 : asked; }

        @Override long run(long i) {
            long sum = 0;
            for (int left = (int) batch; left > 0; left--) sum += one;
            return sum;
        }
    }

    static class Cpu extends Op {
        final int asked;
        int steps;

        Cpu(int steps) { asked = this.steps = steps; }

        /** MINSTD: each step needs the one before, so there is nothing to vectorise and nothing to fold. */
        static long chain(long x, int steps) {
            for (int step = 0; step < steps; step++) x = x * 48271 % M;
            return x;
        }

        @Override void shorten(boolean on) { steps = on ? Math.min(asked, 200) : asked; }

        @Override long run(long i) { return chain(1 + (i & 63), steps); }
    }

    static final class Sleep extends Op {
        private final long asked;
        private long ns;

        Sleep(long ns) {
            asked = this.ns = ns;
            drills = 600; // even the shortest takes some 60 us
        }

        @Override void shorten(boolean on) { ns = on ? 1 : asked; }

        @Override long run(long i) {
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
            drills = 0; // the peer sets the pace
        }

        @Override long run(long i) throws IOException {
            request.write((int) (i % 251));
            int answer = response.read();
            if (answer < 0) throw new EOFException("the peer's FIFO ended");
            return answer;
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
            table = table(bytes);
            int lines = (int) Long.highestOneBit(bytes / 64);
            for (int line = 0; line < lines; line++) {
                table.putInt(line << 6, (int) (1103515245L * line + 12345 & lines - 1));
            }
        }

        @Override void begin() { k = 0; }

        @Override void shorten(boolean on) { steps = on ? Math.min(asked, 8) : asked; }

        @Override long run(long i) {
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
            for (int j = 0; j < bytes / 8; j++) elements.put(j, j);
        }

        @Override void shorten(boolean on) { length = on ? Math.min(chunk, 512) : chunk; }

        @Override long run(long i) {
            int from = (int) (i % chunks) * chunk, to = from + length;
            long sum = 0;
            for (int j = from; j < to; j++) sum += elements.get(j);
            return sum % M;
        }
    }

    /** Where the workers of a `serial` cell meet: a barrier and a ticket lock, each word 128 bytes from the next. */
    @SuppressWarnings("serial")
    static final class Hall extends AtomicLongArray {
        static final int ARRIVED = 16, ROUND = 32, TICKET = 48, SERVING = 64, LEAVE = 80, WORDS = 96, SPINS = 4000;
        int parties;
        boolean turns;

        Hall() { super(WORDS); }

        void await(int word, long value) {
            for (int spins = turns ? SPINS : 0; get(word) < value; spins++) {
                if (spins < SPINS) Thread.onSpinWait();
                else Thread.yield();
            }
        }
    }

    static final class Serial extends Cpu {
        private final Hall hall;
        private final long permille;
        private int locked;
        private long round;

        Serial(Hall hall, int steps, long permille) {
            super(steps);
            this.hall = hall;
            this.permille = permille;
            shorten(false);
        }

        @Override void shorten(boolean on) {
            super.shorten(on);
            locked = (int) (steps * permille / 1000);
        }

        @Override void begin() { round = hall.get(Hall.ROUND); }

        @Override boolean meet() {
            round++;
            if (hall.incrementAndGet(Hall.ARRIVED) == hall.parties) {
                hall.set(Hall.ARRIVED, 0);
                hall.set(Hall.ROUND, round);
            } else {
                hall.await(Hall.ROUND, round);
            }
            return hall.get(Hall.LEAVE) != round;
        }

        @Override long run(long i) {
            long x = chain(1 + (i & 63), steps - locked);
            long ticket = hall.getAndIncrement(Hall.TICKET);
            hall.await(Hall.SERVING, ticket);
            x = chain(x, locked);
            hall.set(Hall.SERVING, ticket + 1);
            return x;
        }

        /** Names the round: a bare flag could be seen by a worker that is still behind the barrier before. */
        @Override void last() {
            hall.set(Hall.LEAVE, round + 1);
            meet();
        }
    }

    // --- The loop ---------------------------------------------------------------------------------------------------

    /** Operations until one ends at or after `edge`; false if the worker left instead. Timed where there is a `hist`. */
    static boolean loop(Lane lane, Op op, long edge, Hist hist) throws IOException {
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

    /** HdrHistogram's buckets at three digits. */
    static final class Hist extends Padded {
        final int[] counts;
        long min = Long.MAX_VALUE, max, sum;

        Hist(int buckets) { counts = new int[buckets]; }

        void record(long ns) {
            int k = Math.max(0, 53 - Long.numberOfLeadingZeros(ns));
            counts[(int) Math.min((k << 10) + (ns >> k), counts.length - 1)]++;
            min = Math.min(min, ns);
            max = Math.max(max, ns);
            sum += ns;
        }
    }

    // --- The record of one worker -----------------------------------------------------------------------------------

    /** How a go cuts the time from its start. */
    static final class Plan {
        final boolean timed;
        final int spans, ramps, windows;
        final long rampNs, spinNs;
        final long[] ends; // of the intervals, from the start

        Plan(Map<String, String> keys) throws Failure {
            String pass = keys.get("pass");
            timed = "latency".equals(pass);
            if (!timed && !"throughput".equals(pass) && !"counters".equals(pass)) {
                throw new Failure("unsupported", "pass=" + pass + " is not one of throughput,latency,counters");
            }
            long window = number(keys, "window_ns", -1, 1, Long.MAX_VALUE);
            rampNs = number(keys, "ramp_ns", 0, 0, Long.MAX_VALUE);
            windows = (int) number(keys, "windows", -1, 1, 1 << 20);
            spinNs = number(keys, "spin_ns", 0, 0, Long.MAX_VALUE);
            spans = (int) Math.min(SPANS_MAX, number(keys, "spans", 0, 0, Long.MAX_VALUE));
            ramps = (int) Math.min(1 << 20, Math.max(1, rampNs / window));
            int last = ramps + windows;
            ends = new long[last + 1];
            for (int k = 0; k < last; k++) ends[k] = Math.addExact(rampNs, Math.multiplyExact(window, k + 1L - ramps));
            ends[last] = Math.addExact(ends[last - 1], number(keys, "tail_ns", 0, 0, Long.MAX_VALUE));
        }
    }

    /** One worker's record of one slot: a row at every boundary crossed, histograms, ends of operations. */
    static final class Track {
        final Plan plan;
        final long startNs;
        final long[] edges, stamp, ops, check, cpu, delay, ends;
        final Hist[] hists;
        final Hist aside; // of ramp and tail, forgotten: their loop is the same
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
            hists = new Hist[!plan.timed ? 0 : merged ? 1 : plan.windows];
            for (int k = 0; k < hists.length; k++) hists[k] = new Hist(BUCKETS);
            aside = plan.timed ? new Hist(2048) : null;
        }

        Hist hist() {
            int i = at - plan.ramps;
            return i < 0 || i >= plan.windows || aside == null ? aside : hists[hists.length == 1 ? 0 : i];
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
                out.verb("window", id, slot).put("w", w).put("i", k - plan.ramps).put("ops", ops[k + 1] - ops[k]);
                out.put("check", (check[k + 1] - check[k]) % M).put("first_ns", stamp[k]);
                if (k < at) out.put("last_ns", stamp[k + 1]);
                out.figure("cpu_ns", cpu[k], cpu[k + 1]).figure("delay_ns", delay[k], delay[k + 1]);
                if (k == edges.length - 1) out.put("tail", 1);
                out.end();
            }
            out.verb("total", id, slot).put("w", w).put("ops", ops[last]).put("check", check[last] % M);
            out.put("started_ns", startedNs).put("entered_ns", stamp[0]).put("ended_ns", stamp[last]).end();
            if (ends.length > 0) {
                out.verb("span", id, slot).put("w", w).put("t", "");
                for (int k = 0; k < filled; k++) out.text.append(k > 0 ? "," : "").append(ends[k]);
                out.end();
            }
            for (int h = 0; h < hists.length; h++) {
                int[] counts = hists[h].counts;
                long n = 0;
                for (int c : counts) n += c;
                if (n == 0) continue;
                out.verb("hist", id, slot).put("w", w).put("name", "op").put("unit", "ns").put("n", n);
                if (hists.length == plan.windows) out.put("i", h);
                out.put("min", hists[h].min).put("max", hists[h].max).put("sum", hists[h].sum).put("b", "");
                String before = "";
                for (int k = 0; k < counts.length; k++) {
                    if (counts[k] == 0) continue;
                    out.text.append(before).append(k).append(':').append(counts[k]);
                    before = ",";
                }
                out.end();
            }
        }
    }

    /** What the JVM tells of itself; a runtime image may lack java.management, and then it is absent. */
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
            if (THREADS == null) return null;
            StringBuilder names = new StringBuilder();
            for (GarbageCollectorMXBean bean : ManagementFactory.getGarbageCollectorMXBeans()) {
                names.append(names.length() > 0 ? "," : "").append(bean.getName());
            }
            return names.toString();
        }
    }

    static RandomAccessFile openSchedstat(String task) throws IOException {
        String path = new StringBuilder("/proc/").append(task).append("/schedstat").toString();
        return new File(path).exists() ? new RandomAccessFile(path, "r") : null;
    }

    /** Reads CPU time and run delay, without allocating; -1 where they are not known. */
    static void readSchedstat(RandomAccessFile file, byte[] bytes, long[] into, int at) throws IOException {
        into[at] = into[at + 1] = -1;
        if (file == null) return;
        file.seek(0);
        int length = file.read(bytes), field = 0;
        long value = 0;
        for (int j = 0; j < length && field < 2; j++) {
            if (bytes[j] >= '0') {
                value = value * 10 + bytes[j] - '0';
            } else {
                into[at + field++] = value;
                value = 0;
            }
        }
    }

    // --- One worker -------------------------------------------------------------------------------------------------

    static final int OPEN = 1, ALONE = 2, TOGETHER = 3, ARM = 4, RUN = 5, END = 6;

    /** One worker, whatever carries it; obeys orders in the thread that is its own. */
    static final class Lane extends Padded implements Runnable {
        final Cell cell;
        final int w;
        final boolean yields;
        final long[] figures = {-1, -1}; // CPU time, run delay
        private final byte[] bytes = new byte[96];
        private RandomAccessFile stat;
        long ops, check, now, beginNs, opNs;
        long[] ends = NONE;
        int filled;
        Op op;
        Track[] tracks;
        Thread thread;
        String tid;
        volatile int order;
        Throwable failure;

        Lane(Cell cell, int w) {
            this.cell = cell;
            this.w = w;
            yields = cell != null && cell.carriers != null;
        }

        @Override public void run() {
            int mine;
            do {
                while ((mine = order) == 0) LockSupport.park(this);
                order = 0;
                try {
                    obey(mine);
                } catch (Throwable error) {
                    failure = error;
                }
                cell.obeyed();
            } while (mine != END);
        }

        private void obey(int mine) throws Exception {
            switch (mine) {
                case OPEN -> {
                    if (!yields) {
                        tid = new File("/proc/thread-self").getCanonicalFile().getName();
                        stat = openSchedstat("thread-self"); // the link is followed when it is opened
                    }
                    op = cell.make(w);
                }
                case ALONE -> warmAlone();
                case TOGETHER -> warmTogether();
                case ARM -> {
                    tracks = new Track[cell.slots.length];
                    for (int j = 0; j < tracks.length; j++) tracks[j] = new Track(cell.plan, cell.starts[j], cell.merged);
                }
                case RUN -> work(tracks[cell.turn], cell.carried[cell.turn]);
                default -> { }
            }
        }

        /** One slot, from before its start to the end of its tail. */
        private void work(Track track, Carried carried) throws IOException {
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

        private void enter(Track track, Carried carried) throws IOException {
            op.begin();
            ops = check = 0;
            filled = 0;
            ends = track.ends;
            beginNs = track.startNs + track.plan.rampNs;
            sample();
            if (carried != null) carried.cross(0);
            now = System.nanoTime();
            track.put(0, this);
        }

        private void cross(Track track, boolean stays, Carried carried) throws IOException {
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
        }

        private void sample() throws IOException {
            if (yields) return; // its carrier changes
            readSchedstat(stat, bytes, figures, 0);
            // schedstat's CPU time is that of the last tick or switch; the thread clock's is of now
            if (Jvm.THREADS != null) figures[0] = Jvm.THREADS.getCurrentThreadCpuTime();
        }

        /** In one worker, before the others: everything is compiled, every branch seen; how long an operation takes. */
        private void warmAlone() throws Exception {
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
        private void warmTogether() throws Exception {
            Hist hist = new Hist(2048);
            op.begin();
            awaitStart(System.nanoTime() + 1_000_000, 0);
            op.shorten(true);
            ends = NONE;
            for (int n = -6; n < op.drills; n++) {
                if (n == op.drills - 6) op.shorten(false);
                op.timed(n % 2 == 0);
                loop(this, op, 0, n % 2 == 0 ? hist : null);
            }
            rehearse();
        }

        /** Calls the loop as often as the optimising compiler wants, by all its branches. */
        void drill() throws IOException {
            Hist hist = new Hist(2048);
            ends = new long[2];
            for (int n = 0; n < op.drills; n++) {
                filled = n % 3 == 0 ? ends.length : 0;
                beginNs = n % 3 == 1 ? 0 : Long.MAX_VALUE;
                op.timed(n % 2 == 0);
                loop(this, op, System.nanoTime() + DRILL_NS, n % 2 == 0 ? hist : null);
            }
        }

        /** The crossings of a go without its operations. */
        private void rehearse() throws Exception {
            Plan plan = new Plan(Map.of("pass", "throughput", "window_ns", "1", "windows", "1"));
            Track track = new Track(plan, 0, false);
            Carried carried = cell.carriers == null ? null : cell.carriers.record(plan);
            for (enter(track, carried); track.at < track.edges.length; cross(track, true, carried)) {
                now = track.edges[track.at];
            }
        }

        /** The least time an operation took in some calls of the loop, each of `ns` and at least one operation. */
        double cost(boolean timed, int calls, long ns) throws IOException {
            Hist hist = timed ? new Hist(2048) : null;
            ends = NONE;
            op.timed(timed);
            double best = Double.MAX_VALUE;
            for (int k = 0; k < calls; k++) {
                long before = ops, began = System.nanoTime();
                loop(this, op, began + ns, hist);
                best = Math.min(best, (double) (now - began) / (ops - before));
            }
            return best;
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
        final long deadline = System.nanoTime() + 2_000_000_000L;

        boolean waits() { return here.get() < parallelism() && System.nanoTime() < deadline; }

        @Override public void run() {
            here.incrementAndGet();
            while (waits()) Thread.onSpinWait();
        }
    }

    /** The scheduler's threads that run virtual threads. */
    static final class Carriers {
        private static Carriers found;
        final List<String> tids = new ArrayList<>();
        final List<RandomAccessFile> stats = new ArrayList<>();

        /**
         * Makes the scheduler start all of them, then looks for their names: before any timed park, which starts a
         * thread of a like name that carries nothing (25).
         */
        static Carriers find() throws Exception {
            if (found != null) return found;
            Occupant occupant = new Occupant();
            for (int c = 0; c < parallelism(); c++) startVirtual(occupant);
            while (occupant.waits()) LockSupport.parkNanos(100_000);
            Carriers carriers = new Carriers();
            String[] tasks = new File("/proc/self/task").list();
            Arrays.sort(tasks);
            for (String tid : tasks) {
                String task = "self/task/".concat(tid);
                if (!slurp("/proc/".concat(task).concat("/comm")).startsWith("ForkJoinPool-1-")) continue;
                carriers.tids.add(tid);
                carriers.stats.add(openSchedstat(task));
            }
            if (carriers.tids.isEmpty()) throw new Failure("internal", "no thread is named ForkJoinPool-1-…: who carries?");
            return found = carriers;
        }

        /** The scheduler ends carriers that were idle for 30 s, and with them what was pinned and counted. */
        void check() throws Failure {
            for (String tid : tids) {
                if (new File("/proc/self/task/".concat(tid)).exists()) continue;
                throw new Failure("internal", "carrier " + tid + " ended, idle for too long: start the worker anew");
            }
        }

        Carried record(Plan plan) {
            return READS_FREELY ? new Carried(this, new long[plan.ends.length + 1][2 * tids.size()]) : null;
        }
    }

    /** The carriers' figures at each boundary, read by the first worker that crosses it. */
    static final class Carried {
        private final Carriers carriers;
        private final long[][] rows;
        private final byte[] bytes = new byte[96];
        private volatile int next;

        Carried(Carriers carriers, long[][] rows) {
            this.carriers = carriers;
            this.rows = rows;
        }

        void cross(int row) throws IOException {
            if (row >= next) read(row);
        }

        private synchronized void read(int row) throws IOException {
            if (row < next) return;
            for (int c = 0; c < carriers.tids.size(); c++) readSchedstat(carriers.stats.get(c), bytes, rows[row], 2 * c);
            for (int k = next; k < row; k++) System.arraycopy(rows[row], 0, rows[k], 0, rows[row].length);
            next = row + 1;
        }

        void report(Out out, String id, int slot, int ramps) throws IOException {
            for (int k = 0; k + 1 < next; k++) {
                for (int c = 0; c < carriers.tids.size(); c++) {
                    long[] a = rows[k], b = rows[k + 1];
                    if (a[2 * c] < 0 || b[2 * c] < 0) continue; // a line without cpu_ns says nothing
                    out.verb("carrier", id, slot).put("i", k - ramps).put("tid", carriers.tids.get(c));
                    out.figure("cpu_ns", a[2 * c], b[2 * c]).figure("delay_ns", a[2 * c + 1], b[2 * c + 1]).end();
                }
            }
        }
    }

    // --- N workers at once ------------------------------------------------------------------------------------------

    /** The workers of one preparation, each parked; the opener waits, without a timer, for the last to obey. */
    static final class Cell {
        final Map<String, String> keys;
        final Carriers carriers; // null for platform threads
        final Lane[] lanes;
        final Hall hall = new Hall();
        private final Thread opener = Thread.currentThread();
        private final AtomicInteger busy = new AtomicInteger();
        Plan plan;
        int[] slots;
        long[] starts;
        Carried[] carried;
        boolean merged;
        int turn; // which of `slots` runs

        Cell(Map<String, String> keys, boolean virtual, int n) throws Exception {
            this.keys = keys;
            make(-1); // what can't be made is refused before anything is started
            carriers = virtual ? Carriers.find() : null;
            hall.turns = n > Runtime.getRuntime().availableProcessors();
            lanes = new Lane[n];
            try {
                for (int w = 0; w < n; w++) {
                    Lane lane = new Lane(this, w);
                    lane.thread = virtual ? startVirtual(lane) : new Thread(lane);
                    if (!virtual) {
                        lane.thread.setDaemon(true);
                        lane.thread.start();
                    }
                    lanes[w] = lane;
                }
                tell(OPEN, n);
                hall.parties = 1;
                tell(ALONE, 1);
                hall.parties = n;
                long before;
                int k = 0;
                do {
                    before = Jvm.compiledMs();
                    tell(TOGETHER, n);
                } while (n > 1 && ++k < 5 && Jvm.compiledMs() != before);
            } catch (Throwable error) {
                end();
                throw error;
            }
        }

        /** The operations of worker w; below 0 only checks their parameters, and puts those chosen here into `keys`. */
        Op make(int w) throws Exception {
            String workload = String.valueOf(keys.get("workload"));
            switch (workload) {
                case "noop":
                    long batch = choose("batch", 1000, 1, 1 << 30);
                    return w < 0 ? null : new Noop(batch);
                case "cpu":
                    int steps = (int) choose("steps", 30_000, 1, Integer.MAX_VALUE);
                    return w < 0 ? null : new Cpu(steps);
                case "sleep":
                    long ns = choose("sleep_ns", 1_000_000, 0, Long.MAX_VALUE / 4);
                    return w < 0 ? null : new Sleep(ns);
                case "pipe":
                    if (keys.get("dir") == null) throw new Failure("unsupported", "dir= is missing");
                    long first = choose("first", 0, 0, 1 << 30);
                    return w < 0 ? null : new Pipe(keys.get("dir"), first + w);
                case "serial":
                    steps = (int) choose("steps", 400_000, 1, Integer.MAX_VALUE);
                    long permille = choose("permille", 0, 0, 1000);
                    return w < 0 ? null : new Serial(hall, steps, permille);
                case "mem":
                    keys.putIfAbsent("kind", "chase");
                    boolean chases = keys.get("kind").equals("chase");
                    long bytes = choose("bytes", 128 << 20, 64, Integer.MAX_VALUE - 127);
                    if (chases) steps = (int) choose("steps", 1024, 1, Integer.MAX_VALUE);
                    else if (!keys.get("kind").equals("stream")) throw new Failure("unsupported", "kind= is chase or stream");
                    else steps = 0;
                    long chunk = chases ? 8 : choose("chunk", 1 << 20, 8, bytes);
                    if (!chases && (chunk % 8 != 0 || bytes % chunk != 0)) {
                        throw new Failure("unsupported", "bytes is to be a multiple of chunk, and chunk of 8");
                    }
                    return w < 0 ? null : chases ? new Chase(bytes, steps) : new Stream(bytes, chunk);
                default:
                    throw new Failure("unsupported", "workload " + workload + " is not one of " + WORKLOADS);
            }
        }

        private long choose(String key, long otherwise, long least, long most) throws Failure {
            long value = number(keys, key, otherwise, least, most);
            if (!keys.containsKey(key)) keys.put(key, Long.toString(value));
            return value;
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
                if (failure instanceof Exception) throw (Exception) failure;
                if (failure != null) throw (Error) failure;
            }
        }

        void obeyed() {
            if (busy.decrementAndGet() == 0) LockSupport.unpark(opener);
        }

        /** Each worker allocates and touches its own record of every slot that is this cell's. */
        void arm(Plan plan, String order, char mine, long startNs, long strideNs) throws Exception {
            int n = 0;
            slots = new int[order.length()];
            for (int k = 0; k < order.length(); k++) if (order.charAt(k) == mine) slots[n++] = k;
            slots = Arrays.copyOf(slots, n);
            starts = new long[n];
            carried = new Carried[n];
            merged = 4L * BUCKETS * lanes.length * plan.windows * n > HIST_BYTES_MAX;
            this.plan = plan;
            turn = -1;
            if (carriers != null) carriers.check();
            for (int j = 0; j < n; j++) {
                starts[j] = startNs + slots[j] * strideNs;
                if (carriers != null) carried[j] = carriers.record(plan);
            }
            tell(ARM, lanes.length);
        }

        void end() {
            for (Lane lane : lanes) {
                if (lane == null) continue;
                lane.order = END;
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
        final StringBuilder text = new StringBuilder(1 << 12);

        Out verb(String verb, String id, int slot) {
            text.append(verb);
            put("id", id);
            return slot < 0 ? this : put("slot", slot);
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

        Out figure(String key, long before, long after) {
            return before < 0 || after < 0 ? this : put(key, after - before);
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

    static long number(Map<String, String> keys, String key, long otherwise, long least, long most) throws Failure {
        String text = keys.get(key);
        if (text == null && otherwise >= 0) return otherwise;
        if (text == null) throw new Failure("unsupported", key + "= is missing");
        try {
            long value = Long.parseLong(text);
            if (value >= least && value <= most) return value;
        } catch (NumberFormatException error) {
            // said below
        }
        throw new Failure("unsupported", key + "=" + text + " is not a whole number from " + least + " to " + most);
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
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8), 1 << 12);
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.length() < LINE_MAX ? line.strip().split(" ") : new String[] {"line-over-1-MiB"};
            if (words[0].equals("quit")) break;
            if (!words[0].isEmpty()) answer(words);
            OUT.flush();
        }
    }

    private static void answer(String[] words) throws IOException {
        Map<String, String> keys = new HashMap<>();
        String verb = words[0];
        try {
            for (String word : words) {
                int equals = word.indexOf('=');
                if (equals <= 0) continue;
                String value = word.substring(equals + 1);
                boolean plain = value.indexOf('%') < 0;
                value = plain ? value : URLDecoder.decode(value.replace("+", "%2B"), StandardCharsets.UTF_8);
                keys.put(word.substring(0, equals), value);
            }
            for (String feature : keys.getOrDefault("require", FEATURES).split(",")) {
                if (Arrays.asList(FEATURES.split(",")).contains(feature)) continue;
                throw new Failure("unsupported", "require=" + feature + " is not known here");
            }
            switch (verb) {
                case "hello" -> hello(keys);
                case "ping" -> OUT.verb("pong", null, -1).put("n", keys.get("n")).put("now_ns", System.nanoTime()).end();
                case "prepare" -> prepare(keys);
                case "go" -> go(keys);
                case "collect" -> collect(keys);
                default -> throw new Failure("unsupported", "verb " + verb + " is not known here");
            }
        } catch (Throwable error) {
            OUT.verb("error", keys.get("id"), -1).put("ids", keys.get("ids"));
            if (Arrays.asList("prepare", "go", "collect").contains(verb)) OUT.put("phase", verb);
            String kind = "internal", message = error.toString();
            if (error instanceof Failure) {
                kind = ((Failure) error).kind;
                message = error.getMessage();
            } else if (error instanceof OutOfMemoryError) {
                kind = "oom";
                message += "; fewer workers, or a higher limit (-Xmx, -XX:MaxDirectMemorySize, ulimit -u)";
            } else if (error instanceof IllegalArgumentException || error instanceof ArithmeticException) {
                kind = "unsupported"; // a % without two hex digits; times beyond the clock's range
            } else if (message.contains("Too many open files")) {
                message += "; raise `ulimit -n`";
            }
            OUT.put("kind", kind).put("msg", message).end();
        }
    }

    private static void hello(Map<String, String> keys) throws Exception {
        if (!"1".equals(keys.get("v"))) throw new Failure("unsupported", "this worker speaks version 1");
        Runtime runtime = Runtime.getRuntime();
        OUT.verb("hello", null, -1).put("v", 1).put("lang", "java").put("runtime", System.getProperty("java.version"));
        OUT.put("pid", new File("/proc/self").getCanonicalFile().getName()).put("clock", "CLOCK_MONOTONIC");
        OUT.put("res_ns", 1).put("timer", "nanoTime").put("timer_cost_ps", timerCostPs()).put("lead_ns", LEAD_NS);
        OUT.put("workloads", WORKLOADS).put("mechanisms", VIRTUAL ? "threads,virtual" : "threads");
        if (VIRTUAL) OUT.put("except", "virtual:serial").put("parallelism", parallelism());
        OUT.put("features", FEATURES).put("vm", System.getProperty("java.vm.name"));
        OUT.put("vm_version", System.getProperty("java.vm.version")).put("vendor", System.getProperty("java.vendor"));
        OUT.put("jit", System.getProperty("java.vm.info")).put("gc", Jvm.collectors());
        OUT.put("heap_bytes", runtime.totalMemory()).put("heap_bytes_max", runtime.maxMemory());
        OUT.put("processors", runtime.availableProcessors()).put("flags", flags()).end();
    }

    /** What timing one operation adds: the loop around nothing with its timing less without. */
    private static long timerCostPs() throws IOException {
        Lane lane = new Lane(null, 0);
        lane.op = new Noop(1);
        double timed = Double.MAX_VALUE, bare = Double.MAX_VALUE;
        for (int k = 0; k < 2; k++) lane.drill();
        for (int k = 0; k < 3; k++) {
            timed = Math.min(timed, lane.cost(true, 5, 200_000));
            bare = Math.min(bare, lane.cost(false, 5, 200_000));
        }
        return Math.max(0, Math.round(1000 * (timed - bare)));
    }

    /** The options this JVM was started with, from its command line and the environment. */
    private static String flags() throws IOException {
        StringBuilder flags = new StringBuilder();
        for (String word : slurp("/proc/self/cmdline").split("\0")) {
            if (word.startsWith("-X") || word.startsWith("-D")) flags.append(' ').append(word);
        }
        for (String name : new String[] {"JDK_JAVA_OPTIONS", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS"}) {
            if (System.getenv(name) != null) flags.append(' ').append(name).append('=').append(System.getenv(name));
        }
        return flags.toString().strip();
    }

    private static void prepare(Map<String, String> keys) throws Exception {
        long begin = System.nanoTime();
        String id = keys.get("id"), mechanism = String.valueOf(keys.get("mechanism"));
        if (id == null || CELLS.containsKey(id)) throw new Failure("unsupported", "id= is missing or already prepared");
        boolean virtual = VIRTUAL && mechanism.equals("virtual");
        if (!virtual && !mechanism.equals("threads")) {
            throw new Failure("unsupported", "mechanism " + mechanism + " is not known here; virtual threads need JDK 21");
        }
        if (virtual && "serial".equals(keys.get("workload"))) {
            throw new Failure("unsupported", "virtual threads that wait for each other by yielding may starve each other");
        }
        int n = (int) number(keys, "workers", -1, 1, 1 << 16);
        Cell cell = new Cell(keys, virtual, n);
        System.gc(); // nothing of the set-up is left for a collection in a window
        CELLS.put(id, cell);
        OUT.verb("ready", id, -1);
        StringBuilder carriers = new StringBuilder(), map = new StringBuilder();
        for (Lane lane : cell.lanes) {
            String before = lane.w > 0 ? "," : "";
            carriers.append(before).append(lane.tid);
            map.append(before).append(lane.w).append(':').append(lane.tid);
        }
        if (!virtual) OUT.put("carriers", carriers.toString()).put("map", map.toString());
        else OUT.put("carriers", String.join(",", cell.carriers.tids));
        if (virtual && n > cell.carriers.tids.size()) OUT.put("turns", 1);
        OUT.put("setup_ns", System.nanoTime() - begin).put("op_ns", cell.lanes[0].opNs);
        for (String key : "steps,batch,sleep_ns,kind,bytes,chunk,permille,first,delay_ns".split(",")) {
            OUT.put(key, keys.get(key));
        }
        OUT.end();
    }

    private static String[] ids(Map<String, String> keys) {
        return keys.containsKey("ids") ? keys.get("ids").split(",", -1) : new String[] {String.valueOf(keys.get("id"))};
    }

    private static Cell[] chosen(String[] ids) throws Failure {
        Cell[] cells = new Cell[ids.length];
        for (int c = 0; c < ids.length; c++) {
            cells[c] = CELLS.get(ids[c]);
            if (cells[c] == null) throw new Failure("unsupported", "cell " + ids[c] + " is not prepared");
            if (Arrays.asList(cells).indexOf(cells[c]) == c) continue;
            throw new Failure("unsupported", "cell " + ids[c] + " twice: prepare two to compare it with itself");
        }
        return cells;
    }

    private static void go(Map<String, String> keys) throws Exception {
        String[] ids = ids(keys);
        Cell[] cells = chosen(ids);
        Plan plan = new Plan(keys);
        String order = keys.getOrDefault("order", "0");
        long start = number(keys, "start_ns", -1, 0, Long.MAX_VALUE);
        if (start - System.nanoTime() > AHEAD_NS_MAX) {
            throw new Failure("internal", "start_ns is over an hour ahead: System.nanoTime() is not CLOCK_MONOTONIC here");
        }
        long stride = Math.addExact(plan.ends[plan.ends.length - 1], number(keys, "gap_ns", 0, 0, Long.MAX_VALUE));
        Math.addExact(start, Math.multiplyExact(stride, order.length())); // the last end is within the clock's range
        if (order.isEmpty()) throw new Failure("unsupported", "order= is empty");
        for (int k = 0; k < order.length(); k++) {
            int c = order.charAt(k) - '0';
            if (c < 0 || c >= cells.length) throw new Failure("unsupported", "order= names a cell that ids= does not");
        }
        try {
            for (int c = 0; c < cells.length; c++) cells[c].arm(plan, order, (char) ('0' + c), start, stride);
            for (int k = 0; k < order.length(); k++) {
                Cell cell = cells[order.charAt(k) - '0'];
                cell.turn++;
                cell.tell(RUN, cell.lanes.length);
            }
        } catch (Throwable error) {
            for (int c = 0; c < cells.length; c++) cells[c].end();
            CELLS.keySet().removeAll(Arrays.asList(ids));
            throw error;
        }
        OUT.verb("stopped", keys.get("id"), -1).put("ids", keys.get("ids")).end();
    }

    private static void collect(Map<String, String> keys) throws Exception {
        String[] ids = ids(keys);
        Cell[] cells = chosen(ids);
        for (int c = 0; c < cells.length; c++) {
            if (cells[c].plan == null) throw new Failure("unsupported", "cell " + ids[c] + " has not run: go comes first");
            for (int j = 0; j < cells[c].slots.length; j++) {
                int slot = keys.containsKey("ids") ? cells[c].slots[j] : -1;
                for (Lane lane : cells[c].lanes) lane.tracks[j].report(OUT, ids[c], slot, lane.w);
                if (cells[c].carried[j] != null) cells[c].carried[j].report(OUT, ids[c], slot, cells[c].plan.ramps);
            }
        }
        OUT.verb("done", keys.get("id"), -1).put("ids", keys.get("ids")).end();
        OUT.flush();
        System.gc(); // the lines are garbage: not to be found in a window of the next go
    }
}
