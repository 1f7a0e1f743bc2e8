package file

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/spillway/spillway/inputs/inputstest"
)

func TestRenamedFileIsReadToItsEnd(t *testing.T) {
	b := newBench(t)
	b.write("a.log", "1\n2\n")
	b.start()
	b.want("1", "2")
	writer, err := os.OpenFile(b.path("a.log"), os.O_APPEND|os.O_WRONLY, 0)
	b.must(err)
	defer writer.Close()
	b.rename("a.log", "a.log.1")
	b.write("a.log", "4\n")
	writer.WriteString("3\n")
	b.want("1", "2", "3", "4")
	writer.WriteString("5\n")
	b.want("1", "2", "3", "4", "5")
	if n := len(b.sources()); n != 2 {
		t.Fatalf("%d sources, want 2: the rotated file keeps its own", n)
	}
}

func TestFileRenamedOutOfTheGlobIsReadToItsEnd(t *testing.T) {
	for _, closed := range []bool{false, true} {
		b := newBench(t)
		b.cfg.Paths[0] = b.cfg.Paths[0][:len(b.cfg.Paths[0])-1] // *.log
		if closed {
			b.cfg.CloseAfter = time.Millisecond
		}
		b.write("a.log", "1\n")
		b.start()
		b.want("1")
		b.write("a.log", "2\n")
		b.rename("a.log", "a.log.1")
		b.write("a.log", "3\n")
		b.want("1", "2", "3")
		b.stop()
	}
}

func TestFileRotatedWhileDownIsReadToItsEnd(t *testing.T) {
	for _, inGlob := range []bool{true, false} {
		b := newBench(t)
		if !inGlob {
			b.cfg.Paths[0] = b.cfg.Paths[0][:len(b.cfg.Paths[0])-1]
		}
		b.write("a.log", "1\n")
		b.start()
		b.want("1")
		b.stop()
		b.write("a.log", "2\n")
		b.rename("a.log", "a.log.1")
		b.write("a.log", "3\n")
		b.start()
		b.want("1", "2", "3")
		b.stop()
		if n := len(b.sources()); n != 2 {
			t.Fatalf("%d sources, want 2", n)
		}
	}
}

func TestChainOfRotationsWhileDown(t *testing.T) {
	b := newBench(t)
	b.write("a.log", "1\n")
	b.once()
	b.write("a.log", "2\n")
	b.rename("a.log", "a.log.1")
	b.write("a.log", "3\n")
	b.rename("a.log.1", "a.log.2")
	b.rename("a.log", "a.log.1")
	b.write("a.log", "4\n")
	b.once()
	b.want("1", "2", "3", "4")
	b.once()
	b.want("1", "2", "3", "4")
}

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

func TestTruncatedFileIsBegunAgain(t *testing.T) {
	for _, c := range []struct{ name, then string }{
		{"shorter", "x\n"}, {"as long", "x\ny\n"}, {"longer", "x\ny\nz\n"},
	} {
		for _, down := range []bool{false, true} {
			b := newBench(t)
			b.write("a.log", "1\n2\n")
			b.start()
			b.want("1", "2")
			if down {
				b.stop()
			}
			time.Sleep(15 * time.Millisecond)
			b.must(os.WriteFile(b.path("a.log"), []byte(c.then), 0o600))
			if down {
				b.start()
			}
			b.want(append([]string{"1", "2"}, strings.Fields(c.then)...)...)
			if n := len(b.sources()); n != 1 {
				t.Fatalf("%d sources, want 1: a new generation of the same", n)
			}
			b.stop()
		}
	}
}

func TestDeletedFileIsReadToItsEndAndForgotten(t *testing.T) {
	b := newBench(t)
	b.cfg.CloseAfter = 50 * time.Millisecond
	b.write("a.log", "1\n")
	b.start()
	b.want("1")
	f, err := os.OpenFile(b.path("a.log"), os.O_APPEND|os.O_WRONLY, 0)
	b.must(err)
	b.remove("a.log")
	f.WriteString("2\nrest")
	b.want("1", "2", "rest")
	f.Close()
	b.write("a.log", "1\n") // perhaps with the same inode number
	b.want("1", "2", "rest", "1")
	if n := len(b.sources()); n != 2 {
		t.Fatalf("%d sources, want 2", n)
	}
}

