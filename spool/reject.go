package spool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spillway/spillway/spool/recordbatch"
)

// failures is what an output's error may know of the attempts behind it.
type failures interface {
	Attempts() int
	FirstFailedAt() time.Time
}

// Reject puts the record with this index in f, or all of them for -1, with the
// dead letters: in the spool, and as safe there as any sync setting but never makes
// it, before it returns. Ack still follows.
func (c *Cursor) Reject(f *Frame, index int32, cause error) error {
	s := c.s
	if s.o.DeadLane == "" || s.o.DeadLetter == nil {
		return errors.New("spool: there is no lane for dead letters")
	}
	l, err := c.letters(f, index, cause)
	if err != nil {
		return err
	}
	if l.count == 0 {
		return nil
	}
	safe := make(chan error, 1)
	err = s.Append(context.Background(), &Group{
		Frames: l.frames, Account: Account{Recovered: l.count, Appended: l.count},
		Durable: func(err error) { safe <- err }, dead: l.ids,
	})
	if err != nil {
		return err
	}
	select {
	case err := <-safe:
		return err
	case <-s.closing.Done():
		return ErrClosed
	}
}

// letters are dead letters, in frames, and which records are with the dead letters
// then: some may have been before.
type letters struct {
	frames []*Frame
	ids    []deadID
	count  int64
}

// letterFrameBytes bounds a frame of dead letters, as others are.
const letterFrameBytes = 900 << 10

// letters encodes those of the record with this index in f, or of all for -1, in one
// pass over the frame.
func (c *Cursor) letters(f *Frame, index int32, cause error) (l letters, err error) {
	s := c.s
	lane, err := s.Lane(s.o.DeadLane)
	if err != nil {
		return l, err
	}
	b, err := recordbatch.NewBuilder(recordbatch.None)
	if err != nil {
		return l, err
	}
	b.Reset(lane, time.Now().UnixMilli())
	r := Refused{Frame: f, Output: c.spec.ID, Cause: cause, Attempts: 1, FirstFailedAt: time.Now()}
	if known := failures(nil); errors.As(cause, &known) {
		r.Attempts, r.FirstFailedAt = known.Attempts(), known.FirstFailedAt()
	}
	var records recordbatch.Reader
	readable := f.Records(&records) == nil
	for r.Index = range f.Count {
		if readable = readable && records.Next(); readable {
			r.Value = records.Record().Value
		}
		r.Unreadable = !readable
		id := deadID{c.spec.ID, f.Base + int64(r.Index)}
		if index >= 0 && r.Index != index {
			continue
		}
		if l.ids = append(l.ids, id); s.isDead(id) {
			continue
		}
		value, err := s.o.DeadLetter(r)
		if err != nil {
			l.release()
			return l, fmt.Errorf("dead letter for record %d: %w", id.offset, err)
		}
		open := b.Open()
		if b.Count() > 0 && len(open)+len(value)+recordbatch.MaxOverhead > letterFrameBytes {
			b.Cancel(open)
			if err := l.finish(b, lane); err != nil {
				return l, err
			}
			open = b.Open()
		}
		b.Close(append(open, value...), nil)
	}
	return l, l.finish(b, lane)
}

// finish adds the frame that is under construction, and makes ready for the next.
func (l *letters) finish(b *recordbatch.Builder, lane int16) (err error) {
	if b.Count() == 0 {
		return nil
	}
	out := NewFrame()
	out.Count, out.Lane = int32(b.Count()), lane
	l.frames, l.count = append(l.frames, out), l.count+int64(b.Count())
	if out.Data, err = b.Finish(out.Data[:0]); err != nil {
		l.release()
	}
	b.Reset(lane, time.Now().UnixMilli())
	return err
}

func (l *letters) release() {
	for _, f := range l.frames {
		f.Release()
	}
}

// isDead says whether a record is with the dead letters.
func (s *Spool) isDead(id deadID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, known := s.st.dead[id]
	return known
}
