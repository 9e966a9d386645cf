import java.io.EOFException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.util.concurrent.locks.LockSupport;

/** The operations of one worker, made by the thread that will run them. */
abstract class Op extends Padded {
    static final long M = 2147483647L;

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

    /** Each operation will be timed, or none. */
    void timed(boolean each) {}

    /** Where it puts what it times itself: a new place at each crossing. */
    void within(Locking.Parts parts) {}

    /** Operations of another length, for the warm-up: the code is the same. */
    void shorten(boolean on) {}

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
}
