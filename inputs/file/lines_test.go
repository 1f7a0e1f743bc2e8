package file

import (
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spillway/spillway/internal/config"
)

func TestLines(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 2) // max_line is 20
	for _, c := range []struct {
		name, text string
		want       []string
		cut        int64
	}{
		{"empty file", "", nil, 0},
		{"empty lines", "\n\na\n\n", []string{"", "", "a", ""}, 0},
		{"carriage returns", "a\r\nb\r\r\nc\rd\n\r\n", []string{"a", "b\r", "c\rd", ""}, 0},
		{"junk", "\x00\xff\xfe\n\x80\n", []string{"\x00\xff\xfe", "\x80"}, 0},
		{"no line end", "a\nrest", []string{"a", "rest"}, 0},
		{"only a carriage return at the end", "a\r", []string{"a\r"}, 0},
		{"longest", long[:20] + "\n" + long[:20] + "\r\n" + long[:20], []string{long[:20], long[:20], long[:20]}, 0},
		{"one too long", long[:21] + "\nb\n", []string{long[:20], "b"}, 1},
		{"too long without end", long, []string{long[:20]}, 1},
		{"much too long", strings.Repeat(long, 300_000) + "\nb\n" + strings.Repeat(long, 10), []string{long[:20], "b", long[:20]}, 2},
		{"two too long", long + "\n" + long + "\n\n", []string{long[:20], long[:20], ""}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			b.cfg.MaxLine = 20
			b.write("a.log", c.text)
			b.once()
			if got := b.out.Texts(); !slices.Equal(got, c.want) {
				t.Fatalf("got  %q\nwant %q", got, c.want)
			}
			if b.cut() != c.cut {
				t.Errorf("%d lines counted as cut, want %d", b.cut(), c.cut)
			}
			for _, l := range b.out.Lines() {
				if marked := l.Fields[truncatedField] == "true"; marked != (c.cut > 0 && l.Text == long[:20]) {
					t.Errorf("%q: marked as cut: %v", l.Text, marked)
				}
			}
			for _, p := range b.out.Resume() {
				if p.Offset != int64(len(c.text)) || p.Bytes != int64(len(c.text)) {
					t.Errorf("offset %d, bytes %d, want %d", p.Offset, p.Bytes, len(c.text))
				}
			}
		})
	}
}

// Sizes around those of blocks, batches and the longest line, in one file.
func TestLinesOfAllSizesKeepTheirOffsets(t *testing.T) {
	b := newBench(t)
	rng := rand.New(rand.NewPCG(1, 2))
	sizes := []int{0, 1, 255, 256, 257, 4095, 8191, 8192, 65_535, 65_536, 1<<18 - 1, 1 << 18, 1<<18 + 1, 1<<20 - 1, 1 << 20}
	for range 200 {
		sizes = append(sizes, int(rng.ExpFloat64()*300))
	}
	rng.Shuffle(len(sizes), func(i, j int) { sizes[i], sizes[j] = sizes[j], sizes[i] })
	var text strings.Builder
	var offsets []int64
	for i, n := range sizes {
		offsets = append(offsets, int64(text.Len()))
		text.WriteString(strings.Repeat(string(rune('a'+i%26)), n) + "\n")
	}
	b.write("a.log", text.String())
	b.once()
	lines := b.out.Lines()
	if len(lines) != len(sizes) {
		t.Fatalf("%d lines, want %d", len(lines), len(sizes))
	}
	for i, l := range lines {
		if len(l.Text) != sizes[i] || l.Offset != offsets[i] {
			t.Fatalf("line %d: %d bytes at %d, want %d at %d", i, len(l.Text), l.Offset, sizes[i], offsets[i])
		}
	}
}

func TestLineIsKeptBackUntilItIsComplete(t *testing.T) {
	b := newBench(t)
	b.write("a.log", "one\ntw")
	b.start()
	b.want("one")
	b.write("a.log", "o\r")
	b.want("one")
	b.write("a.log", "\nthree")
	b.want("one", "two")
	b.stop()
	b.start()
	b.write("a.log", "!\n")
	b.want("one", "two", "three!")
}

