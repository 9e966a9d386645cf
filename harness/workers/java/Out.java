import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;

/** Lines of the worker, held until they are flushed. */
final class Out {
    private static final int HELD_MAX = 1 << 16;

    private final FileOutputStream file = new FileOutputStream(FileDescriptor.out);
    final StringBuilder text = new StringBuilder(1 << 12);

    Out verb(String verb) {
        text.append(verb);
        return this;
    }

    /** Begins a line of `collect`; without a slot where it is below 0. */
    Out verb(String verb, String id, int slot) {
        verb(verb).put("id", id);
        return slot < 0 ? this : put("slot", slot);
    }

    /** Repeats what a line says of its cells. */
    Out ids(Line line) { return put("id", line.get("id")).put("ids", line.get("ids")); }

    Out put(String key, long value) {
        text.append(' ').append(key).append('=').append(value);
        return this;
    }

    /** Nothing if the value is null. */
    Out put(String key, String value) {
        if (value == null) return this;
        text.append(' ').append(key).append('=');
        for (byte b : value.getBytes(StandardCharsets.UTF_8)) {
            if (b > ' ' && b < 127 && b != '%') text.append((char) b);
            else text.append('%').append(Character.forDigit(b >> 4 & 15, 16)).append(Character.forDigit(b & 15, 16));
        }
        return this;
    }

    /** What a figure grew by, unless either reading is unknown. */
    Out figure(String key, long before, long after) {
        return before < 0 || after < 0 ? this : put(key, after - before);
    }

    void end() throws IOException {
        text.append('\n');
        if (text.length() > HELD_MAX) flush();
    }

    void flush() throws IOException {
        file.write(text.toString().getBytes(StandardCharsets.UTF_8));
        text.setLength(0);
    }
}
