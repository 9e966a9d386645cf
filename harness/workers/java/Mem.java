import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;

/**
 * The workload `mem`: tables larger than the caches, a worker's own.
 *
 * <p>The work is in a method behind `run`, too large to be inlined where the compiler thinks a call rare, and so
 * compiled by itself. In the loop it does think so: `hello` has run a million noops there. What it inlines on such a
 * path keeps its own calls, here those of the buffer: whole processes were five times slower, by chance.
 */
abstract class Mem extends Op {
    static final long BYTES_MAX = Integer.MAX_VALUE - 127; // of one buffer, with room to align it

    /** Outside the heap: never moved by the collector, first touched by its worker, as large as asked for. */
    static ByteBuffer table(long bytes) {
        return ByteBuffer.allocateDirect((int) bytes + 64).alignedSlice(64).order(ByteOrder.nativeOrder());
    }

    static final class Chase extends Mem {
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

        @Override long run(long i) { return follow(); }

        private long follow() {
            int at = k;
            for (int step = 0; step < steps; step++) at = table.getInt(at << 6);
            return k = at;
        }
    }

    static final class Stream extends Mem {
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

        @Override long run(long i) { return sum(i); }

        private long sum(long i) {
            int from = (int) (i % chunks) * chunk, to = from + length;
            long sum = 0;
            for (int j = from; j < to; j++) sum += elements.get(j);
            return sum % M;
        }
    }
}
