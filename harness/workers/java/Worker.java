import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * Worker of the harness in Java: platform threads and virtual threads that do the same work as every language.
 *
 * <p>Speaks PROTOCOL.md version 1 on stdin and stdout with nothing but the JDK; the same class files for 17 and later.
 * This file is the session, verb by verb. What a worker does is in Workload, Op, Mem and Serial; its loop and its
 * warm-up in Lane, its record in Plan, Track and Hist; N of them at once in Cell; virtual threads in Carriers; the
 * machine below in Jvm and Kernel. What never will be here: pinning, counters, statistics (all the harness's).
 * README.md says how each choice touches fairness. No lambda, no string concatenation, no stream on the way to
 * `ready`: the first of each costs a start some ten milliseconds.
 */
public final class Worker {
    private static final String FEATURES = "alternate,spans";
    private static final long LEAD_NS = 20_000_000, AHEAD_NS_MAX = 3_600_000_000_000L;
    private static final int WORKERS_MAX = 1 << 16;
    private static final Map<String, Cell> CELLS = new HashMap<>();
    private static final Out OUT = new Out();

    private Worker() {}

    public static void main(String[] arguments) throws IOException {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8), 1 << 12);
        for (String text = in.readLine(); text != null; text = in.readLine()) {
            if (text.length() >= Line.LENGTH_MAX) text = "line-over-1-MiB";
            String[] words = text.strip().split(" ");
            if (words[0].equals("quit")) break;
            if (!words[0].isEmpty()) answer(words);
            OUT.flush();
        }
    }

    private static void answer(String[] words) throws IOException {
        Line line = new Line(words[0]);
        try {
            line.read(words);
            line.require(FEATURES);
            switch (line.verb) {
                case "hello" -> hello(line);
                case "ping" -> OUT.verb("pong").put("n", line.get("n")).put("now_ns", System.nanoTime()).end();
                case "prepare" -> prepare(line);
                case "go" -> go(line);
                case "collect" -> collect(line);
                default -> throw Line.unsupported("verb " + line.verb + " is not known here");
            }
        } catch (Throwable error) {
            Line.Failure failure = Line.Failure.of(error);
            OUT.verb("error").ids(line);
            if (Arrays.asList("prepare", "go", "collect").contains(line.verb)) OUT.put("phase", line.verb);
            OUT.put("kind", failure.kind).put("msg", failure.getMessage()).end();
        }
    }

    private static void hello(Line line) throws IOException, Line.Failure {
        if (!"1".equals(line.get("v"))) throw Line.unsupported("this worker speaks version 1");
        String version = System.getProperty("java.version");
        OUT.verb("hello").put("v", 1).put("lang", "java").put("runtime", version).put("pid", Kernel.id("/proc/self"));
        OUT.put("clock", "CLOCK_MONOTONIC").put("res_ns", 1).put("timer", "nanoTime");
        OUT.put("timer_cost_ps", Lane.timerCostPs()).put("lead_ns", LEAD_NS).put("features", FEATURES);
        OUT.put("workloads", Workload.NAMES).put("mechanisms", Jvm.VIRTUAL ? "threads,virtual" : "threads");
        if (Jvm.VIRTUAL) OUT.put("except", "virtual:serial,virtual:lock");
        else OUT.put("absent.virtual", "virtual threads need a JDK of 21 or newer; this one is ".concat(version));
        OUT.put("locks", Locking.NAMES);
        Jvm.say(OUT);
        OUT.end();
    }

    private static void prepare(Line line) throws Exception {
        long begin = System.nanoTime();
        String id = line.get("id"), mechanism = String.valueOf(line.get("mechanism"));
        if (id == null || CELLS.containsKey(id)) throw Line.unsupported("id= is missing or already prepared");
        boolean virtual = Jvm.VIRTUAL && mechanism.equals("virtual");
        if (!virtual && !mechanism.equals("threads")) {
            throw Line.unsupported("mechanism " + mechanism + " is not known here; virtual threads need JDK 21");
        }
        if (virtual && Arrays.asList("serial", "lock").contains(line.get("workload"))) {
            throw Line.unsupported("virtual threads that wait for each other inside an operation may starve each other");
        }
        int n = (int) line.number("workers", -1, 1, WORKERS_MAX);
        Workload workload = new Workload(line);
        Cell cell = new Cell(id, workload, virtual, n);
        System.gc(); // nothing of the set-up is left for a collection in a window
        CELLS.put(id, cell);
        OUT.verb("ready").put("id", id);
        if (virtual) OUT.put("carriers", String.join(",", cell.carriers.tids));
        else putThreads(cell.lanes);
        if (virtual && n > cell.carriers.tids.size()) OUT.put("turns", 1);
        OUT.put("setup_ns", System.nanoTime() - begin).put("op_ns", cell.lanes[0].opNs);
        workload.say(OUT);
        OUT.end();
    }

    private static void putThreads(Lane[] lanes) {
        StringBuilder carriers = new StringBuilder(), map = new StringBuilder();
        for (Lane lane : lanes) {
            String before = lane.w > 0 ? "," : "";
            carriers.append(before).append(lane.tid);
            map.append(before).append(lane.w).append(':').append(lane.tid);
        }
        OUT.put("carriers", carriers.toString()).put("map", map.toString());
    }

    private static Cell[] chosen(Line line) throws Line.Failure {
        String[] ids = line.ids();
        Cell[] cells = new Cell[ids.length];
        for (int c = 0; c < ids.length; c++) {
            cells[c] = CELLS.get(ids[c]);
            if (cells[c] == null) throw Line.unsupported("cell " + ids[c] + " is not prepared");
            if (Arrays.asList(cells).indexOf(cells[c]) == c) continue;
            throw Line.unsupported("cell " + ids[c] + " twice: prepare two to compare it with itself");
        }
        return cells;
    }

    private static void go(Line line) throws Exception {
        Cell[] cells = chosen(line);
        Plan plan = Plan.of(line);
        Cell.Slot[] slots = slots(line, cells, plan);
        try {
            for (Cell cell : cells) cell.arm(plan, slots);
            for (Cell.Slot slot : slots) slot.run(OUT, line.several());
        } catch (Throwable error) {
            for (Cell cell : cells) {
                cell.end();
                CELLS.remove(cell.id);
            }
            throw error;
        }
        OUT.verb("stopped").ids(line).end();
    }

    /** The turns of a `go`, in their order. */
    private static Cell.Slot[] slots(Line line, Cell[] cells, Plan plan) throws Line.Failure {
        String order = line.get("order", "0");
        long start = line.number("start_ns", -1, 0, Long.MAX_VALUE);
        if (start - System.nanoTime() > AHEAD_NS_MAX) {
            throw Line.internal("start_ns is over an hour ahead: System.nanoTime() is not CLOCK_MONOTONIC here");
        }
        long stride = Math.addExact(plan.lengthNs(), line.number("gap_ns", 0, 0, Long.MAX_VALUE));
        Math.addExact(start, Math.multiplyExact(stride, order.length())); // the last end is within the clock's range
        if (order.isEmpty()) throw Line.unsupported("order= is empty");
        Cell.Slot[] slots = new Cell.Slot[order.length()];
        for (int k = 0; k < slots.length; k++) {
            int c = order.charAt(k) - '0';
            if (c < 0 || c >= cells.length) throw Line.unsupported("order= names a cell that ids= does not");
            slots[k] = new Cell.Slot(cells[c], k, start + k * stride);
        }
        return slots;
    }

    private static void collect(Line line) throws Exception {
        Cell[] cells = chosen(line);
        for (Cell cell : cells) {
            if (cell.plan == null) throw Line.unsupported("cell " + cell.id + " has not run: go comes first");
        }
        for (Cell cell : cells) cell.report(OUT, line.several());
        OUT.verb("done").ids(line).end();
        OUT.flush();
        System.gc(); // the lines are garbage: not to be found in a window of the next go
    }
}
