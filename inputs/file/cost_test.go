package file

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/spillway/spillway/inputs"
	"github.com/spillway/spillway/internal/config"
	"github.com/spillway/spillway/record"
)

// sink takes batches and does nothing with them.
type sink struct {
	lines, batches int
	seen           atomic.Int64 // lines, for other goroutines
	demand         chan struct{}
}

func (s *sink) Batch() *record.Batch      { return record.NewBatch() }
func (s *sink) Resume() []record.Position { return nil }
func (s *sink) Demand() <-chan struct{}   { return s.demand }
func (s *sink) Emit(_ context.Context, b *record.Batch) error {
	s.lines += b.Len()
	s.batches++
	s.seen.Store(int64(s.lines))
	b.Release()
	return nil
}

func readOnce(t testing.TB, cfg *Config) *sink {
	in, err := New(cfg, inputs.Env{Once: true})
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{}
	if err := in.Run(context.Background(), s); err != nil {
		t.Fatal(err)
	}
	return s
}

// Once the pool is warm, what a further block of lines costs is the batch's.
func TestReadingDoesNotAllocatePerLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	cfg := Default()
	cfg.Paths = []config.Path{config.Path(path)}
	allocs := func(lines int) uint64 {
		if err := os.WriteFile(path, []byte(strings.Repeat(benchLine, lines)), 0o600); err != nil {
			t.Fatal(err)
		}
		readOnce(t, cfg)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if got := readOnce(t, cfg).lines; got != lines {
			t.Fatalf("%d lines, want %d", got, lines)
		}
		runtime.ReadMemStats(&after)
		return after.Mallocs - before.Mallocs
	}
	few, many := allocs(1000), allocs(201_000)
	if perThousand := float64(many-few) / 200; perThousand > 5 {
		t.Fatalf("%.1f allocations for a thousand lines", perThousand)
	}
}

const idleFiles = 10_000

// idleCost is set for the process that TestIdleFilesCostLittle runs.
const idleCost = "SPILLWAY_TEST_IDLE_FILES"

func TestIdleFilesCostLittle(t *testing.T) {
	if dir := os.Getenv(idleCost); dir != "" {
		watchIdle(t, dir)
		return
	}
	if testing.Short() || raceBuild {
		t.Skip("takes seconds; the race detector's own cost would be measured")
	}
	const files = idleFiles
	dir := t.TempDir()
	for i := range files {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%05d.log", i)), []byte("line\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, watch := range []string{"auto", "poll"} {
		out := runSelf(t, "TestIdleFilesCostLittle", idleCost+"="+dir, "WATCH="+watch)
		var lines int
		var core, rss float64
		i := strings.Index(out, "idle:")
		if i < 0 {
			t.Fatalf("no figures:\n%s", out)
		}
		if _, err := fmt.Sscanf(out[i:], "idle: %d lines, %f of a core, %f MiB", &lines, &core, &rss); err != nil {
			t.Fatalf("%v:\n%s", err, out)
		}
		t.Logf("%s: %d files: %.2f%% of a core, %.0f MiB", watch, files, 100*core, rss)
		if lines != files || core > 0.05 || rss > 200 {
			t.Errorf("%s: %d lines, %.2f%% of a core, %.0f MiB; want %d, at most 5%% and 200 MiB", watch, lines, 100*core, rss, files)
		}
	}
}

// watchIdle reads the files in dir, and then measures what watching them costs.
func watchIdle(t *testing.T, dir string) {
	cfg := Default()
	cfg.Paths = []config.Path{config.Path(filepath.Join(dir, "*.log"))}
	cfg.Watch = os.Getenv("WATCH")
	in, err := New(cfg, inputs.Env{})
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{demand: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- in.Run(ctx, s) }()
	for deadline := time.Now().Add(30 * time.Second); s.seen.Load() < idleFiles && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(settled + time.Second)
	before, began := cpu(t), time.Now()
	time.Sleep(5 * time.Second)
	core := (cpu(t) - before).Seconds() / time.Since(began).Seconds()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	fmt.Printf("idle: %d lines, %.4f of a core, %.1f MiB\n", s.lines, core, peakMiB(t))
}

func cpu(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func peakMiB(t *testing.T) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS == "darwin" {
		return float64(u.Maxrss) / (1 << 20)
	}
	return float64(u.Maxrss) / (1 << 10)
}

func runSelf(t *testing.T, test string, env ...string) string {
	cmd := exec.Command(os.Args[0], "-test.run=^"+test+"$", "-test.v")
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	return string(out)
}

func BenchmarkManySmallFiles(b *testing.B) {
	dir := b.TempDir()
	for i := range 1000 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%04d.log", i)), []byte(benchLine), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	cfg := Default()
	cfg.Paths = []config.Path{config.Path(filepath.Join(dir, "*"))}
	b.ReportAllocs()
	for b.Loop() {
		if s := readOnce(b, cfg); s.lines != 1000 || s.batches > 3 {
			b.Fatalf("%d lines in %d batches", s.lines, s.batches)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1000, "µs/file")
}
