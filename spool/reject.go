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
	lane, err := s.Lane(s.o.DeadLane)
	if err != nil {
		return err
	}
	b, err := recordbatch.NewBuilder(recordbatch.None)
	if err != nil {
		return err
	}
	attempts, since := 1, time.Now()
	if known := failures(nil); errors.As(cause, &known) {
		attempts, since = known.Attempts(), known.FirstFailedAt()
	}
	b.Reset(lane, time.Now().UnixMilli())
	var dead []deadID
	for i := range f.Count {
		if index >= 0 && i != index {
			continue
		}
		id := deadID{c.spec.ID, f.Base + int64(i)}
		s.mu.Lock()
		_, known := s.st.dead[id]
		s.mu.Unlock()
		dead = append(dead, id)
		if known {
			continue
		}
		value, err := s.o.DeadLetter(Refused{Frame: f, Index: i, Output: c.spec.ID, Cause: cause, Attempts: attempts, FirstFailedAt: since})
		if err != nil {
			return fmt.Errorf("dead letter for record %d: %w", id.offset, err)
		}
		b.Close(append(b.Open(), value...), nil)
	}
	s.mu.Lock()
	if g := c.find(f); g != nil {
		g.rejected += int64(len(dead))
	}
	s.mu.Unlock()
	if b.Count() == 0 {
		return nil
	}
	out := NewFrame()
	if out.Data, err = b.Finish(out.Data[:0]); err != nil {
		out.Release()
		return err
	}
	out.Count, out.Lane = int32(b.Count()), lane
	n := int64(out.Count)
	safe := make(chan error, 1)
	err = s.Append(context.Background(), &Group{
		Frames: []*Frame{out}, Account: Account{Recovered: n, Appended: n},
		Durable: func(err error) { safe <- err }, dead: dead,
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
