/** How a `go` cuts the time from its start. */
final class Plan {
    private static final int SPANS_MAX = 1 << 16; // ends of operations that fit a line
    private static final int INTERVALS_MAX = 1 << 20;
    /** One window of a nanosecond: crossings without operations. */
    static final Plan REHEARSAL = new Plan(false, 0, 1, 1, 0, 0, 0);

    final boolean timed;
    final int spans, ramps, windows;
    final long rampNs, spinNs;
    final long[] ends; // of the intervals, from the start

    private Plan(boolean timed, long rampNs, long windowNs, long windows, long tailNs, long spinNs, long spans) {
        this.timed = timed;
        this.rampNs = rampNs;
        this.windows = (int) windows;
        this.spinNs = spinNs;
        this.spans = (int) Math.min(SPANS_MAX, spans);
        ramps = (int) Math.min(INTERVALS_MAX, Math.max(1, rampNs / windowNs));
        int last = ramps + this.windows;
        ends = new long[last + 1];
        for (int k = 0; k < last; k++) ends[k] = Math.addExact(rampNs, Math.multiplyExact(windowNs, k + 1L - ramps));
        ends[last] = Math.addExact(ends[last - 1], tailNs);
    }

    static Plan of(Line line) throws Line.Failure {
        String pass = String.valueOf(line.get("pass"));
        switch (pass) {
            case "throughput", "latency", "counters" -> { }
            default -> throw Line.unsupported("pass=" + pass + " is not one of throughput,latency,counters");
        }
        long windowNs = line.number("window_ns", -1, 1, Long.MAX_VALUE);
        long windows = line.number("windows", -1, 1, INTERVALS_MAX);
        long rampNs = line.number("ramp_ns", 0, 0, Long.MAX_VALUE);
        long tailNs = line.number("tail_ns", 0, 0, Long.MAX_VALUE);
        long spinNs = line.number("spin_ns", 0, 0, Long.MAX_VALUE);
        long spans = line.number("spans", 0, 0, Long.MAX_VALUE);
        return new Plan(pass.equals("latency"), rampNs, windowNs, windows, tailNs, spinNs, spans);
    }

    /** From a slot's start to the end of its tail. */
    long lengthNs() { return ends[ends.length - 1]; }
}