func TestGiantLineThatDrips(t *testing.T) {
	b := newBench(t)
	b.start()
	part := strings.Repeat("x", 90_001)
	for range 10 {
		b.write("a.log", part)
		time.Sleep(5 * time.Millisecond) // so that it is seen to drip; it need not be
	}
	b.write("a.log", "\nb\n")
	b.want(strings.Repeat(part, 10), "b")
	for range 30 { // 2.7 MB
		b.write("a.log", part)
		time.Sleep(5 * time.Millisecond)
	}
	b.write("a.log", "\nc\n")
	b.want(strings.Repeat(part, 10), "b", strings.Repeat("x", 1<<20), "c")
}

func TestCutLineIsSkippedAcrossARestart(t *testing.T) {
	b := newBench(t)
	b.cfg.MaxLine = 16
	b.write("a.log", "0123456789abcdefghi")
	b.start()
	b.want("0123456789abcdef")
	b.stop()
	b.write("a.log", "jklmnopq")
	b.start()
	b.want("0123456789abcdef")
	b.write("a.log", "rst\nnext\n")
	b.want("0123456789abcdef", "next")
}

func TestGiantLineNeedsLittleMemory(t *testing.T) {
	b := newBench(t)
	f, err := os.Create(b.path("a.log"))
	b.must(err)
	block := []byte(strings.Repeat("x", 1<<20))
	for range 256 {
		_, err = f.Write(block)
		b.must(err)
	}
	b.must(f.Close())
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	b.once()
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 16<<20 {
		t.Fatalf("%d bytes allocated for a line of 256 MiB", n)
	}
	if b.out.Count() != 1 || len(b.out.Texts()[0]) != 1<<20 {
		t.Fatal("want one line of max_line")
	}
}

func TestLastLineOfAFinishedFile(t *testing.T) {
	for _, to := range []string{"a.log.1", "aside"} { // within and out of the glob
		b := newBench(t)
		b.cfg.CloseAfter = 100 * time.Millisecond
		b.write("a.log", "1\nrest")
		b.write("b.log", "1\nrest")
		b.start()
		b.awaitMetric("read_lines_total", 2)
		b.awaitMetric("open_files", 0)
		b.want("1", "1") // idle, but not finished
		b.rename("a.log", to)
		b.want("1", "1", "rest")
		b.stop()
	}
}

func TestLastLineOfADeletedFile(t *testing.T) {
	b := newBench(t)
	b.cfg.CloseAfter = 3 * time.Second // it is deleted while it is open
	b.write("a.log", "1\nrest")
	b.start()
	b.want("1")
	b.remove("a.log")
	b.want("1", "rest")
}

func TestManyFilesShareBatches(t *testing.T) {
	b := newBench(t)
	b.cfg.Paths = []config.Path{config.Path(b.path("*"))}
	for i := range 1000 {
		b.write(strings.Repeat("f", 1+i/100)+string(rune('a'+i%100/10))+string(rune('a'+i%10)), "first\n")
	}
	b.once()
	if b.out.Count() != 1000 {
		t.Fatalf("%d lines, want 1000", b.out.Count())
	}
	if n := b.out.Emitted(); n > 3 {
		t.Fatalf("%d batches for 1000 short lines of as many files", n)
	}
}

func TestNoFileStarvesTheOthers(t *testing.T) {
	b := newBench(t)
	b.write("big.log", strings.Repeat("x\n", 2_000_000))
	b.write("small.log", "small\n")
	b.once()
	for i, l := range b.out.Lines() {
		if l.Text == "small" {
			if i > 10*4096 {
				t.Fatalf("the small file's line came after %d of the big one's", i)
			}
			return
		}
	}
	t.Fatal("the small file was not read")
}
