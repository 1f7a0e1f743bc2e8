package spool

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// Defer puts f back, with a note of what is still to be done with it; f is dead
// afterwards. It stays pending, whatever its output does with later ones, until
// [Cursor.Recall] gives it out again; after a start, Next does, and it is in doubt. Frames
// in a row that are deferred with the same note cost next to nothing. The note is kept as
// that of [Cursor.Stage] is.
func (c *Cursor) Defer(f *Frame, note []byte) error {
	st := Staged{Offset: f.Base, End: f.End(), Note: slices.Clone(note)}
	err := c.inTurn(func() error {
		if !c.putBack(f, &st) {
			return fmt.Errorf("%w: at %d", errNotOut, st.Offset)
		}
		f.Release()
		return c.write(jrDefer, appendStaged(nil, &st))
	})
	if errors.Is(err, errNotOut) {
		return err
	}
	return c.written(err)
}

// putBack makes a deferred entry of a frame that is out. What is staged begins where the
// entry before ends, so that nothing in between stays in doubt.
func (c *Cursor) putBack(f *Frame, st *Staged) bool {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	g := c.find(f)
	if g == nil {
		return false
	}
	before := c.out.acked
	if i, _ := c.place(g.base); i > 0 {
		before = c.pending[i-1].end
	}
	st.Offset = min(before, st.Offset)
	c.settle(st.Offset, st.End)
	g.frame, g.deferred, g.staged = nil, true, st
	if g.abandoned {
		c.remove(g)
	}
	c.pass()
	c.thin()
	return true
}

// thin merges what is pending once that has doubled. The caller holds mu.
func (c *Cursor) thin() {
	if len(c.pending) > c.crowd {
		c.merge()
		c.crowd = 2*len(c.pending) + 1000
	}
}

// remove takes an entry out of pending. The caller holds mu.
func (c *Cursor) remove(g *given) {
	if i, there := c.place(g.base); there && c.pending[i] == g {
		c.pending = slices.Delete(c.pending, i, i+1)
	}
}

// Recall gives out the first deferred frame before an offset whose note is wanted, and
// that note. The frame is nil if there is none. It belongs to one goroutine, as Next does.
func (c *Cursor) Recall(before int64, wanted func(note []byte) bool) (*Frame, []byte, error) {
	for {
		g := c.firstDeferred(before, wanted)
		if g == nil {
			return nil, nil, nil
		}
		f, note, err := c.recall(g)
		if f != nil || err != nil {
			return f, note, err
		}
	}
}

func (c *Cursor) firstDeferred(before int64, wanted func(note []byte) bool) *given {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	for _, g := range c.pending {
		switch {
		case g.base >= before:
			return nil
		case g.deferred && wanted(g.staged.Note):
			return g
		}
	}
	return nil
}

// recall gives out the first frame of what is deferred. It is nil if that has changed
// meanwhile, or if no good frame is left of it: then g is gone.
func (c *Cursor) recall(g *given) (f *Frame, note []byte, err error) {
	s := c.s
	s.mu.Lock()
	base, end := g.base, g.end
	s.mu.Unlock()
	if f, err = c.firstFrame(base, end); err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if g.base != base || g.end != end || !slices.Contains(c.pending, g) { // dropped or merged meanwhile
		if f != nil {
			f.Release()
		}
		return nil, nil, nil
	}
	note = g.staged.Note
	if f == nil {
		c.out.count.Dropped += g.count
		s.log.Error("records were lost with bad bytes", "output", c.spec.ID, "records", g.count)
		c.remove(g)
		c.pass()
		return nil, nil, nil
	}
	g.base, g.count = f.End(), g.count-int64(f.Count)
	g.staged = &Staged{Offset: g.base, End: g.end, Note: note}
	if g.count <= 0 {
		c.remove(g)
	}
	c.insert(&given{
		frame: f, base: f.Base, end: f.End(), count: int64(f.Count),
		staged: &Staged{Offset: f.Base, End: f.End(), Note: note},
	})
	return f, note, nil
}

