import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/** A line of the harness: its verb, and its values by key. */
final class Line {
    static final int LENGTH_MAX = 1 << 20;

    final String verb;
    private final Map<String, String> keys = new HashMap<>();

    Line(String verb) { this.verb = verb; }

    /** Adds the values of `key=value` words; what is none is ignored. */
    void read(String[] words) {
        for (String word : words) {
            int equals = word.indexOf('=');
            if (equals <= 0) continue;
            String value = word.substring(equals + 1);
            boolean plain = value.indexOf('%') < 0;
            value = plain ? value : URLDecoder.decode(value.replace("+", "%2B"), StandardCharsets.UTF_8);
            keys.put(word.substring(0, equals), value);
        }
    }

    /** null if it is not there. */
    String get(String key) { return keys.get(key); }

    String get(String key, String otherwise) { return keys.getOrDefault(key, otherwise); }

    /** Required where there is no default, that is where it is below 0. */
    long number(String key, long otherwise, long least, long most) throws Failure {
        String text = keys.get(key);
        if (text == null && otherwise >= 0) return otherwise;
        if (text == null) throw unsupported(key + "= is missing");
        try {
            long value = Long.parseLong(text);
            if (value >= least && value <= most) return value;
        } catch (NumberFormatException error) {
            // said below
        }
        throw unsupported(key + "=" + text + " is not a whole number from " + least + " to " + most);
    }

    /** A number that the worker chooses if it is not given, and from then on has been. */
    long choose(String key, long otherwise, long least, long most) throws Failure {
        long value = number(key, otherwise, least, most);
        if (!keys.containsKey(key)) keys.put(key, Long.toString(value));
        return value;
    }

    String choose(String key, String otherwise) {
        keys.putIfAbsent(key, otherwise);
        return keys.get(key);
    }

    /** The cells of a `go` or `collect`. */
    String[] ids() {
        return several() ? keys.get("ids").split(",", -1) : new String[] {String.valueOf(keys.get("id"))};
    }

    boolean several() { return keys.containsKey("ids"); }

    void require(String features) throws Failure {
        for (String feature : keys.getOrDefault("require", features).split(",")) {
            if (Arrays.asList(features.split(",")).contains(feature)) continue;
            throw unsupported("require=" + feature + " is not known here");
        }
    }

    static Failure unsupported(String message) { return new Failure("unsupported", message); }

    static Failure internal(String message) { return new Failure("internal", message); }

    /** What an `error` line says: its kind, and a message that names the next step. */
    static final class Failure extends Exception {
        private static final long serialVersionUID = 1;
        final String kind;

        private Failure(String kind, String message) {
            super(message);
            this.kind = kind;
        }

        /** As a failure, whatever it was. */
        static Failure of(Throwable error) {
            String message = error.toString();
            if (error instanceof Failure) return (Failure) error;
            if (error instanceof OutOfMemoryError) {
                String remedy = "; fewer workers, or a higher limit (-Xmx, -XX:MaxDirectMemorySize, ulimit -u)";
                return new Failure("oom", message + remedy);
            }
            if (error instanceof Locking.Torn) return new Failure("checksum", error.getMessage());
            if (error instanceof IllegalArgumentException || error instanceof ArithmeticException) {
                return unsupported(message); // a % without two hex digits; times beyond the clock's range
            }
            return internal(message.contains("Too many open files") ? message + "; raise `ulimit -n`" : message);
        }
    }
}
