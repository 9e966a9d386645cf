import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** What the kernel tells of this process and its threads. */
final class Kernel {
    private Kernel() {}

    /** The number behind a link such as /proc/thread-self. */
    static String id(String link) throws IOException { return new File(link).getCanonicalFile().getName(); }

    static String[] threads() {
        String[] tids = new File("/proc/self/task").list();
        Arrays.sort(tids);
        return tids;
    }

    static boolean lives(String tid) { return new File(task(tid)).exists(); }

    static String name(String tid) throws IOException { return slurp(task(tid).concat("/comm")); }

    static String task(String tid) { return "/proc/self/task/".concat(tid); }

    static String slurp(String path) throws IOException {
        try (FileInputStream file = new FileInputStream(path)) {
            return new String(file.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    /** null where the kernel has none. */
    static RandomAccessFile openSchedstat(String task) throws IOException {
        String path = task.concat("/schedstat");
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
}
