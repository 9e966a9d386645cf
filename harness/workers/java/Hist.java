import java.io.IOException;

/** Durations of operations in HdrHistogram's buckets at three digits; minimum, maximum and sum are exact. */
final class Hist extends Padded {
    static final int BUCKETS = 25 << 10; // beyond 17 s in the last
    static final int BYTES_MAX = 32 << 20; // of one cell; above it a histogram a worker, not a window

    private final int[] counts;
    private long min = Long.MAX_VALUE, max, sum;

    Hist(int buckets) { counts = new int[buckets]; }

    /** One whose content nobody wants: the loop around it is the same. */
    static Hist forgotten() { return new Hist(2048); }

    void record(long ns) {
        int k = Math.max(0, 53 - Long.numberOfLeadingZeros(ns));
        counts[(int) Math.min((k << 10) + (ns >> k), counts.length - 1)]++;
        min = Math.min(min, ns);
        max = Math.max(max, ns);
        sum += ns;
    }

    /** The window is below 0 where it is of all of them. */
    void report(Out out, String name, String id, int slot, int w, int window) throws IOException {
        long n = 0;
        for (int count : counts) n += count;
        if (n == 0) return;
        out.verb("hist", id, slot).put("w", w).put("name", name).put("unit", "ns").put("n", n);
        if (window >= 0) out.put("i", window);
        out.put("min", min).put("max", max).put("sum", sum).put("b", "");
        String before = "";
        for (int k = 0; k < counts.length; k++) {
            if (counts[k] == 0) continue;
            out.text.append(before).append(k).append(':').append(counts[k]);
            before = ",";
        }
        out.end();
    }
}
