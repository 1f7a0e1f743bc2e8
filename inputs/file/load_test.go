package file

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A writer that knows nothing of rotation writes about 20,000 lines a second
// while the file is copied and truncated. What arrives is every line that is in
// the copies and the live file, and each once; more can arrive only of what was
// read before it was truncated away.
func TestCopytruncateUnderLoad(t *testing.T) {
	b := newBench(t)
	b.write("a.log", "")
	b.start()
	var stop atomic.Bool
	done := make(chan error)
	go func() {
		f, err := os.OpenFile(b.path("a.log"), os.O_APPEND|os.O_WRONLY, 0)
		for n := 0; err == nil && !stop.Load(); n += 20 {
			var text strings.Builder
			for i := range 20 {
				fmt.Fprintf(&text, "%08d %s\n", n+i, strings.Repeat("x", 60))
			}
			_, err = f.WriteString(text.String())
			time.Sleep(time.Millisecond)
		}
		f.Close()
		done <- err
	}()
	for i := range 10 {
		time.Sleep(200 * time.Millisecond)
		b.copy("a.log", fmt.Sprintf("a.log.%d", i))
		b.truncate("a.log")
	}
	stop.Store(true)
	b.must(<-done)
	b.scanned() // what it read between the last copy and truncation it knows only until it stops
	b.stop()
	b.once()

	got := b.out.Texts()
	slices.Sort(got)
	// Lines may come twice if this machine was too busy, and if it is said.
	if once := slices.Compact(slices.Clone(got)); len(once) != len(got) && b.log.count("may be read twice") == 0 {
		t.Errorf("%d lines arrived more than once\n%s", len(got)-len(once), b.log)
	}
	files, err := os.ReadDir(b.dir)
	b.must(err)
	kept := 0
	for _, f := range files {
		p, err := os.ReadFile(b.path(f.Name()))
		b.must(err)
		for line := range strings.Lines(string(p)) {
			kept++
			if _, found := slices.BinarySearch(got, strings.TrimSuffix(line, "\n")); !found {
				t.Fatalf("%.8s of %s has not arrived\n%s", line, f.Name(), b.log)
			}
		}
	}
	t.Logf("%d lines in the files, %d arrived", kept, len(got))
}
