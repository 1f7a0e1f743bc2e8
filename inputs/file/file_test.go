package file

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/spillway/spillway/inputs"
	"github.com/spillway/spillway/inputs/inputstest"
	"github.com/spillway/spillway/internal/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a folder, an input that reads it, and what came out.
type bench struct {
	*testing.T
	dir string
	cfg *Config
	out *inputstest.Emitter
	run *inputstest.Running
	log *logBook
	reg *prometheus.Registry
	// probes is how many files were made to learn when a scan has passed.
	probes int
}

// newBench reads *.log and *.log.* of a new folder, quickly.
func newBench(t *testing.T) *bench {
	b := &bench{T: t, dir: t.TempDir(), cfg: Default(), out: inputstest.NewEmitter(), log: &logBook{}, reg: prometheus.NewRegistry()}
	b.cfg.Paths = []config.Path{config.Path(filepath.Join(b.dir, "*.log*"))}
	b.cfg.ScanInterval = 10 * time.Millisecond
	b.cfg.CloseAfter = 10 * time.Second
	t.Cleanup(func() {
		if b.run != nil {
			b.stop()
		}
		b.out.Check(t)
	})
	return b
}

func (b *bench) input(once bool) inputs.Input {
	b.Helper()
	env := inputstest.Env(b.T)
	env.Once, env.Metrics, env.Log = once, b.reg, slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	in, err := New(b.cfg, env)
	if err != nil {
		b.Fatal(err)
	}
	return in
}

func (b *bench) start() {
	b.Helper()
	b.run = inputstest.Start(b.input(false), b.out)
}

func (b *bench) stop() {
	b.Helper()
	b.run.Stop(b.T)
	b.run = nil
}

func (b *bench) once() {
	b.Helper()
	inputstest.Once(b.T, b.input(true), b.out)
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

func (b *bench) write(name, text string) {
	b.Helper()
	f, err := os.OpenFile(b.path(name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString(text)
		f.Close()
	}
	b.must(err)
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) rename(from, to string) { b.Helper(); b.must(os.Rename(b.path(from), b.path(to))) }
func (b *bench) remove(name string)     { b.Helper(); b.must(os.Remove(b.path(name))) }
func (b *bench) truncate(name string)   { b.Helper(); b.must(os.Truncate(b.path(name), 0)) }

func (b *bench) copy(from, to string) {
	b.Helper()
	p, err := os.ReadFile(b.path(from))
	b.must(err)
	b.must(os.WriteFile(b.path(to), p, 0o600))
}

// await waits until done.
func (b *bench) await(what string, done func() bool) {
	b.Helper()
	inputstest.AwaitFor(b.T, done, func() string { return what + " has not come\n" + b.log.String() })
}

// said waits until a message was logged n times.
func (b *bench) said(message string, n int) {
	b.Helper()
	b.await(message, func() bool { return b.log.count(message) >= n })
}

// scanned waits until a whole scan has seen the world as it is. A link to itself
// can be opened by nobody, which a scan says, whatever the pipeline does.
func (b *bench) scanned() {
	b.Helper()
	for range 2 { // the first may still be about other files
		b.probes++
		path := b.path(fmt.Sprintf("zz%d.log", b.probes))
		b.must(os.Symlink(path, path))
		b.said("path="+path, 1)
		b.must(os.Remove(path))
	}
}

// metric is the sum of a metric of the input over its labels.
func (b *bench) metric(name string) (sum float64) {
	b.Helper()
	families, err := b.reg.Gather()
	b.must(err)
	for _, f := range families {
		if f.GetName() == "spillway_input_file_"+name {
			for _, m := range f.GetMetric() {
				sum += m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// awaitMetric waits until a metric has this value.
func (b *bench) awaitMetric(name string, value float64) {
	b.Helper()
	b.await(fmt.Sprintf("%s = %v", name, value), func() bool { return b.metric(name) == value })
}

// want waits until exactly these lines have arrived, whatever the order of
// sources, and makes sure that nothing follows.
func (b *bench) want(lines ...string) {
	b.Helper()
	b.out.Await(b.T, len(lines))
	time.Sleep(30 * time.Millisecond)
	got := b.out.Texts()
	slices.Sort(got)
	want := slices.Sorted(slices.Values(lines))
	if !slices.Equal(got, want) {
		b.Fatalf("got  %q\nwant %q", got, want)
	}
}

// lost is how many bytes are counted as lost, over all sources.
func (b *bench) lost() (n int64) {
	for _, p := range b.out.Resume() {
		n += p.Lost
	}
	return n
}

func (b *bench) cut() (n int64) {
	for _, p := range b.out.Resume() {
		n += p.Cut
	}
	return n
}

// sources are the distinct sources of the lines.
func (b *bench) sources() []string {
	var keys []string
	for _, l := range b.out.Lines() {
		if !slices.Contains(keys, l.Source) {
			keys = append(keys, l.Source)
		}
	}
	return keys
}

// logBook keeps what was logged.
type logBook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logBook) count(s string) int { return strings.Count(l.String(), s) }

func TestContract(t *testing.T) {
	for _, watch := range []string{"auto", "poll"} {
		t.Run(watch, func(t *testing.T) {
			inputstest.Suite(t, func(t *testing.T) inputstest.Subject {
				b := newBench(t)
				b.cfg.Watch = watch
				return inputstest.Subject{
					New: func(t *testing.T, env inputs.Env) inputs.Input {
						in, err := New(b.cfg, env)
						b.must(err)
						return in
					},
					Write: func(t *testing.T, lines ...string) {
						b.write("a.log", strings.Join(lines, "\n")+"\n")
					},
				}
			})
		})
	}
}

func testLog(b *bench) *slog.Logger { return slog.New(slog.NewTextHandler(b.log, nil)) }

func mkfifo(path string) error { return unix.Mkfifo(path, 0o600) }
