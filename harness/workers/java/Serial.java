import java.util.concurrent.atomic.AtomicLongArray;

/** The workload `serial`: rounds of all workers, a known share of each under a lock. */
final class Serial extends Op.Cpu {
    private final Hall hall;
    private final long permille;
    private int locked; // steps
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

    /** Where the workers of a cell meet: a barrier and a ticket lock, each word 128 bytes from the next. */
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
}
