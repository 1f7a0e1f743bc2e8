package spool

import (
	"fmt"
	"io"
	"slices"

	"github.com/spillway/spillway/spool/recordbatch"
)

// missing finds out how many records of a cursor's lane were in bad bytes: what the
// next mark says were appended, less those that were seen.
type missing struct {
	lane int16
	// seen counts the lane's records up to the place of reading, from the
	// opening's count on.
	seen int64
	// gap says that bad bytes were skipped since the last count.
	gap bool
}

// tally counts a batch that is not for the output now, and lets a mark say how much
// a gap before it held.
func (c *Cursor) tally(e entry) error {
	switch {
	case !e.Control() && e.ProducerEpoch == c.missing.lane:
		c.missing.seen += int64(e.Count)
	case e.Control() && (c.missing.gap || e.pos == 0):
		batch := make([]byte, e.Size())
		if _, err := c.reading.file.ReadAt(batch, e.pos); err != nil {
			return err
		}
		var r recordbatch.Reader
		content, ours, err := parseMark(batch, &r)
		if err != nil || !ours {
			return nil // the gap stays open until a mark that can be read
		}
		st := newState()
		c.s.mu.Lock()
		defer c.s.mu.Unlock()
		st.lanes = slices.Clone(c.s.st.lanes)
		for i := range st.lanes {
			st.lanes[i].records = -1 // to see what the mark says
		}
		if st.apply(content) == nil {
			c.closeGap(st.laneCounts())
		}
	}
	return nil
}

// closeGap takes the records that a gap held off what is pending: they are lost, and
// counted as dropped. counts are those of the lanes, or negative where they are not
// known. The caller holds mu.
func (c *Cursor) closeGap(counts []int64) {
	m := &c.missing
	if int(m.lane) >= len(counts) || m.lane < 0 || counts[m.lane] < 0 {
		return
	}
	if lost := counts[m.lane] - m.seen; m.gap && lost > 0 {
		c.count.Dropped += lost
		c.s.log.Error("records were lost with bad bytes", "output", c.spec.ID, "records", lost)
	}
	m.seen, m.gap = counts[m.lane], false
}

// countsAt is how many records each lane had at an offset where a segment begins, or
// has now; nil if that cannot be read. The caller holds mu.
func (s *Spool) countsAt(offset int64) []int64 {
	for _, seg := range s.segments {
		if seg.base != offset {
			continue
		}
		if seg.lanes == nil {
			seg.lanes, _ = readLanes(seg)
		}
		return seg.lanes
	}
	if offset == s.next {
		return s.st.laneCounts()
	}
	return nil
}

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
	if err := s.quarantine(fmt.Sprintf("%020d", offset), data); err != nil {
		s.log.Error("cannot keep bad bytes aside", "error", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c.reading.pos = to
	c.missing.gap = true
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
