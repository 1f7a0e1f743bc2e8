package kafka

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/spillway/spillway/internal/testkit"
	"github.com/spillway/spillway/outputs/outputstest"
	"github.com/spillway/spillway/spool"
	"github.com/spillway/spillway/spool/recordbatch"
	"github.com/spillway/spillway/spool/vfs/faultfs"
)

// life is one boot of a machine: a real spool on a disk that a power cut may take apart,
// and the output.
type life struct {
	t     *testing.T
	spool *spool.Spool
	stop  func()
}

func boot(t *testing.T, disk *faultfs.FS, number int, cfg *Config, sync spool.Sync) *life {
	t.Helper()
	s, err := spool.Open(disk, "data/p", spool.Options{
		Outputs: []spool.Output{{ID: "kafka", Lane: "raw"}}, BootID: fmt.Sprint(number), Sync: sync,
		SegmentBytes: 64 << 10, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	cursor, err := s.Cursor("kafka")
	if err != nil {
		t.Fatal(err)
	}
	out, err := New(cfg, outputstest.Env(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = out.Run(ctx, cursor)
	}()
	return &life{t, s, func() { cancel(); s.Stop(); <-ended; _ = s.Close() }}
}

// append puts a frame of these values into the spool.
func (l *life) append(values []string) {
	l.t.Helper()
	lane, err := l.spool.Lane("raw")
	if err != nil {
		l.t.Fatal(err)
	}
	b, err := recordbatch.NewBuilder(recordbatch.Snappy)
	if err != nil {
		l.t.Fatal(err)
	}
	b.Reset(lane, 1)
	for _, v := range values {
		b.Close(append(b.Open(), v...), nil)
	}
	f := spool.NewFrame()
	if f.Data, err = b.Finish(f.Data[:0]); err != nil {
		l.t.Fatal(err)
	}
	f.Count, f.Lane = int32(len(values)), lane
	n := int64(len(values))
	if err := l.spool.Append(l.t.Context(), &spool.Group{Frames: []*spool.Frame{f}, Account: spool.Account{Read: n, Appended: n}}); err != nil {
		l.t.Fatal(err)
	}
}

// TestAPowerCutAfterDelivery takes the end of the spool and of the cursor's journal after
// it was delivered. Other records then come, which the broker must not take for those
// that it had; with sync: always nothing is doubled either.
func TestAPowerCutAfterDelivery(t *testing.T) {
	for _, c := range []struct {
		name string
		sync spool.Sync
	}{{"1s", spool.Sync{}}, {"always", spool.Sync{Mode: spool.SyncAlways}}} {
		t.Run(c.name, func(t *testing.T) {
			seed := testkit.Seed(t)
			random := rand.New(rand.NewPCG(seed, 1))
			f := newFake(t, 2)
			cfg := settings(f.addr)
			disk := faultfs.New()
			var want []string
			for cut := range 8 {
				l := boot(t, disk, cut, cfg, c.sync)
				for frame := range 1 + random.IntN(6) {
					var values []string
					for i := range 1 + random.IntN(20) {
						values = append(values, fmt.Sprintf("life %d frame %d value %d", cut, frame, i))
					}
					l.append(values)
					want = append(want, values...)
				}
				until(t, "all values have arrived", func() bool { return len(counted(f.values(t))) == len(want) })
				after := disk.PowerCut(random)
				l.stop()
				disk = after
			}
			l := boot(t, disk, 100, cfg, c.sync)
			l.append([]string{"the end"})
			until(t, "the end has arrived", func() bool { return slices.Contains(f.values(t), "the end") })
			l.stop()
			times := counted(f.values(t))
			for _, v := range append(want, "the end") {
				if times[v] == 0 || times[v] > 1 && c.sync.Mode == spool.SyncAlways {
					t.Errorf("%q arrived %d times", v, times[v])
				}
			}
		})
	}
}

// counted is how often each value is there.
func counted(values []string) map[string]int {
	times := map[string]int{}
	for _, v := range values {
		times[v]++
	}
	return times
}
