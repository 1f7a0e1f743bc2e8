package spool

import (
	"fmt"
	"io"

	"github.com/spillway/spillway/spool/recordbatch"
)

// tells lets a mark say how many records the bad bytes before it held.
func (c *Cursor) tells(e entry) error {
	if !c.gap || !e.Control() {
		return nil
	}
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
	for range c.s.st.lanes {
		st.lanes = append(st.lanes, laneState{records: unknown})
	}
	if st.apply(content) == nil {
		c.closeGap(e.NextOffset(), st.laneCounts())
	}
	return nil
}

// unknown stands for the count of a lane that a mark does not tell.
const unknown = -1

// closeGap counts the records that bad bytes held as dropped: what had been routed to
// the output before an offset where the lanes had these counts, less what is known
// of. What the counts hold is what the frontier has passed, since one record of the
// journal has both: so each loss is counted once, wherever a crash has left the
// frontier. The caller holds mu.
func (c *Cursor) closeGap(offset int64, lanes []int64) {
	routed, ok := c.out.routedAt(offset, lanes)
	if !c.gap || !ok || offset < c.next {
		return
	}
	if i, _ := c.place(offset); i > 0 && c.pending[i-1].acked() && c.pending[i-1].end > offset {
		return // how much of that entry lies before the offset is not known
	}
	if lost := c.unaccounted(offset, routed); lost > 0 {
		c.out.count.Dropped += lost
		c.s.log.Error("records were lost with bad bytes", "output", c.spec.ID, "records", lost)
	}
	c.gap = false
}

// routedAt is how many records had been for the output at an offset where the lanes
// had these counts; ok is false where they do not say.
func (o *outputState) routedAt(offset int64, lanes []int64) (n int64, ok bool) {
	for i := len(o.spans) - 1; i >= 0; i-- {
		if sp := o.spans[i]; sp.from <= offset && int(sp.lane) < len(lanes) {
			return sp.before + lanes[sp.lane] - sp.base, lanes[sp.lane] != unknown
		}
	}
	return 0, false
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
func (c *Cursor) skipBad(cause error, limit int64) (*Frame, bool, error) {
	if err := c.skip(&c.reading, cause, limit); err != nil {
		return c.unreadable(err)
	}
	c.gap = true
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.next = max(c.next, c.reading.expected)
	return nil, true, nil
}

// skip keeps bad bytes aside and makes r stand at the next good batch of the segment, or
// at its end.
func (c *Cursor) skip(r *reader, cause error, limit int64) error {
	s := c.s
	from, offset := r.pos, r.expected
	ok, err := r.resync(limit)
	if err != nil {
		return err
	}
	if !ok {
		r.pos = r.end
	}
	data := make([]byte, r.pos-from)
	if _, err := r.file.ReadAt(data, from); err != nil && err != io.EOF {
		return err
	}
	s.log.Error("bad bytes in the spool are skipped", "output", c.spec.ID, "segment", r.seg.name, "position", from, "bytes", len(data), "error", cause)
	if err := s.quarantine(fmt.Sprintf("%020d", offset), data); err != nil {
		s.log.Error("cannot keep bad bytes aside", "error", err)
	}
	return nil
}
