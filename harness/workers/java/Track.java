import java.io.IOException;

/** One worker's record of one slot: a row at every boundary crossed, histograms, ends of operations. */
final class Track {
    static final long[] NONE = {};

    final Plan plan;
    final long startNs;
    final long[] edges, stamp, ops, check, cpu, delay, ends;
    private final Hist[] hists;
    private final Hist aside; // of ramp and tail
    private final Locking.Parts parts, partsAside; // what the operations of `lock` time themselves
    int at, filled;
    boolean early; // left before the end of the windows
    long startedNs;

    Track(Plan plan, long startNs, boolean merged, boolean inParts) {
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
        for (int k = 0; k < hists.length; k++) hists[k] = new Hist(Hist.BUCKETS);
        aside = plan.timed ? Hist.forgotten() : null;
        parts = plan.timed && inParts ? new Locking.Parts(Hist.BUCKETS) : null;
        partsAside = inParts ? new Locking.Parts(2048) : null;
    }

    /** The ones of the interval that the worker is in. */
    Locking.Parts parts() {
        int i = at - plan.ramps;
        return i < 0 || i >= plan.windows || parts == null ? partsAside : parts;
    }

    /** The one of the interval that the worker is in; null in a pass without. */
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
            out.put("check", (check[k + 1] - check[k]) % Op.M).put("first_ns", stamp[k]);
            if (k < at) out.put("last_ns", stamp[k + 1]);
            out.figure("cpu_ns", cpu[k], cpu[k + 1]).figure("delay_ns", delay[k], delay[k + 1]);
            if (k == edges.length - 1) out.put("tail", 1);
            out.end();
        }
        out.verb("total", id, slot).put("w", w).put("ops", ops[last]).put("check", check[last] % Op.M);
        out.put("started_ns", startedNs).put("entered_ns", stamp[0]).put("ended_ns", stamp[last]).end();
        if (ends.length > 0) {
            out.verb("span", id, slot).put("w", w).put("t", "");
            for (int k = 0; k < filled; k++) out.text.append(k > 0 ? "," : "").append(ends[k]);
            out.end();
        }
        for (int h = 0; h < hists.length; h++) hists[h].report(out, "op", id, slot, w, hists.length == plan.windows ? h : -1);
        if (parts != null) parts.report(out, id, slot, w);
    }
}
