package file

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/spillway/spillway/inputs"
)

func TestCopytruncate(t *testing.T) {
	for _, c := range []struct {
		name   string
		inGlob bool
		down   bool
	}{{"seen", true, false}, {"copy outside the glob", false, false}, {"while down", true, true}, {"while down, outside the glob", false, true}} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			if !c.inGlob {
				b.cfg.Paths[0] = b.cfg.Paths[0][:len(b.cfg.Paths[0])-1]
			}
			b.write("a.log", "1\n2\n")
			b.start()
			b.want("1", "2")
			if c.down {
				b.stop()
				b.write("a.log", "3\n") // read from the copy alone
			}
			b.copy("a.log", "a.log.1")
			b.truncate("a.log")
			b.write("a.log", "4\n")
			want := []string{"1", "2", "4"}
			if c.down {
				b.start()
				want = append(want, "3")
			}
			b.want(want...)
			b.write("a.log", "5\n")
			b.want(append(want, "5")...)
			b.stop()
			b.start()
			b.write("a.log", "6\n")
			b.want(append(want, "5", "6")...)
			if b.lost() != 0 {
				t.Fatalf("%d bytes counted as lost", b.lost())
			}
		})
	}
}

// The copy is shorter than what was read: lines were written, and read, between
// the end of the copying and the truncation.
func TestCopyThatEndsBeforeWhatWasRead(t *testing.T) {
	for _, c := range []struct {
		name string
		size int // of the copy
	}{{"at a line end", 6 * 5}, {"within a line", 6*5 + 3}, {"after all", 6 * 10}} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			var want []string
			text := ""
			for i := range 10 {
				want = append(want, "line"+string(rune('0'+i)))
				text += want[i] + "\n"
			}
			b.write("a.log", text)
			b.start()
			b.want(want...)
			b.write("tmp", text[:c.size])
			b.rename("tmp", "a.log.1")
			b.truncate("a.log")
			b.write("a.log", "new\n")
			b.want(append(want, "new")...)
			b.stop()
			b.once() // finishes what has no line end
			b.want(append(want, "new")...)
		})
	}
}

func TestCopyInProgressIsNotRead(t *testing.T) {
	b := newBench(t)
	text := strings.Repeat("0123456789\n", 50_000)
	b.write("a.log", text)
	b.start()
	b.out.Await(t, 50_000)
	for len(text) > 0 {
		n := min(len(text), 70_001)
		b.write("a.log.1", text[:n])
		text = text[n:]
		time.Sleep(3 * time.Millisecond)
	}
	b.truncate("a.log")
	b.write("a.log", "new\n")
	b.out.Await(t, 50_001)
	time.Sleep(50 * time.Millisecond)
	b.out.Await(t, 50_001)
	b.stop()
	b.once()
	b.out.Await(t, 50_001)
}

func TestBackupIsNotReadAndReadOnceItDiffers(t *testing.T) {
	b := newBench(t)
	b.write("a.log", "1\n2\n")
	b.start()
	b.want("1", "2")
	b.copy("a.log", "a.log.bak")
	b.want("1", "2")
	b.stop()
	b.start()
	b.want("1", "2")
	b.write("a.log", "3\n")
	b.want("1", "2", "3")
	b.write("a.log.bak", "other\n")
	b.want("1", "2", "3", "1", "2", "other")
}

func TestSameBeginningIsNotTheSameFile(t *testing.T) {
	b := newBench(t)
	header := strings.Repeat("#", 2000) + "\n"
	b.write("a.log", header+"a\n")
	b.write("b.log", header+"b\n")
	b.write("a.log.1", header+"c\n")
	b.start()
	h := header[:2000]
	b.want(h, h, h, "a", "b", "c")
	b.write("a.log.2", header)
	b.want(h, h, h, "a", "b", "c")
	b.write("a.log.2", "d\n")
	b.want(h, h, h, "a", "b", "c", h, "d")
	b.stop()
	b.once()
	b.want(h, h, h, "a", "b", "c", h, "d")
}

// A sibling that only begins like the truncated file is not its copy.
func TestCopyIsTheSameToTheEnd(t *testing.T) {
	b := newBench(t)
	header := strings.Repeat("#", 2000)
	b.write("a.log", header+"\n1\n2\n3\n")
	b.once()
	b.write("tmp", header+"\n4\n5\n6\n7\n")
	b.rename("tmp", "a.log.1")
	b.truncate("a.log")
	b.write("a.log", "8\n")
	b.once()
	b.want(header, "1", "2", "3", header, "4", "5", "6", "7", "8")
}

func TestCopyOfAFileThatIsRenamedAtOnce(t *testing.T) {
	b := newBench(t)
	b.cfg.Watch = "poll"
	b.cfg.ScanInterval = 100 * time.Millisecond
	b.write("a.log", "1\n2\n")
	b.start()
	b.want("1", "2")
	b.copy("a.log", "a.log.1")
	b.truncate("a.log")
	b.rename("a.log", "a.log.2")
	b.write("a.log", "3\n")
	b.want("1", "2", "3")
}

func TestCopyOfAFileThatIsDeletedAtOnce(t *testing.T) {
	for _, down := range []bool{false, true} {
		b := newBench(t)
		b.cfg.Watch = "poll"
		b.cfg.ScanInterval = 100 * time.Millisecond
		b.write("a.log", "1\n2\n")
		b.start()
		b.want("1", "2")
		if down {
			b.stop()
		}
		b.copy("a.log", "a.log.1")
		b.truncate("a.log")
		b.remove("a.log")
		b.write("a.log", "3\n")
		if down {
			b.start()
		}
		b.want("1", "2", "3")
		b.stop()
	}
}

// TestCopyThatTookTheInodeNumberOfADeletedFile: the truncation is noticed before a scan
// has seen that another file is gone, whose inode number the copy has got.
func TestCopyThatTookTheInodeNumberOfADeletedFile(t *testing.T) {
	b := newBench(t)
	b.cfg.Watch = "poll"
	b.write("other.log", "x\n")
	b.write("a.log", strings.Repeat("a line of the log\n", 100))
	m, err := newMetrics(nil)
	b.must(err)
	r := newReader(b.cfg, inputs.Env{Log: slog.New(slog.DiscardHandler)}, m, b.out)
	defer r.close()
	lines := 0
	work := func() {
		for r.ready.len() > 0 || r.full != nil || len(r.inBatch) > 0 {
			switch {
			case r.full != nil:
				lines += r.full.Len()
				r.full.Release()
				r.full = nil
			case r.ready.len() > 0:
				r.turn(r.ready.pop())
			default:
				r.handOff()
			}
		}
	}
	r.look()
	work()
	other, log := r.found.byPath[b.path("other.log")].file, r.found.byPath[b.path("a.log")].file
	r.shut(other)
	b.remove("other.log")
	b.copy("a.log", "a.log.1")
	var st stat
	b.must(statPath(b.path("a.log.1"), &st))
	if st.inode != other.inode {
		t.Skip("this file system does not give an inode number away at once")
	}
	b.truncate("a.log")
	b.write("a.log", "2\n")
	r.turn(log)
	work()
	r.look()
	work()
	if lines != 102 {
		t.Fatalf("%d lines, want 102", lines)
	}
}
