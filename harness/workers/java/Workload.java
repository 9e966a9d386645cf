import java.io.IOException;
import java.util.Arrays;

/** What a line of `prepare` asks of every worker; parameters that it leaves out are chosen here. */
final class Workload {
    static final String NAMES = "noop,cpu,sleep,pipe,mem,serial,lock";
    private static final String SAID = "steps,batch,sleep_ns,kind,bytes,chunk,permille,first,delay_ns";

    final Serial.Hall hall = new Serial.Hall();
    Locking.Shared locks; // of the workload `lock`
    private final Line line;
    private final String name;
    private String kind;
    private long batch, sleepNs, first, permille, bytes, chunk;
    private int steps, readers;

    Workload(Line line) throws Line.Failure {
        this.line = line;
        name = String.valueOf(line.get("workload"));
        switch (name) {
            case "noop" -> batch = line.choose("batch", 1000, 1, 1 << 30);
            case "cpu" -> steps = steps(30_000);
            case "sleep" -> sleepNs = line.choose("sleep_ns", 1_000_000, 0, Long.MAX_VALUE / 4);
            case "pipe" -> {
                if (line.get("dir") == null) throw Line.unsupported("dir= is missing");
                first = line.choose("first", 0, 0, 1 << 30);
            }
            case "serial" -> {
                steps = steps(400_000);
                permille = line.choose("permille", 0, 0, 1000);
            }
            case "lock" -> lock();
            case "mem" -> {
                kind = line.choose("kind", "chase");
                bytes = line.choose("bytes", 128 << 20, 64, Mem.BYTES_MAX);
                switch (kind) {
                    case "chase" -> steps = steps(1024);
                    case "stream" -> chunk = chunk();
                    default -> throw Line.unsupported("kind= is chase or stream");
                }
            }
            default -> throw Line.unsupported("workload " + name + " is not one of " + NAMES);
        }
    }

    /** A constant of the program, never calibrated: trials are compared by operations. */
    private int steps(int otherwise) throws Line.Failure {
        return (int) line.choose("steps", otherwise, 1, Integer.MAX_VALUE);
    }

    private void lock() throws Line.Failure {
        int kind = Arrays.asList(Locking.NAMES.split(",")).indexOf(line.get("lock"));
        if (kind < 0) throw Line.unsupported("lock=" + line.get("lock") + " is not one of " + Locking.NAMES);
        steps = (int) line.choose("steps", 1000, 0, Integer.MAX_VALUE);
        permille = line.choose("permille", 250, 0, 1000);
        readers = (int) line.number("readers", 0, 0, 1000);
        int n = (int) line.number("locks", 1, 1, 1 << 16);
        String layout = line.get("layout", "padded");
        if (!layout.equals("padded") && !layout.equals("packed")) {
            throw Line.unsupported("layout=" + layout + " is not one of padded,packed");
        }
        if (Locking.batch(steps) > 1) line.choose("batch", Locking.batch(steps), 1, Locking.batch(steps));
        locks = new Locking.Shared(kind, n, layout.equals("packed"));
    }

    private long chunk() throws Line.Failure {
        long chunk = line.choose("chunk", 1 << 20, 8, bytes);
        if (chunk % 8 == 0 && bytes % chunk == 0) return chunk;
        throw Line.unsupported("bytes is to be a multiple of chunk, and chunk of 8");
    }

    /** The operations of worker w, in whose thread this is called. */
    Op op(int w) throws IOException {
        return switch (name) {
            case "noop" -> new Op.Noop(batch);
            case "cpu" -> new Op.Cpu(steps);
            case "sleep" -> new Op.Sleep(sleepNs);
            case "pipe" -> new Op.Pipe(line.get("dir"), first + w);
            case "serial" -> new Serial(hall, steps, permille);
            case "lock" -> new Locking(locks, w, steps, permille, readers);
            default -> kind.equals("chase") ? new Mem.Chase(bytes, steps) : new Mem.Stream(bytes, chunk);
        };
    }

    /** The parameters, for `ready`. */
    void say(Out out) {
        for (String key : SAID.split(",")) out.put(key, line.get(key));
    }
}
