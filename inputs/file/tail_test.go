package file

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nxadm/tail"

	"github.com/spillway/spillway/internal/config"
)

// follow starts nxadm/tail on a file; lines returns what it has read so far.
func follow(t testing.TB, path string) (lines func() []string) {
	tailing, err := tail.TailFile(path, tail.Config{Follow: true, ReOpen: true, Poll: true, CompleteLines: true, Logger: tail.DiscardingLogger})
	if err != nil {
		t.Fatal(err)
	}
	got, want := []string{}, make(chan chan []string)
	done := make(chan struct{})
	t.Cleanup(func() { close(done); tailing.Stop() })
	go func() {
		for {
			select {
			case l, ok := <-tailing.Lines:
				if !ok {
					return
				}
				got = append(got, l.Text)
			case reply := <-want:
				reply <- slices.Clone(got)
			case <-done:
				return
			}
		}
	}()
	return func() []string {
		reply := make(chan []string)
		want <- reply
		return <-reply
	}
}

// The oracle is given time at each rotation: it loses the rest of a file that
// is rotated while it lags.
func TestSameLinesAsNxadmTail(t *testing.T) {
	b := newBench(t)
	b.cfg.Paths = []config.Path{config.Path(b.path("a.log"))}
	b.write("a.log", "")
	oracle := follow(t, b.path("a.log"))
	b.start()
	rng := rand.New(rand.NewPCG(3, 4))
	var want []string
	for round := range 3 {
		for range 20 {
			var text strings.Builder
			for range rng.IntN(50) {
				line := fmt.Sprintf("%d %d %s", round, len(want), strings.Repeat("é\t", rng.IntN(60)))
				want = append(want, line)
				text.WriteString(line + "\n")
			}
			half := rng.IntN(text.Len() + 1)
			b.write("a.log", text.String()[:half])
			time.Sleep(time.Duration(rng.IntN(5)) * time.Millisecond)
			b.write("a.log", text.String()[half:])
		}
		for deadline := time.Now().Add(10 * time.Second); len(oracle()) < len(want); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("the oracle has read %d lines of %d", len(oracle()), len(want))
			}
		}
		b.out.Await(t, len(want))
		b.rename("a.log", fmt.Sprintf("a.log.%d", round))
		b.write("a.log", "")
		time.Sleep(300 * time.Millisecond) // the oracle polls each 250 ms
	}
	if got, theirs := b.out.Texts(), oracle(); !slices.Equal(got, theirs) || !slices.Equal(got, want) {
		for i := range want {
			if got[i] != want[i] || theirs[i] != want[i] {
				t.Fatalf("line %d: %q, nxadm/tail %q, written %q", i, got[i], theirs[i], want[i])
			}
		}
		t.Fatalf("%d lines, nxadm/tail %d, written %d", len(got), len(theirs), len(want))
	}
}

const benchLine = `203.0.113.7 - - [20/Nov/2026:12:00:00 +0000] "GET /a/b/c HTTP/1.1" 200 1234 "-" "curl/8.5.0"` + "\n"

func benchFile(b *testing.B, bytes int) string {
	path := filepath.Join(b.TempDir(), "bench.log")
	if err := os.WriteFile(path, []byte(strings.Repeat(benchLine, bytes/len(benchLine))), 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}

func BenchmarkRead(b *testing.B) {
	const size = 64 << 20
	path := benchFile(b, size)
	cfg := Default()
	cfg.Paths = []config.Path{config.Path(path)}
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		readOnce(b, cfg)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(size/len(benchLine)), "ns/line")
}

func BenchmarkNxadmTail(b *testing.B) {
	const size = 4 << 20
	path := benchFile(b, size)
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		t, err := tail.TailFile(path, tail.Config{Logger: tail.DiscardingLogger, Location: &tail.SeekInfo{Whence: io.SeekStart}})
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for range t.Lines {
			n++
		}
		if n != size/len(benchLine) {
			b.Fatalf("%d lines", n)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(size/len(benchLine)), "ns/line")
}
