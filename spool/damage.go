package spool

import (
	"io"
)

// skipBad keeps bad bytes aside and goes to the next good batch of the segment.
func (c *Cursor) skipBad(cause error, limit int64) error {
	s := c.s
	from, offset := c.reading.pos, c.next
	ok, err := c.reading.resync(limit)
	if err != nil {
		return err
	}
	to := c.reading.end
	if ok {
		to = c.reading.pos
	}
	data := make([]byte, to-from)
	if _, err := c.reading.file.ReadAt(data, from); err != nil && err != io.EOF {
		return err
	}
	s.log.Error("bad bytes in the spool are skipped", "output", c.spec.ID, "segment", c.seg.name, "position", from, "bytes", len(data), "error", cause)
	if err := s.quarantine(offset, data); err != nil {
		s.log.Error("cannot keep bad bytes aside", "error", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c.reading.pos = to
	return nil
}

// unreadable is for a segment that cannot be read: it may have been deleted under
// a cursor that was told to drop it.
func (c *Cursor) unreadable(err error) (*Frame, bool, error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.seg != nil && c.next < c.s.segments[0].base {
		c.seg = nil
		return nil, true, nil
	}
	c.seg = nil
	return nil, false, err
}
