package spool

import (
	"errors"
	"slices"

	"github.com/spillway/spillway/spool/recordbatch"
)

// fromUnsynced returns the next frame of those that are not synced: after a sync
// that failed, the file may no longer hold them. The caller holds mu.
func (c *Cursor) fromUnsynced() *Frame {
	c.seg = nil
	for _, g := range c.s.unsynced {
		for _, f := range g.frames {
			if f.Base < c.next || !c.wants(f.Base, f.Lane) {
				continue
			}
			if f.End() > c.s.visible {
				c.next = c.s.visible
				return nil
			}
			f.Retain()
			c.next = f.End()
			c.give(f)
			return f
		}
	}
	// What is not synced is the newest there is, but for what the tail has.
	c.next = max(c.next, min(c.s.tail.from, c.s.visible))
	c.pass()
	return nil
}

// fromDisk reads the next frame of the lane from its segment.
func (c *Cursor) fromDisk() (*Frame, bool, error) {
	s := c.s
	limit := c.seek()
	for {
		e, err := c.reading.header()
		switch {
		case isEOF(err) || c.reading.expected >= limit || err == nil && e.NextOffset() > limit:
			s.mu.Lock()
			defer s.mu.Unlock()
			c.closeGap(limit, s.countsAt(limit))
			c.next = max(c.next, min(limit, s.visible))
			c.seg = nil
			c.pass()
			return nil, true, nil
		case errors.Is(err, errBad):
			return c.skipBad(err, limit)
		case err != nil:
			return c.unreadable(err)
		}
		s.mu.Lock()
		wanted := !e.Control() && e.BaseOffset >= c.next && c.wants(e.BaseOffset, e.ProducerEpoch)
		s.mu.Unlock()
		if !wanted {
			if err := c.tells(e); err != nil {
				return c.unreadable(err)
			}
			c.reading.pass(e)
			continue
		}
		f := NewFrame()
		f.Data = slices.Grow(f.Data[:0], e.Size())[:e.Size()]
		if _, err := c.reading.file.ReadAt(f.Data, c.reading.pos); err != nil {
			f.Release()
			return c.unreadable(err)
		}
		if err := recordbatch.Verify(f.Data); err != nil {
			f.Release()
			return c.skipBad(err, limit)
		}
		c.reading.pass(e)
		f.Base, f.Count, f.Lane = e.BaseOffset, e.Count, e.ProducerEpoch
		s.mu.Lock()
		defer s.mu.Unlock()
		if f.Base < c.next { // dropped meanwhile
			f.Release()
			return nil, true, nil
		}
		c.next = f.End()
		c.give(f)
		return f, false, nil
	}
}

// seek makes reading stand in the segment that holds next, and returns the offset
// up to which it may read there: the synced part.
func (c *Cursor) seek() int64 {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if first := s.segments[0]; c.next < first.base {
		if lost := c.drop(first); lost > 0 {
			s.log.Error("the segments where an output would go on are gone", "output", c.spec.ID, "records", lost)
		}
	}
	i := len(s.segments) - 1
	for i > 0 && s.segments[i].base > c.next {
		i--
	}
	if seg := s.segments[i]; seg != c.seg || c.reading.expected > c.next {
		c.seg = seg
		c.reading = scanner{file: seg.file, expected: seg.base, buf: c.reading.buf}
	}
	c.reading.end = c.seg.size
	if i+1 < len(s.segments) {
		return s.segments[i+1].base
	}
	if len(s.unsynced) > 0 {
		return min(s.visible, s.unsynced[0].start)
	}
	return s.visible
}

// unreadable is for a segment that cannot be read: it may have been dropped, or
// written again after a failed sync, while it was read.
func (c *Cursor) unreadable(err error) (*Frame, bool, error) {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	gone := !slices.Contains(s.segments, c.seg)
	c.seg = nil
	switch {
	case s.closing.Err() != nil:
		return nil, false, ErrClosed
	case gone:
		return nil, true, nil
	}
	return nil, false, err
}
