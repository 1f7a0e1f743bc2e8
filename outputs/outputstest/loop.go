package outputstest

import (
	"context"
	"fmt"
	"testing"

	"github.com/spillway/spillway/outputs"
	"github.com/spillway/spillway/spool"
	"github.com/spillway/spillway/spool/recordbatch"
)

// Loop is a spool for benchmarks: it hands out one frame again and again, Left
// times, and forgets what it is told.
type Loop struct {
	Left  int
	frame *spool.Frame
}

var _ outputs.Frames = (*Loop)(nil)

// NewLoop makes the frame: so many records, of so many bytes each.
func NewLoop(t testing.TB, c recordbatch.Codec, records, size int) *Loop {
	b, err := recordbatch.NewBuilder(c)
	if err != nil {
		t.Fatal(err)
	}
	b.Reset(0, 0)
	for i := range records {
		value := fmt.Appendf(b.Open(), "%0*d", size, i*1_000_003)
		b.Close(value, nil)
	}
	f := spool.NewFrame()
	if f.Data, err = b.Finish(f.Data); err != nil {
		t.Fatal(err)
	}
	f.Count = int32(records)
	return &Loop{frame: f}
}

// Next implements [outputs.Frames].
func (l *Loop) Next(context.Context) (*spool.Frame, error) {
	if l.Left <= 0 {
		return nil, spool.ErrClosed
	}
	l.Left--
	return l.frame, nil
}

// Stage implements [outputs.Frames].
func (*Loop) Stage(*spool.Frame, []byte) error { return nil }

// InDoubt implements [outputs.Frames].
func (*Loop) InDoubt() []spool.Staged { return nil }

// Acked implements [outputs.Frames].
func (*Loop) Acked() []spool.Staged { return nil }

// Rewind implements [outputs.Frames].
func (*Loop) Rewind(int64) error { return nil }

// Ack implements [outputs.Frames].
func (*Loop) Ack(*spool.Frame) error { return nil }

// Defer implements [outputs.Frames].
func (*Loop) Defer(*spool.Frame, []byte) error { return nil }

// Recall implements [outputs.Frames].
func (*Loop) Recall(int64, func([]byte) bool) (*spool.Frame, []byte, error) { return nil, nil, nil }

// Reject implements [outputs.Frames].
func (*Loop) Reject(*spool.Frame, int32, error) error { return nil }