// firstFrame is the first frame of the output's lane in [from, to), or nil.
func (c *Cursor) firstFrame(from, to int64) (*Frame, error) {
	s := c.s
	for from < to {
		s.mu.Lock()
		if s.closing.Err() != nil {
			s.mu.Unlock()
			return nil, ErrClosed
		}
		if from >= s.tail.from {
			defer s.mu.Unlock()
			return c.firstOf(s.tail.frames[s.tail.head+s.tail.find(from):], from, to), nil
		}
		if len(s.unsynced) > 0 && from >= s.unsynced[0].start {
			for _, u := range s.unsynced {
				if f := c.firstOf(u.frames, from, to); f != nil {
					s.mu.Unlock()
					return f, nil
				}
			}
			from = max(from, s.tail.from)
			s.mu.Unlock()
			continue
		}
		limit := c.recalling.seek(s, from)
		s.mu.Unlock()
		f, again, err := c.firstOnDisk(from, to, limit)
		if f != nil || err != nil {
			return f, err
		}
		if !again {
			from = limit
		}
	}
	return nil, nil
}

// firstOf is the first frame of the output's lane in [from, to) among some, with a
// reference. The caller holds mu.
func (c *Cursor) firstOf(frames []*Frame, from, to int64) *Frame {
	for _, f := range frames {
		if f.Base >= from && f.Base < to && c.out.laneAt(f.Base) == f.Lane {
			f.Retain()
			return f
		}
	}
	return nil
}

// firstOnDisk is the first frame of the output's lane in [from, to) of the segment that
// recalling stands in, which is to be read up to limit. Again says that it has to be
// looked for anew.
func (c *Cursor) firstOnDisk(from, to, limit int64) (f *Frame, again bool, err error) {
	r := &c.recalling
	for {
		e, err := r.header()
		switch {
		case isEOF(err) || r.expected >= min(to, limit):
			return nil, false, nil
		case errors.Is(err, errBad):
			err = c.skip(r, err, limit)
		case err != nil:
		case e.Control() || e.BaseOffset < from || c.out.laneAt(e.BaseOffset) != e.ProducerEpoch:
			r.pass(e)
		default:
			if f, err = r.frame(e); err == nil {
				return f, false, nil
			}
			if errors.Is(err, errBad) {
				err = c.skip(r, err, limit)
			}
		}
		if err != nil {
			again, err = c.gone(r, err)
			return nil, again, err
		}
	}
}

// merge makes one of entries that are next to each other and alike: an output may be
// far ahead of its frontier for long. What is not synced may yet be written into a
// segment of its own, and is left alone. The caller holds mu.
func (c *Cursor) merge() {
	s := c.s
	seg := 0
	kept := c.pending[:0]
	for _, g := range c.pending {
		began := seg
		for seg+1 < len(s.segments) && s.segments[seg+1].base <= g.base {
			seg++
		}
		safe := g.end <= s.st.synced || s.o.Sync.Mode == SyncNever
		if n := len(kept); n > 0 && seg == began && safe && g.end <= c.next && alike(kept[n-1], g) {
			last := kept[n-1]
			last.end, last.count = g.end, last.count+g.count
			if last.deferred {
				last.staged = &Staged{Offset: last.base, End: last.end, Note: last.staged.Note}
			}
			continue
		}
		kept = append(kept, g)
	}
	clear(c.pending[len(kept):])
	c.pending = kept
}

// alike says that nothing tells two entries apart but where they are.
func alike(a, b *given) bool {
	switch {
	case a.frame != nil || b.frame != nil || a.deferred != b.deferred || a.abandoned != b.abandoned:
		return false
	case a.deferred:
		return bytes.Equal(a.staged.Note, b.staged.Note)
	}
	return true
}
