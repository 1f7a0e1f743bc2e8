public class Trace {
    static class Door implements AutoCloseable {
        public void close() { throw new IllegalStateException("the door is stuck"); }
    }

    static void inner() { throw new IllegalArgumentException("inner"); }

    static void outer() {
        try {
            inner();
        } catch (RuntimeException e) {
            throw new IllegalStateException("outer", e);
        }
    }

    public static void main(String[] args) {
        try (Door door = new Door()) {
            outer();
        }
    }
}
