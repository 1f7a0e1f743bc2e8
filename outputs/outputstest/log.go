// Package outputstest tests outputs: an in-memory stand-in for the spool and an
// output's journal in it, and the one suite that every output must pass.
package outputstest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/spillway/spillway/outputs"
	"github.com/spillway/spillway/spool"
	"github.com/spillway/spillway/spool/recordbatch"
)

// keepAcked is how many acknowledged notes a journal remembers.
const keepAcked = 64

// Log is a spool of one lane and the journal of one output. It outlives the
// cursors that are opened on it, as files outlive a process.
type Log struct {
	t       testing.TB
	codec   recordbatch.Codec
	mu      sync.Mutex
	changed chan struct{} // closed at the next append, Close or Open
	closed  bool
	open    *Cursor
	frames  []stored
	end     int64
	oldest  int64
	doubt   []spool.Staged // in offset order
	acked   []spool.Staged // newest first
	refused []Rejection
}

type stored struct {
	base  int64
	count int32
	data  []byte
	acked bool
}

// Rejection is a call of Reject.
type Rejection struct {
	// Offset is that of the record, or of the frame's first if Index is -1.
	Offset int64
	Index  int32
	Cause  error
}

// NewLog returns an empty log, whose frames are compressed with c.
func NewLog(t testing.TB, c recordbatch.Codec) *Log {
	return &Log{t: t, codec: c, changed: make(chan struct{})}
}

// Append adds one frame with these values.
func (l *Log) Append(values ...string) {
	l.t.Helper()
	b, err := recordbatch.NewBuilder(l.codec)
	if err != nil {
		l.t.Fatal(err)
	}
	b.Reset(0, 0)
	for _, v := range values {
		b.Close(append(b.Open(), v...), nil)
	}
	data, err := b.Finish(nil)
	if err != nil {
		l.t.Fatal(err)
	}
	l.AppendFrame(data, int32(len(values)))
}

// AppendFrame adds a frame as it is, which may be damaged. It takes data over.
func (l *Log) AppendFrame(data []byte, count int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	recordbatch.SetBaseOffset(data, l.end)
	l.frames = append(l.frames, stored{base: l.end, count: count, data: data})
	l.end += int64(count)
	l.wake()
}

// Close makes Next return [spool.ErrClosed] at the tail.
func (l *Log) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.wake()
}

// Open opens the output's cursor. One that is still open is dead from then on,
// as after a kill: whatever it is asked, nothing happens.
func (l *Log) Open() *Cursor {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = &Cursor{log: l, doubt: slices.Clone(l.doubt), acked: slices.Clone(l.acked)}
	l.wake()
	return l.open
}

// Trim forgets the frames that end at or before offset.
func (l *Log) Trim(offset int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.oldest = offset
}

// ForgetSince takes the journal back: what was staged or acknowledged from
// offset on is not in it any more, as after a power cut.
func (l *Log) ForgetSince(offset int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	since := func(s spool.Staged) bool { return s.Offset >= offset }
	l.doubt = slices.DeleteFunc(l.doubt, since)
	l.acked = slices.DeleteFunc(l.acked, since)
	l.unack(offset)
}

// End is the offset after the last record.
func (l *Log) End() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end
}

// Frontier is the offset up to which everything is acknowledged.
func (l *Log) Frontier() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.frames {
		if !l.frames[i].acked {
			return l.frames[i].base
		}
	}
	return l.end
}

// Deferred is what was deferred since the last start and not recalled, in offset order.
func (l *Log) Deferred() []spool.Staged {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.open.deferred)
}

// Rejected is what was rejected so far.
func (l *Log) Rejected() []Rejection {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.refused)
}

func (l *Log) wake() {
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *Log) unack(offset int64) {
	for i := range l.frames {
		if f := &l.frames[i]; f.base+int64(f.count) > offset {
			f.acked = false
		}
	}
}

// Cursor is the [outputs.Frames] of one start.
type Cursor struct {
	log          *Log
	next         int // index of the frame that Next looks at first
	out          []*spool.Frame
	doubt, acked []spool.Staged
	deferred     []spool.Staged // in offset order
}

var _ outputs.Frames = (*Cursor)(nil)

