package spool

import (
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
			g.staged = &st
		}
		c.s.mu.Unlock()
		if g == nil {
			return errNotOut
		}
		return c.write(jrStage, appendStaged(nil, &st))
	})
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		if err == nil && c.s.o.Sync.Mode == SyncAlways {
			// The turn was given back: what others have staged meanwhile shares the sync.
			err = c.inTurn(c.sync)
		}
		if err == nil {
			return nil
		}
		if errors.Is(err, errNotOut) {
			return fmt.Errorf("%w: at %d", err, f.Base)
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

// InDoubt is what was staged and not acknowledged before the start, in offset
// order. Next returns these frames again, but for those that on_full or max_age has
// dropped or a power cut has taken; they are in doubt until the next Ack.
func (c *Cursor) InDoubt() []Staged {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return slices.Clone(c.inDoubt)
}

// settle takes what begins at base out of what is in doubt, and returns it. The
// caller holds mu.
func (c *Cursor) settle(base int64) (st Staged, ok bool) {
	i, ok := slices.BinarySearchFunc(c.inDoubt, base, func(st Staged, base int64) int { return cmp.Compare(st.Offset, base) })
	if ok {
		st = c.inDoubt[i]
		c.inDoubt = slices.Delete(c.inDoubt, i, i+1)
	}
	return st, ok
}

// doubt puts st with what is in doubt, in the place of what began there before.
// The caller holds mu.
func (c *Cursor) doubt(st Staged) {
	i, there := slices.BinarySearchFunc(c.inDoubt, st.Offset, func(st Staged, base int64) int { return cmp.Compare(st.Offset, base) })
	if there {
		c.inDoubt[i] = st
	} else {
		c.inDoubt = slices.Insert(c.inDoubt, i, st)
	}
}

// doubtPassed lets go of what is in doubt and will never come again, since the
// frontier has passed it: it was dropped, or a power cut has taken it. The caller
// holds mu.
func (c *Cursor) doubtPassed() {
	c.inDoubt = slices.DeleteFunc(c.inDoubt, func(st Staged) bool { return st.End <= c.out.acked })
}

// Acked is what was staged and acknowledged last, newest first.
func (c *Cursor) Acked() []Staged {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	list := slices.Clone(c.acked)
	slices.Reverse(list)
	return list
}
