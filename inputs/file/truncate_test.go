package file

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

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

func TestSameSizeWithinATickOfTheClock(t *testing.T) {
	b := newBench(t)
	b.write("a.log", "00\n")
	b.start()
	want := []string{"00"}
	tick := time.Now()
	b.want(want...)
	for i := 1; i < 30; i++ {
		text := fmt.Sprintf("%02d\n", i)
		b.must(os.WriteFile(b.path("a.log"), []byte(text), 0o600))
		b.must(os.Chtimes(b.path("a.log"), tick, tick))
		want = append(want, text[:2])
		b.out.Await(t, len(want))
	}
	b.want(want...)
}

// A writer without O_APPEND goes on where it was after its file was truncated:
// the beginning is a hole, which nobody has written.
func TestHoleLeftByCopytruncate(t *testing.T) {
	for _, size := range []int{10, 5000, 3 << 20} {
		for _, down := range []bool{false, true} {
			b := newBench(t)
			line := strings.Repeat("x", size/10)
			f, err := os.Create(b.path("a.log"))
			b.must(err)
			defer f.Close()
			var want []string
			for range 10 {
				fmt.Fprintln(f, line)
				want = append(want, line)
			}
			b.start()
			b.want(want...)
			if down {
				b.stop()
			}
			b.copy("a.log", "a.log.1")
			b.truncate("a.log")
			fmt.Fprintln(f, "after")
			if down {
				b.start()
			}
			want = append(want, "after")
			b.want(want...)
			fmt.Fprintln(f, "more")
			b.want(append(want, "more")...)
			b.stop()
			b.once()
			b.want(append(want, "more")...)
		}
	}
}

// The unread end is part of the head while that is short.
func TestHoleInAFileThatIsNew(t *testing.T) {
	b := newBench(t)
	b.must(os.WriteFile(b.path("a.log"), nil, 0o600))
	b.must(os.Truncate(b.path("a.log"), 3<<20))
	b.start()
	b.scanned()
	b.write("a.log", "1\n")
	b.want("1")
	b.write("b.log", strings.Repeat("\x00", 10_000)+"\n")
	b.want("1", "")
}

func TestLinesAreNotReadAgainAfterTheirFilesEndWasCutOff(t *testing.T) {
	for _, down := range []bool{false, true} {
		b := newBench(t)
		b.write("a.log", "1\npartial")
		b.start()
		b.want("1")
		if down {
			b.stop()
		}
		b.must(os.Truncate(b.path("a.log"), 2))
		if !down {
			b.said("lost at source", 1)
			b.write("a.log", "2\n")
			b.want("1", "2")
			b.stop()
		} else {
			b.write("a.log", "2\n")
		}
		b.start()
		b.want("1", "2")
		b.stop()
	}
}