// Next implements [outputs.Frames].
func (c *Cursor) Next(ctx context.Context) (*spool.Frame, error) {
	for {
		f, changed, err := c.take()
		if f != nil || err != nil {
			return f, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (c *Cursor) take() (*spool.Frame, chan struct{}, error) {
	l := c.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open != c {
		return nil, nil, spool.ErrClosed
	}
	for ; c.next < len(l.frames); c.next++ {
		s := &l.frames[c.next]
		if s.acked || s.base < l.oldest {
			continue
		}
		c.next++
		return c.give(s), nil, nil
	}
	if l.closed {
		return nil, nil, spool.ErrClosed
	}
	return nil, l.changed, nil
}

func (c *Cursor) give(s *stored) *spool.Frame {
	f := spool.NewFrame()
	f.Data = append(f.Data[:0], s.data...)
	f.Base, f.Count = s.base, s.count
	c.out = append(c.out, f)
	return f
}

// Stage implements [outputs.Frames].
func (c *Cursor) Stage(f *spool.Frame, note []byte) error {
	l := c.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := c.check(f, "Stage"); err != nil {
		return err
	}
	l.doubt = put(l.doubt, spool.Staged{Offset: f.Base, End: f.End(), Checksum: f.Checksum(), Note: slices.Clone(note)})
	return nil
}

// put adds st to a list in offset order, in the place of what was said of it before.
func put(list []spool.Staged, st spool.Staged) []spool.Staged {
	list = slices.DeleteFunc(list, func(s spool.Staged) bool { return s.Offset == st.Offset })
	at, _ := slices.BinarySearchFunc(list, st.Offset, func(s spool.Staged, base int64) int { return int(s.Offset - base) })
	return slices.Insert(list, at, st)
}

// Defer implements [outputs.Frames]. It overwrites the frame.
func (c *Cursor) Defer(f *spool.Frame, note []byte) error {
	l := c.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := c.check(f, "Defer"); err != nil {
		return err
	}
	st := spool.Staged{Offset: f.Base, End: f.End(), Note: slices.Clone(note)}
	l.doubt, c.deferred = put(l.doubt, st), put(c.deferred, st)
	c.bury(f)
	return nil
}

// Recall implements [outputs.Frames].
func (c *Cursor) Recall(before int64, wanted func(note []byte) bool) (*spool.Frame, []byte, error) {
	l := c.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open != c {
		return nil, nil, spool.ErrClosed
	}
	for i, st := range c.deferred {
		if st.Offset >= before || !wanted(st.Note) {
			continue
		}
		c.deferred = slices.Delete(c.deferred, i, i+1)
		at := slices.IndexFunc(l.frames, func(s stored) bool { return s.base == st.Offset })
		return c.give(&l.frames[at]), st.Note, nil
	}
	return nil, nil, nil
}

// InDoubt implements [outputs.Frames].
func (c *Cursor) InDoubt() []spool.Staged { return c.doubt }

// Acked implements [outputs.Frames].
func (c *Cursor) Acked() []spool.Staged { return c.acked }

// Rewind implements [outputs.Frames].
func (c *Cursor) Rewind(offset int64) error {
	l := c.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open != c {
		return spool.ErrClosed
	}
	if offset < l.oldest {
		return fmt.Errorf("offset %d is gone, the oldest is %d", offset, l.oldest)
	}
	l.unack(offset)
	c.next = 0
	return nil
}

// Ack implements [outputs.Frames]. It overwrites the frame.
func (c *Cursor) Ack(f *spool.Frame) error {
	l := c.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := c.check(f, "Ack"); err != nil {
		return err
	}
	for i := range l.frames {
		if l.frames[i].base == f.Base {
			l.frames[i].acked = true
		}
	}
	if at := slices.IndexFunc(l.doubt, func(s spool.Staged) bool { return s.Offset == f.Base }); at >= 0 {
		l.acked = slices.Insert(l.acked, 0, l.doubt[at])
		l.acked = l.acked[:min(len(l.acked), keepAcked)]
		l.doubt = slices.Delete(l.doubt, at, at+1)
	}
	c.bury(f)
	return nil
}

// bury makes f a frame that is no longer the output's. It is not released to the pool:
// whoever still uses it shall find this and nothing else.
func (c *Cursor) bury(f *spool.Frame) {
	c.out = slices.DeleteFunc(c.out, func(o *spool.Frame) bool { return o == f })
	for i := range f.Data {
		f.Data[i] = 0xCC
	}
	f.Base, f.Count = -1, -1
}

// Reject implements [outputs.Frames].
func (c *Cursor) Reject(f *spool.Frame, index int32, cause error) error {
	l := c.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := c.check(f, "Reject"); err != nil {
		return err
	}
	l.refused = append(l.refused, Rejection{f.Base + int64(max(index, 0)), index, cause})
	return nil
}

// check refuses a dead cursor and complains about a frame that is not out.
func (c *Cursor) check(f *spool.Frame, what string) error {
	if c.log.open != c {
		return spool.ErrClosed
	}
	if !slices.Contains(c.out, f) {
		c.log.t.Errorf("%s of a frame that is not, or no longer, the output's", what)
		return fmt.Errorf("%s: no such frame", what)
	}
	return nil
}
