package spool

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spillway/spillway/spool/recordbatch"
)

// fromUnsynced returns the next frame of those that are not synced: after a sync
// that failed, the file may no longer hold them. The caller holds mu.
func (c *Cursor) fromUnsynced() *Frame {
	c.reading.seg = nil
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
			c.reading.seg = nil
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
		f, err := c.reading.frame(e)
		switch {
		case errors.Is(err, errBad):
			return c.skipBad(err, limit)
		case err != nil:
			return c.unreadable(err)
		}
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
	return c.reading.seek(s, c.next)
}

// reader is where frames are read from the segments.
type reader struct {
	scanner
	seg *segment
}

// seek makes r stand in the segment that holds an offset, not behind it, and returns
// the offset up to which it may read there: the synced part. The caller holds mu.
func (r *reader) seek(s *Spool, offset int64) int64 {
	i := len(s.segments) - 1
	for i > 0 && s.segments[i].base > offset {
		i--
	}
	if seg := s.segments[i]; seg != r.seg || r.expected > offset {
		r.seg = seg
		r.scanner = scanner{file: seg.file, expected: seg.base, buf: r.buf}
	}
	r.end = r.seg.size
	if i+1 < len(s.segments) {
		return s.segments[i+1].base
	}
	if len(s.unsynced) > 0 {
		return min(s.visible, s.unsynced[0].start)
	}
	return s.visible
}

// frame reads the batch at the position, whose header is e, and moves behind it. The
// error wraps errBad for bad bytes, or is that of the disk.
func (r *reader) frame(e entry) (*Frame, error) {
	f := NewFrame()
	f.Data = slices.Grow(f.Data[:0], e.Size())[:e.Size()]
	_, err := r.file.ReadAt(f.Data, r.pos)
	if err == nil {
		if err = recordbatch.Verify(f.Data); err != nil {
			err = fmt.Errorf("%w at %d: %w", errBad, r.pos, err)
		}
	}
	if err != nil {
		f.Release()
		return nil, err
	}
	r.pass(e)
	f.Base, f.Count, f.Lane = e.BaseOffset, e.Count, e.ProducerEpoch
	return f, nil
}

// unreadable is for a segment that cannot be read.
func (c *Cursor) unreadable(err error) (*Frame, bool, error) {
	again, err := c.gone(&c.reading, err)
	return nil, again, err
}

// gone says that a segment which cannot be read is not one any more: it was dropped, or
// written again after a failed sync, while it was read. Else the error is that of reading.
func (c *Cursor) gone(r *reader, err error) (bool, error) {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	gone := !slices.Contains(s.segments, r.seg)
	r.seg = nil
	switch {
	case s.closing.Err() != nil:
		return false, ErrClosed
	case gone:
		return true, nil
	}
	return false, err
}
