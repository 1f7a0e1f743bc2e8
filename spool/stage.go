package spool

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Stage notes that f is about to be sent, in the place of what was noted of it
// before. It survives kill -9 once it returns; where the spool syncs always, a power
// cut too. While the journal cannot be written it waits, as long as the spool is open.
func (c *Cursor) Stage(f *Frame, note []byte) error {
	st := Staged{Offset: f.Base, End: f.End(), Checksum: f.Checksum(), Note: slices.Clone(note)}
	err := c.inTurn(func() error {
		c.s.mu.Lock()
		g := c.find(f)
		if g != nil {
			c.settle(st.Offset, st.End)
			g.staged = &st
		}
		c.s.mu.Unlock()
		if g == nil {
			return fmt.Errorf("%w: at %d", errNotOut, st.Offset)
		}
		return c.write(jrStage, appendStaged(nil, &st))
	})
	if errors.Is(err, errNotOut) {
		return err
	}
	return c.written(err)
}

// written waits until a note that met with err is in the journal, as long as the spool is
// open; where it syncs always, until it is durable.
func (c *Cursor) written(err error) error {
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		if err == nil && c.s.o.Sync.Mode == SyncAlways {
			// The turn was given back: what others have staged meanwhile shares the sync.
			err = c.inTurn(c.sync)
		}
		if err == nil {
			return nil
		}
		c.s.log.Error("a cursor cannot be written; its output waits", "output", c.spec.ID, "error", err)
		select {
		case <-time.After(wait):
		case <-c.s.closing.Done():
			return ErrClosed
		}
		err = c.inTurn(c.flush)
	}
}

// inTurn does what writes the journal under the cursor's turn.
func (c *Cursor) inTurn(do func() error) error {
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	return do()
}

// InDoubt is what was staged or deferred, and not acknowledged, before the start, in
// offset order; what was deferred may be many frames. Next returns these frames again,
// but for those that on_full or max_age has dropped or a power cut has taken; they are
// in doubt until the next Ack.
func (c *Cursor) InDoubt() []Staged {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return slices.Clone(c.inDoubt)
}

// settle takes a frame out of what is in doubt. It returns what was staged of it, if it
// was alone. The caller holds mu.
func (c *Cursor) settle(base, end int64) (st Staged, ok bool) {
	i := c.doubtAt(base)
	if i == len(c.inDoubt) || c.inDoubt[i].Offset >= end {
		return st, false
	}
	st = c.inDoubt[i]
	before, after := st, st
	before.End, after.Offset = base, end
	c.inDoubt = slices.Delete(c.inDoubt, i, i+1)
	for _, rest := range []Staged{after, before} {
		if rest.Offset < rest.End {
			c.inDoubt = slices.Insert(c.inDoubt, i, rest)
		}
	}
	return st, st.Offset == base && st.End == end
}

// doubtAt is where in what is in doubt the first entry stands that ends behind an
// offset. The caller holds mu.
func (c *Cursor) doubtAt(offset int64) int {
	i, there := slices.BinarySearchFunc(c.inDoubt, offset, func(st Staged, offset int64) int { return cmp.Compare(st.End, offset) })
	if there {
		i++
	}
	return i
}

// doubt puts st with what is in doubt, in the place of what was said of it before. The
// caller holds mu.
func (c *Cursor) doubt(st Staged) {
	c.settle(st.Offset, st.End)
	c.inDoubt = slices.Insert(c.inDoubt, c.doubtAt(st.Offset), st)
}

// doubtRow does so with what was deferred, as one with what is before if that owes the
// same. The caller holds mu.
func (c *Cursor) doubtRow(st Staged) {
	c.doubt(st)
	i := c.doubtAt(st.Offset)
	if i == 0 {
		return
	}
	before := &c.inDoubt[i-1]
	if before.End == st.Offset && before.Checksum == 0 && bytes.Equal(before.Note, st.Note) {
		before.End = st.End
		c.inDoubt = slices.Delete(c.inDoubt, i, i+1)
	}
}

// doubtPassed lets go of what is in doubt and will never come again, since the
// frontier has passed it: it was dropped, or a power cut has taken it. The caller
// holds mu.
func (c *Cursor) doubtPassed() {
	c.inDoubt = slices.Delete(c.inDoubt, 0, c.doubtAt(c.out.acked))
}

// Acked is what was staged and acknowledged last, newest first.
func (c *Cursor) Acked() []Staged {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	list := slices.Clone(c.acked)
	slices.Reverse(list)
	return list
}
