package file

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestWhatIsDeletedUnreadIsCounted(t *testing.T) {
	b := newBench(t)
	b.cfg.CloseAfter = 50 * time.Millisecond
	b.cfg.MaxOpenFiles = 2
	b.write("a.log", "1\n")
	b.write("b.log", "1\n")
	b.write("c.log", "1\n")
	b.start()
	b.want("1", "1", "1")
	b.awaitMetric("open_files", 0)
	unblock := b.fill("b.log")
	b.write("a.log", "23456\n")
	b.write("c.log", "23456\n")
	b.scanned()
	b.remove("a.log")
	b.remove("c.log")
	b.scanned()
	unblock()
	b.out.Await(t, 20_003)
	b.stop()
	if b.lost() != 12 || b.metric("lost_bytes_total") != 12 {
		t.Fatalf("%d bytes counted as lost, want 12\n%s", b.lost(), b.log)
	}
}

// fill blocks the pipeline and writes more lines to a file than it takes; what
// is in other files waits.
func (b *bench) fill(name string) (unblock func()) {
	b.Helper()
	before := b.metric("read_lines_total")
	unblock = b.out.Block()
	b.write(name, strings.Repeat("0\n", 20_000))
	b.awaitMetric("read_lines_total", before+8192) // a batch that is emitted, one that waits
	return unblock
}

func TestWhatIsTruncatedUnreadIsCounted(t *testing.T) {
	b := newBench(t)
	b.write("a.log", "1\n")
	b.start()
	b.want("1")
	b.write("a.log", "2\npartial")
	b.want("1", "2")
	b.truncate("a.log")
	b.write("a.log", "3\n")
	b.want("1", "2", "3")
	b.stop()
	if b.lost() != int64(len("partial")) {
		t.Fatalf("%d bytes counted as lost, want 7", b.lost())
	}
	if b.log.count("lost at source") != 1 {
		t.Fatalf("want one warning:\n%s", b.log)
	}
}

func TestWhatIsTruncatedDuringBackpressureIsCounted(t *testing.T) {
	for _, closed := range []bool{false, true} {
		b := newBench(t)
		if closed {
			b.cfg.CloseAfter = time.Millisecond
		}
		b.write("a.log", "1\n")
		b.start()
		b.want("1")
		if closed {
			b.awaitMetric("open_files", 0)
		}
		unblock := b.fill("b.log")
		b.write("a.log", "23456\n")
		b.scanned()
		b.truncate("a.log")
		b.write("a.log", "7\n")
		unblock()
		b.out.Await(t, 20_002)
		b.stop()
		if b.lost() != int64(len("23456\n")) {
			t.Fatalf("closed %v: %d bytes counted as lost, want 6\n%s", closed, b.lost(), b.log)
		}
	}
}

func TestEndThatIsCutOffUnreadIsCounted(t *testing.T) {
	b := newBench(t)
	b.write("a.log", "1\npartial")
	b.start()
	b.want("1")
	b.must(os.Truncate(b.path("a.log"), 2))
	b.said("lost at source", 1)
	b.write("a.log", "2\n")
	b.want("1", "2")
	b.stop()
	if b.lost() != int64(len("partial")) {
		t.Fatalf("%d bytes counted as lost, want 7", b.lost())
	}
}

func TestFileThatWasLostAndComesBackKeepsItsCounts(t *testing.T) {
	b := newBench(t)
	b.must(os.Mkdir(b.path("elsewhere"), 0o700))
	b.write("a.log", "1\npartial")
	b.start()
	b.want("1")
	b.stop()
	b.rename("a.log", "elsewhere/a.log")
	b.start()
	b.await("the loss", func() bool { return b.lost() == 7 })
	b.rename("elsewhere/a.log", "a.log")
	b.write("a.log", "\n")
	b.want("1", "partial")
	if b.lost() != 7 {
		t.Fatalf("%d bytes lost", b.lost())
	}
}

// With two open files at most, of files deleted unread one must be given up.
func TestDeletedFilesThatCannotBeHeldAreCounted(t *testing.T) {
	b := newBench(t)
	b.cfg.MaxOpenFiles = 2
	b.write("z.log", "0\n")
	b.start()
	b.want("0")
	unblock := b.fill("z.log")
	for _, name := range []string{"a.log", "b.log", "c.log", "d.log"} {
		b.write(name, "12345\n")
		b.scanned()
		b.remove(name)
		b.scanned()
	}
	unblock()
	b.await("the loss and the rest", func() bool { return int64(b.out.Count()-20_001)*6+b.lost() == 24 })
	if b.lost() == 0 || b.log.count("lost at source: max_open_files") == 0 {
		t.Fatalf("want some lost\n%s", b.log)
	}
}
