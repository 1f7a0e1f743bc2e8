package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"go.uber.org/goleak"

	"github.com/spillway/spillway/internal/config"
	"github.com/spillway/spillway/outputs"
	"github.com/spillway/spillway/outputs/outputstest"
	"github.com/spillway/spillway/spool/recordbatch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is a path in a folder of its own, and the spool in front of it.
type fixture struct {
	*testing.T
	cfg  *Config
	log  *outputstest.Log
	want []string

	syncAlways bool
	meanwhile  func(point string) // called at each point of a run that is killed
	said       *bytes.Buffer
}

func newFixture(t *testing.T) *fixture {
	cfg := Default()
	cfg.Path = config.Path(filepath.Join(t.TempDir(), "out.log"))
	return &fixture{T: t, cfg: cfg, log: outputstest.NewLog(t, recordbatch.None)}
}

func (x *fixture) path() string { return string(x.cfg.Path) }

func (x *fixture) output() *Output {
	x.Helper()
	env := outputstest.Env(x)
	env.SyncAlways = x.syncAlways
	if x.said != nil {
		env.Log = slog.New(slog.NewTextHandler(x.said, nil))
	}
	out, err := New(x.cfg, env)
	if err != nil {
		x.Fatal(err)
	}
	return out.(*Output)
}

// append adds frames of three records of eleven bytes with their newlines.
func (x *fixture) append(frames int) {
	for range frames {
		values := make([]string, 3)
		for i := range values {
			values[i] = fmt.Sprintf("line %05d", len(x.want)+i)
		}
		x.log.Append(values...)
		x.want = append(x.want, values...)
	}
}

const frameBytes = 3 * 11

// start runs the output; stop ends it.
func (x *fixture) start() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	in := x.log.Open()
	go func() { ended <- x.output().Run(ctx, in) }()
	return func() {
		x.Helper()
		cancel()
		select {
		case <-ended:
		case <-time.After(5 * time.Second):
			x.Fatal("Run has not ended")
		}
	}
}

func (x *fixture) until(what string, ok func() bool) {
	x.Helper()
	for deadline := time.Now().Add(15 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			x.Fatalf("waited in vain until %s", what)
		}
	}
}

func (x *fixture) untilAcked() {
	x.Helper()
	x.until("all is acknowledged", func() bool { return x.log.Frontier() == x.log.End() })
}

// deliver starts, waits until all is acknowledged, and stops.
func (x *fixture) deliver() {
	x.Helper()
	stop := x.start()
	x.untilAcked()
	stop()
}

// lines is what all files hold, the rotated ones first.
func (x *fixture) lines() []string {
	x.Helper()
	files, err := rotatedFiles(x.path())
	if err != nil {
		x.Fatal(err)
	}
	var all []byte
	for i, f := range files {
		if f.temp || f.ext != "" && i > 0 && files[i-1].seq == f.seq {
			continue
		}
		all = append(all, x.content(f.name)...)
	}
	all = append(all, x.content(x.path())...)
	if len(all) == 0 {
		return nil
	}
	if all[len(all)-1] != '\n' {
		x.Fatalf("the last line is torn: %q", all[max(0, len(all)-30):])
	}
	return strings.Split(string(all[:len(all)-1]), "\n")
}

func (x *fixture) content(name string) []byte {
	x.Helper()
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		x.Fatal(err)
	}
	defer f.Close()
	var r io.Reader = f
	switch filepath.Ext(name) {
	case ".gz":
		r, err = gzip.NewReader(f)
	case ".zst":
		var d *zstd.Decoder
		d, err = zstd.NewReader(f)
		defer d.Close()
		r = d
	}
	if err != nil {
		x.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		x.Fatal(err)
	}
	return data
}

// verify demands every line once, in order.
func (x *fixture) verify() {
	x.Helper()
	got := x.lines()
	if !slices.Equal(got, x.want) {
		x.Fatalf("got %d lines, wanted %d:\n%s", len(got), len(x.want), strings.Join(got, "\n"))
	}
}

// names is what is in the folder.
func (x *fixture) names() []string {
	x.Helper()
	entries, err := os.ReadDir(filepath.Dir(x.path()))
	if err != nil {
		x.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestContract(t *testing.T) {
	for _, c := range []struct {
		name   string
		rotate Rotate
		pack   string
	}{
		{"OneFile", Rotate{}, "none"},
		{"RotatedOften", Rotate{MaxBytes: 20_000}, "none"},
		{"RotatedAndCompressed", Rotate{MaxBytes: 200_000}, "zstd"},
	} {
		t.Run(c.name, func(t *testing.T) {
			outputstest.Contract(t, func(t *testing.T) outputstest.Target {
				x := newFixture(t)
				x.cfg.Rotate, x.cfg.Compress = c.rotate, c.pack
				return outputstest.Target{
					Output: func() outputs.Output { return x.output() },
					Values: x.lines,
					Fail: func() func() {
						// Whoever holds the lock keeps the output out; moving the
						// file makes it notice.
						files, _ := rotatedFiles(x.path())
						os.Rename(x.path(), rotatedName(x.path(), highest(files)+1))
						a, err := openActive(x.path())
						for ; err != nil; a, err = openActive(x.path()) {
							time.Sleep(time.Millisecond)
						}
						return func() { a.Close() }
					},
					ExactlyOnce: true, Text: true,
				}
			})
		})
	}
}