func TestRecreatedWithTheSameInode(t *testing.T) {
	for range 20 {
		b := newBench(t)
		b.write("a.log", "1\n2\n")
		b.once()
		b.remove("a.log")
		b.write("a.log", "1\n2\n3\n")
		b.once()
		b.want("1", "2", "1", "2", "3")
	}
}

func TestRotationDuringBackpressureLosesNothing(t *testing.T) {
	b := newBench(t)
	b.write("a.log", strings.Repeat("x\n", 20_000))
	unblock := b.out.Block()
	b.start()
	for i := range 5 { // each file lives for a few scans only
		time.Sleep(40 * time.Millisecond)
		b.rename("a.log", "a.log.1")
		b.write("a.log", strings.Repeat(string(rune('a'+i))+"\n", 1000))
	}
	time.Sleep(40 * time.Millisecond)
	unblock()
	b.out.Await(t, 25_000)
	if b.lost() != 0 {
		t.Fatalf("%d bytes counted as lost", b.lost())
	}
}

func TestWhatIsDeletedUnreadIsCounted(t *testing.T) {
	b := newBench(t)
	b.cfg.CloseAfter = 50 * time.Millisecond
	b.cfg.MaxOpenFiles = 2
	b.write("a.log", "1\n")
	b.write("b.log", "1\n")
	b.write("c.log", "1\n")
	b.start()
	b.want("1", "1", "1")
	time.Sleep(200 * time.Millisecond) // all are closed
	unblock := b.out.Block()
	b.write("b.log", strings.Repeat("2\n", 10_000)) // keeps the reader waiting
	time.Sleep(50 * time.Millisecond)
	b.write("a.log", "23456\n")
	b.write("c.log", "23456\n")
	time.Sleep(50 * time.Millisecond)
	b.remove("a.log")
	b.remove("c.log")
	time.Sleep(50 * time.Millisecond)
	unblock()
	inputstest.AwaitFor(t, func() bool { return b.out.Count() >= 10_003 }, func() string { return b.log.String() })
	b.stop()
	// On a busy machine the reader may have come to one of them in time.
	late := b.out.Count() - 10_003
	if late > 1 || b.lost() != int64(12-6*late) {
		t.Fatalf("%d bytes counted as lost, and %d of 2 lines read\n%s", b.lost(), late, b.log)
	}
}

func TestWhatIsTruncatedUnreadIsCounted(t *testing.T) {
	b := newBench(t)
	b.write("a.log", "1\n")
	b.start()
	b.want("1")
	b.write("a.log", "partial")
	time.Sleep(50 * time.Millisecond)
	b.truncate("a.log")
	b.write("a.log", "2\n")
	b.want("1", "2")
	b.stop()
	if b.lost() != int64(len("partial")) {
		t.Fatalf("%d bytes counted as lost, want 7", b.lost())
	}
	if b.log.count("lost at source") != 1 {
		t.Fatalf("want one warning:\n%s", b.log)
	}
}

func TestWhatIsTruncatedDuringBackpressureIsCounted(t *testing.T) {
	// The reader can only count what it has seen. How soon it looks depends on
	// how busy the machine is.
	for pause := 50 * time.Millisecond; pause < 5*time.Second; pause *= 2 {
		b := newBench(t)
		b.write("a.log", "1\n")
		b.start()
		b.want("1")
		unblock := b.out.Block()
		b.write("b.log", strings.Repeat("2\n", 10_000)) // keeps the reader waiting
		time.Sleep(pause)
		b.write("a.log", "23456\n")
		time.Sleep(pause)
		b.truncate("a.log")
		b.write("a.log", "7\n")
		unblock()
		b.out.Await(t, 10_002)
		b.stop()
		switch b.lost() {
		case int64(len("23456\n")):
			return
		case 0:
			t.Logf("not seen within %v", pause)
		default:
			t.Fatalf("%d bytes counted as lost, want 6\n%s", b.lost(), b.log)
		}
	}
	t.Fatal("nothing was counted as lost")
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

func TestEndThatIsCutOffUnreadIsCounted(t *testing.T) {
	b := newBench(t)
	b.write("a.log", "1\npartial")
	b.start()
	b.want("1")
	b.must(os.Truncate(b.path("a.log"), 2))
	time.Sleep(50 * time.Millisecond)
	b.write("a.log", "2\n")
	b.want("1", "2")
	b.stop()
	if b.lost() != int64(len("partial")) {
		t.Fatalf("%d bytes counted as lost, want 7", b.lost())
	}
}
