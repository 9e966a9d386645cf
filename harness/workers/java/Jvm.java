import java.io.IOException;
import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;

/** What the JVM tells of itself; a runtime image may lack java.management, and then that part is absent. */
final class Jvm {
    static final boolean VIRTUAL = Runtime.version().feature() >= 21;
    static final boolean READS_FREELY = Runtime.version().feature() >= 23; // before, a read in one adds a carrier
    static final ThreadMXBean THREADS = threads();

    private Jvm() {}

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

    /** Virtual threads that run at once. */
    static int parallelism() {
        return Integer.getInteger("jdk.virtualThreadScheduler.parallelism", Runtime.getRuntime().availableProcessors());
    }

    /** By reflection: the same class file runs where there is no such method. */
    static Thread startVirtual(Runnable body) throws ReflectiveOperationException {
        return (Thread) Thread.class.getMethod("startVirtualThread", Runnable.class).invoke(null, body);
    }

    /** The receipt of `hello`. */
    static void say(Out out) throws IOException {
        Runtime runtime = Runtime.getRuntime();
        if (VIRTUAL) out.put("parallelism", parallelism());
        out.put("vm", System.getProperty("java.vm.name")).put("vm_version", System.getProperty("java.vm.version"));
        out.put("vendor", System.getProperty("java.vendor")).put("jit", System.getProperty("java.vm.info"));
        out.put("gc", collectors()).put("heap_bytes", runtime.totalMemory());
        out.put("heap_bytes_max", runtime.maxMemory()).put("processors", runtime.availableProcessors());
        out.put("flags", flags());
    }

    private static String collectors() {
        if (THREADS == null) return null;
        StringBuilder names = new StringBuilder();
        for (GarbageCollectorMXBean bean : ManagementFactory.getGarbageCollectorMXBeans()) {
            names.append(names.length() > 0 ? "," : "").append(bean.getName());
        }
        return names.toString();
    }

    /** The options this JVM was started with, from its command line and the environment. */
    private static String flags() throws IOException {
        StringBuilder flags = new StringBuilder();
        for (String word : Kernel.slurp("/proc/self/cmdline").split("\0")) {
            if (word.startsWith("-X") || word.startsWith("-D")) flags.append(' ').append(word);
        }
        for (String name : new String[] {"JDK_JAVA_OPTIONS", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS"}) {
            if (System.getenv(name) != null) flags.append(' ').append(name).append('=').append(System.getenv(name));
        }
        return flags.toString().strip();
    }
}
